-- place.lua - which line of the user's files is to blame, and errors that carry it.
local place = {}

require("jit").off(true, true) -- runs a few times: not worth a trace

-- These modules' own chunk names: their frames are passed over when a line of the user's is looked for.
local ours = {}
for _, name in ipairs { "init", "options", "check", "place", "reference", "row", "hooks", "script", "ffi" } do
    ours["@list_sync/" .. name .. ".lua"] = true
end

-- The innermost frame of a user's file: its path and line; nil when there is none.
function place.user()
    for level = 2, math.huge do
        local frame = debug.getinfo(level, "Sl")
        if not frame then return nil end
        if frame.what ~= "C" and frame.source:sub(1, 1) == "@" and not ours[frame.source] then
            return frame.source:sub(2), frame.currentline
        end
    end
end

-- An error whose text is complete: handlers pass it on as it is.
local Said = {}
function Said.__tostring(e) return e.text end

function place.say(text) error(setmetatable({ text = text }, Said), 0) end

-- Raises `path:line: text` for the user's line that called.
function place.fail(text, ...)
    if select("#", ...) > 0 then text = text:format(...) end
    local path, line = place.user()
    place.say(path and ("%s:%d: %s"):format(path, line, text) or text)
end

-- What an error value says, without the place that Lua put in front of it (Lua shortens long paths).
local function bare(e)
    local meta = getmetatable(e)
    if type(e) == "table" and not (type(meta) == "table" and meta.__tostring) then return "a table was raised as an error" end
    local text = tostring(e)
    for level = 2, math.huge do
        local frame = debug.getinfo(level, "Sl")
        if not frame then return text end
        local front = ("%s:%d: "):format(frame.short_src, frame.currentline)
        if not ours[frame.source] and text:sub(1, #front) == front then return text:sub(#front + 1) end
    end
end

-- For a message handler: the text of an error, and the user's path and line where it was raised (nil: in the text already,
-- or unknown).
function place.of_error(e)
    if getmetatable(e) == Said then return e.text end
    return bare(e), place.user()
end

return place
