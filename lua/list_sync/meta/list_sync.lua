---@meta list_sync
-- What require "list_sync" gives a script, for editors. Made with: list_sync options --format lua

---Captures one database and sends its changes to Kafka.
---@class list_sync.connector
---@field name string # (text of at most 200 bytes; required) The connector's name, unique in the script. Its checkpoint is stored under it, and messages carry it in source.connector.
---@field db_type "postgres"|"mysql"|"mariadb"|"pgsql" # ("postgres" | "mysql"; required) The database: "postgres", or "mysql" for MySQL and MariaDB. "pgsql" and "mariadb" are accepted too.
---@field host string # (text; required) The database server's name or address.
---@field port? integer # (integer from 1 to 65535; default: 5432, on MySQL and MariaDB 3306) The port it listens on.
---@field user string # (text; required) The database user. docs/servers.md tells the rights that it needs; `list_sync check` says which are missing.
---@field password? string # (text; default: none) The user's password; ls.env reads it from the environment.
---@field database? string # (text; required on PostgreSQL) The database. On MySQL and MariaDB, where a connector captures any of them, it is the default for table patterns without a dot.
---@field tables? string|string[]|table<integer|string, string|list_sync.table_options> # (text, list of texts, or table by pattern) Patterns of the tables to capture, as schema.table, with * and ?; a leading ! leaves out, a backslash makes the next character literal, later patterns win. On MySQL and MariaDB the schema is the database. This or table is required. A pattern may have options of its own: { "public.*", ["public.orders"] = { topic = "orders" } }. They may be those that are marked "by table" here, and what they leave out is the connector's. Of several patterns that match, the tables' options are those of an exact name, else of the pattern with the most characters that are no * or ?, of two like that of the one that sorts first.
---@field table? string # (text) Short for tables with one pattern.
---@field kafka_conf string|table<string, string|number|boolean> # (text or table; required) Where Kafka is: bootstrap servers as one text, or a table of librdkafka properties with ["bootstrap.servers"] among them, or "memory": a broker inside this process, for demos and trials, whose topics end with it. Properties that delivery depends on (acks, enable.idempotence, transactional.id and the like) belong to the engine.
---@field topic string|string[]|(fun(row: list_sync.row): string|string[]) # (text, list of texts, or function; by table; required) The topic that changes go to: a name, or a template with {database}, {schema} and {table}; a list: to each of them; or a function(row), after map, that gives a name or a list of names. Where a function says, a truncate goes to each topic that rows of its table went to, in earlier runs too, if it still exists.
---@field partitions? integer # (integer from 1 to 10000; by table; default: 3) Partitions of a topic that the connector makes. A topic that exists keeps its own.
---@field replication? integer # (integer from 0 to 100; by table; default: 0: 3, or the number of brokers if that is less) Replication factor of a topic that the connector makes.
---@field plugin? "pgoutput"|"wal2json" # ("pgoutput" | "wal2json"; PostgreSQL only; default: "pgoutput") The server's logical decoding plugin: "pgoutput", which every server has, or "wal2json", which must be installed there, needs no publication, and has limits (docs/servers.md).
---@field slot? string # (text of at most 63 bytes; PostgreSQL only; default: the connector's name in lower case, with _ for all but letters and digits) The replication slot. It is made at the first start.
---@field publication? string # (text of at most 63 bytes; PostgreSQL only; default: made by the connector) For pgoutput: a publication that the administrator made. Without it the connector makes one, for which it needs to own the tables; patterns need FOR ALL TABLES, which takes a superuser.
---@field partition_root? boolean # (true or false; PostgreSQL only; default: true, with wal2json false) A partitioned table's changes appear under its own name; false: under the partitions' names, which is all that wal2json can.
---@field server_id? integer # (integer from 0 to 4294967295; MySQL and MariaDB only; default: made from the name) The replica id under which the connector reads the binlog. No other replica of the server may have it.
---@field start? "now"|"slot"|"earliest"|string # ("now" | "slot" | "earliest" | position; default: "now") Where a connector without a checkpoint starts: "now"; "slot" (PostgreSQL): where its existing slot stands; "earliest" (MySQL and MariaDB): the oldest binlog; or a position that the server can serve from: on PostgreSQL one that its existing slot has kept ("0/2A1F00"), on MySQL and MariaDB where a transaction begins in a binlog ("binlog.000003:1234"), or what was had before, as GTIDs ("0-1-5"; "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5").
---@field standby? boolean # (true or false; default: false) Several programs run the connector, one at a time: the others wait, and when that one ends or dies the next takes over where its checkpoint stands. They share a Kafka consumer group, __list_sync.<name>. docs/servers.md tells more.
---@field ddl? boolean # (true or false; MySQL and MariaDB only; default: false) Sends DROP TABLE and DROP DATABASE as action X and RENAME TABLE as action R. The formats debezium and maxwell have no form for them.
---@field identity? "key"|"full" # ("key" | "full"; by table; default: "key") What a message says of the row before an update or delete: "key": its key, "full": all columns, for which the server must send them (REPLICA IDENTITY FULL on PostgreSQL, binlog_row_image = FULL on MySQL and MariaDB). A table without a key has all columns there in any case.
---@field key? "pk"|"table_pk"|"object"|string[]|(fun(row: list_sync.row): string|number|(string|number)[]|nil) # ("pk" | "table_pk" | "object" | list of columns | function; by table; default: "pk") The Kafka key, which chooses the partition and what a compacted topic keeps: "pk": the table's key, as text, several columns as a JSON array; "table_pk": a JSON array of schema, table and the key's values, for several tables in one topic; "object": a JSON object of the key, {"id":7}, as Debezium has it; a list of columns: { "tenant", "id" }; a function(row), after map, that gives a text or a number, or nil for a NULL key. A table without a key has a NULL key, and its rows go to one partition.
---@field format? "list_sync"|"debezium"|"maxwell"|"flat"|"protobuf"|(fun(row: list_sync.row): string|list_sync.json|list_sync.null|false) # ("list_sync" | "debezium" | "maxwell" | "flat" | "protobuf" | function; by table; default: "list_sync") The messages' form (docs/formats.md): "list_sync"; "debezium" and "maxwell": as these programs write them; "flat": the columns as one JSON object, with members such as _action beside them; "protobuf": messages of change.proto. Values are the same in each. Consumers of this program read "list_sync", and with decode = "protobuf" that one. Or a function(row), after map, that gives the message as a text, ls.null for a message without a value, or false for none; it is called for truncates, too (action "T", row.new and row.old nil).
---@field headers? table<string, string>|(fun(row: list_sync.row): table<string, string|number|list_sync.null>?) # (table of texts, or function; by table) Headers of the messages: texts by name, { origin = "eu" }, or a function(row), after map, that gives such a table or nil.
---@field moves? "keep"|"split" # ("keep" | "split"; by table; default: "keep") "split": an update whose row comes under another topic or key, or in or out of what filter lets pass, is sent as a delete of the row before and an insert of the row after, each where it belongs. For it filter, topic and key are called for both halves: first with the row before as a delete, then with the row after as an insert. The server must send rows before whole, as for identity = "full". "keep": an update goes where its row after belongs; one that leaves the filter is not sent.
---@field max_topics? integer # (integer from 1 to 1000000; default: 1000) How many topics the connector sends to; where a function says them, those of earlier runs count as long as they exist. A row for one more follows on_error: a topic's name was made of what has many values.
---@field source? boolean # (true or false; by table; default: true) false: messages are without source (where a change comes from); docs/formats.md tells what that is in other formats. Then nobody can tell a message that comes again after a crash from a new one.
---@field json? "text"|"embed" # ("text" | "embed"; by table; default: "text") How a JSON column stands in a message: "text": as a string, the document's text; "embed": the document itself. Embedded, the document null and NULL look the same, and so do the document "1" and 1 to a CSV file. Keys, and JSON inside an array, are text in any case.
---@field tombstones? boolean # (true or false; by table; default: false) A delete is followed by a message with its key and no value, so that a compacted topic forgets the row. Consumers pass over it. Tables without a key have none.
---@field row_image? "full"|"any" # ("full" | "any"; MySQL and MariaDB only; default: "full") "full": a server whose binlog_row_image leaves columns out of the binlog is refused. "any": it is taken; an update names the columns that were left out in unchanged, an insert leaves out those that took their default.
---@field delivery? "at_least_once"|"exactly_once" # ("at_least_once" | "exactly_once"; default: "at_least_once") "at_least_once": nothing is lost; what was sent after the last checkpoint, which is stored every second, comes again after a crash. "exactly_once": messages and checkpoint are stored in one Kafka transaction, ten times a second, so that none comes twice for consumers that read committed messages only (isolation.level = read_committed); those of this program do.
---@field on_error? "stop"|"dead_letter"|"skip" # ("stop" | "dead_letter" | "skip"; default: "stop") What becomes of a row for which a function of the script raises an error or gives a wrong answer, of one with a value that columns.cast cannot cast, or that cannot be encoded, and of one whose topic would be one too many (max_topics). "stop": the connector ends with the error, and nothing is passed over. "dead_letter": the row, as it was before its functions, goes to dead_letter_topic, with the error in headers. "skip": it is left out. Neither is silent: a warning for the first row of a table and kind of error, and a count. hook_timeout, script_memory and what servers and brokers say stop or are tried again in any case.
---@field on_oversize? "stop"|"dead_letter"|"skip" # ("stop" | "dead_letter" | "skip"; default: "stop") The same for a row whose message is over the producer's limit of 64 MiB, or over its topic's max.message.bytes. A dead letter has its key then, and in headers its size, but not the row.
---@field dead_letter_topic? string # (text of at most 249 bytes; default: the stage's name, with _ for what Kafka does not take, and .dead_letters) Where dead letters go (docs/scripting.md, "Rows in error"). It is made with one partition, unless it exists.
---@field on_invalid_text? "stop"|"replace"|"skip"|"dead_letter" # ("stop" | "replace" | "skip" | "dead_letter"; default: "stop") A row to be sent has text that is not valid in its character set. "stop": the connector ends, with an error that names table, column, key and place. "replace": U+FFFD is sent for each part that is no character. "skip": the change of the row is left out. "dead_letter": it goes to dead_letter_topic, with U+FFFD in it. None is silent: a warning for the first row of a table, and a count.
---@field columns? list_sync.columns # (table; by table) What happens to columns before the hooks, in C and in both images, by the names that the database gives them: { drop = { "card" }, cast = { active = "boolean" }, mask = { email = ls.hmac(key), iban = ls.keep_last(4), note = "***" }, rename = { usr = "user" } }. Casts are to boolean, integer, float, decimal, string, json, timestamp (of a datetime, which is taken to be of UTC) and datetime (of a timestamp, in UTC); masks are a text, ls.sha256, ls.hmac(key) and ls.keep_last(n). NULL stays NULL. A row with a value that cannot be cast follows on_error. A column that the only table of an exact name lacks is an error; with patterns, one that no table had so far is warned of.
---@field as? string # (text; by table) The name that changes have from here on, truncates too: "schema.table", where {schema} and {table} are the source's: "bank.{table}". Hooks, topic templates and messages have it; patterns of `tables` are the source's.
---@field filter? fun(row: list_sync.row): boolean? # (function; by table) function(row): false leaves the row out; true or nothing lets it pass.
---@field map? fun(row: list_sync.row): boolean? # (function; by table) function(row), after filter: changes the row in place; false leaves it out.
---@field memory? integer|string # (bytes, at least 4 MiB; default: 12 MiB) Bytes that batches and messages in flight may take, as a number or as text such as "12MiB". At the limit the connector waits for Kafka; a larger row goes through alone.
---@field hook_timeout? string # (text from "100ms" to "1h"; default: "1m") How long one call of a function of the stage may take: filter, map and the others that are called with a row for one row, and of ls.writer open, flush, discard and close each. A call that takes longer is named with its script:line, and the program stops with exit code 1.
---@field script_memory? integer|string # (bytes, at least 4 MiB; default: 256 MiB) What a stage's functions may keep in their Lua state (tables, texts; not what ffi allocates), in each instance. A script that keeps more after a full garbage collection stops the program with exit code 1.

