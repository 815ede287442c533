"""What only MariaDB's binlog has: character sets, compressed events, partial row images, XA, and a server that restarts."""
import os
import re
import signal
import subprocess

from lib import MY, ROOT, Case, checkpoint, messages, my, my_command, run, values, wait_until

TABLE = "create table t (id int primary key, v varchar(20))"
CHARSETS = ("sjis", "cp932", "ujis", "eucjpms", "gbk", "gb2312", "big5", "euckr")


class Charsets(Case):
    def test_every_code(self):
        """Each code of two and three bytes that the server converts comes as the server converts it."""
        self.databases()
        self.my("create table t (id int primary key, %s)" % ", ".join("%s varchar(600) character set %s" % (c, c) for c in CHARSETS))
        p = self.start_connector(self.script(self.connector("mysql")))
        for column in CHARSETS:
            for front in ("", "8F") if column in ("ujis", "eucjpms") else ("",):
                # a row for each first byte: its codes, one behind the other
                self.my("set sql_mode = ''; set group_concat_max_len = 1000000; insert into t (id, {c}) select {n} + seq div 256, convert(unhex(group_concat(code order by seq separator '')) using {c}) from "
                        "(select seq, concat('{f}', lpad(hex(seq), 4, '0')) code from seq_32768_to_65535) s "
                        "where convert(convert(unhex(code) using {c}) using utf8mb4) not like '%?%' and char_length(convert(unhex(code) using {c})) = 1 group by seq div 256"
                        .format(c=column, f=front, n=(CHARSETS.index(column) * 2 + (front != "")) * 1000))
        wanted = [line.split("\t") for line in self.my("select id, %s from t order by id" % ", ".join("hex(convert(%s using utf8mb4))" % c for c in CHARSETS)).split("\n")]
        self.assertGreater(len(wanted), 8 * 30)
        got = {m["columns"][0]["value"]: values(m["columns"]) for m in self.wait_messages(self.topic_of("mysql"), len(wanted), [p])}
        codes = 0
        for row in wanted:
            for column, text in zip(CHARSETS, row[1:]):
                text = None if text == "NULL" else bytes.fromhex(text).decode()
                self.assertEqual(got[int(row[0])][column], text, (row[0], column))
                codes += len(text or "")
        self.assertGreater(codes, 90000)
        self.assertEqual(p.stop(), 0)

    def test_names_in_statements(self):
        """A client that speaks another character set names a table in it."""
        self.databases()
        self.my("create table `表ソ` (id int primary key)")
        p = self.start_connector(self.script(self.connector("mysql", table="*")))
        client = [c for c in my_command() if not c.startswith("--default-character-set")] + ["--default-character-set=sjis", self.id_]
        subprocess.run(client, input="truncate `表ソ`; /* 能 */ truncate table `表ソ`".encode("cp932"), check=True, env=dict(os.environ, MYSQL_PWD=MY["password"]))
        got = self.wait_messages(self.topic_of("mysql"), 2, [p])
        self.assertEqual([(m["action"], m["table"]) for m in got], [("T", "表ソ")] * 2)
        self.assertEqual(p.stop(), 0)

    def test_text_that_the_server_cannot_convert(self):
        """It names table, column and place, and is not passed over."""
        self.databases()
        self.my("create table t (id int primary key, odd varchar(10) character set gbk)")
        script = self.script(self.connector("mysql"))
        self.run_to_end(script, "--until-caught-up")
        self.my("set sql_mode = ''; insert into t values (1, x'a2a1'), (2, x'fefe')")
        if self.my("select hex(convert(odd using utf8mb4)) from t where id = 2") != "3F":
            self.skipTest("this server converts it")
        p = self.run_to_end(script, "--until-caught-up", code=1)
        self.assertRegex(p.log(), r"offset \d+.*t, column odd, key id = 2: text that is not valid in its character set")


