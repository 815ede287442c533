"""Where rows are sent: options by table, functions for topic, key, headers and message, and updates whose halves belong apart."""
import json
import random

from lib import Case, KCAT, Raw, checkpoint, delete_topic, messages, read_topic, run, topic_partitions, values, wait_until

DATABASES = ("postgres", "mysql")


def with_headers(topic):
    """[(partition, key or None, headers, value or None)]"""
    out = []
    for line in run(KCAT + ["-C", "-e", "-Z", "-t", topic, "-o", "beginning", "-f", "%p\t%K\t%k\t%h\t%S\t%s\n"]).splitlines():
        partition, key_len, key, headers, length, value = line.split("\t", 5)
        out.append((int(partition), None if key_len == "-1" else key, headers, None if length == "-1" else value))
    return out


class ByTable(Case):
    def test_each_table_has_its_own(self):
        """The most specific pattern's options are a table's, and what it leaves out is the connector's; on both servers."""
        self.databases("create table orders (id int primary key, tenant varchar(9), secret varchar(9)); create table orders_old (id int primary key, tenant varchar(9));"
                       "create table log (id int primary key, line varchar(20)); create table audit (id int primary key)")
        for db in DATABASES:
            s = "public" if db == "postgres" else self.id_
            topic = self.topic_of(db)
            tables = Raw("""{
    "%(s)s.*", "!%(s)s.audit",
    ["%(s)s.orders"] = {
      topic = { "%(t)s.orders", "%(t)s.all" }, key = { "tenant", "id" }, partitions = 2, source = false,
      columns = { drop = "secret" },
      map = function(row) row.image.tenant = row.image.tenant:upper() end,
    },
    ["%(s)s.order*"] = { topic = "%(t)s.{table}", headers = { kind = "old" }, filter = function(row) return row.image.id > 1 end },
    ["%(s)s.log"] = { format = function(row) return row.action .. ":" .. (row.image and row.image.line or "") end, key = function() end },
  }""" % {"s": s, "t": topic})
            script = self.script(self.connector(db, tables=tables, topic=topic, identity="full" if db == "mysql" else None))
            if db == "postgres":
                self.pg("alter table orders replica identity full")
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into orders values (1, 'red', 's'); insert into orders_old values (1, 'x'), (2, 'y'); insert into log values (1, 'one'); insert into audit values (1)")
            self.sql(db, "truncate log")
            self.run_to_end(script, "--until-caught-up")
            self.assertEqual(topic_partitions(topic + ".orders"), 2)
            for name in (".orders", ".all"):
                (_, key, value), = read_topic(topic + name)
                m = json.loads(value)
                self.assertEqual((key, values(m["columns"])), ('["RED",1]', {"id": 1, "tenant": "RED"}))
                self.assertNotIn("source", m)
            (_, key, headers, value), = with_headers(topic + ".orders_old")
            self.assertEqual((key, headers, values(json.loads(value)["columns"])), ("2", "kind=old", {"id": 2, "tenant": "y"}))
            self.assertEqual([(key, value) for _, key, value in read_topic(topic)], [(None, "I:one"), (None, "T:")])

    def test_split_needs_whole_rows(self):
        """Only the tables that want it are looked at, and one message has the mend."""
        self.databases("create table a (id int primary key, tenant int); create table b (id int primary key, tenant int not null)")
        own = Raw('{ "public.a", ["public.b"] = { moves = "split", topic = function(row) return "x" .. row.image.tenant end } }')
        script = self.script(self.connector("postgres", tables=own))
        for command in ("run", "check"):
            log = self.run_to_end(command, script, code=2).log() if command == "check" else self.run_to_end(script, "--until-caught-up", code=2).log()
            self.assertIn('of 1 table the server sends rows before an UPDATE or DELETE as their key alone; run: ALTER TABLE "public"."b" REPLICA IDENTITY FULL;', log)
        self.pg("alter table b replica identity full")
        self.assertNotIn("moves", self.run_to_end("check", script).log())

    def test_check_warns_of_rows_that_stay(self):
        self.databases("create table a (id int primary key, n int); create table b (id int primary key, n int)")
        self.pg("alter table b replica identity full")
        script = self.script(self.connector("postgres", filter=Raw("function(row) return true end"), tables=Raw('{ "public.a", ["public.b"] = { moves = "split" } }')))
        self.assertEqual(self.run_to_end("check", script).log().count("an update whose row leaves the filter is not sent"), 1)
        script = self.script(self.connector("postgres", tables=Raw('{ "public.a", ["public.b"] = { filter = function(row) return true end } }')))
        self.assertIn('tables["public.b"] has a filter and moves = "keep"', self.run_to_end("check", script).log())