---What a pattern in tables may have of its own; what it leaves out is the connector's.
---@class list_sync.table_options
---@field topic? string|string[]|(fun(row: list_sync.row): string|string[]) # The topic that changes go to: a name, or a template with {database}, {schema} and {table}; a list: to each of them; or a function(row), after map, that gives a name or a list of names. Where a function says, a truncate goes to each topic that rows of its table went to, in earlier runs too, if it still exists.
---@field partitions? integer # Partitions of a topic that the connector makes. A topic that exists keeps its own.
---@field replication? integer # Replication factor of a topic that the connector makes.
---@field identity? "key"|"full" # What a message says of the row before an update or delete: "key": its key, "full": all columns, for which the server must send them (REPLICA IDENTITY FULL on PostgreSQL, binlog_row_image = FULL on MySQL and MariaDB). A table without a key has all columns there in any case.
---@field key? "pk"|"table_pk"|"object"|string[]|(fun(row: list_sync.row): string|number|(string|number)[]|nil) # The Kafka key, which chooses the partition and what a compacted topic keeps: "pk": the table's key, as text, several columns as a JSON array; "table_pk": a JSON array of schema, table and the key's values, for several tables in one topic; "object": a JSON object of the key, {"id":7}, as Debezium has it; a list of columns: { "tenant", "id" }; a function(row), after map, that gives a text or a number, or nil for a NULL key. A table without a key has a NULL key, and its rows go to one partition.
---@field format? "list_sync"|"debezium"|"maxwell"|"flat"|"protobuf"|(fun(row: list_sync.row): string|list_sync.json|list_sync.null|false) # The messages' form (docs/formats.md): "list_sync"; "debezium" and "maxwell": as these programs write them; "flat": the columns as one JSON object, with members such as _action beside them; "protobuf": messages of change.proto. Values are the same in each. Consumers of this program read "list_sync", and with decode = "protobuf" that one. Or a function(row), after map, that gives the message as a text, ls.null for a message without a value, or false for none; it is called for truncates, too (action "T", row.new and row.old nil).
---@field headers? table<string, string>|(fun(row: list_sync.row): table<string, string|number|list_sync.null>?) # Headers of the messages: texts by name, { origin = "eu" }, or a function(row), after map, that gives such a table or nil.
---@field moves? "keep"|"split" # "split": an update whose row comes under another topic or key, or in or out of what filter lets pass, is sent as a delete of the row before and an insert of the row after, each where it belongs. For it filter, topic and key are called for both halves: first with the row before as a delete, then with the row after as an insert. The server must send rows before whole, as for identity = "full". "keep": an update goes where its row after belongs; one that leaves the filter is not sent.
---@field source? boolean # false: messages are without source (where a change comes from); docs/formats.md tells what that is in other formats. Then nobody can tell a message that comes again after a crash from a new one.
---@field json? "text"|"embed" # How a JSON column stands in a message: "text": as a string, the document's text; "embed": the document itself. Embedded, the document null and NULL look the same, and so do the document "1" and 1 to a CSV file. Keys, and JSON inside an array, are text in any case.
---@field tombstones? boolean # A delete is followed by a message with its key and no value, so that a compacted topic forgets the row. Consumers pass over it. Tables without a key have none.
---@field columns? list_sync.columns # What happens to columns before the hooks, in C and in both images, by the names that the database gives them: { drop = { "card" }, cast = { active = "boolean" }, mask = { email = ls.hmac(key), iban = ls.keep_last(4), note = "***" }, rename = { usr = "user" } }. Casts are to boolean, integer, float, decimal, string, json, timestamp (of a datetime, which is taken to be of UTC) and datetime (of a timestamp, in UTC); masks are a text, ls.sha256, ls.hmac(key) and ls.keep_last(n). NULL stays NULL. A row with a value that cannot be cast follows on_error. A column that the only table of an exact name lacks is an error; with patterns, one that no table had so far is warned of.
---@field as? string # The name that changes have from here on, truncates too: "schema.table", where {schema} and {table} are the source's: "bank.{table}". Hooks, topic templates and messages have it; patterns of `tables` are the source's.
---@field filter? fun(row: list_sync.row): boolean? # function(row): false leaves the row out; true or nothing lets it pass.
---@field map? fun(row: list_sync.row): boolean? # function(row), after filter: changes the row in place; false leaves it out.

