-- reference.lua - the text of `list_sync options`, from options.lua. It is Markdown that reads well on a terminal too.
local calls = require "list_sync.options"
local check = require "list_sync.check"
local duration = require "list_sync.duration"
local place = require "list_sync.place"

require("jit").off(true, true) -- runs a few times: not worth a trace

local HEAD = "# Options\n\nWhat the calls of a script take; `list_sync options` prints this page, "
    .. "`list_sync options NAME` a part of it.\n\n"
local WIDTH = 118 -- characters of a line

local TYPES = {
    text = "text", integer = "integer", boolean = "true or false", list = "text or list of texts", size = "bytes",
    char = "one character", kafka = "text or table", hook = "function", columns = "table", key = '"pk" | "table_pk" | "object" | list of columns | function', tables = "text, list of texts, or table by pattern",
    topic = "text, list of texts, or function", as = "text", headers = "table of texts, or function", writer = "ls.csv_writer { ... } or ls.writer { ... }", flush_every = "table",
    rotate = "table", layout = "table by pattern", duration = "text",
}
local DATABASES = { postgres = "PostgreSQL", mysql = "MySQL and MariaDB" }

local function literal(value)
    if type(value) == "string" then return (("%q"):format(value):gsub("\\\n", "\\n"):gsub("\r", "\\r"):gsub("\\13", "\\r")) end
    return tostring(value)
end

local function size(bytes) return ("%.0f MiB"):format(bytes / 1024 ^ 2) end

local function kind(option)
    if option.choices then
        local out = {}
        for i, choice in ipairs(option.choices) do out[i] = literal(choice) end
        return table.concat(out, " | ") .. (option.type == "format" and " | function" or option.type == "start" and " | position" or "")
    end
    local text = TYPES[option.type]
    if option.type == "integer" then text = ("%s from %.0f to %.0f"):format(text, option.min, option.max) end
    if option.type == "duration" then text = ('%s from "%s" to "%s"'):format(text, duration.text(option.min), duration.text(option.max)) end
    if option.type == "size" then text = ("%s, at least %s"):format(text, size(option.min)) end
    if option.type == "text" and option.max then text = ("%s of at most %d bytes"):format(text, option.max) end
    return text
end

local function when_not_given(option)
    if option.required == true then return "required" end
    if option.required then return "required on " .. DATABASES[option.required] end
    if option.default_doc then return "default: " .. option.default_doc end
    if option.by_db then return ("default: %d, on MySQL and MariaDB %d"):format(option.by_db.postgres, option.by_db.mysql) end
    if option.default == nil then return nil end
    if option.type == "duration" then return ('default: "%s"'):format(duration.text(option.default)) end
    return "default: " .. (option.type == "size" and size(option.default) or literal(option.default))
end

local function wrapped(text, indent)
    local out, line = {}, ""
    for word in text:gmatch "%S+" do
        if #line + 1 + #word > WIDTH and line ~= "" then
            out[#out + 1] = line
            line = indent .. word
        else
            line = line == "" and word or line .. " " .. word
        end
    end
    out[#out + 1] = line
    return table.concat(out, "\n") .. "\n"
end

local reference = { types = TYPES }

-- What an option is, but for its doc.
function reference.facts(option)
    local facts = { kind(option) }
    if option.only then facts[2] = DATABASES[option.only] .. " only" end
    if option.by_table then facts[#facts + 1] = "by table" end
    facts[#facts + 1] = when_not_given(option)
    return table.concat(facts, "; ")
end

local function describe(option)
    return wrapped(("- `%s` (%s): %s"):format(option.name, reference.facts(option), option.doc), "  ")
end

local function heading(call) return ("## ls.%s\n\n%s\n"):format(call.name, wrapped(call.doc, "")) end

-- The whole; or one call's part; or each option of that name.
function reference.text(name)
    local out, names = {}, {}
    if not name then out[1] = HEAD end
    name = name and name:gsub("^ls%.", "") -- as the page's headings have it
    for _, call in ipairs(calls) do
        local part = {}
        names[#names + 1] = call.name
        for _, option in ipairs(call.options) do
            names[#names + 1] = option.name
            if not name or name == call.name or name == option.name then part[#part + 1] = describe(option) end
        end
        if #part > 0 then out[#out + 1] = heading(call) .. table.concat(part) .. "\n" end
    end
    if #out == 0 then
        local near = check.nearest(name, names)
        local mend = near and ("did you mean %q?"):format(near) or "`list_sync options` tells all of them"
        place.raise(nil, nil, ("there is no option %q; %s"):format(name, mend))
    end
    return (table.concat(out):gsub("\n\n$", "\n"))
end

return reference
