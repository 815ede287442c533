-- What 06_soft_deletes.lua makes of rows: list_sync test examples/06_soft_deletes.lua
local ls = require "list_sync"

ls.table { "public.items", { "id", "integer", key = 1 }, { "category", "string" }, { "deleted_at", "datetime" } }

ls.case {
  name = "a row that is not marked passes, without the mark",
  stage = "shop",
  give = { new = { id = 1, category = "tools" } },
  want = { action = "I", new = { id = 1, kind = "tools" } },
}

ls.case {
  name = "the update that marks it is a delete",
  stage = "shop",
  give = { old = { id = 1, category = "tools" }, new = { id = 1, category = "tools", deleted_at = "2026-01-31T12:00:00" } },
  want = { action = "D", old = { id = 1, kind = "tools" } },
}

ls.case {
  name = "the update that takes the mark away is an insert",
  stage = "shop",
  give = { old = { id = 1, category = "tools", deleted_at = "2026-01-31T12:00:00" }, new = { id = 1, category = "tools" } },
  want = { action = "I", new = { id = 1, kind = "tools" } },
}

ls.case {
  name = "a marked row's own changes are not sent",
  stage = "shop",
  give = { old = { id = 1, category = "tools", deleted_at = "2026-01-31T12:00:00" } },
  want = {},
}