---Reads changes from Kafka and writes them.
---@class list_sync.consumer
---@field name? string # (text of at most 200 bytes; default: group_id) The consumer's name, unique in the script.
---@field group_id string # (text of at most 200 bytes; required) The Kafka consumer group.
---@field topic_list string|string[] # (text or list of texts; required) The topics to read: a list, or one name.
---@field kafka_conf string|table<string, string|number|boolean> # (text or table; required) Where Kafka is: bootstrap servers as one text, or a table of librdkafka properties with ["bootstrap.servers"] among them, or "memory": a broker inside this process, for demos and trials, whose topics end with it. Properties that delivery depends on (acks, enable.idempotence, transactional.id and the like) belong to the engine.
---@field instances? integer # (integer from 1 to 256; default: 1) How many members of the group this process runs, each in a thread of its own and with files of its own.
---@field delivery? "at_least_once"|"exactly_once" # ("at_least_once" | "exactly_once"; default: "at_least_once") What a crash does to the rows of ls.csv_writer. "at_least_once": some come again. "exactly_once": each is in the files once, after a power cut, too. For it the consumer is no member of a group: partition p is read by the instance p mod instances, and <filename>_<consumer_id>.manifest.json (of a template what stands before its first brace, then <consumer_id>.manifest.json) keeps the files' lengths and the offsets; the group's are committed to show its lag alone. docs/files.md tells how files are taken away. A writer in Lua has each row once when its flush keeps the positions.
---@field consumer_id? string # (text of at most 200 bytes; default: the consumer's name) What stands in the names of the files; of several instances the k-th has -k behind it.
---@field auto_offset_reset? "earliest"|"latest" # ("earliest" | "latest"; default: "earliest") Where a group without stored offsets starts.
---@field decode? "list_sync"|"protobuf"|"raw" # ("list_sync" | "protobuf" | "raw"; default: "list_sync") What the messages are: "list_sync" or "protobuf", a connector's of that format, or "raw": anything. Of a raw message, a null one too, comes an insert of the table kafka.<topic> with the columns key and value (bytes), timestamp, partition and offset; row:bytes "value" is what was sent. A message that is none of the kind follows on_error.
---@field on_error? "stop"|"dead_letter"|"skip" # ("stop" | "dead_letter" | "skip"; default: "stop") What becomes of a message that cannot be decoded, and of a row for which filter, map, a layout's function, callback or a writer's write raises an error. "stop": the consumer ends with the error, and nothing is passed over. "dead_letter": the message goes, as it is, to dead_letter_topic, with the error in headers; offsets are committed when Kafka has it. "skip": it is left out. Neither is silent: a warning for the first one of a table (or topic) and kind of error, and a count.
---@field dead_letter_topic? string # (text of at most 249 bytes; default: the stage's name, with _ for what Kafka does not take, and .dead_letters) Where dead letters go (docs/scripting.md, "Rows in error"). It is made with one partition, unless it exists.
---@field filter? fun(row: list_sync.row): boolean? # (function) function(row): false leaves the row out; true or nothing lets it pass.
---@field map? fun(row: list_sync.row): boolean? # (function) function(row), after filter: changes the row in place; false leaves it out.
---@field writer? list_sync.csv_writer|list_sync.writer # (ls.csv_writer { ... } or ls.writer { ... }) Where the rows go: ls.csv_writer { ... }, or ls.writer { ... } of the script's own. This or callback is required.
---@field callback? fun(row: list_sync.row) # (function) function(row): short for ls.writer with write alone. It is called for each row that filter and map let pass, and for truncates; the offsets are committed every 500 ms.
---@field memory? integer|string # (bytes, at least 1 MiB; default: 6 MiB) Bytes that one instance's fetched messages and batches may take, as a number or as text such as "6MiB".
---@field hook_timeout? string # (text from "100ms" to "1h"; default: "1m") How long one call of a function of the stage may take: filter, map and the others that are called with a row for one row, and of ls.writer open, flush, discard and close each. A call that takes longer is named with its script:line, and the program stops with exit code 1.
---@field script_memory? integer|string # (bytes, at least 4 MiB; default: 256 MiB) What a stage's functions may keep in their Lua state (tables, texts; not what ffi allocates), in each instance. A script that keeps more after a full garbage collection stops the program with exit code 1.

