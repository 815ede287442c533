"""The servers of the fault runner: durable ones of scripts/services in a folder of their own, their clients behind the proxy."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time

from proxy import Proxy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICES = os.path.join(ROOT, "scripts", "services")
BROKERS = 3
# They are killed, and what they said was committed must be there afterwards.
DURABLE = {"LS_PG_OPTIONS": "-c fsync=on -c full_page_writes=on -c max_wal_senders=60 -c max_replication_slots=60",
           "LS_MY_OPTIONS": "--sync-binlog=1 --innodb-flush-log-at-trx-commit=1"}
START_SECONDS = 120  # longest wait for a server to come back


class Servers:
    """PostgreSQL, MariaDB and three brokers. pg and my say where they are; direct and proxied are the brokers' addresses."""

    def __init__(self, folder, databases):
        self.folder = os.path.join(folder, "services")
        self.databases = databases
        self.brokers = ["kafka%d" % (i + 1) for i in range(BROKERS)]
        self.proxy = Proxy(self.brokers + databases)
        self.environment = dict(os.environ, LS_KAFKA_PROXY=",".join(str(self.proxy.ports[b]) for b in self.brokers), **DURABLE)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def services(self, *words):
        p = subprocess.run([SERVICES, "--dir", self.folder, "--brokers", str(BROKERS)] + list(words), env=self.environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", start_new_session=True, check=False)
        if p.returncode:
            raise RuntimeError("scripts/services %s: %s" % (" ".join(words), p.stderr[-2000:]))
        return p.stdout

    def start(self):
        self.services("start", "kafka", *self.databases)
        at = dict(re.findall(r"(\w+)=(\S+)", self.services("env")))
        self.at = {db: {k: at["LS_%s_%s" % (short, k.upper())] for k in ("host", "port", "user", "password")}
                   for db, short in (("postgres", "PG"), ("mariadb", "MY")) if db in self.databases}
        self.direct = at["LS_BROKERS"]
        self.proxied = ",".join("127.0.0.1:%d" % self.proxy.ports[b] for b in self.brokers)
        for name, address in zip(self.brokers, at["LS_KAFKA_BEHIND"].split(",")):
            self.proxy.tell(name, to=int(address.split(":")[1]))
        for db in self.databases:
            self.proxy.tell(db, to=int(self.at[db]["port"]))

    def pid(self, name):
        with open(os.path.join(self.folder, name, "pid"), encoding="ascii") as f:
            return int(f.readline())

    def signal(self, name, number):
        """Signals a server, and waits until it is gone."""
        pid = self.pid(name)
        os.kill(pid, number)
        end = time.monotonic() + START_SECONDS
        while self.runs(pid):
            if time.monotonic() > end:
                raise RuntimeError("%s does not end" % name)
            time.sleep(0.05)

    @staticmethod
    def runs(pid):
        try:
            with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
                return f.read().rsplit(")", 1)[1].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False  # the latter when it goes while it is read

    def kill(self, name):
        """PostgreSQL's immediate stop, which leaves no backend behind; kill -9 of the others."""
        self.signal(name, signal.SIGQUIT if name == "postgres" else signal.SIGKILL)

    def revive(self, name):
        self.services("start", name)

    def controller(self):
        """The broker that leads the quorum, by what they wrote down of the last vote."""
        votes = []
        for path in glob.glob(os.path.join(self.folder, "kafka*", "data", "__cluster_metadata-0", "quorum-state")):
            with open(path, encoding="ascii") as f:
                state = json.load(f)
            votes.append((state["leaderEpoch"], state["leaderId"]))
        leader = max(votes)[1]
        return "kafka%d" % leader if leader > 0 else "kafka1"

    def brokers_answer(self):
        p = subprocess.run(["kcat", "-q", "-b", self.direct, "-m", "3", "-L", "-J"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return p.returncode == 0 and len(json.loads(p.stdout)["brokers"]) == BROKERS

    def keep(self, folder, topics):
        """What a failure is looked into with: the servers' logs, and what the brokers have of some topics."""
        for name in self.brokers + self.databases:
            to = os.path.join(folder, name)
            os.makedirs(to, exist_ok=True)
            if os.path.exists(os.path.join(self.folder, name, "log")):
                shutil.copy(os.path.join(self.folder, name, "log"), to)
            for topic in topics:
                for path in glob.glob(os.path.join(self.folder, name, "data", topic + "-[0-9]*")):
                    shutil.copytree(path, os.path.join(to, os.path.basename(path)), dirs_exist_ok=True, ignore=shutil.ignore_patterns("*index"))

    def stop(self):
        try:
            self.services("stop")
        finally:
            self.proxy.stop()
