-- One script for every place that it runs in: what differs comes from the environment and from the command line.
--
--   export SHOP_DSN_PASSWORD=... KAFKA_PASSWORD=...            # secrets: from the environment, and never in the log
--   list_sync examples/04_environment.lua --set env=staging --set kafka=broker1:9093
--   list_sync examples/04_environment.lua --set env=staging --only shop        # a container for each stage

local ls = require "list_sync"
local env = ls.param("env", "trial") -- trial | staging | production

local PLACES = {
  trial      = { host = "127.0.0.1", tables = { "public.items" }, partitions = 1 },
  staging    = { host = "db.staging", tables = { "public.*" }, partitions = 3 },
  production = { host = "db.production", tables = { "public.*", "!public.audit" }, partitions = 12 },
}
local place = PLACES[env] or error("--set env=" .. env .. ": it is trial, staging or production")

-- A trial needs no Kafka: "memory" is a broker inside the program. Elsewhere it is a cluster that wants a password.
local kafka = ls.param("kafka", "memory")
if env ~= "trial" then
  kafka = {
    ["bootstrap.servers"] = kafka,
    ["security.protocol"] = ls.param("protocol", "sasl_ssl"),
    ["sasl.mechanism"] = "SCRAM-SHA-512",
    ["sasl.username"] = "shop",
    ["sasl.password"] = ls.env "KAFKA_PASSWORD",
  }
end

ls.connector {
  name = "shop",
  db_type = "postgres",
  host = ls.param("pg_host", place.host),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "SHOP_DSN_PASSWORD",
  database = ls.param("database", "shop"),
  tables = place.tables,
  kafka_conf = kafka,
  topic = env .. ".{schema}.{table}",
  partitions = place.partitions,
}

ls.consumer {
  group_id = env .. "_items_csv",
  name = "csv",
  topic_list = { env .. ".public.items" },
  kafka_conf = kafka,
  writer = ls.csv_writer { filename = ls.param("out", "items") },
}