class OneTable(Case):
    def test_of_two_databases(self):
        """Nothing but `source` tells which database a message is of: names, types and truncates are the same."""
        self.databases("create table accounts (id int primary key, usr varchar(20), active boolean, opened timestamptz)",
                       "create table konten (id int primary key, user varchar(20), active tinyint(1), opened datetime)")
        both = {"as": "bank.accounts", "topic": self.topic, "partitions": 1}
        script = self.script(
            self.connector("postgres", table="accounts", columns=Raw('{ rename = { usr = "owner" } }'), **both),
            self.connector("mysql", table="konten", columns=Raw('{ rename = { user = "owner" }, cast = { active = "boolean", opened = "timestamp" } }'), **both),
            self.consumer(name="csv", csv={"filename": "{schema}.{table}"}))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into accounts values (1, 'ann', true, '2026-01-31 12:00:00Z'), (2, 'bo', false, null); update accounts set usr = 'x' where id = 1; delete from accounts where id = 2;"
                "truncate accounts")
        self.my("insert into konten values (1, 'ann', true, '2026-01-31 12:00:00'), (2, 'bo', false, null); update konten set user = 'x' where id = 1; delete from konten where id = 2")
        self.my("truncate konten")
        self.run_to_end(script, "--until-caught-up")
        by_db = {}
        for m in messages(self.topic):
            by_db.setdefault(m.pop("source")["db"], []).append(m)
        self.assertEqual(by_db["postgres"], by_db["mariadb"])
        self.assertEqual([(m["action"], m["schema"], m["table"]) for m in by_db["postgres"]], [(a, "bank", "accounts") for a in "IIUDT"])
        self.assertEqual(values(by_db["mariadb"][0]["columns"]), {"id": 1, "owner": "ann", "active": True, "opened": "2026-01-31T12:00:00Z"})
        self.assertEqual([line.split(",")[:2] for line in self.lines("bank.accounts.csv")[-1:]], [["T", "bank.accounts"]])


