"""delivery = "exactly_once" of a consumer with CSV files: each row is in them once, whatever ends the program; and what is said when the manifest, the
files or the options are not what they were. The rows are compared with what the database, or kcat's input, holds."""
import csv
import ctypes
import glob
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time

from lib import BROKERS, Case, Raw, admin, delete_records, messages, report, run, wait_until

KILLS = 20
SEED = int(os.environ.get("LIST_SYNC_SEED", time.time_ns() % 1000000))
MESSAGE = ('{"action":"I","schema":"public","table":"%s","pk":[{"name":"id"}],"columns":[{"name":"id","value":%d},{"name":"v","value":"%s"}],'
           '"source":{"v":1,"connector":"kcat","db":"postgres","ts":1,"tx":"1","pos":"01","seq":%d}}')


def wait_for_partitions(topic, partitions):
    """Each broker knows all of them."""
    def count(broker):
        listing = json.loads(run(["kcat", "-q", "-b", broker, "-L", "-J", "-t", topic]))
        return [len([p for p in t["partitions"] if p["leader"] >= 0]) for t in listing["topics"]]
    wait_until(lambda: all(count(broker) == [partitions] for broker in BROKERS.split(",")), "the partitions")


def new_topic(topic, partitions):
    def make(k):
        k.rd_kafka_NewTopic_new.restype = ctypes.c_void_p
        return k.rd_kafka_NewTopic_new(topic.encode(), partitions, 1, ctypes.create_string_buffer(512), ctypes.c_size_t(512))
    admin(make, "CreateTopics", "NewTopic_destroy")
    wait_for_partitions(topic, partitions)


def more_partitions(topic, partitions):
    def make(k):
        k.rd_kafka_NewPartitions_new.restype = ctypes.c_void_p
        return k.rd_kafka_NewPartitions_new(topic.encode(), ctypes.c_size_t(partitions), ctypes.create_string_buffer(512), ctypes.c_size_t(512))
    admin(make, "CreatePartitions", "NewPartitions_destroy")
    wait_for_partitions(topic, partitions)


class Exact(Case):
    def exact(self, csv=None, **options):
        return self.script(self.consumer(csv=csv, **dict({"delivery": "exactly_once"}, **options)), name="consumer.lua")

    def send(self, ids, topic=None, partition=0, table="t", text="x"):
        """Rows by kcat, which is no part of the program."""
        lines = "".join(MESSAGE % (table, i, text, i) + "\n" for i in ids)
        run(["kcat", "-q", "-b", BROKERS, "-P", "-t", topic or self.topic, "-p", str(partition), "-X", "acks=all"], lines)

    def manifest(self, name="out_out.manifest.json"):
        with open(self.path(name), encoding="utf-8") as f:
            return json.load(f)

    def cells(self, pattern="out_out*.csv*", column=2):
        """A cell of each I row of all files."""
        out = []
        for path in sorted(glob.glob(self.path(pattern), recursive=True)):
            with open(path, encoding="utf-8", newline="") as f:
                out += [row[column] for row in csv.reader(f, strict=True) if row[0] == "I"]
        return out

    def assert_once(self, ids, pattern="out_out*.csv*"):
        self.assertEqual(sorted(int(c) for c in self.cells(pattern)), sorted(ids))

    def edit(self, name, change):
        with open(self.path(name), encoding="utf-8") as f:
            text = f.read()
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(change(text))


class Load(threading.Thread):
    """Inserts rows and counts some of them up until it is stopped: each (id, v) that a row has had comes once."""

    def __init__(self, test, db):
        super().__init__()
        self.test, self.db, self.stopping, self.error, self.n = test, db, False, None, 0

    def run(self):
        try:
            while not self.stopping:
                first = self.n * 50
                self.test.sql(self.db, "insert into t values %s; update t set v = v + 1 where id %% 7 = %d and id >= %d; update t set v = v + 1 where id = %d"
                              % (", ".join("(%d, 0)" % (first + i) for i in range(50)), self.n % 7, max(0, first - 200), first))
                self.n += 1
        except Exception as e:  # pylint: disable=broad-except
            self.error = e


