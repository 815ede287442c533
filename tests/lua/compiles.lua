-- compiles.lua - counts what LuaJIT makes of the loop over a batch with the hooks in it: the trace that begins there and
-- those that branch off it. The stage "report" writes the counts into a row.
local ls = require "list_sync"
local util = require "jit.util"
local sources = { ["@list_sync/hooks.lua"] = true, ["@list_sync/cells.lua"] = true }
local of_loop, traces, aborts = {}, 0, {} -- of_loop: by trace number

local function event(what, trace, func, pc, code_or_parent)
    if what == "start" then
        of_loop[trace] = of_loop[code_or_parent] or not code_or_parent and sources[util.funcinfo(func).source]
    elseif what == "stop" and of_loop[trace] then
        traces = traces + 1
    elseif what == "abort" and of_loop[trace] then
        aborts[#aborts + 1] = util.funcinfo(func, pc).loc .. ": " .. tostring(require("jit.vmdef").traceerr[code_or_parent])
    end
end
require("jit").attach(event, "trace")

local function stage(name, filter, map)
    ls.connector {
        name = name, db_type = "postgres", host = "db", user = "u", database = "d", table = "public.*", topic = "t", kafka_conf = "memory",
        filter = filter, map = map,
    }
end

local function filter(row) return row.image.status ~= "draft" end

stage("filter", filter)
stage("filter_and_map", filter, function(row) row.new.status = row.new.status:upper() end)
stage("adds_and_drops", nil, function(row)
    row:drop "total"
    row.new.double_id = row.new.id * 2
end)
stage("reads_much", function(row)
    local new = row.new
    return new.id ~= 1 and new.id ~= 2 and new.id ~= 3 and new.id ~= 4 and new.status ~= "a" and new.status ~= "b" and new.total ~= "c"
        and row.image.note == nil and row:has "id" and row:text "id" ~= "x" and row.action == "I" and row.table == "orders"
        and row.new.id ~= 5 and row.new.id ~= 6 and row.new.total ~= "d" and row.source.seq > 0 and row.ts > 0
end)
ls.consumer {
    group_id = "cells", topic_list = "t", kafka_conf = "memory",
    writer = ls.csv_writer { filename = "out", layout = { ["public.orders"] = { columns = {
        "id",
        { "gross", value = function(row) return row:number "total" * 1.2 end },
        { "status", value = function(row) return row.image.status == "draft" and "?" or row.image.status end },
        { "net", value = function(row) return tonumber(row.image.total) * 2 end },
        { "id_is", value = function(row) return row.action == "I" and row.new.id end },
    } } } },
}
ls.consumer {
    group_id = "records", topic_list = "t", kafka_conf = "memory",
    writer = ls.csv_writer { filename = "out", layout = { ["public.*"] = { header = { "id", "status" }, row = function(row)
        return { row.image.id, row.image.status }
    end } } },
}
ls.consumer { group_id = "callback", topic_list = "t", kafka_conf = "memory", callback = function(row) total = (total or 0) + row.new.id end }
local function send(name, options)
    options.name, options.db_type, options.host, options.user, options.database = name, "postgres", "db", "u", "d"
    options.tables, options.topic, options.kafka_conf = options.tables or { "public.*" }, options.topic or "t", "memory"
    ls.connector(options)
end

send("topic_and_key", { topic = function(row) return "t_" .. row.new.id % 4 end, key = function(row) return row.new.id end })
send("headers", { headers = function(row) return { status = row.new.status, zone = "eu" } end })
send("format", {
    format = function(row)
        return '{"id":' .. row:text "id" .. ',"status":' .. ls.quoted(row.new.status) .. ',"total":' .. row.new.total .. "}"
    end,
})
send("format_json", { format = function(row) return ls.json { id = row.new.id, status = row.new.status, total = row.new.total, note = row.new.note } end })
send("by_table", {
    filter = filter,
    tables = { "public.*", ["public.o*"] = { filter = function(row) return row.new.id ~= 5 end, map = function(row) row.new.status = "x" end } },
})
stage("report", nil, function(row)
    row.new.status = ("%s, given up: %s"):format(traces >= 2 and "compiled" or "not compiled", #aborts > 0 and table.concat(aborts, "; ") or "none")
end)

local example = os.getenv "LIST_SYNC_TEST_EXAMPLE"
if example then dofile(example) end
