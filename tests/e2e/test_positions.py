"""Positions that cannot be continued from are exit 3, never a silent skip; a second program under the same name fences the first."""
import os
import re
import signal
import subprocess

from lib import BROKERS, KCAT, PG, ROOT, Case, Raw, checkpoint, delete_records, lsn, make_topic, messages, my, pg, psql_command, run, values, wait_until

TABLE = "create table t (id int primary key, v varchar(20))"


class Lost(Case):
    def begin(self, db):
        self.databases(TABLE)
        script = self.script(self.connector(db))
        self.run_to_end(script, "--until-caught-up")
        self.sql(db, "insert into t values (1, 'a')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(len(messages(self.topic_of(db))), 1)
        return script

    def test_slot_dropped(self):
        script = self.begin("postgres")
        pg("select pg_drop_replication_slot('%s')" % self.name("postgres"))
        self.assertIn(self.name("postgres"), self.run_to_end(script, code=3).log())

    def test_slot_moved_on(self):
        """Somebody else has read from the slot: what it skipped cannot come any more."""
        script = self.begin("postgres")
        self.pg("insert into t values (2, 'b')")
        self.pg("select pg_replication_slot_advance('%s', pg_current_wal_lsn())" % self.name("postgres"))
        self.assertRegex(self.run_to_end(script, code=3).log(), r"slot")

    def test_slot_without_checkpoint(self):
        self.databases(TABLE)
        self.pg("select pg_create_logical_replication_slot('%s', 'pgoutput')" % self.name("postgres"))
        self.pg("create publication p for table t")
        self.pg("insert into t values (1, 'kept')")
        script = self.script(self.connector("postgres", publication="p"))
        for _ in range(2):  # a program that is started again and again must not take the slot for a leavings of its own
            self.assertRegex(self.run_to_end(script, code=3).log(), r'start = "slot"')
        self.run_to_end(self.script(self.connector("postgres", start="slot", publication="p")), "--until-caught-up")
        self.assertEqual([values(m["columns"])["id"] for m in messages(self.topic_of("postgres"))], [1])

    def test_start_at_a_slot(self):
        self.databases(TABLE)
        self.pg("create publication p for table t")
        self.pg("select pg_create_logical_replication_slot('%s', 'pgoutput')" % self.name("postgres"))
        self.pg("insert into t values (1, 'before the start')")
        self.run_to_end(self.script(self.connector("postgres", start="slot", publication="p")), "--until-caught-up")
        self.assertEqual([values(m["columns"])["id"] for m in messages(self.topic_of("postgres"))], [1])

    def test_binlog_purged(self):
        script = self.begin("mysql")
        self.purge()
        self.run_to_end(script, "--until-caught-up")  # its GTIDs prove that nothing was missed
        self.my("insert into t values (2, 'b')")
        self.purge()
        log = self.run_to_end(script, code=3).log()
        self.assertRegex(log, r"purged.*list_sync position drop test.lua " + self.name("mysql"))
        self.assertEqual(len(messages(self.topic_of("mysql"))), 1)

    def purge(self):
        my("flush binary logs")
        now = my("show master status").split("\t")[0]
        wait_until(lambda: "Binlog Dump" not in my("show processlist"), "the dump has ended")

        def purged():  # the server keeps a file, with a warning only, until its background thread has noted a checkpoint behind it
            my("purge binary logs to '%s'" % now)
            return my("show binary logs").startswith(now + "\t")
        wait_until(purged, "the older logs are gone")

    def test_another_server(self):
        """A checkpoint of PostgreSQL is not one of MariaDB: the same name for another database is refused."""
        self.begin("postgres")
        script = self.script(self.connector("mysql", name=self.name("postgres")))
        self.assertIn(self.name("postgres"), self.run_to_end(script, code=3).log())

    def test_binlog_goes_over_to_the_next_file(self):
        script = self.begin("mysql")
        p = self.start_connector(script)
        for i in range(2, 6):
            my("flush binary logs")
            self.my("insert into t values (%d, 'b')" % i)
        got = self.wait_messages(self.topic_of("mysql"), 5, [p])
        self.assertEqual([values(m["columns"])["id"] for m in got], [1, 2, 3, 4, 5])
        places = [m["source"]["pos"] for m in got]
        self.assertEqual(places, sorted(places))
        self.assertEqual(p.stop(), 0)


class Consumer(Case):
    def test_retention_was_faster(self):
        """What the group has not read is not in the topic any more: exit 3, and nothing is passed over."""
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic), self.consumer())
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t select seq, 'a' from seq_1_to_50")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(len(self.lines("out_out.csv")), 51)
        self.my("insert into t select seq, 'a' from seq_51_to_60")
        self.run_to_end(script, "--only", self.name("mysql"), "--until-caught-up")
        delete_records(self.topic, 55)
        log = self.run_to_end(script, "--until-caught-up", code=3).log()
        self.assertRegex(log, r"topic %s, partition 0: offset 50, where the group .* stands, is not there: the partition has 55 to 60" % self.topic)
        self.assertEqual(len(self.lines("out_out.csv")), 51)

    def send(self, *ids):
        lines = ['%d|{"action":"I","schema":"s","table":"t","pk":[{"name":"id"}],"columns":[{"name":"id","value":%d}]}' % (i, i) for i in ids]
        run(KCAT[:4] + ["-P", "-t", self.topic, "-p", "0", "-K", "|"], "\n".join(lines) + "\n")

    def test_latest_is_where_the_first_start_was(self):
        """Whatever befalls the first rows: a writer that fails, or a kill -9 before there are any."""
        make_topic(self.topic, {})
        self.send(1, 2)
        script = self.script(self.consumer(auto_offset_reset="latest", writer=Raw("""ls.writer {
            flush_every = { ms = 100 },
            open = function(w) w.rows = {} end,
            write = function(w, row) table.insert(w.rows, row:text "id") end,
            flush = function(w)
                if not io.open "fit" then error "the store is away" end
                local f = io.open("rows", "a")
                f:write(table.concat(w.rows, "\\n"), "\\n")
                f:close()
                w.rows = {}
            end,
            discard = function(w) w.rows = {} end,
        }""")))
        p = self.start(script)
        p.wait_log(r"holds 1 partition")
        p.kill()
        self.send(3, 4)
        p = self.start(script)
        p.wait_log(r"the store is away")
        self.send(5)
        open(self.path("fit"), "w").close()
        wait_until(lambda: self.lines("rows") == ["3", "4", "5"], "the rows", programs=[p])
        self.assertEqual(p.stop(), 0)

    def test_group_of_other_programs(self):
        """A group whose members share out in another way takes no member of ours: said at once, exit 2."""
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic), self.consumer())
        self.run_to_end(script, "--only", self.name("mysql"), "--until-caught-up")
        with subprocess.Popen(["kcat", "-b", BROKERS, "-X", "partition.assignment.strategy=cooperative-sticky", "-G", self.id_ + "_out", self.topic],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8") as other:
            try:
                while "assignment" not in other.stderr.readline():
                    self.assertIsNone(other.poll())
                log = self.run_to_end(script, "--only", "out", code=2).log()
            finally:
                other.kill()
        self.assertRegex(log, r"the group .* does not take this member: .*take another group_id")

    def test_topic_that_comes_while_the_group_forms(self):
        """Whenever the topic comes, the members get its partitions."""
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic, partitions=3), self.consumer(instances=2))
        consumer = self.start(script, "--only", "out")
        consumer.wait_log("does not exist")
        connector = self.start_connector(script, "--only", self.name("mysql"))
        self.my("insert into t select seq, 'a' from seq_1_to_100")

        def rows():  # one member may have read all before the other came, which then has no file
            return sum(line.startswith("I,") for k in (1, 2) for line in self.lines("out_out-%d.csv" % k))
        wait_until(lambda: rows() >= 100, "the rows", programs=[consumer, connector])
        self.assertEqual(consumer.stop(), 0)


