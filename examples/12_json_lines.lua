-- Rows appended to a file, one JSON object a line.
--
--   export PGPASSWORD=...
--   list_sync examples/12_json_lines.lua --set pg_host=db1 --set kafka=broker1:9092 --set file=items.jsonl
--
-- What was written since the last flush is cut off again if it cannot be kept. After a crash lines may come twice, with the same "pos" and "seq".

local ls = require "list_sync"
local ffi = require "ffi"
local kafka = ls.param("kafka", "memory") -- "memory": a broker inside the program, for trials
local path = ls.param("file", "items.jsonl")

ffi.cdef "int truncate(const char *path, long length);" -- Lua's files cannot be cut

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

-- Where the last whole line ends: a crash may have left half a line behind it.
local function end_of_lines(file)
  local size = file:seek "end"
  if size == 0 then return 0 end
  for at = math.max(size - 65536, 0), 0, -65536 do
    file:seek("set", at)
    local newline = file:read(math.min(65536, size - at)):find "\n[^\n]*$"
    if newline then return at + newline end
    if at == 0 then break end
  end
  return 0
end

local function values(image)
  local out = {}
  for name, value in pairs(image) do out[name] = value == nil and ls.null or value end -- without what was not sent
  return out
end

ls.consumer {
  group_id = ls.param("group", "items_jsonl"),
  topic_list = { ls.param("topic", "items") },
  kafka_conf = kafka,
  writer = ls.writer {
    flush_every = { rows = 10000, ms = 500 },
    open = function(w)
      w.file = assert(io.open(path, "a+b"))
      w.kept = end_of_lines(w.file)
      assert(ffi.C.truncate(path, w.kept) == 0)
    end,
    write = function(w, row)
      local line = { action = row.action, table = row.table, pos = row.source.pos, seq = row.source.seq }
      if row.new then line.new = values(row.new) end
      if row.old then line.old = values(row.old) end
      assert(w.file:write(tostring(ls.json(line)), "\n"))
    end,
    flush = function(w)
      assert(w.file:flush())
      w.kept = w.file:seek "end"
    end,
    discard = function(w)
      w.file:close() -- what it still holds goes to the file, and is cut off with the rest
      assert(ffi.C.truncate(path, w.kept) == 0)
      w.file = assert(io.open(path, "a+b"))
    end,
    close = function(w) w.file:close() end,
  },
}
