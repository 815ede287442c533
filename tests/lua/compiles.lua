-- compiles.lua - counts what LuaJIT makes of the loop over a simple filter and map; a row whose status is "report" gets the
-- counts.
local ls = require "list_sync"
local traces, aborts = 0, 0
local reasons = {}

require("jit").attach(function(what, _, _, _, code, info)
    if what == "stop" then traces = traces + 1 end
    if what == "abort" then
        aborts = aborts + 1
        reasons[#reasons + 1] = tostring(code) .. " " .. tostring(info)
    end
end, "trace")

local function stage(name, filter, map)
    ls.connector {
        name = name, db_type = "postgres", host = "db", user = "u", database = "d", table = "public.*", topic = "t", kafka_conf = "memory",
        filter = filter, map = map,
    }
end

local function filter(row) return row.image.status ~= "draft" end

stage("filter", filter)
stage("both", filter, function(row) row.new.status = row.new.status:upper() end)
stage("adds", nil, function(row)
    row:drop "total"
    row.new.double_id = row.new.id * 2
end)
stage("report", nil, function(row)
    row.new.status = ("traces %d aborts %d %s"):format(traces > 0 and 1 or 0, aborts, table.concat(reasons, "; "))
    traces, aborts = 0, 0
end)
