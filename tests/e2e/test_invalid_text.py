"""Text that is not valid in its character set, under each on_invalid_text: what comes, what is left out, what is said, and that a
connector which has stopped at it goes on in the middle of the transaction under another policy."""
import json
import re

from lib import Case, messages, pg, values

ROWS = 3000   # of the transaction, in several batches
BAD = 2500    # the one of them with the text
MOVED = ROWS + 1  # seq of the D of a row that moves and becomes invalid; its I is the next
POLICIES = ("stop", "replace", "skip")


class InvalidText(Case):
    """Three connectors see the same changes, each under its policy."""

    def connectors(self, db, **options):
        self.scripts = {policy: self.script(self.connector(db, name="%s_%s" % (self.id_, policy), topic="%s.%s" % (self.id_, policy),
                                                           on_invalid_text=None if policy == "stop" else policy, **options), name=policy + ".lua")
                        for policy in POLICIES}
        for script in self.scripts.values():
            self.run_to_end(script, "--until-caught-up")

    def got(self, policy):
        """Messages of that connector's topic, in order, without the connector's name."""
        got = messages("%s.%s" % (self.id_, policy))
        for m in got:
            self.assertEqual(m["source"].pop("connector"), "%s_%s" % (self.id_, policy))
        return got

    def sql_of(self, series, i, good, bad, broken, mended):
        """The transaction, and three of a row that is inserted, mended and deleted. broken, mended: what an update sets."""
        rows = "insert into t select {i}, {good} from {series};"
        return "".join(["begin;", rows.format(i=i, good=good, series=series % (1, BAD - 1)), "insert into t values (%d, %s);" % (BAD, bad),
                        rows.format(i=i, good=good, series=series % (BAD + 1, ROWS)), "update t set id = 100001, %s where id = 1;" % broken,
                        "insert into t values (100002, %s); delete from t where id = 2; commit;" % good, "insert into t values (200001, %s);" % bad,
                        "update t set %s where id = 200001; delete from t where id = 200001" % mended])

    def check(self, error, warning, broken, mended, schema):
        """error: of the policy "stop". warning: of the others, up to the text's ordinal. broken: the text as it comes mended.
        mended: columns of the row that the last transactions insert broken, mend and delete."""
        # stop: an error that says what, where and how to go on; what was delivered ends in the middle of the transaction
        log = self.run_to_end(self.scripts["stop"], "--until-caught-up", code=1).log()
        self.assertRegex(log, error + r'.*on_invalid_text = "replace", "skip" or "dead_letter" goes on from here')
        before = self.got("stop")
        self.assertTrue(0 < len(before) < BAD, len(before))
        self.assertEqual(self.run_to_end(self.scripts["stop"], "--until-caught-up", code=1).log().count("goes on from here"), 1)  # the same again
        before = self.got("stop")
        self.assertEqual([m["source"]["seq"] for m in before], list(range(1, len(before) + 1)))

        # replace: every row, U+FFFD in it
        log = self.run_to_end(self.scripts["replace"], "--until-caught-up").log()
        replaced = self.got("replace")
        one = [m for m in replaced if m["source"]["pos"] == before[0]["source"]["pos"]]
        self.assertEqual([m["source"]["seq"] for m in one], list(range(1, ROWS + 5)))
        self.assertEqual([values(m["columns"]) for m in one[BAD - 1:BAD + 1]], [dict(broken, id=BAD), dict(values(one[0]["columns"]), id=BAD + 1)])
        self.assertEqual([(m["action"], values(m.get("identity", m.get("columns")))["id"]) for m in one[ROWS:]],
                         [("D", 1), ("I", 100001), ("I", 100002), ("D", 2)])
        self.assertEqual([m["action"] for m in replaced[len(one):]], ["I", "U", "D"])
        self.assertEqual(values(replaced[-2]["columns"]), mended)
        self.assertEqual([m["source"]["seq"] for m in replaced if "\ufffd" in json.dumps(m, ensure_ascii=False)], [BAD, MOVED + 1, 1])
        self.told(log, warning % schema, "U\\+FFFD is sent for what is invalid")

        # skip: all the others, the D of the row that moved left out with its I; the update that mends a row is sent
        log = self.run_to_end(self.scripts["skip"], "--until-caught-up").log()
        left = [m for m in replaced if not ((m in one and m["source"]["seq"] in (BAD, MOVED, MOVED + 1)) or m is replaced[len(one)])]
        self.assertEqual(self.got("skip"), left)
        self.told(log, warning % schema, "the change is left out")

        # what has stopped goes on under skip: nothing is lost, nothing comes twice
        script = self.scripts["stop"]
        with open(self.path(script), encoding="utf-8") as f:
            text = f.read()
        with open(self.path(script), "w", encoding="utf-8") as f:
            f.write(text.replace("  topic =", '  on_invalid_text = "skip",\n  topic ='))
        log = self.run_to_end(script, "--until-caught-up").log()
        self.assertNotIn("differ from the checkpoint", log)
        self.assertEqual(self.got("stop"), left)

    def told(self, log, warning, what):
        """The first row of the table is named, all three are counted."""
        self.assertRegex(log, "warning: " + warning + ", row %d: text that is not valid in its character set: " % BAD + what)
        self.assertEqual(len(re.findall(what, log)), 1)
        self.assertIn("rows with text that was not valid in its character set: 3 in this run", log)

    # ---- PostgreSQL ----

    def on_postgres(self, plugin):
        self.databases(mariadb="select 1")
        pg("drop database %s" % self.id_)
        pg("create database %s encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0" % self.id_)
        self.pg("create table t (id int primary key, a text, b text[], j json); alter table t replica identity full")
        self.connectors("postgres", plugin=plugin)
        good, bad = "'xé', array['ok'], json '{\"k\": \"v\"}'", r"E'x\xff\xe2\x82y', array[E'\xc0\xaf\"', 'ok'], E'{\"k\": \"\xf0\x9f\x98\"}'"
        self.pg(self.sql_of("generate_series(%d, %d) i", "i", good, bad, r"a = E'\xff'", "(a, b, j) = (%s)" % good))
        where = r'table public\.t, column "a", key id=%d, transaction [0-9a-f]{16} ' % BAD
        self.check(error=where + r"\(xid \d+\), row %d: the text \(5 bytes\) is not valid UTF-8" % BAD,
                   warning=where.replace("public", "%s") + r"\(\d+\)",
                   broken={"a": b"x\xff\xe2\x82y".decode("utf-8", "replace"), "b": [b'\xc0\xaf"'.decode("utf-8", "replace"), "ok"], "j": '{"k":"\ufffd"}'},
                   mended={"id": 200001, "a": "xé", "b": ["ok"], "j": '{"k":"v"}'}, schema="public")

    def test_pgoutput(self):
        self.on_postgres("pgoutput")

    def test_wal2json(self):
        self.on_postgres("wal2json")

    # ---- MariaDB ----

    def test_mariadb(self):
        self.databases()
        self.my("create table t (id int primary key, g varchar(20) character set gbk, s varchar(20) character set sjis)")
        self.connectors("mysql")
        good, bad = "'啊', 'ｱ'", "x'61fefe62', x'fc4c'"
        self.my("set sql_mode = ''; " + self.sql_of("(select seq from seq_1_to_10000 where seq between %d and %d) i", "seq", good, bad, "g = x'fefe'", "g = '啊', s = 'ｱ'"))
        if self.my("select hex(convert(g using utf8mb4)) from t where id = %d" % BAD) != "613F62":
            self.skipTest("this server converts it")
        self.check(error=r"offset \d+, WRITE_ROWS.* event: table %s\.t, column g, key id = %d: text that is not valid in its character set" % (self.id_, BAD),
                   warning=r'table %%s\.t, column "g", key id=%d, transaction [0-9a-f]{20} \(\d+-\d+-\d+\)' % BAD,
                   broken={"g": "a\ufffdb", "s": "\ufffdL"}, mended={"id": 200001, "g": "啊", "s": "ｱ"}, schema=self.id_)

    def test_a_key_that_is_invalid(self):
        """Two keys that differ in what is invalid alone are one when it is replaced; the status line counts."""
        self.databases()
        self.my("create table t (k varchar(20) character set gbk primary key, n int)")
        p = self.start_connector(self.script(self.connector("mysql", on_invalid_text="replace")))
        self.my("set sql_mode = ''; insert into t values (x'61fefe', 1), (x'61fefd', 2), ('a', 3); update t set k = x'62fefe' where n = 3")
        got = self.wait_messages(self.topic_of("mysql"), 5, [p])
        self.assertEqual([(m["action"], values(m.get("identity", m.get("columns")))["k"]) for m in got],
                         [("I", "a\ufffd"), ("I", "a\ufffd"), ("I", "a"), ("D", "a"), ("I", "b\ufffd")])
        p.wait_log(r"rows/s.*  invalid text 3\n")
        self.assertEqual(p.stop(), 0)
