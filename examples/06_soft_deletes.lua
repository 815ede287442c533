-- Rows that are marked as deleted instead of being deleted: what reads the topic sees them go all the same.
--
--   ALTER TABLE items REPLICA IDENTITY FULL;   -- the row before must be whole: moves = "split"
--   export PGPASSWORD=...
--   list_sync examples/06_soft_deletes.lua --set pg_host=db1 --set kafka=broker1:9092
--
-- An update that sets deleted_at is sent as a delete, one that clears it as an insert; a row that is marked is not there.

local ls = require "list_sync"
local kafka = ls.param("kafka", "memory") -- "memory": a broker inside the program, for trials

ls.connector {
  name = ls.param("name", "shop"),
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("database", "shop"),
  table = "public.items",
  kafka_conf = kafka,
  topic = "items",

  moves = "split",                                                       -- the filter is asked for the row before, too
  filter = function(row) return row.image.deleted_at == nil end,
  columns = { rename = { category = "kind" } },
  map = function(row) row:drop "deleted_at" end,                         -- it is NULL in all that passes
}

ls.consumer {
  group_id = "items_csv",
  topic_list = { "items" },
  kafka_conf = kafka,
  writer = ls.csv_writer { filename = ls.param("out", "items") },
}
