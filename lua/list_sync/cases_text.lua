-- cases_text.lua - rows as the text of a file of cases: what `list_sync print --cases` records and `list_sync test --update` writes.
local ffi = require "list_sync.ffi"
local bit = require "bit"
local json = require "list_sync.json"
local place = require "list_sync.place"
local row = require "list_sync.row"
local source = require "list_sync.source"
local values = require "list_sync.values"

require("jit").off(true, true) -- runs a few times: not worth a trace

local C = ffi.C
local at, absent = row.at, row.absent
local int64, uint64 = ffi.typeof "int64_t", ffi.typeof "uint64_t"
local WIDTH = 140 -- a row that is longer gets a line a part

local text = { ls = "ls" } -- ls: what the file calls the module

function text.is_absent(v) return type(v) == "cdata" and v == absent end

-- ---- values ----

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until while]]):gmatch "%a+" do
    KEYWORDS[word] = true
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

function text.quoted(s)
    return '"' .. s:gsub('[%c"\\]', function(c) return ESCAPES[c] or ("\\%03d"):format(c:byte()) end) .. '"'
end

local function field(name)
    if type(name) ~= "string" then return ("[%s]"):format(tostring(name)) end
    return name:find "^[%a_][%w_]*$" and not KEYWORDS[name] and name or ("[%s]"):format(text.quoted(name))
end

local number_at = ffi.new "char[32]"

local function number_text(d)
    if d ~= d then return "0/0" end
    if d == math.huge or d == -math.huge then return d > 0 and "math.huge" or "-math.huge" end
    return ffi.string(number_at, C.ls_number_text(d, number_at))
end

local lua_text

