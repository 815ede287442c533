-- send.lua - what a script's functions say of where a row is sent and as what, handed to C; and the halves of an update under moves = "split".
-- On the hot path, as row.lua is: it compiles.
local ffi = require "list_sync.ffi"
local bit = require "bit"
local json = require "list_sync.json"
local row = require "list_sync.row"
local values = require "list_sync.values"

local C = ffi.C
local at, new_row = row.at, row.new
local bor = bit.bor
local DROPPED = C.LS_DROPPED
local TOPIC, KEY, HEADERS, FORMAT, MOVES = C.LS_HOOK_TOPIC, C.LS_HOOK_KEY, C.LS_HOOK_HEADERS, C.LS_HOOK_FORMAT, C.LS_HOOK_MOVES
local WHOLE, BEFORE, AFTER = C.LS_WHOLE, C.LS_HALF_BEFORE, C.LS_HALF_AFTER
local INSERT, UPDATE, DELETE = 73, 85, 68
local WHOLE_MAX = 2 ^ 53
local int64, uint64 = ffi.typeof "int64_t", ffi.typeof "uint64_t"
local send = {}

local function wrong(text, ...) error(text:format(...), 0) end

-- What a value is, for a message; what was not sent raises, with the mend.
local function kind_of(value)
    if type(value) == "cdata" then tostring(value) end
    return type(value)
end

function send.wrong_answer(answer)
    wrong("it returned a %s; a hook returns false to leave the row out, and true or nothing to let it pass", type(answer))
end

local function refused() error(ffi.string(C.ls_row_error(at.batch)), 0) end

-- ---- where a row is sent, and as what ----

