-- Messages as Debezium writes them (JSON, schemas off), for consumers that are there already: docs/formats.md tells which of its modes.
--
--   export PGPASSWORD=...
--   list_sync examples/05_debezium.lua --set pg_host=db1 --set kafka=broker1:9092

local ls = require "list_sync"

ls.connector {
  name = ls.param("name", "shop"),              -- source.name
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("database", "shop"),
  tables = { "public.items" },
  kafka_conf = ls.param("kafka", "memory"),
  topic = ls.param("prefix", "shop") .. ".{schema}.{table}", -- Debezium's own names: prefix.schema.table
  format = "debezium",
  key = "object",                               -- {"id":1}
  tombstones = true,                            -- a delete is followed by a message with its key and no value
}
