-- csv.lua - what check.lua's checks of one option cannot see in ls.csv_writer.
require("jit").off(true, true) -- runs a few times: not worth a trace

local duration = require "list_sync.duration"

local csv = {}

local FIELDS = { "schema", "table", "topic", "partition", "consumer", "kind", "date", "hour" }
local KNOWN = {}
for _, name in ipairs(FIELDS) do KNOWN[name] = true end

function csv.check_template(at, out, fail)
    local name = out.filename
    local rest = name:gsub("{(%w+)}", function(field) return KNOWN[field] and "" or nil end)
    if rest:find "[{}]" then
        fail(at, "filename", 'option "filename" in %s: the template %q has %s; it may have {%s}', at.title, name,
            rest:match "{[^{}]*}" or "a single brace", table.concat(FIELDS, "}, {"))
    end
    if not name:find("{", 1, true) then return end
    if name:find "/$" then fail(at, "filename", 'option "filename" in %s: the template %q names a folder: put {table} or another name behind it', at.title, name) end
    if out.split_files and not name:find("{kind}", 1, true) then
        fail(at, "split_files", "%s has split_files, and the template %q has no {kind} to part the rows by", at.title, name)
    end
    out.filename = name:gsub("%.csv$", "") -- it is put behind each part's number
end

local parts = {}

function parts.size(at, option, value, _, types) return types.size(at, option, value) end

function parts.rows(at, option, value, _, types) return types.integer(at, option, value) end

function parts.every(at, option, value, fail)
    local seconds = (duration.ms(value) or 0) / 1000
    if seconds < 1 or seconds % 1 ~= 0 or seconds > 366 * 86400 then
        fail(at, option.name, 'option %q in %s must be a text such as "30s", "15m", "1h" or "1d", at most 366 days, not %s', option.name, at.title,
            type(value) == "string" and ("the text %q"):format(value) or tostring(value))
    end
    return seconds
end

local RANGES = { size = { 1024 ^ 2, 1024 ^ 4 }, rows = { 1, 1e12 }, every = {} }

function csv.rotate(at, option, value, fail, types)
    local out = {}
    if type(value) ~= "table" then
        fail(at, option.name, 'option "rotate" in %s must be a table as { size = "64MiB", rows = 1000000, every = "1h" }, not %s', at.title, tostring(value))
    end
    for key in pairs(value) do
        if not parts[key] then fail(at, option.name, 'option "rotate" in %s has size, rows and every, not %s', at.title, tostring(key)) end
    end
    for key, range in pairs(RANGES) do
        local name = "rotate." .. key
        at.lines[name] = at.lines[option.name]
        if value[key] ~= nil then out[key] = parts[key](at, { name = name, min = range[1], max = range[2] }, value[key], fail, types) end
    end
    if not next(out) then fail(at, option.name, 'option "rotate" in %s is empty: add size, rows or every', at.title) end
    return out
end

function csv.check_signs(at, out, fail)
    if out.delimiter == out.quote then
        local key = at.given.quote and "quote" or "delimiter"
        fail(at, key, "delimiter and quote in %s are the same character", at.title)
    end
    for _, key in ipairs { "delimiter", "quote" } do -- rows begin with I, D or T, unquoted, and the header with action and table
        if out[key]:find "%a" then fail(at, key, "option %q in %s must not be a letter, and is %q", key, at.title, out[key]) end
    end
    for _, key in ipairs { "null", "absent" } do
        for _, sign in ipairs { out.delimiter, out.quote, "\n", "\r" } do
            if out[key]:find(sign, 1, true) then
                fail(at, key, "option %q in %s must not hold %q, since it is written as it is", key, at.title, sign)
            end
        end
    end
end

function csv.check(at, out, fail)
    csv.check_template(at, out, fail)
    csv.check_signs(at, out, fail)
    local rotate = out.rotate or {}
    out.rotate_bytes, out.rotate_rows, out.rotate_every = rotate.size or 0, rotate.rows or 0, rotate.every or 0
end

local function check_delivery(at, out, fail)
    if out.delivery ~= "exactly_once" then return end
    if out.writer.write then
        fail(at, "delivery", '%s has delivery = "exactly_once", which is for ls.csv_writer: take it out; a writer of the script has each row once '
            .. "when its flush stores the positions with the rows, and its open gives them back", at.title)
    end
    if out.kafka_conf.memory then
        fail(at, "delivery", '%s has delivery = "exactly_once" and kafka_conf = "memory", a broker that ends with the program, whose offsets mean nothing to '
            .. "the next start: give it brokers, or take delivery out", at.title)
    end
end

-- Two instances must not write one file, and partitions move between them.
function csv.check_consumer(at, out, fail)
    check_delivery(at, out, fail)
    local names = { out.writer.filename }
    for _, layout in ipairs(out.writer.layout or {}) do names[#names + 1] = layout.filename end
    for _, name in ipairs(names) do
        if out.instances > 1 and name:find("{", 1, true) and not name:find("{consumer}", 1, true) then
            fail(at, "instances", "%s has %d instances, and the filename %q has no {consumer} to part their files by", at.title, out.instances, name)
        end
    end
end

return csv
