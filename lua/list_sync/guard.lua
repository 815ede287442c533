-- guard.lua - what engine/script/guard.c must know of a stage before its functions run: their bounds, and how an error names each of
-- them, since nothing can be asked of a Lua state that hangs.
local ffi = require "list_sync.ffi"
local duration = require "list_sync.duration"
local place = require "list_sync.place"
local script = require "list_sync.script"

require("jit").off(true, true) -- runs a few times: not worth a trace

local C = ffi.C
local guard = {}

-- Where a function begins. One that is no Lua has no line.
local function place_of(hook)
    local info = debug.getinfo(hook, "S")
    if info.what == "C" then return script.path end
    return ("%s:%d"):format(info.source:sub(2), info.linedefined)
end

local HOOKS = {
    filter = C.LS_HOOK_FILTER, map = C.LS_HOOK_MAP, topic = C.LS_HOOK_TOPIC, key = C.LS_HOOK_KEY, headers = C.LS_HOOK_HEADERS,
    format = C.LS_HOOK_FORMAT,
}
local WRITERS = {
    write = C.LS_HOOK_WRITE, open = C.LS_HOOK_OPEN, flush = C.LS_HOOK_FLUSH, discard = C.LS_HOOK_DISCARD, close = C.LS_HOOK_CLOSE,
}

-- How an error names each function of a stage, by its number; those of the second set of options follow those of the first.
local function names_of(options, title)
    local out = {}
    local function add(set, number, name, hook)
        if type(hook) == "function" then out[set * C.LS_HOOKS + tonumber(number)] = ("%s: %s of %s"):format(place_of(hook), name, title) end
    end
    for i, set in ipairs(options.sets or { options }) do
        for name, number in pairs(HOOKS) do add(i - 1, number, name, set[name .. "_function"] or set[name]) end
    end
    local writer = options.writer or {}
    for i, layout in ipairs(writer.layout or {}) do
        local fn = layout.row
        for _, column in ipairs(layout.columns) do fn = fn or column.value end
        add(i - 1, C.LS_HOOK_CELL, ("layout %q"):format(layout.pattern), fn)
    end
    for name, number in pairs(WRITERS) do
        add(0, number, name == "write" and writer.hook and "callback" or "writer." .. name, name == "write" and writer.hook or writer[name])
    end
    return out
end

-- Milliseconds, bytes, how the stage is named, the names of its functions, and in how many sets they are.
function guard.of(name)
    for _, stage in ipairs(script.stages) do
        local options = stage.options
        if options.name == name then
            local title = ("%s %q"):format(stage.kind, name)
            return options.hook_timeout, options.script_memory, ("%s:%d: %s"):format(script.path, stage.line, title), names_of(options, title),
                math.max(options.sets and #options.sets or 1, options.writer and options.writer.layout and #options.writer.layout or 1)
        end
    end
    place.raise(nil, nil, ("there is no stage %q"):format(name))
end

return guard