class Kills(Exact):
    def test_postgres(self):
        self.kill_often("postgres", {"rotate": {"rows": 700}}, partitions=3, instances=2)

    def test_mariadb(self):
        self.kill_often("mysql", {"filename": "out/{consumer}/{kind}", "split_files": True, "compress": "gzip", "max_open_files": 1}, partitions=4, instances=3)

    def kill_often(self, db, options, partitions, instances):
        chance = random.Random(SEED)
        report("seed %d (LIST_SYNC_SEED)" % SEED)
        self.databases("create table t (id int primary key, v int)")
        topic = self.topic_of(db)
        connector = self.start_connector(self.script(self.connector(db, partitions=partitions)))
        script = self.exact(options, topic_list=[topic], instances=instances)
        load = Load(self, db)
        load.start()
        before = 0
        try:
            for _ in range(KILLS):
                p = self.start(script)
                time.sleep(chance.uniform(0.05, 3.0))  # a random moment is what is wanted
                self.assertFalse(p.ended(), p.log()[-3000:])
                p.kill()
                now = sum(e["offset"] for m in glob.glob(self.path("**/*.manifest.json"), recursive=True) for e in self.manifest(m)["partitions"] if e)
                self.assertGreaterEqual(now, before, "the manifests went back")
                before = now
        finally:
            load.stopping = True
            load.join()
        self.assertIsNone(load.error)
        held = [tuple(map(int, line.split("|" if db == "postgres" else "\t"))) for line in self.sql(db, "select id, v from t order by id").split("\n")]
        expected = sorted((i, n) for i, v in held for n in range(v + 1))
        wait_until(lambda: len(messages(topic)) == len(expected), "all messages", programs=[connector])
        self.assertEqual(connector.stop(), 0)
        self.run_to_end(script, "--until-caught-up")
        pattern = "out_*.csv*" if "rotate" in options else "out/**/*.csv.gz"
        if "compress" in options:
            for path in glob.glob(self.path(pattern), recursive=True):
                run(["gunzip", path])
            pattern = "out/**/*.csv"
        got = sorted((int(i), int(v)) for i, v in zip(self.cells(pattern), self.cells(pattern, 3)))
        report("%s: %d rows, %d of them by the last start; the manifests were at %d when it began" % (db, len(got), len(got) - before, before))
        self.assertGreater(before, 1000, "too few rows to say anything")
        self.assertEqual(got, expected)


class FullDisk(Exact):
    def small_disk(self):
        os.mkdir(self.path("small"))
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", self.path("small")], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("mount is not allowed here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.path("small")], check=False)

    def fill(self, **options):
        """Gives the program, which waits with a full disk."""
        self.small_disk()
        new_topic(self.topic, 2)
        for p in range(2):
            self.send(range(p, 6000, 2), partition=p, text="x" * 300)
        program = self.start(self.exact({"filename": "small/out", "rotate": {"size": "1MiB"}}, **options))
        program.wait_log("No space left on device")
        return program

    def free(self):
        run(["mount", "-o", "remount,size=16m", self.path("small")])

    def test_it_goes_on(self):
        p = self.fill()
        before = self.manifest("small/out_out.manifest.json") if os.path.exists(self.path("small/out_out.manifest.json")) else None
        time.sleep(2)  # a few tries: it stays alive, and does not say it again
        self.assertFalse(p.ended())
        if before:
            self.assertEqual(self.manifest("small/out_out.manifest.json"), before)
        self.assertEqual(len(re.findall("No space left", p.log())), 1, p.log())
        self.free()
        wait_until(lambda: len(self.cells("small/out_out*.csv*")) >= 6000, "the rows", programs=[p])
        self.assertEqual(p.stop(), 0, p.log())
        self.assertIn("rows are written again after", p.log())
        self.assert_once(range(6000), "small/out_out*.csv*")

    def test_killed_and_stopped_while_it_is_full(self):
        p = self.fill()
        p.kill()
        p = self.start("consumer.lua")
        p.wait_log("No space left on device")
        self.assertEqual(p.stop(), 0, p.log())
        self.free()
        self.run_to_end("consumer.lua", "--until-caught-up")
        self.assert_once(range(6000), "small/out_out*.csv*")

    def test_at_least_once(self):
        p = self.fill(delivery=None)
        self.free()
        wait_until(lambda: len(self.cells("small/out_out*.csv*")) >= 6000, "the rows", programs=[p])
        self.assertEqual(p.stop(), 0, p.log())
        self.assert_once(range(6000), "small/out_out*.csv*")  # there was no crash, and the wait repeats nothing