local function send_topics(i, name)
    if type(name) == "string" then
        if C.ls_row_send_topic(at.batch, i, name, #name) ~= 0 then refused() end
        return
    end
    if type(name) ~= "table" or #name == 0 then
        wrong("it returned %s; it returns a topic's name, or a list of them: what is not to be sent is left out by filter",
            name == nil and "nothing" or type(name) == "table" and "an empty list" or "a " .. kind_of(name))
    end
    for k = 1, #name do
        if type(name[k]) ~= "string" then wrong("it returned a list with a %s; it returns a topic's name, or a list of them", kind_of(name[k])) end
        send_topics(i, name[k])
    end
end

local number_at = ffi.new "char[32]"

-- A text, or a number as messages write it; nil: it is neither.
local function text_of(value)
    local kind = type(value)
    if kind == "string" then return value end
    if kind == "number" then
        if value % 1 == 0 and value >= -WHOLE_MAX and value <= WHOLE_MAX then return ("%d"):format(value) end
        return ffi.string(number_at, C.ls_number_text(value, number_at))
    end
    if kind == "cdata" and (ffi.istype(int64, value) or ffi.istype(uint64, value)) then return tostring(value) end
end

-- A key that is a table: a list, ls.decimal or ls.json.
local function text_of_table(key)
    local meta = getmetatable(key)
    if meta == values.decimal_meta or meta == values.json_meta then return key.text end
    for name in pairs(key) do
        if type(name) ~= "number" and name ~= "n" then
            wrong("it returned a table with the key %q; it returns a text, a number, a list of them, ls.json, or nil for no key", tostring(name))
        end
    end
    return (json.encode_list(key))
end

local function send_key(i, key)
    if key == nil then
        if C.ls_row_send_key(at.batch, i, nil, 0) ~= 0 then refused() end
        return
    end
    local text
    if type(key) == "table" then text = text_of_table(key) else text = text_of(key) end
    if not text then wrong("it returned a %s; it returns a text, a number, a list of them, ls.json, or nil for no key", kind_of(key)) end
    if C.ls_row_send_key(at.batch, i, text, #text) ~= 0 then refused() end
end

local function send_headers(i, headers)
    if headers == nil then return end
    if type(headers) ~= "table" then wrong("it returned a %s; it returns a table of texts by name, or nil", type(headers)) end
    for name, value in pairs(headers) do
        if type(name) ~= "string" then wrong("it returned a table with the key %s; headers are texts by name", tostring(name)) end
        local text = type(value) ~= "table" and text_of(value)
        if not text and value ~= values.null then wrong("the header %q is a %s; it is a text or a number, or ls.null", name, kind_of(value)) end
        if C.ls_row_send_header(at.batch, i, name, #name, text or nil, text and #text or 0) ~= 0 then refused() end
    end
end

function send.drop(i)
    local c = at.batch.changes[i]
    c.flags = bor(c.flags, DROPPED)
end

function send.message(i, message)
    if message == false then return (send.drop(i)) end
    local text = message
    if type(message) == "table" and getmetatable(message) == values.json_meta then text = message.text end
    if message == values.null then
        if C.ls_row_send_message(at.batch, i, nil, 0) ~= 0 then refused() end
        return
    end
    if type(text) ~= "string" then
        wrong("it returned %s; it returns the message as a text or ls.json, ls.null for one without a value, or false for none",
            message == nil and "nothing" or "a " .. kind_of(message))
    end
    if C.ls_row_send_message(at.batch, i, text, #text) ~= 0 then refused() end
end

-- The columns whose values part an update's halves, where `key` names columns.
local function key_differs(i, key)
    local schema = at.batch.changes[i].schema
    for k = 1, #key do
        local col = row.column(schema, key[k])
        if col and C.ls_row_differs(at.batch, i, col) ~= 0 then return true end
    end
    return false
end

-- A function(view, i, halved) that asks the functions of a set where its row belongs, and what it is; nil: it has none. halved: an
-- update may be split.
function send.sender_of(set)
    local topic, key, headers, format = set.topic_function, set.key_function, set.headers_function, set.format_function
    local split, columns = set.moves == "split", set.own_key and set.key
    if not (topic or key or headers or format or split and columns) then return nil end
    local function place(view, i)
        if topic then
            at.hook = TOPIC
            send_topics(i, topic(view))
        end
        if key then
            at.hook = KEY
            send_key(i, key(view))
        end
    end
    local function dress(view, i)
        if headers then
            at.hook = HEADERS
            send_headers(i, headers(view))
        end
        if format then
            at.hook = FORMAT
            send.message(i, format(view))
        end
    end
    local function sender(view, i, halved)
        at.batch.frozen = 1
        if halved and at.batch.changes[i].action == UPDATE then
            C.ls_row_look(at.batch, i, BEFORE)
            place(view, i)
            C.ls_row_look(at.batch, i, AFTER)
            place(view, i)
            C.ls_row_look(at.batch, i, WHOLE)
            at.hook = MOVES
            if C.ls_row_parted(at.batch, i) ~= 0 or columns and key_differs(i, columns) then
                local other = C.ls_row_split(at.batch, i)
                if other < 0 then refused() end
                at.batch.frozen = 1
                dress(new_row(other, at.run), other)
            end
        else
            place(view, i)
        end
        at.batch.frozen = 1
        dress(view, i)
        at.batch.frozen = 0
    end
    return sender
end

-- What filter says of an update's halves: a row that comes in is an insert, one that leaves is a delete.
function send.filter_halves(filter, view, i)
    C.ls_row_look(at.batch, i, BEFORE)
    local was = filter(view)
    C.ls_row_look(at.batch, i, AFTER)
    local is = filter(view)
    C.ls_row_look(at.batch, i, WHOLE)
    if was ~= nil and was ~= true and was ~= false then send.wrong_answer(was) end
    if is ~= nil and is ~= true and is ~= false then send.wrong_answer(is) end
    if was == false and is == false then return false end
    at.hook = MOVES
    if was == false and C.ls_row_set_action(at.batch, i, INSERT) ~= 0 then refused() end
    if is == false and C.ls_row_set_action(at.batch, i, DELETE) ~= 0 then refused() end
end

return send