class Settings(Case):
    """Settings of the server that change what its binlog looks like."""

    def with_settings(self, settings):
        before = {name: my("select @@global.%s" % name) for name in settings}
        self.addCleanup(lambda: [my("set global %s = %s" % (n, v if v.isdigit() else "'%s'" % v)) for n, v in before.items()])
        for name, value in settings.items():
            my("set global %s = %s" % (name, value))

    def test_compressed_events(self):
        self.databases()
        self.my("create table t (id int primary key, v longtext)")
        p = self.start_connector(self.script(self.connector("mysql")))
        self.with_settings({"log_bin_compress": 1, "log_bin_compress_min_len": 10})
        self.my("insert into t values (1, repeat('x', 20000000)), (2, 'small'); update t set v = concat(v, 'y') where id = 2; delete from t where id = 1; "
                "truncate t /* a comment that makes it long enough to be compressed, all the rest aside %s */" % ("." * 300))
        got = self.wait_messages(self.topic_of("mysql"), 5, [p])
        self.assertEqual([m["action"] for m in got], ["I", "I", "U", "D", "T"])
        self.assertEqual(values(got[0]["columns"])["v"], "x" * 20000000)
        self.assertEqual(values(got[2]["columns"])["v"], "smally")
        self.assertEqual(p.stop(), 0)

    def test_partial_images(self):
        self.databases()
        self.my("create table t (id int auto_increment primary key, n int, v text, d int default 4); create table k (a int, b text); create table u (id int primary key default 5, v int)")
        self.with_settings({"binlog_row_image": "minimal"})
        refused = self.run_to_end(self.script(self.connector("mysql", table="*")), "--until-caught-up", code=2)
        self.assertRegex(refused.log(), "SET GLOBAL binlog_row_image")
        p = self.start_connector(self.script(self.connector("mysql", table="*", row_image="any"), self.consumer(topic_list=[self.topic_of("mysql")], name="out")))
        self.my("insert into t (n, v) values (1, 'a'); update t set n = 2; update t set id = 9; delete from t")
        self.my("insert into k values (1, 'x'); update k set b = 'y'; delete from k")
        self.my("set session binlog_row_image = noblob; insert into t values (20, 1, 'b', 1); update t set n = 3; delete from t")
        got = self.wait_messages(self.topic_of("mysql"), 11, [p])
        self.assertEqual([m["action"] for m in got], ["I", "U", "D", "I", "D", "I", "U", "D", "I", "U", "D"])
        self.assertEqual(values(got[0]["columns"]), {"id": 1, "n": 1, "v": "a"})
        self.assertEqual((values(got[1]["columns"]), got[1]["unchanged"]), ({"id": 1, "n": 2}, ["v", "d"]))
        self.assertEqual((values(got[3]["columns"]), got[3]["unchanged"], values(got[3]["moved_from"])), ({"id": 9}, ["n", "v", "d"], {"id": 1}))
        self.assertEqual(values(got[4]["identity"]), {"id": 9})
        self.assertEqual((values(got[6]["identity"]), values(got[6]["columns"])), ({"a": 1, "b": "x"}, {"a": 1, "b": "y"}))
        self.assertEqual((values(got[9]["columns"]), got[9]["unchanged"]), ({"id": 20, "n": 3, "d": 1}, ["v"]))
        self.my("insert into u (v) values (1)")
        self.assertEqual(p.wait(), 1)
        self.assertRegex(p.log(), r"u: a row came without its key column id.*SET GLOBAL binlog_row_image = 'FULL'")


