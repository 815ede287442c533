-- options.lua - every option of every call of a script: name, type, default, range, and what it means. The checks, the
-- defaults and the reference (list_sync options) come from this table alone.
--
--   name     the option
--   type     text | integer | boolean | choice | list | size | duration | char | kafka | hook | writer ...   (check.lua has one check each)
--   required it must be given: true, or the db_type for which it must be
--   example  how it is given, for the error about a missing one
--   default  the value when it is not given; by_db: one for each db_type
--   default_doc  how the reference tells a default that is worked out
--   only     the db_type it belongs to
--   by_table tables may have one of their own
--   min max  the range of an integer or size, or of a duration in milliseconds; of a text its length in bytes
--   choices  the values of a choice; means: other spellings of them
--   empty    a text that may be empty
--   gives    what a hook returns, as an editor's type; its arguments are those that doc begins with
--   doc      the reference's sentences
local MiB = 1024 * 1024

local kafka_conf = {
    name = "kafka_conf", type = "kafka", required = true, example = '"broker1:9092,broker2:9092"',
    doc = [[Where Kafka is: bootstrap servers as one text, or a table of librdkafka properties with
    ["bootstrap.servers"] among them, or "memory": a broker inside this process, for demos and trials, whose topics end with it.
    Properties that delivery depends on (acks, enable.idempotence, transactional.id and the like) belong to the engine.]],
}

local hook_timeout = {
    name = "hook_timeout", type = "duration", min = 100, max = 3600000, default = 60000,
    doc = [[How long one call of a function of the stage may take: filter, map and the others that are called with a row for one row, and of
    ls.writer open, flush, discard and close each. A call that takes longer is named with its script:line, and the program stops with exit code 1.]],
}

local script_memory = {
    name = "script_memory", type = "size", min = 4 * MiB, max = 1024 * MiB, default = 256 * MiB,
    doc = [[What a stage's functions may keep in their Lua state (tables, texts; not what ffi allocates), in each instance. A script that keeps more
    after a full garbage collection stops the program with exit code 1.]],
}

local dead_letter_topic = {
    name = "dead_letter_topic", type = "text", max = 249,
    default_doc = "the stage's name, with _ for what Kafka does not take, and .dead_letters",
    doc = [[Where dead letters go (docs/scripting.md, "Rows in error"). It is made with one partition, unless it exists.]],
}

