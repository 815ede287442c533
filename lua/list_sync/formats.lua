-- formats.lua - what check.lua's checks of one option cannot see in a connector's message format.
require("jit").off(true, true) -- runs a few times: not worth a trace

local formats = {}

local WITHOUT_DDL = { debezium = true, maxwell = true }

function formats.check(at, out, fail)
    for _, set in ipairs(out.sets) do
        if out.ddl and WITHOUT_DDL[set.format] then
            fail(at, "ddl", 'option "ddl" in %s cannot be true with format = %q, which has no form for a drop or a rename: take it out, or take '
                .. 'format = "list_sync", "flat" or "protobuf"', at.title, set.format)
        end
        if set.json == "embed" and set.format == "protobuf" then
            fail(at, "json", 'option "json" in %s cannot be "embed" with format = "protobuf", whose messages tell a document by its type: take it out', at.title)
        end
    end
end

return formats
