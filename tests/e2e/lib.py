"""What the end-to-end tests share: the servers, the program under test, and readers of what it made that are not its own.

Addresses come from the environment (scripts/services env). psql, mariadb and kcat are the independent witnesses."""
import ctypes
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("LIST_SYNC", os.path.join(ROOT, "build", "list_sync"))
BROKERS = os.environ["LS_BROKERS"]
PG = {k: os.environ["LS_PG_" + k.upper()] for k in ("host", "port", "user", "password")}
MY = {k: os.environ["LS_MY_" + k.upper()] for k in ("host", "port", "user", "password")}


def named(variable, user):
    """The server that a variable names as host:port[:user[:password]], or None."""
    if not os.environ.get(variable):
        return None
    server = dict(zip(("host", "port", "user", "password"), (os.environ[variable] + "::").split(":")))
    return dict(server, user=server["user"] or user)


# What `db` means in the tests: "mysql" is MariaDB, which speaks that protocol; "mysql8" MySQL itself, 8 or later, and "postgres18" PostgreSQL 18
# or later, which scripts/services does not have.
OTHERS = {"mysql8": "LIST_SYNC_MYSQL", "postgres18": "LIST_SYNC_POSTGRES"}
SERVERS = {"postgres": PG, "mysql": MY, "mysql8": named("LIST_SYNC_MYSQL", "root"), "postgres18": named("LIST_SYNC_POSTGRES", "postgres")}
SHORT = {"postgres": "pg", "mysql": "my", "mysql8": "my8", "postgres18": "pg18"}
RUN = "%x%s" % (int(time.time()) & 0xFFFFFF, os.environ.get("LIST_SYNC_E2E_LANE", ""))  # names are new with each run
DELIVERY = os.environ.get("LIST_SYNC_E2E_DELIVERY")  # "exactly_once": of every connector that a test does not give another
WAIT = 60  # seconds for anything that should come soon
MIB = 1024 * 1024


def report(text):
    """A line for whoever reads the test run: measured times and sizes."""
    print("    " + text, flush=True)


# ---- the databases ----


def run(command, text=None, env=None, timeout=900, cwd=None):
    p = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, cwd=cwd,
                       env=dict(os.environ, **(env or {})), encoding="utf-8", errors="surrogateescape")
    if p.returncode:
        raise RuntimeError("exit %d: %s\n%s" % (p.returncode, " ".join(command)[:200], p.stderr[-2000:]))
    return p.stdout


def psql_command(database, server=None):
    s = server or PG
    return ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
            "host=%s port=%s user=%s dbname=%s" % (s["host"], s["port"], s["user"], database)]


def pg(sql, database="postgres", server=None, flags=()):
    return run(psql_command(database, server) + list(flags), sql, {"PGPASSWORD": (server or PG)["password"]}).rstrip("\n")


def my_command(server=None):
    s = server or MY
    return ["mariadb", "--no-defaults", "--protocol=tcp", "-h", s["host"], "-P", s["port"], "-u", s["user"], "-N", "-B",
            "--default-character-set=utf8mb4", "--binary-mode", "--max-allowed-packet=1G"]


def my(sql, database="", server=None):
    return run(my_command(server) + ([database] if database else []), sql, {"MYSQL_PWD": (server or MY)["password"]}).rstrip("\n")


# ---- Kafka, seen by kcat ----

KCAT = ["kcat", "-q", "-b", BROKERS, "-X", "isolation.level=read_committed", "-X", "fetch.message.max.bytes=80000000",
        "-X", "receive.message.max.bytes=200000000", "-X", "queued.max.messages.kbytes=200000"]


def topic_partitions(topic):
    """How many partitions the topic has; 0 when there is no such topic."""
    text = run(KCAT + ["-L", "-J"])
    for t in json.loads(text)["topics"]:
        if t["topic"] == topic:
            return len(t["partitions"])
    return 0


