"""Rows in error under on_error, on_oversize and on_invalid_text = "dead_letter": what a dead letter holds, what is left out, what is counted, that
nothing is lost or passed over when the program is killed, and that no letter shows what `columns` keep back. kcat is the witness."""
import json
import re

import lib
from lib import KCAT, Case, MIB, Raw, messages, read_topic, run, topic_partitions, values, wait_until

DATABASES = ("postgres", "mysql")
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"


def letters(topic):
    """[(key or None, own headers, the program's headers, value or None)], in order."""
    if not read_topic(topic):  # waits for leaders, too
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
    if row.image.id == 8 then return true end
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

    def test_check_warns(self):
        """Of what would stop it otherwise; names that no table has are in `columns` errors as ever."""
        self.databases("create table t (id int primary key, n int)")
        failing = Raw("function(row) if row.image.n > 1 then return false end end")
        for policy, code, what in ((None, 2, "error: "), ("dead_letter", 0, "such a row goes to the dead letters"), ("skip", 0, 'on_error = "skip" leaves such a row out')):
            log = self.run_to_end("check", self.script(self.connector("postgres", on_error=policy, filter=failing)), code=code).log()
            self.assertIn(what, log)
            self.assertIn("attempt to compare number with nil", log)
        log = self.run_to_end("check", self.script(self.connector("postgres", on_error="skip", columns=Raw('{ drop = "m" }'))), code=2).log()
        self.assertIn('has no such column', log)

    def test_what_is_no_rows_error_stops(self):
        """hook_timeout and script_memory end the program under whatever policy."""
        self.databases("create table t (id int primary key)")
        for options, what in (({"hook_timeout": "200ms", "map": Raw("function(row) while true do end end")}, "hook_timeout is 0.2 s"),
                              ({"script_memory": "4MiB", "map": Raw('function(row) kept = {} for i = 1, 1e6 do kept[i] = i end end')}, "script_memory is 4.0 MiB")):
            script = self.script(self.connector("postgres", name=self.id_ + what[5:11], on_error="skip", **options))
            self.run_to_end(script, "--until-caught-up")
            self.pg("insert into t values (%d)" % len(what))
            self.assertIn(what, self.run_to_end(script, "--until-caught-up", code=1).log())


