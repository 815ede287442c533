"""list_sync position: what it shows is what kcat, psql and mariadb say; what it sets is where the next start begins; what it drops is gone."""
import json
import os
import pty
import subprocess

from lib import BROKERS, PROGRAM, Case, checkpoint, lsn, messages, my, pg, read_topic, run, values, wait_until

TABLE = "create table t (id int primary key, v varchar(20))"


class Position(Case):
    def ids(self, db):
        return [values(m["columns"])["id"] for m in messages(self.topic_of(db))]

    def slot(self, column="confirmed_flush_lsn"):
        return pg("select %s from pg_replication_slots where slot_name = '%s'" % (column, self.name("postgres")))

    def position(self, action, script, db, *more, code=0):
        return self.run_to_end("position", action, script, self.name(db), *more, code=code)

    def begin(self, db):
        self.databases(TABLE)
        script = self.script(self.connector(db))
        self.run_to_end(script, "--until-caught-up")
        self.sql(db, "insert into t values (1, 'a')")
        self.run_to_end(script, "--until-caught-up")
        return script

    def test_show(self):
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db))
            shown = json.loads(self.position("show", script, db, "--json").out())
            self.assertEqual((shown["connector"], shown["checkpoint"]), (self.name(db), None))
            self.assertRegex(self.position("show", script, db).out(), "state +no checkpoint\n")
            p = self.start_connector(script)
            self.sql(db, "insert into t values (1, 'a'), (2, 'b')")
            wait_until(lambda db=db: checkpoint(self.name(db))["delivered"]["seq"] == 2, "the checkpoint", programs=[p])
            shown = json.loads(self.position("show", script, db, "--json").out())
            self.assertFalse(p.ended(), "show fences nobody")
            self.assertEqual(p.stop(), 0)
            shown, stored = json.loads(self.position("show", script, db, "--json").out()), checkpoint(self.name(db))
            self.assertEqual(shown["checkpoint"], stored)
            self.assertTrue(0 <= shown["age_ms"] < 60000, shown)
            if db == "postgres":
                self.assertEqual(shown["server"]["slot"], {"name": self.name(db), "exists": True, "active": False, "lost": False, "confirmed": self.slot()})
                self.assertLessEqual(lsn(stored["restart"]["lsn"]), lsn(shown["server"]["end"]))
                self.assertEqual(shown["lag_bytes"], lsn(shown["server"]["end"]) - lsn(stored["restart"]["lsn"]))
                self.assertEqual(shown["server"]["identity"]["system"], pg("select system_identifier from pg_control_system()"))
            else:
                self.assertEqual(shown["server"]["end"], ":".join(my("show master status").split("\t")[:2]))
                self.assertEqual(shown["server"]["identity"], {"server_id": int(my("select @@server_id"))})
            text = self.position("show", script, db).out()
            place = stored["restart"].get("lsn") or "%s:%d" % (stored["restart"]["file"], stored["restart"]["pos"])
            self.assertRegex(text, "restart +%s" % place.replace("/", "/"))
            self.assertRegex(text, "delivered +row 2 of %s" % stored["delivered"]["pos"])
            self.assertRegex(text, r"tables +\S+\.t\n")
        down = self.script(self.connector("mysql", port=1))
        p = self.position("show", down, "mysql")
        self.assertRegex(p.log(), "the database was not asked")
        self.assertRegex(p.out(), "delivered +row 2")

    def test_set_on_postgres(self):
        script = self.begin("postgres")
        confirmed = lsn(self.slot())
        self.pg("insert into t values (2, 'skipped')")
        here = pg("select pg_current_wal_insert_lsn()")
        self.pg("insert into t values (3, 'c')")
        p = self.position("set", script, "postgres", "%X/%X" % (confirmed >> 32, (confirmed & 0xffffffff) - 0x100), "--yes", code=3)
        self.assertRegex(p.log(), r"is below %s, where replication slot" % self.slot())
        self.assertRegex(self.position("set", script, "postgres", "FF/0", "--yes", code=3).log(), "beyond .*, where the server's WAL ends")
        for word in ("0/0", "binlog.000001:4", "0-1-5", "earliest"):
            self.assertRegex(self.position("set", script, "postgres", word, "--yes", code=2).log(), 'is no position: write a WAL position such as "0/2A1F00"')
        self.position("set", script, "postgres", here, "--yes")
        self.assertEqual(lsn(checkpoint(self.name("postgres"))["restart"]["lsn"]), lsn(here))
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.ids("postgres"), [1, 3])
        self.assertGreaterEqual(lsn(self.slot()), lsn(here))
        self.pg("insert into t values (4, 'skipped')")
        self.position("set", script, "postgres", "now", "--yes")
        self.pg("insert into t values (5, 'e')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.ids("postgres"), [1, 3, 5])

    def test_set_on_the_binlog(self):
        servers = ["mysql"] + (["mysql8"] if os.environ.get("LIST_SYNC_MYSQL") else [])
        self.databases(TABLE)
        if "mysql8" in servers:
            self.sql("mysql8", TABLE)
        for db in servers:
            status = "show binary log status" if db == "mysql8" else "show master status"
            script = self.script(self.connector(db))
            self.run_to_end(script, "--until-caught-up")
            before = self.sql(db, status).split("\t")
            gtids = self.sql(db, "select @@global.gtid_executed" if db == "mysql8" else "select @@gtid_binlog_pos").replace("\\n", "")
            self.sql(db, "insert into t values (1, 'a')")
            after = ":".join(self.sql(db, status).split("\t")[:2])
            self.sql(db, "insert into t values (2, 'b')")
            self.run_to_end(script, "--until-caught-up")
            self.assertEqual(self.ids(db), [1, 2])
            self.position("set", script, db, after, "--yes")
            self.assertEqual("%(file)s:%(pos)d" % checkpoint(self.name(db))["restart"], after)
            self.run_to_end(script, "--until-caught-up")
            self.assertEqual(self.ids(db), [1, 2, 2])
            self.position("set", script, db, gtids, "--yes")
            self.run_to_end(script, "--until-caught-up")
            self.assertEqual(self.ids(db), [1, 2, 2, 1, 2])
            places = [m["source"]["pos"] for m in messages(self.topic_of(db))]
            self.assertEqual(places, sorted(places), "positions stay ordered")
            self.assertEqual([p[:2] for p in places], ["00", "00", "1-", "2-", "2-"])
            name, offset = before[0], int(before[1])
            for place in ("%s:%d" % (name, offset + 1), "%s:%d" % (name, 10 ** 9), name.split(".")[0] + ".999999:4"):
                log = self.position("set", script, db, place, "--yes", code=3).log()
                self.assertRegex(log, "no transaction begins at %s" % place)
            inside = self.sql(db, "show binlog events in '%s' from %d limit 3" % (name, offset)).split("\n")[2].split("\t")[1]
            self.position("set", script, db, "%s:%s" % (name, inside), "--yes", code=3)  # an event, but within a transaction
            ahead = "0-1-999999999" if db == "mysql" else gtids.split(":")[0].split(",")[0] + ":1-999999999"
            self.assertRegex(self.position("set", script, db, ahead, "--yes", code=3).log(), "lacks transactions")
            for word in ("0/2A", "slot", "x.1:2"):
                self.position("set", script, db, word, "--yes", code=2)
            self.assertEqual(len(messages(self.topic_of(db))), 5)
            self.sql(db, "insert into t values (3, 'skipped')")
            self.position("set", script, db, "now", "--yes")
            self.sql(db, "insert into t values (4, 'd')")
            self.run_to_end(script, "--until-caught-up")
            self.assertEqual(self.ids(db)[5:], [4])

    def test_start_at_a_position(self):
        """start takes the same words, and they are checked in the same way."""
        self.databases(TABLE + "; insert into t values (1, 'a')")
        self.pg("create publication p for table t")
        self.pg("select pg_create_logical_replication_slot('%s', 'pgoutput')" % self.name("postgres"))
        self.my("insert into t values (2, 'b')")
        self.pg("insert into t values (2, 'skipped')")
        here = {"postgres": pg("select pg_current_wal_insert_lsn()"), "mysql": ":".join(my("show master status").split("\t")[:2])}
        gtid = my("select @@gtid_binlog_pos")
        self.both("insert into t values (3, 'c')")
        for db, more in (("postgres", {"publication": "p"}), ("mysql", {})):
            self.run_to_end(self.script(self.connector(db, start=here[db], **more)), "--until-caught-up")
            self.assertEqual(self.ids(db), [3])
        self.run_to_end(self.script(self.connector("mysql", start=gtid, name=self.id_ + "_g", topic=self.id_ + "_g")), "--until-caught-up")
        self.assertEqual([values(m["columns"])["id"] for m in messages(self.id_ + "_g")], [3])
        for start, code, what in (("binlog.999999:4", 3, "no transaction begins"), ("0-1-99999999", 3, "lacks transactions"), ("0/2A1F00", 2, "must be one of"), ("slot", 2, "must be one of")):
            log = self.run_to_end(self.script(self.connector("mysql", start=start, name=self.id_ + "_x")), code=code).log()
            self.assertRegex(log, what)
        log = self.run_to_end(self.script(self.connector("postgres", start="0/2A1F00", name=self.id_ + "_x", publication="p")), code=3).log()
        self.assertRegex(log, "there is no replication slot")
        self.assertIn('start = "now"', log)

    def test_drop(self):
        script = self.begin("postgres")
        p = self.start_connector(script)
        running = self.position("drop", script, "postgres", "--slot", "--yes")
        self.assertEqual(running.out(), 'the checkpoint of connector "%s" is dropped\nreplication slot "%s" is dropped\n' % ((self.name("postgres"),) * 2))
        self.assertEqual(p.wait(), 4, p.log()[-2000:])
        self.assertEqual(self.slot(), "")
        key = json.dumps([1, self.name("postgres")], separators=(",", ":"))
        self.assertEqual([value for _, k, value in read_topic("__list_sync_offsets") if k == key][-1], "NULL", "a tombstone")
        self.pg("insert into t values (2, 'between')")
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (3, 'c')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.ids("postgres"), [1, 3])
        self.position("drop", script, "postgres", "--yes")
        self.assertNotEqual(self.slot(), "")
        self.assertRegex(self.position("drop", script, "postgres", "--yes").out(), "has no checkpoint")
        log = self.run_to_end(script, code=3).log()
        self.assertRegex(log, r'start = "slot".*list_sync position drop test.lua %s --slot' % self.name("postgres"))

    def test_asks(self):
        script = self.begin("mysql")
        before = checkpoint(self.name("mysql"))
        for action in (("set", "now"), ("drop",)):
            log = self.position(action[0], script, "mysql", *action[1:], code=2).log()
            self.assertRegex(log, "there is no terminal: add --yes")
        for answer, after in ((b"n\n", before), (b"\n", before), (b"y\n", None)):
            main, side = pty.openpty()
            os.write(main, answer)
            p = subprocess.run([PROGRAM, "position", "drop", script, self.name("mysql")], cwd=self.dir, stdin=side, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, encoding="utf-8")
            os.close(main)
            os.close(side)
            self.assertRegex(p.stderr, r'drop the checkpoint of connector "%s"\? A program that runs under this name ends. \[y/N\]' % self.name("mysql"))
            self.assertEqual(checkpoint(self.name("mysql")), after)

    def test_words(self):
        script = self.script(self.connector("mysql", kafka_conf="127.0.0.1:1"), self.consumer())
        for words, what in (((), "one of show set drop"), (("shwo", script, "x"), "one of show set drop"), (("show",), "a script is missing"),
                            (("show", script), "name is missing"), (("show", script, "nobody"), 'has no stage "nobody"; it has: .*, out'),
                            (("set", script, self.name("mysql")), "the position is missing"), (("show", script, "out", "x"), "position show takes"),
                            (("set", script, self.name("mysql"), "now", "--slot", "--yes"), "--slot goes with position drop"),
                            (("drop", script, "out", "--yes", "--json"), "--json goes with position show")):
            self.assertRegex(self.run_to_end("position", *words, code=2).log(), what)

    def test_consumer(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic, partitions=2), self.consumer())
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t select seq, 'a' from seq_1_to_50")
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t select seq, 'a' from seq_51_to_80")
        self.run_to_end(script, "--only", self.name("mysql"), "--until-caught-up")
        shown = json.loads(self.run_to_end("position", "show", script, "out", "--json").out())
        counts = [sum(p == k for p, _, _ in read_topic(self.topic)) for k in (0, 1)]
        self.assertEqual([p["end"] for p in shown["partitions"]], counts)
        self.assertEqual(sum(p["offset"] for p in shown["partitions"]), 50)
        self.assertEqual(sum(p["lag"] for p in shown["partitions"]), 30)
        self.assertRegex(self.run_to_end("position", "show", script, "out").out(), r"%s, partition 1: at \d+ of 0 to %d, lag \d+\nlag +30\n" % (self.topic, counts[1]))
        log = self.run_to_end("position", "set", script, "out", "earliest", "--yes", code=2).log()
        self.assertIn("kafka-consumer-groups.sh --bootstrap-server %s --group %s_out --topic %s --reset-offsets" % (BROKERS, self.id_, self.topic), log)
        c = self.start(script, "--only", "out")
        wait_until(lambda: len(self.lines("out_out.csv")) == 81, "the rows", programs=[c])
        self.assertRegex(self.run_to_end("position", "drop", script, "out", "--yes", code=1).log(), "has members: stop the programs")
        self.assertEqual(c.stop(), 0)
        self.assertRegex(self.run_to_end("position", "drop", script, "out", "--yes").out(), "are dropped")
        self.assertEqual([p["offset"] for p in json.loads(self.run_to_end("position", "show", script, "out", "--json").out())["partitions"]], [None, None])
        self.assertRegex(self.run_to_end("position", "drop", script, "out", "--yes").out(), "there is no group")
