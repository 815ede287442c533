-- json.lua - JSON for hooks: documents and arrays to tables and back. No integer is rounded: what a Lua number cannot hold comes as int64
-- or uint64, and goes back as such; an empty array stays one. Keys are written in their sorted order, so that the same table gives the same text.
local ffi = require "list_sync.ffi"
local cjson = require "cjson"

local C = ffi.C
local int64, uint64 = ffi.typeof "int64_t", ffi.typeof "uint64_t"
local WHOLE_MAX = 2 ^ 53
local DEPTH_MAX = 128
local QUOTE, BRACKET = 34, 91 -- " and [

local plain = cjson.new()
plain.decode_invalid_numbers(false)
plain.decode_max_depth(DEPTH_MAX)

-- as_json: by metatable, what gives the JSON of a table that is no array and no object.
local json = { null = cjson.null, array_meta = { __name = "ls.array" }, as_json = {} }

-- ---- reading ----

local function exact(digits)
    local negative = digits:sub(1, 1) == "-"
    local value = uint64(0)
    local limit = uint64(0) - 1
    for i = negative and 2 or 1, #digits do
        local digit = digits:byte(i) - 48
        if value > (limit - digit) / 10 then return nil end
        value = value * 10 + digit
    end
    if value <= uint64(WHOLE_MAX) then return (negative and -1 or 1) * tonumber(value) end
    if not negative then return value <= uint64(2 ^ 63) - 1 and ffi.cast(int64, value) or value end
    return value <= uint64(2 ^ 63) and ffi.cast(int64, uint64(0) - value) or nil
end

-- Behind the closing quote of the text that begins at `at`; nil: it has none.
local function behind_text(text, at)
    while true do
        local stop = text:find('["\\]', at)
        if not stop then return nil end
        if text:byte(stop) == QUOTE then return stop + 1 end
        at = stop + 2
    end
end

local function marked_whole(number)
    if #number <= 15 or number:find "[%.eE]" or math.abs(tonumber(number) or 0) < WHOLE_MAX then return nil end
    if exact(number) then return '"\\u0001n' .. number .. '"' end
    error(("%s is beyond 64 bits, and no number of Lua holds it: take the document's text, row:text"):format(number), 0)
end

