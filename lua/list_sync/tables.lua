-- tables.lua - `tables` of ls.connector: patterns to capture, and options that tables have of their own.
local ffi = require "list_sync.ffi"

local C = ffi.C

require("jit").off(true, true) -- runs a few times: not worth a trace

local tables = {}

local NAME_MAX = 255 -- bytes of what `as` says
local RULES_MAX = 999 -- under LS_RULES_MAX of change/schema.h

-- Splits the list from the map. What comes back: { patterns = { ... }, own = { { key =, pattern =, given = } ... } }: key as it was given.
function tables.split(at, option, value, check)
    if type(value) == "string" then value = { value } end
    if type(value) ~= "table" then check.must(at, option, "a text, a list of patterns, or a table by pattern", value) end
    local list, own = {}, {}
    for key, given in pairs(value) do
        if type(key) == "string" then
            if type(given) ~= "table" then
                check.fail(at, "tables\0" .. key, "tables[%q] in %s must be a table of options, not %s", key, at.title, check.shown({}, given))
            end
            if key:sub(1, 1) == "!" then
                check.fail(at, "tables\0" .. key, "tables[%q] in %s leaves out and has options: put %q into the list", key, at.title, key)
            end
            own[#own + 1] = { key = key, pattern = check.types.text(at, option, key), given = given }
        else
            list[key] = given
        end
    end
    table.sort(own, function(a, b) return a.pattern < b.pattern end)
    if #own > RULES_MAX then check.fail(at, "tables", "option %q in %s has options for %d patterns, and may for %d", option.name, at.title, #own, RULES_MAX) end
    if #own > 0 and next(list) == nil then return { patterns = {}, own = own } end
    return { patterns = check.types.list(at, option, list), own = own }
end

-- The place of a pattern's options, for messages.
local function place_of(at, own)
    local prefix = "tables\0" .. own.key
    return {
        path = at.path, line = at.lines[prefix] or at.lines.tables or at.lines.name or at.line, db = at.db, given = own.given,
        title = ("tables[%q] of %s"):format(own.key, at.title),
        lines = setmetatable({}, { __index = function(_, key) return key and at.lines[prefix .. "\0" .. key] end }),
    }
end

local function check_names(at, own, options, check)
    local names, known, all = {}, {}, {}
    for _, option in ipairs(options) do
        all[option.name] = true
        if option.by_table then names[#names + 1], known[option.name] = option.name, true end
    end
    for key in pairs(own) do
        if all[key] and not known[key] then
            check.fail(at, key, "option %q in %s is the connector's alone: tables may have %s of their own", key, at.title, table.concat(names, ", "))
        elseif not known[key] then
            local near = type(key) == "string" and check.nearest(key, names)
            check.fail(at, key, "unknown option %q in %s; %s", tostring(key), at.title,
                near and ("did you mean %q?"):format(near) or "tables may have " .. table.concat(names, ", "))
        end
    end
end

-- A set of options for each: first the connector's own, for the tables that no pattern names, then one a pattern, where
-- what a pattern leaves out is the connector's. `finish` looks each set over.
function tables.options(at, out, own, options, check, finish)
    local sets = { {} }
    for _, option in ipairs(options) do
        if option.by_table then sets[1][option.name] = out[option.name] end
    end
    for i, one in ipairs(own) do
        local here, set = place_of(at, one), { pattern = one.pattern }
        check_names(here, one.given, options, check)
        for _, option in ipairs(options) do
            if option.by_table and one.given[option.name] ~= nil then
                set[option.name] = check.types[option.type](here, option, one.given[option.name])
            elseif option.by_table then
                set[option.name] = out[option.name]
            end
        end
        sets[i + 1] = set
        finish(here, set)
    end
    finish(at, sets[1])
    return sets
end

-- ---- what is sent: topics, key, headers ----

local send = {}
tables.send = send

-- A name, a list of them, templates, or a function(row).
function send.topic(at, option, value, check)
    if type(value) == "function" then return value end
    if type(value) ~= "string" and type(value) ~= "table" then check.must(at, option, "a text, a list of texts or a function", value) end
    return check.types.list(at, option, value)
end

-- The Kafka key: a word (then .word is true), a list of columns, or a function(row).
function send.key(at, option, value, check)
    if value == "pk" or value == "table_pk" or value == "object" then return { value, word = true } end
    if type(value) == "function" then return value end
    if type(value) ~= "table" then check.must(at, option, '"pk", "table_pk", "object", a list of columns or a function', value) end
    return check.types.list(at, option, value)
end

-- "schema.table" in its two parts.
function send.as(at, option, value, check)
    local schema, name = (type(value) == "string" and value or ""):match "^([^.]+)%.([^.]+)$"
    local rest = schema and (schema .. name):gsub("{schema}", ""):gsub("{table}", "")
    if not schema or rest:find "[{}%z]" or #value > NAME_MAX or not C.ls_utf8_valid(value, #value) then
        check.must(at, option, 'a text such as "bank.accounts" or "bank.{table}", of at most 255 bytes, with {schema} and {table} alone in braces', value)
    end
    return { schema = schema, table = name }
end

-- A format's name, or a function(row) that gives the message.
function send.format(at, option, value, check)
    if type(value) == "function" then return value end
    for _, name in ipairs(option.choices) do
        if value == name then return value end
    end
    check.must(at, option, "one of " .. check.quoted(option.choices) .. " or a function", value)
end

-- Texts by name, or a function(row) that gives such a table.
function send.headers(at, option, value, check)
    if type(value) == "function" then return value end
    if type(value) ~= "table" then check.must(at, option, "a table of texts by name, or a function", value) end
    local out = {}
    for name, text in pairs(value) do
        if type(name) ~= "string" or name == "" or name:find "%z" or not C.ls_utf8_valid(name, #name) then
            check.fail(at, option.name, "option %q in %s names headers by texts, not by %s", option.name, at.title, check.shown({}, name))
        end
        if type(text) ~= "string" then
            check.fail(at, option.name, "option %q in %s: the header %q must be a text, not %s", option.name, at.title, name, check.shown({}, text))
        end
        out[#out + 1] = { name, text }
    end
    table.sort(out, function(a, b) return a[1] < b[1] end)
    return out
end

return tables