class Names(Case):
    def test_misspelt_table_of_a_known_connector(self):
        """A table that the checkpoint does not know must be there; one that was dropped is warned of."""
        for db in ("postgres", "mysql"):
            self.databases(TABLE)
            self.run_to_end(self.script(self.connector(db)), "--until-caught-up")
            log = self.run_to_end(self.script(self.connector(db, table="tt")), code=2).log()
            self.assertRegex(log, r"table \S+\.tt does not exist")
            self.sql(db, "drop table t")
            log = self.run_to_end(self.script(self.connector(db)), "--until-caught-up").log()
            self.assertRegex(log, r"warning: table \S+\.t does not exist any more")
            self.drop_database()

    def test_default_database(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql", tables=["t"], database=self.id_))
        self.run_to_end("check", script)
        p = self.start_connector(script)
        self.my("insert into t values (1, 'a')")
        self.wait_messages(self.topic_of("mysql"), 1, [p])
        self.assertEqual(p.stop(), 0)


class Stop(Case):
    def test_while_the_slot_waits(self):
        """A slot is made when the transactions that are open have ended: a stop does not wait for that."""
        self.databases(TABLE)
        with subprocess.Popen(psql_command(self.id_), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii",
                              env=dict(os.environ, PGPASSWORD=PG["password"])) as session:
            session.stdin.write("begin; insert into t values (1, 'open'); select 'there';\n")
            session.stdin.flush()
            self.assertEqual(session.stdout.readline(), "there\n")
            p = self.start(self.script(self.connector("postgres")))
            p.wait_log("waits for the transactions that are open")
            self.assertEqual(p.stop(10), 0)
            p = self.start("print", self.script(self.connector("postgres")))
            p.wait_log("waits for the transactions that are open")
            p.stop(10)
            session.stdin.close()
        self.run_to_end(self.script(self.connector("postgres")), "--until-caught-up")


class Failover(Case):
    def test_promoted_standby(self):
        """A standby that was promoted goes on on another timeline; starts after the first one there know it."""
        folder = self.path("own")
        os.chmod(os.environ["LIST_SYNC_E2E_DIR"], 0o755)
        services = [os.path.join(ROOT, "scripts", "services"), "--dir", folder]

        def start():
            run(services + ["start", "postgres"])
            text = run(services + ["env"])
            return {k: re.search(r"LS_PG_%s=(\S+)" % k.upper(), text).group(1) for k in ("host", "port", "user", "password")}

        def stream(server, rows):
            script = self.script(self.connector("postgres", host=server["host"], port=int(server["port"]), password=server["password"],
                                                database="postgres"))
            self.run_to_end(script, "--until-caught-up")
            self.assertEqual([values(m["columns"])["id"] for m in messages(self.topic_of("postgres"))], list(range(1, rows + 1)))
        try:
            server = start()
            pg(TABLE, server=server)
            stream(server, 0)
            pg("insert into t values (1, 'a')", server=server)
            stream(server, 1)
            with open(os.path.join(folder, "postgres", "pid"), encoding="ascii") as f:
                pid = int(f.readline())
            os.kill(pid, signal.SIGINT)
            wait_until(lambda: not os.path.exists("/proc/%d" % pid), "the server has ended")
            open(os.path.join(folder, "postgres", "data", "standby.signal"), "w", encoding="ascii").close()
            server = start()
            self.assertEqual(pg("select pg_promote()", server=server), "t")
            for i in range(2, 5):
                pg("insert into t values (%d, 'b')" % i, server=server)
                stream(server, i)
            self.assertEqual(checkpoint(self.name("postgres"))["server"]["timeline"], 2)
        finally:
            run(services + ["stop"])


class Fence(Case):
    def test_second_instance(self):
        self.second_instance("at_least_once")

    def test_second_instance_exactly_once(self):
        self.second_instance("exactly_once")

    def second_instance(self, delivery):
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db, delivery=delivery))
            first = self.start_connector(script)
            self.sql(db, "insert into t values (1, 'a')")
            self.wait_messages(self.topic_of(db), 1, [first])
            second = self.start(script)

            def stored():  # rows keep the first one storing checkpoints, which is how it learns that it is fenced
                self.sql(db, "insert into t values ((select 1 + max(id) from t as x), 'b')")
                return first.ended()
            wait_until(stored, "the first instance is fenced")
            self.assertEqual(first.code(), 4, first.log()[-2000:])
            last = int(self.sql(db, "select max(id) from t"))
            wait_until(lambda: {values(m["columns"])["id"] for m in messages(self.topic_of(db))} == set(range(1, last + 1)), "all rows", programs=[second])
            if delivery == "exactly_once":
                self.assertEqual(len(messages(self.topic_of(db))), last)
            self.assertEqual(second.stop(), 0, second.log()[-2000:])