---Writes rows to CSV files (RFC 4180, UTF-8): action, table, then the columns. An update is a delete row and an insert row.
---@class list_sync.csv_writer
---@field filename string # (text; required) The files' path without its end: rows go to <filename>_<consumer_id>.csv. With braces it is a template of all but .csv, filled in for each row: "out/{date}/{schema}.{table}". It may have {schema}, {table}, {topic}, {partition}, {consumer} (consumer_id), {kind} (insert or delete with split_files, else rows), {date} and {hour} (when the row was committed, in UTC, as 2026-01-31 and 00 to 23; 1970-01-01 for messages without a source). In what is filled in every byte but A-Z, a-z, 0-9, _ and - is %hh, a last - of a table that would read as a part's number is %2d, and a name over 200 bytes ends in a hash. Folders are made.
---@field split_files? boolean # (true or false; default: false) Insert rows go to <filename>_<consumer_id>_insert.csv and delete rows to <filename>_<consumer_id>_delete.csv; a template needs {kind} for it.
---@field max_open_files? integer # (integer from 1 to 1000000; default: 64) How many files an instance holds open. Past it the one longest unused is closed, and opened again when rows come for it.
---@field rotate? list_sync.rotate # (table) Ends files: { size = "64MiB", rows = 1000000, every = "1h" }, one of them or more; every is in s, m, h or d. The file that rows are added to is name.csv.part until it ends (with every name.csv.20260131T140000Z.part, which tells its span); then it is name.csv, and name-2.csv.part follows. size is before compression, and passed by a single larger row only. every goes by when rows were committed, in spans counted from 1970-01-01 UTC, never by the clock: the first row of a later span, of whatever table, ends the files of earlier ones, so one partition read again gives the same files; a row that comes late goes to the file that is being written. At a stop files stay as they are, and the next start goes on with them; numbers go on behind the highest that is there. Without rotate, or with another compress, a .part that is left stays as it is.
---@field compress? "zstd"|"gzip" # ("zstd" | "gzip"; default: neither) Files are name.csv.zst or name.csv.gz. Each flush ends a zstd frame or gzip member, which such files may have any number of, so that what was flushed can be read while the file grows, and after a crash; half a frame is cut off at the next start.
---@field header? boolean # (true or false; default: true) A file begins with the columns' names.
---@field bom? boolean # (true or false; default: false) A file begins with a UTF-8 byte order mark.
---@field formula_guard? boolean # (true or false; default: false) For files that spreadsheets open: a cell that begins with =, +, -, @, a tab or a line end gets a ' in front and is quoted, so that it is text and no formula; headers too. A number, as -1.5, is left as it is, whatever its column's type.
---@field delimiter? string # (one character; default: ",") What stands between two cells: no letter.
---@field quote? string # (one character; default: "\"") What stands around a cell that needs it; doubled within: no letter.
---@field newline? "\n"|"\r\n" # ("\n" | "\r\n"; default: "\n") What ends a line.
---@field null? string # (text; default: "") How NULL is written. An empty string is written as "".
---@field absent? string # (text; default: "") How a value is written that the message does not carry.
---@field layout? table<string, list_sync.layout> # (table by pattern; default: all tables alike) CSV files by table: { ["public.orders"] = { columns = { "id", { "when", from = "created_at", date = "%d/%m/%Y" }, { "gross", value = function(row) ... end } } } }. The keys are patterns as those of tables; the most specific one that matches the row's table, as the hooks leave it, counts. A layout may have columns, or row = function(row) with header = { titles }; prefix = false, which leaves action and table out, and truncates with them; and the writer's filename, header, bom, formula_guard, delimiter, quote, newline, null and absent, each the writer's if it is not given. docs/scripting.md tells more.

