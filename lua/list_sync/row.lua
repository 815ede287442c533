-- row.lua - a row as a hook sees it: cdata that names a change of the batch at hand, and reads and writes it in place.
-- Everything here is on the hot path: it compiles, allocates nothing that outlives a row, and makes a Lua string only of a
-- column that a hook reads. Calls are put in parentheses where they would be tail calls: a trace takes only 15 of those.
local ffi = require "list_sync.ffi"
local json = require "list_sync.json"
local made = require "list_sync.values"

local C, cast = ffi.C, ffi.cast
local text_of, tonumber, type = ffi.string, tonumber, type

local at = cast("ls_hook_place *", require "list_sync.place_of_hooks") -- C's, and valid as long as this lua_State

local PRESENT, NULL, UNCHANGED = C.LS_PRESENT, C.LS_NULL, C.LS_UNCHANGED
local TEXT, INT, BOOL, BYTES, JSON = C.LS_KIND_TEXT, C.LS_KIND_INT, C.LS_KIND_BOOL, C.LS_KIND_BYTES, C.LS_KIND_JSON
local INTEGER, FLOAT, DECIMAL = C.LS_TYPE_INTEGER, C.LS_TYPE_FLOAT, C.LS_TYPE_DECIMAL
local WHOLE_MAX = 2 ^ 53            -- whole numbers up to here are exact in a Lua number
local SCHEMAS_MAX = 4096            -- schemas whose column names are remembered
local INSERT, UPDATE, DELETE = 73, 85, 68
local ACTIONS = { [INSERT] = "I", [UPDATE] = "U", [DELETE] = "D", [84] = "T", [88] = "X", [82] = "R" } -- a writer gets all of them
local ACTION_BYTES = { I = INSERT, U = UPDATE, D = DELETE }