class Oversize(Case):
    LIMIT = 65536  # bytes: max.message.bytes of the topic
    WIDE = "create table t (id int primary key, v %s)"

    def wide(self):
        self.databases(self.WIDE % "text", mariadb=self.WIDE % "longtext")

    def random_text(self, db, kib):
        """SQL for text that does not become smaller when it is compressed."""
        if db == "postgres":
            return "(select string_agg(md5(random()::text), '') from generate_series(1, %d))" % (kib * 32)
        return "(select group_concat(md5(rand()) separator '') from seq_1_to_%d)" % (kib * 32)

    def insert(self, db, i, kib):
        self.sql(db, ("" if db == "postgres" else "set group_concat_max_len = 1073741824; ") + "insert into t select %d, %s" % (i, self.random_text(db, kib)))

    def test_over_the_producers_limit(self):
        """64 MiB: the letter has key and size, the rows around it go."""
        self.wide()
        for db in DATABASES:
            script = self.script(self.connector(db, on_oversize="dead_letter", memory="256MiB"))
            self.run_to_end(script, "--until-caught-up")
            for i in (1, 3):
                self.sql(db, "insert into t values (%d, 'small')" % i)
            self.sql(db, ("" if db == "postgres" else "set max_statement_time = 0; ") + "insert into t values (2, repeat(%s, %d))" % ("'x'", 65 * MIB))
            self.sql(db, "insert into t values (4, 'small')")
            p = self.run_to_end(script, "--until-caught-up")
            self.assertEqual([values(m["columns"])["id"] for m in messages(self.topic_of(db))], [1, 3, 4])
            (key, _, headers, value), = letters(self.name(db) + ".dead_letters")
            self.assertEqual((key, value, headers["hook"]), ("2", None, "size"))
            self.assertGreater(int(headers["bytes"]), 65 * MIB)
            self.assertIn("is over the limit of", headers["error"])
            self.assertIn("dead letters: 1 in this run", p.log())

    def test_over_the_topics_limit(self):
        """What a broker refuses is known by its report; the rows before and behind go, in order, and the next run has nothing to do."""
        self.wide()
        for db in DATABASES:
            for policy in ("dead_letter", "skip"):
                topic, name = "%s.%s" % (self.topic_of(db), policy), "%s_%s" % (self.name(db), policy)
                self.limited_topic(topic)
                script = self.script(self.connector(db, name=name, topic=topic, on_oversize=policy,
                                                    kafka_conf={"bootstrap.servers": lib.BROKERS, "batch.size": self.LIMIT}))
                self.run_to_end(script, "--until-caught-up")
                self.sql(db, "delete from t")
                for i in range(1, 41):
                    self.insert(db, i, 100 if i % 10 == 0 else 1)
                p = self.run_to_end(script, "--until-caught-up")
                got = [values(m["columns"])["id"] for m in messages(topic) if m["action"] == "I"]
                self.assertEqual(got, [i for i in range(1, 41) if i % 10])
                big = letters(name + ".dead_letters")
                if policy == "skip":
                    self.assertEqual(big, [])
                    self.assertIn("in error and left out: 4 in this run", p.log())
                else:
                    self.assertEqual([(key, value, h["hook"], h["topic"], h["table"].split(".")[1]) for key, _, h, value in big],
                                     [(str(i), None, "size", topic, "t") for i in (10, 20, 30, 40)])
                    self.assertIn("dead letters: 4 in this run", p.log())
                    for _, _, h, _ in big:
                        self.assertGreater(int(h["bytes"]), 100 * 1024)
                        self.assertRegex(h["pos"], "^[0-9a-f]+$")
                        self.assertEqual(h["seq"], "1")
                p = self.run_to_end(script, "--until-caught-up")
                self.assertNotIn("this run", p.log())
                self.assertEqual(len(messages(topic)), len(got) + len([m for m in messages(topic) if m["action"] != "I"]))

    def test_stop_is_as_it_was(self):
        self.wide()
        self.limited_topic(self.topic_of("postgres"))
        script = self.script(self.connector("postgres", on_error="dead_letter"))
        self.run_to_end(script, "--until-caught-up")
        self.insert("postgres", 1, 100)
        self.assertIn("raise the topic's max.message.bytes", self.run_to_end(script, "--until-caught-up", code=1).log())
        self.assertEqual(letters(self.name("postgres") + ".dead_letters"), [])

    def limited_topic(self, name):
        lib.make_topic(name, {"max.message.bytes": str(self.LIMIT)})


class InvalidText(Case):
    def test_postgres(self):
        self.databases(mariadb="select 1")
        lib.pg("drop database %s" % self.id_)
        lib.pg("create database %s encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0" % self.id_)
        self.pg("create table t (id int primary key, a text, secret text)")
        for plugin in ("pgoutput", "wal2json"):
            name = "%s_%s" % (self.id_, plugin)
            script = self.script(self.connector("postgres", name=name, topic=name, plugin=plugin, on_invalid_text="dead_letter", columns=Raw('{ drop = "secret" }'),
                                                map=Raw("function(row) row.image.a = 'seen' end")))
            self.run_to_end(script, "--until-caught-up")
            self.pg(r"delete from t; insert into t values (1, 'ok', 'x'), (2, E'\xff', 'x'), (3, 'ok', E'\xfe'), (4, 'ok', 'x')")
            p = self.run_to_end(script, "--until-caught-up")
            self.check(p, name, "public", {2: {"id": 2, "a": "\ufffd"}, 3: {"id": 3, "a": "ok"}})

    def check(self, p, name, schema, want):
        self.assertEqual([values(m["columns"])["id"] for m in messages(name) if m["action"] == "I"], [1, 4])
        got = letters(name + ".dead_letters")
        self.assertEqual({int(key): values(json.loads(value)["columns"]) for key, _, _, value in got}, want)
        for _, _, headers, _ in got:
            self.assertEqual((headers["hook"], headers["table"]), ("text", schema + ".t"))
            self.assertRegex(headers["error"], 'table %s.t, column "[a-z]+": text that is not valid in its character set; U\\+FFFD stands for what is invalid' % schema)
        self.assertEqual(len(said(p, "it goes to the dead letters")), 1)
        self.assertIn("dead letters: %d in this run" % len(want), p.log())

    def test_mariadb(self):
        self.databases()
        self.my("create table t (id int primary key, g varchar(20) character set gbk)")
        name = self.name("mysql")
        script = self.script(self.connector("mysql", topic=name, on_invalid_text="dead_letter"))
        self.run_to_end(script, "--until-caught-up")
        self.my("set sql_mode = ''; insert into t values (1, 'a'), (2, x'61fefe62'), (4, 'b')")
        p = self.run_to_end(script, "--until-caught-up")
        self.check(p, name, self.id_, {2: {"id": 2, "g": "a\ufffdb"}})


