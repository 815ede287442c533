-- What 07_outbox.lua makes of rows: list_sync test examples/07_outbox.lua
local ls = require "list_sync"

ls.table { "public.outbox",
  { "id", "uuid", key = 1 },
  { "aggregate", "string", null = false },
  { "aggregate_id", "string", null = false },
  { "kind", "string" },
  { "payload", "json", null = false },
}

local id = "00112233-4455-6677-8899-aabbccddeeff"

ls.case {
  name = "an event is its payload, in the topic and under the key that it names",
  stage = "outbox",
  give = { new = { id = id, aggregate = "orders", aggregate_id = "7", kind = "paid", payload = '{"total":"12.50"}' } },
  want = {
    action = "I",
    new = { id = "00112233-4455-6677-8899-aabbccddeeff", aggregate = "orders", aggregate_id = "7", kind = "paid", payload = "{\"total\":\"12.50\"}" },
    topic = "events.orders",
    key = "7",
    headers = { id = "00112233-4455-6677-8899-aabbccddeeff", kind = "paid" },
    message = "{\"total\":\"12.50\"}",
  },
}

ls.case {
  name = "that the application deletes its events later is nobody's concern",
  stage = "outbox",
  give = { old = { id = id } },
  want = {},
}
