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

-- Each function of a stage: its number, what it is called, and itself.
local function functions_of(options)
    local out = {}
    local function add(number, name, hook)
        if hook then out[tonumber(number)] = { name = name, hook = hook } end
    end
    add(C.LS_HOOK_FILTER, "filter", options.filter)
    add(C.LS_HOOK_MAP, "map", options.map)
    local writer = options.writer or {}
    add(C.LS_HOOK_WRITE, writer.hook and "callback" or "writer.write", writer.hook or writer.write)
    add(C.LS_HOOK_OPEN, "writer.open", writer.open)
    add(C.LS_HOOK_FLUSH, "writer.flush", writer.flush)
    add(C.LS_HOOK_DISCARD, "writer.discard", writer.discard)
    add(C.LS_HOOK_CLOSE, "writer.close", writer.close)
    return out
end

-- Milliseconds, bytes, how the stage is named, and by number how each of its functions is.
function guard.of(name)
    for _, stage in ipairs(script.stages) do
        local options = stage.options
        if options.name == name then
            local title, names = ("%s %q"):format(stage.kind, name), {}
            for number, f in pairs(functions_of(options)) do names[number] = ("%s: %s of %s"):format(place_of(f.hook), f.name, title) end
            return options.hook_timeout, options.script_memory, ("%s:%d: %s"):format(script.path, stage.line, title), names
        end
    end
    place.raise(nil, nil, ("there is no stage %q"):format(name))
end

return guard
