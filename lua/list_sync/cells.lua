-- cells.lua - the loop over a batch's rows that asks the functions of CSV layouts for their cells. C enters it once a batch, after the hooks.
local ffi = require "list_sync.ffi"
local bit = require "bit"
local hooks = require "list_sync.hooks"
local jit = require "jit"
local json = require "list_sync.json"
local made = require "list_sync.values"
local place = require "list_sync.place"
local row = require "list_sync.row"
local script = require "list_sync.script"

local C, text_of, type = ffi.C, ffi.string, type
local at, new_row, absent = row.at, row.new, row.absent
local band, istype = bit.band, ffi.istype
local DROPPED, CELL = C.LS_DROPPED, C.LS_HOOK_CELL
local INSERT, UPDATE, DELETE = 73, 85, 68
local SCHEMAS_MAX = 4096 -- schemas whose layouts are remembered
local TOUCHED = {}       -- stands for the error of a function that had read what was not sent
local int64, uint64, absent_type = ffi.typeof "int64_t", ffi.typeof "uint64_t", ffi.typeof(absent)

local now = { layout = nil, column = nil, func = nil } -- what is asked, for messages
local told                                             -- the last error that has its place already

-- A function of C that is looked up for the first time while LuaJIT records ends the recording: it is looked up here.
for _, name in ipairs { "begin", "end", "set_null", "set_text", "set_number", "set_int", "set_uint", "set_bool" } do
    assert(C["ls_layout_" .. name])
end

local cells = {}

-- ---- a value as a cell ----

local function wrong(text, ...) error(select("#", ...) > 0 and text:format(...) or text, 0) end

