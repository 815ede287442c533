-- check.lua - looks a call's table over against options.lua and fills in the defaults. What it finds wrong it raises as
-- `script:line: text`, where the line is the option's own if it can be found in the call's text.
local ffi = require "list_sync.ffi"
local calls = require "list_sync.options"
local csv = require "list_sync.csv"
local duration = require "list_sync.duration"
local formats = require "list_sync.formats"
local layout = require "list_sync.layout"
local place = require "list_sync.place"
local source = require "list_sync.source"
local tables = require "list_sync.tables"
local values = require "list_sync.values"
local C = ffi.C

require("jit").off(true, true) -- runs a few times: not worth a trace

-- offline: what ls.env could not know is "", and passes. script: the script's path.
local check = { offline = false, script = "" }

local SIZE_UNITS = { [""] = 1, KiB = 1024, MiB = 1024 ^ 2, GiB = 1024 ^ 3 }

-- ---- what is wrong ----

local function fail(at, key, text, ...)
    if select("#", ...) > 0 then text = text:format(...) end
    place.raise(at.path, at.lines[key] or at.lines.name or at.line, text)
end

local function nearest(word, names)
    local list = ffi.new("const char *[?]", #names, names)
    local found = C.ls_nearest(word, list, #names)
    return found ~= nil and ffi.string(found) or nil
end

local function shown(option, value)
    local kind = type(value)
    if kind == "string" then return option.secret and "a text" or ("the text %q"):format(value) end
    if kind == "number" or kind == "boolean" then return tostring(value) end
    return "a " .. kind
end

local function range(option)
    if option.min and option.max then return (" from %.0f to %.0f"):format(option.min, option.max) end
    return ""
end

local function quoted(names)
    local out = {}
    for i, name in ipairs(names) do out[i] = ("%q"):format(name):gsub("\\\n", "\\n"):gsub("\r", "\\r") end
    return table.concat(out, ", ")
end

local function must(at, option, wanted, value)
    fail(at, option.name, "option %q in %s must be %s, not %s", option.name, at.title, wanted, shown(option, value))
end

-- ---- one check a type: each gives the value as C takes it ----

local types = {}

function types.text(at, option, value)
    local wanted = "text"
    if option.pattern then wanted = ("1 to %d %s"):format(option.max, option.wants) end
    if type(value) ~= "string" then must(at, option, wanted, value) end
    if value == "" and not option.empty and not check.offline then
        fail(at, option.name, "option %q in %s must not be empty", option.name, at.title)
    end
    if value:find("%z") then fail(at, option.name, "option %q in %s holds a NUL byte", option.name, at.title) end
    if option.max and #value > option.max then
        fail(at, option.name, "option %q in %s is %d bytes long, and may have %d", option.name, at.title, #value, option.max)
    end
    if option.pattern and value ~= "" and not value:find(option.pattern) then must(at, option, wanted, value) end
    return value
end

function types.integer(at, option, value)
    if type(value) ~= "number" or value % 1 ~= 0 or value < option.min or value > option.max then
        must(at, option, "an integer" .. range(option), value)
    end
    return value
end

function types.boolean(at, option, value)
    if type(value) ~= "boolean" then must(at, option, "true or false", value) end
    return value
end

function types.choice(at, option, value)
    value = option.means and option.means[value] or value
    local open = {}
    for _, choice in ipairs(option.choices) do
        local only = option.choice_only and option.choice_only[choice]
        if not only or only == at.db then
            if value == choice then return value end
            open[#open + 1] = choice
        end
    end
    must(at, option, (#open > 1 and "one of " or "") .. quoted(open), value)
end

local POSITIONS = {
    postgres = { wanted = 'a position such as "0/2A1F00"', "^%x+/%x+$" },
    mysql = { wanted = 'a position such as "binlog.000003:1234" or GTIDs', "^.+%.%d+:%d+$", "^%d+%-%d+%-%d+[%d,%-]*$", "^%x+%-%x+%-%x+%-%x+%-%x+:" },
}

function types.start(at, option, value)
    local positions = POSITIONS[at.db]
    for _, pattern in ipairs(type(value) == "string" and positions or {}) do
        if value:find(pattern) then return value end
    end
    local open = {}
    for _, choice in ipairs(option.choices) do
        local only = option.choice_only[choice]
        if not only or only == at.db then
            if value == choice then return value end
            open[#open + 1] = choice
        end
    end
    must(at, option, ("one of %s, or %s"):format(quoted(open), positions.wanted), value)
end

function types.char(at, option, value)
    if type(value) ~= "string" or #value ~= 1 or value:find "[%c\128-\255]" and value ~= "\t" then
        must(at, option, "one ASCII character", value)
    end
    return value
end

function types.size(at, option, value)
    local bytes = value
    if type(value) == "string" then
        local number, unit = value:match "^(%d+)%s*(%a*)$"
        bytes = number and SIZE_UNITS[unit] and tonumber(number) * SIZE_UNITS[unit]
    end
    if type(bytes) ~= "number" or bytes % 1 ~= 0 then
        must(at, option, 'bytes, as a number or as text such as "24MiB"', value)
    end
    if bytes < option.min or bytes > option.max then
        must(at, option, ("from %.0f MiB to %.0f MiB"):format(option.min / 1024 ^ 2, option.max / 1024 ^ 2), value)
    end
    return bytes
end

function types.duration(at, option, value) return duration.check(at, option, value, fail) end

function types.rotate(at, option, value) return csv.rotate(at, option, value, fail, types) end

function types.hook(at, option, value)
    if type(value) ~= "function" then must(at, option, "a function", value) end
    return value
end

function types.list(at, option, value)
    if type(value) == "string" then value = { value } end
    if type(value) ~= "table" then must(at, option, "a text or a list of texts", value) end
    for key in pairs(value) do
        if type(key) ~= "number" or key % 1 ~= 0 or key < 1 or key > #value then
            fail(at, option.name, "option %q in %s must be a list of texts, and has the key %s", option.name, at.title, tostring(key))
        end
    end
    if #value == 0 then fail(at, option.name, "option %q in %s is an empty list", option.name, at.title) end
    local out = {}
    for i, text in ipairs(value) do
        if type(text) ~= "string" then must(at, option, "a list of texts", text) end
        out[i] = types.text(at, { name = option.name }, text)
    end
    return out
end

local help = { fail = fail, must = must, shown = shown, quoted = quoted, nearest = nearest, types = types } -- for the modules that read an option each

function types.tables(at, option, value) return tables.split(at, option, value, help) end

for name, read in pairs(tables.send) do
    types[name] = function(at, option, value) return read(at, option, value, help) end
end

local function property(at, option, name, value)
    if type(name) ~= "string" then
        fail(at, option.name, "option %q in %s must be a table of librdkafka properties, and has the key %s", option.name, at.title,
            tostring(name))
    end
    local why = C.ls_kafka_owned(name)
    if why ~= nil then
        fail(at, option.name, "option %q in %s: %s is set by the program (%s): take it out", option.name, at.title, name, ffi.string(why))
    end
    local kind = type(value)
    if kind == "number" then return { name, (value % 1 == 0 and "%.0f" or "%.17g"):format(value) } end
    if kind == "boolean" then return { name, tostring(value) } end
    if kind ~= "string" or value:find "%z" then
        fail(at, option.name, "option %q in %s: the property %q must be a text, a number or a boolean, not a %s", option.name,
            at.title, name, kind)
    end
    return { name, value }
end

function types.kafka(at, option, value)
    if value == "memory" then return { memory = true, pairs = {} } end
    if type(value) == "string" then value = { ["bootstrap.servers"] = types.text(at, option, value) } end
    if type(value) ~= "table" then
        must(at, option, 'bootstrap servers, "memory", or a table of librdkafka properties', value)
    end
    local out = {}
    for name, given in pairs(value) do out[#out + 1] = property(at, option, name, given) end
    table.sort(out, function(a, b) return a[1] < b[1] end)
    if not value["bootstrap.servers"] and not value["metadata.broker.list"] then
        fail(at, option.name, 'option %q in %s names no brokers: add ["bootstrap.servers"] = "host:9092"', option.name, at.title)
    end
    return { memory = false, pairs = out }
end

-- ---- columns ----

local CASTS = {
    boolean = C.LS_TYPE_BOOLEAN, integer = C.LS_TYPE_INTEGER, float = C.LS_TYPE_FLOAT, decimal = C.LS_TYPE_DECIMAL,
    string = C.LS_TYPE_STRING, json = C.LS_TYPE_JSON, datetime = C.LS_TYPE_DATETIME, timestamp = C.LS_TYPE_TIMESTAMP,
}
local CAST_NAMES = { "boolean", "integer", "float", "decimal", "string", "json", "datetime", "timestamp" }
local MASKS = { text = 1, sha256 = 2, hmac = 3, keep_last = 4 } -- enum ls_mask
local PARTS = { "drop", "cast", "mask", "rename" }

local function name_of_column(at, option, part, name)
    if type(name) ~= "string" or name == "" or name:find "%z" then
        fail(at, option.name, "%s.%s in %s names columns by texts, not by %s", option.name, part, at.title, shown({}, name))
    end
    return name
end

-- What stands in messages as it is.
local function must_be_utf8(at, option, part, name, text)
    if C.ls_utf8_valid(text, #text) then return text end
    fail(at, option.name, "%s.%s in %s: the text for %q is not valid UTF-8", option.name, part, at.title, name)
end

local readers = {}

function readers.cast(at, option, name, to)
    if not CASTS[to] then
        fail(at, option.name, "%s.cast in %s: %q can be cast to one of %s, not to %s", option.name, at.title, name, quoted(CAST_NAMES), shown({}, to))
    end
    return { cast = tonumber(CASTS[to]) }
end

function readers.mask(at, option, name, mask)
    if type(mask) == "string" then return { mask = MASKS.text, text = must_be_utf8(at, option, "mask", name, mask) } end
    if getmetatable(mask) ~= values.mask_meta then
        fail(at, option.name, "%s.mask in %s: the mask of %q is a text, ls.sha256, ls.hmac(key) or ls.keep_last(n), not %s; row:mask in `map` "
            .. "takes a function", option.name, at.title, name, shown({}, mask))
    end
    return { mask = MASKS[mask.kind], text = mask.secret, keep = mask.keep }
end

function readers.rename(at, option, name, to)
    if type(to) ~= "string" or to == "" or to:find "%z" or #to > 255 then
        fail(at, option.name, "%s.rename in %s: the new name of %q is 1 to 255 bytes of text, not %s", option.name, at.title, name, shown({}, to))
    end
    return { rename = must_be_utf8(at, option, "rename", name, to) }
end

-- A rule a column, in the names' order, so that messages are the same whatever order the tables were walked in.
function types.columns(at, option, value)
    if type(value) ~= "table" then must(at, option, "a table of drop, cast, mask and rename", value) end
    local rules, names = {}, {}
    local function rule(part, name)
        name = name_of_column(at, option, part, name)
        if not rules[name] then
            rules[name] = { name = name }
            names[#names + 1] = name
        end
        return rules[name]
    end
    for part in pairs(value) do
        if part ~= "drop" and not readers[part] then
            local near = type(part) == "string" and nearest(part, PARTS)
            fail(at, option.name, "option %q in %s has drop, cast, mask and rename, not %s%s", option.name, at.title, tostring(part),
                near and ("; did you mean %q?"):format(near) or "")
        end
        if part ~= "drop" and type(value[part]) ~= "table" then
            fail(at, option.name, "%s.%s in %s must be a table by column, not %s", option.name, part, at.title, shown({}, value[part]))
        end
    end
    for part, reader in pairs(readers) do
        for name, given in pairs(value[part] or {}) do
            local into = rule(part, name)
            for key, what in pairs(reader(at, option, name, given)) do into[key] = what end
        end
    end
    local dropped = type(value.drop) == "string" and { value.drop } or value.drop or {}
    if type(dropped) ~= "table" then fail(at, option.name, "%s.drop in %s must be a list of columns, not %s", option.name, at.title, shown({}, dropped)) end
    for _, name in pairs(dropped) do
        local into = rule("drop", name)
        if into.cast or into.mask or into.rename then
            fail(at, option.name, "%s in %s drops %q, and casts, masks or renames it too", option.name, at.title, name)
        end
        into.drop = 1
    end
    table.sort(names)
    local out = {}
    for i, name in ipairs(names) do out[i] = rules[name] end
    return out
end

function types.layout(_, _, value) return value end -- layout.lua looks it over when the rest is known

local writers = setmetatable({}, { __mode = "k" })

function types.writer(at, option, value)
    if not writers[value] then must(at, option, "made by ls.csv_writer or ls.writer", value) end
    return value
end

-- ---- what one option's check cannot see ----

local rules = {}

-- Patterns without a dot are of the default database, where one is given.
local function check_patterns(at, key, patterns)
    local database = at.db == "mysql" and at.given.database
    for i, pattern in ipairs(patterns) do
        local out, rest = pattern:match "^(!?)(.*)$"
        if database and rest ~= "" and not rest:gsub("\\.", ""):find(".", 1, true) then
            patterns[i] = out .. database:gsub("[%.%*%?\\!]", "\\%0") .. "." .. rest
        elseif not pattern:gsub("\\.", ""):find("[.*]") and pattern ~= "" then
            fail(at, key, "option %q in %s: the pattern %q names no schema: write it as %q", key, at.title, pattern,
                at.db == "mysql" and "database." .. pattern or "public." .. pattern)
        end
    end
end

-- What Kafka takes for a topic's name; a pattern (^...) is none: what it stands for changes as topics come and go.
local function check_topic_name(at, key, name, parts)
    local wrong = parts:match "[^%w._-]"
    if wrong then
        fail(at, key, "option %q in %s: the topic %q has the character %q; Kafka takes letters, digits, dots, _ and - in a name", key,
            at.title, name, wrong)
    elseif #name > 249 or name == "" or name == "." or name == ".." then
        fail(at, key, "option %q in %s: %q is no topic's name: Kafka takes 1 to 249 characters, and not . or ..", key, at.title, name)
    end
end

local function check_topics(at, topics)
    if type(topics) == "function" then return end
    for _, topic in ipairs(topics) do
        local rest = topic:gsub("{database}", ""):gsub("{schema}", ""):gsub("{table}", "")
        if rest:find "[{}]" then
            fail(at, "topic", 'option "topic" in %s: the template %q has %s; it may have {database}, {schema} and {table}', at.title,
                topic, rest:match "{[^{}]*}" or "a single brace")
        end
        check_topic_name(at, "topic", topic, rest)
    end
end

-- wal2json knows partitions only: their table's name is not in what it sends.
local function check_partition_root(at, out)
    local published = out.plugin == "pgoutput"
    if out.partition_root and not published then
        fail(at, "partition_root", 'option "partition_root" in %s cannot be true with plugin = "wal2json", which sends changes under '
            .. 'the partitions\' names: take it out and capture the partitions, or take plugin = "pgoutput"', at.title)
    end
    if out.partition_root == nil then out.partition_root = published end
end

-- One set of the options that tables may have of their own, as C and hooks.lua take it: what a function says has a name of its own.
local function finish_set(at, set, unused)
    if not set.topic and not unused then
        fail(at, nil, 'option "topic" is missing in %s: add topic = "{database}.{schema}.{table}"', at.title)
    end
    check_topics(at, set.topic or {})
    set.topic = set.topic or {}
    set.key = set.key or { "pk", word = true }
    set.own_key = type(set.key) == "table" and not set.key.word
    set.headers = set.headers or {}
    if set.as then set.as_schema, set.as_table = set.as.schema, set.as.table end
    set.filtered = set.filter ~= nil
    for _, name in ipairs { "topic", "key", "headers", "format" } do
        if type(set[name]) == "function" then set[name .. "_function"], set[name], set.send_functions = set[name], name ~= "format" and {} or nil, true end
    end
    set.send_functions = set.send_functions or set.moves == "split" and set.own_key or nil
end

-- Where dead letters go unless the script says it.
local function name_dead_letters(at, out)
    local name = out.name:gsub("[^%w._-]", "_")
    out.dead_letter_topic = out.dead_letter_topic or name .. ".dead_letters"
    check_topic_name(at, "dead_letter_topic", out.dead_letter_topic, out.dead_letter_topic)
end

function rules.connector(at, out)
    if out.table and out.tables then
        fail(at, "table", "%s has both table and tables: put the pattern into tables", at.title)
    elseif not (out.table or out.tables) then
        fail(at, nil, 'option "tables" is missing in %s: add tables = { "public.*" }', at.title)
    end
    local key = out.table and "table" or "tables"
    local own, list = out.tables and out.tables.own or {}, out.tables and out.tables.patterns or { out.table }
    check_patterns(at, key, list)
    local of = {} -- as it was given, by pattern
    out.tables, out.table = {}, nil
    for i, one in ipairs(own) do
        local pattern = { one.pattern }
        check_patterns(at, key, pattern)
        one.pattern, out.tables[i] = pattern[1], pattern[1]
        if of[one.pattern] then
            fail(at, "tables\0" .. one.key, "tables[%q] and tables[%q] in %s are the same tables: put their options together", of[one.pattern], one.key, at.title)
        end
        of[one.pattern] = one.key
    end
    for _, pattern in ipairs(list) do out.tables[#out.tables + 1] = pattern end -- behind them, so that ! leaves out
    out.database = out.database or ""
    out.sets = tables.options(at, out, own, at.call.options, help, function(here, set)
        finish_set(here, set, #list == 0 and not set.pattern)
    end)
    formats.check(at, out, fail)
    if out.standby and out.kafka_conf.memory then
        fail(at, "standby", 'option "standby" in %s needs brokers that other programs reach too: kafka_conf = "memory" is this program\'s own', at.title)
    end
    if at.db == "postgres" then check_partition_root(at, out) end
    name_dead_letters(at, out)
    if at.db == "postgres" and not out.slot then out.slot = out.name:lower():gsub("[^a-z0-9_]", "_"):sub(1, 63) end
end

function types.flush_every(at, option, value)
    if type(value) ~= "table" then must(at, option, "a table of rows and ms", value) end
    for key in pairs(value) do
        if key ~= "rows" and key ~= "ms" then
            fail(at, option.name, "option %q in %s has rows and ms, not %s", option.name, at.title, tostring(key))
        end
    end
    return {
        rows = value.rows and types.integer(at, { name = option.name, min = 1, max = 1e9 }, value.rows),
        ms = value.ms and types.integer(at, { name = option.name, min = 1, max = 600000 }, value.ms),
    }
end

function rules.writer(_, out)
    local every = out.flush_every or {}
    out.flush_rows, out.flush_ms = every.rows or 10000, every.ms or 500
    writers[out] = true
end

function rules.consumer(at, out)
    if out.writer and out.callback then fail(at, "callback", "%s has both writer and callback: put the function into write", at.title) end
    if not out.writer and not out.callback then
        fail(at, nil, 'option "writer" is missing in %s: add writer = ls.csv_writer { filename = "out/rows" }', at.title)
    end
    if out.callback then
        local callback = out.callback
        -- without a flush of its own there is nothing to gather rows for: offsets are committed by time alone
        out.writer = { write = function(_, row) return callback(row) end, hook = callback, flush_ms = 500 }
    end
    for _, topic in ipairs(out.topic_list) do check_topic_name(at, "topic_list", topic, topic) end
    out.name = out.name or out.group_id
    out.consumer_id = out.consumer_id or out.name
    name_dead_letters(at, out)
    for _, topic in ipairs(out.topic_list) do
        if topic == out.dead_letter_topic and out.on_error == "dead_letter" then
            fail(at, "dead_letter_topic", "%s reads its own dead letters: take %q out of topic_list, or give it another dead_letter_topic", at.title, topic)
        end
    end
    csv.check_consumer(at, out, fail)
end

function rules.csv_writer(at, out)
    csv.check(at, out, fail)
    layout.check(at, out, { fail = fail, types = types, nearest = nearest })
    writers[out] = true
end

-- ---- a call ----

local function title_of(call, given)
    local name = type(given.name) == "string" and given.name or call.name == "consumer" and given.group_id
    if call.title and type(name) == "string" then return ("%s %q"):format(call.title, name) end
    return "ls." .. call.name
end

local function check_names(at, call)
    local names, known, unknown = {}, {}, {}
    for i, option in ipairs(call.options) do names[i], known[option.name] = option.name, option end
    for key, value in pairs(at.given) do
        if type(key) ~= "string" then
            fail(at, nil, "ls.%s takes name = value pairs, and %s has no name", call.name, shown({}, value))
        elseif not known[key] then
            unknown[#unknown + 1] = key
        end
    end
    table.sort(unknown, function(a, b)
        local x, y = at.lines[a] or 0, at.lines[b] or 0
        return x < y or x == y and a < b
    end)
    local key = unknown[1]
    if not key then return end
    local near = nearest(key, names)
    fail(at, key, "unknown option %q in %s; %s", key, at.title,
        near and ("did you mean %q?"):format(near) or ("`list_sync options %s` tells the known ones"):format(call.name))
end

local function default(at, option)
    if option.by_db then return option.by_db[at.db] end
    if option.only and option.only ~= at.db then return nil end
    return option.default
end

local function check_option(at, option)
    local value = at.given[option.name]
    if value == nil then
        if (option.required == true or option.required and option.required == at.db) and not option.by_table then
            fail(at, nil, "option %q is missing in %s: add %s = %s", option.name, at.title, option.name, option.example)
        end
        return default(at, option)
    end
    if option.only and option.only ~= at.db then
        fail(at, option.name, "option %q in %s belongs to db_type %q, not %q", option.name, at.title, option.only, at.db)
    end
    return types[option.type](at, option, value)
end

-- The checked options of one call, and the line of its `name =`. Called by the ls.* function itself.
function check.call(name, given)
    local call
    for _, c in ipairs(calls) do call = c.name == name and c or call end
    local path, line = place.user()
    local at = { path = path or check.script, line = line, lines = {}, given = given, call = call, title = "ls." .. name }
    if type(given) ~= "table" then fail(at, nil, "ls.%s takes a table: ls.%s { ... }", name, name) end
    at.title = title_of(call, given)
    if path then at.lines = source.lines_of_call(path, line, name) end
    check_names(at, call)
    local out = {}
    for _, option in ipairs(call.options) do -- db_type stands before the options that depend on it
        out[option.name] = check_option(at, option)
        if option.name == "db_type" then at.db = out.db_type end
    end
    rules[name](at, out)
    return out, { path = at.path, line = at.lines.name or line, title = at.title }
end

check.nearest = nearest
return check
