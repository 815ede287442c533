-- What 09_custom_format.lua makes of rows: list_sync test examples/09_custom_format.lua
local ls = require "list_sync"

ls.table { "public.items", { "id", "integer", key = 1 }, { "category", "string" }, { "price", "decimal" }, { "note", "string" } }

local moment = 1769860799000000 -- microseconds since 1970

ls.case {
  name = "a new row",
  stage = "shop",
  give = { new = { id = 9007199254740993LL, category = "tools \"new\"", price = "12.50" }, source = { ts = moment } },
  want = {
    action = "I",
    new = { id = 9007199254740993LL, category = "tools \"new\"", price = "12.50", note = ls.null },
    message = "{\"op\":\"upsert\",\"at\":\"2026-01-31T11:59:59Z\",\"item\":{\"id\":9007199254740993,\"category\":\"tools \\\"new\\\"\",\"price\":12.5}}",
  },
}

ls.case {
  name = "an update without its large values",
  stage = "shop",
  give = { action = "U", new = { id = 1, category = ls.absent, note = ls.absent }, source = { ts = moment } },
  want = {
    action = "U",
    new = { id = 1, category = ls.absent, price = ls.null, note = ls.absent },
    old = { id = 1 },
    message = "{\"op\":\"upsert\",\"at\":\"2026-01-31T11:59:59Z\",\"item\":{\"id\":1,\"price\":null}}",
  },
}

ls.case {
  name = "a delete",
  stage = "shop",
  give = { old = { id = 1 }, source = { ts = moment } },
  want = { action = "D", old = { id = 1 }, message = "{\"op\":\"remove\",\"at\":\"2026-01-31T11:59:59Z\",\"item\":{\"id\":1}}" },
}
