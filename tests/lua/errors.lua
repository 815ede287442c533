-- errors.lua - scripts that are wrong, each as a file case.lua, and what is said of them. test_script.c runs them.
--   script   its text
--   want     the whole error
--   params   --set NAME=VALUE
--   hooks    the stage whose hooks are run over test_script.c's batch: the error is the run's
local function connector(options, before)
    return (before or "") .. [[
local ls = require "list_sync"
ls.connector {
  name = "shop", db_type = "postgres",
  host = "db", user = "repl", database = "shop",
  table = "public.orders", topic = "wal",
  kafka_conf = "memory",
]] .. options .. "\n}\n"
end

local function tables(options)
    return (connector("  tables = { " .. options .. " },"):gsub('table = "public.orders", ', ""))
end

local function mysql(options)
    return (connector(options):gsub('"postgres"', '"mysql"'))
end

local function consumer(options)
    return [[
local ls = require "list_sync"
ls.consumer {
  group_id = "reports", topic_list = "wal", kafka_conf = "memory",
]] .. options .. "\n}\n"
end

local function csv(options)
    return consumer("  writer = ls.csv_writer {\n    filename = \"out\",\n" .. options .. "\n  },")
end

local function lay(options, pattern)
    return csv('    layout = {\n      ["' .. (pattern or "public.orders") .. '"] = {\n' .. options .. "\n      },\n    },")
end

local LAYOUT = 'layout "public.orders" of ls.csv_writer'

-- A column's function, and where it fails: the first row of the batch.
local function cell(body) return lay('        columns = { "id", { "gross", value = function(row)\n' .. body .. "\n        end } },") end

local function in_cell(text, position)
    return 'case.lua:9: column "gross" of layout "public.orders" of consumer "reports": ' .. text .. " (public.orders, key 7, position 0000000001a3b748/" ..
        (position or 1) .. ")"
end

local function hook(body, kind)
    return connector("  " .. (kind or "filter") .. " = function(row)\n" .. body .. "\n  end,")
end

-- Where the hooks of hook() fail: the first row of the batch, unless the body looks for another.
local function first(text, kind)
    return "case.lua:8: " .. (kind or "filter") .. ' of connector "shop": ' .. text .. " (public.orders, key 7, position 0000000001a3b748/1)"
end

-- The same for what a hook returns, which no line raises: the function's own line stands for it.
local function returned(text, kind, seq)
    return "case.lua:7: " .. kind .. ' of connector "shop": ' .. text .. " (public.orders, key 7, position 0000000001a3b748/" .. (seq or 1) .. ")"
end

local NOT_SENT = "column \"%s\" was not sent with this image, so it has no value to work with. A row before holds its key only; a large "
    .. "value that an update leaves alone is sent by PostgreSQL after ALTER TABLE ... REPLICA IDENTITY FULL, by MySQL and "
    .. "MariaDB with binlog_row_image=FULL. Test with row:has(\"%s\"), or compare with ls.absent"

return {
    -- the script itself
    { script = "local x = = 1\n", want = "case.lua:1: unexpected symbol near '='" },
    { script = "#!/usr/bin/env list_sync\n\nerror('no')\n", want = "case.lua:3: no" },
    { script = "local t = nil\nreturn t.x\n", want = "case.lua:2: attempt to index local 't' (a nil value)" },
    { script = "error({})\n", want = "case.lua:1: a table was raised as an error" },
    { script = "local function f()\n  error('deep', 0)\nend\nf()\n", want = "case.lua:2: deep" },

    -- names of topics
    { script = '\nlocal ls = require "list_sync"\nls.consumer {\n  group_id = "g", topic_list = { "a", "^wal.*" }, kafka_conf = "memory",\n'
        .. '  writer = ls.csv_writer { filename = "out" },\n}\n',
      want = 'case.lua:4: option "topic_list" in consumer "g": the topic "^wal.*" has the character "^"; Kafka takes letters, digits, dots, _ and - in a name' },
    { script = (connector "":gsub('"wal"', '"{schema}/x"')),
      want = 'case.lua:5: option "topic" in connector "shop": the topic "{schema}/x" has the character "/"; Kafka takes letters, digits, dots, _ and - in a name' },

    -- names of options
    { script = connector '  filtr = function() end,', want = 'case.lua:7: unknown option "filtr" in connector "shop"; did you mean "filter"?' },
    { script = connector '  ["replicaton"] = 3,', want = 'case.lua:7: unknown option "replicaton" in connector "shop"; did you mean "replication"?' },
    { script = connector '  colour = "red",', want = 'case.lua:7: unknown option "colour" in connector "shop"; `list_sync options connector` tells the known ones' },
    { script = connector('  map = function(row)\n    local prot = 1 if prot == 1 then prot = 2 end\n    local s = "prot = 1"\n  end, -- prot = 1\n  --[[ prot = 2 ]] prot = 3,'),
      want = 'case.lua:11: unknown option "prot" in connector "shop"; did you mean "port"?' },
    { script = connector '  "stray",', want = 'case.lua:3: ls.connector takes name = value pairs, and the text "stray" has no name' },
    { script = csv '    splt_files = true,', want = 'case.lua:6: unknown option "splt_files" in ls.csv_writer; did you mean "split_files"?' },
    { script = 'local ls = require "list_sync"\n\nls.connector "shop"\n', want = "case.lua:3: ls.connector takes a table: ls.connector { ... }" },
    { script = 'local ls = require "list_sync"\nlocal given = { name = "shop", db_typ = "x" }\nls.connector(given)\n',
      want = 'case.lua:3: unknown option "db_typ" in connector "shop"; did you mean "db_type"?' },

    -- options that tables have of their own
    { script = tables '["public.orders"] = { topik = "x" },',
      want = 'case.lua:7: unknown option "topik" in tables["public.orders"] of connector "shop"; did you mean "topic"?' },
    { script = tables '["public.orders"] = {\n      -- { slot\n      slot = "x" },',
      want = 'case.lua:9: option "slot" in tables["public.orders"] of connector "shop" is the connector\'s alone: tables may have topic, partitions, replication, '
        .. "identity, key, format, headers, moves, source, json, tombstones, columns, as, filter, map of their own" },
    { script = tables '["public.orders"] = {\n      topic = "x",\n      key = 5 },',
      want = 'case.lua:9: option "key" in tables["public.orders"] of connector "shop" must be "pk", "table_pk", "object", a list of columns or a function, not 5' },
    { script = tables '["public.orders"] = { partitions = 0 },',
      want = 'case.lua:7: option "partitions" in tables["public.orders"] of connector "shop" must be an integer from 1 to 10000, not 0' },
    { script = tables '["public.orders"] = { topic = "a b" },',
      want = 'case.lua:7: option "topic" in tables["public.orders"] of connector "shop": the topic "a b" has the character " "; Kafka takes letters, digits, dots, _ and - in a name' },
    { script = tables '["public.orders"] = { columns = { cast = { a = "text" } } },',
      want = 'case.lua:7: columns.cast in tables["public.orders"] of connector "shop": "a" can be cast to one of "boolean", "integer", "float", "decimal", "string", "json", "datetime", "timestamp", '
        .. 'not to the text "text"' },
    { script = (tables '["orders"] = {},\n["shop.orders"] = {},'):gsub('"postgres"', '"mysql"'),
      want = 'case.lua:8: tables["orders"] and tables["shop.orders"] in connector "shop" are the same tables: put their options together' },
    { script = tables '["public.orders"] = "x",', want = 'case.lua:7: tables["public.orders"] in connector "shop" must be a table of options, not the text "x"' },
    { script = tables '["!public.orders"] = {},',
      want = 'case.lua:7: tables["!public.orders"] in connector "shop" leaves out and has options: put "!public.orders" into the list' },
    { script = tables '["orders"] = {},', want = 'case.lua:7: option "tables" in connector "shop": the pattern "orders" names no schema: write it as "public.orders"' },
    { script = tables '5, ["public.orders"] = {},', want = 'case.lua:7: option "tables" in connector "shop" must be a list of texts, not 5' },
    { script = (tables '["public.a"] = { topic = "x" }, ["public.b"] = {},':gsub('topic = "wal",', "")),
      want = 'case.lua:7: option "topic" is missing in tables["public.b"] of connector "shop": add topic = "{database}.{schema}.{table}"' },
    { script = (tables '"public.*", ["public.a"] = { topic = "x" },':gsub('topic = "wal",', "")),
      want = 'case.lua:3: option "topic" is missing in connector "shop": add topic = "{database}.{schema}.{table}"' },

    { script = connector '  as = "bank",', want = 'case.lua:7: option "as" in connector "shop" must be a text such as "bank.accounts" or "bank.{table}", of at most 255 bytes, with {schema} and {table} alone in braces, not the text "bank"' },
    { script = connector '  as = "bank.{tabel}",', want = 'case.lua:7: option "as" in connector "shop" must be a text such as "bank.accounts" or "bank.{table}", of at most 255 bytes, with {schema} and {table} alone in braces, not the text "bank.{tabel}"' },

    -- where rows are sent, and as what
    { script = (connector "":gsub('"wal"', "5")), want = 'case.lua:5: option "topic" in connector "shop" must be a text, a list of texts or a function, not 5' },
    { script = connector '  headers = "x",', want = 'case.lua:7: option "headers" in connector "shop" must be a table of texts by name, or a function, not the text "x"' },
    { script = connector '  headers = { "x" },', want = 'case.lua:7: option "headers" in connector "shop" names headers by texts, not by 1' },
    { script = connector '  headers = { x = 5 },', want = 'case.lua:7: option "headers" in connector "shop": the header "x" must be a text, not 5' },
    { script = connector '  moves = true,', want = 'case.lua:7: option "moves" in connector "shop" must be one of "keep", "split", not true' },
    { script = connector '  standby = 1,', want = 'case.lua:7: option "standby" in connector "shop" must be true or false, not 1' },
    { script = connector '  standby = true,', want = 'case.lua:7: option "standby" in connector "shop" needs brokers that other programs reach too: kafka_conf = "memory" is this program\'s own' },
    { script = connector '  max_topics = 0,', want = 'case.lua:7: option "max_topics" in connector "shop" must be an integer from 1 to 1000000, not 0' },
    { script = hook("return nil", "topic"), hooks = "shop", want = returned("it returned nothing; it returns a topic's name, or a list of them: what is not to be sent is left out by filter", "topic") },
    { script = hook("return {}", "topic"), hooks = "shop", want = returned("it returned an empty list; it returns a topic's name, or a list of them: what is not to be sent is left out by filter", "topic") },
    { script = hook("return { 'a', 5 }", "topic"), hooks = "shop", want = returned("it returned a list with a number; it returns a topic's name, or a list of them", "topic") },
    { script = hook("return print", "key"), hooks = "shop", want = returned("it returned a function; it returns a text, a number, a list of them, ls.json, or nil for no key", "key") },
    { script = hook("return { print }", "key"), hooks = "shop", want = returned("JSON takes texts, numbers, booleans, ls.null and tables, not a function", "key") },
    { script = hook("local t = {} t[1] = t return t", "key"), hooks = "shop", want = returned("a table that holds itself, or nests deeper than 128", "key") },
    { script = hook("if row.action == 'D' then return row.old.status end", "key"), hooks = "shop",
      want = returned(NOT_SENT:format("status", "status"), "key", 3) },
    { script = hook("return 'x'", "headers"), hooks = "shop", want = returned("it returned a string; it returns a table of texts by name, or nil", "headers") },
    { script = hook("return { 'x' }", "headers"), hooks = "shop", want = returned("it returned a table with the key 1; headers are texts by name", "headers") },
    { script = hook("return { x = {} }", "headers"), hooks = "shop", want = returned('the header "x" is a table; it is a text or a number, or ls.null', "headers") },
    { script = hook("return { [''] = 'x' }", "headers"), hooks = "shop", want = returned("a header's name is a text, and not empty", "headers") },
    { script = hook("return { x = ('y'):rep(70000) }", "headers"), hooks = "shop",
      want = returned("the headers of a message are over 64 KiB: what is long belongs into the message", "headers") },
    { script = hook("return nil", "format"), hooks = "shop",
      want = returned("it returned nothing; it returns the message as a text or ls.json, ls.null for one without a value, or false for none", "format") },
    { script = hook("return 5", "format"), hooks = "shop",
      want = returned("it returned a number; it returns the message as a text or ls.json, ls.null for one without a value, or false for none", "format") },
    { script = hook("row.new.status = 'x'", "key"), hooks = "shop",
      want = first('a row is not changed where it is asked for its topic, key, headers, message or CSV cells, nor by a filter under moves = "split": change it in map', "key") },

    -- missing ones
    { script = 'local ls = require "list_sync"\nls.connector {\n\n  name = "shop",\n}\n',
      want = 'case.lua:4: option "db_type" is missing in connector "shop": add db_type = "postgres"' },
    { script = 'local ls = require "list_sync"\nls.connector {}\n', want = 'case.lua:2: option "name" is missing in ls.connector: add name = "shop"' },
    { script = (connector("")):gsub('table = "public.orders",', ""), want = 'case.lua:3: option "tables" is missing in connector "shop": add tables = { "public.*" }' },
    { script = (connector("")):gsub(', database = "shop"', ""), want = 'case.lua:3: option "database" is missing in connector "shop": add database = "shop"' },
    { script = consumer "", want = 'case.lua:2: option "writer" is missing in consumer "reports": add writer = ls.csv_writer { filename = "out/rows" }' },

    -- types and ranges
    { script = connector '  port = "5432",', want = 'case.lua:7: option "port" in connector "shop" must be an integer from 1 to 65535, not the text "5432"' },
    { script = connector '  port = 70000,', want = 'case.lua:7: option "port" in connector "shop" must be an integer from 1 to 65535, not 70000' },
    { script = connector '  partitions = 1.5,', want = 'case.lua:7: option "partitions" in connector "shop" must be an integer from 1 to 10000, not 1.5' },
    { script = connector '  partition_root = "yes",', want = 'case.lua:7: option "partition_root" in connector "shop" must be true or false, not the text "yes"' },
    { script = connector '  password = {},', want = 'case.lua:7: option "password" in connector "shop" must be text, not a table' },
    { script = connector '  password = 1234,', want = 'case.lua:7: option "password" in connector "shop" must be text, not 1234' },
    { script = (connector("")):gsub('"db"', '""'), want = 'case.lua:4: option "host" in connector "shop" must not be empty' },
    { script = (connector("")):gsub('"postgres"', '"oracle"'), want = 'case.lua:3: option "db_type" in connector "shop" must be one of "postgres", "mysql", not the text "oracle"' },
    { script = connector '  start = "earliest",', want = 'case.lua:7: option "start" in connector "shop" must be one of "now", "slot", or a position such as "0/2A1F00", not the text "earliest"' },
    { script = connector '  start = "binlog.000003:1234",', want = 'case.lua:7: option "start" in connector "shop" must be one of "now", "slot", or a position such as "0/2A1F00", not the text "binlog.000003:1234"' },
    { script = mysql '  start = "slot",', want = 'case.lua:7: option "start" in connector "shop" must be one of "now", "earliest", or a position such as "binlog.000003:1234" or GTIDs, not the text "slot"' },
    { script = connector '  on_invalid_text = "drop",', want = 'case.lua:7: option "on_invalid_text" in connector "shop" must be one of "stop", "replace", "skip", "dead_letter", not the text "drop"' },
    { script = connector '  on_error = "replace",', want = 'case.lua:7: option "on_error" in connector "shop" must be one of "stop", "dead_letter", "skip", not the text "replace"' },
    { script = connector '  on_oversize = true,', want = 'case.lua:7: option "on_oversize" in connector "shop" must be one of "stop", "dead_letter", "skip", not true' },
    { script = connector '  dead_letter_topic = "shop/dead",', want = 'case.lua:7: option "dead_letter_topic" in connector "shop": the topic "shop/dead" has the character "/"; Kafka takes letters, digits, dots, _ and - in a name' },
    { script = connector '  format = "protobuf",\n  json = "embed",', want = 'case.lua:8: option "json" in connector "shop" cannot be "embed" with format = "protobuf", whose messages tell a document by its type: take it out' },
    { script = consumer '  decode = "avro",', want = 'case.lua:4: option "decode" in consumer "reports" must be one of "list_sync", "protobuf", "raw", not the text "avro"' },
    { script = connector '  plugin = "decoderbufs",', want = 'case.lua:7: option "plugin" in connector "shop" must be one of "pgoutput", "wal2json", not the text "decoderbufs"' },
    { script = connector '  plugin = "wal2json",\n  partition_root = true,', want = 'case.lua:8: option "partition_root" in connector "shop" cannot be true with plugin = "wal2json", which sends changes under the partitions\' names: take it out and capture the partitions, or take plugin = "pgoutput"' },
    { script = connector '  slot = "Shop",', want = 'case.lua:7: option "slot" in connector "shop" must be 1 to 63 lower-case letters, digits and _, not the text "Shop"' },
    { script = connector '  server_id = 7,', want = 'case.lua:7: option "server_id" in connector "shop" belongs to db_type "mysql", not "postgres"' },
    { script = mysql '  slot = "shop",', want = 'case.lua:7: option "slot" in connector "shop" belongs to db_type "postgres", not "mysql"' },
    { script = connector '  memory = "24MB",', want = 'case.lua:7: option "memory" in connector "shop" must be bytes, as a number or as text such as "24MiB", not the text "24MB"' },
    { script = connector '  memory = "1MiB",', want = 'case.lua:7: option "memory" in connector "shop" must be from 4 MiB to 1048576 MiB, not the text "1MiB"' },
    { script = connector '  filter = "id > 1",', want = 'case.lua:7: option "filter" in connector "shop" must be a function, not the text "id > 1"' },
    { script = connector '  tables = { "public.a" },', want = 'case.lua:5: connector "shop" has both table and tables: put the pattern into tables' },
    { script = (connector("")):gsub('table = "public.orders"', "tables = {}"), want = 'case.lua:5: option "tables" in connector "shop" is an empty list' },
    { script = (connector("")):gsub('table = "public.orders"', "tables = { a = 1 }"), want = 'case.lua:5: tables["a"] in connector "shop" must be a table of options, not 1' },
    { script = (connector("")):gsub('table = "public.orders"', "tables = { 1 }"), want = 'case.lua:5: option "tables" in connector "shop" must be a list of texts, not 1' },
    { script = (connector("")):gsub('public.orders', "orders"), want = 'case.lua:5: option "table" in connector "shop": the pattern "orders" names no schema: write it as "public.orders"' },
    { script = (connector("")):gsub('"wal"', '"{databse}.x"'), want = 'case.lua:5: option "topic" in connector "shop": the template "{databse}.x" has {databse}; it may have {database}, {schema} and {table}' },
    { script = (connector("")):gsub('"memory"', '{ acks = 1, ["bootstrap.servers"] = "b:9092" }'), want = 'case.lua:6: option "kafka_conf" in connector "shop": acks is set by the program (every message is acknowledged by all replicas in sync, or it could be lost): take it out' },
    { script = (connector("")):gsub('"memory"', '{ ["linger.ms"] = 5 }'), want = 'case.lua:6: option "kafka_conf" in connector "shop" names no brokers: add ["bootstrap.servers"] = "host:9092"' },
    { script = (connector("")):gsub('"memory"', "7"), want = 'case.lua:6: option "kafka_conf" in connector "shop" must be bootstrap servers, "memory", or a table of librdkafka properties, not 7' },
    { script = consumer '  writer = {},', want = 'case.lua:4: option "writer" in consumer "reports" must be made by ls.csv_writer or ls.writer, not a table' },
    { script = csv '    delimiter = ";;",', want = 'case.lua:6: option "delimiter" in ls.csv_writer must be one ASCII character, not the text ";;"' },
    { script = csv '    delimiter = "I",', want = 'case.lua:6: option "delimiter" in ls.csv_writer must not be a letter, and is "I"' },
    { script = csv '    quote = "t",', want = 'case.lua:6: option "quote" in ls.csv_writer must not be a letter, and is "t"' },
    { script = csv '    delimiter = \'"\',', want = "case.lua:6: delimiter and quote in ls.csv_writer are the same character" },
    { script = csv '    null = "a,b",', want = 'case.lua:6: option "null" in ls.csv_writer must not hold ",", since it is written as it is' },
    { script = (csv ""):gsub('"out"', '"out/{tabel}"'), want = 'case.lua:5: option "filename" in ls.csv_writer: the template "out/{tabel}" has {tabel}; it may have {schema}, {table}, {topic}, {partition}, {consumer}, {kind}, {date}, {hour}' },
    { script = (csv ""):gsub('"out"', '"out/{table}{"'), want = 'case.lua:5: option "filename" in ls.csv_writer: the template "out/{table}{" has a single brace; it may have {schema}, {table}, {topic}, {partition}, {consumer}, {kind}, {date}, {hour}' },
    { script = (csv ""):gsub('"out"', '"{date}/"'), want = 'case.lua:5: option "filename" in ls.csv_writer: the template "{date}/" names a folder: put {table} or another name behind it' },
    { script = (csv '    split_files = true,'):gsub('"out"', '"{table}"'), want = 'case.lua:6: ls.csv_writer has split_files, and the template "{table}" has no {kind} to part the rows by' },
    { script = consumer '  instances = 2,\n  writer = ls.csv_writer { filename = "{table}" },',
      want = 'case.lua:4: consumer "reports" has 2 instances, and the filename "{table}" has no {consumer} to part their files by' },
    { script = csv '    formula_guard = 1,', want = 'case.lua:6: option "formula_guard" in ls.csv_writer must be true or false, not 1' },
    { script = csv '    rotate = "1h",', want = 'case.lua:6: option "rotate" in ls.csv_writer must be a table as { size = "64MiB", rows = 1000000, every = "1h" }, not 1h' },
    { script = csv '    rotate = {},', want = 'case.lua:6: option "rotate" in ls.csv_writer is empty: add size, rows or every' },
    { script = csv '    rotate = { sise = 1 },', want = 'case.lua:6: option "rotate" in ls.csv_writer has size, rows and every, not sise' },
    { script = csv '    rotate = { size = "64MB" },', want = 'case.lua:6: option "rotate.size" in ls.csv_writer must be bytes, as a number or as text such as "24MiB", not the text "64MB"' },
    { script = csv '    rotate = { size = 100 },', want = 'case.lua:6: option "rotate.size" in ls.csv_writer must be from 1 MiB to 1048576 MiB, not 100' },
    { script = csv '    rotate = { rows = 0 },', want = 'case.lua:6: option "rotate.rows" in ls.csv_writer must be an integer from 1 to 1000000000000, not 0' },
    { script = connector '  hook_timeout = 5,', want = 'case.lua:7: option "hook_timeout" in connector "shop" must be a text from "100ms" to "1h", such as "1m", not 5' },
    { script = connector '  hook_timeout = "99ms",', want = 'case.lua:7: option "hook_timeout" in connector "shop" must be a text from "100ms" to "1h", such as "1m", not the text "99ms"' },
    { script = consumer '  delivery = "exactly_once",\n  callback = function(row) end,',
      want = 'case.lua:4: consumer "reports" has delivery = "exactly_once", which is for ls.csv_writer: take it out; a writer of the script has each row once '
          .. "when its flush stores the positions with the rows, and its open gives them back" },
    { script = consumer '  delivery = "exactly_once",\n  writer = ls.csv_writer { filename = "out" },',
      want = 'case.lua:4: consumer "reports" has delivery = "exactly_once" and kafka_conf = "memory", a broker that ends with the program, whose offsets mean '
          .. "nothing to the next start: give it brokers, or take delivery out" },
    { script = consumer '  hook_timeout = "61m",', want = 'case.lua:4: option "hook_timeout" in consumer "reports" must be a text from "100ms" to "1h", such as "1m", not the text "61m"' },
    { script = connector '  hook_timeout = "1 week",', want = 'case.lua:7: option "hook_timeout" in connector "shop" must be a text from "100ms" to "1h", such as "1m", not the text "1 week"' },
    { script = connector '  script_memory = "3MiB",', want = 'case.lua:7: option "script_memory" in connector "shop" must be from 4 MiB to 1024 MiB, not the text "3MiB"' },
    { script = csv '    rotate = { every = "1w" },', want = 'case.lua:6: option "rotate.every" in ls.csv_writer must be a text such as "30s", "15m", "1h" or "1d", at most 366 days, not the text "1w"' },
    { script = csv '    rotate = { every = "1500ms" },', want = 'case.lua:6: option "rotate.every" in ls.csv_writer must be a text such as "30s", "15m", "1h" or "1d", at most 366 days, not the text "1500ms"' },
    { script = csv '    rotate = { every = 3600 },', want = 'case.lua:6: option "rotate.every" in ls.csv_writer must be a text such as "30s", "15m", "1h" or "1d", at most 366 days, not 3600' },
    { script = csv '    compress = "lz4",', want = 'case.lua:6: option "compress" in ls.csv_writer must be one of "zstd", "gzip", not the text "lz4"' },
    { script = csv '    compress = true,', want = 'case.lua:6: option "compress" in ls.csv_writer must be one of "zstd", "gzip", not true' },
    { script = csv '    max_open_files = 0,', want = 'case.lua:6: option "max_open_files" in ls.csv_writer must be an integer from 1 to 1000000, not 0' },
    { script = connector '  map = function() end }\nls.connector { name = "shop", db_type = "mysql", host = "b", user = "u", table = "a.b", topic = "x", kafka_conf = "memory",',
      want = 'case.lua:8: the name "shop" is taken by the connector of line 3; stage names are unique' },

    { script = connector '  key = "id",', want = 'case.lua:7: option "key" in connector "shop" must be "pk", "table_pk", "object", a list of columns or a function, not the text "id"' },
    { script = connector '  format = "debesium",',
      want = 'case.lua:7: option "format" in connector "shop" must be one of "list_sync", "debezium", "maxwell", "flat", "protobuf" or a function, not the text "debesium"' },
    { script = connector '  format = true,', want = 'case.lua:7: option "format" in connector "shop" must be one of "list_sync", "debezium", "maxwell", "flat", "protobuf" or a function, not true' },
    { script = mysql '  format = "debezium",\n  ddl = true,',
      want = 'case.lua:8: option "ddl" in connector "shop" cannot be true with format = "debezium", which has no form for a drop or a rename: '
          .. 'take it out, or take format = "list_sync", "flat" or "protobuf"' },
    { script = mysql '  ddl = true,\n  format = "maxwell",',
      want = 'case.lua:7: option "ddl" in connector "shop" cannot be true with format = "maxwell", which has no form for a drop or a rename: '
          .. 'take it out, or take format = "list_sync", "flat" or "protobuf"' },
    { script = connector '  key = {},', want = 'case.lua:7: option "key" in connector "shop" is an empty list' },

    -- columns
    { script = connector '  columns = "card",', want = 'case.lua:7: option "columns" in connector "shop" must be a table of drop, cast, mask and rename, not the text "card"' },
    { script = connector '  columns = { mesk = {} },', want = 'case.lua:7: option "columns" in connector "shop" has drop, cast, mask and rename, not mesk; did you mean "mask"?' },
    { script = connector '  columns = { mask = "card" },', want = 'case.lua:7: columns.mask in connector "shop" must be a table by column, not the text "card"' },
    { script = connector '  columns = { mask = { card = 7 } },', want = 'case.lua:7: columns.mask in connector "shop": the mask of "card" is a text, ls.sha256, ls.hmac(key) or ls.keep_last(n), not 7; row:mask in `map` takes a function' },
    { script = connector '  columns = { mask = { "card" } },', want = 'case.lua:7: columns.mask in connector "shop" names columns by texts, not by 1' },
    { script = connector '  columns = { cast = { paid = "bool" } },', want = 'case.lua:7: columns.cast in connector "shop": "paid" can be cast to one of "boolean", "integer", "float", "decimal", "string", "json", "datetime", "timestamp", not to the text "bool"' },
    { script = connector '  columns = { rename = { usr = "" } },', want = 'case.lua:7: columns.rename in connector "shop": the new name of "usr" is 1 to 255 bytes of text, not the text ""' },
    { script = connector '  columns = { drop = { "card" }, rename = { card = "c" } },', want = 'case.lua:7: columns in connector "shop" drops "card", and casts, masks or renames it too' },
    { script = connector '  columns = { rename = { usr = "\\255" } },', want = 'case.lua:7: columns.rename in connector "shop": the text for "usr" is not valid UTF-8' },
    { script = connector '  columns = { mask = { usr = "\\255" } },', want = 'case.lua:7: columns.mask in connector "shop": the text for "usr" is not valid UTF-8' },
    { script = connector '  columns = { drop = { 7 } },', want = 'case.lua:7: columns.drop in connector "shop" names columns by texts, not by 7' },
    { script = 'local ls = require "list_sync"\nlocal m = ls.hmac ""\n', want = 'case.lua:2: ls.hmac takes a secret key, as in ls.hmac(ls.env "PEPPER")' },
    { script = 'local ls = require "list_sync"\nlocal m = ls.keep_last(-1)\n', want = "case.lua:2: ls.keep_last takes how many characters stay: 0 to 1000" },

    -- ls.file, ls.env, ls.param
    { script = 'local ls = require "list_sync"\n\nlocal p = ls.file "not-there"\n', want = "case.lua:3: ls.file: not-there: No such file or directory" },
    { script = 'local ls = require "list_sync"\nlocal p = ls.file "/"\n', want = "case.lua:2: ls.file: /: it cannot be read" },
    { script = 'local ls = require "list_sync"\nlocal p = ls.file(nil)\n', want = 'case.lua:2: ls.file takes the path of a file: ls.file "/run/secrets/pgpassword"' },
    { script = 'local ls = require "list_sync"\nlocal f = io.open("secret", "wb") f:write("a\\nb\\r\\n") f:close()\nerror(("<%s>"):format(ls.file "secret"))\n',
      want = "case.lua:3: <a\nb>" },
    { script = 'local ls = require "list_sync"\n\nlocal p = ls.env "LIST_SYNC_TEST_NOT_SET"\n',
      want = "case.lua:3: the environment variable LIST_SYNC_TEST_NOT_SET is not set: export LIST_SYNC_TEST_NOT_SET=... before list_sync starts" },
    { script = 'local ls = require "list_sync"\nls.param "brokers"\n', want = 'case.lua:2: the parameter "brokers" has no default: give it as --set brokers=...' },
    { script = 'local ls = require "list_sync"\nls.param("n", 3)\n', params = { n = "many" },
      want = 'case.lua:2: --set n=many: the parameter "n" is a number, as its default 3 is' },
    { script = 'local ls = require "list_sync"\nls.param("on", true)\n', params = { on = "1" },
      want = 'case.lua:2: --set on=1: the parameter "on" is a boolean, as its default true is' },
    { script = 'local ls = require "list_sync"\nls.param("t", {})\n', want = 'case.lua:2: the default of ls.param("t") must be a text, a number or a boolean, not a table' },
    { script = 'local ls = require "list_sync"\nls.param("brokers", "a") ls.param("table", "b")\n', params = { brokrs = "x" },
      want = '--set brokrs: case.lua asks for no such parameter; did you mean "brokers"? it asks for brokers, table' },
    { script = 'local ls = require "list_sync"\n', params = { x = "1" }, want = "--set x: case.lua asks for no such parameter; it asks for none" },

    -- hooks
    { hooks = "shop", script = hook "    return row.new.note > 3", want = first "attempt to compare number with nil; NULL reads as nil" },
    { hooks = "shop", script = hook("    return row.new.note > 3", "map"), want = first("attempt to compare number with nil; NULL reads as nil", "map") },
    { hooks = "shop", script = hook "    return row.new.statos == 'x'", want = first 'public.orders has no column "statos"; did you mean "status"?' },
    { hooks = "shop", script = hook "    return row.new.x == 'x'",
      want = first 'public.orders has no column "x"; it has id, status, total, qty, paid, data, at, note, big, day' },
    { hooks = "shop", script = hook "    return row.new[1] == 'x'", want = first "a column of public.orders is named by a text, not by a number" },
    { hooks = "shop", script = hook "    return row.status == 'x'",
      want = first 'a row has no field "status": columns are read through row.new, row.old or row.image' },
    { hooks = "shop", script = hook "    row.status = 'x'",
      want = first "row.status cannot be written: columns are written through row.new, and of the row action, schema and table" },
    { hooks = "shop", script = hook "    row.source.pos = 'x'", want = first "row.source is read-only" },
    { hooks = "shop", script = hook "    return row.source.lsn", want = first 'row.source has no "lsn"; it has pos, seq, tx, sub, ts and connector' },
    { hooks = "shop", script = hook "    return 'x'",
      want = 'case.lua:7: filter of connector "shop": it returned a string; a hook returns false to leave the row out, and true or nothing to let it pass'
          .. " (public.orders, key 7, position 0000000001a3b748/1)" },
    { hooks = "shop", script = hook "    error { code = 1 }", want = first "a table was raised as an error" },
    { hooks = "shop", script = hook "    error 'bad row'", want = first "bad row" },
    { hooks = "shop", script = hook "    if row.action == 'U' then error('bad', 0) end",
      want = 'case.lua:8: filter of connector "shop": bad (public.orders, key 7, position 0000000001a3b748/2)' },
    { hooks = "shop", script = hook "    if row.table == 'log' then error 'bad' end",
      want = 'case.lua:8: filter of connector "shop": bad (public.log, no key, position 0000000001a3b748/5)' },
    { hooks = "shop", script = hook "    if row.action == 'U' then return row.new.note .. '' end",
      want = 'case.lua:8: filter of connector "shop": ' .. NOT_SENT:format("note", "note") .. " (public.orders, key 7, position 0000000001a3b748/2)" },
    { hooks = "shop", script = hook "    if row.action == 'U' then return row:text 'note' end", -- a tail call leaves the hook's own line
      want = 'case.lua:7: filter of connector "shop": ' .. NOT_SENT:format("note", "note") .. " (public.orders, key 7, position 0000000001a3b748/2)" },
    { hooks = "shop", script = hook "    if row.action == 'D' then return row.old.qty > 1 end",
      want = 'case.lua:8: filter of connector "shop": ' .. NOT_SENT:format("qty", "qty") .. " (public.orders, key 7, position 0000000001a3b748/3)" },
    { hooks = "shop", script = hook "    if row.action == 'D' then row.new.note = '' end",
      want = 'case.lua:8: filter of connector "shop": attempt to index field \'new\' (a nil value); a delete has no row.new; row.image is the row that there is (public.orders, key 7, position 0000000001a3b748/3)' },
    { hooks = "shop", script = hook("    row.new.paid = 'yes'", "map"), want = first('column "paid" (boolean) takes true or false, not text', "map") },
    { hooks = "shop", script = hook("    row.new.total = 1.25", "map"),
      want = first('column "total" (decimal) takes decimal text such as "12.50", or a whole number, not a rounded number: string.format("%.2f", v) makes text of it', "map") },
    { hooks = "shop", script = hook("    row.new.total = '12,50'", "map"),
      want = first('column "total" (decimal) takes decimal text such as "12.50", or a whole number, not another text', "map") },
    { hooks = "shop", script = hook("    row.new.big = '7'", "map"), want = first('column "big" (integer) takes a whole number, not text: tonumber() makes one of it', "map") },
    { hooks = "shop", script = hook("    row.new.big = 0.5", "map"), want = first('column "big" (integer) takes a whole number, not a fraction, nor a number above 2^53', "map") },
    { hooks = "shop", script = hook("    row.new.status = 5", "map"), want = first('column "status" (string) takes text, not a number: tostring() makes text of it', "map") },
    { hooks = "shop", script = hook("    row.new.day = '2026-1-2'", "map"), want = first('column "day" (date) takes text such as 2026-01-31, not another text', "map") },
    { hooks = "shop", script = hook("    row.new.id = nil", "map"), want = first('column "id" is part of the key, which cannot be NULL', "map") },
    { hooks = "shop", script = hook("    row.new.note = {}", "map"), want = first('column "note" takes a text, a number, a boolean or nil, not a table: ls.array{...} makes an array of one, ls.json(...) a document', "map") },
    { hooks = "shop", script = hook("    row.new.status = '\\255'", "map"), want = first('column "status" takes UTF-8 text, and these bytes are none', "map") },
    { hooks = "shop", script = hook("    row.new.note = ls.absent", "map"),
      want = first('column "note" cannot be set to ls.absent: nil writes NULL, row:drop("note") takes the column out', "map") },
    { hooks = "shop", script = hook("    row:drop 'id'", "map"), want = first('column "id" is part of the key, which a row cannot be without', "map") },
    { hooks = "shop", script = hook("    row:drop 'card'", "map"),
      want = first('public.orders has no column "card"; did you mean "paid"?', "map") },
    { hooks = "shop", script = hook("    row.action = 'D'", "map"),
      want = first('an action is changed from "U" to "D", from "U" to "I", or from "I" to "U", not from "I" to "D"', "map") },
    { hooks = "shop", script = hook("    row.action = 'x'", "map"), want = first('row.action is "I", "U" or "D", not x', "map") },
    { hooks = "shop", script = hook("    if row.action == 'U' then row.action = 'I' end", "map"),
      want = 'case.lua:8: map of connector "shop": an insert needs every column, and "note" was not sent with this update (public.orders, key 7, position 0000000001a3b748/2)' },
    { hooks = "shop", script = hook("    if row.action == 'U' then local new = row.new row.action = 'D' return new.id end", "map"),
      want = 'case.lua:8: map of connector "shop": row.action was changed: there is no row after any more (public.orders, key 7, position 0000000001a3b748/2)' },
    { hooks = "shop", script = hook("    row.table = ''", "map"), want = first("the name of a schema or table is 1 to 255 bytes of UTF-8", "map") },
    { hooks = "shop", script = hook("    row.schema = 7", "map"), want = first("row.schema and row.table take a text", "map") },
    { hooks = "shop", script = hook "    kept = kept or row\n    return kept.action == 'I'",
      want = "case.lua:9: filter of connector \"shop\": this row's hook has returned: a row is kept with row:copy() (public.orders, key 7, position 0000000001a3b748/2)" },
    { hooks = "shop", script = hook "    kept = kept or row.new\n    return kept.id == 7",
      want = "case.lua:9: filter of connector \"shop\": this row's hook has returned: a row is kept with row:copy() (public.orders, key 7, position 0000000001a3b748/2)" },
    { hooks = "shop", script = hook "    ls.connector {}", want = first "ls.connector stands in a hook: stages are declared while the script is read" },
    { hooks = "shop", script = hook "    return ls.env 'LIST_SYNC_TEST_NOT_SET' == row.new.status",
      want = first "the environment variable LIST_SYNC_TEST_NOT_SET is not set: export LIST_SYNC_TEST_NOT_SET=... before list_sync starts" },
    { hooks = "shop", script = hook("    row.new.note = ls.json(row.new)", "map"), want = first("ls.json: JSON takes texts, numbers, booleans, ls.null and tables, not a cdata", "map") },
    { hooks = "shop", script = hook("    local t = {} t.t = t row.new.note = ls.json(t)", "map"), want = first("ls.json: a table that holds itself, or nests deeper than 128", "map") },
    { hooks = "shop", script = hook("    row.new.note = ls.json(0/0)", "map"), want = first("ls.json: JSON has no number for nan", "map") },
    { hooks = "shop", script = hook("    row.new.day = ls.array{1}", "map"), want = first('column "day" (date) takes text such as 2026-01-31, not an array (or elements) like this one', "map") },
    { hooks = "shop", script = hook "    return row:number 'status' > 1", want = first 'column "status" holds no number but "neu\195\182"' },
    { hooks = "shop", script = hook "    return row:time 'status' > 1",
      want = first 'column "status" holds no point in time but "neu\195\182"; row:text gives its text' },
    { hooks = "shop", script = hook "    return row:bytes 'status' == 1", want = first 'column "status" holds neither bytes nor base64: "neu\195\182"' },
    { hooks = "shop", script = hook "    return row:json 'data' == 1", want = first 'column "data": JSON parser does not support UTF-16 or UTF-32' },
    { hooks = "shop", script = hook("    row:rename('status', 'note')", "map"), want = first('there is a column "note" already', "map") },
    { hooks = "shop", script = hook("    row:rename('status', nil)", "map"), want = first('row:rename takes two names: row:rename("status", "new name")', "map") },
    { hooks = "shop", script = hook("    row:mask('status', 'x')", "map"), want = first('row:mask takes a column and a function of its value: row:mask("status", ls.hmac(key))', "map") },
    { hooks = "shop", script = hook("    row:mask('id', function() return nil end)", "map"), want = first('column "id" is part of the key, which cannot be NULL', "map") },
    { hooks = "shop", script = hook("    for i = 1, 257 do row:clone() end", "map"), want = first("a row is cloned 256 times at most", "map") },
    { hooks = "shop", script = hook "    kept = kept or row:clone()\n    return kept.image.id == 7",
      want = "case.lua:9: filter of connector \"shop\": this row's hook has returned: a row is kept with row:copy() (public.orders, key 7, position 0000000001a3b748/2)" },

    -- layouts
    { script = csv "    layout = 7,", want = 'case.lua:6: option "layout" in ls.csv_writer must be a table of layouts by table, as in '
        .. '{ ["public.orders"] = { columns = { "id" } } }, not 7' },
    { script = csv "    layout = {},", want = 'case.lua:6: option "layout" in ls.csv_writer is empty' },
    { script = "local many = {} for i = 1, 1001 do many['a.' .. i] = {} end\n" .. csv "    layout = many,",
      want = 'case.lua:7: option "layout" in ls.csv_writer has 1001 layouts, and may have 1000: a pattern stands for many tables' },
    { script = csv '    layout = { { columns = { "id" } } },',
      want = 'case.lua:6: option "layout" in ls.csv_writer has layouts by table, as in { ["public.orders"] = { ... } }, and has the key 1' },
    { script = lay("", "orders"), want = 'case.lua:6: option "layout" in ls.csv_writer: the pattern "orders" names no schema and table: write it as "public.orders" or "*.orders"' },
    { script = lay("", "public."), want = 'case.lua:6: option "layout" in ls.csv_writer: the pattern "public." names no schema and table: write it as "public.orders" or "*.orders"' },
    { script = lay("", "!public.x"), want = 'case.lua:6: option "layout" in ls.csv_writer: the pattern "!public.x" begins with !: a table that is in no layout is written as without one' },
    { script = csv '    layout = {\n\n      ["public.orders"] = true,\n    },', want = "case.lua:8: " .. LAYOUT .. " must be a table, not true" },
    { script = lay '        delimter = ";",', want = 'case.lua:8: unknown option "delimter" in ' .. LAYOUT .. '; did you mean "delimiter"?' },
    { script = lay '        rotate = { rows = 1 },', want = 'case.lua:8: unknown option "rotate" in ' .. LAYOUT .. "; it is the writer's, the same for all tables" },
    { script = lay '        colour = "red",', want = 'case.lua:8: unknown option "colour" in ' .. LAYOUT
        .. "; a layout has columns, row, prefix, filename, header, bom, formula_guard, delimiter, quote, newline, null, absent" },
    { script = lay '\n        delimiter = ";;",', want = 'case.lua:9: option "delimiter" in ' .. LAYOUT .. ' must be one ASCII character, not the text ";;"' },
    { script = lay "        delimiter = '\"',", want = "case.lua:8: delimiter and quote in " .. LAYOUT .. " are the same character" },
    { script = lay '        quote = "x",', want = 'case.lua:8: option "quote" in ' .. LAYOUT .. ' must not be a letter, and is "x"' },
    { script = lay '        delimiter = ";", filename = "o",\n        absent = ";",', want = 'case.lua:9: option "absent" in ' .. LAYOUT
        .. ' must not hold ";", since it is written as it is' },
    { script = lay '        newline = "\\r",', want = 'case.lua:8: option "newline" in ' .. LAYOUT .. ' must be one of "\\n", "\\13\\n", not the text "\\13"' },
    { script = lay '        filename = 7,', want = 'case.lua:8: option "filename" in ' .. LAYOUT .. " must be text, not 7" },
    { script = lay '        filename = "out/{tabel}",', want = 'case.lua:8: option "filename" in ' .. LAYOUT .. ': the template "out/{tabel}" has {tabel}; it may have '
        .. "{schema}, {table}, {topic}, {partition}, {consumer}, {kind}, {date}, {hour}" },
    { script = consumer '  instances = 2,\n  writer = ls.csv_writer { filename = "out", layout = { ["a.b"] = { filename = "out/{table}" } } },',
      want = 'case.lua:4: consumer "reports" has 2 instances, and the filename "out/{table}" has no {consumer} to part their files by' },
    { script = csv '    split_files = true, layout = {\n      ["a.b"] = {\n        filename = "out/{table}" } },',
      want = 'case.lua:7: layout "a.b" of ls.csv_writer has split_files, and the template "out/{table}" has no {kind} to part the rows by' },
    { script = lay '        delimiter = ";",', want = "case.lua:7: " .. LAYOUT .. ' writes to the files of "out" as others do, and in another form (delimiter, quote, '
        .. "newline, header, bom, formula_guard, prefix, or without prefix other titles): give it a filename of its own", },
    { script = lay '        header = 1,', want = 'case.lua:8: option "header" in ' .. LAYOUT .. " must be true or false, not 1" },
    { script = lay '        header = { "a" },', want = "case.lua:8: " .. LAYOUT .. ": a header of titles belongs to row = function(row): titles of columns stand in columns" },
    { script = lay '        prefix = 1,', want = 'case.lua:8: option "prefix" in ' .. LAYOUT .. " must be true or false, not 1" },
    { script = lay '        filename = "o",\n        prefix = false,', want = "case.lua:9: " .. LAYOUT .. " has prefix = false, and its deletes would look like inserts: add "
        .. "split_files = true to the writer, or a column of value = function(row) that tells row.action, or row = function(row), which can leave deletes out" },
    -- their columns
    { script = lay '        columns = "id",', want = "case.lua:8: " .. LAYOUT .. ': columns must be a list of columns, not the text "id"' },
    { script = lay '        columns = {},', want = "case.lua:8: " .. LAYOUT .. ": columns is an empty list" },
    { script = lay '        columns = { id = "number" },', want = "case.lua:8: " .. LAYOUT .. ": columns must be a list of columns, and has the key id" },
    { script = lay '        columns = { 7 },', want = "case.lua:8: " .. LAYOUT .. ": item 1 of columns must be 1 to 1000 bytes of text, not 7" },
    { script = lay '        columns = { "id", { from = "at" } },',
      want = "case.lua:8: " .. LAYOUT .. ": the title of item 2 of columns, which stands first in it, must be 1 to 1000 bytes of text, not nil" },
    { script = lay '        columns = { { "\\255", from = "at" } },', want = "case.lua:8: " .. LAYOUT .. ": the title of item 1 of columns, which stands first in it, is not valid UTF-8" },
    { script = lay '        columns = { { "when", form = "at" } },', want = "case.lua:8: " .. LAYOUT .. ': "when" of columns has a title, from, date, optional and value, not form; did you mean "from"?' },
    { script = lay '        columns = { { "when" } },', want = "case.lua:8: " .. LAYOUT .. ': "when" of columns has neither from nor value: add from = "when", or the column\'s name' },
    { script = lay '        columns = { { "when", date = "%d" } },', want = "case.lua:8: " .. LAYOUT .. ': "when" of columns has a date without from: add from = "when", or the column\'s name' },
    { script = lay '        columns = { { "when", from = "at", value = print } },', want = "case.lua:8: " .. LAYOUT .. ': "when" of columns has both value and from: take one of them out' },
    { script = lay '        columns = { { "when", date = "%d", value = print } },', want = "case.lua:8: " .. LAYOUT .. ': "when" of columns has both value and date: take one of them out' },
    { script = lay '        columns = { { "when", value = 7 } },', want = "case.lua:8: " .. LAYOUT .. ': value of "when" must be a function, not 7' },
    { script = lay '        columns = { { "when", from = 7 } },', want = "case.lua:8: " .. LAYOUT .. ': from of "when" must be 1 to 1000 bytes of text, not 7' },
    { script = lay '        columns = { { "when", from = "at", date = 7 } },', want = "case.lua:8: " .. LAYOUT .. ': date of "when" must be 1 to 64 bytes of text, not 7' },
    { script = lay '        columns = { { "when", from = "at", date = "%d/%q" } },', want = "case.lua:8: " .. LAYOUT
        .. ': date of "when" has "%q", which is no conversion of strftime: as in "%d/%m/%Y %H:%M", a percent sign is %%' },
    { script = lay '        columns = { { "when", from = "at", date = "dd/mm/yyyy" } },', want = "case.lua:8: " .. LAYOUT
        .. ': date of "when" has no conversion of strftime, and would be the text "dd/mm/yyyy" in each cell: as in "%d/%m/%Y"' },
    { script = lay '        columns = { { "when", from = "at", date = "100%" } },', want = "case.lua:8: " .. LAYOUT
        .. ': date of "when" has "%", which is no conversion of strftime: as in "%d/%m/%Y %H:%M", a percent sign is %%' },
    { script = lay '        columns = { { "when", from = "at", optional = 1 } },', want = "case.lua:8: " .. LAYOUT .. ': optional of "when" must be true or false, not 1' },
    { script = lay '        columns = { "id", { "id", from = "at" } },', want = "case.lua:8: " .. LAYOUT .. ': the title "id" stands twice in columns' },
    { script = lay '        row = 7,', want = "case.lua:8: " .. LAYOUT .. ": row must be a function, not 7" },
    { script = lay '        columns = { "id" },\n        row = print, header = { "a" },', want = "case.lua:9: " .. LAYOUT .. " has both row, which gives whole records, and columns: take one of them out" },
    { script = lay '        row = print,', want = "case.lua:8: " .. LAYOUT .. ' has row, so it needs the titles of what that gives: header = { "a", "b" }' },
    { script = lay '        row = print,\n        header = false,', want = "case.lua:9: " .. LAYOUT .. ' has row, so it needs the titles of what that gives: header = { "a", "b" }' },
    { script = lay '        row = print, header = {},', want = "case.lua:8: " .. LAYOUT .. ": header is an empty list" },
    { script = lay '        row = print, header = { "a", 7 },', want = "case.lua:8: " .. LAYOUT .. ": item 2 of header must be 1 to 1000 bytes of text, not 7" },
    { script = lay '        row = print, header = { "a", "a" },', want = "case.lua:8: " .. LAYOUT .. ': the title "a" stands twice in header' },
    -- their functions
    { hooks = "reports", script = cell "          return row.image.id + row.image.note", want = in_cell "attempt to perform arithmetic on field 'note' (a nil value); NULL reads as nil" },
    { hooks = "reports", script = cell "          return row.image.totl", want = in_cell 'public.orders has no column "totl"; did you mean "total"?' },
    { hooks = "reports", script = cell "          error('no')", want = in_cell "no" },
    { hooks = "reports", script = cell "          error('no', 0)", want = in_cell "no" },
    { hooks = "reports", script = cell "\n          return print", want = (in_cell("it returned a function; a cell is a text, a number, a boolean, nil (NULL), ls.absent or a table"):gsub(":9:", ":8:")) },
    { hooks = "reports", script = cell "          return '\\255'", want = (in_cell("it returned text that is not valid UTF-8; ls.bytes(s) writes bytes as base64"):gsub(":9:", ":8:")) },
    { hooks = "reports", script = cell "          return ls.hmac 'pepper'", want = (in_cell("it returned a mask, and not what the mask gives: mask(value)"):gsub(":9:", ":8:")) },
    { hooks = "reports", script = cell "          return { print }", want = (in_cell("JSON takes texts, numbers, booleans, ls.null and tables, not a function"):gsub(":9:", ":8:")) },
    { hooks = "reports", script = cell "          row.new.id = 8", want = in_cell 'a row is not changed where it is asked for its topic, key, headers, message or CSV cells, nor by a filter under moves = "split": change it in map' },
    { hooks = "reports", script = cell "          row:drop 'note'", want = in_cell 'a row is not changed where it is asked for its topic, key, headers, message or CSV cells, nor by a filter under moves = "split": change it in map' },
    { hooks = "reports", script = cell "          row:clone()", want = in_cell 'a row is not changed where it is asked for its topic, key, headers, message or CSV cells, nor by a filter under moves = "split": change it in map' },
    { hooks = "reports", script = cell "          row.action = 'U'", want = in_cell 'a row is not changed where it is asked for its topic, key, headers, message or CSV cells, nor by a filter under moves = "split": change it in map' },
    { hooks = "reports", script = cell "          if row.action == 'D' then return row.new.id end",
      want = in_cell("attempt to index field 'new' (a nil value); a delete has no row.new; row.image is the row that there is", 2) },
    { hooks = "reports", script = cell "          kept = kept or row\n          return kept.action",
      want = (in_cell("this row's hook has returned: a row is kept with row:copy()", 2):gsub(":9:", ":10:")) },
    { hooks = "reports", script = lay '        header = { "a" }, row = function(row)\n          return { row.image.id, 2 }\n        end,',
      want = 'case.lua:8: row of layout "public.orders" of consumer "reports": it returned 2 cells, and header has 1 titles (public.orders, key 7, position 0000000001a3b748/1)' },
    { hooks = "reports", script = lay '        header = { "a" }, row = function(row)\n          local a = row.image.id\n        end,',
      want = 'case.lua:8: row of layout "public.orders" of consumer "reports": it returned nothing; it returns a list of 1 cells, or false to leave the record out '
        .. "(public.orders, key 7, position 0000000001a3b748/1)" },
    { hooks = "reports", script = lay '        header = { "a", "b" }, row = function(row)\n          return { row.image.id, row.image.total + 1 }\n        end,',
      want = 'case.lua:9: row of layout "public.orders" of consumer "reports": ' .. NOT_SENT:format("total", "total") .. " (public.orders, key 7, position 0000000001a3b748/2)" },
    { hooks = "nobody", script = connector "", want = 'there is no stage "nobody"' },
}
