"""What a message may be asked to be: the whole row before, documents embedded, tombstones."""
import json

from lib import SERVERS, Case, messages, read_topic, values

WIDE = "create table t (id int primary key, n bigint, v varchar(20))"
CHANGES = ("insert into t values (1, 10, 'a'), (2, null, null)", "update t set v = 'b' where id = 1", "update t set n = 5 where id = 2",
           "update t set id = 7 where id = 1", "delete from t where id = 2")
BEFORE = [("U", {"id": 1, "n": 10, "v": "a"}), ("U", {"id": 2, "n": None, "v": None}), ("D", {"id": 1, "n": 10, "v": "b"}),
          ("D", {"id": 2, "n": 5, "v": None})]
FULL = "alter table %s replica identity full"


def databases_with(case, sql):
    """The tables of the test on every server that there is; gives the servers' names."""
    case.databases(sql)
    if SERVERS["mysql8"]:
        case.sql("mysql8", sql)
    return [db for db in ("postgres", "mysql", "mysql8") if SERVERS[db]]


class Identity(Case):
    def rows_before(self, db, **options):
        script = self.script(self.connector(db, identity="full", **options),
                             self.consumer(topic_list=[self.topic_of(db)], name=db, csv={"filename": db, "split_files": True}, group=db))
        self.run_to_end(script, "--until-caught-up")
        for sql in CHANGES:
            self.sql(db, sql)
        self.run_to_end(script, "--until-caught-up")
        got = messages(self.topic_of(db))
        self.assertEqual([(m["action"], values(m["identity"])) for m in got if "identity" in m], BEFORE)
        self.assertEqual([list(values(m["identity"])) for m in got if "identity" in m], [["id", "n", "v"]] * 4)
        self.assertEqual([values(m["moved_to"]) for m in got if "moved_to" in m], [{"id": 7}])
        self.assertEqual([k for _, k, v in read_topic(self.topic_of(db))], ["1", "2", "1", "2", "1", "7", "2"])
        rows = [line.split(",", 2)[2] for line in self.lines("%s_%s_delete.csv" % (db, db))]
        self.assertEqual(rows, ["id,n,v", "1,10,a", "2,,", "1,10,b", "2,5,"])

    def test_on_every_server(self):
        for db in databases_with(self, WIDE):
            if db == "postgres":
                self.pg(FULL % "t")
            self.rows_before(db)

    def test_with_wal2json(self):
        self.databases(WIDE)
        self.pg(FULL % "t")
        self.rows_before("postgres", plugin="wal2json")

    def test_what_the_server_does_not_send_is_refused(self):
        """At the start, by `check` and by `run`, with the statement that mends it."""
        self.databases(WIDE + "; create table u (id int primary key)")
        self.pg(FULL % "u")
        for plugin in ("pgoutput", "wal2json"):
            script = self.script(self.connector("postgres", identity="full", plugin=plugin))
            for args in (["check", script], [script, "--until-caught-up"]):
                log = self.run_to_end(*args, code=2).log()
                self.assertIn('of 1 table the server sends rows before an UPDATE or DELETE as their key alone; run: ALTER TABLE "public"."t" REPLICA IDENTITY FULL', log)
            self.run_to_end("check", self.script(self.connector("postgres", identity="full", plugin=plugin, table="u")))
        self.my("set global binlog_row_image = 'MINIMAL'")
        try:
            log = self.run_to_end("check", self.script(self.connector("mysql", identity="full", row_image="any")), code=2).log()
            self.assertIn("SET GLOBAL binlog_row_image = 'FULL'", log)
            self.assertIn("binlog_row_image is MINIMAL", self.run_to_end("check", self.script(self.connector("mysql", row_image="any"))).log())
        finally:
            self.my("set global binlog_row_image = 'FULL'")

    def test_partitions(self):
        self.databases()
        self.pg("create table t (id int primary key, v text) partition by range (id); create table t_1 partition of t for values from (0) to (10);"
                "create table t_2 partition of t for values from (10) to (20); alter table t_1 replica identity full")
        script = self.script(self.connector("postgres", identity="full"))
        log = self.run_to_end("check", script, code=2).log()
        self.assertIn('run: ALTER TABLE "public"."t_2" REPLICA IDENTITY FULL;', log)
        self.assertNotIn('"t_1"', log)

    def test_a_table_that_comes_later(self):
        """It has been too late to refuse it: its messages have the key, and a warning says so."""
        self.databases(WIDE)
        self.pg(FULL % "t")
        p = self.start_connector(self.script(self.connector("postgres", identity="full", table="*")))
        self.pg("create table later (id int primary key, v int); insert into later values (1, 2); update later set v = 3; update t set v = 'x'")
        got = self.wait_messages(self.topic_of("postgres"), 2, [p])
        self.assertEqual(values(got[1]["identity"]), {"id": 1})
        self.assertEqual(p.log().count('table public.later has its key alone in rows before an UPDATE or DELETE, which identity = "full" or moves = "split" want whole'), 1)
        self.assertEqual(p.stop(), 0)

    def test_check_names_tables_whose_values_may_not_come(self):
        self.databases("create table t (id int primary key, v text); create table small (id int primary key, d date); "
                       "create table whole (id int primary key, v text)")
        self.pg(FULL % "whole")
        script = self.script(self.connector("postgres", table="*"))
        self.assertRegex(self.run_to_end("check", script).log(), r'an UPDATE of 1 table .*`unchanged`.*: ALTER TABLE "public"."t" REPLICA IDENTITY FULL;\n')
        self.assertNotIn("unchanged", self.run_to_end(script, "--until-caught-up").log())


