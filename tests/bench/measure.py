"""What scripts/bench measures with: whole processes, the servers that they use, and pairs of runs."""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "faults"))
from proxy import Proxy

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.environ.get("LIST_SYNC", os.path.join(ROOT, "build", "list_sync"))
PATHS = os.environ.get("BENCH_PATHS", os.path.join(ROOT, "build", "bench_paths"))
SERVICES = os.path.join(ROOT, "scripts", "services")
TICKS = os.sysconf("SC_CLK_TCK")
LOOK_SECONDS = 0.01


def say(text):
    print(text, flush=True)


def cpu_of(pid):
    """CPU seconds of a server's process, the children that it has now, and those that have ended."""
    def ticks(p, ended):
        try:
            with open("/proc/%d/stat" % p, encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:  # it has ended meanwhile
            return 0
        return sum(int(t) for t in fields[11:15 if ended else 13])

    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, encoding="ascii", check=False).stdout
    return (ticks(pid, True) + sum(ticks(int(c), False) for c in children.split())) / TICKS


def peak_mib(pid):
    """The most resident memory that the process has had; 0: it has ended."""
    with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as f:
        found = re.search(r"VmHWM:\s+(\d+) kB", f.read())
    return int(found.group(1)) / 1024 if found else 0


def resident_mib(pid):
    with open("/proc/%d/statm" % pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


class Run:
    """One run of a command, or of several at once: seconds from the start to the last one's end, CPU seconds, and the most resident memory of one."""

    def __init__(self, servers, commands, stdout=None, env=None):
        before = servers.cpu()
        began = time.monotonic()
        outs = [open(stdout(i), "wb") if stdout else subprocess.DEVNULL for i in range(len(commands))]
        errors = [tempfile.TemporaryFile() for _ in commands]
        processes = [subprocess.Popen(c, stdin=subprocess.DEVNULL, stdout=o, stderr=e, env=dict(os.environ, **(env or {})))
                     for c, o, e in zip(commands, outs, errors)]
        self.cpu = self.mib = 0
        running = list(zip(commands, processes, errors))
        while running:
            running = [r for r in running if not self.has_ended(*r)]
            time.sleep(LOOK_SECONDS)
        self.seconds = time.monotonic() - began
        after = servers.cpu()
        self.servers = {name: after[name] - before[name] for name in after}
        for f in outs + errors:
            if f is not subprocess.DEVNULL:
                f.close()

    def has_ended(self, command, process, error):
        """getrusage's figure is no use: it begins with the memory of the process that was forked, which is this one."""
        self.mib = max(self.mib, peak_mib(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if not pid:
            return False
        process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu += usage.ru_utime + usage.ru_stime
        if status:
            error.seek(0)
            raise SystemExit("%s\nfailed: %s" % (" ".join(command)[:400], error.read().decode(errors="replace")[-2000:]))
        return True

    def figures(self):
        return {"seconds": round(self.seconds, 3), "cpu": round(self.cpu, 3), "mib": round(self.mib, 1),
                "servers_cpu": {k: round(v, 2) for k, v in self.servers.items()}}


class Given:
    """A reference that is not run: so many seconds."""

    def __init__(self, seconds):
        self.seconds, self.cpu, self.mib, self.servers = seconds, 0, 0, {}

    def figures(self):
        return {"seconds": round(self.seconds, 3)}


class Servers:
    """PostgreSQL, MariaDB and three brokers of scripts/services, in a folder of their own. far: clients may reach the brokers through a proxy, too."""

    BROKERS = ("kafka1", "kafka2", "kafka3")

    def __init__(self, far=False):
        self.proxy = Proxy(list(self.BROKERS)) if far else None
        self.folder = tempfile.mkdtemp(prefix="list_sync-bench-")
        os.chmod(self.folder, 0o755)
        self.command = [SERVICES, "--dir", os.path.join(self.folder, "services"), "--brokers", "3"]
        self.env = {}

    def start(self):
        # each run of a comparison has a slot of its own, which keeps its place until it is its turn
        options = "-c max_replication_slots=100 -c max_wal_senders=100"
        env = dict(os.environ, LS_PG_OPTIONS=options)
        if self.proxy:
            env["LS_KAFKA_PROXY"] = ",".join(str(self.proxy.ports[b]) for b in self.BROKERS)
        subprocess.run(self.command + ["start"], check=True, stdin=subprocess.DEVNULL, env=env)
        text = subprocess.run(self.command + ["env"], check=True, stdout=subprocess.PIPE, encoding="ascii").stdout
        self.env = dict(re.findall(r"(\w+)=(\S+)", text))
        self.brokers = self.env["LS_BROKERS"]
        self.pids = {}
        for group, names in (("postgres", ["postgres"]), ("mariadb", ["mariadb"]), ("brokers", self.BROKERS)):
            self.pids[group] = []
            for name in names:
                with open(os.path.join(self.folder, "services", name, "pid"), encoding="ascii") as f:
                    self.pids[group].append(int(f.readline()))

        if self.proxy:
            for name, address in zip(self.BROKERS, self.env["LS_KAFKA_BEHIND"].split(",")):
                self.proxy.tell(name, to=int(address.split(":")[1]))
            self.far = ",".join("127.0.0.1:%d" % self.proxy.ports[b] for b in self.BROKERS)

    def network(self, **order):
        """What happens to all that goes through the proxy from now on: an order of proxy.py."""
        for name in self.BROKERS:
            self.proxy.tell(name, **order)

    def stop(self):
        if self.proxy:
            self.proxy.stop()
        subprocess.run(self.command + ["stop"], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu(self):
        return {group: sum(cpu_of(p) for p in pids) for group, pids in self.pids.items()}

    def path(self, name):
        return os.path.join(self.folder, name)

    def sql(self, db, text, database="bench", flags=()):
        e = self.env
        if db == "postgres":
            command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", e["LS_PG_HOST"], "-p", e["LS_PG_PORT"], "-U", e["LS_PG_USER"], database]
        else:
            command = ["mariadb", "--no-defaults", "--protocol=tcp", "-N", "-B", "-h", e["LS_MY_HOST"], "-P", e["LS_MY_PORT"], "-u", e["LS_MY_USER"], database]
        p = subprocess.run(command + list(flags), input=text.encode(), stdout=subprocess.PIPE, check=True,
                           env=dict(os.environ, PGPASSWORD=e["LS_PG_PASSWORD"], MYSQL_PWD=e["LS_MY_PASSWORD"]))
        return p.stdout.decode().rstrip("\n")

    def kcat(self, *args):
        return ["kcat", "-q", "-b", self.brokers] + list(args)

    def wait_topic(self, topic):
        """Until each broker knows it."""
        end = time.monotonic() + 60
        for broker in self.brokers.split(","):
            while '"%s"' % topic not in subprocess.run(["kcat", "-q", "-b", broker, "-L", "-J"], stdout=subprocess.PIPE, encoding="utf-8", check=False).stdout:
                if time.monotonic() > end:
                    raise SystemExit("topic %s: not known to %s within a minute" % (topic, broker))
                time.sleep(0.1)

    def stored(self, topic):
        """Bytes of its messages on one broker, which has a replica of each partition."""
        data = os.path.join(self.folder, "services", "kafka1", "data")
        partitions = [os.path.join(data, d) for d in os.listdir(data) if re.fullmatch(re.escape(topic) + r"-\d+", d)]
        return sum(os.path.getsize(os.path.join(p, f)) for p in partitions for f in os.listdir(p) if f.endswith(".log"))

    def topic_size(self, topic):
        """Its messages; of transactions, their markers too."""
        text = subprocess.run(self.kcat("-L", "-J", "-t", topic), check=True, stdout=subprocess.PIPE).stdout
        n = len(json.loads(text)["topics"][0]["partitions"])
        total = 0
        for p in range(n):
            for line in subprocess.run(self.kcat("-Q", "-t", "%s:%d:-1" % (topic, p)), check=True, stdout=subprocess.PIPE, encoding="ascii").stdout.splitlines():
                total += int(line.split()[-1])
        return total


class Pairs:
    """Ours and the reference, one after the other and again. The first pair warms the servers up and does not count."""

    def __init__(self, name, what, reference, goal=None, cpu_goal=None):
        self.name, self.what, self.reference, self.goal, self.cpu_goal = name, what, reference, goal, cpu_goal
        self.pairs = []
        self.warm = False

    def add(self, ours, reference):
        if self.warm:
            self.pairs.append((ours, reference))
        self.warm = True

    @staticmethod
    def spread(values, digits=2):
        return {"min": round(min(values), digits), "median": round(statistics.median(values), digits), "max": round(max(values), digits)}

    def result(self):
        ours, references = [o for o, _ in self.pairs], [r for _, r in self.pairs]
        out = {"name": self.name, "what": self.what, "reference": self.reference, "goal": self.goal, "cpu_goal": self.cpu_goal, "pairs": len(self.pairs),
               "ratio": self.spread([o.seconds / r.seconds for o, r in self.pairs]),
               "cpu_ratio": self.spread([o.cpu / (r.cpu or 1) for o, r in self.pairs]) if references[0].cpu else None}
        for side, runs in (("ours", ours), ("theirs", references)):
            out[side] = {"seconds": self.spread([r.seconds for r in runs]), "cpu": self.spread([r.cpu for r in runs]),
                         "mib": round(max(r.mib for r in runs), 1),
                         "servers_cpu": {k: round(statistics.median(r.servers[k] for r in runs), 2) for k in runs[0].servers}}
        out["runs"] = [[o.figures(), r.figures()] for o, r in self.pairs]
        return out

    def show(self):
        r = self.result()
        say("%s: %s, against %s" % (self.name, self.what, self.reference))
        for side, who in (("ours", "list_sync"), ("theirs", "reference")):
            s = r[side]
            say("  %-10s %6.2f s (%.2f to %.2f)  CPU %6.2f s  %6.1f MiB  servers' CPU: %s" %
                (who, s["seconds"]["median"], s["seconds"]["min"], s["seconds"]["max"], s["cpu"]["median"], s["mib"],
                 ", ".join("%s %.1f" % kv for kv in s["servers_cpu"].items())))
        parts = ["%s %.2f (%.2f to %.2f)%s" % (of, ratio["median"], ratio["min"], ratio["max"], " goal %.2f" % goal if goal else "")
                 for of, ratio, goal in (("of seconds", r["ratio"], self.goal), ("of CPU", r["cpu_ratio"], self.cpu_goal)) if ratio]
        say("  %-10s %s; %d pairs" % ("ratio", ", ".join(parts), len(self.pairs)))
        return r


class Delays:
    """Milliseconds from a change in the database until its message can be read, at a pace."""

    def __init__(self, name, what, reference, goals):
        self.name, self.what, self.reference, self.goals = name, what, reference, goals
        self.runs = []

    def add(self, milliseconds, cpu, idle, mib):
        """cpu, idle: of the program, in parts of one processor, under the load and without one."""
        ms = sorted(milliseconds)
        at = lambda q: round(ms[min(len(ms) - 1, int(len(ms) * q))], 1)  # noqa: E731
        self.runs.append({"messages": len(ms), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": round(ms[-1], 1), "cpu": round(cpu, 3),
                          "idle": round(idle, 4), "mib": round(mib, 1)})

    def show(self):
        say("%s: %s (%s)" % (self.name, self.what, self.reference))
        for r in self.runs:
            say("  %(messages)d messages: p50 %(p50).1f ms, p90 %(p90).1f, p99 %(p99).1f, most %(max).1f; CPU %(cpu).3f of one, idle %(idle).4f; %(mib).1f MiB" % r)
        return {"name": self.name, "what": self.what, "reference": self.reference, "goals": self.goals, "runs": self.runs}


class Memory:
    """Programs' resident memory while very many rows go through them."""

    def __init__(self, name, what, rows):
        self.name, self.what, self.rows = name, what, rows
        self.programs = {}

    def add(self, program, pid):
        """What it has now; at times that are about equally far from each other."""
        now, peak = resident_mib(pid), peak_mib(pid)
        if now and peak:  # else it has just ended
            p = self.programs.setdefault(program, {"mib": []})
            p["mib"].append(round(now, 1))
            p["peak_mib"] = round(peak, 1)

    def show(self):
        say("%s: %s, %d rows" % (self.name, self.what, self.rows))
        for name, p in self.programs.items():
            n = len(p["mib"])
            say("  %-10s MiB after each tenth: %s; peak %.1f" % (name, " ".join("%.1f" % p["mib"][max(0, (i + 1) * n // 10 - 1)] for i in range(10)), p["peak_mib"]))
        return {"name": self.name, "what": self.what, "rows": self.rows, "programs": self.programs}