class Idle(Case):
    def test_idle_slot_moves(self):
        """What is not captured must not hold back the server's disk: the slot follows, behind the checkpoint."""
        self.databases(TABLE + "; create table other (id int)")
        p = self.start_connector(self.script(self.connector("postgres")))
        self.pg("insert into other select generate_series(1, 1000)")
        place = lsn(pg("select pg_current_wal_lsn()"))

        def moved():
            confirmed = lsn(pg("select confirmed_flush_lsn from pg_replication_slots where slot_name = '%s'" % self.name("postgres")))
            self.assertLessEqual(confirmed, lsn(checkpoint(self.name("postgres"))["restart"]["lsn"]))
            return confirmed >= place
        wait_until(moved, "the slot moves", programs=[p])
        self.assertEqual(messages(self.topic_of("postgres")), [])
        self.assertEqual(p.stop(), 0)

    def test_paused_program_is_not_cut(self):
        """A program that was stopped for a moment goes on where it was."""
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            p = self.start_connector(self.script(self.connector(db)))
            p.process.send_signal(signal.SIGSTOP)
            self.sql(db, "insert into t values (1, 'a')")
            p.process.send_signal(signal.SIGCONT)
            self.wait_messages(self.topic_of(db), 1, [p])
            self.assertEqual(p.stop(), 0)

    def test_database_connection_cut(self):
        """The server ends the connection: one warning, then it goes on."""
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            p = self.start_connector(self.script(self.connector(db)))
            if db == "postgres":
                sessions = "select active_pid from pg_replication_slots where slot_name = '%s' and active" % self.name(db)
                pg("select pg_terminate_backend(%s)" % wait_until(lambda: pg(sessions), "a session", programs=[p]))
            else:
                sessions = "select id from information_schema.processlist where command like 'Binlog Dump%'"
                my("kill " + wait_until(lambda: my(sessions), "a session", programs=[p]).split()[0])
            p.wait_log(r"trying again")
            self.sql(db, "insert into t values (1, 'a')")
            self.wait_messages(self.topic_of(db), 1, [p])
            self.assertEqual(p.stop(), 0)
