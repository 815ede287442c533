-- csv.lua - what check.lua's checks of one option cannot see in ls.csv_writer.
require("jit").off(true, true) -- runs a few times: not worth a trace

local csv = {}

local FIELDS = { "schema", "table", "topic", "partition", "consumer", "kind", "date", "hour" }
local KNOWN = {}
for _, name in ipairs(FIELDS) do KNOWN[name] = true end

local function check_template(at, out, fail)
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

function csv.check(at, out, fail) check_template(at, out, fail) end

-- Two instances must not write one file, and partitions move between them.
function csv.check_consumer(at, out, fail)
    local name = out.writer.filename
    if out.instances > 1 and name and name:find("{", 1, true) and not name:find("{consumer}", 1, true) then
        fail(at, "instances", "%s has %d instances, and the filename %q has no {consumer} to part their files by", at.title, out.instances, name)
    end
end

return csv
