-- Rows that break a rule of the readers' go to a topic of their own, with what is wrong in a header, and hold nobody up. So does a row that meets
-- a mistake of the script.
--
--   export PGPASSWORD=...
--   list_sync examples/11_dead_letters.lua --set pg_host=db1 --set kafka=broker1:9092

local ls = require "list_sync"
local topic = ls.param("topic", "items")

-- What is wrong with a row; nil: nothing.
local function problem(row)
  if row.action == "D" then return nil end -- a delete has its key alone
  local price = row:number "price"
  if not price then return "no price" end
  if price < 0 then return "the price is below zero" end
  if not row.new.category then return "no category" end
end

ls.connector {
  name = ls.param("name", "items"),
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("database", "shop"),
  table = "public.items",
  kafka_conf = ls.param("kafka", "memory"),
  topic = topic,
  on_error = "dead_letter",
  dead_letter_topic = topic .. ".dead",
  filter = function(row)
    local what = problem(row)
    if what then error(what) end
  end,
}
