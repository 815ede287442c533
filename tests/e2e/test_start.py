"""The rules of a start, each on a server that was brought into that state: exit 3 with what, where and the mend, or a start that is proven to be right."""
import os
import shutil
import tempfile

from instances import MYSQL_SCRIPT, POSTGRES_BIN, MariaDB, MySQL, Postgres
from lib import Case, checkpoint, lsn, messages, values, wait_until

TABLE = "create table t (id int primary key, v varchar(20))"


class Own(Case):
    """With servers of the test's own."""

    def setUp(self):
        super().setUp()
        self.servers = []
        self.short = tempfile.mkdtemp(prefix="ls-")  # a socket's path may have 107 bytes

    def tearDown(self):
        super().tearDown()
        for s in self.servers:
            s.kill()
        shutil.rmtree(self.short, ignore_errors=True)

    def have(self, make, name, *args, **options):
        self.servers.append(make(os.path.join(self.short, name), *args, **options))
        return self.servers[-1]

    def ids(self, db):
        return [values(m["columns"])["id"] for m in messages(self.topic_of(db))]

    def lost(self, script, *patterns, slot=False, db="mysql"):
        """Exit 3 with the mend, and again: a program that is started again and again does not get past it."""
        before = messages(self.topic_of(db))
        for _ in range(2):
            log = self.run_to_end(script, code=3).log()
            for pattern in patterns + ("list_sync position drop %s %s%s\n" % (script, self.name(db), " --slot" if slot else ""),):
                self.assertRegex(log, pattern)
        self.assertEqual(messages(self.topic_of(db)), before)


