-- annotate.lua - the script's API as lua-language-server's annotations: the options from options.lua, the rest from the tables here, which
-- tests/lua/annotations.lua compares with what the engine has.
local calls = require "list_sync.options"
local place = require "list_sync.place"
local reference = require "list_sync.reference"

require("jit").off(true, true) -- runs a few times: not worth a trace

local annotate = {}

-- What is in parts of its own: an option's table, a row, what a function gives. fields: name, type, doc.
local CLASSES = {
    { name = "columns", doc = "What happens to columns before the hooks.", fields = {
        { "drop?", "string|string[]", "not sent" },
        { "cast?", 'table<string, "boolean"|"integer"|"float"|"decimal"|"string"|"json"|"datetime"|"timestamp">', "by column" },
        { "mask?", "table<string, string|list_sync.mask>", "by column: a text, ls.sha256, ls.hmac(key) or ls.keep_last(n)" },
        { "rename?", "table<string, string>", "by column: its new name" },
    } },
    { name = "rotate", doc = "When a file ends.", fields = {
        { "size?", "integer|string", "bytes before compression, or a text such as 64MiB" }, { "rows?", "integer", "rows" },
        { "every?", "string", "a span of commit time: 30s, 15m, 1h, 1d" },
    } },
    { name = "layout_column", doc = "A column of a CSV layout: its title, then where its cells come from.", fields = {
        { "[1]", "string", "the title" }, { "from?", "string", "the table's column" }, { "date?", "string", "strftime's format, in UTC" },
        { "optional?", "boolean", "rows may be without the column" }, { "value?", "fun(row: list_sync.row): any", "gives the cell, instead of from" },
    } },
    { name = "layout", doc = "How the rows of some tables are written. What it does not say is as the writer says.", fields = {
        { "columns?", "(string|list_sync.layout_column)[]", "what is written, in this order" },
        { "row?", "fun(row: list_sync.row): any[]|false", "gives whole records; false: none" },
        { "header?", "boolean|string[]", "with row its titles" }, { "prefix?", "boolean", "false: without action and table" },
        { "filename?", "string", "as the writer's" }, { "bom?", "boolean", "as the writer's" }, { "formula_guard?", "boolean", "as the writer's" },
        { "delimiter?", "string", "as the writer's" }, { "quote?", "string", "as the writer's" }, { "newline?", "string", "as the writer's" },
        { "null?", "string", "as the writer's" }, { "absent?", "string", "as the writer's" },
    } },
    { name = "flush_every", doc = "When written rows are flushed, whichever comes first.", fields = {
        { "rows?", "integer", "after so many rows" }, { "ms?", "integer", "after so many milliseconds" },
    } },
    { name = "position", doc = "Where a partition goes on.", fields = {
        { "topic", "string", "the topic" }, { "partition", "integer", "its partition" }, { "offset", "integer", "the next offset to read" },
    } },
    { name = "source", doc = "Where a change comes from; read-only.", fields = {
        { "pos", "string?", "the transaction's place, in hex: grows" }, { "seq", "integer", "the row's number in its transaction, from 1" },
        { "tx", "string?", "transaction id or GTID" }, { "sub", "integer", "of a clone its number, else 0" },
        { "ts", "integer?", "commit time, microseconds since 1970 UTC" }, { "connector", "string?", "its name" },
    } },
    { name = "image", doc = "A row's columns by name. A name that the table does not have is an error; NULL is nil.", fields = {
        { "[string]", "any", "a column" },
    } },
    { name = "row", doc = "A row, good until its hook returns.", fields = {
        { "action", '"I"|"U"|"D"|"T"|"X"|"R"', "what happened; can be written" }, { "schema", "string", "can be written" },
        { "table", "string", "can be written" }, { "db", "string?", "postgres, mysql or mariadb" },
        { "ts", "integer?", "commit time, microseconds since 1970 UTC" }, { "source", "list_sync.source", "where the change comes from" },
        { "new", "list_sync.image?", "the row after; nil for a delete" }, { "old", "list_sync.image?", "the row before; nil for an insert" },
        { "image", "list_sync.image", "the one that there is: new, or of a delete old" },
        { "topic", "string?", "in a consumer: the message's topic" }, { "partition", "integer?", "in a consumer: the message's partition" },
    } },
    { name = "absent", doc = "A value that was not sent. Compare with it, or ask row:has; all else raises an error." },
    { name = "null", doc = "NULL in an array or document." },
    { name = "decimal", doc = "Decimal text, for a new column." },
    { name = "bytes", doc = "Bytes, for a new column." },
    { name = "json", doc = "A document's text." },
    { name = "array", doc = "An array: its elements, and their number in n." },
    { name = "mask", doc = "A function of a column's value, which columns.mask runs in C." },
}

