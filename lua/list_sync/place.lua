-- place.lua - which line of the user's files is to blame, and errors that carry it.
local place = {}

require("jit").off(true, true) -- runs a few times: not worth a trace

-- These modules' own chunk names: their frames are passed over when a line of the user's is looked for.
local ours = {}
for _, name in ipairs {
    "init", "options", "check", "place", "reference", "row", "hooks", "script", "ffi", "json", "values", "tables", "send", "formats", "csv", "duration",
    "guard", "pages", "annotate", "manual", "completion",
    "source", "cases", "cases_text", "layout", "cells",
} do
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

local function join(text, path, line)
    if not path then return text end
    return line and ("%s:%d: %s"):format(path, line, text) or ("%s: %s"):format(path, text)
end

-- An error that knows its place: path and line may be nil.
local Placed = {}
function Placed.__tostring(e) return join(e.text, e.path, e.line) end

function place.raise(path, line, text) error(setmetatable({ text = text, path = path, line = line }, Placed), 0) end

-- Raises it of the user's line that called.
function place.fail(text, ...)
    if select("#", ...) > 0 then text = text:format(...) end
    local path, line = place.user()
    place.raise(path, line, text)
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

-- For a message handler: the text of an error, and the user's path and line where it was raised; nil: unknown.
function place.of_error(e)
    if getmetatable(e) == Placed then return e.text, e.path, e.line end
    return bare(e), place.user()
end

-- A message handler: the whole as one text.
function place.handler(e) return join(place.of_error(e)) end

return place