class Refused(Case):
    """A topic for dead letters that takes none: its max.message.bytes are 100."""
    NOTHING = {"max.message.bytes": "100"}

    def test_the_checkpoint_waits(self):
        self.databases("create table t (id int primary key)")
        for db in DATABASES:
            dead, topic = self.topic_of(db) + ".dead", self.topic_of(db)
            lib.make_topic(dead, self.NOTHING)
            failing = Raw('function(row) if row.new.id == 2 then error "two" end end')
            script = self.script(self.connector(db, on_error="dead_letter", dead_letter_topic=dead, map=failing))
            self.run_to_end(script, "--until-caught-up")
            for i in (1, 2, 3):
                self.sql(db, "insert into t values (%d)" % i)
            log = self.run_to_end(script, "--until-caught-up", code=1).log()
            self.assertRegex(log, "Kafka did not take a message: topic %s, partition 0: .*nothing after the last checkpoint is passed over" % dead)
            script = self.script(self.connector(db, on_error="dead_letter", dead_letter_topic=dead + "2", map=failing))
            self.run_to_end(script, "--until-caught-up")
            self.assertEqual([key for key, _, _, _ in letters(dead + "2")], ["2"], "it is not passed over")
            self.assertEqual({values(m["columns"])["id"] for m in messages(topic)}, {1, 3})

    def test_the_offsets_wait(self):
        """Neither the writer's flush, whose positions would pass over the message, nor the commit comes before the letter."""
        dead = self.topic + ".dead"
        lib.make_topic(self.topic, {})
        lib.make_topic(dead, self.NOTHING)
        writer = Raw("""ls.writer {
    flush_every = { ms = 1 },
    write = function(w, row) if row.image.id == 2 then error "two" end end,
    flush = function(w, positions) local f = io.open("flushed", "a") f:write(positions[1].offset, "\\n") f:close() end,
  }""")
        Consumers.produce(self, [Consumers.row(self, i) for i in (1, 2, 3)])
        p = self.start(self.script(self.consumer(on_error="dead_letter", dead_letter_topic=dead, writer=writer)))
        self.assertEqual(p.wait(), 1)
        self.assertRegex(p.log(), "Kafka did not take a dead letter: topic %s, partition 0: .*its message is not passed over" % dead)
        self.assertIn(self.lines("flushed")[-1:], ([], ["0"], ["1"]))  # the first message may have come alone
        self.run_to_end(self.script(self.consumer(on_error="dead_letter", dead_letter_topic=dead + "2", writer=writer)), "--until-caught-up")
        self.assertEqual([key for key, _, _, _ in letters(dead + "2")], ["2"])
        self.assertEqual(self.lines("flushed")[-1], "3")


class Killed(Case):
    ROWS = 3000
    KILLS = 6

    def test_nothing_is_lost(self):
        """Each row is in the topic or in the dead letters, whenever the program is killed."""
        self.databases("create table t (id int primary key, v int)")
        for db in DATABASES:
            dead = self.name(db) + ".dead_letters"
            script = self.script(self.connector(db, on_error="dead_letter", map=Raw('function(row) row.new.v = 0 if row.new.id % 3 == 0 then error "third" end end')))
            self.run_to_end(script, "--until-caught-up")
            for k in range(self.KILLS):
                rows = range(k * self.ROWS + 1, (k + 1) * self.ROWS + 1)
                self.sql(db, "insert into t values " + ", ".join("(%d, %d)" % (i, i) for i in rows))
                seen = len(letters(dead))
                p = self.start(script)
                wait_until(lambda: len(letters(dead)) > seen, "letters", programs=[p])
                p.kill()
            self.run_to_end(script, "--until-caught-up")
            every = range(1, self.KILLS * self.ROWS + 1)
            self.assertEqual({values(m["columns"])["id"] for m in messages(self.topic_of(db))}, {i for i in every if i % 3})
            self.assertEqual({(int(key), values(json.loads(value)["columns"])["v"]) for key, _, _, value in letters(dead)}, {(i, i) for i in every if i % 3 == 0})