def read_topic(topic):
    """[(partition, key or None, value text)] of all that is there, each partition in its order."""
    if not topic_partitions(topic):
        return []
    command = KCAT + ["-C", "-e", "-Z", "-t", topic, "-o", "beginning", "-f", "%p\t%K\t%k\t%s\n"]
    end = time.monotonic() + WAIT
    while True:
        try:
            text = run(command)
            break
        except RuntimeError as e:  # a topic that was made this moment has no leader on every broker yet
            if not re.search("Unknown topic|Leader not available|Not leader", str(e)) or time.monotonic() > end:
                raise
    out = []
    for line in text.split("\n"):
        if line:
            partition, key_len, key, value = line.split("\t", 3)
            out.append((int(partition), None if key_len == "-1" else key, value))
    return out


def admin(make, call, destroy):
    """One of librdkafka's admin calls, which no packaged tool offers. make(library): what is asked for."""
    k = ctypes.CDLL("librdkafka.so.1")
    for f in ("conf_new", "new", "topic_partition_list_new", "topic_partition_list_add", "DeleteRecords_new", "DeleteTopic_new", "queue_new", "queue_poll"):
        getattr(k, "rd_kafka_" + f).restype = ctypes.c_void_p
    why = ctypes.create_string_buffer(512)
    conf = ctypes.c_void_p(k.rd_kafka_conf_new())
    k.rd_kafka_conf_set(conf, b"bootstrap.servers", BROKERS.encode(), why, ctypes.c_size_t(512))
    client = ctypes.c_void_p(k.rd_kafka_new(0, conf, why, ctypes.c_size_t(512)))
    queue = ctypes.c_void_p(k.rd_kafka_queue_new(client))
    wanted = ctypes.c_void_p(make(k))
    getattr(k, "rd_kafka_" + call)(client, ctypes.byref(wanted), ctypes.c_size_t(1), None, queue)
    event = ctypes.c_void_p(k.rd_kafka_queue_poll(queue, WAIT * 1000))
    for f, what in (("event_destroy", event), (destroy, wanted), ("queue_destroy", queue), ("destroy", client)):
        getattr(k, "rd_kafka_" + f)(what)


def delete_records(topic, before):
    """Takes the messages of partition 0 below an offset away, as retention does."""
    def make(k):
        places = ctypes.c_void_p(k.rd_kafka_topic_partition_list_new(1))
        k.rd_kafka_topic_partition_list_add(places, topic.encode(), 0)
        k.rd_kafka_topic_partition_list_set_offset(places, topic.encode(), 0, ctypes.c_int64(before))
        wanted = k.rd_kafka_DeleteRecords_new(places)
        k.rd_kafka_topic_partition_list_destroy(places)
        return wanted

    admin(make, "DeleteRecords", "DeleteRecords_destroy")
    wait_until(lambda: len(messages(topic)) == int(run(KCAT + ["-Q", "-t", topic + ":0:-1"]).split()[-1]) - before, "the records are gone")


def make_topic(topic, config):
    """A topic of one partition with settings of its own."""
    def make(k):
        for f in ("NewTopic_new", "NewTopic_set_config"):
            getattr(k, "rd_kafka_" + f).restype = ctypes.c_void_p
        why = ctypes.create_string_buffer(512)
        wanted = k.rd_kafka_NewTopic_new(topic.encode(), 1, 1, why, ctypes.c_size_t(512))
        for name, value in config.items():
            k.rd_kafka_NewTopic_set_config(ctypes.c_void_p(wanted), name.encode(), value.encode())
        return wanted

    admin(make, "CreateTopics", "NewTopic_destroy")
    wait_until(lambda: all('"%s"' % topic in run(["kcat", "-q", "-b", b, "-L", "-J"]) for b in BROKERS.split(",")), "the topic is known to each broker")


def delete_topic(topic):
    admin(lambda k: k.rd_kafka_DeleteTopic_new(topic.encode()), "DeleteTopics", "DeleteTopic_destroy")
    for broker in BROKERS.split(","):
        wait_until(lambda: '"%s"' % topic not in run(["kcat", "-q", "-b", broker, "-L", "-J"]), "the topic is gone on each broker")


def messages(topic):
    return [json.loads(value) for _, _, value in read_topic(topic)]


def checkpoint(connector):
    """The newest committed checkpoint, or None."""
    found = None
    for _, key, value in read_topic("__list_sync_offsets"):
        if json.loads(key) == [1, connector]:
            found = json.loads(value) if value != "NULL" else None  # as kcat writes a message without a value
    return found


