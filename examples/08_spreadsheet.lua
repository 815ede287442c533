-- CSV files for people who open them in a spreadsheet: a file a day and table, their own columns and titles, dates as they write them,
-- and no cell that runs as a formula.
--
--   export PGPASSWORD=...
--   list_sync examples/08_spreadsheet.lua --set pg_host=db1 --set kafka=broker1:9092

local ls = require "list_sync"
local kafka = ls.param("kafka", "memory") -- "memory": a broker inside the program, for trials
local out = ls.param("out", "out")

-- 12.50 as 12,50; NULL stays NULL.
local function with_comma(amount) return amount and amount:sub(1, -4) .. "," .. amount:sub(-2) end

ls.connector {
  name = ls.param("name", "shop"),
  db_type = "postgres",
  host = ls.param("pg_host", "127.0.0.1"),
  port = ls.param("pg_port", 5432),
  user = ls.param("pg_user", "postgres"),
  password = ls.env "PGPASSWORD",
  database = ls.param("database", "shop"),
  tables = { "public.orders", "public.items" },
  kafka_conf = kafka,
  topic = "shop",
}

ls.consumer {
  group_id = "spreadsheets",
  topic_list = { "shop" },
  kafka_conf = kafka,
  writer = ls.csv_writer {
    filename = out .. "/{date}/{table}",        -- {date}: when the row was committed, in UTC
    rotate = { every = "1d" },                  -- a day's files are whole when the next day's first row has come
    bom = true,                                 -- how a spreadsheet knows UTF-8
    delimiter = ";",
    newline = "\r\n",
    formula_guard = true,
    layout = {
      ["public.orders"] = {
        columns = {
          { "Order", from = "id" },
          { "Ordered on", from = "ordered", date = "%d/%m/%Y" },
          { "Net", value = function(row) return with_comma(row.image.net) end },
          { "Gross", value = function(row)
            local net = row:number "net"
            return net and with_comma(("%.2f"):format(net * 1.2))
          end },
        },
      },
      -- all of its columns, in another form
      ["public.items"] = { null = "-" },
    },
  },
}
