"""delivery = "exactly_once" of a connector: rows and checkpoint are stored together, and nothing comes twice for who reads committed messages."""
import os
import random
import subprocess
import sys
import time

from lib import BROKERS, KCAT, Case, Raw, checkpoint, make_topic, messages, report, run, values, wait_until

TABLE = "create table t (id int primary key, v varchar(40))"
SEED = int(os.environ.get("LIST_SYNC_SEED", time.time_ns() % 1000000))
ROWS = 60000
KILLS = 5
LATE = 50000  # by this row, after 2.5 s of CPU, some of Kafka's transactions have ended
SERIES = {"postgres": "select n, 'row ' || n from generate_series(%d, %d) n", "mysql": "select seq, concat('row ', seq) from seq_%d_to_%d"}
LARGE = 3000000  # bytes
LARGEST = 67108864  # ... of a message, which with its head is more
SMALL = {"max.message.bytes": "10000"}  # given when a topic is made: brokers apply a later change when they come to it


def ids(topic):
    return [values(m["columns"])["id"] for m in messages(topic)]


class Exact(Case):
    def rows(self, db, first, last):
        self.sql(db, "insert into t " + SERIES[db] % (first, last))

    def exact(self, db, **options):
        return self.script(self.connector(db, delivery="exactly_once", **options))

    def each_kind(self, db):
        self.databases(TABLE)
        script = self.exact(db, partitions=3)
        p = self.start_connector(script)
        self.sql(db, "insert into t values (1, 'a'); update t set v = 'b' where id = 1; update t set id = 2; delete from t; truncate table t")
        got = wait_until(lambda: (lambda m: m if len(m) >= 8 else None)(messages(self.topic_of(db))), "the messages", programs=[p])
        self.assertEqual(sorted(m["action"] for m in got), ["D", "D", "I", "I", "T", "T", "T", "U"])  # a new key: D and I
        self.assertEqual(p.stop(), 0, p.log())
        stored = checkpoint(self.name(db))
        self.rows(db, 10, 19)
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(len(messages(self.topic_of(db))), 18)
        self.assertGreater(checkpoint(self.name(db))["generation"], stored["generation"])

    def test_each_kind_postgres(self):
        self.each_kind("postgres")

    def test_each_kind_mariadb(self):
        self.each_kind("mysql")

    def killed_inside_a_transaction(self, db):
        """The rows of one large transaction are in many of Kafka's; killed anywhere in it, the next run goes on behind the last one."""
        chance = random.Random(SEED)
        self.databases(TABLE)
        script = self.exact(db, filter=Raw("""(function()
            local at = ls.param("kill", 0)
            return function(row)
                local id = row.new.id
                if id % 500 == 0 then -- 50 microseconds of this process' CPU a row, on any machine: behind, Kafka's transactions are cut every second
                    local now = os.clock()
                    repeat until os.clock() > now + 0.025
                end
                if id == at then os.execute "kill -9 $PPID" end
                return true
            end
        end)()"""))
        self.run_to_end(script, "--until-caught-up")
        self.rows(db, 1, ROWS)
        points = sorted(chance.sample(range(1, LATE), KILLS - 1)) + [chance.randrange(LATE, ROWS)]
        report("%s: killed at rows %s (seed %d, LIST_SYNC_SEED)" % (db, points, SEED))
        seen = []
        for n in points:
            p = self.start(script, "--set", "kill=%d" % n)
            self.assertEqual(p.wait(), -9, p.log())
            seen.append(checkpoint(self.name(db))["delivered"]["seq"])
            self.assertLess(seen[-1], n)
        self.assertEqual(seen, sorted(seen))
        self.assertGreater(seen[-1], 0)
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(ids(self.topic_of(db)), list(range(1, ROWS + 1)))

    def test_killed_inside_a_transaction_postgres(self):
        self.killed_inside_a_transaction("postgres")

    def test_killed_inside_a_transaction_mariadb(self):
        self.killed_inside_a_transaction("mysql")

    def test_other_options_inside_a_transaction(self):
        """What is counted must not change between the rows of one transaction."""
        db = "postgres"
        self.databases(TABLE + "; create table u (id int primary key)")
        slow = Raw("function(row) if row.new.id == 2000 then error('here it stops') end end")
        p = self.start_connector(self.exact(db, map=slow))
        self.rows(db, 1, 5000)
        self.assertEqual(p.wait(), 1, p.log())
        self.assertRegex(p.log(), r"here it stops")
        sent = ids(self.topic_of(db))  # whole batches
        self.assertTrue(0 < len(sent) < 2000)
        self.assertEqual(sent, list(range(1, len(sent) + 1)))
        log = self.run_to_end(self.script(self.connector(db, delivery="exactly_once", tables=["public.t", "public.u"])), code=2).log()
        self.assertRegex(log, r"differ from the checkpoint's, in the middle of the transaction at .*put them back")
        self.run_to_end(self.exact(db), "--until-caught-up")
        self.assertEqual(ids(self.topic_of(db)), list(range(1, 5001)))

    def test_stop_under_load(self):
        """SIGTERM commits what was sent, whatever it is in."""
        for db in ("postgres", "mysql"):
            self.databases(TABLE)
            script = self.exact(db, partitions=3)
            p = self.start_connector(script)
            for n in range(3):
                self.rows(db, n * ROWS + 1, (n + 1) * ROWS)
                self.assertEqual(p.stop(), 0, p.log())
                p = self.start(script)
            p.wait_log("continues at")
            self.assertEqual(p.stop(), 0, p.log())
            self.run_to_end(script, "--until-caught-up")
            self.assertEqual(sorted(ids(self.topic_of(db))), list(range(1, 3 * ROWS + 1)))
            self.drop_database()

    def test_large_rows(self):
        """Rows that are larger than a transaction should be, and headers, which wait with their messages while one is ended."""
        db = "postgres"
        self.databases("create table t (id int primary key, v text)")
        script = self.exact(db, headers=Raw('function(row) return { id = row:text "id", none = ls.null } end'))
        p = self.start_connector(script)
        self.pg("insert into t select n, repeat('x', case when n %% 50 = 0 then %d else 1000 end) from generate_series(1, 1000) n" % LARGE)
        wait_until(lambda: (checkpoint(self.name(db)) or {}).get("delivered", {}).get("seq", 0) >= 1000, "all is delivered", programs=[p])
        got = messages(self.topic_of(db))
        self.assertEqual([len(values(m["columns"])["v"]) for m in got], [LARGE if n % 50 == 0 else 1000 for n in range(1, 1001)])
        self.assertEqual(p.stop(), 0, p.log())
        headers = run(KCAT + ["-C", "-e", "-t", self.topic_of(db), "-o", "beginning", "-f", "%h\n"]).split()
        self.assertEqual(headers, ["id=%d,none=NULL" % n for n in range(1, 1001)])

    def test_a_row_of_which_a_part_was_sent(self):
        """Its copy cannot be sent: exit 1, and at the next start nothing of the row comes twice, nor is what was before it lost."""
        db = "postgres"
        self.databases("create table t (id int primary key, v text)")
        copied = """(function()
            local huge = ls.param("huge", 0)
            return function(row)
                local copy = row:clone()
                if row.new.id == huge then copy.new.v = string.rep("x", %d) end
            end
        end)()"""
        script = self.exact(db, map=Raw(copied % LARGEST))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a'); insert into t values (2, 'b'); insert into t values (3, 'c')")
        p = self.run_to_end(script, "--set", "huge=2", "--until-caught-up", code=1)
        self.assertRegex(p.log(), r"public\.t, position [0-9a-f]+/\d+: a message of \d+ bytes")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(ids(self.topic_of(db)), [1, 1, 2, 2, 3, 3])

    def test_a_message_that_the_topic_does_not_take(self):
        """It would fail again: exit 1, and what was before it is delivered once, at the next start."""
        db = "postgres"
        self.databases("create table t (id int primary key, v text)")
        make_topic(self.topic_of(db), SMALL)
        script = self.exact(db)
        self.run_to_end(script, "--until-caught-up")
        p = self.start_connector(script)
        self.pg("insert into t values (1, 'a'); insert into t values (2, (select string_agg(md5(n::text), '') from generate_series(1, 5000) n))")
        self.assertEqual(p.wait(), 1, p.log())
        self.assertRegex(p.log(), r"Kafka did not take a message: topic .*raise the topic.s max.message.bytes")
        short = self.script(self.connector(db, delivery="exactly_once", map=Raw("function(row) row.new.v = 'cut' end")))
        self.run_to_end(short, "--until-caught-up")
        self.assertEqual(ids(self.topic_of(db)), [1, 2])

    def test_a_message_that_is_too_large_becomes_a_dead_letter(self):
        """Its transaction is undone, and when the rows come again it is set aside."""
        db = "postgres"
        self.databases("create table t (id int primary key, v text)")
        make_topic(self.topic_of(db), SMALL)
        script = self.exact(db, on_oversize="dead_letter", dead_letter_topic=self.topic + ".dead")
        self.run_to_end(script, "--until-caught-up")
        p = self.start_connector(script)
        self.pg("insert into t values (1, 'a'); insert into t values (2, (select string_agg(md5(n::text), '') from generate_series(1, 40000) n)); insert into t values (3, 'c')")
        wait_until(lambda: ids(self.topic_of(db)) == [1, 3], "the others", programs=[p])
        self.assertEqual(p.stop(), 0, p.log())
        self.pg("insert into t values (5, 'e'); insert into t values (6, (select string_agg(md5(n::text), '') from generate_series(1, 40000) n))")
        self.run_to_end(script, "--until-caught-up")  # its last transaction is undone, too: that is not the end
        self.assertEqual(ids(self.topic_of(db)), [1, 3, 5])
        letters = run(KCAT + ["-C", "-e", "-t", self.topic + ".dead", "-o", "beginning", "-f", "%k %S %h\n"]).split("\n")[:-1]
        self.assertEqual(len(letters), 2, letters)
        self.assertRegex(letters[1], r"^6 -1 ")
        self.assertRegex(letters[0], r"^2 -1 .*list_sync\.error=.*Message size too large")


