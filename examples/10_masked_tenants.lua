-- Each tenant's rows in a topic of its own, personal data masked on the way out of the database.
--
--   ALTER TABLE customers REPLICA IDENTITY FULL;  -- for moves = "split"
--   export PGPASSWORD=... PEPPER=...
--   list_sync examples/10_masked_tenants.lua --set pg_host=db1 --set kafka=broker1:9092
--
-- A customer that goes from one tenant to another leaves the one's topic (a delete) and comes into the other's (an insert).

local ls = require "list_sync"
local prefix = ls.param("prefix", "customers")

ls.connector {
  name = ls.param("name", "customers"),
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("database", "shop"),
  table = "public.customers",
  kafka_conf = ls.param("kafka", "memory"),

  -- In C, on the row before and after, before any function sees the row.
  columns = {
    drop = { "birthday" },
    mask = {
      email = ls.hmac(ls.env "PEPPER"), -- the same address gives the same text: still good for counting and joining
      iban = ls.keep_last(4),
      name = "***",
    },
  },

  filter = function(row) return row.image.tenant ~= "test" end,
  topic = function(row) return prefix .. "." .. row.image.tenant:gsub("[^%w._-]", "_") end,
  moves = "split",
  max_topics = 200, -- as many tenants as there may be: more is a mistake
}