class Functions(Case):
    def test_headers_and_messages(self):
        """What Kafka has is what the functions gave: keys and their partition, headers in their names' order, null messages."""
        self.databases("create table t (id int primary key, name varchar(20), n bigint)")
        functions = """
  topic = function(row) return { "%s", "%s_" .. row.image.name } end,
  key = function(row) return row.image.n end,
  headers = function(row) return { zone = "eu", action = row.action, id = row.image.id, empty = "", none = ls.null } end,
  format = function(row)
    if row.action == "T" then return "gone" end
    return row.action == "D" and ls.null or ls.json { id = row.image.id, name = row.image.name, n = row.image.n }
  end,"""
        for db in DATABASES:
            topic = self.topic_of(db)
            script = self.script(self.connector(db, topic=None, partitions=3, identity="full").rstrip("}\n") + functions % (topic, topic) + "\n}\n")
            if db == "postgres":
                self.pg("alter table t replica identity full")
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 'a', 9223372036854775807), (2, 'b', null); update t set n = 5 where id = 1; delete from t where id = 1")
            self.sql(db, "truncate t")
            self.run_to_end(script, "--until-caught-up")
            got = sorted(with_headers(topic), key=str)
            headers = "action=%s,empty=,id=%d,none=NULL,zone=eu"
            rows = [(k, h, v) for _, k, h, v in got if v != "gone"]
            self.assertEqual(sorted(rows, key=str), sorted([
                ("9223372036854775807", headers % ("I", 1), '{"id":1,"n":9223372036854775807,"name":"a"}'), (None, headers % ("I", 2), '{"id":2,"name":"b"}'),
                ("5", headers % ("U", 1), '{"id":1,"n":5,"name":"a"}'), ("5", headers % ("D", 1), None)], key=str))
            self.assertEqual([(p, k, v) for p, k, _, v in got if v == "gone"], [(p, None, "gone") for p in range(3)])
            self.assertEqual([len(read_topic("%s_%s" % (topic, name))) for name in "ab"], [3 + 3, 1 + 3], "a truncate goes to where the table's rows went")
            self.assertEqual({p for p, k, _, _ in got if k == "5"}, {next(p for p, k, _ in read_topic(topic + "_a") if k == "5")})

    def test_too_many_topics(self):
        self.databases("create table t (id int primary key, name varchar(20))")
        def made(most):
            return self.script(self.connector("postgres", topic=Raw('function(row) return "%s" .. row.image.name end' % self.topic), max_topics=most))
        script = made(2)
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a'), (2, 'b'), (3, 'a'), (4, 'c')")
        log = self.run_to_end(script, "--until-caught-up", code=1).log()
        self.assertRegex(log, r'public\.t, position [0-9a-f]{16}/4: the topic "%sc" would be number 3, and max_topics = 2: make topics\' names of what has fewer values, or raise it'
                         % self.topic)
        self.assertEqual(topic_partitions(self.topic + "c"), 0)
        self.run_to_end(script, "--until-caught-up", code=1)
        self.assertEqual([len(read_topic(self.topic + name)) for name in "ab"], [0, 0], "nothing of a batch is sent whose topics are too many")
        self.run_to_end(made(3), "--until-caught-up")
        self.assertEqual([len(read_topic(self.topic + name)) for name in "abc"], [2, 1, 1])

    def test_a_truncate_after_a_restart(self):
        """It goes to where the table's rows went, in whichever run that was, to each topic once, and makes none."""
        self.databases("create table t (id int primary key, name varchar(20)); create table u (id int primary key, name varchar(20))")
        for db in DATABASES:
            s, topic = "public" if db == "postgres" else self.id_, self.topic_of(db)
            script = self.script(self.connector(db, tables=[s + ".t", s + ".u"], topic=Raw('function(row) return "%s_" .. row.image.name end' % topic), partitions=2))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 'a'), (2, 'b'), (3, 'gone'); insert into u values (1, 'a'), (2, 'u')")
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (4, 'c')")
            self.run_to_end(script, "--until-caught-up")
            delete_topic(topic + "_gone")
            self.sql(db, "truncate t")
            self.run_to_end(script, "--until-caught-up")
            for name, tables in {"a": ["t", "t"], "b": ["t", "t"], "c": ["t", "t"], "u": []}.items():
                self.assertEqual([m["table"] for m in messages(topic + "_" + name) if m["action"] == "T"], tables, (db, name))
            self.assertEqual(topic_partitions(topic + "_gone"), 0)

    def test_a_truncate_after_a_kill(self):
        """As soon as the rows are in their topics, and behind the checkpoint that passes over them; without a function nothing of it is kept."""
        self.databases("create table t (id int primary key, name varchar(20))")
        for db in DATABASES:
            topic, name, table = self.topic_of(db), self.name(db), "public.t" if db == "postgres" else self.id_ + ".t"
            script = self.script(self.connector(db, topic=Raw('function(row) return "%s_" .. row.image.name end' % topic), partitions=2))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 'a'), (2, 'b')")
            p = self.start_connector(script)
            wait_until(lambda t=topic: messages(t + "_a") and messages(t + "_b"), "the rows", programs=[p])
            p.kill()
            self.sql(db, "truncate t")
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (3, 'c')")
            p = self.start_connector(script)
            place = wait_until(lambda t=topic: messages(t + "_c"), "the row", programs=[p])[0]["source"]["pos"]
            stored = wait_until(lambda n=name, at=place: (c := checkpoint(n))["delivered"]["pos"] >= at and c, "a checkpoint", programs=[p])
            p.kill()
            self.assertEqual(stored["sent"][::2], [table] * 3)
            self.assertEqual(sorted(stored["sent"][1::2]), ["%s_%s" % (topic, n) for n in "abc"])
            self.sql(db, "truncate t")
            self.run_to_end(script, "--until-caught-up")
            places = {n: sorted(p for p, _, value in read_topic("%s_%s" % (topic, n)) if json.loads(value)["action"] == "T") for n in "abc"}
            self.assertEqual(places, {"a": [0, 0, 1, 1], "b": [0, 0, 1, 1], "c": [0, 1]}, db)
            self.assertEqual([m["action"] for m in messages(topic + "_c")].count("I"), 1, "the row did not come again: the checkpoint alone knew of its topic")
        other = self.script(self.connector("postgres", name=self.id_ + "_plain", topic=self.topic + ".{table}"))
        self.run_to_end(other, "--until-caught-up")
        self.pg("insert into t values (1, 'a'); truncate t")
        self.run_to_end(other, "--until-caught-up")
        self.assertEqual([m["action"] for m in messages(self.topic + ".t")], ["I", "T"])
        self.assertFalse(checkpoint(self.id_ + "_plain").get("sent"))

    def test_drops_and_renames(self):
        """They go to where the table's rows went, and what comes of it under its new name goes there, too; a database's end to the topics of all its tables, once."""
        self.databases("create table t (id int primary key, name varchar(20)); create table u (id int primary key, name varchar(20))")
        topic = self.topic_of("mysql")
        script = self.script(self.connector("mysql", tables=[self.id_ + ".*"], ddl=True, topic=Raw('function(row) return "%s_" .. row.image.name end' % topic)))
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t values (1, 'a'), (2, 'b'); insert into u values (1, 'a'), (2, 'u')")
        self.my("rename table t to t2")
        self.run_to_end(script, "--until-caught-up")
        self.my("truncate t2; drop table u")
        self.my("drop database %s; create database %s" % (self.id_, self.id_))
        self.run_to_end(script, "--until-caught-up")
        for name, want in {"a": "It Iu Rt Tt2 Xu XNone", "b": "It Rt Tt2 XNone", "u": "Iu Xu XNone"}.items():
            self.assertEqual(" ".join(m["action"] + str(m["table"]) for m in messages(topic + "_" + name)), want, name)

    def test_a_row_that_cannot_be_sent(self):
        """However often the program is started again, the rows before it come once."""
        self.databases("create table t (id int primary key, doc text)")
        for db in DATABASES:
            script = self.script(self.connector(
                db, topic=self.topic_of(db), partitions=1, format="flat", map=Raw(
                    'function(row) if row.action == "I" then row:clone() end if row.image.id == 3 then row:rename("doc", "_ts") end end')))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')")
            for _ in range(3):
                self.assertIn('column "_ts": the format "flat" has a member of that name', self.run_to_end(script, "--until-caught-up", code=1).log())
            self.assertEqual([json.loads(value)["id"] for _, _, value in read_topic(self.topic_of(db))], [1, 1, 2, 2])
            self.run_to_end(self.script(self.connector(db, topic=self.topic_of(db), partitions=1, format="flat")), "--until-caught-up")
            self.assertEqual([json.loads(value)["id"] for _, _, value in read_topic(self.topic_of(db))], [1, 1, 2, 2, 3, 4])

    def test_too_many_topics_over_several_runs(self):
        """Starting again does not begin to count anew; a topic that was deleted makes room."""
        self.databases("create table t (id int primary key, name varchar(20))")
        script = self.script(self.connector("postgres", topic=Raw('function(row) return "%s" .. row.image.name end' % self.topic), max_topics=2))
        self.run_to_end(script, "--until-caught-up")
        for name in "aab":
            self.pg("insert into t select count(*), '%s' from t" % name)
            self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t select count(*), 'c' from t")
        for _ in range(2):
            self.assertIn('the topic "%sc" would be number 3, and max_topics = 2' % self.topic, self.run_to_end(script, "--until-caught-up", code=1).log())
        delete_topic(self.topic + "a")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual([len(read_topic(self.topic + name)) for name in "bc"], [1, 1])

    def test_a_topic_that_is_none(self):
        self.databases("create table t (id int primary key, name varchar(20))")
        script = self.script(self.connector("postgres", topic=Raw('function(row) return row.image.name end')))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a b')")
        log = self.run_to_end(script, "--until-caught-up", code=1).log()
        self.assertRegex(log, r'\.lua:\d+: topic of connector "[^"]*": it gave "a b", which Kafka does not take for a topic\'s name.* \(public\.t, key 1, position [0-9a-f]{16}/1\)')