class OnPostgres(Own):
    bin = None

    def at(self, server, **options):
        return self.script(self.connector("postgres", host="127.0.0.1", port=server.port, user="postgres", password="", database="postgres", **options))

    def begin(self, more=""):
        server = self.have(Postgres, "primary", bin=self.bin, more=more)
        server.sql(TABLE)
        script = self.at(server)
        self.run_to_end(script, "--until-caught-up")
        server.sql("insert into t values (1, 'a')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.ids("postgres"), [1])
        return server, script

    def test_slot_made_again(self):
        server, script = self.begin()
        server.sql("select pg_drop_replication_slot('%s')" % self.name("postgres"))
        self.lost(script, r'replication slot "%s" is gone' % self.name("postgres"), db="postgres")
        server.sql("insert into t values (2, 'b')")
        server.sql("select pg_create_logical_replication_slot('%s', 'pgoutput')" % self.name("postgres"))
        self.lost(script, r"beyond the checkpoint at .*made it again", slot=True, db="postgres")

    def test_slot_invalidated(self):
        server, script = self.begin("max_slot_wal_keep_size = 16MB\nmin_wal_size = 32MB\nmax_wal_size = 32MB")

        def lost():
            server.sql("select pg_logical_emit_message(false, 'x', repeat('x', 1000000)) from generate_series(1, 20); select pg_switch_wal(); checkpoint")
            return server.sql("select wal_status from pg_replication_slots") == "lost"
        wait_until(lost, "the slot is lost")
        self.lost(script, r"was invalidated, the WAL that it needs is gone \(max_slot_wal_keep_size\)", slot=True, db="postgres")

    def test_another_cluster(self):
        _, script = self.begin()
        other = self.have(Postgres, "other", bin=self.bin)
        other.sql(TABLE)
        self.lost(self.at(other), r"is of another server: its system identifier is \d+, this one's is \d+", db="postgres")

    def test_restored_snapshot(self):
        """The disk's snapshot, slot and all, taken before the checkpoint: the WAL ends below it."""
        server = self.have(Postgres, "primary", bin=self.bin)
        server.sql(TABLE)
        script = self.at(server)
        self.run_to_end(script, "--until-caught-up")
        server.stop()
        server.keep(os.path.join(self.short, "kept"))
        server.start()
        server.sql("insert into t select generate_series(1, 1000), 'x'")
        self.run_to_end(script, "--until-caught-up")
        server.stop()
        server.restore(os.path.join(self.short, "kept"))
        server.start()
        self.lost(script, r"the server's WAL ends at .*, before the checkpoint at .*restored to an earlier state", slot=True, db="postgres")

    def test_recovered_to_a_point_and_grown(self):
        """Point-in-time recovery begins a timeline of its own, which tells, however far it has grown."""
        server = self.have(Postgres, "primary", bin=self.bin)
        server.sql(TABLE)
        script = self.at(server)
        self.run_to_end(script, "--until-caught-up")
        server.stop()
        server.keep(os.path.join(self.short, "kept"))
        server.start()
        server.sql("insert into t select generate_series(1, 1000), 'x'")
        self.run_to_end(script, "--until-caught-up")
        then = lsn(checkpoint(self.name("postgres"))["restart"]["lsn"])
        server.stop()
        server.restore(os.path.join(self.short, "kept"))
        open(os.path.join(server.data, "recovery.signal"), "w", encoding="ascii").close()
        shutil.chown(os.path.join(server.data, "recovery.signal"), "postgres")
        server.configure("restore_command = 'false'")
        server.start()
        wait_until(lambda: server.sql("select pg_is_in_recovery()") == "f", "the recovery has ended")

        def grown():
            server.sql("insert into t select 10000 + coalesce(max(id), 0) + n, 'y' from t, generate_series(1, 1000) n group by n")
            return lsn(server.sql("select pg_current_wal_flush_lsn()")) > then
        wait_until(grown, "the WAL has grown past the checkpoint")
        self.lost(script, r"is beyond .*, where this server left timeline 1: it lacks transactions", slot=True, db="postgres")

    def test_promoted_without_the_slot(self):
        server, script = self.begin()
        standby = self.have(Postgres, "standby", bin=self.bin, copy_of=server)
        wait_until(lambda: standby.sql("select count(*) from t") == "1", "the standby has all")
        server.stop()
        standby.promote()
        self.lost(self.at(standby), r"is gone: it was dropped, or this is a standby that was promoted without it", db="postgres")

    def test_standby_that_lacked_transactions(self):
        """Promoted before it had what the checkpoint has: whatever its slots are, it is refused."""
        server, script = self.begin()
        standby = self.have(Postgres, "standby", bin=self.bin, copy_of=server)
        wait_until(lambda: standby.sql("select count(*) from t") == "1", "the standby has all")
        standby.promote()
        server.sql("insert into t values (2, 'not there')")
        self.run_to_end(script, "--until-caught-up")
        standby.sql("insert into t values (2, 'in its place')")
        standby.sql("select pg_create_logical_replication_slot('%s', 'pgoutput')" % self.name("postgres"))
        self.lost(self.at(standby), r"where this server left timeline 1: it lacks transactions", slot=True, db="postgres")


class OnPostgres18(OnPostgres):
    bin = POSTGRES_BIN

    def setUp(self):
        if not POSTGRES_BIN:
            self.skipTest("LIST_SYNC_POSTGRES_BIN names no folder of PostgreSQL's programs")
        super().setUp()

    def test_promoted_with_the_slot(self):
        """The connector's slot is one that standbys keep: the promoted one goes on without loss or repeats."""
        server, script = self.begin()
        self.assertEqual(server.sql("select failover from pg_replication_slots"), "t")
        server.sql("select pg_create_physical_replication_slot('standby')")
        standby = self.have(Postgres, "standby", bin=self.bin, copy_of=server, more="primary_slot_name = 'standby'\nsync_replication_slots = on")
        synced = "select confirmed_flush_lsn from pg_replication_slots where slot_name = '%s' and synced and not temporary" % self.name("postgres")

        def kept():  # it is kept from where the standby has the catalog of the time, which comes with further WAL
            server.sql("insert into t select max(id) + 1, 'b' from t")
            self.run_to_end(script, "--until-caught-up")
            return standby.sql(synced)
        wait_until(kept, "the standby keeps the slot", 120)
        server.sql("insert into t select max(id) + 1, 'not read yet' from t")
        last = int(server.sql("select max(id) from t"))
        wait_until(lambda: standby.sql("select max(id) from t") == str(last), "the standby has all")
        server.kill()
        standby.promote()
        standby.sql("insert into t values (%d, 'c')" % (last + 1))
        self.run_to_end(self.at(standby), "--until-caught-up")
        self.assertEqual(self.ids("postgres"), list(range(1, last + 2)))
        self.assertEqual(checkpoint(self.name("postgres"))["server"]["timeline"], 2)


class Binlog:
    """The same on MariaDB and MySQL."""

    def at(self, server, **options):
        return self.script(self.connector("mysql", host="127.0.0.1", port=server.port, user="root", password="", tables=["d.t"], **options))

    def begin(self):
        server = self.have(self.make, "server")
        server.sql("create database d; create table d.t (id int primary key, v varchar(20))")
        script = self.at(server)
        self.run_to_end(script, "--until-caught-up")
        server.sql("insert into d.t values (1, 'a')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.ids("mysql"), [1])
        return server, script

    def test_log_begun_anew(self):
        server, script = self.begin()
        server.sql(self.reset)
        self.lost(script, r"begun anew \(RESET")
        server.sql("insert into d.t values (2, 'b')")
        self.lost(script, r"begun anew \(RESET")

    def test_log_begun_anew_in_the_same_way(self):
        """The new log has the same transactions' numbers at the same places: that it is another one, the file's time tells."""
        server, script = self.begin()
        stored = checkpoint(self.name("mysql"))["restart"]
        server.sql("drop database d; do sleep(1.1)")
        server.sql(self.reset_to % int(stored["file"].split(".")[1]))
        server.sql("create database d; create table d.t (id int primary key, v varchar(20))")
        server.sql("insert into d.t values (1, 'a')")
        end = server.sql("show binary logs").split("\n")[-1].split("\t")
        self.assertEqual((end[0].split(".")[1], int(end[1])), (stored["file"].split(".")[1], stored["pos"]))
        for i in range(2, 9):
            server.sql("insert into d.t values (%d, 'b')" % i)
        self.lost(script, r"the file was made at \d+ .*, the one that the checkpoint is of at \d+: the server's log was begun anew")
        self.assertEqual(stored["created"] + 1 < int(server.sql("select unix_timestamp()")), True)

    def test_restored_backup(self):
        """The disk's snapshot, binlog and all: the log ends before the checkpoint; grown again, it has other transactions there."""
        server = self.have(self.make, "server")
        server.sql("create database d; create table d.t (id int primary key, v varchar(20))")
        script = self.at(server)
        self.run_to_end(script, "--until-caught-up")
        server.stop()
        shutil.copytree(os.path.join(server.folder, "data"), os.path.join(self.short, "kept"))
        server.start()
        for i in range(5):
            server.sql("insert into d.t values (%d, 'a')" % i)
        self.run_to_end(script, "--until-caught-up")
        server.stop()
        shutil.rmtree(os.path.join(server.folder, "data"))
        shutil.copytree(os.path.join(self.short, "kept"), os.path.join(server.folder, "data"))
        for folder, _, files in os.walk(os.path.join(server.folder, "data")):
            for f in [folder] + [os.path.join(folder, f) for f in files]:
                shutil.chown(f, "mysql", "mysql")
        server.start()
        self.lost(script, r"the server's binary log ends at .*, before the checkpoint at .*|the file was made at|begun anew")
        server.sql("insert into d.t values (100, 'x')")
        self.lost(script, r"begun anew|restored")

    def test_log_lost_its_end(self):
        """A crash took the log's last bytes, which had been read already."""
        server, script = self.begin()
        server.sql("insert into d.t values (2, 'b')")
        size = int(server.sql("show binary logs").split("\n")[-1].split("\t")[1])
        file = server.sql("show binary logs").split("\n")[-1].split("\t")[0]
        self.run_to_end(script, "--until-caught-up")
        server.kill()
        with open(os.path.join(server.folder, "data", file), "r+b") as f:
            f.truncate(size - 300)
        server.start()
        self.lost(script, r"log ends at .*before the checkpoint|no event ends at offset|lacks transactions")

    def test_another_server(self):
        server, script = self.begin()
        other = self.have(self.make, "other")
        other.sql("create database d; create table d.t (id int primary key, v varchar(20))")
        self.lost(self.at(other), r"lacks transactions")


class OnMariaDB(Binlog, Own):
    make, reset, reset_to = MariaDB, "reset master", "reset master to %d"


class OnMySQL(Binlog, Own):
    make, reset, reset_to = MySQL, "reset binary logs and gtids", "reset binary logs and gtids to %d"

    def setUp(self):
        if not MYSQL_SCRIPT:
            self.skipTest("LIST_SYNC_MYSQL_SCRIPT names no script that runs a MySQL")
        super().setUp()
