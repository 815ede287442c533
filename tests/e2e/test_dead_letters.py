"""Rows in error under on_error, on_oversize and on_invalid_text = "dead_letter": what a dead letter holds, what is left out, what is counted, that
nothing is lost or passed over when the program is killed, and that no letter shows what `columns` keep back. kcat is the witness."""
import json
import re
import time

from lib import KCAT, Case, MIB, Raw, checkpoint, messages, read_topic, run, topic_partitions, values, wait_until

DATABASES = ("postgres", "mysql")
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"


def letters(topic):
    """[(key or None, own headers, the program's headers, value or None)], in order."""
    if not topic_partitions(topic):
        return []
    out = []
    text = run(KCAT + ["-C", "-e", "-Z", "-t", topic, "-o", "beginning", "-f", "%K\t%k\t%S\t%s\t%h\x01"])
    for line in text.split("\x01")[:-1]:
        key_len, key, length, value, headers = line.lstrip("\n").split("\t", 4)
        own, *ours = re.split(r"(?:^|,)list_sync\.", headers)
        out.append((None if key_len == "-1" else key, own, dict(h.split("=", 1) for h in ours), None if length == "-1" else value))
    return out


def said(program, what):
    """The warnings of the first rows: those that say that."""
    return [line for line in program.log().splitlines() if what in line]


