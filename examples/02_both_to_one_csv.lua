-- The same table of two databases, PostgreSQL and MariaDB, through one topic into one set of CSV files.
--
--   export PGPASSWORD=... MYSQL_PWD=...
--   list_sync examples/02_both_to_one_csv.lua --set pg_host=db1 --set my_host=db2 --set kafka=broker1:9092
--
-- The messages of both servers have one form: the same change gives the same message but for the schema's name and for
-- "source", which says where it comes from.

local ls = require "list_sync"
local kafka = ls.param("kafka", "memory") -- "memory": a broker inside the program, for trials

ls.connector {
  name = "pg",
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("database", "shop"),
  table = "public.items",                       -- schema.table
  kafka_conf = kafka,
  topic = "items",
}

ls.connector {
  name = "my",
  db_type = "mysql",                            -- MariaDB and MySQL
  host = ls.param("my_host", "127.0.0.1"),
  port = ls.param("my_port", 3306),
  user = ls.param("my_user", "root"),
  password = ls.env "MYSQL_PWD",
  table = ls.param("database", "shop") .. ".items", -- on MariaDB the schema is the database
  kafka_conf = kafka,
  topic = "items",                              -- the same topic
}

ls.consumer {
  group_id = "items_csv",
  topic_list = { "items" },
  kafka_conf = kafka,
  -- Two files: items_items_csv_insert.csv with the I rows, items_items_csv_delete.csv with the D rows.
  -- An update has one row in each.
  writer = ls.csv_writer { filename = ls.param("out", "items"), split_files = true },
}
