-- values.lua - what a script writes into columns besides texts, numbers and booleans, and the functions that make new values of old ones.
local ffi = require "list_sync.ffi"
local json = require "list_sync.json"
local place = require "list_sync.place"

local C = ffi.C
local values = {
    null = json.null,
    array_meta = json.array_meta,
    decimal_meta = { __name = "ls.decimal", __tostring = function(v) return v.text end },
    bytes_meta = { __name = "ls.bytes" },
    json_meta = { __name = "ls.json", __tostring = function(v) return v.text end },
    mask_meta = { __name = "mask" },
}

json.as_json[values.decimal_meta] = function(v) return json.quoted(v.text) end
json.as_json[values.json_meta] = function(v) return v.text end
json.as_json[values.bytes_meta] = function() error("JSON takes no ls.bytes: give it as text", 0) end

function values.decimal(text)
    if type(text) == "number" and text == math.floor(text) and math.abs(text) <= 2 ^ 53 then text = ("%d"):format(text) end
    if type(text) ~= "string" then place.fail("ls.decimal takes decimal text, as in ls.decimal \"1.50\", not a %s", type(text)) end
    return setmetatable({ text = text }, values.decimal_meta)
end

function values.bytes(text)
    if type(text) ~= "string" then place.fail("ls.bytes takes the bytes as a text, not a %s", type(text)) end
    return setmetatable({ bytes = text }, values.bytes_meta)
end

function values.json(value)
    local ok, text = pcall(json.encode, value)
    if not ok then place.fail("ls.json: %s", text) end
    return setmetatable({ text = text }, values.json_meta)
end

-- A text, or a number, as JSON has it; nil is null.
function values.quoted(value)
    if type(value) == "string" then return json.quoted(value) end
    local ok, text = pcall(json.encode, value)
    if not ok then place.fail("ls.quoted: %s", text) end
    return text
end

function values.array(elements)
    if type(elements) ~= "table" then place.fail("ls.array takes a table of elements, as in ls.array{ 1, 2 }, not a %s", type(elements)) end
    elements.n = elements.n or #elements
    return setmetatable(elements, values.array_meta)
end

-- ---- dates ----

local DATES_MAX = 256 -- texts that are remembered
local dates, remembered = {}, 0

-- Microseconds since 1970 as text, UTC; strftime's conversions.
function values.date(format, us)
    if us == nil then return nil end
    if type(format) ~= "string" then place.fail('ls.date takes a format and microseconds: ls.date("%%d/%%m/%%Y", row:time "created")') end
    local number = tonumber(us)
    if not number or number ~= number or math.abs(number) >= 2 ^ 63 then
        place.fail("ls.date takes microseconds since 1970, as row:time and row.ts give them, not %s", tostring(us))
    end
    local second = math.floor(number / 1e6)
    local of = dates[format]
    if not of then
        of = {}
        dates[format] = of
    end
    local text = of[second]
    if text then return text end
    if remembered == DATES_MAX then
        dates, remembered = { [format] = {} }, 0
        of = dates[format]
    end
    text = os.date("!" .. format, second)
    of[second] = text
    remembered = remembered + 1
    return text
end

-- ---- masks: called with a value, they give what stands in its place; `columns` runs them in C ----

local hex_at = ffi.new "char[64]"

values.mask_meta.__call = function(mask, value)
    if value == nil then return nil end
    local text = tostring(value)
    if mask.keep then
        local n, at = 0, #text + 1 -- of characters, from the end
        while n < mask.keep and at > 1 do
            at = at - 1
            if text:byte(at) < 128 or text:byte(at) >= 192 then n = n + 1 end
        end
        if at == 1 then at = #text + 1 end -- it would show the whole
        local _, characters = text:sub(1, at - 1):gsub("[^\128-\191]", "")
        return ("*"):rep(characters) .. text:sub(at)
    end
    C.ls_digest_hex(mask.key, text, #text, hex_at)
    return (ffi.string(hex_at, 64))
end

function values.hmac(key)
    if type(key) ~= "string" or (key == "" and not require("list_sync.script").offline) then
        place.fail 'ls.hmac takes a secret key, as in ls.hmac(ls.env "PEPPER")'
    end
    local made = C.ls_hmac_key_new(key, #key)
    if made == nil then error("out of memory", 0) end
    return setmetatable({ kind = "hmac", secret = key, key = ffi.gc(made, C.ls_hmac_key_free) }, values.mask_meta)
end

values.sha256 = setmetatable({ kind = "sha256" }, values.mask_meta)

function values.keep_last(n)
    if type(n) ~= "number" or n ~= math.floor(n) or n < 0 or n > 1000 then place.fail "ls.keep_last takes how many characters stay: 0 to 1000" end
    return setmetatable({ kind = "keep_last", keep = n }, values.mask_meta)
end

return values
