-- annotations.lua - is what editors are told what the engine takes? test_pages.c evaluates it; it declares no stage.
local annotate = require "list_sync.annotate"
local calls = require "list_sync.options"
local check = require "list_sync.check"
local ls = require "list_sync"
local row = require "list_sync.row"

local page = annotate.page()

local function fail(text, ...) error(text:format(...), 0) end

local function same(what, got, want)
    for name in pairs(want) do
        if got[name] == nil then fail("%s: %s is missing", what, name) end
    end
    for name in pairs(got) do
        if want[name] == nil then fail("%s: there is no %s", what, name) end
    end
end

-- ---- the page's classes, as an editor reads them: class -> field -> { type, optional, doc } ----

local classes, class = {}, nil
for line in page:gmatch "[^\n]+" do
    local name = line:match "^%-%-%-@class list_sync%.(%S+)$"
    if name then
        if classes[name] then fail("the class %s is there twice", name) end
        class = {}
        classes[name] = class
    end
    local field, optional, kind, doc = line:match "^%-%-%-@field (%S-)(%??) (.-) # (.*)$"
    if line:find "^%-%-%-@field" and (not field or class[field]) then fail("a field that is wrong or there twice: %s", line) end
    if field then class[field] = { type = kind, optional = optional == "?", doc = doc } end
end

local function functions(pattern)
    local out = {}
    for name in page:gmatch(pattern) do
        if out[name] then fail("%s is there twice", name) end
        out[name] = true
    end
    return out
end

-- Every class that a type names is there.
for name in page:gmatch "list_sync%.([%w_]+)" do
    if not classes[name] then fail("there is no class list_sync.%s", name) end
end

-- ---- the calls ----

-- A call with what must be given, so that the option in question is reached.
local function with(call, option, value)
    local given = {}
    for _, o in ipairs(call.options) do
        if o.example then given[o.name] = assert(loadstring("return " .. o.example:gsub("%.%.%.", "")))() end
    end
    if call.name == "consumer" then given.writer = ls.csv_writer { filename = "rows" } end
    if given.db_type then given.db_type = type(option.required) == "string" and option.required or option.only or "postgres" end
    given[option.name] = value
    return given
end

local function error_of(call, option, value)
    local ok, why = pcall(check.call, call.name, with(call, option, value))
    return not ok and tostring(why) or nil
end

local wrong = newproxy() -- no option takes such a thing

for _, call in ipairs(calls) do
    local fields = assert(classes[call.name], call.name)
    local options = {}
    for _, option in ipairs(call.options) do options[option.name] = option end
    same("the class " .. call.name, fields, options)
    for name, field in pairs(fields) do
        local option = options[name]
        local why = error_of(call, option, wrong)
        if not why or not why:find(("option %q in "):format(name), 1, true) or why:find("is missing", 1, true) then
            fail("%s.%s is no option of the engine: %s", call.name, name, why or "it takes anything")
        end
        if field.optional == (option.required == true) then fail("%s.%s: required or not?", call.name, name) end
        if option.choices then
            for word in field.type:gmatch "%b\"\"" do
                local value = loadstring("return " .. word)()
                local asked = setmetatable({ only = option.only or option.choice_only and option.choice_only[value] }, { __index = option })
                why = error_of(call, asked, value)
                if why and why:find(("option %q in "):format(name), 1, true) then fail("%s.%s does not take %s: %s", call.name, name, word, why) end
            end
        end
    end
    local by_table = {}
    for name, option in pairs(options) do by_table[name] = option.by_table end
    if next(by_table) then same("what tables may have", classes.table_options, by_table) end
    local unknown = error_of(call, { name = "no_such_option" }, 1)
    if not unknown or not unknown:find "unknown option" then fail("ls.%s takes an option that it does not know", call.name) end
end

-- ---- the rest of the API ----

local real, told = {}, functions "\nfunction ls%.([%w_]+)"
for name in pairs(ls) do real[name] = true end
for name in page:gmatch "\nls%.([%w_]+) =" do told[name] = true end
same("ls", told, real)
same("row's methods", functions "\nfunction row:([%w_]+)", row.methods)
same("row's fields", classes.row, row.fields)
same("row.source", classes.source, row.source_fields)
for name, field in pairs(classes.row) do
    if (field.doc:find "can be written" ~= nil) ~= (row.writable[name] ~= nil) then fail("row.%s: can it be written?", name) end
end
if type(assert(loadstring(page))()) ~= "table" then fail "the page is no module" end

-- ---- what has no type is told ----

for _, case in ipairs {
    { { name = "x", type = "colour", doc = "" }, 'the type "colour" of the option "x" is not in TYPES of annotate.lua' },
    { { name = "x", type = "hook", doc = "a function" }, 'the doc of the hook "x" does not begin with function(arguments)' },
    { { name = "x", type = "hook", doc = "function(car): drives" }, 'the hook "x" takes "car", which has no type in annotate.lua' },
} do
    local ok, why = pcall(annotate.type_of, case[1])
    if ok or tostring(why) ~= case[2] then fail("%s instead of %s", tostring(why), case[2]) end
end