---Hands rows to functions of the script: a database, a service, files of another form. They run in the consumer's thread; with several instances each has a Lua state and a writer of its own.
---@class list_sync.writer
---@field write fun(w: table, row: list_sync.row) # (function; required) function(w, row): takes a row; w is a table of the writer's own. It is called for truncates too (action "T", and with the connector's ddl "X" and "R"), for which row.new and row.old are nil. What becomes of a row for which it raises an error is said by the consumer's on_error.
---@field open? fun(w: table): list_sync.position[]|(fun(topic: string, partition: integer): integer?)|nil # (function) function(w): called before the first row. What it returns says where partitions begin, if not at the group's offsets: a list of { topic =, partition =, offset = }, or a function(topic, partition) that gives an offset or nil, which is asked of each partition that comes.
---@field flush? fun(w: table, positions: list_sync.position[]) # (function) function(w, positions): makes what was written stay; positions is a list of { topic =, partition =, offset = } with the next offsets to read. Afterwards they are committed to the group. A store that keeps them with its rows, and gives them back in open, has each row once. An error throws away what was written since the last flush (discard), and it comes again; one that Lua itself finds ("attempt to call ...") ends the program.
---@field discard? fun(w: table) # (function) function(w): throws away what was written since the last flush.
---@field close? fun(w: table) # (function) function(w): called at the end.
---@field flush_every? list_sync.flush_every # (table; default: { rows = 10000, ms = 500 }) When written rows are flushed: { rows = 1000, ms = 200 }, whichever comes first.