-- The fields' names are no UTF-8, so that no column and no typing error meets them.
local INDEX, RUN, AFTER = "\255index", "\255run", "\255after"
local row_type = ffi.typeof("struct { uint32_t " .. INDEX .. ", " .. RUN .. "; }")
local image_type = ffi.typeof("struct { uint32_t " .. INDEX .. ", " .. RUN .. "; int32_t " .. AFTER .. "; }")
local source_type = ffi.typeof("struct { uint32_t " .. INDEX .. ", " .. RUN .. "; int32_t source; }")
local absent_type = ffi.typeof "struct { int32_t absent; }"
local int64, uint64 = ffi.typeof "int64_t", ffi.typeof "uint64_t"
local number = ffi.new "ls_number"
local text_at, text_len = ffi.new "const char *[1]", ffi.new "size_t[1]"
local moment, rounded = ffi.new "int64_t[1]", ffi.new "double[1]"
local ARRAY_OPENS = 91 -- [
local new_row, new_image, new_source, absent

local function raise(text, ...) error(select("#", ...) > 0 and text:format(...) or text, 0) end

-- ---- what was not sent ----

local last_absent -- the column that was read last of those that were absent

local function raise_absent(name)
    last_absent = name
    raise("column %q was not sent with this image, so it has no value to work with. A row before holds its key only; a large "
        .. "value that an update leaves alone is sent by PostgreSQL after ALTER TABLE ... REPLICA IDENTITY FULL, by MySQL and "
        .. "MariaDB with binlog_row_image=FULL. Test with row:has(%q), or compare with ls.absent", name, name)
end

local function used_absent() raise_absent(last_absent or "?") end

local absent_meta = {}
for _, event in ipairs { "add", "sub", "mul", "div", "mod", "pow", "unm", "concat", "len", "lt", "le", "index", "newindex", "call",
                         "tostring", "pairs", "ipairs" } do
    absent_meta["__" .. event] = used_absent
end
absent = ffi.metatype(absent_type, absent_meta)()

-- ---- columns ----

local schemas, remembered = {}, 0 -- by id: { at = { name = number }, names = { in order } }

local function learn(s)
    if remembered == SCHEMAS_MAX then
        for id in pairs(schemas) do schemas[id] = nil end
        remembered = 0
    end
    local known = { at = {}, names = {} }
    for i = 0, s.ncols - 1 do
        local name = text_of(s.cols[i].name, s.cols[i].name_len)
        known.names[i + 1], known.at[name] = name, i
    end
    schemas[s.id] = known
    remembered = remembered + 1
    return known
end

local function columns_of(s) return schemas[s.id] or learn(s) end

local function stale()
    raise "this row's hook has returned: a row is kept with row:copy()"
end

-- The change behind a row or image, which must be the one that the hook at work was given, or a clone of it.
local function change_of(view)
    local index = view[INDEX]
    if (index ~= at.index and index < at.clones) or view[RUN] ~= at.run then stale() end
    return at.batch.changes[index]
end

local function raise_unknown(s, name)
    local table_name = ("%s.%s"):format(text_of(s.schema, s.schema_len), text_of(s.table, s.table_len))
    if type(name) ~= "string" then raise("a column of %s is named by a text, not by a %s", table_name, type(name)) end
    local names = columns_of(s).names
    local found = C.ls_nearest(name, ffi.new("const char *[?]", #names, names), #names)
    raise("%s has no column %q; %s", table_name, name, found ~= nil and ("did you mean %q?"):format(text_of(found))
        or "it has " .. table.concat(names, ", "))
end

-- A consumer knows of a table what its messages name. Of a delete that has come before any other row that is the key: what else the table
-- has was not sent.
local function knows_key_only(c) return c.origin ~= nil and c.after == nil and c.before ~= nil and c.schema.nkey == c.schema.ncols end

local function values_of(view, c)
    if view[AFTER] == 1 then
        if c.after == nil then raise "row.action was changed: there is no row after any more" end
        return c.after
    end
    if c.before == nil then raise "row.action was changed: there is no row before any more" end
    return c.before
end

local function text_of_value(v)
    if C.ls_row_text(at.batch, v, text_at, text_len) ~= 0 then raise "out of memory" end
    return (text_of(text_at[0], text_len[0]))
end

local function number_of(v, column_type)
    local kind = C.ls_row_number(at.batch, v, column_type, number)
    if kind == 1 then return number.d end
    if kind == 2 then return number.i end
    if kind == 3 then return number.u end
    raise("%s cannot be read as a number; row:text gives its text", text_of_value(v))
end

local function read(v, column_type, name)
    if v.state ~= PRESENT then
        if v.state == NULL then return nil end
        last_absent = name
        return absent
    end
    local kind = v.kind
    if kind == TEXT then
        if column_type ~= INTEGER and column_type ~= FLOAT then return (text_of(v.as.p, v.len)) end
    elseif kind == INT then
        local i = v.as.i
        if column_type ~= DECIMAL and i <= WHOLE_MAX and i >= -WHOLE_MAX then return (tonumber(i)) end
    elseif kind == BOOL then
        return v.as.i ~= 0
    end
    if kind == JSON and v.len > 0 and v.as.p[0] == ARRAY_OPENS then return (json.decode_array(text_of(v.as.p, v.len))) end
    if kind == BYTES or kind == JSON or column_type == DECIMAL then return (text_of_value(v)) end
    return (number_of(v, column_type))
end

local function image_index(image, name)
    local c = change_of(image)
    local s = c.schema
    local col = columns_of(s).at[name]
    if col == nil then
        if not knows_key_only(c) or type(name) ~= "string" then raise_unknown(s, name) end
        last_absent = name
        return absent
    end
    return (read(values_of(image, c)[col], s.cols[col].type, name))
end

-- ---- writing ----

local function refused() raise("%s", text_of(C.ls_row_error(at.batch))) end

local function type_for(value)
    local kind = type(value)
    if kind == "number" then return C.LS_TYPE_FLOAT end -- one type for a column, whether its values are whole or not
    if kind == "boolean" then return C.LS_TYPE_BOOLEAN end
    if kind == "cdata" then return INTEGER end
    if kind == "table" then
        local meta = getmetatable(value)
        return meta == made.decimal_meta and DECIMAL or meta == made.bytes_meta and C.LS_TYPE_BYTES or meta == made.json_meta and C.LS_TYPE_JSON
            or C.LS_TYPE_ARRAY
    end
    return value == nil and C.LS_TYPE_UNKNOWN or C.LS_TYPE_STRING
end

local function put_made(index, after, col, value, name)
    local b, meta = at.batch, getmetatable(value)
    if meta == made.decimal_meta then return (C.ls_row_set_text(b, index, after, col, value.text, #value.text)) end
    if meta == made.bytes_meta then return (C.ls_row_set_bytes(b, index, after, col, value.bytes, #value.bytes)) end
    if meta == made.json_meta then return (C.ls_row_set_json(b, index, after, col, value.text, #value.text)) end
    if meta == made.array_meta then
        local ok, text = pcall(json.encode, value)
        if not ok then raise("column %q: %s", name, text) end
        return (C.ls_row_set_json(b, index, after, col, text, #text))
    end
    raise("column %q takes a text, a number, a boolean or nil, not a table: ls.array{...} makes an array of one, ls.json(...) a document", name)
end

local function put(index, after, col, value, name)
    local b, kind = at.batch, type(value)
    if kind == "string" then return (C.ls_row_set_text(b, index, after, col, value, #value)) end
    if kind == "number" then return (C.ls_row_set_number(b, index, after, col, value)) end
    if kind == "boolean" then return (C.ls_row_set_bool(b, index, after, col, value and 1 or 0)) end
    if ffi.istype(int64, value) then return (C.ls_row_set_int(b, index, after, col, value)) end
    if ffi.istype(uint64, value) then return (C.ls_row_set_uint(b, index, after, col, value)) end
    if kind == "table" then return (put_made(index, after, col, value, name)) end
    raise("column %q takes a text, a number, a boolean or nil, not a %s", name, kind)
end

local function image_newindex(image, name, value)
    local c = change_of(image)
    values_of(image, c)
    local col = columns_of(c.schema).at[name]
    if value ~= nil and type(value) == "cdata" and value == absent then
        raise("column %q cannot be set to ls.absent: nil writes NULL, row:drop(%q) takes the column out", name, name)
    end
    if col == nil then
        if type(name) ~= "string" then raise_unknown(c.schema, name) end
        col = C.ls_row_add(at.batch, image[INDEX], name, #name, type_for(value))
        if col < 0 then refused() end
    end
    local rc
    if value == nil then
        rc = C.ls_row_set_null(at.batch, image[INDEX], image[AFTER], col)
    else
        rc = put(image[INDEX], image[AFTER], col, value, name)
    end
    if rc ~= 0 then refused() end
end

-- ---- walking over the columns ----

-- The walk is over the columns that there were at its start, so that row:drop within it is fine.
local function next_column(walk, name)
    local image = walk.image
    local c = change_of(image)
    local values, now = values_of(image, c), columns_of(c.schema).at
    local i = name == nil and 0 or walk.columns.at[name] + 1
    while i < #walk.columns.names do
        i = i + 1
        local next_name = walk.columns.names[i]
        local col = now[next_name]
        if col and values[col].state <= NULL then return next_name, read(values[col], c.schema.cols[col].type, next_name) end
    end
    return nil
end

local function image_pairs(image)
    return next_column, { image = image, columns = columns_of(change_of(image).schema) }, nil
end

new_image = ffi.metatype(image_type, {
    __index = image_index, __newindex = image_newindex, __pairs = image_pairs,
    __tostring = function(image) return image[AFTER] == 1 and "row after" or "row before" end,
})

-- ---- row.source ----

local function known_text(p)
    local text = p ~= nil and text_of(p) or ""
    return text ~= "" and text or nil
end

local source_fields = {}
function source_fields.pos(c) return c.tx ~= nil and text_of(c.tx.pos) or nil end
function source_fields.tx(c) return c.tx ~= nil and text_of(c.tx.id) or nil end
function source_fields.ts(c) return c.tx ~= nil and tonumber(c.tx.ts) or nil end
function source_fields.seq(c) return (tonumber(c.seq)) end
function source_fields.sub(c) return c.sub end
function source_fields.connector(c) return (known_text(c.tx ~= nil and c.tx.connector or nil)) end

new_source = ffi.metatype(source_type, {
    __index = function(source, name)
        local field = source_fields[name]
        if field == nil then raise("row.source has no %q; it has pos, seq, tx, sub, ts and connector", tostring(name)) end
        return (field(change_of(source)))
    end,
    __newindex = function() raise "row.source is read-only" end,
    __tostring = function() return "row.source" end,
})

-- ---- the row ----

local fields, methods, writable = {}, {}, {}

function fields.action(c) return ACTIONS[c.action] end
function fields.schema(c) return (text_of(c.schema.schema, c.schema.schema_len)) end
function fields.table(c) return (text_of(c.schema.table, c.schema.table_len)) end
function fields.ts(c) return c.tx ~= nil and tonumber(c.tx.ts) or nil end
function fields.new(c, row) return c.after ~= nil and new_image(row[INDEX], row[RUN], 1) or nil end
function fields.old(c, row) return c.before ~= nil and new_image(row[INDEX], row[RUN], 0) or nil end
function fields.image(c, row)
    if c.after == nil and c.before == nil then return nil end
    return (new_image(row[INDEX], row[RUN], c.after ~= nil and 1 or 0))
end
function fields.source(_, row) return (new_source(row[INDEX], row[RUN], 0)) end
-- A consumer's: where the row's message stands.
function fields.topic(c) return c.origin ~= nil and text_of(c.origin.topic) or nil end
function fields.partition(c) return c.origin ~= nil and c.origin.partition or nil end
function fields.db(c) return (known_text(c.tx ~= nil and c.tx.db or nil)) end

local function image_value(row, name)
    local c = change_of(row)
    local col = columns_of(c.schema).at[name]
    if col == nil or (c.after == nil and c.before == nil) then return nil, c end
    return (c.after ~= nil and c.after or c.before)[col], c
end

-- A truncate is of a table whose columns may be known, and has no row.
local function raise_missing(c, name)
    if c.after == nil and c.before == nil then raise("a row whose action is %q has no columns to read", fields.action(c)) end
    if knows_key_only(c) and type(name) == "string" then raise_absent(name) end
    raise_unknown(c.schema, name)
end

function methods.has(row, name)
    local v = image_value(row, name)
    return v ~= nil and v.state <= NULL
end

function methods.text(row, name)
    local v, c = image_value(row, name)
    if v == nil then raise_missing(c, name) end
    if v.state == PRESENT then return (text_of_value(v)) end
    if v.state ~= NULL then raise_absent(name) end
    return nil
end

-- The value of row.image, which must be there; nil for NULL.
local function value_there(row, name)
    local v, c = image_value(row, name)
    if v == nil then raise_missing(c, name) end
    if v.state == PRESENT then return v, c.schema.cols[columns_of(c.schema).at[name]].type end
    if v.state ~= NULL then raise_absent(name) end
    return nil
end

function methods.number(row, name)
    local v, column_type = value_there(row, name)
    if v == nil then return nil end
    if column_type == INTEGER or column_type == FLOAT then
        if C.ls_row_number(at.batch, v, column_type, number) ~= 0 then return number.d end
    elseif C.ls_row_rounded(at.batch, v, rounded) == 1 then
        return rounded[0]
    end
    raise("column %q holds no number but %q", name, text_of_value(v))
end

function methods.time(row, name)
    local v = value_there(row, name)
    if v == nil then return nil end
    local kind = C.ls_row_time(at.batch, v, moment)
    if kind == 2 then return math.huge end
    if kind == 3 then return -math.huge end
    local us = moment[0]
    if kind == 1 then return us <= WHOLE_MAX and us >= -WHOLE_MAX and tonumber(us) or us end
    raise("column %q holds no point in time but %q; row:text gives its text", name, text_of_value(v))
end

function methods.json(row, name)
    local v, column_type = value_there(row, name)
    if v == nil then return nil end
    local value, why = json.decode(column_type == C.LS_TYPE_BYTES and methods.bytes(row, name) or text_of_value(v))
    if value == nil then raise("column %q: %s", name, why) end
    return value
end

function methods.bytes(row, name)
    local v = value_there(row, name)
    if v == nil then return nil end
    if C.ls_row_bytes(at.batch, v, text_at, text_len) == 1 then return (text_of(text_at[0], text_len[0])) end
    raise("column %q holds neither bytes nor base64: %q", name, text_of_value(v))
end

local function column_at(row, name)
    local c = change_of(row)
    local col = columns_of(c.schema).at[name]
    if col == nil then raise_unknown(c.schema, name) end
    return col, c
end

function methods.rename(row, name, to)
    local col = column_at(row, name)
    if type(to) ~= "string" then raise("row:rename takes two names: row:rename(%q, \"new name\")", name) end
    if C.ls_row_rename(at.batch, row[INDEX], col, to, #to) ~= 0 then refused() end
end

-- What a mask makes of a value; a text, when it is to stand in a column of another type.
local function masked(values, col, column_type, name, fn)
    if values == nil or values[col].state ~= PRESENT then return nil end
    local v = values[col]
    local value = fn(getmetatable(fn) == made.mask_meta and text_of_value(v) or read(v, column_type, name))
    if value == absent then raise("column %q: the mask gave ls.absent; nil writes NULL", name) end
    return value, true
end

local function write_masked(index, after, col, value, name)
    if (value == nil and C.ls_row_set_null(at.batch, index, after, col) or put(index, after, col, value, name)) ~= 0 then refused() end
end

local TEXT_TYPES = { [C.LS_TYPE_STRING] = true, [C.LS_TYPE_UNKNOWN] = true }

-- Writes what fn makes of the column's values, in both images and in the key that a moved row names. NULL stays NULL.
function methods.mask(row, name, fn)
    local col, c = column_at(row, name)
    if type(fn) ~= "function" and getmetatable(fn) ~= made.mask_meta then
        raise("row:mask takes a column and a function of its value: row:mask(%q, ls.hmac(key))", name)
    end
    local index, column_type, key_at = row[INDEX], c.schema.cols[col].type, c.schema.cols[col].key_at
    local row_after, row_before, key_moved = c.after, c.before, c.moved -- fn may clone the row, which moves c
    local after, has_after = masked(row_after, col, column_type, name, fn)
    local before, has_before = masked(row_before, col, column_type, name, fn)
    local moved, has_moved = nil, false
    if key_at > 0 and key_moved ~= nil then moved, has_moved = masked(key_moved, key_at - 1, column_type, name, fn) end
    if not TEXT_TYPES[column_type] and (type(after) == "string" or type(before) == "string" or type(moved) == "string") then
        if C.ls_row_retype(at.batch, index, col, C.LS_TYPE_STRING) ~= 0 then refused() end
    end
    if has_moved then -- written where the row's own value stands meanwhile
        if C.ls_row_swap_moved(at.batch, index, key_at - 1) ~= 0 then refused() end
        write_masked(index, has_after and 1 or 0, col, moved, name)
        if C.ls_row_swap_moved(at.batch, index, key_at - 1) ~= 0 then refused() end
    end
    if has_after then write_masked(index, 1, col, after, name) end
    if has_before then write_masked(index, 0, col, before, name) end
end

-- A row like this one, to be sent behind it; filter and map are not called for it.
function methods.clone(row)
    change_of(row)
    local index = C.ls_row_clone(at.batch, row[INDEX])
    if index < 0 then refused() end
    return new_row(index, row[RUN])
end

function methods.drop(row, name)
    local c = change_of(row)
    local col = columns_of(c.schema).at[name]
    if col == nil then raise_unknown(c.schema, name) end
    if C.ls_row_drop(at.batch, row[INDEX], col) ~= 0 then refused() end
end

local function copy_values(s, values)
    local out, names = {}, columns_of(s).names
    for i = 1, #names do out[names[i]] = read(values[i - 1], s.cols[i - 1].type, names[i]) end
    return out
end

function methods.copy(row)
    local c, source = change_of(row), source_fields
    local new = c.after ~= nil and copy_values(c.schema, c.after) or nil
    local old = c.before ~= nil and copy_values(c.schema, c.before) or nil
    return {
        action = fields.action(c), db = fields.db(c), schema = fields.schema(c), table = fields.table(c), ts = fields.ts(c),
        new = new, old = old, image = new or old,
        source = { pos = source.pos(c), seq = source.seq(c), tx = source.tx(c), sub = source.sub(c), ts = source.ts(c),
                   connector = source.connector(c) },
    }
end

function writable.action(row, value)
    local byte = ACTION_BYTES[value]
    if byte == nil then raise('row.action is "I", "U" or "D", not %s', tostring(value)) end
    if C.ls_row_set_action(at.batch, row[INDEX], byte) ~= 0 then refused() end
end

local function rename(row, schema, name)
    if type(schema) ~= "string" or type(name) ~= "string" then raise "row.schema and row.table take a text" end
    if C.ls_row_set_table(at.batch, row[INDEX], schema, #schema, name, #name) ~= 0 then refused() end
end

function writable.schema(row, value) rename(row, value, row.table) end
function writable.table(row, value) rename(row, row.schema, value) end

new_row = ffi.metatype(row_type, {
    __index = function(row, name)
        local method = methods[name]
        if method ~= nil then return method end
        local field = fields[name]
        if field ~= nil then return (field(change_of(row), row)) end
        raise("a row has no field %q: columns are read through row.new, row.old or row.image", tostring(name))
    end,
    __newindex = function(row, name, value)
        local write = writable[name]
        if write == nil then
            raise("row.%s cannot be written: columns are written through row.new, and of the row action, schema and table", tostring(name))
        end
        change_of(row)
        write(row, value)
    end,
    __tostring = function(row)
        local c = change_of(row)
        return ("row %s %s.%s"):format(fields.action(c), fields.schema(c), fields.table(c))
    end,
})

-- The key of a change as a person reads it, for messages; nil without one.
local function key_text(c)
    local values = c.after ~= nil and c.after or c.before
    local out = {}
    if c.schema.nkey == 0 or values == nil then return nil end
    for i = 0, c.schema.nkey - 1 do
        local v = values[c.schema.key[i]]
        out[i + 1] = v.state == PRESENT and text_of_value(v) or "?"
    end
    return table.concat(out, ", ")
end

-- Was a value read since the last forget_absent() that was not sent?
local function has_read_absent() return last_absent ~= nil end
local function forget_absent() last_absent = nil end

-- The number of a schema's column, or nil.
local function column(s, name) return columns_of(s).at[name] end

return {
    absent = absent, new = new_row, at = at, key_text = key_text, fields = fields, methods = methods, source_fields = source_fields,
    writable = writable, column = column, columns_of = columns_of, read = read, put = put, has_read_absent = has_read_absent,
    forget_absent = forget_absent,
}
