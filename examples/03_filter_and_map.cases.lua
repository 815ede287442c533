-- What the hooks of 03_filter_and_map.lua make of rows: list_sync test examples/03_filter_and_map.lua
local ls = require "list_sync"

-- The table: its columns in their order, with their types. `list_sync check --offline` makes up rows of it, too.
ls.table { "public.items",
  { "id", "integer", key = 1 },
  { "category", "string" },
  { "price", "decimal" },
  { "note", "string" },
}

ls.case {
  name = "a category is in lower case, the origin goes last, the note is not sent",
  stage = "shop",
  give = { new = { id = 1, category = "Tools", price = "12.50", note = "new" } },
  want = { action = "I", new = { id = 1, category = "tools", price = "12.50", origin = "shop" } },
}

ls.case {
  name = "what costs less than 10 is left out",
  stage = "shop",
  give = { new = { id = 1, category = "Tools", price = "9.99" } },
  want = {},
}

ls.case {
  name = "without a price it is left out, too",
  stage = "shop",
  give = { new = { id = 1, category = "Tools" } },
  want = {},
}

ls.case {
  name = "without a category",
  stage = "shop",
  give = { new = { id = 1, price = "10" } },
  want = { new = { id = 1, category = "none", price = "10", origin = "shop" } },
}

ls.case {
  name = "an update that does not send the category, since it is large and stays",
  stage = "shop",
  give = { action = "U", new = { id = 1, category = ls.absent, price = "11" } },
  want = { action = "U", old = { id = 1 }, new = { id = 1, category = ls.absent, price = "11", origin = "shop" } },
}

ls.case {
  name = "a delete has its key alone, which is the message's key",
  stage = "shop",
  give = { old = { id = 1 } },
  want = { action = "D", old = { id = 1 }, key = "1" },
}