-- A document's value: an array by ls.array, so that one that is empty or ends in null stays what it is.
local function table_text(v)
    local parts, is_array = {}, getmetatable(v) == json.array_meta or #v > 0
    if is_array then
        for i = 1, v.n or #v do parts[i] = lua_text(v[i]) end
        if v.n and v.n > 0 and (v[v.n] == nil) then parts[#parts + 1] = "n = " .. v.n end
        return ("%s.array {%s}"):format(text.ls, #parts > 0 and " " .. table.concat(parts, ", ") .. " " or "")
    end
    local names = {}
    for k in pairs(v) do names[#names + 1] = k end
    table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
    for i, k in ipairs(names) do parts[i] = field(k) .. " = " .. lua_text(v[k]) end
    return #parts > 0 and "{ " .. table.concat(parts, ", ") .. " }" or "{}"
end

function lua_text(v)
    if v == nil or v == values.null then return text.ls .. ".null" end
    if text.is_absent(v) then return text.ls .. ".absent" end
    local kind = type(v)
    if kind == "string" then return text.quoted(v) end
    if kind == "number" then return number_text(v) end
    if kind == "cdata" then return tostring(v) .. (ffi.istype(uint64, v) and "ULL" or "LL") end
    if kind == "table" then
        local meta = getmetatable(v)
        if meta == values.decimal_meta or meta == values.json_meta then return v.text end
        if meta == values.bytes_meta then return text.quoted(text.base64(v.bytes)) end
        return table_text(v)
    end
    return tostring(v)
end

-- A value for a difference's text. of: a column's value as text.row() has it, or nil.
function text.shown(v, of)
    if v == nil or v == values.null then return "NULL" end
    if text.is_absent(v) then return "nothing, since it was not sent" end
    local shown = of and of.document and v or lua_text(v)
    return #shown > 200 and shown:sub(1, 200) .. "..." or shown
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function text.base64(bytes)
    local out = {}
    for i = 1, #bytes, 3 do
        local a, b, c = bytes:byte(i, i + 2)
        local n = a * 65536 + (b or 0) * 256 + (c or 0)
        local four = ""
        for shift = 18, 0, -6 do
            local digit = math.floor(n / 2 ^ shift) % 64 + 1
            four = four .. DIGITS:sub(digit, digit)
        end
        out[#out + 1] = not b and four:sub(1, 2) .. "==" or not c and four:sub(1, 3) .. "=" or four
    end
    return table.concat(out)
end

-- ---- rows ----

local OPEN_BRACE = 123

-- json: the text of an array or object, which is also the value of one that Lua cannot hold; document: it is an object.
local function column(s, i, v)
    local out = { name = ffi.string(s.cols[i].name, s.cols[i].name_len) }
    if v.state == C.LS_PRESENT and v.kind == C.LS_KIND_JSON then
        out.json = ffi.string(v.as.p, v.len)
        out.document = v.len > 0 and v.as.p[0] == OPEN_BRACE
    end
    local ok, value = pcall(row.read, v, s.cols[i].type, out.name)
    if not ok and not out.json then error(value, 0) end
    if ok then out.value = value else out.value, out.document = out.json, nil end
    return out
end

local function image(s, from)
    if from == nil then return nil end
    local out = {}
    for i = 0, s.ncols - 1 do out[i + 1] = column(s, i, from[i]) end
    return out
end

-- The rows of the batch that are sent. messages: { message, key, topics, headers } by their number in the batch, from 1; of a consumer
-- there are none.
function text.rows_sent(messages)
    local got = {}
    for k = 0, at.batch.count - 1 do
        if bit.band(at.batch.changes[k].flags, C.LS_DROPPED) == 0 then
            local r = text.row(at.batch.changes[k])
            r.sent = messages and messages[k + 1]
            got[#got + 1] = r
        end
    end
    return got
end

-- A connector's topics, and headers, as a case wants them.
function text.topics(sent)
    return #sent.topics == 1 and sent.topics[1] or sent.topics
end

function text.headers(sent)
    local out = {}
    for _, h in ipairs(sent.headers) do out[h.name] = h.value == nil and values.null or h.value end
    return out
end

-- A change as a table: action, schema, table, and new, old, moved_from, moved_to as lists of { name, value }.
function text.row(c)
    local s = c.schema
    local out = { action = row.fields.action(c), schema = row.fields.schema(c), table = row.fields.table(c), new = image(s, c.after), old = image(s, c.before) }
    if c.moved ~= nil then
        local key = {}
        for i = 0, s.nkey - 1 do key[i + 1] = column(s, s.key[i], c.moved[i]) end
        out[out.action == "D" and "moved_to" or "moved_from"] = key
    end
    return out
end

function text.table_name(schema, name)
    return (schema:gsub("[\\.]", "\\%0")) .. "." .. (name:gsub("\\", "\\\\"))
end

-- The columns of an image; those that are not part of it are left out, and what is NULL in a row after, or not sent, is said.
local function image_text(columns, part)
    local out = {}
    for _, c in ipairs(columns) do
        if part == "new" or not text.is_absent(c.value) then
            local document = c.document and json.decode(c.value)
            out[#out + 1] = field(c.name) .. " = " .. (document and ("%s.json %s"):format(text.ls, table_text(document)) or lua_text(c.value))
        end
    end
    return #out > 0 and "{ " .. table.concat(out, ", ") .. " }" or "{}"
end

local function list_text(texts)
    local out = {}
    for i, v in ipairs(texts) do out[i] = text.quoted(v) end
    return "{ " .. table.concat(out, ", ") .. " }"
end

-- A row of text.row() as Lua. given: the table that it need not name; indent: of its lines, where it is too long for one.
function text.row_text(r, given, indent)
    local parts = { "action = " .. text.quoted(r.action) }
    given = r.given or given
    if not given or given.schema ~= r.schema or given.table ~= r.table then parts[2] = "table = " .. text.quoted(text.table_name(r.schema, r.table)) end
    for _, part in ipairs { "new", "old", "moved_from", "moved_to" } do
        if r[part] then parts[#parts + 1] = part .. " = " .. image_text(r[part], part) end
    end
    local wanted, sent = r.wanted or {}, r.sent or {} -- what of the message a case has wanted before
    if wanted.topic ~= nil then
        local topics = text.topics(sent)
        parts[#parts + 1] = "topic = " .. (type(topics) == "string" and text.quoted(topics) or list_text(topics))
    end
    if wanted.key ~= nil then parts[#parts + 1] = "key = " .. (sent.key and text.quoted(sent.key) or text.ls .. ".null") end
    if wanted.headers ~= nil then parts[#parts + 1] = "headers = " .. lua_text(text.headers(sent)) end
    if wanted.message ~= nil then parts[#parts + 1] = "message = " .. text.quoted(sent.message) end
    local line = "{ " .. table.concat(parts, ", ") .. " }"
    if not indent or #indent + #line <= WIDTH then return line end
    return "{\n" .. indent .. "  " .. table.concat(parts, ",\n" .. indent .. "  ") .. ",\n" .. indent .. "}"
end

local function rows_text(rows, given, indent)
    if #rows == 0 then return "{}" end
    if #rows == 1 then return text.row_text(rows[1], given, indent) end
    local out = {}
    for i, r in ipairs(rows) do out[i] = indent .. "  " .. text.row_text(r, given, indent .. "  ") .. ",\n" end
    return "{\n" .. table.concat(out) .. indent .. "}"
end

-- ---- writing into a file of cases ----

-- What the file calls the module that `require "list_sync"` gives.
local function module_name(whole)
    return whole:match "local%s+([%a_][%w_]*)%s*=%s*require%s*%(?%s*[\"']list_sync[\"']" or 'require("list_sync")'
end

-- Where a case's want goes: first and last byte of what it replaces, and what stands around it. Nothing where it cannot be told.
local function place_of(whole, case)
    local found, more = source.call(whole, case.call_line, "case")
    if not found or more or not found.close or not found.values.name or not found.values.give then return nil end
    local name = loadstring("return " .. whole:sub(found.values.name[1], found.values.name[2]))
    local ok, is = pcall(name or error)
    if not ok or is ~= case.name then return nil end -- another call than the one that was made
    local give = found.values.give[1]
    local line = whole:sub(1, give):match "([^\n]*)$"
    local indent = line:match "^(%s*)give%s*=" -- nil: give stands behind something else
    local value = found.values.want
    if value then return value[1], value[2], "", "", indent or line:match "^%s*" end
    local comma = whole:sub(found.last, found.last):find "[,;]" and "" or ","
    if indent then -- behind a comment that stands behind the last value
        local comment = whole:match("^[ \t]*%-%-[^\n%[][^\r\n]*", found.last + 1) or ""
        local newline = whole:match("\r?\n", found.last) or "\n"
        return found.last + 1, found.last + #comment, comma .. comment .. newline .. indent .. "want = ", ",", indent
    end
    return found.last + 1, found.last, comma .. " want = ", "", line:match "^%s*"
end

-- Writes what each of the cases got in the place of what it wants. What cannot be told for sure is an error, and the file stays as it was.
-- table_of(case, k): the table that its row k need not name.
function text.update(list, table_of)
    if #list == 0 then return end
    local path = list[1].path
    local whole = source.read(path)
    if not whole then place.raise(path, nil, "cannot be read any more; nothing is changed") end
    text.ls = module_name(whole)
    local edits = {}
    for _, case in ipairs(list) do
        local first, last, before, behind, indent
        if case.path == path then first, last, before, behind, indent = place_of(whole, case) end
        if not first then place.raise(case.path, case.line, ("case %s: it is not plain where its want stands; nothing is changed: write it by hand"):format(text.quoted(case.name))) end
        for k, r in ipairs(case.got) do
            r.wanted, r.given = r.sent and case.want and case.want[k], table_of(case, k)
        end
        local newline = whole:match("\r?\n", first) or whole:match "\r?\n" or "\n"
        edits[#edits + 1] = { first = first, last = last, text = before .. (rows_text(case.got, nil, indent) .. behind):gsub("\n", newline) }
    end
    table.sort(edits, function(a, b) return a.first > b.first end)
    local new = whole
    for _, e in ipairs(edits) do new = new:sub(1, e.first - 1) .. e.text .. new:sub(e.last + 1) end
    local fine, why = loadstring(new, "@" .. path)
    if not fine then place.raise(path, nil, "what would be written is no Lua (" .. why .. "); nothing is changed") end
    local file, cannot = io.open(path, "wb")
    if not file or not file:write(new) or not file:close() then place.raise(path, nil, "cannot be written: " .. tostring(cannot)) end
end

-- ---- recording ----

local TYPES = {}
for _, name in ipairs { "string", "boolean", "integer", "float", "decimal", "bytes", "date", "time", "datetime", "timestamp", "timetz", "interval",
                        "json", "uuid", "bits", "array", "set", "geometry", "vector", "unknown" } do
    TYPES[C["LS_TYPE_" .. name:upper()]] = name
end

-- The call that declares a schema.
function text.table_text(s)
    local out = { ("%s.table { %s,\n"):format(text.ls, text.quoted(text.table_name(ffi.string(s.schema, s.schema_len), ffi.string(s.table, s.table_len)))) }
    for i = 0, s.ncols - 1 do
        local c = s.cols[i]
        out[#out + 1] = ("  { %s, %s%s },\n"):format(text.quoted(ffi.string(c.name, c.name_len)), text.quoted(TYPES[c.type]), c.key_at > 0 and ", key = " .. c.key_at or "")
    end
    return table.concat(out) .. "}\n"
end

local declared, recorded = {}, 0
local given, given_table, given_source

local function source_text(c)
    if c.tx == nil then return "" end
    local pos, tx = ffi.string(c.tx.pos), ffi.string(c.tx.id)
    if pos == "" and tx == "" and c.tx.ts == 0 then return "" end
    return (", source = { pos = %s, seq = %s, tx = %s, ts = %s }"):format(text.quoted(pos), tostring(c.seq), text.quoted(tx), tostring(c.tx.ts):gsub("LL$", ""))
end

-- Notes the batch's one row, as the hooks will see it.
function text.note()
    local c = at.batch.changes[0]
    given_table = text.table_text(c.schema)
    given, given_source = text.row(c), source_text(c)
    given.key_text = row.key_text(c)
    if c.origin ~= nil then given_source = given_source .. (", topic = %s, partition = %d"):format(text.quoted(ffi.string(c.origin.topic)), c.origin.partition) end
end

local ACTIONS = { I = "insert into", U = "update of", D = "delete from" }

-- The noted row and what the hooks made of it as a case. The first one of a table declares it.
function text.record(stage)
    local rows = text.rows_sent()
    local name, out = text.table_name(given.schema, given.table), {}
    if declared[name] ~= given_table then out[1] = "\n" .. given_table end
    declared[name] = given_table
    recorded = recorded + 1
    local give = text.row_text(given, nil, "  ")
    local front = give:sub(1, 2) == "{\n" and give:gsub(",?\n?%s*}$", "") or give:gsub(" }$", "")
    out[#out + 1] = ("\n%s.case {\n  name = %s,\n  stage = %s,\n  give = %s%s },\n  want = %s,\n}\n"):format(text.ls,
        text.quoted(("%d: %s %s%s"):format(recorded, ACTIONS[given.action] or given.action, name, given.key_text and ", key " .. given.key_text or "")), text.quoted(stage),
        front, given_source, rows_text(rows, given, "  "))
    return table.concat(out)
end

return text