class Refusals(Exact):
    def begin(self, **options):
        new_topic(self.topic, 2)
        for p in range(2):
            self.send(range(p, 100, 2), partition=p)
        script = self.exact(**options)
        self.run_to_end(script, "--until-caught-up")
        return script

    def goes_on(self, script, pattern="out_out*.csv*"):
        self.send(range(100, 110))
        self.run_to_end(script, "--until-caught-up")
        self.assert_once(range(110), pattern)

    def test_instances_changed(self):
        script = self.begin()
        log = self.run_to_end(self.exact(instances=2), code=2).log()
        self.assertIn("out_out.manifest.json was written with instances = 1, and the consumer has 2: set instances = 1 again", log)
        self.assertEqual(glob.glob(self.path("out_out-*")), glob.glob(self.path("out_out-?.manifest.lock")))
        self.goes_on(self.exact())
        self.assertEqual(script, "consumer.lua")

    def test_more_instances(self):
        self.begin(instances=2)
        for n in (1, 3):
            log = self.run_to_end(self.exact(instances=n), code=2).log()
            self.assertRegex(log, r"out_out-\d.manifest.json was written with instances = 2, and the consumer has %d" % n)
        self.goes_on(self.exact(instances=2))

    def test_manifest_deleted(self):
        script = self.begin()
        shutil.move(self.path("out_out.manifest.json"), self.path("kept"))
        log = self.run_to_end(script, code=3).log()
        self.assertIn("out_out.csv is there, and out_out.manifest.json, which tells how far its rows go, is not: put the manifest back, or move the files away", log)
        shutil.move(self.path("kept"), self.path("out_out.manifest.json"))
        self.goes_on(script)
        os.unlink(self.path("out_out.manifest.json"))
        os.unlink(self.path("out_out.csv"))
        self.run_to_end(script, "--until-caught-up")  # all anew
        self.assert_once(range(110))

    def test_manifest_damaged(self):
        script = self.begin()
        shutil.copy(self.path("out_out.manifest.json"), self.path("kept"))
        for change, what in ((lambda t: t[:-20], r"out_out.manifest.json cannot be read: .*put a copy of it back"),
                             (lambda t: "", r"out_out.manifest.json cannot be read"),
                             (lambda t: t.replace('"version":1', '"version":2'), r"it is of version 2, and this program knows version 1"),
                             (lambda t: t.replace('"offset"', '"ofset"', 1), r'"ofset" is not known')):
            self.edit("out_out.manifest.json", change)
            self.assertRegex(self.run_to_end(script, code=3).log(), what)
            shutil.copy(self.path("kept"), self.path("out_out.manifest.json"))
        self.goes_on(script)

    def test_file_cut_or_taken_away_or_changed(self):
        script = self.begin()
        shutil.copy(self.path("out_out.csv"), self.path("kept"))
        os.truncate(self.path("out_out.csv"), 300)
        self.assertRegex(self.run_to_end(script, code=3).log(), r"out_out.csv is shorter than it was \(out_out.manifest.json\): put the file back")
        os.unlink(self.path("out_out.csv"))
        self.assertRegex(self.run_to_end(script, code=3).log(), r"out_out.csv is not there \(out_out.manifest.json\): put the file back as it was; or, if its rows")
        shutil.copy(self.path("kept"), self.path("out_out.csv"))
        self.edit("out_out.csv", lambda t: t.replace("\n", "\nmore,", 3) + "more\n")
        self.assertRegex(self.run_to_end(script, code=3).log(), r"out_out.csv was changed: no row ends where the last one did")
        shutil.copy(self.path("kept"), self.path("out_out.csv"))
        self.edit("out_out.csv", lambda t: t + "rows behind the last one are no rows\n")
        self.goes_on(script)

    def test_file_is_taken_on_purpose(self):
        """The documented way: its line goes out of the manifest, too."""
        script = self.begin()
        shutil.move(self.path("out_out.csv"), self.path("taken"))
        self.edit("out_out.manifest.json", lambda t: "".join(line for line in t.splitlines(True) if '"file":"out_out.csv"' not in line))
        self.send(range(100, 110))
        self.run_to_end(script, "--until-caught-up")
        self.assert_once(range(100, 110))
        self.assert_once(range(100), "taken")

    def test_file_is_taken_while_it_runs(self):
        script = self.begin()
        p = self.start(script)
        p.wait_log("holds 2 partitions")
        self.send([100])
        wait_until(lambda: len(self.cells()) == 101, "the row", programs=[p])
        shutil.move(self.path("out_out.csv"), self.path("taken"))
        self.send([101])
        self.assertEqual(p.wait(), 3, p.log())
        self.assertRegex(p.log(), "out_out.csv was removed or replaced while rows were written to it|out_out.csv is not there any more")
        shutil.move(self.path("taken"), self.path("out_out.csv"))
        self.run_to_end(script, "--until-caught-up")
        self.assert_once(range(102))

    def test_ended_files_are_taken_at_any_time(self):
        script = self.begin(csv={"rotate": {"rows": 30}})
        self.assertEqual(sorted(os.path.basename(p) for p in glob.glob(self.path("out_out*.csv*"))),
                         ["out_out-2.csv", "out_out-3.csv", "out_out-4.csv.part", "out_out.csv"])
        for name in ("out_out.csv", "out_out-2.csv", "out_out-3.csv"):
            shutil.move(self.path(name), self.path("taken_" + name))
        self.send(range(100, 130))
        self.run_to_end(script, "--until-caught-up")
        self.assert_once(range(130), "*out_out*.csv*")

    def test_two_programs(self):
        script = self.begin()
        p = self.start(script)
        p.wait_log("holds 2 partitions")
        log = self.run_to_end(script, code=4).log()
        self.assertIn("another program writes the files of out_out.manifest.json", log)
        self.assertEqual(p.stop(), 0)
        self.goes_on(script)

    def test_another_delivery(self):
        self.begin()
        log = self.run_to_end(self.exact(delivery=None), code=2).log()
        self.assertIn('out_out.manifest.json is there: these files were written with delivery = "exactly_once"', log)
        self.goes_on(self.exact())

    def test_old_files(self):
        self.begin(delivery=None)
        log = self.run_to_end(self.exact(), code=3).log()
        self.assertIn("out_out.csv is there, and out_out.manifest.json, which tells how far its rows go, is not", log)
        self.run_to_end(self.exact({"filename": "other"}), "--until-caught-up")
        self.assert_once(range(100), "other_out.csv")

    def test_old_files_of_a_template(self):
        os.makedirs(self.path("data/public"))
        with open(self.path("data/public/t-2.csv.part"), "w", encoding="ascii") as f:
            f.write("action,table,id,v\n")
        new_topic(self.topic, 1)
        script = self.exact({"filename": "data/{schema}/{table}"})
        self.assertIn("data/public/t-2.csv.part is there, and data/out.manifest.json", self.run_to_end(script, code=3).log())
        os.rename(self.path("data/public/t-2.csv.part"), self.path("data/public/t-2.csv.bak"))
        self.run_to_end(script, "--until-caught-up")

    def test_a_writer_in_lua(self):
        script = self.exact(writer=None, callback=Raw("function(row) end"))
        self.assertRegex(self.run_to_end("check", script, code=2).log() or "", r'delivery = "exactly_once", which is for ls.csv_writer: take it out')

    def test_retention_was_faster(self):
        new_topic(self.topic, 1)
        self.send(range(50))
        script = self.exact()
        self.run_to_end(script, "--until-caught-up")
        self.send(range(50, 60))
        delete_records(self.topic, 55)
        log = self.run_to_end(script, "--until-caught-up", code=3).log()
        self.assertRegex(log, r"partition 0: offset 50, where out_out.manifest.json stands, is not there: the partition has 55 to 60 .* set the partition's offset in "
                              r"out_out.manifest.json to 55")
        self.edit("out_out.manifest.json", lambda t: t.replace('"offset":50', '"offset":55'))
        self.run_to_end(script, "--until-caught-up")
        self.assert_once(list(range(50)) + list(range(55, 60)))