-- The text with what cjson would lose as texts that begin with \1: n and a whole number that is beyond a Lua number, a for an empty
-- array, and t before a text of the document's own that begins so.
local function mark(text)
    local out, from, at = {}, 1, 1
    local function replace(first, behind, with)
        out[#out + 1] = text:sub(from, first - 1) .. with
        from = behind
    end
    while true do
        local start = text:find('["%[%-%d]', at)
        if not start then break end
        local byte = text:byte(start)
        if byte == QUOTE then
            at = behind_text(text, start + 1)
            if not at then return text end
            if text:find("^\\u0001", start + 1) and not text:find("^%s*:", at) then replace(start + 1, start + 1, "\\u0001t") end
        elseif byte == BRACKET then
            local _, stop = text:find("^%[%s*%]", start)
            at = (stop or start) + 1
            if stop then replace(start, at, '"\\u0001a"') end
        else
            local number = text:match("^-?%d[%d%.eE+%-]*", start) or text:sub(start, start)
            local whole = marked_whole(number)
            at = start + #number
            if whole then replace(start, at, whole) end
        end
    end
    if #out == 0 then return text end
    return table.concat(out) .. text:sub(from)
end

local function unmark(value)
    if type(value) == "string" and value:byte() == 1 then
        local kind = value:sub(2, 2)
        if kind == "a" then return setmetatable({}, json.array_meta) end
        return kind == "n" and exact(value:sub(3)) or value:sub(3)
    end
    if type(value) ~= "table" then return value end
    for k, v in pairs(value) do value[k] = unmark(v) end
    return value
end

-- A document's value; nil and why when it is none. null is json.null.
function json.decode(text)
    local marked = (text:find "%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d" or text:find "%[%s*%]") and mark(text) or text
    local ok, value = pcall(plain.decode, marked)
    if not ok then return nil, tostring(value) end
    return marked ~= text and unmark(value) or value
end

-- An object among an array's elements stays as it is.
local function count(value)
    if type(value) ~= "table" or (#value == 0 and getmetatable(value) ~= json.array_meta) then return value end
    value.n = #value
    for i = 1, value.n do count(value[i]) end
    return setmetatable(value, json.array_meta)
end

-- An array column's value: a table with its length in n, so that it can end in json.null; nested arrays likewise.
function json.decode_array(text)
    local value, why = json.decode(text)
    if value == nil then error(why, 0) end
    return count(value)
end

-- ---- writing ----

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escaped(c) return ESCAPES[c] or ("\\u%04x"):format(c:byte()) end

-- A text as JSON. gsub ends a trace, so it is called where there is something to escape alone.
local function string_text(s)
    if C.ls_json_is_plain(s, #s) then return '"' .. s .. '"' end
    return '"' .. s:gsub('[%z\1-\31"\\]', escaped) .. '"'
end

json.quoted = string_text

local number_at = ffi.new "char[32]"

local function number_text(d)
    if d ~= d or d == math.huge or d == -math.huge then error("JSON has no number for " .. tostring(d), 0) end
    if d == math.floor(d) and math.abs(d) <= WHOLE_MAX and not (d == 0 and 1 / d < 0) then return ("%d"):format(d) end
    return ffi.string(number_at, C.ls_number_text(d, number_at))
end

-- A table is an array when ls.array made it, or has elements and no other keys but `n`, its length: a member of that name alone is none.
local function length_of(t)
    if getmetatable(t) == json.array_meta then return t.n or #t end
    local n, elements = type(t.n) == "number" and t.n or nil, false
    for key in pairs(t) do
        if type(key) ~= "number" and not (n and key == "n") then return nil end
        elements = elements or type(key) == "number"
    end
    if not elements or not n and #t == 0 then return nil end
    return n or #t
end

local encode

local function encode_array(t, n, out, depth)
    out[#out + 1] = "["
    for i = 1, n do
        if i > 1 then out[#out + 1] = "," end
        encode(t[i], out, depth)
    end
    out[#out + 1] = "]"
end

local SORTED_BY_HAND = 16 -- table.sort ends a trace

local function sort(names)
    if #names > SORTED_BY_HAND then
        table.sort(names)
        return
    end
    for i = 2, #names do
        local name, k = names[i], i - 1
        while k > 0 and names[k] > name do
            names[k + 1] = names[k]
            k = k - 1
        end
        names[k + 1] = name
    end
end

local function wrong_key(key) error(("a JSON object's keys are texts, not a %s"):format(type(key)), 0) end

-- An object with a number among its keys, which becomes a text.
local function with_text_keys(t)
    local out = {}
    for key, value in pairs(t) do
        if type(key) ~= "string" and type(key) ~= "number" then wrong_key(key) end
        out[tostring(key)] = value
    end
    return out
end

local HEADS_MAX = 1024
local heads, remembered = {}, 0 -- a member's name as it stands in the text: the same few in each row

local function head_of(name)
    local head = heads[name]
    if head then return head end
    if remembered == HEADS_MAX then heads, remembered = {}, 0 end
    head = string_text(name) .. ":"
    heads[name], remembered = head, remembered + 1
    return head
end

local encode_object
function encode_object(t, out, depth)
    local names, n = {}, 0
    for key in pairs(t) do
        if type(key) ~= "string" then return (encode_object(with_text_keys(t), out, depth)) end
        n = n + 1
        names[n] = key
    end
    sort(names)
    out[#out + 1] = "{"
    for i = 1, n do
        if i > 1 then out[#out + 1] = "," end
        out[#out + 1] = head_of(names[i])
        encode(t[names[i]], out, depth)
    end
    out[#out + 1] = "}"
end

function encode(value, out, depth)
    local kind = type(value)
    if value == nil or value == json.null then
        out[#out + 1] = "null"
    elseif kind == "string" then
        out[#out + 1] = string_text(value)
    elseif kind == "number" then
        out[#out + 1] = number_text(value)
    elseif kind == "boolean" then
        out[#out + 1] = value and "true" or "false"
    elseif kind == "cdata" and (ffi.istype(int64, value) or ffi.istype(uint64, value)) then
        out[#out + 1] = tostring(value):gsub("U?LL$", "")
    elseif kind == "table" then
        if depth == DEPTH_MAX then error(("a table that holds itself, or nests deeper than %d"):format(DEPTH_MAX), 0) end
        local meta = getmetatable(value)
        local as_json = meta and json.as_json[meta]
        if as_json then
            out[#out + 1] = as_json(value)
            return
        end
        local n = length_of(value)
        if n then encode_array(value, n, out, depth + 1) else encode_object(value, out, depth + 1) end
    else
        error(("JSON takes texts, numbers, booleans, ls.null and tables, not a %s"):format(kind), 0)
    end
end

-- The JSON text of a value.
function json.encode(value)
    local out = {}
    encode(value, out, 0)
    return table.concat(out)
end

-- A list as an array's text, whatever its length.
function json.encode_list(list)
    local out = {}
    encode_array(list, list.n or #list, out, 1)
    return table.concat(out)
end

return json
