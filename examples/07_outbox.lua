-- The outbox pattern: an application writes its events into a table in the transaction that makes them true, and each becomes a message,
-- in the topic and under the key that it names. Nothing else of the database is sent.
--
--   CREATE TABLE outbox (id uuid PRIMARY KEY, aggregate varchar(100) NOT NULL, aggregate_id varchar(100) NOT NULL, kind varchar(100),
--     payload jsonb NOT NULL);
--   export PGPASSWORD=...
--   list_sync examples/07_outbox.lua --set pg_host=db1 --set kafka=broker1:9092

local ls = require "list_sync"
local prefix = ls.param("prefix", "events")

ls.connector {
  name = ls.param("name", "outbox"),
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("database", "shop"),
  table = "public.outbox",
  kafka_conf = ls.param("kafka", "memory"),

  filter = function(row) return row.action == "I" end,                   -- the application may delete its events at any time
  topic = function(row) return prefix .. "." .. row.new.aggregate end,
  key = function(row) return row.new.aggregate_id end,                   -- one aggregate's events stay in their order
  headers = function(row) return { id = row.new.id, kind = row.new.kind } end, -- a reader that has seen the id has seen the event
  format = function(row) return row.action == "I" and row.new.payload end,     -- JSON columns are text; a truncate is no event
}