class Functions(Case):
    COLUMNS = Raw('{ drop = { "secret" }, mask = { card = ls.keep_last(2), pin = "***" }, cast = { flag = "boolean", pin = "integer" } }')
    TABLE = "create table t (id int primary key, name varchar(20), secret varchar(20), card varchar(20), flag varchar(9), pin varchar(9))"
    FUNCTIONS = """
  filter = function(row)
    if row.image.id == 2 then row.new.name = "edited" error "in filter" end
    return row.image.id ~= 20
  end,
  map = function(row)
    row.new.name = row.new.name .. "!"
    row:drop "flag"
    local other = row:clone()
    other.new.name = "clone"
    if row.image.id == 3 then error("in map, after a clone") end
    if row.image.id == 4 then return row.new.name + nil end
    if row.image.id == 5 then return "yes" end
    return true
  end,
  topic = function(row)
    if row.image.id == 6 then error({}) end
    return row.image.id == 7 and "not a topic" or "%s"
  end,
  key = function(row)
    if row.image.id == 8 then return {{}} end
    return row.image.id
  end,
  headers = function(row)
    if row.image.id == 9 then error "in headers" end
    return { h = "1" }
  end,
  format = function(row)
    if row.image.id == 10 and row.new.name == "clone" then error "in format, of the clone" end
    return ls.json { id = row.image.id, name = row.new.name }
  end,
"""
    HOOKS = {2: "filter", 3: "map", 4: "map", 5: "map", 6: "topic", 7: "topic", 8: "key", 9: "headers", 10: "format", 11: "columns.cast", 12: "columns.cast"}

    def made(self, db, **options):
        topic = self.topic_of(db)
        text = self.connector(db, topic=None, columns=self.COLUMNS, **options).rstrip("}\n") + self.FUNCTIONS % topic + "\n}\n"
        return self.script(text, name="%s.lua" % db)

    def insert(self, db):
        rows = ["(%d, 'n%d', 'hidden', '12345678', '%s', '%s')" % (i, i, "maybe" if i == 11 else "t", "none" if i == 12 else "1234") for i in list(range(1, 14)) + [20]]
        self.sql(db, "insert into t values " + ", ".join(rows))

    def test_each_function(self):
        """The row as it was before its functions, but for what `columns` keep back; the batch goes on."""
        self.databases(self.TABLE)
        for db in DATABASES:
            topic, schema = self.topic_of(db), "public" if db == "postgres" else self.id_
            script = self.made(db, on_error="dead_letter")
            self.run_to_end(script, "--until-caught-up")
            self.insert(db)
            p = self.run_to_end(script, "--until-caught-up")
            sent = [(json.loads(v)["id"], json.loads(v)["name"]) for _, _, v in read_topic(topic)]
            self.assertEqual(sent, [(1, "n1!"), (1, "clone"), (13, "n13!"), (13, "clone")])
            got = letters(self.name(db) + ".dead_letters")
            ids = [int(key) for key, _, _, _ in got]
            self.assertEqual(ids, sorted(self.HOOKS))
            for key, own, headers, value in got:
                i, m = int(key), json.loads(value)
                self.assertEqual(own, "")
                self.assertEqual((headers["hook"], headers["stage"], headers["table"]), (self.HOOKS[i], self.name(db), schema + ".t"))
                self.assertRegex(headers["time"], TIME)
                self.assertEqual((headers["pos"], headers["seq"]), (m["source"]["pos"], str(m["source"]["seq"])))
                want = {"id": i, "name": "n%d" % i, "card": "******78", "flag": "maybe" if i == 11 else True, "pin": "***"}
                self.assertEqual((m["action"], values(m["columns"])), ("I", want))
                self.assertNotIn("hidden", value + str(headers))
                self.assertNotIn("1234", value + str(headers))
                self.assertEqual("script" in headers, i < 11)
            by_id = {int(key): headers for key, _, headers, _ in got}
            first = self.line_of(script, "in filter")
            self.assertEqual(by_id[2]["script"], "%s:%d" % (script, first))
            self.assertEqual(by_id[2]["error"], '%s:%d: filter of connector "%s": in filter (%s.t, key 2, position %s/%s)'
                             % (script, first, self.name(db), schema, by_id[2]["pos"], by_id[2]["seq"]))
            self.assertEqual(by_id[3]["script"], "%s:%d" % (script, self.line_of(script, "in map, after")))
            self.assertIn("attempt to perform arithmetic", by_id[4]["error"])
            self.assertIn("it returned a string; a hook returns false", by_id[5]["error"])
            self.assertIn("a table was raised as an error", by_id[6]["error"])
            self.assertIn('it gave "not a topic", which Kafka does not take', by_id[7]["error"])
            self.assertIn('column "flag", key 11', by_id[11]["error"])
            self.assertIn('columns.cast: "maybe" is no boolean', by_id[11]["error"])
            self.assertIn('columns.cast: "***" is no integer', by_id[12]["error"])
            self.assertEqual(len(said(p, "it goes to the dead letters, topic %s.dead_letters; said once a table" % self.name(db))), len(set(self.HOOKS.values())))
            self.assertIn("dead letters: %d in this run, in topic %s.dead_letters" % (len(got), self.name(db)), p.log())
            p = self.run_to_end(script, "--until-caught-up")
            self.assertNotIn("dead letters: ", p.log())
            self.assertEqual(len(letters(self.name(db) + ".dead_letters")), len(got), "they count as delivered")
            self.assertEqual(topic_partitions(self.name(db) + ".dead_letters"), 1)

    def line_of(self, script, text):
        with open(self.path(script), encoding="utf-8") as f:
            return next(n for n, line in enumerate(f, 1) if text in line)

    def test_skip(self):
        self.databases(self.TABLE)
        for db in DATABASES:
            script = self.made(db, on_error="skip")
            self.run_to_end(script, "--until-caught-up")
            self.insert(db)
            p = self.run_to_end(script, "--until-caught-up")
            self.assertEqual([json.loads(v)["id"] for _, _, v in read_topic(self.topic_of(db))], [1, 1, 13, 13])
            self.assertEqual(len(said(p, ": it is left out; said once a table and kind of error")), len(set(self.HOOKS.values())))
            self.assertIn("in error and left out: %d in this run" % len(self.HOOKS), p.log())
            self.assertEqual(topic_partitions(self.name(db) + ".dead_letters"), 0)

    def test_stop_goes_on_as_dead_letter(self):
        """What has stopped is gone on from under another policy, in mid-transaction; exit codes of "stop" are what they were."""
        self.databases(self.TABLE)
        script = self.made("postgres")
        self.run_to_end(script, "--until-caught-up")
        self.insert("postgres")
        log = self.run_to_end(script, "--until-caught-up", code=1).log()
        self.assertIn("columns.cast", log)
        script = self.made("postgres", on_error="dead_letter", dead_letter_topic=self.id_ + "-dead")
        self.assertNotIn("differ from the checkpoint", self.run_to_end(script, "--until-caught-up").log())
        self.assertEqual([int(key) for key, _, _, _ in letters(self.id_ + "-dead")], sorted(self.HOOKS))
        self.assertEqual([json.loads(v)["id"] for _, _, v in read_topic(self.topic_of("postgres"))], [1, 1, 13, 13])

    def test_updates_deletes_truncates_and_halves(self):
        """Under moves = "split" an update is in the letter whole, whichever half failed; a truncate's format function may fail, too."""
        self.databases("create table t (id int primary key, tenant varchar(9), n int)")
        self.pg("alter table t replica identity full")
        for db in DATABASES:
            topic = self.topic_of(db)
            functions = """
  moves = "split",
  filter = function(row) if row.image.n == 3 then error "in filter" end end,
  map = function(row) if row.action == "D" and row.old.id == 4 then error "in map" end if row.action == "U" then row.new.tenant = row.new.tenant:upper() end end,
  topic = function(row) if row.image.n == 2 then error("in topic, " .. row.action) end return "%s_" .. row.image.tenant end,
  headers = function(row) if row.image.n == 5 and row.action == "I" then error "in headers" end end,
  format = function(row) if row.action == "T" then error "in format" end return row.action .. row.image.id end,
""" % topic
            script = self.script(self.connector(db, topic=None, on_error="dead_letter", identity="full").rstrip("}\n") + functions + "\n}\n")
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 'a', 1), (4, 'a', 1)")
            self.sql(db, "update t set n = 3 where id = 1")  # filter, of the half after
            self.sql(db, "update t set n = 2 where id = 1")  # filter, of the half before
            self.sql(db, "update t set n = 1 where id = 1")  # topic, of the half before
            self.sql(db, "update t set tenant = 'b', n = 4 where id = 1")  # goes as D and I
            self.sql(db, "update t set tenant = 'c', n = 5 where id = 1")  # headers, of the half after, behind the split
            self.sql(db, "delete from t where id = 4")
            self.sql(db, "truncate t")
            p = self.run_to_end(script, "--until-caught-up")
            got = [(headers["hook"], m["action"], values(m.get("columns", [])), values(m.get("identity", [])))
                   for _, _, headers, value in letters(self.name(db) + ".dead_letters") for m in [json.loads(value)]]

            def update(before, after):
                return "U", dict(zip(("id", "tenant", "n"), after)), dict(zip(("id", "tenant", "n"), before))
            self.assertEqual(got, [("filter",) + update((1, "a", 1), (1, "a", 3)), ("filter",) + update((1, "a", 3), (1, "a", 2)),
                                   ("topic",) + update((1, "a", 2), (1, "a", 1)), ("headers",) + update((1, "b", 4), (1, "c", 5)),
                                   ("map", "D", {}, {"id": 4, "tenant": "a", "n": 1}), ("format", "T", {}, {})])
            self.assertEqual([v for _, _, v in read_topic(topic + "_a")], ["I1", "I4", "D1"])
            self.assertEqual([v for _, _, v in read_topic(topic + "_B")], ["I1"])
            self.assertIn("dead letters: 6 in this run", p.log())

    def test_too_many_topics_and_encoding(self):
        self.databases("create table t (id int primary key, name varchar(20), j json)")
        for db in DATABASES:
            topic = self.topic_of(db)
            deep = "[" * 200 + "]" * 200
            script = self.script(self.connector(db, json="embed", topic=Raw('function(row) return "%s" .. row.image.name end' % topic), max_topics=2,
                                                map=Raw("function(row) row.new.name = row.new.name:lower() end"), on_error="dead_letter"))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 'A', '1'), (2, 'B', '2'), (3, 'C', '3'), (4, 'A', '%s'), (5, 'A', '5')" % (deep if db == "postgres" else "[4]"))
            p = self.run_to_end(script, "--until-caught-up")
            got = [(key, headers["hook"], values(json.loads(value)["columns"])["name"]) for key, _, headers, value in letters(self.name(db) + ".dead_letters")]
            self.assertEqual(got, [("3", "max_topics", "C")] + ([("4", "encoding", "A")] if db == "postgres" else []))
            self.assertEqual([len(read_topic(topic + name)) for name in "abc"], [2 if db == "postgres" else 3, 1, 0])
            text = letters(self.name(db) + ".dead_letters")[0][2]["error"]
            self.assertRegex(text, r't, position [0-9a-f]+/\d+: the topic "%sc" would be number 3, and max_topics = 2' % topic)
            self.assertIn("dead letters: %d in this run" % len(got), p.log())

    def test_topics_of_a_template(self):
        """A table whose topic would be one too many goes to the dead letters, its truncate as well."""
        self.databases("create table a (id int primary key); create table b (id int primary key)")
        script = self.script(self.connector("postgres", tables=["public.*"], topic=self.topic + ".{table}", max_topics=1, on_error="dead_letter"))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into a values (1); insert into b values (2); insert into a values (3)")
        self.pg("truncate b")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual([values(m["columns"])["id"] for m in messages(self.topic + ".a")], [1, 3])
        got = letters(self.name("postgres") + ".dead_letters")
        self.assertEqual([(h["hook"], h["table"], json.loads(v)["action"]) for _, _, h, v in got], [("max_topics", "public.b", "I"), ("max_topics", "public.b", "T")])

    def test_what_is_no_rows_error_stops(self):
        """hook_timeout and script_memory end the program under whatever policy."""
        self.databases("create table t (id int primary key)")
        for options, what in (({"hook_timeout": 200, "map": Raw("function(row) while true do end end")}, "hook_timeout is 0.2 s"),
                              ({"script_memory": "4MiB", "map": Raw('function(row) kept = {} for i = 1, 1e6 do kept[i] = i end end')}, "script_memory is 4.0 MiB")):
            script = self.script(self.connector("postgres", name=self.id_ + what[5:11], on_error="skip", **options))
            self.run_to_end(script, "--until-caught-up")
            self.pg("insert into t values (%d)" % len(what))
            self.assertIn(what, self.run_to_end(script, "--until-caught-up", code=1).log())
