-- init.lua - what `require "list_sync"` gives a script.
local check = require "list_sync.check"
local place = require "list_sync.place"
local row = require "list_sync.row"
local script = require "list_sync.script"
local values = require "list_sync.values"

local ls = {
    absent = row.absent, null = values.null, decimal = values.decimal, bytes = values.bytes, json = values.json, quoted = values.quoted, array = values.array,
    date = values.date, hmac = values.hmac, sha256 = values.sha256, keep_last = values.keep_last,
}

local function declare(kind, given)
    local cases = package.loaded["list_sync.cases"]
    if cases and cases.reading then
        place.fail("ls.%s stands in a file of cases: stages are declared in the script", kind)
    end
    if not script.reading then
        place.fail("ls.%s stands in a hook: stages are declared while the script is read", kind)
    end
    local options, at = check.call(kind, given)
    for _, other in ipairs(script.stages) do
        if other.options.name == options.name then
            place.raise(at.path, at.line, ("the name %q is taken by the %s of line %d; stage names are unique"):format(
                options.name, other.kind, other.line))
        end
    end
    table.insert(script.stages, { kind = kind, options = options, line = at.line or 0 })
end

require("jit").off(declare) -- runs a few times: not worth a trace

function ls.connector(given) declare("connector", given) end

function ls.consumer(given) declare("consumer", given) end

function ls.csv_writer(given) return (check.call("csv_writer", given)) end

function ls.writer(given) return (check.call("writer", given)) end

-- Of a file of cases, which `list_sync test` reads.
function ls.table(given) require("list_sync.cases").table(given) end

function ls.case(given) require("list_sync.cases").case(given) end

-- An environment variable; one that is not set is an error.
function ls.env(name)
    if type(name) ~= "string" or name == "" then
        place.fail 'ls.env takes the name of an environment variable: ls.env "PGPASSWORD"'
    end
    local value = os.getenv(name)
    if value then return value end
    if script.offline then return "" end
    place.fail("the environment variable %s is not set: export %s=... before list_sync starts", name, name)
end

-- What a file holds, as one that a secret is mounted into, without the line end behind it; one that cannot be read is an error.
function ls.file(path)
    if type(path) ~= "string" or path == "" then
        place.fail 'ls.file takes the path of a file: ls.file "/run/secrets/pgpassword"'
    end
    if script.offline then return "" end
    local file, why = io.open(path, "rb")
    local text
    if file then
        text, why = file:read "*a", path .. ": it cannot be read"
        file:close()
    end
    if not text then place.fail("ls.file: %s", why) end
    return (text:gsub("\r?\n$", ""))
end

local function converted(name, text, default)
    if type(default) == "number" then return tonumber(text) end
    if type(default) ~= "boolean" then return text end
    if text == "true" then return true end
    if text == "false" then return false end
end

-- What --set NAME=VALUE gives, in the default's type; else the default.
function ls.param(name, default)
    local kind = type(default)
    if type(name) ~= "string" or name == "" then
        place.fail 'ls.param takes a name and a default: ls.param("brokers", "localhost:9092")'
    end
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" and kind ~= "nil" then
        place.fail("the default of ls.param(%q) must be a text, a number or a boolean, not a %s", name, kind)
    end
    script.asked[name] = true
    local text = script.params[name]
    if text == nil then
        if kind == "nil" then place.fail("the parameter %q has no default: give it as --set %s=...", name, name) end
        return default
    end
    local value = converted(name, text, default)
    if value == nil then
        place.fail("--set %s=%s: the parameter %q is a %s, as its default %s is", name, text, name, kind, tostring(default))
    end
    return value
end

return ls
