-- Messages of a form of one's own: a function makes each.
--
--   export PGPASSWORD=...
--   list_sync examples/09_custom_format.lua --set pg_host=db1 --set kafka=broker1:9092
--
--   {"op":"upsert","at":"2026-01-31T12:00:00Z","item":{"id":1,"name":"book","price":12.5}}

local ls = require "list_sync"
local quoted = ls.quoted -- a text as JSON

local function at(row) return quoted(ls.date("%Y-%m-%dT%H:%M:%SZ", row.ts)) end

ls.connector {
  name = ls.param("name", "shop"),
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("database", "shop"),
  table = "public.items",
  kafka_conf = ls.param("kafka", "memory"),
  topic = ls.param("topic", "items"),
  headers = { ["content-type"] = "application/json" },

  -- A message is a text of any kind. Putting it together is quicker than ls.json { ... }, which makes the same of a table.
  format = function(row)
    if row.action == "T" then return '{"op":"clear","at":' .. at(row) .. "}" end
    local id = row:text "id" -- a number beyond 2^53 is none of Lua's
    if row.action == "D" then return '{"op":"remove","at":' .. at(row) .. ',"item":{"id":' .. id .. "}}" end
    local category = row:has "category" and ',"category":' .. quoted(row.new.category) or "" -- a large one that stays is not sent
    return '{"op":"upsert","at":' .. at(row) .. ',"item":{"id":' .. id .. category .. ',"price":' .. (row:number "price" or "null") .. "}}"
  end,
}
