-- What 10_masked_tenants.lua makes of rows: list_sync test examples/10_masked_tenants.lua
local ls = require "list_sync"

ls.table { "public.customers",
  { "id", "integer", key = 1 },
  { "tenant", "string", null = false },
  { "name", "string" },
  { "email", "string" },
  { "iban", "string" },
  { "birthday", "date" },
}

ls.case {
  name = "what is personal is masked, also in the row before; each tenant has a topic",
  stage = "customers",
  give = {
    old = { id = 1, tenant = "north", name = "Ann", iban = "DE0012345678" },
    new = { id = 1, tenant = "north", name = "Ann", iban = "DE0012349999", birthday = "1970-12-31" },
  },
  want = {
    action = "U",
    new = { id = 1, tenant = "north", name = "***", email = ls.null, iban = "********9999" },
    old = { id = 1, tenant = "north", name = "***", iban = "********5678" },
    topic = "customers.north",
  },
}

ls.case {
  name = "a customer who goes to another tenant leaves the one's topic",
  stage = "customers",
  give = { old = { id = 1, tenant = "north" }, new = { id = 1, tenant = "south east" } },
  want = {
    { action = "D", old = { id = 1, tenant = "north" }, topic = "customers.north" },
    {
      action = "I",
      new = { id = 1, tenant = "south east", name = ls.null, email = ls.null, iban = ls.null },
      topic = "customers.south_east",
    },
  },
}

ls.case {
  name = "the tenant for tests is left out",
  stage = "customers",
  give = { new = { id = 1, tenant = "test" } },
  want = {},
}