local function put_text(index, text)
    local rc = C.ls_layout_set_text(at.batch, index, text, #text)
    if rc > 0 then wrong "it returned text that is not valid UTF-8; ls.bytes(s) writes bytes as base64" end
    if rc < 0 then wrong "out of memory" end
end

local function put_table(index, value)
    local meta = getmetatable(value)
    if meta == made.mask_meta then wrong "it returned a mask, and not what the mask gives: mask(value)" end
    if meta == made.decimal_meta or meta == made.json_meta then return put_text(index, value.text) end
    if meta == made.bytes_meta then
        if C.ls_layout_set_bytes(at.batch, index, value.bytes, #value.bytes) ~= 0 then wrong "out of memory" end
        return
    end
    local ok, text = pcall(json.encode, value)
    if not ok then wrong("%s", text) end
    put_text(index, text)
end
jit.off(put_table)

local function put(index, value)
    local kind = type(value)
    if kind == "string" then
        put_text(index, value)
    elseif kind == "number" then
        C.ls_layout_set_number(at.batch, index, value)
    elseif value == nil or value == json.null then
        C.ls_layout_set_null(at.batch, index)
    elseif kind == "boolean" then
        C.ls_layout_set_bool(at.batch, index, value and 1 or 0)
    elseif kind == "table" then
        put_table(index, value)
    elseif istype(int64, value) then
        C.ls_layout_set_int(at.batch, index, value)
    elseif istype(uint64, value) then
        C.ls_layout_set_uint(at.batch, index, value)
    elseif not istype(absent_type, value) then -- cells are absent at first
        wrong("it returned a %s; a cell is a text, a number, a boolean, nil (NULL), ls.absent or a table", kind)
    end
end

-- ---- errors ----

local function tell(e)
    told = hooks.tell(e, now.func, ("%s of layout %q of %s"):format(now.column, now.layout.pattern, now.layout.of), at.batch.changes[at.index], nil, nil, "layout")
    return told
end

-- The message handler of one cell: where the error was raised is known here alone.
local function on_error(e)
    if row.has_read_absent() then return TOUCHED end
    return tell(e)
end

local function on_loop_error(e)
    if e == told then return e end
    return at.index < at.batch.count and tell(e) or (place.of_error(e))
end

-- ---- asking ----

-- A column's function, for one half of a row.
local function ask(column, view)
    now.func, now.column = column.value, column.what
    row.forget_absent()
    local ok, value = xpcall(column.value, on_error, view)
    if ok then
        put(column.index, value)
    elseif value ~= TOUCHED then
        error(value, 0)
    end
end

-- A function(value) that has a call written out for each of a list, so that LuaJIT makes one piece of them and needs no loop within its loop.
-- call: what to write, with the number in the list for each #.
local function written_out(call, list, value, callee)
    local calls = {}
    for i = 1, #list do calls[i] = call:gsub("#", i) end
    local source = ("local callee, list = ... return function(%s) %s end"):format(value, table.concat(calls, " "))
    return assert(loadstring(source, "=layout"))(callee, list)
end
jit.off(written_out)

-- The function that gives whole records; false leaves one out.
local function record_of(layout)
    local fn, count = layout.row, #layout.columns
    local put_all = written_out("callee(# - 1, values[#])", layout.columns, "values", put)
    return function(view)
        now.func, now.column = fn, "row"
        local values = fn(view)
        if values == false then return false end
        if type(values) ~= "table" or getmetatable(values) ~= nil and getmetatable(values) ~= made.array_meta then
            wrong("it returned %s; it returns a list of %d cells, or false to leave the record out", values == nil and "nothing" or "a " .. type(values), count)
        end
        if #values > count then wrong("it returned %d cells, and header has %d titles", #values, count) end
        put_all(values)
    end
end

-- A layout's function(view), which sets the cells of the half at hand; false: it asks nothing.
local function asking(layout, of)
    layout.of = of
    if layout.row then return record_of(layout) end
    local columns = {}
    for i, column in ipairs(layout.columns) do
        if column.value then columns[#columns + 1] = { value = column.value, index = i - 1, what = ("column %q"):format(column.title) } end
    end
    return #columns > 0 and written_out("callee(list[#], view)", columns, "view", ask)
end
jit.off(asking)

-- One half of a row, if it has that.
local function half(ask_all, i, image, ncells, run)
    local has = C.ls_layout_begin(at.batch, i, image, ncells)
    if has == 0 then return end
    if has < 0 then wrong "out of memory" end
    local keep = ask_all(new_row(i, run))
    C.ls_layout_end(at.batch, keep == false and 0 or 1)
end

local function loop_over(layouts, of)
    local patterns, asks = ffi.new("const char *[?]", #layouts), {}
    local known, remembered = {}, 0 -- by a schema's id: the number of its layout
    local kept = {}
    for i, layout in ipairs(layouts) do
        patterns[i - 1], kept[i], asks[i] = layout.pattern, layout.pattern, asking(layout, of)
    end
    local function learn(s)
        if remembered == SCHEMAS_MAX then known, remembered = {}, 0 end
        local best = C.ls_pattern_best(patterns, #kept, s.schema, s.table) + 1
        known[s.id], remembered = best, remembered + 1
        return best
    end
    jit.off(learn)
    local function loop(first, count)
        local batch, run = at.batch, at.run
        at.hook = CELL
        for i = first, count - 1 do
            local c = batch.changes[i]
            local action = c.action
            if (action == INSERT or action == UPDATE or action == DELETE) and band(c.flags, DROPPED) == 0 then
                local number = known[c.schema.id] or learn(c.schema)
                local ask_all = asks[number]
                if ask_all then
                    at.index, at.clones, at.rule = i, batch.count, number - 1
                    now.layout = layouts[number]
                    half(ask_all, i, 0, #layouts[number].columns, run)
                    half(ask_all, i, 1, #layouts[number].columns, run)
                end
            end
        end
    end
    return loop
end
jit.off(loop_over)

-- The loop and the message handler of a stage; nil when no layout of it has functions.
function cells.of(name)
    for _, stage in ipairs(script.stages) do
        local writer = stage.options.name == name and stage.options.writer
        local computed = false
        for _, layout in ipairs(writer and writer.layout or {}) do computed = computed or layout.computed end
        if computed then
            local loop = loop_over(writer.layout, ("%s %q"):format(stage.kind, name))
            hooks.warm_up(loop)
            return loop, on_loop_error
        end
    end
end
jit.off(cells.of)

return cells
