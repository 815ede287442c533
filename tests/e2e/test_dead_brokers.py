"""Connections to a broker that are dead while neither end is told, as behind a router that has forgotten them: the brokers are this module's own, behind a proxy."""
import json
import os
import shutil
import sys
import tempfile

import lib
from lib import Case, Raw, run, wait_until

sys.path.append(os.path.join(lib.ROOT, "tests", "faults"))
from servers import Servers  # noqa: E402

PARTITIONS = 6
STOP_S = 40  # LS_STOP_MS, and what the process takes
servers = folder = None


def setUpModule():
    global servers, folder
    folder = tempfile.mkdtemp(prefix="list_sync-dead-")
    servers = Servers(folder, [])


def tearDownModule():
    servers.stop()
    shutil.rmtree(folder, ignore_errors=True)


def coordinator(group):
    """The broker that keeps the group's offsets: the leader of its partition of __consumer_offsets, by the hash of Java's strings."""
    h = 0
    for c in group:
        h = (31 * h + ord(c)) & 0xffffffff
    h = abs(h - (h >> 31 << 32))
    text = run(["kcat", "-q", "-b", servers.direct, "-t", "__consumer_offsets", "-L", "-J"])
    leaders = {p["partition"]: p["leader"] for p in json.loads(text)["topics"][0]["partitions"]}
    return "kafka%d" % leaders[h % len(leaders)]


class DeadBrokers(Case):
    def rows(self, first, last):
        self.pg("insert into t select n from generate_series(%d, %d) n" % (first, last))
        self.run_to_end(self.source, "--until-caught-up")

    def written(self):
        return sorted(int(line.split(",")[2]) for line in self.lines("out_out.csv")[1:])

    def stops(self, delivery):
        self.databases("create table t (id int primary key)")
        conf = '{ ["bootstrap.servers"] = "%s", ["socket.timeout.ms"] = 60000 }' % servers.direct  # more than a checkpoint's transaction may have
        self.source = self.script(self.connector("postgres", kafka_conf=Raw(conf), partitions=PARTITIONS), name="source.lua")
        self.run_to_end(self.source, "--until-caught-up")  # a first start captures what comes after it
        self.rows(1, 100)
        script = self.script(self.consumer(topic_list=[self.topic_of("postgres")], kafka_conf=servers.proxied, delivery=delivery))
        p = self.start(script)
        wait_until(lambda: len(self.lines("out_out.csv")) == 101, "the first rows", programs=[p])
        broker = coordinator(self.id_ + "_out")
        servers.proxy.tell(broker, kind="dead")
        servers.proxy.tell(broker, kind="pass")  # for connections that are new
        self.rows(101, 200)
        wait_until(lambda: len(self.lines("out_out.csv")) > 101, "rows of the other brokers", programs=[p])
        p.wait_log("offsets are not committed yet")
        self.assertEqual(p.stop(STOP_S), 0, p.log())
        self.run_to_end(script, "--until-caught-up")
        return self.written()

    def test_a_stop_at_least_once(self):
        """Here it is the group's heartbeats, which give up before, that find the connection dead."""
        self.assertEqual(sorted(set(self.stops("at_least_once"))), list(range(1, 201)))

    def test_a_stop_exactly_once(self):
        self.assertEqual(self.stops("exactly_once"), list(range(1, 201)))