def is_postgres(db):
    return db.startswith("postgres")


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def values(section):
    """A message's columns or identity as a dict."""
    return {c["name"]: c.get("value") for c in section}


# ---- the program ----


def wait_until(condition, what, seconds=WAIT, programs=()):
    """Waits for a condition; what a program said stands in the failure."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        for p in programs:
            if p.ended():
                raise AssertionError("%s: the program ended with %s\n%s" % (what, p.code(), p.log()[-3000:]))
        if time.monotonic() > end:
            raise AssertionError("%s: not within %d s\n%s" % (what, seconds, "\n".join(p.log()[-3000:] for p in programs)))
        time.sleep(0.05)


class Program:
    """One run of list_sync; its log is a file."""

    def __init__(self, args, folder, env=None):
        number = len([f for f in os.listdir(folder) if f.endswith(".log")]) + 1
        self.log_path = os.path.join(folder, "%02d.log" % number)
        self.out_path = os.path.join(folder, "%02d.out" % number)
        with open(self.log_path, "wb") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen([PROGRAM] + args, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                            env=dict(os.environ, **(env or {})))

    def ended(self):
        return self.process.poll() is not None

    def code(self):
        return self.process.returncode

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def out(self):
        with open(self.out_path, encoding="utf-8") as f:
            return f.read()

    def wait(self, seconds=WAIT):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the program did not end within %d s\n%s" % (seconds, self.log()[-3000:])) from None

    def wait_log(self, pattern, seconds=WAIT, count=1):
        wait_until(lambda: len(re.findall(pattern, self.log())) >= count, "log line /%s/" % pattern, seconds, [self])

    def stop(self, seconds=WAIT):
        """SIGTERM; the exit code."""
        if not self.ended():
            self.process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        if not self.ended():
            self.process.kill()
        self.process.wait()

    def memory(self, what):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            return int(re.search(what + r":\s+(\d+) kB", f.read()).group(1)) * 1024

    def peak_memory(self):
        """Bytes of resident memory at its highest."""
        return self.memory("VmHWM")

    def resident_memory(self):
        return self.memory("VmRSS")


def lua(value):
    """A Python value as Lua."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "{ " + ", ".join(lua(v) for v in value) + " }"
    if isinstance(value, dict):
        return "{ " + ", ".join("[%s] = %s" % (lua(k), lua(v)) for k, v in value.items()) + " }"
    return '"' + re.sub(r'[^ -~]|["\\]', lambda m: "".join("\\%03d" % b for b in m.group(0).encode()), value) + '"'


class Raw(str):
    """Text that is Lua already."""


def call(function, options):
    """A call of the script with one line an option. None leaves an option out."""
    return "ls.%s {\n%s}\n" % (function, "".join("  %s = %s,\n" % (k, lua(v)) for k, v in options.items() if v is not None))


