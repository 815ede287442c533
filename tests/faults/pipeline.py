"""A pipeline under test: a connector of one database and a consumer that writes CSV files, each a program of its own, with one delivery."""
import os
import signal
import subprocess

import lib
from database import KEY, PARTITIONS, TABLES, TOPIC_OF

MEMORY_LIMIT = {"connector": 64 * lib.MIB, "consumer": 32 * lib.MIB}  # guards: what a program may have at its highest
STOP_SECONDS = 60  # a connector drains for 30 s, a consumer leaves its group in 10
SHORT = {"postgres": "pg", "mariadb": "my", "at_least_once": "alo", "exactly_once": "eo"}
LOG_LINES = 25     # shown of a program that failed
# A row of a file has nothing that tells a repeat from a change but what this adds.
WITH_PLACE = """function(row)
    for _, image in ipairs { row.new or false, row.old or false } do
      if image then image.pos = row.source.pos; image.seq = row.source.seq end
    end
  end"""


class Stage:
    """One program: what it did wrong is in problems, its highest memory in peak."""

    def __init__(self, kind, script, name, folder):
        self.kind, self.folder = kind, folder
        self.args = [script, "--only", name]
        self.program = None
        self.peak = 0
        self.problems = []
        os.makedirs(folder)

    def start(self):
        self.program = lib.Program(self.args, self.folder)

    def look(self):
        """Notes the memory, and an end that nobody asked for."""
        if self.program is None:
            return
        if self.program.ended():
            self.complain("ended by itself with %s" % self.program.code())
            self.program = None
            return
        try:
            self.peak = max(self.peak, self.program.peak_memory())
        except (AttributeError, OSError):
            return  # it ends this moment, which the next look sees
        if self.peak > MEMORY_LIMIT[self.kind]:
            self.complain("took %.1f MiB; the limit is %d" % (self.peak / lib.MIB, MEMORY_LIMIT[self.kind] / lib.MIB))
            self.peak = 0

    def complain(self, what):
        log = self.program.log().split("\n")[-LOG_LINES:]
        self.problems.append("%s %s\n%s" % (self.kind, what, "\n".join("    " + line for line in log)))

    def signal(self, number):
        if self.program and not self.program.ended():
            self.program.process.send_signal(number)

    def kill(self):
        self.look()
        if self.program:
            self.program.kill()
            self.program = None

    def stop(self, may_fail=False):
        """SIGTERM. It must end soon, and with 0 unless what it needs to end in order is away."""
        self.look()
        if not self.program:
            return
        self.signal(signal.SIGTERM)
        try:
            code = self.program.process.wait(STOP_SECONDS)
            if code != 0 and not (may_fail and code == 1):
                self.complain("ended with %d after SIGTERM" % code)
        except subprocess.TimeoutExpired:
            self.complain("did not end within %d s of SIGTERM" % STOP_SECONDS)
            self.program.kill()
        self.program = None


class Pipeline:
    """folder: its own. out: where the files go, there already. layout: {"split_files":, "instances":}."""

    def __init__(self, database, delivery, servers, folder, out, layout):
        self.database, self.delivery, self.out = database, delivery, out
        self.is_split = layout["split_files"]
        self.once_in_files = delivery == "exactly_once"
        self.has_place = not self.once_in_files
        self.name = "%s_%s" % (SHORT[database.db], SHORT[delivery])
        self.label = self.name.replace("_", "/")
        self.topics = {t: "%s_%s_%s" % (database.name, self.name, t) for t in sorted(set(TOPIC_OF.values()))}
        self.schema = "public" if database.db == "postgres" else database.name
        self.folder = folder
        os.makedirs(folder)
        script = os.path.join(folder, "pipeline.lua")
        with open(script, "w", encoding="utf-8") as f:
            f.write('local ls = require "list_sync"\n' + self.connector_lua(servers) + self.consumer_lua(servers, layout))
        self.connector = Stage("connector", script, database.name + "_" + self.name, os.path.join(folder, "connector"))
        self.consumer = Stage("consumer", script, database.name + "_" + self.name + "_csv", os.path.join(folder, "consumer"))

    def delivery_lua(self):
        return None if self.delivery == "at_least_once" else self.delivery

    def connector_lua(self, servers):
        s, is_postgres = self.database.server, self.database.db == "postgres"
        tables = ", ".join("[%s] = { topic = %s }" % (lib.lua("%s.%s" % (self.schema, t)), lib.lua(self.topics[TOPIC_OF[t]])) for t in TABLES)
        return lib.call("connector", {
            "name": self.database.name + "_" + self.name, "db_type": "postgres" if is_postgres else "mysql", "host": "127.0.0.1",
            "port": servers.proxy.ports[self.database.db], "user": s["user"], "password": s["password"],
            "database": self.database.name if is_postgres else None, "tables": lib.Raw("{ %s }" % tables), "topic": self.topics["a"],
            "partitions": PARTITIONS, "kafka_conf": servers.proxied, "delivery": self.delivery_lua()})

    def consumer_lua(self, servers, layout):
        csv = {"filename": os.path.join(self.out, "rows"), "split_files": layout["split_files"]}
        return lib.call("consumer", {
            "group_id": self.database.name + "_" + self.name + "_csv", "topic_list": list(self.topics.values()), "kafka_conf": servers.proxied,
            "instances": layout["instances"], "map": lib.Raw(WITH_PLACE) if self.has_place else None, "delivery": self.delivery_lua() if self.once_in_files else None,
            "writer": lib.Raw("ls.csv_writer { %s }" % ", ".join("%s = %s" % (k, lib.lua(v)) for k, v in csv.items()))})

    def stages(self):
        return [self.connector, self.consumer]

    def start(self):
        """Until every later change is certain to be captured, and the topics are there."""
        self.connector.start()
        self.connector.program.wait_log(r"captures from|continues at")
        self.consumer.start()

    def problems(self):
        """What the programs did wrong since the last call."""
        out = []
        for s in self.stages():
            s.look()
            out += ["%s: %s" % (self.label, p) for p in s.problems]
            s.problems = []
        return out

    def key_of(self, table):
        return KEY[table]
