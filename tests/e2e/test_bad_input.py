"""What goes wrong is said once, with place and mend, and ends with the documented exit code; nothing is lost by it."""
import os
import subprocess
import tempfile

from lib import MY, PG, ROOT, Case, Raw, checkpoint, messages, my, pg, topic_partitions, values, wait_until

TABLE = "create table t (id int primary key, v varchar(20))"
CLOSED = "127.0.0.1:9"  # the discard port: nobody listens


class Script(Case):
    """Mistakes in a script are found before any server is asked."""

    def refused(self, text, *patterns):
        log = self.run_to_end(self.script(text), code=2).log()
        self.assertEqual(log.count("\n"), 1, "one message:\n" + log)
        for pattern in patterns:
            self.assertRegex(log, pattern)

    def test_unknown_option(self):
        self.refused(self.connector("postgres", filtr=Raw("function(row) end")), r"test\.lua:\d+: ", 'unknown option "filtr"', 'did you mean "filter"')

    def test_unknown_option_of_the_writer(self):
        self.refused(self.consumer(csv={"splitfiles": True}), r"test\.lua:\d+: ", 'unknown option "splitfiles"', 'did you mean "split_files"')

    def test_wrong_type(self):
        self.refused(self.connector("postgres", port="many"), r"test\.lua:\d+: ", "port")
        self.refused(self.connector("postgres", filter="id > 3"), r"test\.lua:\d+: ", "filter", "function")

    def test_out_of_range(self):
        self.refused(self.consumer(instances=0), r"test\.lua:\d+: ", "instances")

    def test_missing_option(self):
        self.refused(self.connector("mysql", user=None), r"test\.lua:\d+: ", "user")
        self.refused(self.connector("mysql", tables=None), r"test\.lua:\d+: ", "tables")

    def test_option_of_the_other_database(self):
        self.refused(self.connector("mysql", publication="p"), r"test\.lua:\d+: ", "publication", "postgres")

    def test_property_that_the_engine_owns(self):
        self.refused(self.connector("mysql", kafka_conf={"bootstrap.servers": "x:1", "acks": "1"}), r"test\.lua:\d+: ", "acks")

    def test_unknown_kafka_property(self):
        self.assertRegex(self.run_to_end(self.script(self.connector("mysql", kafka_conf={"bootstrap.servers": CLOSED, "compresion.codec": "lz4"})),
                                         code=2).log(), r"compresion\.codec")

    def test_a_kafka_property_that_a_transaction_bounds(self):
        """The script's value is not used there; a wrong one is refused all the same."""
        conf = {"bootstrap.servers": CLOSED, "socket.timeout.ms": "soon"}
        self.assertRegex(self.run_to_end(self.script(self.connector("mysql", kafka_conf=conf, delivery="exactly_once")), code=2).log(), r"kafka_conf: socket\.timeout\.ms")

    def test_stage_twice(self):
        self.refused(self.connector("mysql") + self.connector("mysql"), r"test\.lua:\d+: ", self.name("mysql"))

    def test_syntax_error(self):
        self.refused("ls.connector {\n", r"test\.lua:\d+: ")

    def test_no_stage(self):
        self.refused("", r"ls\.connector")

    def test_missing_environment(self):
        self.refused(self.connector("mysql", password=Raw('ls.env "NOT_SET_ANYWHERE"')), r"test\.lua:\d+: ", "NOT_SET_ANYWHERE")

    def test_no_library_of_postgresql(self):
        """It is loaded by the connectors that need it, and by nothing else."""
        os.mkdir(self.path("none"))
        with open(self.path("none/libpq.so.5"), "wb") as f:
            f.write(b"this is no library")
        env = dict(os.environ, LD_LIBRARY_PATH=self.path("none"))
        p = self.run_to_end(self.script(self.connector("postgres")), env=env, code=2)
        self.assertRegex(p.log(), r"the library of PostgreSQL's clients cannot be loaded \(.*libpq\.so\.5.*\): install the package libpq5")
        self.databases(TABLE)
        both = self.script(self.connector("mysql"), self.consumer(topic_list=[self.topic_of("mysql")]), name="other.lua")
        self.run_to_end(both, "--until-caught-up", env=env)
        with open(self.path("keep.lua"), "w", encoding="utf-8") as f:
            f.write('local n = 0 for line in io.lines("/proc/self/maps") do if line:find("libpq") then n = n + 1 end end io.stderr:write("libpq ", n)\n')
        self.assertEqual(self.run_to_end("keep.lua", code=2).log().count("libpq 0"), 1)


