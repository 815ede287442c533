-- cases.lua - the cases of `list_sync test`: reads their file, gives engine/script/cases.c its tables and rows, and says where what a stage
-- made of the rows is not what is wanted. It runs in a Lua state of its own: the script's hooks are in another one.
local ffi = require "list_sync.ffi"
local check = require "list_sync.check"
local json = require "list_sync.json"
local place = require "list_sync.place"
local row = require "list_sync.row"
local source = require "list_sync.source"
local text = require "list_sync.cases_text"
local values = require "list_sync.values"

require("jit").off(true, true) -- runs a few times: not worth a trace

local C = ffi.C
local at, absent = row.at, row.absent

local cases = {
    reading = false, -- a file of cases is being evaluated
    path = "",
    tables = {}, -- { schema, table, columns = { { name, type, not null } ... }, key = { numbers from 0 } }: an earlier one of a name counts up to the next
    list = {},   -- { name, stage, line, lines, call, give = { rows }, want = { rows } or nil, error = text or nil }
}

local TYPES = {}
for _, name in ipairs { "string", "boolean", "integer", "float", "decimal", "bytes", "date", "time", "datetime", "timestamp", "timetz", "interval",
                        "json", "uuid", "bits", "array", "set", "geometry", "vector", "unknown" } do
    TYPES[#TYPES + 1] = name
    TYPES[name] = C["LS_TYPE_" .. name:upper()]
end

local is_absent = text.is_absent
local function is_null(v) return v == nil or v == values.null end

-- ---- what stands in the file ----

local function suggestion(word, names)
    local near = check.nearest(word, names)
    return near and ("did you mean %q?"):format(near) or ("there are " .. table.concat(names, ", "))
end

local function called(name, given)
    local path, line = place.user()
    if not cases.reading then
        place.fail("ls.%s stands in a script: it belongs into a file of cases, as orders.cases.lua beside orders.lua, which `list_sync test` reads", name)
    end
    if type(given) ~= "table" then place.fail("ls.%s takes a table: ls.%s { ... }", name, name) end
    local found = path and source.call(source.read(path) or "", line, name)
    return { path = path, line = line, lines = found and found.lines or {} }
end

local function fail(call, key, what, ...)
    if select("#", ...) > 0 then what = what:format(...) end
    place.raise(call.path, call.lines[key] or call.line, what)
end

local function check_keys(call, key, title, given, known)
    for name in pairs(given) do
        local is_known = false
        for _, k in ipairs(known) do is_known = is_known or k == name end
        if not is_known then
            fail(call, call.lines[name] and name or key, "%s has %s, not %s; %s", title, table.concat(known, ", "), tostring(name), suggestion(tostring(name), known))
        end
    end
end

-- "public.orders": its parts; a backslash makes the next character literal.
local function split(name)
    local parts, part, from = {}, "", 1
    while from <= #name do
        local c = name:sub(from, from)
        if c == "\\" then
            part, from = part .. name:sub(from + 1, from + 1), from + 2
        elseif c == "." and #parts == 0 then
            parts[1], part, from = part, "", from + 1
        else
            part, from = part .. c, from + 1
        end
    end
    if #parts == 0 or parts[1] == "" or part == "" then return nil end
    return parts[1], part
end

local function find_table(schema, name)
    for i = #cases.tables, 1, -1 do
        if cases.tables[i].schema == schema and cases.tables[i].table == name then return i end
    end
end

local function take_column(call, t, i, column)
    local well_written = type(column) == "table" and type(column[1]) == "string" and type(column[2]) == "string"
    for key in pairs(well_written and column or {}) do well_written = well_written and (key == 1 or key == 2 or key == "key" or key == "null") end
    if not well_written then
        fail(call, nil, 'ls.table: column %d of %s.%s is written { "name", "type" }, with key = 1 where it is the key, and null = false where it is NOT NULL', i, t.schema, t.table)
    end
    local name, kind, key = column[1], column[2], column.key
    local type_number = TYPES[kind]
    if not type_number then
        fail(call, nil, "ls.table: column %q of %s.%s has the type %q; %s", name, t.schema, t.table, kind, suggestion(kind, TYPES))
    end
    if t.at[name] then fail(call, nil, "ls.table: %s.%s has two columns %q", t.schema, t.table, name) end
    if key ~= nil and (type(key) ~= "number" or key < 1 or key ~= math.floor(key) or t.key[key]) then
        fail(call, nil, "ls.table: column %q: key is the column's place in the key, 1 or, of several columns, 1, 2 ..., each once", name)
    end
    if column.null ~= nil and type(column.null) ~= "boolean" then fail(call, nil, "ls.table: column %q: null is true or false: may it be NULL?", name) end
    t.columns[i], t.at[name] = { name, type_number, column.null == false }, i
    if key then t.key[key] = i - 1 end
end

-- A table's columns, in its order: ls.table { "public.orders", { "id", "integer", key = 1 }, { "total", "decimal" } }
function cases.table(given)
    local call = called("table", given)
    local schema, name
    if type(given[1]) == "string" then schema, name = split(given[1]) end
    if not schema then fail(call, nil, 'ls.table begins with the table\'s name: ls.table { "public.orders", { "id", "integer", key = 1 }, ... }') end
    local t = { schema = schema, table = name, columns = {}, key = {}, at = {}, names = {} }
    for key in pairs(given) do
        if type(key) ~= "number" then fail(call, key, "ls.table takes a name and columns, and has %s = ...", tostring(key)) end
    end
    for i = 2, #given do take_column(call, t, i - 1, given[i]) end
    if #t.columns == 0 then fail(call, nil, "ls.table: %s.%s has no column", schema, name) end
    for i, column in ipairs(t.columns) do t.names[i] = column[1] end
    local count = 0
    for _ in pairs(t.key) do count = count + 1 end
    if count ~= #t.key then fail(call, nil, "ls.table: %s.%s: the places of its key's columns leave one out: they are 1, 2 ...", schema, name) end
    cases.tables[#cases.tables + 1] = t
end

-- The table that a row names, or the one that there is.
local function table_of(call, key, given)
    local name = given.table
    if name == nil then
        local last = cases.tables[#cases.tables]
        for _, t in ipairs(cases.tables) do
            if t.schema ~= last.schema or t.table ~= last.table then fail(call, key, "%s names no table, and there are several: add table = \"%s.%s\"", key, t.schema, t.table) end
        end
        if not last then fail(call, key, "no table is declared: ls.table { \"public.orders\", { \"id\", \"integer\", key = 1 }, ... } goes before the cases") end
        return #cases.tables
    end
    local schema, table_name
    if type(name) == "string" then schema, table_name = split(name) end
    local found = schema and find_table(schema, table_name)
    if found then return found end
    local known = {}
    for i, t in ipairs(cases.tables) do known[i] = t.schema .. "." .. t.table end
    fail(call, key, "%s: no table %s is declared by ls.table before it; %s", key, text.shown(name), #known > 0 and suggestion(tostring(name), known) or "none is")
end

local function check_image(call, t, part, image)
    if image == nil then return end
    if type(image) ~= "table" then fail(call, "give", "give.%s is a table of the columns' values, not a %s", part, type(image)) end
    for name in pairs(image) do
        if not t.at[name] then
            fail(call, "give", "give.%s: table %s.%s has no column %s; %s", part, t.schema, t.table, text.shown(name), suggestion(tostring(name), t.names))
        end
    end
end

local function check_whole_key(call, t, part, image)
    for _, k in ipairs(t.key) do
        local name = t.columns[k + 1][1]
        if is_null(image[name]) or is_absent(image[name]) then fail(call, "give", "give.%s has no value of the key's column %q", part, name) end
    end
end

local function check_whole(call, part, given, least, most)
    local is = given == nil or type(given) == "number" and given >= least and given <= most and given % 1 == 0
    if not is then fail(call, "give", "give.%s is a whole number from %.0f to %.0f", part, least, most) end
end

local GIVEN = { "action", "table", "new", "old", "moved_from", "moved_to", "source", "topic", "partition" }
local SOURCE = { "pos", "seq", "tx", "ts" }

local function take_given(call, given)
    if type(given) ~= "table" then fail(call, "give", "give is a row, such as { new = { id = 7 } }, or a list of rows") end
    check_keys(call, "give", "a row of give", given, GIVEN)
    local index = table_of(call, "give", given)
    local t, action = cases.tables[index], given.action or (given.new and (given.old and "U" or "I") or "D")
    local needs = ({ I = "new", U = "new", D = "old" })[action]
    if not needs then fail(call, "give", 'give.action is "I", "U" or "D", not %s: hooks see no others', text.shown(action)) end
    if given[needs] == nil then fail(call, "give", "give has no `%s`, which a row of action %s has", needs, action) end
    if action == "I" and given.old or action == "D" and given.new then fail(call, "give", "give.%s: a row of action %s has none", action == "I" and "old" or "new", action) end
    local moved = action == "I" and "moved_from" or action == "D" and "moved_to" or nil
    for _, part in ipairs { "new", "old", "moved_from", "moved_to" } do check_image(call, t, part, given[part]) end
    for _, part in ipairs { "moved_from", "moved_to" } do
        if given[part] and part ~= moved then fail(call, "give", "give.%s: a row of action %s has none; an update of the key has another key in old than in new", part, action) end
    end
    check_whole_key(call, t, needs, given[needs])
    if moved and given[moved] then check_whole_key(call, t, moved, given[moved]) end
    local from = given.source or {}
    if type(from) ~= "table" then fail(call, "give", "give.source is a table of pos, seq, tx and ts") end
    check_keys(call, "give", "give.source", from, SOURCE)
    for part, most in pairs { pos = 39, tx = 95 } do
        if from[part] ~= nil and (type(from[part]) ~= "string" or #from[part] > most) then fail(call, "give", "give.source.%s is a text of no more than %d bytes", part, most) end
    end
    check_whole(call, "source.seq", from.seq, 0, 2 ^ 53)
    check_whole(call, "source.ts", from.ts, -2 ^ 53, 2 ^ 53)
    if given.topic ~= nil and type(given.topic) ~= "string" then fail(call, "give", "give.topic is a text") end
    check_whole(call, "partition", given.partition, 0, 2 ^ 31 - 1)
    return { table = index, action = action, new = given.new, old = given.old, moved = moved and given[moved], pos = from.pos, seq = from.seq, tx = from.tx,
             ts = from.ts, topic = given.topic, partition = given.partition }
end

local function as_list(given)
    if type(given) ~= "table" or given[1] ~= nil or next(given) == nil then return given end
    return { given }
end

local WANTED = { "action", "table", "new", "old", "moved_from", "moved_to", "topic", "key", "headers", "message" }

local function check_wanted(call, wanted)
    if type(wanted) ~= "table" then fail(call, "want", "want is the row that is sent, or a list of them; {} where none is") end
    for i, r in ipairs(wanted) do
        if type(r) ~= "table" then fail(call, "want", "want: row %d is a %s, and not a table", i, type(r)) end
        check_keys(call, "want", "a row of want", r, WANTED)
        for _, part in ipairs { "new", "old", "moved_from", "moved_to" } do
            if r[part] ~= nil and type(r[part]) ~= "table" then fail(call, "want", "want.%s is a table of the columns' values, not a %s", part, type(r[part])) end
        end
        if r.table ~= nil and (type(r.table) ~= "string" or not split(r.table)) then fail(call, "want", 'want.table is written "schema.table"') end
        if r.key ~= nil and type(r.key) ~= "string" and r.key ~= values.null then fail(call, "want", "want.key is the key's text, or ls.null for none") end
        if r.topic ~= nil and type(r.topic) ~= "string" and type(r.topic) ~= "table" then fail(call, "want", "want.topic is the topic's name, or a list of names") end
        if r.headers ~= nil and type(r.headers) ~= "table" then fail(call, "want", "want.headers is a table of the headers' values") end
        if r.message ~= nil and type(r.message) ~= "string" and type(r.message) ~= "table" then fail(call, "want", "want.message is its JSON text, or a table") end
    end
end

local FIELDS = { "name", "stage", "give", "want", "error" }

-- A case: rows that a stage's hooks are given, and the rows that are wanted of them.
function cases.case(given)
    local call = called("case", given)
    check_keys(call, nil, "ls.case", given, FIELDS)
    if type(given.name) ~= "string" or given.name == "" then fail(call, "name", 'ls.case has no name: add name = "what it shows"') end
    if given.stage ~= nil and type(given.stage) ~= "string" then fail(call, "stage", "stage is the name of a connector or consumer") end
    if given.give == nil then fail(call, "name", "case %q gives no row: add give = { new = { ... } }", given.name) end
    if given.error ~= nil and (type(given.error) ~= "string" or given.error == "") then fail(call, "error", "error is a text that the error must have in it") end
    if given.want ~= nil and given.error ~= nil then fail(call, "error", "case %q wants rows and an error: take one of them out", given.name) end
    local case = { name = given.name, stage = given.stage, path = call.path, line = call.lines.name or call.line, call_line = call.line, lines = call.lines,
                   error = given.error, give = {} }
    local give = as_list(given.give)
    if type(give) ~= "table" or #give == 0 then fail(call, "give", "give is a row, such as { new = { id = 7 } }, or a list of rows") end
    for i, r in ipairs(give) do case.give[i] = take_given(call, r) end
    case.want = as_list(given.want)
    if case.want then check_wanted(call, case.want) end
    cases.list[#cases.list + 1] = case
end

-- Evaluates the file; errors are texts, complete.
function cases.evaluate(path)
    cases.path = path
    local ok, why = xpcall(function()
        local chunk, bad = loadfile(path)
        if not chunk then
            local line, what = bad:match "^.-:(%d+): (.*)$" -- Lua shortens a long path
            place.raise(line and path, tonumber(line), what or "cannot read the cases: " .. bad)
        end
        local folder = path:match "^(.*/)[^/]*$" or "./"
        package.path = folder .. "?.lua;" .. folder .. "?/init.lua;" .. package.path
        cases.reading = true
        chunk()
        if #cases.list == 0 and #cases.tables == 0 then place.raise(path, nil, "there is no case in it: ls.case { name = ..., give = ..., want = ... }") end
    end, place.handler)
    cases.reading = false
    if not ok then error(why, 0) end
end

-- ---- the rows that are given ----

local JSON_KINDS = { [C.LS_TYPE_ARRAY] = true, [C.LS_TYPE_SET] = true, [C.LS_TYPE_GEOMETRY] = true, [C.LS_TYPE_VECTOR] = true }

local function put(index, after, col, value, name, column_type)
    local rc
    if is_null(value) then
        rc = C.ls_row_set_null(at.batch, index, after, col)
    elseif type(value) == "string" and JSON_KINDS[column_type] then -- its JSON text, as messages have it
        rc = C.ls_row_set_json(at.batch, index, after, col, value, #value)
    else
        rc = row.put(index, after, col, value, name)
    end
    if rc ~= 0 then error(ffi.string(C.ls_row_error(at.batch)), 0) end
end

-- Writes a case's row r into the change `index`: "new" into the row after, "old" or "moved" into the row before.
-- whole: what is left out is NULL.
function cases.fill(i, r, index, part, whole)
    local case = cases.list[i]
    local given = case.give[r]
    local image, after = given[part], part == "new" and 1 or 0
    for k, column in ipairs(cases.tables[given.table].columns) do
        local v = image[column[1]]
        if not is_absent(v) and (v ~= nil or after == 1 or whole) then
            local ok, why = pcall(put, index, after, k - 1, v, column[1], column[2])
            if not ok then place.raise(case.path, case.lines.give or case.line, ("give.%s: %s"):format(part, why)) end
        end
    end
end

-- ---- what became of them ----

local function is_array(v) return getmetatable(v) == values.array_meta or #v > 0 end

local same_json

-- n is an array's length, and of an object a member like others.
local function same_array(got, wanted, strict)
    local n = wanted.n or #wanted
    if (got.n or #got) ~= n then return false end
    for i = 1, n do
        if not same_json(got[i], wanted[i], strict) then return false end
    end
    for k in pairs(wanted) do
        if type(k) ~= "number" and k ~= "n" then return false end
    end
    return true
end

local function same_object(got, wanted, strict)
    for k, v in pairs(wanted) do
        if got[k] == nil or not same_json(got[k], v, strict) then return false end
    end
    for k in pairs(got) do
        if wanted[k] == nil then return false end
    end
    return true
end

-- Is a document's value the wanted one? strict: both were read from JSON; else {} may want an object or an array.
function same_json(got, wanted, strict)
    if type(got) == "table" and type(wanted) == "table" then
        if not strict and next(wanted) == nil then return next(got) == nil or got.n == 0 and is_array(got) end
        if is_array(got) ~= is_array(wanted) then return false end
        return (is_array(got) and same_array or same_object)(got, wanted, strict)
    end
    if is_null(got) or is_null(wanted) then return is_null(got) and is_null(wanted) end
    return got == wanted
end

-- The same of a document's text; one that Lua cannot hold, as a number beyond 64 bits, is none.
local function same_document(got, wanted, strict)
    local ok, value = pcall(json.decode, got)
    return ok and value ~= nil and same_json(value, wanted, strict)
end

-- Is a column's value the wanted one?
local function same(got, wanted)
    if is_absent(got) or is_absent(wanted) then return is_absent(got) and is_absent(wanted) end
    if is_null(wanted) or got == nil then return got == nil and is_null(wanted) end
    local meta = type(wanted) == "table" and getmetatable(wanted)
    if meta == values.decimal_meta then return got == wanted.text end
    if meta == values.json_meta then return type(got) == "string" and same_document(got, json.decode(wanted.text), true) end
    if meta == values.bytes_meta then return got == text.base64(wanted.bytes) end
    if type(wanted) == "table" then return type(got) == "table" and same_array(got, wanted) end
    if wanted ~= wanted then return got ~= got end
    return got == wanted
end

-- What is different between an image and the wanted one; of columns that are not wanted those with a value.
local function compare_image(say, got, wanted, part)
    if not got then
        say("%s: wanted a row %s, and it has none", part, part == "new" and "after" or "before")
        return
    end
    local there = {}
    for _, v in ipairs(got) do
        there[v.name] = true
        local want = wanted[v.name]
        local is_wanted = want ~= nil or not is_absent(v.value)
        if is_wanted and not same(v.value, want) and not (type(want) == "string" and want == v.json) then
            say("%scolumn %s: wanted %s, got %s", part == "new" and "" or part .. " ", v.name, text.shown(want), text.shown(v.value, v))
        end
    end
    for name, want in pairs(wanted) do
        if not there[name] and not is_absent(want) then
            say("%scolumn %s: wanted %s, and there is no such column", part == "new" and "" or part .. " ", tostring(name), text.shown(want))
        end
    end
end

-- What differs in where and how a connector sends the row.
local function compare_sent(say, sent, wanted)
    local message = wanted.message
    if wanted.topic == nil and wanted.key == nil and wanted.headers == nil and message == nil then return end
    if not sent then
        say("a consumer's row has no topic to go to, key, headers or message: take them out of want")
        return
    end
    local topics, headers = text.topics(sent), text.headers(sent)
    local topic = type(wanted.topic) == "table" and #wanted.topic == 1 and wanted.topic[1] or wanted.topic
    if topic ~= nil and not same_json(topics, topic) then say("topic: wanted %s, got %s", json.encode(wanted.topic), json.encode(topics)) end
    if wanted.key ~= nil and not same(sent.key, wanted.key) then say("key: wanted %s, got %s", text.shown(wanted.key), text.shown(sent.key)) end
    if wanted.headers and not same_json(headers, wanted.headers) then say("headers: wanted %s, got %s", json.encode(wanted.headers), json.encode(headers)) end
    local is_same = message == nil or message == sent.message or type(message) == "table" and same_document(sent.message, message)
    if not is_same then say("message: wanted %s, got %s", type(message) == "table" and json.encode(message) or message, sent.message) end
end

-- The table that the row k of what is wanted need not name.
function cases.table_of_row(case, k) return cases.tables[case.give[math.min(k, #case.give)].table] end

local function compare_row(say, got, wanted, given)
    local schema, name = given.schema, given.table
    if wanted.table then schema, name = split(wanted.table) end
    if wanted.action and wanted.action ~= got.action then say("action: wanted %s, got %s", text.shown(wanted.action), text.shown(got.action)) end
    if schema ~= got.schema or name ~= got.table then say("table: wanted %s, got %s", text.table_name(schema, name), text.table_name(got.schema, got.table)) end
    for _, part in ipairs { "new", "old", "moved_from", "moved_to" } do
        if wanted[part] then compare_image(say, got[part], wanted[part], part) end
    end
    compare_sent(say, got.sent, wanted)
end

local function counted(n) return n == 0 and "no row" or n == 1 and "1 row" or n .. " rows" end

-- What differs, a line each; "" where nothing does. places: where the stage's hooks are; messages: as text.rows_sent() takes them.
function cases.compare(i, places, messages)
    local case, out = cases.list[i], {}
    local got = text.rows_sent(messages)
    local number
    local function say(what, ...)
        local line = case.lines[case.error and "error" or "want"] or case.line
        out[#out + 1] = ("%s:%d: case %s: %s%s%s"):format(case.path, line, text.quoted(case.name), number and ("row %d: "):format(number) or "", what:format(...),
            places ~= "" and (" (%s)"):format(places) or "")
    end
    case.got = got
    if case.error then
        say("wanted an error with %s, got %s", text.quoted(case.error), counted(#got))
    elseif not case.want then
        say("it wants nothing: `list_sync test --update` writes what it got, %s", counted(#got))
    elseif #got ~= #case.want then
        say("wanted %s, got %s%s", counted(#case.want), counted(#got), #got > 0 and ": " .. text.row_text(got[1]) or "")
    else
        for k, wanted in ipairs(case.want) do
            number = #got > 1 and k or nil
            compare_row(say, got[k], wanted, cases.table_of_row(case, k))
        end
    end
    return table.concat(out, "\n")
end

-- The stage raised an error: the same.
function cases.raised(i, why)
    local case = cases.list[i]
    if case.error and why:find(case.error, 1, true) then return "" end
    local front = ("%s:%d: case %s: "):format(case.path, case.lines[case.error and "error" or "want"] or case.line, text.quoted(case.name))
    if case.error then return ("%swanted an error with %s, got: %s"):format(front, text.quoted(case.error), why) end
    return front .. why
end

-- Writes what the cases of these numbers got into the file, in the place of what they want; how many there are. Errors: the file is as it was.
function cases.update(numbers)
    local edits = {}
    for _, i in ipairs(numbers) do
        local case = cases.list[i]
        if case.got and not case.error then edits[#edits + 1] = case end
    end
    for _, case in ipairs(edits) do
        for _, other in ipairs(cases.list) do
            if other ~= case and other.path == case.path and other.call_line == case.call_line then
                place.raise(case.path, case.line, ("case %q: its call makes several cases, so that none of them is written anew; nothing is changed"):format(case.name))
            end
        end
    end
    text.update(edits, cases.table_of_row)
    return #edits
end

return cases
