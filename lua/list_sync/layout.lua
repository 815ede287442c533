-- layout.lua - looks `layout` of ls.csv_writer over: a list of all that is written otherwise, each with the writer's own options filled in.
local ffi = require "list_sync.ffi"
local calls = require "list_sync.options"
local csv = require "list_sync.csv"
local C = ffi.C

require("jit").off(true, true) -- runs a few times: not worth a trace

local TITLE_MAX, DATE_MAX, PATTERN_MAX = 1000, 64, 1000 -- bytes
local COLUMNS_MAX, LAYOUTS_MAX = 10000, 1000
local FORM = { "filename", "header", "bom", "formula_guard", "delimiter", "quote", "newline", "null", "absent" } -- the writer's own that it may set
local KEYS = { "columns", "row", "prefix", unpack(FORM) }
local ITEM_KEYS = { "from", "date", "optional", "value" }
local CONVERSIONS = "[aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyYzZ%%]"

local options = {}
for _, call in ipairs(calls) do
    for _, option in ipairs(call.name == "csv_writer" and call.options or {}) do options[option.name] = option end
end

local layout = {}

local function shown(value)
    if type(value) == "string" then return ("the text %q"):format(value) end
    if type(value) == "table" or type(value) == "function" then return "a " .. type(value) end
    return tostring(value)
end

-- ---- columns ----

