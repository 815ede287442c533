-- writers.lua - writers that test_writer.c calls. What they see they assert.
local ls = require "list_sync"
local ffi = require "ffi"
ffi.cdef "int usleep(unsigned us);"

local kept

local function consumer(name, writer, map)
    ls.consumer { group_id = name, topic_list = "rows", kafka_conf = "memory", map = map, writer = ls.writer(writer) }
end

-- A truncate's table has columns, and the truncate has no row.
consumer("truncates", {
    write = function(_, row)
        assert(row.action == "T" and row.image == nil and not row:has "note")
        for _, method in ipairs { "text", "number", "time", "json", "bytes" } do
            local ok, why = pcall(row[method], row, "note")
            assert(not ok and why == 'a row whose action is "T" has no columns to read', why)
        end
        row:copy()
        row:mask("id", ls.sha256)
    end,
})

-- A clone that a hook kept is as dead as its row.
consumer("keeps", {
    write = function() end,
    discard = function() assert(kept.action) end,
    close = function() assert(kept.action) end,
}, function(row)
    kept = row:clone()
    return true
end)

-- The list that open gives is followed by what is flushed.
consumer("positions", {
    open = function() return { { topic = "rows", partition = 0, offset = 3 } } end,
    write = function() end,
})

consumer("begins", {
    open = function() return function() error "the store is away" end end,
    write = function() end,
})

-- Writes so slowly that other members of the group come meanwhile; its first flush fails. Files tell test_consume.c how far it is.
local function touch(name) io.open(name, "w"):close() end

local function append(w)
    local file = assert(io.open("flushed", "a"))
    file:write(table.concat(w.ids, "\n"), "\n")
    file:close()
    w.ids = {}
end

consumer("slow", {
    flush_every = { rows = 1000000, ms = 600000 },
    open = function(w) w.ids = {} end,
    write = function(w, row)
        if not io.open "failed" then
            touch "writing"
            ffi.C.usleep(50000)
        end
        w.ids[#w.ids + 1] = row:text "id"
    end,
    flush = function(w)
        if not io.open "failed" then
            touch "failed"
            error "the store is away"
        end
        append(w)
    end,
    discard = function(w) w.ids = {} end,
})

-- Keeps its positions with its rows, and takes longer over one of them than the group waits for a member.
local stored, late = {}, false

consumer("late", {
    flush_every = { rows = 1000000, ms = 600000 },
    open = function(w)
        w.ids = {}
        local positions = {}
        for partition, offset in pairs(stored) do positions[#positions + 1] = { topic = "rows", partition = partition, offset = offset } end
        return positions
    end,
    write = function(w, row)
        w.ids[#w.ids + 1] = row:text "id"
        if late or #w.ids < 20 then return end
        late = true
        for _ = 1, 90 do ffi.C.usleep(100000) end
    end,
    flush = function(w, positions)
        for _, p in ipairs(positions) do stored[p.partition] = p.offset end
        append(w)
    end,
    discard = function(w)
        w.ids = {}
        touch "discarded"
    end,
})
