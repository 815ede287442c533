-- Rows chosen and reshaped on their way: a filter and a map, both Lua functions that see each changed row.
--
--   export PGPASSWORD=...
--   list_sync examples/03_filter_and_map.lua --set pg_host=db1 --set pg_database=shop --set kafka=broker1:9092
--
-- 03_filter_and_map.cases.lua shows what they make of rows: list_sync test examples/03_filter_and_map.lua

local ls = require "list_sync"
local kafka = ls.param("kafka", "memory") -- "memory": a broker inside the program, for trials
local from_price = ls.param("from_price", 10)

ls.connector {
  name = "shop",
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("pg_database", "shop"),
  table = ls.param("table", "public.items"),
  kafka_conf = kafka,
  topic = "items",

  -- filter: false leaves the row out. row.new is the row after an insert or update, row.old the row before an update or
  -- delete (its key columns), and nil where there is none. A delete passes here: it only knows the key.
  filter = function(row)
    if row.new then return (row:number "price" or 0) >= from_price end -- NULL reads as nil
  end,

  -- map: changes the row in place.
  map = function(row)
    if row.new then
      if row:has "category" then -- an update does not send a large value that it leaves alone
        row.new.category = (row.new.category or "none"):lower()
      end
      row.new.origin = "shop"    -- a new column goes last
    end
    row:drop "note"              -- this column is not sent
  end,
}

ls.consumer {
  group_id = "items_csv",
  topic_list = { "items" },
  kafka_conf = kafka,
  -- A consumer's hooks see the rows as the connector sent them.
  filter = function(row) return row.action ~= "T" end,
  writer = ls.csv_writer { filename = ls.param("out", "items"), delimiter = ";", null = "NULL" },
}