class Consumers(Case):
    def produce(self, lines, *flags):
        run(KCAT[:4] + ["-P", "-t", self.topic, "-p", "0", "-K", "|"] + list(flags), "\n".join(lines) + "\n")

    def row(self, i, name="a"):
        return '%d|{"action":"I","schema":"s","table":"t","pk":[{"name":"id"}],"columns":[{"name":"id","value":%d},{"name":"name","value":"%s"}]}' % (i, i, name)

    def test_each_error(self):
        """The message as it is, its key and headers too, with the error; what is left goes to the writer."""
        lib.make_topic(self.topic, {})
        for policy in ("dead_letter", "skip"):
            name = self.id_ + policy
            writer = Raw("""ls.writer {
    open = function(w) w.file = assert(io.open("%s.txt", "a")) end,
    write = function(w, row) if row.image.id == 6 then error "in write" end w.file:write(row.image.id, " ", row.image.name, "\\n") end,
    flush = function(w) w.file:flush() end,
  }""" % name)
            script = self.script(self.consumer(group=policy, name=name, on_error=policy, writer=writer,
                                               filter=Raw('function(row) if row.image.id == 4 then error "in filter" end end'),
                                               map=Raw('function(row) row.image.name = "x" row:clone() if row.image.id == 5 then error "in map" end end')))
            if policy == "dead_letter":
                self.produce([self.row(1)])
                self.produce(["2|no json"], "-H", "trace=7", "-H", "other=")
                self.produce(["3|" + self.row(3)[2:-1]] + [self.row(i) for i in range(4, 8)])
            p = self.run_to_end(script, "--until-caught-up")
            self.assertEqual(self.lines(name + ".txt"), ["1 x", "1 x", "7 x", "7 x"])
            got = letters(name + ".dead_letters")
            if policy == "skip":
                self.assertEqual(got, [])
                self.assertIn("in error and left out: 6 in this run", p.log())
                continue
            self.assertEqual([(key, h["hook"], h["topic"], h["partition"], h["offset"], h["stage"]) for key, _, h, _ in got],
                             [(str(i), hook, self.topic, "0", str(i - 1), name) for i, hook in
                              ((2, "decode"), (3, "decode"), (4, "filter"), (5, "map"), (6, "writer.write"))])
            self.assertEqual(got[0][1], "trace=7,other=")
            self.assertEqual([value for _, _, _, value in got], ["no json", self.row(3)[2:-1], self.row(4)[2:], self.row(5)[2:], self.row(6)[2:]])
            self.assertEqual([h.get("table") for _, _, h, _ in got], [None, None, "s.t", "s.t", "s.t"])
            self.assertIn("offset 1: ", got[0][2]["error"])
            self.assertRegex(got[3][2]["error"], r'^test\.lua:\d+: map of consumer "%s": in map \(s\.t, key 5' % name)
            self.assertRegex(got[3][2]["script"], r"^test\.lua:\d+$")
            self.assertRegex(got[0][2]["time"], TIME)
            self.assertIn("dead letters: 6 in this run", p.log())
            p = self.run_to_end(script, "--until-caught-up")
            self.assertEqual(len(letters(name + ".dead_letters")), 5)

    def test_a_layouts_function(self):
        lib.make_topic(self.topic, {})
        layout = 'layout = { ["s.t"] = { columns = { "id", { "twice", value = function(row) if row.image.id == 2 then return row.image.nme end return row.image.id * 2 end } } } }'
        script = self.script(self.consumer(on_error="dead_letter", writer=Raw('ls.csv_writer { filename = "out", %s }' % layout)))
        self.produce([self.row(i) for i in (1, 2, 3)])
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.lines("out_out.csv"), ["action,table,id,twice", "I,s.t,1,2", "I,s.t,3,6"])
        (key, _, headers, value), = letters("out.dead_letters")[-1:]
        self.assertEqual((key, headers["hook"], value), ("2", "layout", self.row(2)[2:]))
        self.assertIn('column "twice" of layout "s.t"', headers["error"])

    def test_stop(self):
        lib.make_topic(self.topic, {})
        script = self.script(self.consumer())
        self.produce(["1|no json"])
        self.assertIn("this is no list_sync message", self.run_to_end(script, "--until-caught-up", code=1).log())

    def test_raw_and_null_messages(self):
        """A message without key and value has a letter without them."""
        lib.make_topic(self.topic, {})
        script = self.script(self.consumer(name=self.id_, on_error="dead_letter", decode="raw", filter=Raw('function(row) error "all" end')))
        run(KCAT[:4] + ["-P", "-t", self.topic, "-p", "0", "-Z", "-K", "|"], "|\nk|\n|v\n")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual([(key, value) for key, _, _, value in letters(self.id_ + ".dead_letters")], [(None, None), ("k", None), (None, "v")])

    def test_reads_its_own(self):
        script = self.script(self.consumer(name="x", topic_list=["x.dead_letters"], on_error="dead_letter"))
        self.assertIn('consumer "x" reads its own dead letters: take "x.dead_letters" out of topic_list', self.run_to_end("check", "--offline", script, code=2).log())

    def test_killed(self):
        """No offset passes over a letter that Kafka does not have."""
        lib.make_topic(self.topic, {})
        name = self.id_
        script = self.script(self.consumer(name=name, on_error="dead_letter", csv={"filename": "rows"}, consumer_id="x",
                                           kafka_conf={"bootstrap.servers": lib.BROKERS, "session.timeout.ms": 6000},
                                           map=Raw('function(row) if row.image.id % 3 == 0 then error "third" end end')))
        last = 0
        for _ in range(3):
            self.produce([self.row(i) for i in range(last + 1, last + 3001)])
            last += 3000
            seen = len(letters(name + ".dead_letters"))
            p = self.start(script)
            wait_until(lambda: len(letters(name + ".dead_letters")) > seen, "letters", programs=[p])
            p.kill()
        self.run_to_end(script, "--until-caught-up", seconds=120)
        rows = {int(line.split(",")[2]) for line in self.lines("rows_x.csv")[1:]}
        self.assertEqual(rows, {i for i in range(1, last + 1) if i % 3})
        self.assertEqual({int(key) for key, _, _, _ in letters(name + ".dead_letters")}, {i for i in range(1, last + 1) if i % 3 == 0})

    def test_dead_letters_are_read(self):
        """A connector's dead letters are messages that a consumer reads."""
        self.databases("create table t (id int primary key, name varchar(9))")
        script = self.script(self.connector("postgres", on_error="dead_letter", map=Raw('function(row) if row.new.id == 2 then error "two" end end')),
                             self.consumer(topic_list=[self.name("postgres") + ".dead_letters"]))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a'), (2, 'b')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.lines("out_out.csv"), ["action,table,id,name", "I,public.t,2,b"])