-- name, doc, parameters (name, type), what they give.
local METHODS = {
    { "has", "Is there such a column in row.image, and was it sent?", { { "column", "string" } }, "boolean" },
    { "text", "The column's canonical text; nil for NULL.", { { "column", "string" } }, "string?" },
    { "number", "The column as a number, rounded; nil for NULL.", { { "column", "string" } }, "number?" },
    { "time", "The column as microseconds since 1970 UTC, of a time of day since midnight; nil for NULL.", { { "column", "string" } }, "any" },
    { "json", "The column's document as a table; nil for NULL.", { { "column", "string" } }, "any" },
    { "bytes", "The column's bytes; nil for NULL.", { { "column", "string" } }, "string?" },
    { "mask", "Writes what fn makes of the column's values, in both images. NULL stays NULL.",
        { { "column", "string" }, { "fn", "list_sync.mask|fun(value: any): any" } } },
    { "drop", "Takes the column out of both images.", { { "column", "string" } } },
    { "rename", "Gives the column another name in both images.", { { "column", "string" }, { "name", "string" } } },
    { "clone", "A copy that is sent behind the row.", {}, "list_sync.row" },
    { "copy", "A plain table of the row, to be kept.", {}, "table" },
}

local FUNCTIONS = {
    { "env", "An environment variable; one that is not set is an error.", { { "name", "string" } }, "string" },
    { "file", "What a file holds, without the line end behind it; one that cannot be read is an error.", { { "path", "string" } }, "string" },
    { "param", "What --set name=value gives, in the default's type; else the default. Without a default it must be given.",
        { { "name", "string" }, { "default?", "T" } }, "T", "T" },
    { "decimal", 'A decimal for a column: ls.decimal "1.50".', { { "text", "string|integer" } }, "list_sync.decimal" },
    { "bytes", "Bytes for a column.", { { "bytes", "string" } }, "list_sync.bytes" },
    { "json", "A document for a column.", { { "value", "any" } }, "list_sync.json" },
    { "quoted", "A text or number as it stands in JSON; nil is null.", { { "value", "any" } }, "string" },
    { "array", "An array for a column: ls.array { 1, ls.null, n = 2 }.", { { "elements", "table" } }, "list_sync.array" },
    { "date", "Microseconds since 1970 as text in UTC, by strftime's conversions; nil of nil.", { { "format", "string" }, { "us", "any" } }, "string?" },
    { "table", "Of a file of cases: a table's name, then its columns in their order, as { name, type, key = 1, null = false }.", { { "table", "table" } } },
    { "case", "Of a file of cases: rows that a stage is given, and what is wanted of them (name, stage, give, want or error).", { { "case", "table" } } },
    { "hmac", "The mask HMAC-SHA-256, in hex.", { { "key", "string" } }, "list_sync.mask" },
    { "keep_last", "The mask that keeps the last n characters.", { { "n", "integer" } }, "list_sync.mask" },
}

-- name, type, doc
local VALUES = {
    { "absent", "list_sync.absent", "A value that was not sent." }, { "null", "list_sync.null", "NULL in an array or document." },
    { "sha256", "list_sync.mask", "The mask SHA-256, in hex." },
}

-- ---- types ----

local ARGUMENTS = { row = "list_sync.row", w = "table", positions = "list_sync.position[]", topic = "string", partition = "integer", value = "any" }

local function literals(words)
    local out = {}
    for i, word in ipairs(words) do out[i] = ("%q"):format(word):gsub("\\\n", "\\n"):gsub("\r", "\\r"):gsub("\\13", "\\r") end
    return table.concat(out, "|")
end