local function check_text(at, key, what, text, max, fail)
    if type(text) ~= "string" or text == "" or #text > max or text:find "%z" then
        fail(at, key, "%s: %s must be 1 to %d bytes of text, not %s", at.title, what, max, shown(text))
    end
    if not C.ls_utf8_valid(text, #text) then fail(at, key, "%s: %s is not valid UTF-8", at.title, what) end
    return text
end

local function check_list(at, key, list, what, fail)
    if type(list) ~= "table" then fail(at, key, "%s: %s must be a list of %s, not %s", at.title, key, what, shown(list)) end
    for index in pairs(list) do
        if type(index) ~= "number" or index % 1 ~= 0 or index < 1 or index > #list then
            fail(at, key, "%s: %s must be a list of %s, and has the key %s", at.title, key, what, tostring(index))
        end
    end
    if #list == 0 then fail(at, key, "%s: %s is an empty list", at.title, key) end
    if #list > COLUMNS_MAX then fail(at, key, "%s: %s has %d items, and may have %d", at.title, key, #list, COLUMNS_MAX) end
end

-- strftime's conversions, as ls.date takes them, but %s, which goes by the machine's time zone.
local function check_date(at, name, format, fail)
    check_text(at, "columns", ("date of %q"):format(name), format, DATE_MAX, fail)
    if not format:find "%%" then
        fail(at, "columns", '%s: date of %q has no conversion of strftime, and would be the text %q in each cell: as in "%%d/%%m/%%Y"', at.title, name, format)
    end
    for conversion in (format:gsub("%%[-_0^#]?" .. CONVERSIONS, "")):gmatch "%%.?.?" do
        fail(at, "columns", '%s: date of %q has %q, which is no conversion of strftime: as in "%%d/%%m/%%Y %%H:%%M", a percent sign is %%%%', at.title,
            name, conversion)
    end
end

local function check_item(at, i, item, tools)
    local fail = tools.fail
    if type(item) ~= "table" then
        local name = check_text(at, "columns", ("item %d of columns"):format(i), item, TITLE_MAX, fail)
        return { title = name, from = name }
    end
    local title = check_text(at, "columns", ("the title of item %d of columns, which stands first in it,"):format(i), item[1], TITLE_MAX, fail)
    for key in pairs(item) do
        local known = key == 1
        for _, name in ipairs(ITEM_KEYS) do known = known or key == name end
        if not known then
            local near = type(key) == "string" and tools.nearest(key, ITEM_KEYS)
            fail(at, "columns", "%s: %q of columns has a title, from, date, optional and value, not %s%s", at.title, title, tostring(key),
                near and ("; did you mean %q?"):format(near) or "")
        end
    end
    if item.value == nil and item.from == nil then
        fail(at, "columns", item.date ~= nil and "%s: %q of columns has a date without from: add from = %q, or the column's name"
            or "%s: %q of columns has neither from nor value: add from = %q, or the column's name", at.title, title, title)
    end
    if item.value ~= nil then
        for _, key in ipairs { "from", "date", "optional" } do
            if item[key] ~= nil then fail(at, "columns", "%s: %q of columns has both value and %s: take one of them out", at.title, title, key) end
        end
        if type(item.value) ~= "function" then fail(at, "columns", "%s: value of %q must be a function, not %s", at.title, title, shown(item.value)) end
        return { title = title, value = item.value }
    end
    check_text(at, "columns", ("from of %q"):format(title), item.from, TITLE_MAX, fail)
    if item.date ~= nil then check_date(at, title, item.date, fail) end
    if item.optional ~= nil and type(item.optional) ~= "boolean" then
        fail(at, "columns", "%s: optional of %q must be true or false, not %s", at.title, title, shown(item.optional))
    end
    return { title = title, from = item.from, date = item.date, optional = item.optional }
end

local function check_twice(at, key, columns, fail)
    local seen = {}
    for _, column in ipairs(columns) do
        if seen[column.title] then fail(at, key, "%s: the title %q stands twice in %s", at.title, column.title, key) end
        seen[column.title] = true
    end
end

-- What `header` says besides true and false: the titles of what `row` gives.
local function check_row(at, spec, fail)
    if spec.row == nil then
        if type(spec.header) == "table" then
            fail(at, "header", "%s: a header of titles belongs to row = function(row): titles of columns stand in columns", at.title)
        end
        return nil
    end
    if type(spec.row) ~= "function" then fail(at, "row", "%s: row must be a function, not %s", at.title, shown(spec.row)) end
    if spec.columns ~= nil then fail(at, "row", "%s has both row, which gives whole records, and columns: take one of them out", at.title) end
    if type(spec.header) ~= "table" then
        fail(at, spec.header ~= nil and "header" or "row", '%s has row, so it needs the titles of what that gives: header = { "a", "b" }', at.title)
    end
    check_list(at, "header", spec.header, "titles", fail)
    local columns = {}
    for i, title in ipairs(spec.header) do
        columns[i] = { title = check_text(at, "header", ("item %d of header"):format(i), title, TITLE_MAX, fail) }
    end
    check_twice(at, "header", columns, fail)
    return columns
end

local function check_columns(at, spec, tools)
    local out, computed = check_row(at, spec, tools.fail), spec.row ~= nil
    if out or spec.columns == nil then return out or {}, computed end
    out = {}
    check_list(at, "columns", spec.columns, "columns", tools.fail)
    for i, item in ipairs(spec.columns) do
        out[i] = check_item(at, i, item, tools)
        computed = computed or out[i].value ~= nil
    end
    check_twice(at, "columns", out, tools.fail)
    return out, computed
end

-- ---- a layout ----

local function check_pattern(at, pattern, fail)
    if type(pattern) ~= "string" then
        fail(at, "layout", 'option "layout" in %s has layouts by table, as in { ["public.orders"] = { ... } }, and has the key %s', at.title, tostring(pattern))
    end
    local plain = pattern:gsub("\\.", "x")
    if pattern:find "^!" then
        fail(at, "layout", 'option "layout" in %s: the pattern %q begins with !: a table that is in no layout is written as without one', at.title, pattern)
    elseif #pattern > PATTERN_MAX or pattern:find "%z" or not plain:find "^[^%.]+%.." then
        fail(at, "layout", 'option "layout" in %s: the pattern %q names no schema and table: write it as "public.orders" or "*.orders"', at.title, pattern)
    end
end

local function check_keys(at, spec, tools)
    local known, unknown = {}, {}
    for _, key in ipairs(KEYS) do known[key] = true end
    for key in pairs(spec) do
        if not known[key] then unknown[#unknown + 1] = tostring(key) end
    end
    if #unknown == 0 then return end
    table.sort(unknown)
    local near = tools.nearest(unknown[1], KEYS)
    tools.fail(at, unknown[1], "unknown option %q in %s; %s", unknown[1], at.title, near and ("did you mean %q?"):format(near)
        or options[unknown[1]] and "it is the writer's, the same for all tables" or "a layout has " .. table.concat(KEYS, ", "))
end

-- The lines of what stands in the layout, as far as they were found.
local function place_of(at, pattern, spec)
    local lines, front = at.lines, "layout\0" .. pattern
    return {
        path = at.path, line = at.line, given = spec, title = ("layout %q of %s"):format(pattern, at.title),
        lines = setmetatable({}, { __index = function(_, key) return lines[front .. "\0" .. key] or lines[front] or lines.layout end }),
    }
end

local function check_layout(at, writer, pattern, spec, tools)
    check_keys(at, spec, tools)
    local out = {}
    for key, value in pairs(writer) do out[key] = value end
    out.pattern, out.row = pattern, spec.row
    out.columns, out.computed = check_columns(at, spec, tools)
    for _, key in ipairs(FORM) do
        if key == "header" and type(spec.header) == "table" then
            out.header = true
        elseif spec[key] ~= nil then
            out[key] = tools.types[options[key].type](at, options[key], spec[key])
        end
    end
    if spec.filename ~= nil then csv.check_template(at, out, tools.fail) end
    csv.check_signs(at, out, tools.fail)
    if spec.prefix ~= nil then out.prefix = tools.types.boolean(at, { name = "prefix" }, spec.prefix) end
    if not out.prefix and not out.split_files and not out.computed then
        tools.fail(at, "prefix", "%s has prefix = false, and its deletes would look like inserts: add split_files = true to the writer, or a column of "
            .. 'value = function(row) that tells row.action, or row = function(row), which can leave deletes out', at.title)
    end
    return out
end

-- Of which the files' readers must know the same.
local SAME = { "delimiter", "quote", "newline", "header", "bom", "formula_guard", "prefix" }

local function form_of(out)
    local form = {}
    for i, key in ipairs(SAME) do form[i] = tostring(out[key]) end
    for _, column in ipairs(out.prefix and {} or out.columns) do form[#form + 1] = column.title end
    return table.concat(form, "\0")
end

-- Files of templates with {table} are of one table mostly; where two meet after all the writer tells.
local function check_files(at, writer, layouts, fail)
    writer.columns = {}
    local forms = { [writer.filename] = form_of(writer) }
    writer.columns = nil
    for _, one in ipairs(layouts) do
        local form, name = form_of(one), one.filename
        if not name:find("{table}", 1, true) then
            if forms[name] and forms[name] ~= form then
                local where = place_of(at, one.pattern)
                fail(where, "filename", "%s writes to the files of %q as others do, and in another form (%s, or without prefix other titles): give it a filename of "
                    .. "its own", where.title, name, table.concat(SAME, ", "))
            end
            forms[name] = form
        end
    end
end

-- The writer's option as a list of layouts. tools: check.lua's fail, types and nearest.
function layout.check(at, writer, tools)
    writer.prefix = true
    if writer.layout == nil then return end
    local patterns, out = {}, {}
    if type(writer.layout) ~= "table" then
        tools.fail(at, "layout", 'option "layout" in %s must be a table of layouts by table, as in { ["public.orders"] = { columns = { "id" } } }, not %s', at.title,
            shown(writer.layout))
    end
    for pattern in pairs(writer.layout) do
        check_pattern(at, pattern, tools.fail)
        patterns[#patterns + 1] = pattern
    end
    if #patterns == 0 then tools.fail(at, "layout", 'option "layout" in %s is empty', at.title) end
    if #patterns > LAYOUTS_MAX then
        tools.fail(at, "layout", 'option "layout" in %s has %d layouts, and may have %d: a pattern stands for many tables', at.title, #patterns, LAYOUTS_MAX)
    end
    table.sort(patterns)
    for i, pattern in ipairs(patterns) do
        local spec = writer.layout[pattern]
        local where = place_of(at, pattern, spec)
        if type(spec) ~= "table" then tools.fail(where, "layout", "%s must be a table, not %s", where.title, shown(spec)) end
        out[i] = check_layout(where, writer, pattern, spec, tools)
        out[i].layout = nil
    end
    writer.layout = out
    check_files(at, writer, out, tools.fail)
end

return layout
