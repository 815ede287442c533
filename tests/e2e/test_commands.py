"""The command line: its commands and options, stopping and going on, exit codes."""
import json

from lib import PG, Case, Raw, checkpoint, messages, my, pg, topic_partitions, values, wait_until

TABLE = "create table t (id int primary key, v varchar(20))"


class Commands(Case):
    def test_version_and_help(self):
        self.assertRegex(self.run_to_end("--version").out(), r"^list_sync \d+\.\d+\.\d+\n$")
        for args in (["--help"], ["run", "--help"], ["print", "--help"]):
            self.assertIn("usage" if len(args) > 1 else "list_sync", self.run_to_end(*args).out())

    def test_options(self):
        text = self.run_to_end("options").out()
        for name in ("db_type", "split_files", "topic_list", "filter"):
            self.assertIn(name, text)
        one = self.run_to_end("options", "split_files").out()
        self.assertIn("split_files", one)
        self.assertNotIn("topic_list", one)
        self.assertIn("split_file", self.run_to_end("options", "splitt_files", code=2).log())

    def test_no_script(self):
        self.assertIn("script", self.run_to_end(code=2).log())
        self.assertIn("nowhere.lua", self.run_to_end("nowhere.lua", code=2).log())

    def test_check_offline_needs_no_server(self):
        script = self.script(self.connector("postgres", port=1, password=Raw('ls.env "NOT_SET_ANYWHERE"')), self.consumer())
        log = self.run_to_end("check", script, "--offline").log()
        self.assertIn(self.name("postgres"), log)

    def test_check_online(self):
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db))
            self.run_to_end("check", script)
            self.assertIsNone(checkpoint(self.name(db)))
        self.assertEqual(topic_partitions(self.topic_of("postgres")), 0, "check made a topic")

    def test_check_speaks_of_durability(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql"))
        was = my("select @@global.sync_binlog, @@global.innodb_flush_log_at_trx_commit").split("\t")
        try:
            my("set global sync_binlog = 0, global innodb_flush_log_at_trx_commit = 1")
            self.assertIn("warning: sync_binlog is 0 and innodb_flush_log_at_trx_commit is 1", self.run_to_end("check", script).log().replace(self.name("mysql") + ": ", ""))
            my("set global sync_binlog = 1")
            self.assertNotIn("warning", self.run_to_end("check", script).log())
        finally:
            my("set global sync_binlog = %s, global innodb_flush_log_at_trx_commit = %s" % tuple(was))

    def test_check_looks_at_brokers_and_folders(self):
        self.databases(TABLE)
        log = self.run_to_end("check", self.script(self.connector("mysql", kafka_conf="127.0.0.1:9")), code=1).log()
        self.assertRegex(log, r'error: connector "%s": .*brokers do not answer' % self.name("mysql"))
        log = self.run_to_end("check", self.script(self.consumer())).log()
        self.assertRegex(log, "topic %s does not exist yet" % self.topic)
        log = self.run_to_end("check", self.script(self.connector("postgres", topic="user_items", kafka_conf="memory"), self.consumer(topic_list=["user_itms"], kafka_conf="memory")),
                              "--offline").log()
        self.assertIn('topic user_itms: no connector of this script sends to it; did you mean "user_items"?', log)
        for folder, what in (("/proc/1/x/y", "folder /proc/1"), ("test.lua/out", r"test\.lua is no folder")):
            log = self.run_to_end("check", self.script(self.consumer(csv={"filename": folder})), code=2).log()
            self.assertRegex(log, r'error: consumer "out": .*' + what)

    def test_set_and_param(self):
        self.databases(TABLE)
        script = self.script('local topic = ls.param("topic", "wrong")\n', self.connector("mysql", topic=Raw("topic")))
        self.run_to_end(script, "--until-caught-up", "--set", "topic=" + self.topic)
        self.my("insert into t values (1, 'a')")
        self.run_to_end("run", script, "--until-caught-up", "--set", "topic=" + self.topic)
        self.assertEqual(len(messages(self.topic)), 1)
        self.assertRegex(self.run_to_end(script, "--set", "topc=x", code=2).log(), r"topc")
        self.assertRegex(self.run_to_end(script, "--set", "topc", code=2).log(), r"NAME=VALUE")

    def test_only(self):
        self.databases(TABLE)
        script = self.script(self.connector("postgres", topic=self.topic), self.connector("mysql", topic=self.topic), self.consumer())
        self.run_to_end(script, "--only", self.name("postgres"), "--until-caught-up")
        self.both("insert into t values (1, 'a')")
        self.run_to_end(script, "--only", self.name("postgres"), "--until-caught-up")
        self.assertEqual([m["source"]["db"] for m in messages(self.topic)], ["postgres"])
        self.assertIsNone(checkpoint(self.name("mysql")))
        self.assertEqual(self.lines("out_out.csv"), [])
        log = self.run_to_end(script, "--only", "nobody", code=2).log()
        self.assertIn("nobody", log)
        self.assertIn(self.name("mysql"), log)

    def test_log_format_json(self):
        self.databases(TABLE)
        script = self.script(self.connector("postgres"))
        log = self.run_to_end(script, "--until-caught-up", "--log-format", "json").log()
        lines = [json.loads(line) for line in log.splitlines()]
        self.assertTrue(lines)
        for line in lines:
            self.assertEqual({"ts", "level", "message"} - line.keys(), set())
        self.assertNotIn(PG["password"], log)

    def test_quiet(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql"))
        self.assertEqual(self.run_to_end(script, "--until-caught-up", "-q").log(), "")

    def test_until_caught_up_runs_connectors_then_consumers(self):
        self.databases(TABLE)
        script = self.script(self.connector("postgres", topic=self.topic), self.connector("mysql", topic=self.topic), self.consumer())
        self.run_to_end(script, "--until-caught-up")
        for i in range(1, 4):
            self.both("insert into t values (%d, 'round %d')" % (i, i))
            self.run_to_end(script, "--until-caught-up")
            rows = self.lines("out_out.csv")
            self.assertEqual(len(rows), 1 + 2 * i, rows)
        self.assertEqual(rows[0], "action,table,id,v")
        self.assertEqual(sorted(rows[-2:]), ["I,%s.t,3,round 3" % self.id_, "I,public.t,3,round 3"])

    def test_sigterm_and_go_on(self):
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db))
            p = self.start_connector(script)
            for i in range(1, 6):
                self.sql(db, "insert into t values (%d, 'x')" % i)
                if i % 2:
                    self.wait_messages(self.topic_of(db), i, [p])
                    self.assertEqual(p.stop(), 0)
                    p = self.start_connector(script)
            self.assertEqual(p.stop(), 0)
            self.run_to_end(script, "--until-caught-up")
            got = [values(m["columns"])["id"] for m in messages(self.topic_of(db))]
            self.assertEqual(got, [1, 2, 3, 4, 5], "after a clean stop nothing comes twice")

    def test_consumer_goes_on_where_it_stopped(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic, partitions=3), self.consumer(instances=3, csv={"split_files": True}))
        p = self.start_connector(script)
        for i in range(1, 31):
            self.my("insert into t values (%d, 'x')" % i)
            if i % 10 == 0:
                wait_until(lambda: self.csv_ids() >= set(range(1, i + 1)), "the rows", programs=[p])
                self.assertEqual(p.stop(), 0)
                p = self.start_connector(script)
        p.stop()
        rows = [line for k in (1, 2, 3) for line in self.lines("out_out-%d_insert.csv" % k) if not line.startswith("action")]
        self.assertEqual(len(rows), 30, "after a clean stop nothing comes twice")

    def csv_ids(self):
        lines = [line for k in (1, 2, 3) for line in self.lines("out_out-%d_insert.csv" % k)]
        return {int(line.split(",")[2]) for line in lines if line.startswith("I,")}

    def test_print_connector(self):
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db))
            p = self.start("print", script, "-n", "2")
            if db == "postgres":
                wait_until(lambda: pg("select count(*) from pg_replication_slots where database = '%s' and active" % self.id_) == "1",
                           "print's slot", programs=[p])
            else:
                wait_until(lambda: "Binlog Dump" in self.my("show processlist"), "print's dump", programs=[p])
            self.sql(db, "insert into t values (1, 'a')")
            self.sql(db, "update t set v = null where id = 1")
            self.sql(db, "delete from t")
            self.assertEqual(p.wait(), 0, p.log())
            lines = [json.loads(line) for line in p.out().splitlines()]
            self.assertEqual([m["action"] for m in lines], ["I", "U"])
            self.assertEqual(values(lines[1]["columns"]), {"id": 1, "v": None})
            self.assertIsNone(checkpoint(self.name(db)), "print stored a checkpoint")
        self.assertEqual(pg("select count(*) from pg_replication_slots where database = '%s'" % self.id_), "0", "print left its slot")

    def test_print_consumer(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic),
                             self.consumer(filter=Raw("function(row) return row.image.id ~= 2 end")))
        self.run_to_end(script, "--only", self.name("mysql"), "--until-caught-up")
        self.my("insert into t values (1, 'a'), (2, 'b'), (3, 'c')")
        self.run_to_end(script, "--only", self.name("mysql"), "--until-caught-up")
        for _ in range(2):  # it moves no offset, so that it shows the same again
            out = self.run_to_end("print", script, "--only", "out", "-n", "2").out()
            self.assertEqual([values(json.loads(line)["columns"])["id"] for line in out.splitlines()], [1, 3])

    def test_status_line_in_a_pipe(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic), self.consumer())
        p = self.start_connector(script)
        p.wait_log(r"\d\d:\d\d:\d\d .*rows/s.*checkpoint \S+.*\| out \d+ rows/s", 45)
        self.assertEqual(p.stop(), 0)