-- A function, by the arguments that its doc begins with.
local function hook(option)
    local given, out = option.doc:match "^function(%b())", {}
    if not given then place.raise(nil, nil, ("the doc of the hook %q does not begin with function(arguments)"):format(option.name)) end
    for argument in given:gmatch "%w+" do
        if not ARGUMENTS[argument] then place.raise(nil, nil, ("the hook %q takes %q, which has no type in annotate.lua"):format(option.name, argument)) end
        out[#out + 1] = argument .. ": " .. ARGUMENTS[argument]
    end
    return ("fun(%s)%s"):format(table.concat(out, ", "), option.gives and ": " .. option.gives or "")
end

local function choice(option)
    local words, others = { unpack(option.choices) }, {}
    for word in pairs(option.means or {}) do others[#others + 1] = word end
    table.sort(others)
    for _, word in ipairs(others) do words[#words + 1] = word end
    return literals(words)
end

local function of_row(gives) return "|(fun(row: list_sync.row): " .. gives .. ")" end

local function key()
    local words = {}
    for word in reference.types.key:gmatch '"([^"]+)"' do words[#words + 1] = word end
    return literals(words) .. "|string[]" .. of_row "string|number|(string|number)[]|nil"
end

local function format(option) return choice(option) .. of_row "string|list_sync.json|list_sync.null|false" end

-- Each type of check.lua as an editor has it.
local TYPES = {
    start = function(option) return choice(option) .. "|string" end,
    text = "string", integer = "integer", boolean = "boolean", choice = choice, list = "string|string[]", size = "integer|string", duration = "string",
    char = "string", kafka = "string|table<string, string|number|boolean>", key = key, hook = hook, columns = "list_sync.columns",
    rotate = "list_sync.rotate", layout = "table<string, list_sync.layout>", flush_every = "list_sync.flush_every", writer = "list_sync.csv_writer|list_sync.writer",
    tables = "string|string[]|table<integer|string, string|list_sync.table_options>", format = format, topic = "string|string[]" .. of_row "string|string[]",
    as = "string", headers = "table<string, string>" .. of_row "table<string, string|number|list_sync.null>?",
}

function annotate.type_of(option)
    local to = TYPES[option.type]
    if not to then place.raise(nil, nil, ("the type %q of the option %q is not in TYPES of annotate.lua"):format(option.type, option.name)) end
    return type(to) == "function" and to(option) or to
end

-- ---- the page ----

local out

local function add(text, ...) out[#out + 1] = select("#", ...) > 0 and text:format(...) or text end

local function flat(text) return (text:gsub("%s+", " ")) end

local function add_class(name, doc, fields)
    add("\n---%s\n---@class list_sync.%s\n", flat(doc), name)
    for _, field in ipairs(fields or {}) do add("---@field %s %s # %s\n", field[1], field[2], flat(field[3])) end
end

local function field_of(option, required, facts)
    return { option.name .. (required and "" or "?"), annotate.type_of(option), facts .. option.doc }
end

local function add_call(call)
    local fields, by_table = {}, {}
    for i, option in ipairs(call.options) do
        fields[i] = field_of(option, option.required == true, ("(%s) "):format(reference.facts(option)))
        if option.by_table then by_table[#by_table + 1] = field_of(option, false, "") end
    end
    add_class(call.name, call.doc, fields)
    if #by_table > 0 then add_class("table_options", "What a pattern in tables may have of its own; what it leaves out is the " .. call.name .. "'s.", by_table) end
end

local function add_function(owner, f)
    local names = {}
    add("\n---%s\n", f[2])
    if f[5] then add("---@generic %s: string|number|boolean\n", f[5]) end
    for i, parameter in ipairs(f[3]) do
        add("---@param %s %s\n", parameter[1], parameter[2])
        names[i] = parameter[1]:gsub("%?", "")
    end
    if f[4] then add("---@return %s\n", f[4]) end
    add("function %s%s(%s) end\n", owner, f[1], table.concat(names, ", "))
end

function annotate.page()
    out = { "---@meta list_sync\n", "-- What require \"list_sync\" gives a script, for editors. Made with: list_sync options --format lua\n" }
    for _, call in ipairs(calls) do add_call(call) end
    for _, class in ipairs(CLASSES) do
        add_class(class.name, class.doc, class.fields)
        if class.name == "row" then
            add "local row = {}\n"
            for _, method in ipairs(METHODS) do add_function("row:", method) end
        end
    end
    add "\n---@class list_sync\nlocal ls = {}\n"
    for _, value in ipairs(VALUES) do add("\n---%s\n---@type %s\nls.%s = nil\n", value[3], value[2], value[1]) end
    for _, f in ipairs(FUNCTIONS) do add_function("ls.", f) end
    for _, call in ipairs(calls) do
        local class = "list_sync." .. call.name
        add_function("ls.", { call.name, flat(call.doc), { { "options", class } }, not call.title and class or nil })
    end
    add "\nreturn ls\n"
    return table.concat(out)
end

return annotate
