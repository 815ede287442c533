-- sends.lua - functions that say where rows go and as what, a stage each; test_send.c compares what they said.
local ls = require "list_sync"

local function stage(name, options)
    options.name, options.kafka_conf = name, "memory"
    options.db_type, options.host, options.user, options.database = "postgres", "db", "u", "d"
    options.tables = options.tables or { "public.*" }
    options.topic = options.topic or "t"
    ls.connector(options)
end

local function tenant(row) return "t_" .. row.image.tenant end

stage("all", {
    topic = function(row) return row.table == "log" and { "a", "b" } or tenant(row) end,
    key = function(row) return row.table == "orders" and row.image.id or nil end,
    headers = function(row) return { zone = "eu", action = row.action, n = 5, none = ls.null } end,
    format = function(row)
        if row.action == "T" then return "truncated " .. row.table end
        if row.action == "D" then return ls.null end
        return ls.json { id = row.new.id, tenant = row.new.tenant }
    end,
})

stage("keys", { key = function(row) return { row.image.tenant, row.image.id, 1.5, true } end })

stage("skips", { format = function(row) return row.action ~= "D" and row.action end })

stage("clones", {
    map = function(row)
        if row.table == "orders" and row.action == "U" then row:clone().new.tenant = "copy" end
    end,
    topic = tenant,
})

stage("by_table", {
    filter = function(row) return row.action ~= "I" end,
    tables = {
        "public.*",
        ["public.o*"] = { topic = tenant, filter = function() end },
        ["public.log"] = { key = function(row) return "log" end },
    },
})

stage("splits", { moves = "split", topic = tenant, format = function(row) return row.action .. (row.image and row.image.tenant or "") end })

stage("splits_by_key", { moves = "split", key = { "tenant", "id" } })

stage("split_filter", { moves = "split", filter = function(row) return row.image.tenant ~= "red" end })

stage("split_clones", {
    moves = "split", topic = tenant,
    map = function(row)
        if row.action == "U" then row:clone().new.tenant = "x" end
    end,
})

-- Rows that are left out, and have clones all the same.
stage("clones_alone", {
    map = function(row)
        if row.table == "orders" and row.action ~= "D" then row:clone().table = "items" end
        return false
    end,
    topic = tenant, key = function(row) return row.table end, format = function(row) return row.action end,
})

stage("split_clones_alone", {
    moves = "split", topic = tenant,
    map = function(row)
        if row.action == "U" then
            row:clone()
            return false
        end
    end,
})

stage("split_upserts", {
    moves = "split", topic = tenant, filter = function(row) return row.image.tenant ~= "green" end,
    map = function(row)
        if row.action == "I" then row.action = "U" end
    end,
})

stage("split_most_clones", {
    moves = "split", topic = tenant,
    map = function(row)
        for _ = 1, row.action == "U" and 256 or 0 do row:clone() end
    end,
})

stage("one_topic_twice", { topic = function(row) return { "a", "b", "a", (tenant(row):gsub("t_red", "b")) } end })

stage("changes_a_truncate", {
    format = function(row)
        if row.action == "T" then row.table = "other" end
        return "x"
    end,
})

for name, topic in pairs { space = "a b", empty = "", dots = "..", long = ("x"):rep(250), nul = "a\0b" } do
    stage("topic_" .. name, { topic = function(row) return { "fine", topic } end })
end

local int64 = require "ffi".typeof "int64_t"
for name, key in pairs {
    empty = "", huge = 1e300, zero = -0.0, none = 0 / 0, whole = int64(2) ^ 62 + 1, decimal = ls.decimal "1.50", list = { ls.decimal "1.50", int64(7), ls.null, n = 4 }, json = ls.json { a = ls.decimal "1.50", b = ls.json { c = 7 } },
    named = { id = 7 }, bytes = { ls.bytes "x" },
} do
    stage("key_" .. name, { key = function() return key end })
end

-- test_send.c has a model of it.
stage("random", {
    moves = "split", topic = tenant, key = function(row) return row.image.tenant end,
    filter = function(row) return row.image.tenant ~= "green" end,
    map = function(row)
        if row.image.id % 5 == 0 and row.action == "U" then row:clone().new.tenant = "x" end
        return row.image.id % 7 ~= 0
    end,
    headers = function(row) return { old = row.old and row.old.tenant or "-", new = row.new and row.new.tenant or "-" } end,
    format = function(row) return row.action .. row:text "id" end,
})
