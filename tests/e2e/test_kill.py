"""kill -9 at random moments, the first seconds of a first start included, while changes flow: no change is lost, and the
slot never passes the checkpoint. Changes may come again; with delivery = "exactly_once" none does."""
import os
import random
import subprocess
import threading
import time

from lib import MY, PG, Case, checkpoint, lsn, messages, my_command, pg, psql_command, report, values, wait_until

KILLS = 20
FIRST_START_KILLS = 6  # of these, so soon that the first start is hit
SEED = int(os.environ.get("LIST_SYNC_SEED", time.time_ns() % 1000000))


class Writer(threading.Thread):
    """Commits transaction after transaction: insert n, update n-5, delete n-10. One client process, a statement at a time."""

    def __init__(self, command, env):
        super().__init__()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env=dict(os.environ, **env), encoding="ascii", bufsize=1)
        self.committed = 0
        self.stopping = False
        self.error = None

    def run(self):
        n = 0
        while not self.stopping:
            n += 1
            self.process.stdin.write("begin; insert into t values (%d, 0); update t set v = 1 where id = %d; delete from t where id = %d; commit; "
                                     "select 'done %d';\n" % (n, n - 5, n - 10, n))
            answer = self.process.stdout.readline()
            if answer.strip() != "done %d" % n:
                self.error = answer + self.process.stdout.readline()
                break
            self.committed = n
            time.sleep(0.002)  # a pace, not a wait: a few hundred transactions a second
        self.process.stdin.close()
        self.process.wait()

    def stop(self):
        self.stopping = True
        self.join()


class Kill(Case):
    def test_postgres(self):
        self.kill_often("postgres", "at_least_once")

    def test_mariadb(self):
        self.kill_often("mysql", "at_least_once")

    def test_postgres_exactly_once(self):
        self.kill_often("postgres", "exactly_once")

    def test_mariadb_exactly_once(self):
        self.kill_often("mysql", "exactly_once")

    def kill_often(self, db, delivery):
        chance = random.Random(SEED)
        report("seed %d (LIST_SYNC_SEED)" % SEED)
        self.databases("create table t (id int primary key, v int)")
        script = self.script(self.connector(db, partitions=3, delivery=delivery))
        if db == "postgres":
            writer = Writer(psql_command(self.id_), {"PGPASSWORD": PG["password"]})
        else:
            writer = Writer(my_command() + ["--unbuffered", self.id_], {"MYSQL_PWD": MY["password"]})
        writer.start()
        captured_from = None  # what was committed after this is captured for certain
        before = None
        try:
            for i in range(KILLS):
                p = self.start(script)
                time.sleep(chance.uniform(0.02, 1.0) if i < FIRST_START_KILLS else chance.uniform(0.1, 4.0))
                p.kill()
                if captured_from is None and "captures from" in p.log():
                    captured_from = writer.committed
                self.assertIsNone(writer.error)
                self.assertEqual(p.code(), -9, "it ended before it was killed:\n" + p.log()[-3000:])
                before = self.check_checkpoint(db, before)
            p = self.start_connector(script)
            captured_from = writer.committed if captured_from is None else captured_from
            wait_until(lambda: writer.committed > captured_from + 20, "the last changes", programs=[p])
            self.assertEqual(p.stop(), 0, p.log()[-3000:])
        finally:
            writer.stop()
        self.run_to_end(script, "--until-caught-up")
        self.check_checkpoint(db, before)
        repeats = self.check_messages(db, captured_from, writer.committed)
        if delivery == "exactly_once":
            self.assertEqual(repeats, 0)

    def check_checkpoint(self, db, before):
        """The checkpoint only grows, and the slot is not above it. Gives the checkpoint's place."""
        name = self.name(db)
        if db == "postgres":  # the dead program's session may still move the slot: it must have ended
            wait_until(lambda: pg("select count(*) from pg_replication_slots where slot_name = '%s' and active" % name) == "0", "the slot is free")
        stored = checkpoint(name)
        if stored is None or stored["state"] == "creating":
            self.assertIsNone(before, "a running checkpoint went back to %s" % stored)
            return None
        if db == "postgres":
            place = lsn(stored["restart"]["lsn"])
            confirmed = pg("select confirmed_flush_lsn from pg_replication_slots where slot_name = '%s'" % name)
            self.assertTrue(confirmed, "the checkpoint is running and there is no slot")
            self.assertLessEqual(lsn(confirmed), place, "the slot (%s) is above the checkpoint %s" % (confirmed, stored))
        else:
            restart = stored["restart"]
            place = (int(restart["file"].rsplit(".", 1)[1]), restart["pos"])
        if before is not None:
            self.assertGreaterEqual(place, before, "the checkpoint went back")
        return place

    def check_messages(self, db, captured_from, last):
        seen = {"I": set(), "U": set(), "D": set()}
        count = 0
        for m in messages(self.topic_of(db)):
            seen[m["action"]].add(values(m["columns"] if m["action"] == "I" else m["identity"])["id"])
            count += 1
        first = min(seen["I"])
        repeats = count - sum(len(s) for s in seen.values())
        report("%s: %d transactions, %d of them before the capture began; %d messages, %d of them repeats"
               % (db, last, first - 1, count, repeats))
        self.assertLessEqual(first, captured_from + 1, "the first captured insert")
        self.assertGreater(last, first + 100, "too few changes to say anything")
        for action, behind in (("I", 0), ("U", 5), ("D", 10)):
            wanted = set(range(max(1, first - behind), last - behind + 1))
            self.assertEqual(wanted - seen[action], set(), "changes of action %s that were lost" % action)
        return repeats