class Case(unittest.TestCase):
    """A test with a folder of its own and names of its own: self.id_ for databases, topics, connectors and groups."""

    longMessage = True
    counter = 0
    postgres = "postgres"  # which PostgreSQL self.pg, self.admin and self.databases mean

    def setUp(self):
        self.need(self.postgres)
        Case.counter += 1
        self.id_ = "e2e_%s_%d" % (RUN, Case.counter)
        base = os.environ.get("LIST_SYNC_E2E_DIR", tempfile.gettempdir())
        self.dir = os.path.join(base, self.id().split(".", 1)[-1] + "-" + self.id_)
        os.makedirs(self.dir)
        self.programs = []
        self.topic = self.id_
        self.database = None
        self.further = ()

    def tearDown(self):
        for p in self.programs:
            p.kill()
        if self.database:
            self.drop_database()

    # ---- servers ----

    def databases(self, sql="", mariadb=None, further=()):
        """A new database on each server, of the test's own name; sql runs on the class' PostgreSQL and on MariaDB (mariadb: other sql there). It is
        made on one PostgreSQL only, unless further ones are named."""
        self.database, self.further = self.id_, further
        for db in (self.postgres,) + further:
            pg("create database %s template template0" % self.id_, server=SERVERS[db])
        my("create database %s" % self.id_)
        if SERVERS["mysql8"]:
            my("create database %s" % self.id_, server=SERVERS["mysql8"])
        if sql:
            self.pg(sql)
            self.my(sql if mariadb is None else mariadb)

    def drop_database(self):
        def free(server):
            for line in pg("select slot_name, coalesce(active_pid, 0) from pg_replication_slots where database = '%s'" % self.database, server=server).split():
                slot, pid = line.split("|")
                if pid != "0":
                    pg("select pg_terminate_backend(%s)" % pid, server=server)
                    return False
                pg("select pg_drop_replication_slot('%s')" % slot, server=server)
            return True
        for db in (self.postgres,) + self.further:
            wait_until(lambda db=db: free(SERVERS[db]), "no slot is left")
            pg("drop database if exists %s with (force)" % self.database, server=SERVERS[db])
        my("drop database if exists %s" % self.database)
        if SERVERS["mysql8"]:
            my("drop database if exists %s" % self.database, server=SERVERS["mysql8"])
        self.database = None

    def pg(self, sql, **options):
        return pg(sql, self.id_, **dict({"server": SERVERS[self.postgres]}, **options))

    def admin(self, sql):
        """In PostgreSQL's own database."""
        return pg(sql, server=SERVERS[self.postgres])

    def my(self, sql, server=None):
        return my(sql, self.id_, server)

    def both(self, sql):
        self.pg(sql)
        self.my(sql)

    def sql(self, db, sql):
        return self.pg(sql, server=SERVERS[db]) if is_postgres(db) else self.my(sql, SERVERS[db])

    def need(self, db):
        if not SERVERS[db]:
            self.skipTest("%s names no server (host:port[:user[:password]])" % OTHERS[db])

    # ---- scripts and runs ----

    def name(self, db):
        return self.id_ + "_" + SHORT[db]

    def topic_of(self, db):
        return "%s.%s" % (self.topic, SHORT[db])

    def connector(self, db, **options):
        """A connector of the test's database: `db` is a key of SERVERS. options: further ones, or None to leave one out."""
        server = SERVERS[db]
        schema = "public" if is_postgres(db) else self.id_
        table = options.pop("table", "t")
        o = {"name": self.name(db), "db_type": "postgres" if is_postgres(db) else "mysql", "host": server["host"], "port": int(server["port"]), "user": server["user"],
             "password": server["password"], "database": self.id_ if is_postgres(db) else None, "tables": [schema + "." + table],
             "kafka_conf": BROKERS, "topic": self.topic_of(db), "partitions": 1, "delivery": DELIVERY}
        o.update(options)
        return call("connector", o)

    def consumer(self, group="out", csv=None, **options):
        o = {"name": group, "group_id": self.id_ + "_" + group, "topic_list": [self.topic], "kafka_conf": BROKERS}
        csv = dict({"filename": group}, **(csv or {}))
        o.update(options)
        o.setdefault("writer", Raw("ls.csv_writer { %s }" % ", ".join("%s = %s" % (k, lua(v)) for k, v in csv.items())))
        return call("consumer", o)

    def script(self, *parts, name="test.lua"):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write('local ls = require "list_sync"\n' + "".join(parts))
        return name

    def start(self, *args, env=None):
        p = Program(list(args), self.dir, env)
        self.programs.append(p)
        return p

    def run_to_end(self, *args, code=0, seconds=WAIT, env=None):
        """Runs the program until it ends by itself; gives it, its exit code checked."""
        p = self.start(*args, env=env)
        p.wait(seconds)
        self.assertEqual(p.code(), code, p.log()[-3000:])
        return p

    def start_connector(self, *args):
        """Starts, and waits until every later change is certain to be captured."""
        p = self.start(*args)
        p.wait_log(r"captures from|continues at")
        return p

    def wait_messages(self, topic, count, programs=()):
        """Waits until `count` messages are in the topic and gives them."""
        def there():
            got = messages(topic)
            return got if len(got) >= count else None
        got = wait_until(there, "%d messages in %s" % (count, topic), programs=programs)
        self.assertEqual(len(got), count, got[-3:])
        return got

    def path(self, name):
        return os.path.join(self.dir, name)

    def lines(self, name):
        try:
            with open(self.path(name), encoding="utf-8") as f:
                return f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []
