-- layouts.lua - layouts with functions; test_layout.c writes its rows with them.
local ls = require "list_sync"
local seen = {}

local function consumer(name, csv)
    csv.filename, csv.absent, csv.null = name, "?", "NULL"
    ls.consumer { group_id = name, topic_list = "rows", kafka_conf = "memory", consumer_id = "c", writer = ls.csv_writer(csv) }
end

consumer("halves", { layout = { ["public.orders"] = { columns = {
    "id",
    { "action", value = function(row)
        seen[#seen + 1] = row.action
        return row.action .. (row.new and "n" or "") .. (row.old and "o" or "") .. #seen
    end },
    { "total", value = function(row) return row.image.total end },
} } } })

consumer("absent", { layout = { ["public.orders"] = { columns = {
    "id",
    { "read", value = function(row) return row.image.total end },
    { "sum", value = function(row) return row.image.total + 1 end },
    { "number", value = function(row) return (tonumber(row.image.total) or 0) + 1 end },
    { "method", value = function(row) return row:number "total" * 2 end },
    { "library", value = function(row) return math.floor(row.image.total) end },
    { "asked", value = function(row) return row:has "total" end },
    { "unknown", value = function(row) return row.source.seq == 5 and row.image.nobody_knows or 1 end },
} } } })

consumer("kinds", { layout = { ["public.orders"] = { columns = {
    { "text", value = function() return "a,b" end },
    { "empty", value = function() return "" end },
    { "null", value = function() return nil end },
    { "ls.null", value = function() return ls.null end },
    { "whole", value = function() return 3 end },
    { "large", value = function() return 1e21 end },
    { "tenth", value = function() return 0.1 end },
    { "minus zero", value = function() return -0 end },
    { "nan", value = function() return 0 / 0 end },
    { "int64", value = function() return -9223372036854775807LL - 1 end },
    { "uint64", value = function() return 18446744073709551615ULL end },
    { "yes", value = function() return true end },
    { "no", value = function() return false end },
    { "array", value = function() return ls.array { 1, ls.null, "x" } end },
    { "table", value = function() return { b = 1, a = {} } end },
    { "decimal", value = function() return ls.decimal "1.50" end },
    { "bytes", value = function() return ls.bytes "\0\255" end },
    { "json", value = function() return ls.json { 1 } end },
    { "date", value = function(row) return ls.date("%d/%m/%Y", row.ts) end },
    { "big", value = function(row) return row.image.big end },
    { "hash", value = function() return ls.sha256 "x" end },
    { "absent", value = function() return ls.absent end },
} } } })

consumer("record", { layout = { ["public.*"] = { filename = "records", prefix = false, header = { "what", "id", "total" }, row = function(row)
    if row.action == "D" then return false end
    return { row.table, row.image.id, row.image.total }
end } } })

local asked = 0
consumer("patterns", { layout = {
    ["public.*"] = { filename = "patterns_all", columns = { "id", { "n", value = function()
        asked = asked + 1
        return asked
    end } } },
    ["public.orders"] = { filename = "patterns_orders", columns = { "id" } },
} })
