-- Rows posted in batches to a service, which may be away for as long as it likes: a batch is sent again until it is taken.
--
--   apt-get install lua-socket
--   export PGPASSWORD=...
--   list_sync examples/13_http_batches.lua --set pg_host=db1 --set kafka=broker1:9092 --set url=http://127.0.0.1:8080/items
--
-- A batch may come twice, when its answer was lost, or after a crash: each element names its place, and the service leaves out what it has.

local ls = require "list_sync"
local http, ltn12 = require "socket.http", require "ltn12"
local kafka = ls.param("kafka", "memory") -- "memory": a broker inside the program, for trials
local url = ls.param("url", "http://127.0.0.1:8080/items")

http.TIMEOUT = 10 -- seconds

ls.connector {
  name = ls.param("name", "items"),
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("database", "shop"),
  table = "public.items",
  kafka_conf = kafka,
  topic = ls.param("topic", "items"),
}

local function values(image)
  local out = {}
  for name, value in pairs(image) do out[name] = value == nil and ls.null or value end -- without what was not sent
  return out
end

ls.consumer {
  group_id = ls.param("group", "items_http"),
  topic_list = { ls.param("topic", "items") },
  kafka_conf = kafka,
  writer = ls.writer {
    flush_every = { rows = 500, ms = 200 },
    open = function(w) w.rows = {} end,
    write = function(w, row)
      if row.action == "T" then return end
      w.rows[#w.rows + 1] = { action = row.action, place = row.source.pos .. "/" .. row.source.seq, item = values(row.image) }
    end,
    -- An error, also an answer that is no 2xx, is told once, and the batch's rows come again after a wait.
    flush = function(w)
      if #w.rows == 0 then return end
      local body = tostring(ls.json(ls.array(w.rows)))
      local _, status = http.request {
        url = url, method = "POST", source = ltn12.source.string(body),
        headers = { ["content-type"] = "application/json", ["content-length"] = #body },
      }
      if type(status) ~= "number" or status < 200 or status > 299 then error(("%s answers %s"):format(url, tostring(status))) end
      w.rows = {}
    end,
    discard = function(w) w.rows = {} end,
  },
}
