-- duration.lua - a length of time as a script gives it: a number and a unit, "500ms", "30s", "15m", "1h", "1d".
require("jit").off(true, true) -- runs a few times: not worth a trace

local duration = {}

local MS = { ms = 1, s = 1000, m = 60000, h = 3600000, d = 86400000 }
local UNITS = { "d", "h", "m", "s", "ms" }

-- Milliseconds; nil: it is no such text.
function duration.ms(value)
    if type(value) ~= "string" then return nil end
    local number, unit = value:match "^(%d+)%s*(%a+)$"
    return MS[unit] and tonumber(number) * MS[unit]
end

-- The shortest way to write it.
function duration.text(ms)
    for _, unit in ipairs(UNITS) do
        if ms % MS[unit] == 0 then return ("%.0f%s"):format(ms / MS[unit], unit) end
    end
end

-- The check of an option, which has min and max in milliseconds.
function duration.check(at, option, value, fail)
    local ms = duration.ms(value)
    if ms and ms >= option.min and ms <= option.max then return ms end
    fail(at, option.name, 'option %q in %s must be a text from "%s" to "%s", such as "%s", not %s', option.name, at.title, duration.text(option.min),
        duration.text(option.max), duration.text(option.default), type(value) == "string" and ("the text %q"):format(value) or tostring(value))
end

return duration