DOCUMENTS = (('{"a": [1, 2.50, null], "é": "x y"}', '{"a": [1, 2.50, null], "é": "x y"}'), ("[]", "[]"), ('"text"', '"text"'), ("12", "12"), ("null", "null"))


class Json(Case):
    def test_embedded(self):
        """The document itself, as the database reads it; NULL and the document null are both null."""
        for db in databases_with(self, "create table t (id int primary key, j json)"):
            script = self.script(self.connector(db, json="embed"), self.consumer(topic_list=[self.topic_of(db)], name=db, group=db))
            self.run_to_end(script, "--until-caught-up")
            for i, (sql, _) in enumerate(DOCUMENTS):
                self.sql(db, "insert into t values (%d, '%s')" % (i, sql))
            self.sql(db, "insert into t values (90, null)")
            self.run_to_end(script, "--until-caught-up")
            got = {values(m["columns"])["id"]: m for m in messages(self.topic_of(db))}
            for i, (_, document) in enumerate(DOCUMENTS):
                self.assertEqual(values(got[i]["columns"])["j"], json.loads(document))
            self.assertIsNone(values(got[90]["columns"])["j"])
            self.assertEqual(len(self.lines("%s_%s.csv" % (db, db))), 7)
            raw = [v for _, _, v in read_topic(self.topic_of(db))]
            self.assertTrue(any('"value":{"a":[1,2.5' in v for v in raw), raw[0])

    def test_text_that_is_no_document(self):
        """MariaDB keeps one where the check is off."""
        self.databases("create table t (id int primary key, j json)")
        script = self.script(self.connector("mysql", json="embed"))
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t values (1, '{}'); set check_constraint_checks = 0; insert into t values (2, '{\"a\"')")
        log = self.run_to_end(script, "--until-caught-up", code=1).log()
        self.assertRegex(log, r't, column "j", position .*: the text is no JSON document.*json = "text"')
        self.run_to_end(self.script(self.connector("mysql")), "--until-caught-up")
        self.assertEqual(values(messages(self.topic_of("mysql"))[-1]["columns"])["j"], '{"a"')


class Keys(Case):
    def test_columns_of_the_key(self):
        """The rows of one value stand in one partition, deletes too."""
        sql = "create table t (id int primary key, tenant varchar(10), v int)"
        self.databases(sql)
        self.pg(FULL % "t")
        for db in ("postgres", "mysql"):
            schema = "public" if db == "postgres" else self.id_
            for key, wanted, options in ((["tenant"], lambda t, i: t, {"identity": "full"}), ("table_pk", lambda t, i: '["%s","t",%d]' % (schema, i), {}),
                                         (["tenant", "id"], lambda t, i: '["%s",%d]' % (t, i), {"identity": "full", "source": False})):
                topic = "%s.%s" % (self.topic_of(db), "-".join(key) if isinstance(key, list) else key)
                script = self.script(self.connector(db, name=topic, slot=None, topic=topic, partitions=5, key=key, **options))
                self.run_to_end(script, "--until-caught-up")
                self.sql(db, "insert into t values (1, 'a', 0), (2, 'b', 0), (3, 'a', 0)")
                self.sql(db, "update t set v = 1; delete from t")
                self.run_to_end(script, "--until-caught-up")
                got = read_topic(topic)
                self.assertEqual(sorted(k for _, k, _ in got), sorted(wanted(t, i) for t, i in (("a", 1), ("b", 2), ("a", 3)) for _ in range(3)))
                self.assertTrue(all(len({p for p, k, _ in got if k == key_}) == 1 for key_ in {k for _, k, _ in got}))
                self.assertEqual({"source" in json.loads(v) for _, _, v in got}, {options.get("source", True)})

    def test_a_key_that_a_delete_lacks(self):
        self.databases("create table t (id int primary key, tenant varchar(10))")
        script = self.script(self.connector("postgres", key=["tenant"]))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a')")
        self.pg("delete from t")
        self.assertRegex(self.run_to_end(script, "--until-caught-up", code=1).log(), r'column "tenant": a key column came without a value.*identity = "full"')


class Tombstones(Case):
    def test_after_each_delete(self):
        self.databases(WIDE + "; create table nokey (a int)")
        self.pg(FULL % "nokey")
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db, tombstones=True, tables=[("public" if db == "postgres" else self.id_) + "." + t for t in ("t", "nokey")]),
                                 self.consumer(topic_list=[self.topic_of(db)], name=db, group=db))
            self.run_to_end(script, "--until-caught-up")
            for sql in CHANGES + ("insert into nokey values (1)", "delete from nokey"):
                self.sql(db, sql)
            self.run_to_end(script, "--until-caught-up")
            got = [(k, None if v == "NULL" else json.loads(v)["action"]) for _, k, v in read_topic(self.topic_of(db))]
            self.assertEqual(got, [("1", "I"), ("2", "I"), ("1", "U"), ("2", "U"), ("1", "D"), ("1", None), ("7", "I"), ("2", "D"), ("2", None),
                                   (None, "I"), (None, "D")])
            actions = [line[0] for line in self.lines("%s_%s.csv" % (db, db))[1:] if line[:2] in ("I,", "D,")]
            self.assertEqual("".join(actions), "IIDIDIDID")