class Xa(Case):
    def tearDown(self):
        for line in my("xa recover").splitlines():  # a test that failed left it: the database could not be dropped
            form, first, _, data = line.split("\t")
            my("xa rollback '%s', '%s', %s" % (data[:int(first)], data[int(first):], form))
        super().tearDown()

    def ids(self):
        return [(m["action"], values(m["columns"])["id"]) for m in messages(self.topic_of("mysql"))]

    def test_commit_and_rollback(self):
        self.databases(TABLE)
        p = self.start_connector(self.script(self.connector("mysql")))
        self.my("xa start 'a', 'b', 7; insert into t values (1, 'a'); savepoint s; insert into t values (2, 'x'); rollback to s; xa end 'a', 'b', 7; xa prepare 'a', 'b', 7")
        self.my("xa start 'r'; insert into t values (3, 'x'); xa end 'r'; xa prepare 'r'")
        self.my("xa start 'o'; insert into t values (4, 'one phase'); xa end 'o'; xa commit 'o' one phase")
        self.my("xa start 'e'; xa end 'e'; xa prepare 'e'; xa commit 'e'")
        self.wait_messages(self.topic_of("mysql"), 1, [p])
        self.my("xa rollback 'r'; xa commit 'a', 'b', 7; insert into t values (5, 'z')")
        got = self.wait_messages(self.topic_of("mysql"), 3, [p])
        self.assertEqual(self.ids(), [("I", 4), ("I", 1), ("I", 5)])
        self.assertEqual(sorted(m["source"]["pos"] for m in got), [m["source"]["pos"] for m in got])
        self.assertEqual(p.stop(), 0)

    def test_restarts_while_it_is_prepared(self):
        """The position stays before it, also across a new file and ends of the program; nothing is lost and nothing sent twice."""
        self.databases(TABLE)
        script = self.script(self.connector("mysql"))
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t values (1, 'a')")
        self.my("xa start 'w'; insert into t values (2, 'w'); xa end 'w'; xa prepare 'w'")
        self.run_to_end(script, "--until-caught-up")
        stays = checkpoint(self.name("mysql"))["restart"]
        self.my("insert into t values (3, 'b')")
        my("flush binary logs")
        self.my("insert into t values (4, 'b')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(checkpoint(self.name("mysql"))["restart"], stays)
        self.assertEqual(self.ids(), [("I", 1), ("I", 3), ("I", 4)])
        p = self.start_connector(script)
        self.my("insert into t values (5, 'b')")
        self.wait_messages(self.topic_of("mysql"), 4, [p])
        p.kill()
        self.my("xa commit 'w'; insert into t values (6, 'b')")
        self.run_to_end(script, "--until-caught-up")
        self.run_to_end(script, "--until-caught-up")
        got = self.ids()
        for n in (5, ):  # what was sent after the last checkpoint may come again
            while got.count(("I", n)) > 1:
                got.remove(("I", n))
        self.assertEqual(got, [("I", 1), ("I", 3), ("I", 4), ("I", 5), ("I", 2), ("I", 6)])
        self.assertNotEqual(checkpoint(self.name("mysql"))["restart"], stays)

    def test_prepared_before_the_first_start(self):
        self.databases(TABLE)
        self.my("xa start 'w'; insert into t values (2, 'w'); xa end 'w'; xa prepare 'w'")
        script = self.script(self.connector("mysql"))
        self.run_to_end(script, "--until-caught-up")
        self.my("xa commit 'w'; insert into t values (3, 'b')")
        p = self.run_to_end(script, "--until-caught-up")
        self.assertIn("XA transaction X'77',X'',1 is committed, and was prepared before", p.log())
        self.assertEqual(self.ids(), [("I", 3)])

    def test_larger_than_the_bound(self):
        self.databases("create table t (id int primary key, v text)", "create table t (id int primary key, v longtext)")
        script = self.script(self.connector("mysql"))
        self.run_to_end(script, "--until-caught-up")
        self.my("xa start 'w'; insert into t values (2, repeat('x', 17000000)); xa end 'w'; xa prepare 'w'")
        try:
            p = self.run_to_end(script, "--until-caught-up", code=1)
            self.assertRegex(p.log(), "hold more than 8 MiB of changes.*XA RECOVER")
        finally:
            self.my("xa rollback 'w'")


class Shapes(Case):
    def test_a_thousand_columns(self):
        self.databases()
        kinds = ("int", "bit(3)", "enum('a','b')", "varchar(8)")
        self.my("create table t (id int primary key, %s) engine = aria" % ", ".join("c%d %s" % (i, kinds[i % 4]) for i in range(1500)))
        p = self.start_connector(self.script(self.connector("mysql")))
        self.my("insert into t (id, c0, c1497, c1498, c1499) values (1, 7, 5, 'b', 'last'); update t set c1499 = null")
        got = self.wait_messages(self.topic_of("mysql"), 2, [p])
        row = values(got[0]["columns"])
        self.assertEqual((len(row), row["c0"], row["c1"], row["c1497"], row["c1498"], row["c1499"]), (1501, 7, None, "101", "b", "last"))
        self.assertIsNone(values(got[1]["columns"])["c1499"])
        self.assertEqual(p.stop(), 0)

    def test_a_column_of_unnamed_type_that_is_gone(self):
        """The log does not say that it was a UUID. That it is taken for bytes is told; beside another such column it is an error."""
        self.databases()
        self.my("create table t (id int primary key, u uuid, x int); create table s (id int primary key, u uuid, other uuid)")
        script = self.script(self.connector("mysql", table="t"))
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t values (1, '00112233-4455-6677-8899-aabbccddeeff', 5); alter table t drop u")
        log = self.run_to_end(script, "--until-caught-up").log()
        self.assertRegex(log, r"warning: table \S+\.t, column u: the log does not say whether its type was UUID.*taken for BINARY")
        self.assertEqual([sorted(values(m["columns"])) for m in messages(self.topic_of("mysql"))], [["id", "u", "x"]])
        script = self.script(self.connector("mysql", table="s", name=self.id_ + "_s"))
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into s values (1, '00112233-4455-6677-8899-aabbccddeeff', null); alter table s drop u")
        self.assertRegex(self.run_to_end(script, "--until-caught-up", code=1).log(), r"\.s, column u: the log does not say whether its type is UUID")

    def test_statements_on_several_tables(self):
        self.databases()
        self.my("create table a (id int primary key, v int); create table b (id int primary key, v int); create table log (n int); "
                "insert into a values (1, 1), (2, 2); insert into b values (1, 1), (3, 3); "
                "create trigger tr after update on a for each row insert into log values (new.v)")
        p = self.start_connector(self.script(self.connector("mysql", tables=[self.id_ + ".*", "!" + self.id_ + ".b"])))
        self.my("update a join b using (id) set a.v = 10, b.v = 20; delete a, b from a join b using (id)")
        got = self.wait_messages(self.topic_of("mysql"), 3, [p])
        self.assertEqual([(m["action"], m["table"]) for m in got], [("U", "a"), ("I", "log"), ("D", "a")])
        self.assertEqual(p.stop(), 0)


class Restart(Case):
    server = None

    def test_server_restarts_in_mid_stream(self):
        folder = self.path("own")
        os.chmod(os.environ["LIST_SYNC_E2E_DIR"], 0o755)
        os.chmod(self.dir, 0o755)
        services = [os.path.join(ROOT, "scripts", "services"), "--dir", folder]
        run(services + ["start", "mariadb"])
        try:
            server = dict(re.findall(r"LS_MY_(\w+)=(\S+)", run(services + ["env"])))
            sql = ["mariadb", "--no-defaults", "--protocol=tcp", "-h", server["HOST"], "-P", server["PORT"], "-u", server["USER"]]

            def ask(text):
                return run(sql + ["-N", "-B"], text, {"MYSQL_PWD": server["PASSWORD"]})
            ask("create database %s; use %s; %s" % (self.id_, self.id_, TABLE))
            p = self.start_connector(self.script(self.connector("mysql", host=server["HOST"], port=int(server["PORT"]), password=server["PASSWORD"])))
            for n in range(3):
                ask("insert into %s.t values (%d, 'a'); " % (self.id_, 10 * n) +
                    "xa start 'x%d'; insert into %s.t values (%d, 'xa'); xa end 'x%d'; xa prepare 'x%d'" % (n, self.id_, 10 * n + 1, n, n))
                self.stop_and_start(folder, server, ask)
                ask("xa commit 'x%d'; insert into %s.t values (%d, 'b')" % (n, self.id_, 10 * n + 2))
            self.wait_messages(self.topic_of("mysql"), 9, [p])
            ids = [values(m["columns"])["id"] for m in messages(self.topic_of("mysql"))]
            self.assertEqual(ids, [n * 10 + i for n in range(3) for i in range(3)])
            self.assertEqual(p.stop(), 0)
        finally:
            run(services + ["stop"])

    def stop_and_start(self, folder, server, ask):
        with open(os.path.join(folder, "mariadb", "pid"), encoding="ascii") as f:
            pid = int(f.readline())
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: (self.server and self.server.poll() is not None) or not os.path.exists("/proc/%d" % pid), "the server has ended")
        user = ["--user=mysql"] if os.getuid() == 0 else []
        self.server = subprocess.Popen(["mariadbd", "--defaults-file=" + os.path.join(folder, "mariadb", "my.cnf")] + user, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

        def answers():
            try:
                return ask("select 1")
            except RuntimeError:
                return None
        wait_until(answers, "the server answers")
