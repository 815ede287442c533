-- What 11_dead_letters.lua makes of rows: list_sync test examples/11_dead_letters.lua
local ls = require "list_sync"

ls.table { "public.items", { "id", "integer", key = 1 }, { "category", "string" }, { "price", "decimal" }, { "note", "string" } }

ls.case {
  name = "a good row",
  stage = "items",
  give = { new = { id = 1, category = "tools", price = "12.50" } },
  want = { action = "I", new = { id = 1, category = "tools", price = "12.50", note = ls.null }, topic = "items", headers = {} },
}

ls.case {
  name = "a row without a price goes to the other topic, with what is wrong",
  stage = "items",
  give = { new = { id = 1, category = "tools" }, source = { pos = "0000000001a3b748" } },
  want = {
    action = "I",
    new = { id = 1, category = "tools", price = ls.null, note = ls.null },
    topic = "items.dead",
    headers = { at = "0000000001a3b748", problem = "no price" },
  },
}

ls.case {
  name = "a row without a category, too",
  stage = "items",
  give = { new = { id = 1, price = "1" }, source = { pos = "0000000001a3b748" } },
  want = {
    action = "I",
    new = { id = 1, category = ls.null, price = "1", note = ls.null },
    topic = "items.dead",
    headers = { at = "0000000001a3b748", problem = "no category" },
  },
}

ls.case {
  name = "a delete is never dead",
  stage = "items",
  give = { old = { id = 1 } },
  want = { action = "D", old = { id = 1 }, topic = "items", headers = {} },
}