---What happens to columns before the hooks.
---@class list_sync.columns
---@field drop? string|string[] # not sent
---@field cast? table<string, "boolean"|"integer"|"float"|"decimal"|"string"|"json"|"datetime"|"timestamp"> # by column
---@field mask? table<string, string|list_sync.mask> # by column: a text, ls.sha256, ls.hmac(key) or ls.keep_last(n)
---@field rename? table<string, string> # by column: its new name

---When a file ends.
---@class list_sync.rotate
---@field size? integer|string # bytes before compression, or a text such as 64MiB
---@field rows? integer # rows
---@field every? string # a span of commit time: 30s, 15m, 1h, 1d

---A column of a CSV layout: its title, then where its cells come from.
---@class list_sync.layout_column
---@field [1] string # the title
---@field from? string # the table's column
---@field date? string # strftime's format, in UTC
---@field optional? boolean # rows may be without the column
---@field value? fun(row: list_sync.row): any # gives the cell, instead of from

---How the rows of some tables are written. What it does not say is as the writer says.
---@class list_sync.layout
---@field columns? (string|list_sync.layout_column)[] # what is written, in this order
---@field row? fun(row: list_sync.row): any[]|false # gives whole records; false: none
---@field header? boolean|string[] # with row its titles
---@field prefix? boolean # false: without action and table
---@field filename? string # as the writer's
---@field bom? boolean # as the writer's
---@field formula_guard? boolean # as the writer's
---@field delimiter? string # as the writer's
---@field quote? string # as the writer's
---@field newline? string # as the writer's
---@field null? string # as the writer's
---@field absent? string # as the writer's