local connector = {
    {
        name = "name", type = "text", required = true, example = '"shop"', max = 200,
        doc = [[The connector's name, unique in the script. Its checkpoint is stored under it, and messages carry it in source.connector.]],
    },
    {
        name = "db_type", type = "choice", required = true, example = '"postgres"',
        choices = { "postgres", "mysql" }, means = { pgsql = "postgres", mariadb = "mysql" },
        doc = [[The database: "postgres", or "mysql" for MySQL and MariaDB. "pgsql" and "mariadb" are accepted too.]],
    },
    { name = "host", type = "text", required = true, example = '"localhost"', doc = [[The database server's name or address.]] },
    {
        name = "port", type = "integer", min = 1, max = 65535, by_db = { postgres = 5432, mysql = 3306 },
        doc = [[The port it listens on.]],
    },
    {
        name = "user", type = "text", required = true, example = '"repl"',
        doc = [[The database user. docs/servers.md tells the rights that it needs; `list_sync check` says which are missing.]],
    },
    {
        name = "password", type = "text", secret = true, empty = true, default_doc = "none",
        doc = [[The user's password; ls.env reads it from the environment.]],
    },
    {
        name = "database", type = "text", required = "postgres", example = '"shop"',
        doc = [[The database. On MySQL and MariaDB, where a connector captures any of them, it is the default for table patterns
        without a dot.]],
    },
    {
        name = "tables", type = "tables", example = '{ "public.*" }',
        doc = [[Patterns of the tables to capture, as schema.table, with * and ?; a leading ! leaves out, a backslash makes the next
        character literal, later patterns win. On MySQL and MariaDB the schema is the database. This or table is required.
        A pattern may have options of its own: { "public.*", ["public.orders"] = { topic = "orders" } }. They may be those that are marked
        "by table" here, and what they leave out is the connector's. Of several patterns that match, the tables' options are those of
        an exact name, else of the pattern with the most characters that are no * or ?, of two like that of the one that sorts first.]],
    },
    { name = "table", type = "text", doc = [[Short for tables with one pattern.]] },
    kafka_conf,
    {
        name = "topic", type = "topic", required = true, by_table = true, example = '"{database}.{schema}.{table}"',
        doc = [[The topic that changes go to: a name, or a template with {database}, {schema} and {table}; a list: to each of them; or a
        function(row), after map, that gives a name or a list of names. Where a function says, a truncate goes to each topic that rows of its
        table went to, in earlier runs too, if it still exists.]],
    },
    {
        name = "partitions", type = "integer", by_table = true, min = 1, max = 10000, default = 3,
        doc = [[Partitions of a topic that the connector makes. A topic that exists keeps its own.]],
    },
    {
        name = "replication", type = "integer", by_table = true, min = 0, max = 100, default = 0,
        default_doc = "0: 3, or the number of brokers if that is less",
        doc = [[Replication factor of a topic that the connector makes.]],
    },
    {
        name = "plugin", type = "choice", only = "postgres", choices = { "pgoutput", "wal2json" }, default = "pgoutput",
        doc = [[The server's logical decoding plugin: "pgoutput", which every server has, or "wal2json", which must be installed there,
        needs no publication, and has limits (docs/servers.md).]],
    },
    {
        name = "slot", type = "text", only = "postgres", max = 63, pattern = "^[a-z0-9_]+$", wants = "lower-case letters, digits and _",
        default_doc = "the connector's name in lower case, with _ for all but letters and digits",
        doc = [[The replication slot. It is made at the first start.]],
    },
    {
        name = "publication", type = "text", only = "postgres", max = 63, default_doc = "made by the connector",
        doc = [[For pgoutput: a publication that the administrator made. Without it the connector makes one, for which it needs to own the tables;
        patterns need FOR ALL TABLES, which takes a superuser.]],
    },
    {
        name = "partition_root", type = "boolean", only = "postgres", default_doc = "true, with wal2json false",
        doc = [[A partitioned table's changes appear under its own name; false: under the partitions' names,
        which is all that wal2json can.]],
    },
    {
        name = "server_id", type = "integer", only = "mysql", min = 0, max = 4294967295, default = 0, default_doc = "made from the name",
        doc = [[The replica id under which the connector reads the binlog. No other replica of the server may have it.]],
    },
    {
        name = "start", type = "start", choices = { "now", "slot", "earliest" }, default = "now",
        choice_only = { slot = "postgres", earliest = "mysql" },
        doc = [[Where a connector without a checkpoint starts: "now"; "slot" (PostgreSQL): where its existing slot stands; "earliest"
        (MySQL and MariaDB): the oldest binlog; or a position that the server can serve from: on PostgreSQL one that its existing slot has kept
        ("0/2A1F00"), on MySQL and MariaDB where a transaction begins in a binlog ("binlog.000003:1234"), or what was had before, as GTIDs
        ("0-1-5"; "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5").]],
    },
    {
        name = "standby", type = "boolean", default = false,
        doc = [[Several programs run the connector, one at a time: the others wait, and when that one ends or dies the next takes over where its
        checkpoint stands. They share a Kafka consumer group, __list_sync.<name>. docs/servers.md tells more.]],
    },
    {
        name = "ddl", type = "boolean", only = "mysql", default = false,
        doc = [[Sends DROP TABLE and DROP DATABASE as action X and RENAME TABLE as action R. The formats debezium and maxwell have no form
        for them.]],
    },
    {
        name = "identity", type = "choice", by_table = true, choices = { "key", "full" }, default = "key",
        doc = [[What a message says of the row before an update or delete: "key": its key, "full": all columns, for which the server
        must send them (REPLICA IDENTITY FULL on PostgreSQL, binlog_row_image = FULL on MySQL and MariaDB). A table without a key has
        all columns there in any case.]],
    },
    {
        name = "key", type = "key", by_table = true, default_doc = '"pk"',
        doc = [[The Kafka key, which chooses the partition and what a compacted topic keeps: "pk": the table's key, as text, several columns as a
        JSON array; "table_pk": a JSON array of schema, table and the key's values, for several tables in one topic; "object": a JSON object
        of the key, {"id":7}, as Debezium has it; a list of columns: { "tenant", "id" }; a function(row), after map, that gives a text or a number, or nil for a NULL key. A table without a key has a
        NULL key, and its rows go to one partition.]],
    },
    {
        name = "format", type = "format", by_table = true, choices = { "list_sync", "debezium", "maxwell", "flat", "protobuf" }, default = "list_sync",
        doc = [[The messages' form (docs/formats.md): "list_sync"; "debezium" and "maxwell": as these programs write them; "flat": the columns as
        one JSON object, with members such as _action beside them; "protobuf": messages of change.proto. Values are the same in each. Consumers of this
        program read "list_sync", and with decode = "protobuf" that one. Or a function(row), after map, that gives the message as a text, ls.null for a message without a value, or false for none; it is called for truncates, too (action "T", row.new and row.old nil).]],
    },
    {
        name = "headers", type = "headers", by_table = true,
        doc = [[Headers of the messages: texts by name, { origin = "eu" }, or a function(row), after map, that gives such a table or nil.]],
    },
    {
        name = "moves", type = "choice", by_table = true, choices = { "keep", "split" }, default = "keep",
        doc = [["split": an update whose row comes under another topic or key, or in or out of what filter lets pass, is sent as a delete of
        the row before and an insert of the row after, each where it belongs. For it filter, topic and key are called for both
        halves: first with the row before as a delete, then with the row after as an insert. The server must send rows before whole, as
        for identity = "full". "keep": an update goes where its row after belongs; one that leaves the filter is not sent.]],
    },
    {
        name = "max_topics", type = "integer", min = 1, max = 1000000, default = 1000,
        doc = [[How many topics the connector sends to; where a function says them, those of earlier runs count as long as they exist. A row for one
        more follows on_error: a topic's name was made of what has many values.]],
    },
    {
        name = "source", type = "boolean", by_table = true, default = true,
        doc = [[false: messages are without source (where a change comes from); docs/formats.md tells what that is in other formats. Then nobody can tell a message that comes again after a crash from a new one.]],
    },
    {
        name = "json", type = "choice", by_table = true, choices = { "text", "embed" }, default = "text",
        doc = [[How a JSON column stands in a message: "text": as a string, the document's text; "embed": the document itself. Embedded, the
        document null and NULL look the same, and so do the document "1" and 1 to a CSV file. Keys, and JSON inside an array, are text in
        any case.]],
    },
    {
        name = "tombstones", type = "boolean", by_table = true, default = false,
        doc = [[A delete is followed by a message with its key and no value, so that a compacted topic forgets the row. Consumers pass over
        it. Tables without a key have none.]],
    },
    {
        name = "row_image", type = "choice", only = "mysql", choices = { "full", "any" }, default = "full",
        doc = [["full": a server whose binlog_row_image leaves columns out of the binlog is refused. "any": it is taken; an update names
        the columns that were left out in unchanged, an insert leaves out those that took their default.]],
    },
    {
        name = "delivery", type = "choice", choices = { "at_least_once", "exactly_once" }, default = "at_least_once",
        doc = [["at_least_once": nothing is lost; what was sent after the last checkpoint, which is stored every second, comes again after a crash. "exactly_once": messages and
        checkpoint are stored in one Kafka transaction, ten times a second, so that none comes twice for consumers that read committed messages only
        (isolation.level = read_committed); those of this program do.]],
    },
    {
        name = "on_error", type = "choice", choices = { "stop", "dead_letter", "skip" }, default = "stop",
        doc = [[What becomes of a row for which a function of the script raises an error or gives a wrong answer, of one with a value that columns.cast cannot
        cast, or that cannot be encoded, and of one whose topic would be one too many (max_topics). "stop": the connector ends with the error, and
        nothing is passed over. "dead_letter": the row, as it was before its functions, goes to dead_letter_topic, with the error in headers.
        "skip": it is left out. Neither is silent: a warning for the first row of a table and kind of error, and a count. hook_timeout,
        script_memory and what servers and brokers say stop or are tried again in any case.]],
    },
    {
        name = "on_oversize", type = "choice", choices = { "stop", "dead_letter", "skip" }, default = "stop",
        doc = [[The same for a row whose message is over the producer's limit of 64 MiB, or over its topic's max.message.bytes. A dead letter has its key
        then, and in headers its size, but not the row.]],
    },
    dead_letter_topic,
    {
        name = "on_invalid_text", type = "choice", choices = { "stop", "replace", "skip", "dead_letter" }, default = "stop",
        doc = [[A row to be sent has text that is not valid in its character set. "stop": the connector ends, with an error that names
        table, column, key and place. "replace": U+FFFD is sent for each part that is no character. "skip": the change of the row is left
        out. "dead_letter": it goes to dead_letter_topic, with U+FFFD in it. None is silent: a warning for the first row of a table, and a count.]],
    },
    {
        name = "columns", type = "columns", by_table = true,
        doc = [[What happens to columns before the hooks, in C and in both images, by the names that the database gives them:
        { drop = { "card" }, cast = { active = "boolean" }, mask = { email = ls.hmac(key), iban = ls.keep_last(4), note = "***" },
        rename = { usr = "user" } }. Casts are to boolean, integer, float, decimal, string, json, timestamp (of a datetime, which is taken to be of UTC) and datetime (of a timestamp, in UTC); masks are a text, ls.sha256,
        ls.hmac(key) and ls.keep_last(n). NULL stays NULL. A row with a value that cannot be cast follows on_error. A column that the only table of
        an exact name lacks is an error; with patterns, one that no table had so far is warned of.]],
    },
    {
        name = "as", type = "as", by_table = true,
        doc = [[The name that changes have from here on, truncates too: "schema.table", where {schema} and {table} are the source's: "bank.{table}". Hooks, topic
        templates and messages have it; patterns of `tables` are the source's.]],
    },
    {
        name = "filter", type = "hook", gives = "boolean?", by_table = true,
        doc = [[function(row): false leaves the row out; true or nothing lets it pass.]],
    },
    {
        name = "map", type = "hook", gives = "boolean?", by_table = true,
        doc = [[function(row), after filter: changes the row in place; false leaves it out.]],
    },
    {
        name = "memory", type = "size", min = 4 * MiB, max = 1024 * 1024 * MiB, default = 12 * MiB,
        doc = [[Bytes that batches and messages in flight may take, as a number or as text such as "12MiB". At the limit the connector
        waits for Kafka; a larger row goes through alone.]],
    },
    hook_timeout,
    script_memory,
}

local consumer = {
    {
        name = "name", type = "text", max = 200, default_doc = "group_id",
        doc = [[The consumer's name, unique in the script.]],
    },
    { name = "group_id", type = "text", required = true, example = '"reports"', max = 200, doc = [[The Kafka consumer group.]] },
    { name = "topic_list", type = "list", required = true, example = '{ "wal" }', doc = [[The topics to read: a list, or one name.]] },
    kafka_conf,
    {
        name = "instances", type = "integer", min = 1, max = 256, default = 1,
        doc = [[How many members of the group this process runs, each in a thread of its own and with files of its own.]],
    },
    {
        name = "delivery", type = "choice", choices = { "at_least_once", "exactly_once" }, default = "at_least_once",
        doc = [[What a crash does to the rows of ls.csv_writer. "at_least_once": some come again. "exactly_once": each is in the files once, after a
        power cut, too. For it the consumer is no member of a group: partition p is read by the instance p mod instances, and <filename>_<consumer_id>.manifest.json
        (of a template what stands before its first brace, then <consumer_id>.manifest.json) keeps the files' lengths and the offsets; the group's are committed to show
        its lag alone. docs/files.md tells how files are taken away. A writer in Lua has each row once when its flush keeps the positions.]],
    },
    {
        name = "consumer_id", type = "text", max = 200, default_doc = "the consumer's name",
        doc = [[What stands in the names of the files; of several instances the k-th has -k behind it.]],
    },
    {
        name = "auto_offset_reset", type = "choice", choices = { "earliest", "latest" }, default = "earliest",
        doc = [[Where a group without stored offsets starts.]],
    },
    {
        name = "decode", type = "choice", choices = { "list_sync", "protobuf", "raw" }, default = "list_sync",
        doc = [[What the messages are: "list_sync" or "protobuf", a connector's of that format, or "raw": anything. Of a raw message, a null one
        too, comes an insert of the table kafka.<topic> with the columns key and value (bytes), timestamp, partition and offset; row:bytes
        "value" is what was sent. A message that is none of the kind follows on_error.]],
    },
    {
        name = "on_error", type = "choice", choices = { "stop", "dead_letter", "skip" }, default = "stop",
        doc = [[What becomes of a message that cannot be decoded, and of a row for which filter, map, a layout's function, callback or a writer's write
        raises an error. "stop": the consumer ends with the error, and nothing is passed over. "dead_letter": the message goes, as it is,
        to dead_letter_topic, with the error in headers; offsets are committed when Kafka has it. "skip": it is left out. Neither is silent: a
        warning for the first one of a table (or topic) and kind of error, and a count.]],
    },
    dead_letter_topic,
    { name = "filter", type = "hook", gives = "boolean?", doc = [[function(row): false leaves the row out; true or nothing lets it pass.]] },
    { name = "map", type = "hook", gives = "boolean?", doc = [[function(row), after filter: changes the row in place; false leaves it out.]] },
    {
        name = "writer", type = "writer",
        doc = [[Where the rows go: ls.csv_writer { ... }, or ls.writer { ... } of the script's own. This or callback is required.]],
    },
    {
        name = "callback", type = "hook",
        doc = [[function(row): short for ls.writer with write alone. It is called for each row that filter and map let pass, and for truncates;
        the offsets are committed every 500 ms.]],
    },
    {
        name = "memory", type = "size", min = 1 * MiB, max = 1024 * 1024 * MiB, default = 6 * MiB,
        doc = [[Bytes that one instance's fetched messages and batches may take, as a number or as text such as "6MiB".]],
    },
    hook_timeout,
    script_memory,
}

local csv_writer = {
    {
        name = "filename", type = "text", required = true, example = '"out/rows"',
        doc = [[The files' path without its end: rows go to <filename>_<consumer_id>.csv. With braces it is a template of all but .csv,
        filled in for each row: "out/{date}/{schema}.{table}". It may have {schema}, {table}, {topic}, {partition}, {consumer}
        (consumer_id), {kind} (insert or delete with split_files, else rows), {date} and {hour} (when the row was committed, in UTC, as
        2026-01-31 and 00 to 23; 1970-01-01 for messages without a source). In what is filled in every byte but A-Z, a-z, 0-9, _ and -
        is %hh, a last - of a table that would read as a part's number is %2d, and a name over 200 bytes ends in a hash. Folders are made.]],
    },
    {
        name = "split_files", type = "boolean", default = false,
        doc = [[Insert rows go to <filename>_<consumer_id>_insert.csv and delete rows to <filename>_<consumer_id>_delete.csv; a template
        needs {kind} for it.]],
    },
    {
        name = "max_open_files", type = "integer", min = 1, max = 1000000, default = 64,
        doc = [[How many files an instance holds open. Past it the one longest unused is closed, and opened again when rows come for it.]],
    },
    {
        name = "rotate", type = "rotate",
        doc = [[Ends files: { size = "64MiB", rows = 1000000, every = "1h" }, one of them or more; every is in s, m, h or d. The file that rows are
        added to is name.csv.part until it ends (with every name.csv.20260131T140000Z.part, which tells its span); then it is name.csv,
        and name-2.csv.part follows. size is before compression, and passed by a single larger row only. every goes by when rows
        were committed, in spans counted from 1970-01-01 UTC, never by the clock: the first row of a later span, of whatever table, ends the
        files of earlier ones, so one partition read again gives the same files; a row that comes late goes to the file that is
        being written. At a stop files stay as they are, and the next start goes on with them; numbers go on behind the
        highest that is there. Without rotate, or with another compress, a .part that is left stays as it is.]],
    },
    {
        name = "compress", type = "choice", choices = { "zstd", "gzip" }, default_doc = "neither",
        doc = [[Files are name.csv.zst or name.csv.gz. Each flush ends a zstd frame or gzip member, which such files may have any number of, so that
        what was flushed can be read while the file grows, and after a crash; half a frame is cut off at the next start.]],
    },
    { name = "header", type = "boolean", default = true, doc = [[A file begins with the columns' names.]] },
    { name = "bom", type = "boolean", default = false, doc = [[A file begins with a UTF-8 byte order mark.]] },
    {
        name = "formula_guard", type = "boolean", default = false,
        doc = [[For files that spreadsheets open: a cell that begins with =, +, -, @, a tab or a line end gets a ' in front and is quoted, so
        that it is text and no formula; headers too. A number, as -1.5, is left as it is, whatever its column's type.]],
    },
    { name = "delimiter", type = "char", default = ",", doc = [[What stands between two cells: no letter.]] },
    { name = "quote", type = "char", default = '"', doc = [[What stands around a cell that needs it; doubled within: no letter.]] },
    { name = "newline", type = "choice", choices = { "\n", "\r\n" }, default = "\n", doc = [[What ends a line.]] },
    { name = "null", type = "text", empty = true, default = "", doc = [[How NULL is written. An empty string is written as "".]] },
    {
        name = "absent", type = "text", empty = true, default = "",
        doc = [[How a value is written that the message does not carry.]],
    },
    {
        name = "layout", type = "layout", default_doc = "all tables alike",
        doc = [[CSV files by table: { ["public.orders"] = { columns = { "id", { "when", from = "created_at", date = "%d/%m/%Y" }, { "gross", value =
        function(row) ... end } } } }. The keys are patterns as those of tables; the most specific one that matches the row's table, as the hooks
        leave it, counts. A layout may have columns, or row = function(row) with header = { titles }; prefix = false, which leaves action and
        table out, and truncates with them; and the writer's filename, header, bom, formula_guard, delimiter, quote, newline, null and absent,
        each the writer's if it is not given. docs/scripting.md tells more.]],
    },
}

local writer = {
    {
        name = "write", type = "hook", required = true, example = "function(w, row) ... end",
        doc = [[function(w, row): takes a row; w is a table of the writer's own. It is called for truncates too (action "T", and with the connector's
        ddl "X" and "R"), for which row.new and row.old are nil. What becomes of a row for which it raises an error is said by the consumer's on_error.]],
    },
    {
        name = "open", type = "hook", gives = "list_sync.position[]|(fun(topic: string, partition: integer): integer?)|nil",
        doc = [[function(w): called before the first row. What it returns says where partitions begin, if not at the group's offsets: a list of
        { topic =, partition =, offset = }, or a function(topic, partition) that gives an offset or nil, which is asked of each partition
        that comes.]],
    },
    {
        name = "flush", type = "hook",
        doc = [[function(w, positions): makes what was written stay; positions is a list of { topic =, partition =, offset = } with the next
        offsets to read. Afterwards they are committed to the group. A store that keeps them with its rows, and gives them back in
        open, has each row once. An error throws away what was written since the last flush (discard), and it comes again; one that Lua itself finds
        ("attempt to call ...") ends the program.]],
    },
    { name = "discard", type = "hook", doc = [[function(w): throws away what was written since the last flush.]] },
    { name = "close", type = "hook", doc = [[function(w): called at the end.]] },
    {
        name = "flush_every", type = "flush_every", default_doc = "{ rows = 10000, ms = 500 }",
        doc = [[When written rows are flushed: { rows = 1000, ms = 200 }, whichever comes first.]],
    },
}

return {
    {
        name = "connector", title = "connector", options = connector,
        doc = [[Captures one database and sends its changes to Kafka.]],
    },
    {
        name = "consumer", title = "consumer", options = consumer,
        doc = [[Reads changes from Kafka and writes them.]],
    },
    {
        name = "csv_writer", options = csv_writer,
        doc = [[Writes rows to CSV files (RFC 4180, UTF-8): action, table, then the columns. An update is a delete row and an insert row.]],
    },
    {
        name = "writer", options = writer,
        doc = [[Hands rows to functions of the script: a database, a service, files of another form. They run in the consumer's thread; with several
        instances each has a Lua state and a writer of its own.]],
    },
}