class Moves(Case):
    """Tables by tenant, each from its own topic, are what the database says, whatever moved between them."""
    TENANTS = ("red", "green", "blue")

    def changes(self, rnd, count):
        for _ in range(count):
            i, tenant = rnd.randrange(40), rnd.choice(self.TENANTS)
            yield rnd.choice((
                "insert into t values (%d, '%s', %d)" % (i + rnd.randrange(1000) * 100 + 100, tenant, i), "update t set tenant = '%s' where id %% 7 = %d" % (tenant, i % 7),
                "update t set n = n + 1 where id %% 5 = %d" % (i % 5), "delete from t where id %% 31 = %d" % (i % 31),
                "update t set id = id + 100000000, tenant = '%s' where id %% 37 = %d" % (tenant, i % 37)))

    def replayed(self, topic):
        """id -> row of what the topic's messages leave behind, in their places' order."""
        rows = {}
        for m in sorted(messages(topic), key=lambda m: (m["source"]["pos"], m["source"]["seq"], m["source"].get("sub", 0))):
            if m["action"] in "DU":
                self.assertIn(values(m["identity"])["id"], rows, m)
                del rows[values(m["identity"])["id"]]
            if m["action"] in "IU":
                row = values(m["columns"])
                self.assertNotIn(row["id"], rows, m)
                rows[row["id"]] = (row["tenant"], row["n"])
            if "identity" in m:
                self.assertEqual(list(values(m["identity"])), ["id"], "the identity is the key")
        return rows

    def test_topics_by_tenant(self):
        self.databases("create table t (id bigint primary key, tenant varchar(9), n int)")
        for db in DATABASES:
            topic, rnd = self.topic_of(db), random.Random(5)
            if db == "postgres":
                self.pg("alter table t replica identity full")
            script = self.script(self.connector(db, moves="split", partitions=3, topic=Raw('function(row) return "%s." .. row.image.tenant end' % topic)))
            self.run_to_end(script, "--until-caught-up")
            for _ in range(3):  # the program ends and begins in between
                self.sql(db, "insert ignore into t values (1, 'red', 1)" if db == "mysql" else "insert into t values (1, 'red', 1) on conflict do nothing")
                for statement in self.changes(rnd, 120):
                    self.sql(db, statement if not statement.startswith("insert") or db == "postgres" else statement.replace("insert", "insert ignore")
                             ) if db == "mysql" else self.sql(db, statement + (" on conflict do nothing" if statement.startswith("insert") else ""))
                self.run_to_end(script, "--until-caught-up")
            for tenant in self.TENANTS:
                there = {int(i): (t, int(n)) for i, t, n in
                         (line.replace("\t", "|").split("|") for line in self.sql(db, "select id, tenant, n from t where tenant = '%s'" % tenant).splitlines())}
                self.assertEqual(self.replayed("%s.%s" % (topic, tenant)), there)

    def test_one_table_of_several(self):
        """Options of one table hold while its columns change, its key is of renamed and added columns, and no other table's messages know of it."""
        tables = "drop table if exists t; drop table if exists u; create table t (id int primary key, tenant varchar(9), n int); create table u (id int primary key, tenant varchar(9), n int)"
        self.databases(tables)
        for db, plugin in (("postgres", "pgoutput"), ("postgres", "wal2json"), ("mysql", None)):
            self.sql(db, tables)
            s, topic = "public" if db == "postgres" else self.id_, "%s_%s" % (self.topic_of(db), plugin)
            if db == "postgres":
                self.pg("alter table t replica identity full")
            own = {"moves": "split", "key": ["owner", "part"], "columns": {"rename": {"tenant": "owner"}, "mask": {"n": "***"}}, "topic": [topic, topic], "tombstones": True,
                   "map": Raw('function(row) row:rename("id", "part") if row.new then row.new.owner = row.new.owner:upper() end if row.old then row.old.owner = row.old.owner:upper() end end')}
            script = self.script(self.connector(db, name="%s_%s" % (self.name(db), plugin), plugin=plugin, tables={s + ".t": own, s + ".u": {"topic": topic + "_u"}}, topic=None))
            self.run_to_end(script, "--until-caught-up")
            for sql in ("insert into t values (1, 'red', 1); insert into u values (1, 'red', 1)", "update t set tenant = 'blue'; update u set tenant = 'blue'",
                        "alter table t add column extra int", "update t set n = 5; update u set n = 5", "update t set id = 2, tenant = 'Red'; update u set id = 2", "delete from t; delete from u"):
                self.sql(db, sql)
            self.run_to_end(script, "--until-caught-up")
            got = []
            for _, key, value in read_topic(topic):
                m = json.loads(value) if value != "NULL" else None
                got.append((key, m and m["action"], m and "identity" in m and values(m["identity"]), m and "columns" in m and values(m["columns"])))
                self.assertNotIn('"n","value":1', value)
            self.assertEqual(got, [
                ('["RED",1]', "I", False, {"part": 1, "owner": "RED", "n": "***"}), ('["RED",1]', "D", {"part": 1}, False), ('["RED",1]', None, None, None),
                ('["BLUE",1]', "I", False, {"part": 1, "owner": "BLUE", "n": "***"}), ('["BLUE",1]', "U", {"part": 1}, {"part": 1, "owner": "BLUE", "n": "***", "extra": None}),
                ('["BLUE",1]', "D", {"part": 1}, False), ('["BLUE",1]', None, None, None), ('["RED",2]', "I", False, {"part": 2, "owner": "RED", "n": "***", "extra": None}),
                ('["RED",2]', "D", {"part": 2}, False), ('["RED",2]', None, None, None)], plugin or db)
            self.assertEqual([(key, m["action"], values(m["identity"]) if "identity" in m else None) for key, m in
                              ((key, json.loads(value)) for _, key, value in read_topic(topic + "_u"))],
                             [("1", "I", None), ("1", "U", {"id": 1}), ("1", "U", {"id": 1}), ("1", "D", {"id": 1}), ("2", "I", None), ("2", "D", {"id": 2})])

    def test_in_and_out_of_a_filter(self):
        """By a key of columns, too; and moves = "keep" leaves rows behind."""
        self.databases("create table t (id int primary key, tenant varchar(9), n int)")
        for db in DATABASES:
            if db == "postgres":
                self.pg("alter table t replica identity full")
            topic = self.topic_of(db)
            script = self.script(self.connector(db, moves="split", partitions=3, key=["tenant", "id"], filter=Raw('function(row) return row.image.n > 0 end')),
                                 self.connector(db, name=self.name(db) + "_keep", topic=topic + "_keep", server_id=77 if db == "mysql" else None,
                                                filter=Raw('function(row) return row.image.n ~= ls.absent and row.image.n > 0 end')))
            self.run_to_end(script, "--until-caught-up")
            for sql in ("insert into t values (1, 'red', 1), (2, 'red', 0)", "update t set n = 1 - n", "update t set tenant = 'blue' where id = 2", "update t set n = 7",
                        "delete from t"):
                self.sql(db, sql)
            self.run_to_end(script, "--until-caught-up")
            got = sorted(((m["source"]["pos"], m["source"]["seq"], m["source"].get("sub", 0)), key, m["action"]) for key, m in
                         ((key, json.loads(value)) for _, key, value in read_topic(topic)))
            self.assertEqual([(key, action) for _, key, action in got], [
                ('["red",1]', "I"), ('["red",1]', "D"), ('["red",2]', "I"), ('["red",2]', "D"), ('["blue",2]', "I"), ('["red",1]', "I"), ('["blue",2]', "U"),
                ('["red",1]', "D"), ('["blue",2]', "D")])
            self.assertEqual(sorted(m["action"] for m in messages(topic + "_keep")), ["I", "U", "U", "U", "U"])
            self.assertEqual(topic_partitions(topic), 3)
