-- case_errors.lua - files of cases that are wrong, each as a file case.lua, and what is said of them. test_cases.c runs them.
--   file   its text
--   want   the whole error
--   give   the error comes when the first case's rows are given
local HEAD = [[
local ls = require "list_sync"
ls.table { "public.orders", { "id", "integer", key = 1 }, { "total", "decimal" }, { "tags", "array" }, { "paid", "boolean" } }
]]

-- A case whose text begins on line 3.
local function case(body, before) return HEAD .. (before or "") .. "ls.case {\n  name = \"a\",\n" .. body .. "\n}\n" end

local function given(image, want)
    return { file = case("  give = { new = { id = 7, " .. image .. " } },"), want = "case.lua:5: give.new: " .. want, give = true }
end

return {
    { file = "local x = = 1\n", want = "case.lua:1: unexpected symbol near '='" },
    { file = "\nlocal t = nil\nreturn t.x\n", want = "case.lua:3: attempt to index local 't' (a nil value)" },
    { file = 'require "list_sync"\n', want = "case.lua: there is no case in it: ls.case { name = ..., give = ..., want = ... }" },
    { file = 'local ls = require "list_sync"\nls.connector { name = "a" }\n', want = "case.lua:2: ls.connector stands in a file of cases: stages are declared in the script" },

    -- tables
    { file = 'local ls = require "list_sync"\nls.table "public.t"\n', want = "case.lua:2: ls.table takes a table: ls.table { ... }" },
    { file = 'local ls = require "list_sync"\nls.table { { "id", "integer" } }\n',
      want = 'case.lua:2: ls.table begins with the table\'s name: ls.table { "public.orders", { "id", "integer", key = 1 }, ... }' },
    { file = 'local ls = require "list_sync"\nls.table { "orders", { "id", "integer" } }\n',
      want = 'case.lua:2: ls.table begins with the table\'s name: ls.table { "public.orders", { "id", "integer", key = 1 }, ... }' },
    { file = 'local ls = require "list_sync"\nls.table { "a.b" }\n', want = "case.lua:2: ls.table: a.b has no column" },
    { file = 'local ls = require "list_sync"\nls.table { "a.b",\n  key = { "id" },\n { "id", "integer" } }\n', want = "case.lua:3: ls.table takes a name and columns, and has key = ..." },
    { file = 'local ls = require "list_sync"\nls.table { "a.b", { "id" } }\n', want = 'case.lua:2: ls.table: column 1 of a.b is written { "name", "type" }, with key = 1 where it is the key, and null = false where it is NOT NULL' },
    { file = 'local ls = require "list_sync"\nls.table { "a.b", { "id", "intger" } }\n', want = 'case.lua:2: ls.table: column "id" of a.b has the type "intger"; did you mean "integer"?' },
    { file = 'local ls = require "list_sync"\nls.table { "a.b", { "id", "integer" }, { "id", "string" } }\n', want = 'case.lua:2: ls.table: a.b has two columns "id"' },
    { file = 'local ls = require "list_sync"\nls.table { "a.b", { "id", "integer", key = true } }\n',
      want = 'case.lua:2: ls.table: column "id": key is the column\'s place in the key, 1 or, of several columns, 1, 2 ..., each once' },
    { file = 'local ls = require "list_sync"\nls.table { "a.b", { "id", "integer", key = 2 } }\n', want = "case.lua:2: ls.table: a.b: the places of its key's columns leave one out: they are 1, 2 ..." },
    { file = 'local ls = require "list_sync"\nls.table { "a.b", { "id", "integer", kye = 1 } }\n', want = 'case.lua:2: ls.table: column 1 of a.b is written { "name", "type" }, with key = 1 where it is the key, and null = false where it is NOT NULL' },
    { file = 'local ls = require "list_sync"\nls.table { "a.b", { "id", "integer", null = 0 } }\n', want = 'case.lua:2: ls.table: column "id": null is true or false: may it be NULL?' },

    -- a case
    { file = HEAD .. 'ls.case "a"\n', want = "case.lua:3: ls.case takes a table: ls.case { ... }" },
    { file = HEAD .. "ls.case {\n  give = { new = { id = 1 } },\n}\n", want = 'case.lua:3: ls.case has no name: add name = "what it shows"' },
    { file = case "  want = {},", want = 'case.lua:4: case "a" gives no row: add give = { new = { ... } }' },
    { file = case "  give = { new = { id = 1 } },\n  wnat = {},", want = 'case.lua:6: ls.case has name, stage, give, want, error, not wnat; did you mean "want"?' },
    { file = case "  stage = 1,\n  give = { new = { id = 1 } },", want = "case.lua:5: stage is the name of a connector or consumer" },
    { file = case "  give = { new = { id = 1 } },\n  want = {},\n  error = \"x\",", want = 'case.lua:7: case "a" wants rows and an error: take one of them out' },
    { file = case "  give = { new = { id = 1 } },\n  error = true,", want = "case.lua:6: error is a text that the error must have in it" },

    -- what it gives
    { file = case "  give = \"id\",", want = "case.lua:5: give is a row, such as { new = { id = 7 } }, or a list of rows" },
    { file = case "  give = {},", want = "case.lua:5: give is a row, such as { new = { id = 7 } }, or a list of rows" },
    { file = case "  give = { nwe = { id = 1 } },", want = 'case.lua:5: a row of give has action, table, new, old, moved_from, moved_to, source, topic, partition, not nwe; did you mean "new"?' },
    { file = case "  give = { action = \"T\", new = { id = 1 } },", want = 'case.lua:5: give.action is "I", "U" or "D", not "T": hooks see no others' },
    { file = case "  give = { action = \"U\", old = { id = 1 } },", want = "case.lua:5: give has no `new`, which a row of action U has" },
    { file = case "  give = { action = \"D\", new = { id = 1 }, old = { id = 1 } },", want = "case.lua:5: give.new: a row of action D has none" },
    { file = case "  give = { action = \"I\", new = { id = 1 }, old = { id = 1 } },", want = "case.lua:5: give.old: a row of action I has none" },
    { file = case "  give = { new = { id = 1 }, moved_to = { id = 2 } },",
      want = "case.lua:5: give.moved_to: a row of action I has none; an update of the key has another key in old than in new" },
    { file = case "  give = { new = { id = 1 }, source = { seq = -1 } },", want = "case.lua:5: give.source.seq is a whole number from 0 to 9007199254740992" },
    { file = case "  give = { new = { id = 1 }, source = { seq = 1.5 } },", want = "case.lua:5: give.source.seq is a whole number from 0 to 9007199254740992" },
    { file = case "  give = { new = { id = 1 }, source = { ts = 1e30 } },", want = "case.lua:5: give.source.ts is a whole number from -9007199254740992 to 9007199254740992" },
    { file = case "  give = { new = { id = 1 }, source = { ts = 0/0 } },", want = "case.lua:5: give.source.ts is a whole number from -9007199254740992 to 9007199254740992" },
    { file = case("  give = { new = { id = 1 }, source = { pos = '" .. ("0"):rep(40) .. "' } },"), want = "case.lua:5: give.source.pos is a text of no more than 39 bytes" },
    { file = case "  give = { new = { id = 1 }, partition = 2147483648 },", want = "case.lua:5: give.partition is a whole number from 0 to 2147483647" },
    { file = case "  give = { new = 7 },", want = "case.lua:5: give.new is a table of the columns' values, not a number" },
    { file = case "  give = { new = { id = 1, totl = \"1\" } },", want = 'case.lua:5: give.new: table public.orders has no column "totl"; did you mean "total"?' },
    { file = case "  give = { new = { total = \"1\" } },", want = 'case.lua:5: give.new has no value of the key\'s column "id"' },
    { file = case "  give = { old = { id = ls.null } },", want = 'case.lua:5: give.old has no value of the key\'s column "id"' },
    { file = case "  give = { old = { id = 1 }, moved_to = {} },", want = 'case.lua:5: give.moved_to has no value of the key\'s column "id"' },
    { file = case "  give = { table = \"public.order\", new = { id = 1 } },",
      want = 'case.lua:5: give: no table "public.order" is declared by ls.table before it; did you mean "public.orders"?' },
    { file = case("  give = { new = { id = 1 } },", 'ls.table { "a.b", { "id", "integer" } } '), want = 'case.lua:5: give names no table, and there are several: add table = "public.orders"' },
    { file = 'local ls = require "list_sync"\nls.case { name = "a", give = { new = { id = 1 } } }\n',
      want = 'case.lua:2: no table is declared: ls.table { "public.orders", { "id", "integer", key = 1 }, ... } goes before the cases' },
    { file = case "  give = { new = { id = 1 }, source = { position = \"1\" } },", want = "case.lua:5: give.source has pos, seq, tx, ts, not position; there are pos, seq, tx, ts" },
    { file = case "  give = { new = { id = 1 }, source = { ts = \"1\" } },", want = "case.lua:5: give.source.ts is a whole number from -9007199254740992 to 9007199254740992" },
    { file = case "  give = { new = { id = 1 }, topic = 1 },", want = "case.lua:5: give.topic is a text" },
    given('total = "x"', 'column "total" (decimal) takes decimal text such as "12.50", or a whole number, not another text'),
    given('paid = 1', 'column "paid" (boolean) takes true or false, not a number'),
    given('tags = "a"', 'column "tags" (array) takes ls.array{...}, not text that is no JSON'),
    given('tags = { 1 }', 'column "tags" takes a text, a number, a boolean or nil, not a table: ls.array{...} makes an array of one, ls.json(...) a document'),

    -- what it wants
    { file = case "  give = { new = { id = 1 } },\n  want = \"dropped\",", want = "case.lua:6: want is the row that is sent, or a list of them; {} where none is" },
    { file = case "  give = { new = { id = 1 } },\n  want = { nwe = {} },", want = 'case.lua:6: a row of want has action, table, new, old, moved_from, moved_to, topic, key, headers, message, not nwe; did you mean "new"?' },
    { file = case "  give = { new = { id = 1 } },\n  want = { { new = 1 } },", want = "case.lua:6: want.new is a table of the columns' values, not a number" },
    { file = case "  give = { new = { id = 1 } },\n  want = { table = \"orders\" },", want = 'case.lua:6: want.table is written "schema.table"' },
    { file = case "  give = { new = { id = 1 } },\n  want = { key = 1 },", want = "case.lua:6: want.key is the key's text, or ls.null for none" },
    { file = case "  give = { new = { id = 1 } },\n  want = { topic = 1 },", want = "case.lua:6: want.topic is the topic's name, or a list of names" },
    { file = case "  give = { new = { id = 1 } },\n  want = { headers = \"a\" },", want = "case.lua:6: want.headers is a table of the headers' values" },
    { file = case "  give = { new = { id = 1 } },\n  want = { message = 1 },", want = "case.lua:6: want.message is its JSON text, or a table" },
    { file = case "  give = { new = { id = 1 } },\n  want = { { new = {} }, 1 },", want = "case.lua:6: want: row 2 is a number, and not a table" },
}
