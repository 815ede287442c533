-- script.lua - what engine/script/script.c calls: reads the user's script and hands its stages over.
local ffi = require "ffi"
local check = require "list_sync.check"
local place = require "list_sync.place"
local row = require "list_sync.row"

local script = {
    reading = false, -- the script is being evaluated
    path = "",
    offline = false,
    params = {}, -- --set
    asked = {},  -- the names that ls.param was called with
    stages = {}, -- { kind, options, line } in the script's order
}

local int64, uint64, absent_type = ffi.typeof "int64_t", ffi.typeof "uint64_t", ffi.typeof(row.absent)
local plain_tostring, plain_tonumber = tostring, tonumber

-- 64-bit integers without LL and ULL behind.
function tostring(...)
    local v = ...
    if type(v) == "cdata" and (ffi.istype(int64, v) or ffi.istype(uint64, v)) then
        return (plain_tostring(v):gsub("U?LL$", ""))
    end
    return plain_tostring(...)
end

-- tonumber would give nil for a value that was not sent, as for NULL.
function tonumber(value, base)
    if type(value) == "cdata" and ffi.istype(absent_type, value) then return value + 0 end -- which raises
    return (plain_tonumber(value, base))
end

local function read(path)
    local file, why = io.open(path, "rb")
    local text
    if file then
        text, why = file:read "*a"
        file:close()
    end
    if not text then
        why = why and (path .. ": " .. why):gsub("^(.*): %1: ", "%1: ") or path
        place.raise(nil, nil, "cannot read the script " .. why)
    end
    return (text:gsub("^#[^\n]*", ""))
end

local function compile(path)
    local chunk, why = loadstring(read(path), "@" .. path)
    if chunk then return chunk end
    local line, text = why:match("^.-:(%d+): (.*)$") -- Lua shortens a long path
    place.raise(line and path, tonumber(line), text or why)
end

local function look_beside(path)
    local folder = path:match "^(.*/)[^/]*$" or "./"
    package.path = folder .. "?.lua;" .. folder .. "?/init.lua;" .. package.path
end

local function check_params(path)
    local known, wrong = {}, {}
    for name in pairs(script.asked) do known[#known + 1] = name end
    for name in pairs(script.params) do
        if not script.asked[name] then wrong[#wrong + 1] = name end
    end
    if #wrong == 0 then return end
    table.sort(known)
    table.sort(wrong)
    local near = #known > 0 and check.nearest(wrong[1], known)
    place.raise(nil, nil, ("--set %s: %s asks for no such parameter; %s%s"):format(wrong[1], path,
        near and ("did you mean %q? "):format(near) or "", "it asks for " .. (#known > 0 and table.concat(known, ", ") or "none")))
end

-- Evaluates the script; errors are texts, complete.
function script.evaluate(path, params, offline)
    script.path, script.params, script.offline = path, params, offline
    check.offline, check.script = offline, path
    local ok, why = xpcall(function()
        look_beside(path)
        local chunk = compile(path)
        script.reading = true
        chunk()
        check_params(path)
    end, place.handler)
    script.reading = false
    if not ok then error(why, 0) end
end

return script
