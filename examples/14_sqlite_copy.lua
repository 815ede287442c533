-- A copy of a PostgreSQL table in an SQLite file, in step whatever dies: rows and the places of their messages are stored in one
-- transaction, so that after a crash reading goes on exactly behind what the file has.
--
--   apt-get install lua-sql-sqlite3
--   export PGPASSWORD=...
--   list_sync examples/14_sqlite_copy.lua --set pg_host=db1 --set kafka=broker1:9092 --set file=items.db

local ls = require "list_sync"
local kafka = ls.param("kafka", "memory") -- "memory": a broker inside the program, for trials
local file = ls.param("file", "items.db")

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

-- A value as SQL. NULL is nil; a decimal is text, which SQLite's columns turn into what they are.
local function quoted(w, value)
  if value == nil then return "NULL" end
  return "'" .. w.db:escape(tostring(value)) .. "'"
end

local function run(w, sql)
  local done, why = w.db:execute(sql)
  if not done then error(why) end
  return done
end

ls.consumer {
  group_id = ls.param("group", "items_sqlite"),
  topic_list = { ls.param("topic", "items") },
  kafka_conf = kafka,
  writer = ls.writer {
    flush_every = { rows = 1000, ms = 200 },

    open = function(w)
      w.env = require("luasql.sqlite3").sqlite3()
      w.db = assert(w.env:connect(file))
      run(w, "create table if not exists items (id integer primary key, category text, price numeric, note text, part integer)")
      run(w, "create table if not exists positions (topic text, partition integer, offset integer, primary key (topic, partition))")
      w.db:setautocommit(false)
      w.known = {} -- what the file says of the partitions that this member holds
      return function(topic, partition)
        local rows = run(w, ("select offset from positions where topic = %s and partition = %d"):format(quoted(w, topic), partition))
        local offset = tonumber((rows:fetch()))
        rows:close()
        w.known[topic .. "/" .. partition] = offset
        return offset
      end
    end,

    write = function(w, row)
      if row.action == "T" then
        -- It comes once in each partition, and ends the rows of that one: a row behind it in another partition may be here already
        run(w, "delete from items where part = " .. row.partition)
      elseif row.action == "D" then
        run(w, "delete from items where id = " .. quoted(w, row.old.id))
      else
        -- pairs leaves out large values that an update did not touch: they stay as they are
        local names, values, sets = { "part" }, { row.partition }, { "part = excluded.part" }
        for name, value in pairs(row.new) do
          names[#names + 1], values[#values + 1] = name, quoted(w, value)
          sets[#sets + 1] = ("%s = excluded.%s"):format(name, name)
        end
        run(w, ("insert into items (%s) values (%s) on conflict (id) do update set %s"):format(
          table.concat(names, ", "), table.concat(values, ", "), table.concat(sets, ", ")))
      end
    end,

    -- A member that was stopped for a while (a machine that was suspended) may not know yet that another one has its partitions, and has gone
    -- on with them: its rows are of yesterday then, and an error throws them away.
    flush = function(w, positions)
      for _, p in ipairs(positions) do
        local name, topic = p.topic .. "/" .. p.partition, quoted(w, p.topic)
        local known = w.known[name]
        local changed = known and run(w, ("update positions set offset = %d where topic = %s and partition = %d and offset = %d"):format(p.offset, topic, p.partition, known))
          or run(w, ("insert into positions values (%s, %d, %d)"):format(topic, p.partition, p.offset)) -- an error if there is one
        if changed ~= 1 then error(name .. ": another member of the group has gone on with it") end
        w.known[name] = p.offset
      end
      assert(w.db:commit())
    end,

    discard = function(w) w.db:rollback() end,

    close = function(w)
      if w.db then w.db:close() end
      if w.env then w.env:close() end
    end,
  },
}