---When written rows are flushed, whichever comes first.
---@class list_sync.flush_every
---@field rows? integer # after so many rows
---@field ms? integer # after so many milliseconds

---Where a partition goes on.
---@class list_sync.position
---@field topic string # the topic
---@field partition integer # its partition
---@field offset integer # the next offset to read

---Where a change comes from; read-only.
---@class list_sync.source
---@field pos string? # the transaction's place, in hex: grows
---@field seq integer # the row's number in its transaction, from 1
---@field tx string? # transaction id or GTID
---@field sub integer # of a clone its number, else 0
---@field ts integer? # commit time, microseconds since 1970 UTC
---@field connector string? # its name

---A row's columns by name. A name that the table does not have is an error; NULL is nil.
---@class list_sync.image
---@field [string] any # a column

---A row, good until its hook returns.
---@class list_sync.row
---@field action "I"|"U"|"D"|"T"|"X"|"R" # what happened; can be written
---@field schema string # can be written
---@field table string # can be written
---@field db string? # postgres, mysql or mariadb
---@field ts integer? # commit time, microseconds since 1970 UTC
---@field source list_sync.source # where the change comes from
---@field new list_sync.image? # the row after; nil for a delete
---@field old list_sync.image? # the row before; nil for an insert
---@field image list_sync.image # the one that there is: new, or of a delete old
---@field topic string? # in a consumer: the message's topic
---@field partition integer? # in a consumer: the message's partition
local row = {}

