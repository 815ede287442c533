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
