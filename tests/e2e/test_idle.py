"""A connector that has nothing to send must not hold back the server's log: the stored position follows within 20 s, the slot behind it."""
import time

from lib import SERVERS, Case, checkpoint, lsn, messages, pg, wait_until

TABLE = "create table t (id int primary key, v varchar(20)); create table other (id serial primary key, v text)"
SOON = 20  # seconds


class Slot:
    """With each plugin."""

    def confirmed(self):
        return lsn(pg("select confirmed_flush_lsn from pg_replication_slots where slot_name = '%s'" % self.name("postgres")))

    def follows(self, busy):
        """busy() goes on all the while, as what is written there must not be waited for."""
        p = self.start_connector(self.script(self.connector("postgres", plugin=self.plugin)))
        seen = set()
        for _ in range(2):
            busy()
            place = lsn(pg("select pg_current_wal_insert_lsn()"))

            def moved(place=place):
                busy()
                at = self.confirmed()  # the slot first: the checkpoint only grows
                self.assertLessEqual(at, lsn(checkpoint(self.name("postgres"))["restart"]["lsn"]))
                seen.add(at)
                time.sleep(0.3)
                return at >= place
            wait_until(moved, "the slot moves", SOON, [p])
        self.assertEqual(len(messages(self.topic_of("postgres"))), 0)
        self.assertEqual(p.stop(), 0)
        self.assertGreaterEqual(len(seen), 3)
        self.assertLessEqual(self.confirmed(), lsn(checkpoint(self.name("postgres"))["restart"]["lsn"]))

    def test_tables_that_are_left_out(self):
        self.databases(TABLE, "")
        self.follows(lambda: self.pg("insert into other (v) select repeat('x', 100) from generate_series(1, 500); update other set v = 'y' where id % 3 = 0"))

    def test_other_databases(self):
        """Nothing at all happens in the connector's own."""
        self.databases(TABLE, "")
        pg("create table if not exists idle_test (id serial, v text)")
        try:
            self.follows(lambda: pg("insert into idle_test (v) select repeat('x', 100) from generate_series(1, 500)"))
        finally:
            pg("drop table idle_test")

    def test_no_transactions(self):
        """WAL that is of no transaction, as a checkpoint or vacuum writes it."""
        self.databases(TABLE, "")
        self.follows(lambda: pg("select pg_switch_wal(); checkpoint; select pg_logical_emit_message(false, 'x', 'y')"))

    def test_one_large_transaction(self):
        """Of a left-out table: the slot does not wait for a change that is captured."""
        self.databases(TABLE, "")
        p = self.start_connector(self.script(self.connector("postgres", plugin=self.plugin)))
        self.pg("insert into other (v) select repeat('x', 200) from generate_series(1, 300000)")
        place = lsn(pg("select pg_current_wal_insert_lsn()"))
        wait_until(lambda: self.confirmed() >= place, "the slot moves", SOON, [p])
        self.pg("insert into t values (1, 'a')")
        self.wait_messages(self.topic_of("postgres"), 1, [p])
        self.assertEqual(p.stop(), 0)


class Pgoutput(Slot, Case):
    plugin = "pgoutput"


class Wal2json(Slot, Case):
    plugin = "wal2json"


class Binlog(Case):
    def test_checkpoint_follows(self):
        servers = {"mysql": "show master status", "mysql8": "show binary log status"}
        self.databases("select 1", "create table t (id int primary key, v varchar(20)); create table other (id int auto_increment primary key, v varchar(200))")
        for db, status in servers.items():
            if not SERVERS[db]:
                continue
            if db == "mysql8":
                self.sql(db, "create table t (id int primary key, v varchar(20)); create table other (id int auto_increment primary key, v varchar(200))")
            p = self.start_connector(self.script(self.connector(db)))
            for statement in ("insert into other (v) values ('x'), ('y')", "flush binary logs", "create table if not exists third (id int)"):
                self.sql(db, statement)
                file, place = self.sql(db, status).split("\t")[:2]

                def moved(db=db, file=file, place=place):
                    at = checkpoint(self.name(db))["restart"]
                    return (at["file"], at["pos"]) >= (file, int(place))
                wait_until(moved, "%s: the checkpoint moves over %s" % (db, statement), SOON, [p])
            self.assertEqual(messages(self.topic_of(db)), [])
            self.assertEqual(p.stop(), 0)
