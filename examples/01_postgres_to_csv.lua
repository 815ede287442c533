-- The changes of one PostgreSQL table, through Kafka, into a CSV file.
--
--   export PGPASSWORD=...
--   list_sync examples/01_postgres_to_csv.lua --set pg_host=db1 --set pg_database=shop --set kafka=broker1:9092
--
-- Without --set kafka=... it uses a broker inside the program, whose content is gone when the program ends: good for a
-- first look. README.md says what the server needs.

local ls = require "list_sync"

-- ls.param(name, default) is what --set name=value gives, else the default.
local kafka = ls.param("kafka", "memory")

-- A connector captures one database and sends each change of a row to Kafka as one message.
ls.connector {
  name = "shop",                                -- its place in the database's log is stored under this name
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),       -- better a role of its own: docs/servers.md
  password = ls.env "PGPASSWORD",               -- secrets come from the environment, never from the script
  database = ls.param("pg_database", "shop"),
  table = ls.param("table", "public.items"),    -- or tables = { "public.*", "!public.audit" }
  kafka_conf = kafka,
  topic = "items",                              -- made if it is not there
}

-- A consumer reads topics as a member of a consumer group, and writes what it reads.
ls.consumer {
  group_id = "items_csv",
  topic_list = { "items" },
  kafka_conf = kafka,
  -- One file, items_items_csv.csv. An insert is one row with action I, a delete one with D, an update a D and an I.
  writer = ls.csv_writer { filename = ls.param("out", "items") },
}