class Store(Case):
    """What a Lua writer's functions raise: a mistake of the script ends the program, a store that is away does not."""

    def run_with(self, functions, code):
        return self.run_to_end(self.script(self.consumer(writer=Raw("ls.writer { write = function() end, %s }" % functions))), "--until-caught-up", code=code)

    def test_mistakes_end_the_program(self):
        lib.make_topic(self.topic, {})
        Consumers.produce(self, [Consumers.row(self, 1)])
        for functions, what in (("open = function(w) w.db = conect() end", "attempt to call global 'conect'"), ("open = function(w) return 7 end", "open returned a number"),
                                ("open = function(w) require 'nosuchmodule' end", "module 'nosuchmodule' not found"),
                                ("open = function(w) w.x = ('x'):rep({}) end", "bad argument #1 to 'rep'"),
                                ("open = function() return function() return nothing.x end end", "attempt to index global 'nothing'"),
                                ("flush = function(w) w.db:commit() end", "attempt to index field 'db'")):
            log = self.run_with(functions, 1).log()
            self.assertIn(what, log)
            self.assertRegex(log, r"test\.lua:\d+: writer\.(open|flush) of consumer")
            self.assertNotIn("trying again", log)

    def test_a_store_that_is_away_is_waited_for(self):
        lib.make_topic(self.topic, {})
        Consumers.produce(self, [Consumers.row(self, 1)])
        away = 'local n = (tonumber(io.open("n%d", "a+"):read "*a") or 0) + 1 local f = io.open("n%d", "w") f:write(n) f:close() if n < 3 then %s end'
        for i, raising in enumerate(('error "the store is away"', 'assert(nil, "connection refused")', 'error({})', 'local f = io.lines("nowhere")')):
            for k, function in enumerate(("open", "flush")):
                number = 2 * i + k
                log = self.run_with("%s = function() %s end" % (function, away % (number, number, raising)), 0).log()
                self.assertIn("trying again until it works", log)
                with open(self.path("n%d" % number), encoding="ascii") as f:
                    self.assertEqual(f.read(), "3")
                Consumers.produce(self, [Consumers.row(self, 1)])
