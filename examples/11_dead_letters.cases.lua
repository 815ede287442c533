-- What 11_dead_letters.lua makes of rows: list_sync test examples/11_dead_letters.lua
local ls = require "list_sync"

ls.table { "public.items", { "id", "integer", key = 1 }, { "category", "string" }, { "price", "decimal" }, { "note", "string" } }

ls.case {
  name = "a good row",
  stage = "items",
  give = { new = { id = 1, category = "tools", price = "12.50" } },
  want = { action = "I", new = { id = 1, category = "tools", price = "12.50", note = ls.null }, topic = "items" },
}

ls.case {
  name = "a row without a price goes to the dead letters",
  stage = "items",
  give = { new = { id = 1, category = "tools" } },
  error = "no price",
}

ls.case {
  name = "one below zero",
  stage = "items",
  give = { new = { id = 1, category = "tools", price = "-1" } },
  error = "the price is below zero",
}

ls.case {
  name = "a row without a category, too",
  stage = "items",
  give = { new = { id = 1, price = "1" } },
  error = "no category",
}

ls.case {
  name = "a delete is never dead",
  stage = "items",
  give = { old = { id = 1 } },
  want = { action = "D", old = { id = 1 }, topic = "items" },
}
