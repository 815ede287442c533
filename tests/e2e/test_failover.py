"""A primary dies and the connector goes on at a replica, where its GTIDs prove that nothing is missing: no loss, no repeats; else exit 3."""
import json
import os
import random
import shutil
import tempfile

from instances import MYSQL_SCRIPT, MariaDB, MySQL
from lib import Case, Raw, checkpoint, messages, read_topic, wait_until

BIG = 60000  # rows of a transaction that is cut in its middle
SLOW = "function(row) local n = 0 for i = 1, 30000 do n = n + i % 7 end return n > 0 end"  # so that checkpoints fall into it


class Gtid:
    """The same on MariaDB and MySQL."""

    servers = ()

    def setUp(self):
        super().setUp()
        self.short = tempfile.mkdtemp(prefix="ls-")  # a socket's path may have 107 bytes

    def tearDown(self):
        super().tearDown()
        for s in self.servers:
            s.kill()
        shutil.rmtree(self.short, ignore_errors=True)

    def pair(self):
        """A primary whose log begins elsewhere than the replica's, and the replica."""
        primary = self.make("primary")
        self.servers = (primary,)
        replica = self.make("replica")
        self.servers = (primary, replica)
        for _ in range(4):
            primary.sql("flush binary logs")
        replica.follow(primary)
        primary.sql("create database d; create table d.t (id int primary key, v varchar(40))")
        return primary, replica

    def at(self, server, **options):
        """A script whose connector reads from that server."""
        return self.script(self.connector("mysql", host="127.0.0.1", port=server.port, user="root", password="", tables=["d.t"], **options))

    def topic_ids(self):
        return [m["columns"][0]["value"] for m in messages(self.topic_of("mysql"))]

    def assert_ordered(self):
        got = [(m["source"]["pos"], m["source"]["seq"]) for m in messages(self.topic_of("mysql"))]
        self.assertEqual(got, sorted(set(got)))

    def test_goes_on(self):
        primary, replica = self.pair()
        self.run_to_end(self.at(primary), "--until-caught-up")
        primary.sql("insert into d.t values (1, 'a'), (2, 'b'); insert into d.t values (3, 'c')")
        self.run_to_end(self.at(primary), "--until-caught-up")
        primary.sql("insert into d.t values (4, 'd')")
        replica.wait_for(primary)
        primary.kill()
        replica.promote()
        replica.sql("insert into d.t values (5, 'e')")
        p = self.run_to_end(self.at(replica), "--until-caught-up")
        self.assertRegex(p.log(), r"is another one .* goes on behind GTID")
        self.assertEqual(self.topic_ids(), [1, 2, 3, 4, 5])
        self.assert_ordered()
        self.assertEqual([m["source"]["pos"][:2] for m in messages(self.topic_of("mysql"))], ["00", "00", "00", "1-", "1-"])
        stored = checkpoint(self.name("mysql"))
        self.assertEqual(stored["epoch"], 1)
        replica.sql("flush binary logs; insert into d.t values (6, 'f')")
        p = self.run_to_end(self.at(replica), "--until-caught-up")
        self.assertNotIn("another one", p.log())
        self.assertEqual(self.topic_ids(), [1, 2, 3, 4, 5, 6])
        self.assertEqual(checkpoint(self.name("mysql"))["epoch"], 1)

    def test_while_it_runs(self):
        """The same address leads to another server, as behind a name or proxy that follows the primary."""
        primary, replica = self.pair()
        p = self.start_connector(self.at(primary))
        primary.sql("insert into d.t values (1, 'a')")
        self.wait_messages(self.topic_of("mysql"), 1, [p])
        replica.wait_for(primary)
        primary.stop()
        replica.promote()
        replica.stop()
        replica.move_to(primary.port)
        replica.sql("insert into d.t values (2, 'b')")
        self.wait_messages(self.topic_of("mysql"), 2, [p])
        self.assertEqual(p.stop(), 0)
        self.assertEqual(self.topic_ids(), [1, 2])
        self.assertEqual(checkpoint(self.name("mysql"))["epoch"], 1)
        self.assert_ordered()

    def test_within_a_transaction(self):
        """The connector is killed inside of a large transaction, then the primary: the replica's rows of the same transaction are the rest. What was
        sent behind the last checkpoint comes again, by at_least_once; what the checkpoint has does not."""
        primary, replica = self.pair()
        self.run_to_end(self.at(primary), "--until-caught-up")
        first = 0
        for seed in range(3):
            rows = list(range(first, first + BIG))
            primary.sql(self.big % (first, first + BIG - 1), "d")
            primary.sql("insert into d.t values (%d, 'behind')" % (first + BIG))
            replica.wait_for(primary)
            p = self.start(self.at(primary, filter=Raw(SLOW)))
            name, least = self.name("mysql"), random.Random(seed).randrange(1, BIG // 3)

            def inside(p=p):
                c = checkpoint(name)
                return 0 < c["delivered"]["seq"] and c["delivered"]["seq"] >= least and c["delivered"]["pos"] >= "%08x%012x" % (
                    int(c["restart"]["file"].split(".")[1]), c["restart"]["pos"])
            wait_until(lambda: inside() or p.ended(), "a checkpoint inside of the transaction")
            p.kill()
            stored = checkpoint(name)
            self.assertLess(stored["delivered"]["seq"], BIG, "the connector was faster than the test")
            sent = len(messages(self.topic_of("mysql")))
            self.run_to_end(self.at(replica), "--until-caught-up", seconds=120)
            got = messages(self.topic_of("mysql"))[sent:]
            ids = [m["columns"][0]["value"] for m in got]
            self.assertEqual(ids, rows[stored["delivered"]["seq"]:] + [first + BIG])
            self.assertEqual(got[0]["source"]["seq"], stored["delivered"]["seq"] + 1)
            self.assertTrue(got[0]["source"]["pos"].startswith("1-") if seed == 0 else True)
            first += BIG + 1
            primary, replica = self.swap(primary, replica)
        self.assertEqual(set(self.topic_ids()), set(range(first)))

    def swap(self, primary, replica):
        """The replica becomes the primary, the former one its replica."""
        replica.promote()
        primary.follow(replica)
        return replica, primary

    def test_replica_that_lacks_transactions(self):
        primary, replica = self.pair()
        primary.sql("insert into d.t values (1, 'a')")
        replica.wait_for(primary)
        self.run_to_end(self.at(primary, start="earliest"), "--until-caught-up")
        replica.promote()
        primary.sql("insert into d.t values (2, 'errant')")
        self.run_to_end(self.at(primary), "--until-caught-up")
        log = self.run_to_end(self.at(replica), code=3).log()
        self.assertRegex(log, r"lacks transactions.*list_sync position drop test.lua %s" % self.name("mysql"))
        replica.sql("insert into d.t values (3, 'in its place')")
        self.run_to_end(self.at(replica), code=3)
        replica.sql("insert into d.t values (4, 'further')")
        self.run_to_end(self.at(replica), code=3)
        self.assertEqual(self.topic_ids(), [1, 2])
        self.assertEqual(checkpoint(self.name("mysql"))["server"], json.loads(read_topic("__list_sync_offsets")[-1][2])["server"])

    def test_replica_that_has_purged(self):
        primary, replica = self.pair()
        self.run_to_end(self.at(primary), "--until-caught-up")
        primary.sql("insert into d.t values (1, 'a')")
        replica.wait_for(primary)
        replica.promote()
        replica.sql("flush binary logs")
        last = self.last_log(replica)

        def purged():
            replica.sql("purge binary logs to '%s'" % last)
            return replica.sql("show binary logs").startswith(last)
        wait_until(purged, "the older logs are gone")
        log = self.run_to_end(self.at(replica), code=3).log()
        self.assertRegex(log, r"purged.*list_sync position drop")

    def last_log(self, server):
        return server.sql("show binary logs").split("\n")[-1].split("\t")[0]


class OnMariaDB(Gtid, Case):
    big = "insert into t select seq, repeat('x', 30) from seq_%d_to_%d"

    def make(self, name):
        return MariaDB(os.path.join(self.short, name))

    def test_domains(self):
        """Each domain is a stream of its own, in whatever order the two servers have them."""
        primary, replica = self.pair()
        self.run_to_end(self.at(primary), "--until-caught-up")
        primary.sql("insert into d.t values (1, 'a'); set gtid_domain_id = 7; insert into d.t values (2, 'b'), (3, 'c'); set gtid_domain_id = 0; insert into d.t values (4, 'd')")
        self.run_to_end(self.at(primary), "--until-caught-up")
        primary.sql("set gtid_domain_id = 7; insert into d.t values (5, 'e'); set gtid_domain_id = 9; insert into d.t values (6, 'f')")
        replica.wait_for(primary)
        primary.kill()
        self.run_to_end(self.at(replica), "--until-caught-up")
        self.assertEqual(self.topic_ids(), [1, 2, 3, 4, 5, 6])
        self.assertEqual(set(checkpoint(self.name("mysql"))["restart"]["gtid"].split(",")), set(replica.sql("select @@gtid_binlog_pos").split(",")))


    def test_replica_of_a_backup(self):
        """Its tables have more than its log: what the connector has not read from the primary is nowhere, though no file was purged."""
        primary = self.make("primary")
        replica = self.make("replica")
        self.servers = (primary, replica)
        for s in self.servers:
            s.sql("create database d; create table d.t (id int primary key, v varchar(40))")
        replica.sql("reset master")
        self.run_to_end(self.at(primary), "--until-caught-up")
        primary.sql("insert into d.t values (1, 'a')")
        self.run_to_end(self.at(primary), "--until-caught-up")
        primary.sql("insert into d.t values (2, 'only in the backup')")
        replica.sql("insert into d.t values (1, 'a'), (2, 'only in the backup'); reset master")
        replica.sql("set global gtid_slave_pos = '%s'" % primary.sql("select @@gtid_binlog_pos"))
        replica.follow(primary)
        primary.sql("insert into d.t values (3, 'c')")
        replica.wait_for(primary)
        log = self.run_to_end(self.at(replica), code=3).log()
        self.assertRegex(log, r"list_sync position drop")
        self.assertEqual(self.topic_ids(), [1])


class OnMySQL(Gtid, Case):
    big = ("set cte_max_recursion_depth = 10000000; insert into t with recursive n as (select %d i union all select i + 1 from n where i < %d) "
           "select i, repeat('x', 30) from n")

    def setUp(self):
        if not MYSQL_SCRIPT:
            self.skipTest("LIST_SYNC_MYSQL_SCRIPT names no script that runs a MySQL")
        super().setUp()

    def make(self, name):
        return MySQL(os.path.join(self.short, name))