---Is there such a column in row.image, and was it sent?
---@param column string
---@return boolean
function row:has(column) end

---The column's canonical text; nil for NULL.
---@param column string
---@return string?
function row:text(column) end

---The column as a number, rounded; nil for NULL.
---@param column string
---@return number?
function row:number(column) end

---The column as microseconds since 1970 UTC, of a time of day since midnight; nil for NULL.
---@param column string
---@return any
function row:time(column) end

---The column's document as a table; nil for NULL.
---@param column string
---@return any
function row:json(column) end

---The column's bytes; nil for NULL.
---@param column string
---@return string?
function row:bytes(column) end

---Writes what fn makes of the column's values, in both images. NULL stays NULL.
---@param column string
---@param fn list_sync.mask|fun(value: any): any
function row:mask(column, fn) end

---Takes the column out of both images.
---@param column string
function row:drop(column) end

---Gives the column another name in both images.
---@param column string
---@param name string
function row:rename(column, name) end

---A copy that is sent behind the row.
---@return list_sync.row
function row:clone() end

---A plain table of the row, to be kept.
---@return table
function row:copy() end

---A value that was not sent. Compare with it, or ask row:has; all else raises an error.
---@class list_sync.absent

---NULL in an array or document.
---@class list_sync.null

---Decimal text, for a new column.
---@class list_sync.decimal

---Bytes, for a new column.
---@class list_sync.bytes

---A document's text.
---@class list_sync.json

---An array: its elements, and their number in n.
---@class list_sync.array

---A function of a column's value, which columns.mask runs in C.
---@class list_sync.mask

---@class list_sync
local ls = {}

---A value that was not sent.
---@type list_sync.absent
ls.absent = nil

---NULL in an array or document.
---@type list_sync.null
ls.null = nil

---The mask SHA-256, in hex.
---@type list_sync.mask
ls.sha256 = nil

---An environment variable; one that is not set is an error.
---@param name string
---@return string
function ls.env(name) end

---What a file holds, without the line end behind it; one that cannot be read is an error.
---@param path string
---@return string
function ls.file(path) end

---What --set name=value gives, in the default's type; else the default. Without a default it must be given.
---@generic T: string|number|boolean
---@param name string
---@param default? T
---@return T
function ls.param(name, default) end

---A decimal for a column: ls.decimal "1.50".
---@param text string|integer
---@return list_sync.decimal
function ls.decimal(text) end

---Bytes for a column.
---@param bytes string
---@return list_sync.bytes
function ls.bytes(bytes) end

---A document for a column.
---@param value any
---@return list_sync.json
function ls.json(value) end

---A text or number as it stands in JSON; nil is null.
---@param value any
---@return string
function ls.quoted(value) end

---An array for a column: ls.array { 1, ls.null, n = 2 }.
---@param elements table
---@return list_sync.array
function ls.array(elements) end

---Microseconds since 1970 as text in UTC, by strftime's conversions; nil of nil.
---@param format string
---@param us any
---@return string?
function ls.date(format, us) end

---Of a file of cases: a table's name, then its columns in their order, as { name, type, key = 1, null = false }.
---@param table table
function ls.table(table) end

---Of a file of cases: rows that a stage is given, and what is wanted of them (name, stage, give, want or error).
---@param case table
function ls.case(case) end

---The mask HMAC-SHA-256, in hex.
---@param key string
---@return list_sync.mask
function ls.hmac(key) end

---The mask that keeps the last n characters.
---@param n integer
---@return list_sync.mask
function ls.keep_last(n) end

---Captures one database and sends its changes to Kafka.
---@param options list_sync.connector
function ls.connector(options) end

---Reads changes from Kafka and writes them.
---@param options list_sync.consumer
function ls.consumer(options) end

---Writes rows to CSV files (RFC 4180, UTF-8): action, table, then the columns. An update is a delete row and an insert row.
---@param options list_sync.csv_writer
---@return list_sync.csv_writer
function ls.csv_writer(options) end

---Hands rows to functions of the script: a database, a service, files of another form. They run in the consumer's thread; with several instances each has a Lua state and a writer of its own.
---@param options list_sync.writer
---@return list_sync.writer
function ls.writer(options) end

return ls