class Foreign(Case):
    def test_open_transaction_in_the_offsets_topic(self):
        """Another connector died with a transaction open: the start waits until the brokers end it, says so, and reads its own checkpoint then."""
        db = "postgres"
        self.databases(TABLE)
        script = self.script(self.connector(db, delivery="exactly_once"))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a')")
        self.run_to_end(script, "--until-caught-up")
        other = self.foreign(25000)
        self.pg("insert into t values (2, 'b')")
        began = time.monotonic()
        p = self.start(script)
        wait_until(lambda: ids(self.topic_of(db)) == [1, 2], "the rows", 90, [p])
        report("the start waited %.1f s for a transaction of 25 s" % (time.monotonic() - began))
        self.assertEqual(p.stop(), 0, p.log())
        self.assertEqual(other.wait(), 0)

    def foreign(self, timeout_ms):
        """A transactional producer in a process of its own that writes to the topic and ends without a word."""
        p = subprocess.Popen([sys.executable, "-c", FOREIGN, BROKERS, self.id_, str(timeout_ms)], stdout=subprocess.PIPE, encoding="ascii")
        self.assertEqual(p.stdout.readline(), "sent\n")
        p.stdout.close()
        return p


FOREIGN = """
import ctypes, os, sys
k = ctypes.CDLL("librdkafka.so.1")
for f in ("conf_new", "new", "init_transactions", "begin_transaction", "topic_new"):
    getattr(k, "rd_kafka_" + f).restype = ctypes.c_void_p
why = ctypes.create_string_buffer(512)
conf = ctypes.c_void_p(k.rd_kafka_conf_new())
for name, value in (("bootstrap.servers", sys.argv[1]), ("transactional.id", "foreign." + sys.argv[2]), ("transaction.timeout.ms", sys.argv[3])):
    assert k.rd_kafka_conf_set(conf, name.encode(), value.encode(), why, 512) == 0, why.value
rk = ctypes.c_void_p(k.rd_kafka_new(0, conf, why, 512))
assert not k.rd_kafka_init_transactions(rk, 30000)
assert not k.rd_kafka_begin_transaction(rk)
t = ctypes.c_void_p(k.rd_kafka_topic_new(rk, b"__list_sync_offsets", None))
assert k.rd_kafka_produce(t, 0, 2, b"{}", ctypes.c_size_t(2), b'[1,"foreign"]', ctypes.c_size_t(13), None) == 0
assert k.rd_kafka_flush(rk, 30000) == 0
print("sent", flush=True)
os._exit(0)
"""
