-- guards.lua - functions that do not return, that take their time, and that keep what they are given. test_script_guard.c runs them.
local ls = require "list_sync"
local ffi = require "ffi"
ffi.cdef "int usleep(unsigned us);"

local function connector(name, options)
    options.name, options.db_type, options.host, options.user, options.tables = name, "mysql", "h", "u", options.tables or { "a.b" }
    options.topic, options.kafka_conf, options.hook_timeout = "t", "memory", options.hook_timeout or "200ms"
    ls.connector(options)
end

local function consumer(name, options)
    options.group_id, options.topic_list, options.kafka_conf, options.hook_timeout = name, "t", "memory", "200ms"
    ls.consumer(options)
end

local function hang() while true do end end

local function sleep() ffi.C.usleep(900 * 1000000) end

connector("spins", { filter = function() while true do end end })

-- The loop over the rows is compiled by then, and this hook with it.
local rows, sum = 0, 0
connector("spins_compiled", { map = function(row)
    rows = rows + 1
    local step = rows > 900 and 0 or 1
    local i = 0
    while i < 10 do
        i = i + step
        sum = sum + i
    end
    row.new.id = i
end })

connector("sleeps", { filter = function() return true end, map = sleep })
connector("in_c", { filter = coroutine.wrap(hang) }) -- a function without a line

consumer("write", { writer = ls.writer { write = hang } })
consumer("flush", { writer = ls.writer { write = function() end, flush = sleep } })
consumer("open", { writer = ls.writer { write = function() end, open = sleep } })
consumer("begin", { writer = ls.writer { write = function() end, open = function() return sleep end } })
consumer("discard", { writer = ls.writer { write = function() end, discard = sleep } })
consumer("close", { writer = ls.writer { write = function() end, close = sleep } })
consumer("callback", { callback = function() sleep() end })

-- Functions of one table's own, and those that say where a row is sent.
connector("by_table", { filter = function() end, tables = { "a.*", ["public.o*"] = {
    filter = function() sleep() end,
} } })
connector("headers", { headers = function() sleep() end })

-- Each row well within the timeout, and all of them far over it.
connector("patient", { filter = function() ffi.C.usleep(2000) end, map = function() ffi.C.usleep(1000) end })

local kept = {}
connector("leaks", { hook_timeout = "1m", script_memory = "8MiB", map = function(row) kept[#kept + 1] = { tostring(row.new.id) .. #kept } end })

-- Nobody collects here but the engine, when the limit is reached.
connector("litters", { hook_timeout = "1m", script_memory = "8MiB", map = function()
    collectgarbage "stop"
    for i = 1, 50 do kept = { i } end
end })

local function raise() error("a finalizer", 0) end
connector("finalizes", { hook_timeout = "1m", script_memory = "8MiB", map = function()
    collectgarbage "stop"
    kept = ffi.gc(ffi.new "char[16]", raise)
    for i = 1, 50 do kept = { i } end
end })