class Server(Case):
    """What an administrator must change is exit 2, from `run` and `check` in the same words."""

    def refused(self, script, *patterns, text_of_check=True):
        log = self.run_to_end(script, code=2).log()
        for pattern in patterns:
            self.assertRegex(log, pattern)
        self.assertNotIn(PG["password"], log)
        if text_of_check:
            last = log.splitlines()[-1].split(" ", 1)[1]
            check = self.run_to_end("check", script, code=2).log().splitlines()[-1].split(" ", 1)[1]
            self.assertIn(check.split(": ", 2)[-1], last)
        return log

    def test_missing_table(self):
        self.databases(TABLE)
        for db, schema in (("postgres", "public"), ("mysql", self.id_)):
            self.refused(self.script(self.connector(db, table="nowhere")), schema + r"\.nowhere")
            self.assertIsNone(checkpoint(self.name(db)))

    def test_missing_database(self):
        self.refused(self.script(self.connector("postgres", database="no_such_database")), "no_such_database")

    def test_wrong_password(self):
        self.databases(TABLE)
        for db, user in (("postgres", PG["user"]), ("mysql", MY["user"])):
            log = self.refused(self.script(self.connector(db, password="not the password")), user)
            self.assertNotIn("not the password", log)

    def test_missing_grant_postgres(self):
        self.databases(TABLE)
        role = self.id_ + "_r"
        self.pg("create role %s login password 'pw'; alter table t owner to %s; grant create on database %s to %s" % (role, role, self.id_, role))
        try:
            script = self.script(self.connector("postgres", user=role, password="pw"))
            self.refused(script, "ALTER ROLE .*%s.* REPLICATION" % role)
            self.pg("alter role %s replication" % role)
            self.run_to_end(script, "--until-caught-up")
        finally:
            self.pg("drop owned by %s cascade; alter table if exists t owner to postgres" % role)
            self.drop_database()
            pg("drop role " + role)

    def test_missing_grant_mariadb(self):
        self.databases(TABLE)
        user = self.id_ + "_r"
        self.my("create user %s identified by 'pw'; grant select on %s.* to %s" % (user, self.id_, user))
        try:
            script = self.script(self.connector("mysql", user=user, password="pw"))
            self.refused(script, "GRANT REPLICATION SLAVE")
            self.my("grant replication slave on *.* to %s" % user)
            log = self.start(script, "--until-caught-up")
            if log.wait() != 0:  # the other grant, if it is wanted, is named too
                self.assertEqual(log.code(), 2)
                self.assertRegex(log.log(), "GRANT .*BINLOG MONITOR")
                self.my("grant binlog monitor on *.* to %s" % user)
                self.run_to_end(script, "--until-caught-up")
        finally:
            my("drop user " + user)

    def test_wal_level_not_logical(self):
        services = os.path.join(ROOT, "scripts", "services")
        with tempfile.TemporaryDirectory(prefix="list_sync-e2e-") as folder:
            os.chmod(folder, 0o755)
            command = [services, "--dir", os.path.join(folder, "s")]
            try:
                subprocess.run(command + ["start", "postgres"], check=True, stderr=subprocess.DEVNULL,
                               env=dict(os.environ, LS_PG_OPTIONS="-c wal_level=replica"))
                text = subprocess.run(command + ["env"], check=True, stdout=subprocess.PIPE, encoding="ascii").stdout
                server = {k.split("_")[2].lower(): v for k, v in (pair.split("=") for pair in text.split()[1:])}
                pg(TABLE, server=server)
                script = self.script(self.connector("postgres", port=int(server["port"]), password=server["password"], database="postgres"))
                self.refused(script, "wal_level", "logical")
            finally:
                subprocess.run(command + ["stop"], check=True)

    def test_binlog_settings(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql"))
        for name, wrong, right in (("binlog_row_metadata", "NO_LOG", "FULL"), ("binlog_format", "MIXED", "ROW"), ("binlog_row_image", "MINIMAL", "FULL")):
            my("set global %s = %s" % (name, wrong))
            try:
                self.refused(script, r"SET GLOBAL %s *= *'?%s" % (name, right))
            finally:
                my("set global %s = %s" % (name, right))
        self.run_to_end(script, "--until-caught-up")

    def test_table_without_key_postgres(self):
        """Publishing it would make the server refuse the application's own updates, so no publication is made."""
        self.databases("create table t (id int, v text)")
        script = self.script(self.connector("postgres"))
        self.refused(script, r"ALTER TABLE \S*t\S* REPLICA IDENTITY FULL")
        self.assertEqual(self.pg("select count(*) from pg_publication"), "0")
        self.pg("alter table t replica identity full")
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a'); update t set v = 'b'; delete from t")
        self.run_to_end(script, "--until-caught-up")
        got = messages(self.topic_of("postgres"))
        self.assertEqual([m["action"] for m in got], ["I", "U", "D"])
        self.assertEqual(values(got[1]["identity"]), {"id": 1, "v": "a"})
        self.assertEqual(values(got[2]["identity"]), {"id": 1, "v": "b"})

    def test_table_without_key_in_a_given_publication(self):
        self.databases()
        self.pg("create table t (id int, v text); create publication p for all tables")
        script = self.script(self.connector("postgres", publication="p"))
        p = self.run_to_end(script, "--until-caught-up")
        self.assertRegex(p.log(), r"warning: .*REPLICA IDENTITY FULL")
        self.pg("insert into t values (1, 'a')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual([m["action"] for m in messages(self.topic_of("postgres"))], ["I"])

    def test_missing_publication(self):
        self.databases(TABLE)
        self.refused(self.script(self.connector("postgres", publication="no_such_publication")), "no_such_publication")


class Silence(Case):
    """Who does not answer is asked again until it does; --until-caught-up gives up."""

    def test_no_broker(self):
        self.databases(TABLE)
        p = self.start(self.script(self.connector("mysql", kafka_conf=CLOSED), self.consumer(kafka_conf=CLOSED)))
        p.wait_log(r"trying again")
        self.assertEqual(p.stop(), 0)
        self.assertLessEqual(len([line for line in p.log().splitlines() if "mysql" in line or "_my" in line]), 4, "said once:\n" + p.log())

    def test_no_broker_until_caught_up(self):
        self.databases(TABLE)
        p = self.run_to_end(self.script(self.connector("mysql", kafka_conf=CLOSED)), "--until-caught-up", code=1, seconds=100)
        self.assertRegex(p.log(), r"60 s")

    def test_no_database_server(self):
        for db in ("postgres", "mysql"):
            p = self.start(self.script(self.connector(db, port=9)))
            p.wait_log(r"127\.0\.0\.1.*trying again")
            self.assertEqual(p.stop(), 0)

    def test_unknown_topic(self):
        script = self.script(self.consumer())
        p = self.start(script)
        p.wait_log(self.topic)
        self.assertEqual(p.stop(), 0)
        self.run_to_end(script, "--until-caught-up")  # a topic that is not made yet is an end
        self.assertEqual(topic_partitions(self.topic), 0, "a consumer made the topic")

    def test_topic_made_later(self):
        self.databases(TABLE)
        p = self.start(self.script(self.consumer()))
        p.wait_log(self.topic)
        script = self.script(self.connector("mysql", topic=self.topic), name="connector.lua")
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t values (1, 'a')")
        self.run_to_end(script, "--until-caught-up")
        self.wait_csv(p, ["action,table,id,v", "I,%s.t,1,a" % self.id_])
        self.assertEqual(p.stop(), 0)

    def wait_csv(self, program, wanted):
        wait_until(lambda: self.lines("out_out.csv") == wanted, "the row", programs=[program])


class Hook(Case):
    def test_hook_of_a_connector_fails(self):
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            table = ("public" if db == "postgres" else self.id_) + ".t"
            broken = Raw("function(row)\n if row.new.id == 2 then error('two is odd') end\nend")
            self.run_to_end(self.script(self.connector(db, filter=broken)), "--until-caught-up")
            self.sql(db, "insert into t values (1, 'a')")
            self.sql(db, "insert into t values (2, 'b')")
            self.sql(db, "insert into t values (3, 'c')")
            log = self.run_to_end("test.lua", "--until-caught-up", code=1).log()
            for wanted in (r"test\.lua:\d+", "two is odd", table.replace(".", r"\."), r"\bkey 2\b", "filter"):
                self.assertRegex(log, wanted)
            place = checkpoint(self.name(db))
            self.run_to_end("test.lua", "--until-caught-up", code=1)
            self.assertEqual(checkpoint(self.name(db))["restart"], place["restart"], "the failing row was passed over")
            self.run_to_end(self.script(self.connector(db)), "--until-caught-up")
            got = [values(m["columns"])["id"] for m in messages(self.topic_of(db))]
            self.assertEqual(sorted(set(got)), [1, 2, 3])

    def test_hook_of_a_consumer_fails(self):
        self.databases(TABLE)
        connector = self.connector("mysql", topic=self.topic)
        self.run_to_end(self.script(connector), "--until-caught-up")
        self.my("insert into t values (1, 'a'), (2, 'b'), (3, 'c')")
        self.run_to_end("test.lua", "--until-caught-up")
        script = self.script(self.consumer(map=Raw("function(row) if row.new.id == 2 then row.new.id = row.new.nam end end")))
        log = self.run_to_end(script, "--until-caught-up", code=1).log()
        for wanted in (r"test\.lua:\d+", r"nam\b", r"\.t\b", r"\bkey 2\b"):
            self.assertRegex(log, wanted)
        self.run_to_end(self.script(self.consumer()), "--until-caught-up")
        self.assertEqual({line.split(",")[2] for line in self.lines("out_out.csv")[1:]}, {"1", "2", "3"})