class Topics(Exact):
    def test_what_comes_later(self):
        """A topic, and partitions of one that is being read, of which nothing is passed over with auto_offset_reset = "latest" either."""
        new_topic(self.topic, 2)
        self.send(range(10))
        script = self.exact(topic_list=[self.topic, self.topic + ".b"], instances=2, auto_offset_reset="latest")
        p = self.start(script)
        p.wait_log("instance 2 holds 1 partition")
        wait_until(lambda: all(os.path.exists(self.path("out_out-%d.manifest.json" % i)) for i in (1, 2)), "places", programs=[p])
        self.send(range(10, 20))
        more_partitions(self.topic, 4)
        self.send(range(20, 30), partition=2)
        self.send(range(30, 40), partition=3)
        wait_until(lambda: len(self.cells()) == 30, "the rows", programs=[p])
        p.kill()
        self.send(range(40, 50), partition=3)
        self.send(range(50, 60), partition=1)
        new_topic(self.topic + ".b", 1)
        p = self.start(script)
        wait_until(lambda: len(self.cells()) == 50, "the rows", programs=[p])
        wait_until(lambda: any(e and e["topic"].endswith(".b") for e in self.manifest("out_out-1.manifest.json")["partitions"]), "the topic", programs=[p])
        self.send(range(60, 70), topic=self.topic + ".b")
        wait_until(lambda: len(self.cells()) == 60, "the rows", programs=[p])
        self.assertEqual(p.stop(), 0)
        self.assert_once(range(10, 70))
        for i in (1, 2):  # each partition's rows are where its number says
            places = {(e["topic"], e["partition"]) for e in self.manifest("out_out-%d.manifest.json" % i)["partitions"] if e}
            self.assertEqual({p % 2 for _, p in places}, {i - 1})

    def test_latest_is_where_the_first_start_was(self):
        new_topic(self.topic, 1)
        self.send(range(10))
        script = self.exact(auto_offset_reset="latest")
        p = self.start(script)
        wait_until(lambda: os.path.exists(self.path("out_out.manifest.json")), "a place", programs=[p])
        p.kill()
        self.send(range(10, 20))
        self.run_to_end(script, "--until-caught-up")
        self.assert_once(range(10, 20))

    def test_the_group_shows_the_lag(self):
        """A member of the group, later, finds what the manifest says."""
        new_topic(self.topic, 3)
        for p in range(3):
            self.send(range(p, 60, 3), partition=p)
        self.run_to_end(self.exact(instances=2), "--until-caught-up")
        self.assert_once(range(60))
        self.send([60])
        self.run_to_end(self.exact({"filename": "later"}, delivery=None), "--until-caught-up")
        self.assertEqual(self.cells("later_out.csv"), ["60"])
