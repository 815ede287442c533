"""The comparisons of scripts/bench: each makes what both sides need, and runs the pairs."""
import ctypes
import os
import re
import subprocess
import threading
import time

from large import TABLE as LARGE_TABLE
from large import Large, large
from measure import PATHS, PROGRAM, Delays, Given, Memory, Pairs, Run, cpu_of, peak_mib, resident_mib

TABLE = 'create table events (id int primary key, category varchar(32) not null, domain varchar(64), %s not null)'
PG_TABLE, MY_TABLE = TABLE % '"timestamp" timestamp(6)', TABLE % "`timestamp` datetime(6)"
PG_INSERT = """insert into events select n, 'category ' || n % 17, case when n % 10 > 0 then 'd' || n % 1000 || '.example.org' end,
    timestamp '2026-01-01' + n * interval '1.000007 seconds' from generate_series({a}, {b}) n;"""
MY_INSERT = """insert into events select seq, concat('category ', seq % 17), if(seq % 10 > 0, concat('d', seq % 1000, '.example.org'), null),
    timestampadd(microsecond, seq * 1000007, '2026-01-01') from seq_{a}_to_{b};"""
PG_UPDATE = "update events set category = 'changed ' || id % 13 where id between {a} and {b} and id % 2 = 0;"
MY_UPDATE = "update events set category = concat('changed ', id % 13) where id between {a} and {b} and id % 2 = 0;"
DELETE = "delete from events where id between {a} and {b} and id % 2 = 1;"


# ---- changes: half inserts, a quarter updates, a quarter deletes

def change_postgres(servers, changes, size):
    """size: changes of a transaction; 0: all in one."""
    size = size or changes
    if size == 1:
        text = "do $$ begin for i in 1..%d loop %s commit; if i %% 2 = 0 then %s else %s end if; commit; end loop; end $$;" % tuple(
            [changes // 2] + [s.format(a="i", b="i") for s in (PG_INSERT, PG_UPDATE, DELETE)])
    else:
        a, b = "k * %d + 1" % (size // 2), "k * %d + %d" % (size // 2, size // 2)
        text = "do $$ begin for k in 0..%d loop %s commit; end loop; end $$;" % (
            changes // size - 1, " ".join(s.format(a=a, b=b) for s in (PG_INSERT, PG_UPDATE, DELETE)))
    servers.sql("postgres", "set synchronous_commit = off; " + text)
    servers.sql("postgres", "checkpoint")  # what is not on the disk yet is not sent either


def change_mariadb(servers, changes, size):
    size = size or changes
    text = []
    for k in range(changes // size):
        a, b = k * (size // 2) + 1, (k + 1) * (size // 2)
        text.append("begin; %s commit;" % " ".join(s.format(a=a, b=b) for s in (MY_INSERT, MY_UPDATE, DELETE)))
    servers.sql("mysql", "\n".join(text))


def make_tables(servers, db, table=None):
    servers.sql(db, "create database bench", db)
    servers.sql(db, table or (PG_TABLE if db == "postgres" else MY_TABLE))


# ---- scripts

def connector(servers, db, name, topic=None, **options):
    p, schema = ("PG", "public") if db == "postgres" else ("MY", "bench")
    options = dict({"name": name, "db_type": db, "host": servers.env["LS_%s_HOST" % p], "port": int(servers.env["LS_%s_PORT" % p]),
                    "user": servers.env["LS_%s_USER" % p], "password": servers.env["LS_%s_PASSWORD" % p], "database": "bench",
                    "tables": "{ \"%s.events\" }" % schema, "kafka_conf": servers.brokers, "topic": topic or name, "partitions": 3}, **options)
    return stage(servers, name, "connector", options)


def consumer(servers, name, topic, writer, **options):
    return stage(servers, name, "consumer", dict({"name": name, "group_id": name, "topic_list": topic, "kafka_conf": servers.brokers, "writer": writer}, **options))


def stage(servers, name, kind, options):
    """A script of one stage; tables, functions and calls stand for themselves."""
    path = servers.path(name + ".lua")
    with open(path, "w", encoding="utf-8") as f:
        f.write('local ls = require "list_sync"\nls.%s {\n' % kind)
        for k, v in options.items():
            raw = not isinstance(v, str) or v.startswith(("{", "ls.", "function"))
            f.write("  %s = %s,\n" % (k, str(v).lower() if isinstance(v, bool) else v if raw else '"%s"' % v))
        f.write("}\n")
    return path


def together(servers, name, scripts):
    """Their stages in one script."""
    path = servers.path(name + ".lua")
    with open(path, "w", encoding="utf-8") as out:
        for s in scripts:
            with open(s, encoding="utf-8") as f:
                out.write("do %s end\n" % f.read())
    return path


def program(servers, script):
    return Run(servers, [[PROGRAM, script, "--until-caught-up"]])


def make_topic(servers, name, partitions=3, replicas=3):
    k = ctypes.CDLL("librdkafka.so.1")
    for f in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_NewTopic_new", "rd_kafka_queue_new", "rd_kafka_queue_poll"):
        getattr(k, f).restype = ctypes.c_void_p
    why = ctypes.create_string_buffer(512)
    conf = k.rd_kafka_conf_new()
    k.rd_kafka_conf_set(ctypes.c_void_p(conf), b"bootstrap.servers", servers.brokers.encode(), why, ctypes.c_size_t(512))
    rk = ctypes.c_void_p(k.rd_kafka_new(0, ctypes.c_void_p(conf), why, ctypes.c_size_t(512)))
    wanted = ctypes.c_void_p(k.rd_kafka_NewTopic_new(name.encode(), partitions, replicas, why, ctypes.c_size_t(512)))
    queue = ctypes.c_void_p(k.rd_kafka_queue_new(rk))
    k.rd_kafka_CreateTopics(rk, ctypes.byref(wanted), ctypes.c_size_t(1), None, queue)
    event = k.rd_kafka_queue_poll(queue, 20000)
    if not event:
        raise SystemExit("topic %s: the brokers do not answer" % name)
    k.rd_kafka_event_destroy(ctypes.c_void_p(event))
    k.rd_kafka_NewTopic_destroy(wanted)
    k.rd_kafka_queue_destroy(queue)
    k.rd_kafka_destroy(rk)
    servers.wait_topic(name)


def check_size(servers, topic, changes, markers=False):
    """What was timed is what was meant."""
    n = servers.topic_size(topic)
    if n < changes or (n > changes and not markers):
        raise SystemExit("%s has %d messages of %d changes" % (topic, n, changes))


# ---- PostgreSQL, next to pg_recvlogical

def postgres(servers, out, pairs, changes, size, plugin):
    make_tables(servers, "postgres")
    servers.sql("postgres", "create publication bench for table events")
    scripts = []
    for i in range(pairs):
        scripts.append(connector(servers, "postgres", "ours%d" % i, plugin=plugin))
        program(servers, scripts[i])
        servers.sql("postgres", "select pg_create_logical_replication_slot('theirs%d', '%s')" % (i, plugin))
    change_postgres(servers, changes, size)
    end = servers.sql("postgres", "select pg_current_wal_lsn()")
    e = servers.env
    how = ["-o", "proto_version=1", "-o", "publication_names=bench"] if plugin == "pgoutput" else ["-o", "format-version=2", "-o", "include-timestamp=1"]
    for i in range(pairs):
        ours = program(servers, scripts[i])
        theirs = Run(servers, [["pg_recvlogical", "-h", e["LS_PG_HOST"], "-p", e["LS_PG_PORT"], "-U", e["LS_PG_USER"], "-d", "bench", "-S", "theirs%d" % i,
                                "--start", "-f", "/dev/null", "--endpos", end] + how], env={"PGPASSWORD": e["LS_PG_PASSWORD"]})
        check_size(servers, "ours%d" % i, changes)
        out.add(ours, theirs)


# ---- MariaDB, next to kcat with the same messages

def dump_topic(servers, topic, path):
    Run(servers, [servers.kcat("-C", "-e", "-t", topic, "-o", "beginning", "-f", "%k\t%s\n")], stdout=lambda _: path)


def mariadb(servers, out, pairs, changes, size):
    make_tables(servers, "mysql")
    scripts = [connector(servers, "mysql", "ours%d" % i) for i in range(pairs)]
    for s in scripts:
        program(servers, s)
    change_mariadb(servers, changes, size)
    texts = servers.path("messages")
    for i in range(pairs):
        ours = program(servers, scripts[i])
        check_size(servers, "ours%d" % i, changes)
        if i == 0:
            dump_topic(servers, "ours0", texts)
        make_topic(servers, "theirs%d" % i)
        theirs = Run(servers, [servers.kcat("-P", "-t", "theirs%d" % i, "-K", "\t", "-l", texts, "-X", "acks=all", "-X", "enable.idempotence=true", "-X",
                                            "compression.type=lz4", "-X", "linger.ms=5", "-X", "queue.buffering.max.messages=1000000")])
        check_size(servers, "theirs%d" % i, changes)
        out.add(ours, theirs)


# ---- Kafka to CSV

def fill_topic(servers, topic, changes, **options):
    make_tables(servers, "mysql")
    source = connector(servers, "mysql", topic, **options)
    program(servers, source)
    change_mariadb(servers, changes, 0)
    program(servers, source)


def csv(servers, out, pairs, changes):
    fill_topic(servers, "events", changes)
    for i in range(pairs):
        writer = 'ls.csv_writer { filename = "%s", split_files = true }' % servers.path("csv%d" % i)
        ours = program(servers, consumer(servers, "csv%d" % i, "events", writer))
        path = servers.path("kcat%d" % i)
        theirs = Run(servers, [servers.kcat("-C", "-e", "-t", "events", "-o", "beginning")], stdout=lambda _, path=path: path)
        os.unlink(path)
        out.add(ours, theirs)


# ---- many groups

def groups(servers, out, pairs, changes, n, processes, what):
    """n groups that each read all: into CSV files, or decoded and counted."""
    fill_topic(servers, "events", changes)
    for i in range(pairs):
        scripts = []
        for g in range(n):
            name = "g%d_%d" % (i, g)
            options = {"writer": 'ls.csv_writer { filename = "%s", split_files = true }' % servers.path(name)} if what == "csv" else \
                {"callback": "function(row) count = (count or 0) + 1 end"}
            scripts.append(stage(servers, name, "consumer", dict({"name": name, "group_id": name, "topic_list": "events", "kafka_conf": servers.brokers}, **options)))
        run = scripts if processes > 1 else [together(servers, "all%d" % i, scripts)]
        ours = Run(servers, [[PROGRAM, s, "--until-caught-up"] for s in run])
        commands = [servers.kcat("-e", "-X", "auto.offset.reset=earliest", "-G", "kcat%d_%d" % (i, g), "events") for g in range(n)]
        theirs = Run(servers, commands, stdout=(lambda g: servers.path("kcat%d" % g)) if what == "csv" else None)
        for f in os.listdir(servers.folder):
            if f.startswith(("kcat", "g%d_" % i)) and not f.endswith(".lua"):
                os.unlink(servers.path(f))
        out.add(ours, theirs)


# ---- a binlog in a file

def binlog(servers, out, pairs, changes):
    make_tables(servers, "mysql")
    path = record_binlog(servers, changes, 0)
    for _ in range(pairs):
        ours = Run(servers, [[PATHS, "binlog_json", path, "1"]])
        out.add(ours, Run(servers, [["mariadb-binlog", "--no-defaults", "-v", path]]))


def record_binlog(servers, changes, size):
    """Makes the changes, and gives the binlog file that has them alone."""
    servers.sql("mysql", "flush binary logs")
    name = servers.sql("mysql", "show master status").split("\t")[0]
    change_mariadb(servers, changes, size)
    e = servers.env
    subprocess.run(["mariadb-binlog", "--no-defaults", "--raw", "--read-from-remote-server", "-h", e["LS_MY_HOST"], "-P", e["LS_MY_PORT"], "-u", e["LS_MY_USER"],
                    "--result-file=" + servers.path(""), name], check=True, env=dict(os.environ, MYSQL_PWD=e["LS_MY_PASSWORD"]))
    return servers.path(name)


# ---- exactly_once, next to at_least_once

def exact(servers, out, pairs, changes, db):
    make_tables(servers, db)
    both = [[connector(servers, db, "%s%d" % (d, i), delivery=d) for d in ("exactly_once", "at_least_once")] for i in range(pairs)]
    for pair in both:
        for s in pair:
            program(servers, s)
    (change_postgres if db == "postgres" else change_mariadb)(servers, changes, 0)
    for i, pair in enumerate(both):
        out.add(*[program(servers, s) for s in pair])
        check_size(servers, "exactly_once%d" % i, changes, True)
        check_size(servers, "at_least_once%d" % i, changes)


def exact_csv(servers, out, pairs, changes):
    fill_topic(servers, "events", changes)
    for i in range(pairs):
        pair = []
        for d in ("exactly_once", "at_least_once"):
            writer = 'ls.csv_writer { filename = "%s", split_files = true }' % servers.path("%s%d" % (d, i))
            pair.append(program(servers, consumer(servers, "%s%d" % (d, i), "events", writer, delivery=d, consumer_id="%s%d" % (d, i))))
        out.add(*pair)


# ---- brokers that are far away

LINE_BYTES_S, LINE_SECONDS, APART_SECONDS = 20e6 / 8, 0.2, 0.02  # seconds there and back


def far_csv(servers, out, pairs, changes, **options):
    """Next to what the line alone takes for what the topic's leaders have stored."""
    fill_topic(servers, "events", changes)
    size = servers.stored("events")
    servers.network(kind="line", bytes_s=LINE_BYTES_S, seconds=LINE_SECONDS / 2)
    for i in range(pairs):
        writer = 'ls.csv_writer { filename = "%s", split_files = true }' % servers.path("csv%d" % i)
        out.add(program(servers, consumer(servers, "csv%d" % i, "events", writer, kafka_conf=servers.far, **options)), Given(size / LINE_BYTES_S))


def far_csv_24(servers, out, pairs, changes):
    far_csv(servers, out, pairs, changes, memory="24MiB")


def far_csv_96(servers, out, pairs, changes):
    far_csv(servers, out, pairs, changes, memory="96MiB")


def apart(servers, out, pairs, changes, batch, memory):
    make_tables(servers, "postgres")
    conf = '{ ["bootstrap.servers"] = "%s", ["batch.size"] = %d }' % (servers.far, batch)
    both = [[connector(servers, "postgres", "%s%d" % (name, i), kafka_conf=conf, memory=memory) for name in ("far", "near")] for i in range(pairs)]
    for pair in both:
        for s in pair:
            program(servers, s)
    change_postgres(servers, changes, 0)
    for far, near in both:
        servers.network(kind="delay", seconds=APART_SECONDS / 2)
        ours = program(servers, far)
        servers.network(kind="pass")
        out.add(ours, program(servers, near))


# ---- growth: twice as much of something, next to once

def grown(servers, out, pairs, changes, what):
    """Each side: a database of MariaDB with its connector. Twice the columns are as many changes; twice the tables have twice the changes."""
    sides = []
    for side, times in (("twice", 2), ("once", 1)):
        columns = 20 * times if what == "columns" else 20
        tables = 200 * times if what == "tables" else 1
        rows = changes * times if what == "rows" else changes
        text = ["create database %s; use %s;" % (side, side)]
        for t in range(tables):
            text.append("create table t%d (id int primary key, %s);" % (t, ", ".join("c%d varchar(20)" % c for c in range(columns))))
        servers.sql("mysql", "\n".join(text), "mysql")
        each = rows if what != "tables" else changes // 200
        sides.append((side, tables, "insert into %s.t{t} select seq, %s from seq_1_to_%d;" % (side, ", ".join("concat('value ', seq %% 17 + %d)" % c for c in range(columns)), each)))
    scripts = [[connector(servers, "mysql", "%s%d" % (side, i), database=side, tables='{ "%s.*" }' % side) for side, _, _ in sides] for i in range(pairs)]
    for pair in scripts:
        for s in pair:
            program(servers, s)
    for _, tables, text in sides:
        servers.sql("mysql", "\n".join(text.format(t=t) for t in range(tables)), "mysql")
    for pair in scripts:
        out.add(*[program(servers, s) for s in pair])


def many_tables(servers, out, pairs, _changes, db):
    """5,000 tables, and nothing in them: the start of a connector that has run before."""
    make_tables(servers, db)
    name = "t" if db == "postgres" else "bench.t"
    servers.sql(db, "\n".join("create table %s%d (id int primary key, a varchar(20), b timestamp, c numeric(12,2));" % (name, t) for t in range(5000)))
    for i in range(pairs):
        script = connector(servers, db, "many%d" % i, tables='{ "%s.*" }' % ("public" if db == "postgres" else "bench"))
        program(servers, script)
        out.add(program(servers, script), Given(2))


# ---- the time from a commit to a message that can be read

PACE, SECONDS, IDLE_SECONDS, WARM_SECONDS = 1000, 20, 10, 60  # the brokers compile themselves while they warm up


def paced(servers, db, seconds):
    """Commits PACE transactions a second, a row each, whose first text is the time at which it was begun, in seconds since 1970."""
    e = servers.env
    if db == "postgres":
        path = servers.path("pace.sql")
        with open(path, "w", encoding="ascii") as f:
            f.write("insert into events select nextval('ids'), extract(epoch from clock_timestamp()), 'example.org', now();\n")
        subprocess.run(["pgbench", "-n", "-M", "prepared", "-c", "4", "-j", "1", "-R", str(PACE), "-T", str(seconds), "-f", path, "-h", e["LS_PG_HOST"],
                        "-p", e["LS_PG_PORT"], "-U", e["LS_PG_USER"], "bench"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=dict(os.environ, PGPASSWORD=e["LS_PG_PASSWORD"]))
        return
    client = subprocess.Popen(["mariadb", "--no-defaults", "--protocol=tcp", "-h", e["LS_MY_HOST"], "-P", e["LS_MY_PORT"], "-u", e["LS_MY_USER"], "bench"],
                              stdin=subprocess.PIPE, env=dict(os.environ, MYSQL_PWD=e["LS_MY_PASSWORD"]))
    first, sent, began = int(servers.sql(db, "select coalesce(max(id), 0) + 1 from events")), 0, time.monotonic()
    while sent < seconds * PACE:
        while sent < (time.monotonic() - began) * PACE:
            client.stdin.write(b"insert into events select %d, unix_timestamp(sysdate(6)), 'example.org', now();\n" % (first + sent))
            sent += 1
        client.stdin.flush()
        time.sleep(0.001)
    client.stdin.close()
    client.wait()


def seen(servers, topic, warm, measured):
    """[milliseconds] of the messages that come while measured() runs: the reader's clock is the database's. It reads while warm() runs, too, since brokers have to compile
    what a reader asks of them as well."""
    reader = subprocess.Popen(servers.kcat("-u", "-C", "-t", topic, "-o", "end", "-X", "fetch.wait.max.ms=100", "-X", "socket.nagle.disable=true"), stdout=subprocess.PIPE)
    out = []

    def read():
        for line in reader.stdout:
            now = time.time()
            out.append((now - float(re.search(rb'"category","value":"([0-9.]+)"', line).group(1))) * 1000)

    thread = threading.Thread(target=read)
    thread.start()
    warm()
    before = len(out)
    measured()
    reader.terminate()
    thread.join()
    return out[before:]


def delay(servers, out, runs, _changes, db):
    make_tables(servers, db)
    if db == "postgres":
        servers.sql(db, "create sequence ids")
    script = connector(servers, db, "events")
    program(servers, script)
    for _ in range(runs):
        p = subprocess.Popen([PROGRAM, script], stderr=subprocess.DEVNULL)
        cpu = []

        def measured():
            cpu.append(cpu_of(p.pid))
            paced(servers, db, SECONDS)
            cpu.append(cpu_of(p.pid))

        ms = seen(servers, "events", lambda: paced(servers, db, WARM_SECONDS), measured)
        idle = cpu_of(p.pid)
        time.sleep(IDLE_SECONDS)
        idle = cpu_of(p.pid) - idle
        mib = peak_mib(p.pid)
        p.terminate()
        p.wait()
        out.add(ms, (cpu[1] - cpu[0]) / SECONDS, idle / IDLE_SECONDS, mib)


# ---- memory over very many rows

LONG_STEPS, LONG_SECONDS = 50, 600  # so many changes each; the longest that a step may take


def wait_size(servers, topic, messages, process):
    end = time.monotonic() + LONG_SECONDS
    while servers.topic_size(topic) < messages:
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit("the connector has not sent %d messages (%s)" % (messages, process.returncode))
        time.sleep(0.5)


def long_connect(servers, out, changes, db, p):
    for i in range(LONG_STEPS):
        (change_postgres if db == "postgres" else change_mariadb)(servers, changes, 0)
        wait_size(servers, "events", (i + 1) * changes + i * 3, p)
        out.add("connector", p.pid)
        servers.sql(db, "truncate events")  # a message in each of the three partitions
    p.terminate()
    if p.wait():
        raise SystemExit("the connector ended with %d" % p.returncode)


def long(servers, out, changes, db):
    make_tables(servers, db)
    script = connector(servers, db, "events")
    program(servers, script)
    p = subprocess.Popen([PROGRAM, script], stderr=subprocess.DEVNULL)
    try:
        long_connect(servers, out, changes, db, p)
        p = subprocess.Popen([PROGRAM, consumer(servers, "csv", "events", 'ls.csv_writer { filename = "%s" }' % servers.path("csv")), "--until-caught-up"],
                             stderr=subprocess.DEVNULL)
        while p.poll() is None:
            out.add("consumer", p.pid)
            time.sleep(1)
        if p.returncode:
            raise SystemExit("the consumer ended with %d" % p.returncode)
    finally:
        p.kill()


PG_REFERENCE, KCAT_REFERENCE = "pg_recvlogical to /dev/null", "kcat -P of the same keyed messages"
# name: what of ours, the reference, the goal of the ratio of the seconds and of the CPU seconds; what makes the pairs, and its own arguments
ALL = {
    "pg-one": ("PostgreSQL to three brokers, one transaction", PG_REFERENCE, 0.6, None, postgres, 0, "pgoutput"),
    "pg-100": ("PostgreSQL to three brokers, transactions of 100", PG_REFERENCE, 0.8, None, postgres, 100, "pgoutput"),
    "pg-1": ("PostgreSQL to three brokers, transactions of 1", PG_REFERENCE, 0.8, None, postgres, 1, "pgoutput"),
    "pg-wal2json": ("PostgreSQL with wal2json to three brokers, one transaction", PG_REFERENCE, 0.8, None, postgres, 0, "wal2json"),
    "my-one": ("MariaDB to three brokers, one transaction", KCAT_REFERENCE, 1.3, 1.5, mariadb, 0),
    "my-100": ("MariaDB to three brokers, transactions of 100", KCAT_REFERENCE, 1.3, 1.5, mariadb, 100),
    "csv": ("Kafka to CSV files, split_files", "kcat -C to a file", 1.0, 1.5, csv),
    "binlog": ("a binlog file to messages in memory, one thread", "mariadb-binlog -v of the same file", 0.5, None, binlog),
    "groups-10": ("10 groups to CSV files, one process", "10 kcat -G to files", 1.3, None, groups, 10, 1, "csv"),
    "groups-10x": ("10 groups to CSV files, ten processes", "10 kcat -G to files", 1.3, None, groups, 10, 10, "csv"),
    "groups-30": ("30 groups that count rows, one process", "30 kcat -G to /dev/null", 1.5, None, groups, 30, 1, "count"),
    "groups-50": ("50 groups that count rows, one process", "50 kcat -G to /dev/null", 1.5, None, groups, 50, 1, "count"),
    "groups-80": ("80 groups that count rows, one process", "80 kcat -G to /dev/null", 1.5, None, groups, 80, 1, "count"),
    "groups-100": ("100 groups that count rows, one process", "100 kcat -G to /dev/null", 1.5, None, groups, 100, 1, "count"),
    "exact-pg": ("PostgreSQL to three brokers, one transaction, exactly_once", "the same, at_least_once", 1.15, None, exact, "postgres"),
    "exact-my": ("MariaDB to three brokers, one transaction, exactly_once", "the same, at_least_once", 1.15, None, exact, "mysql"),
    "exact-csv": ("Kafka to CSV files, split_files, exactly_once", "the same, at_least_once", 1.15, None, exact_csv),
    "far-csv": ("Kafka to CSV files behind 200 ms and 20 Mbit/s", "the time that the line takes for the stored bytes", 1.1, None, far_csv),
    "far-csv-24": ("the same with memory = 24 MiB, of which a fetch's size follows", "the time that the line takes for the stored bytes", 1.1, None, far_csv_24),
    "far-csv-96": ("the same with memory = 96 MiB", "the time that the line takes for the stored bytes", 1.1, None, far_csv_96),
    "apart-pg": ("PostgreSQL to three brokers 20 ms away", "the same without the distance", 1.3, None, apart, 1000000, "12MiB"),
    "apart-pg-2": ("the same with batch.size = 2000000 and memory = 16 MiB", "the same without the distance", 1.3, None, apart, 2000000, "16MiB"),
    "growth-rows": ("twice the rows from MariaDB", "once", 2.1, None, grown, "rows"),
    "growth-columns": ("twice the columns from MariaDB", "once", 2.1, None, grown, "columns"),
    "growth-tables": ("twice the tables from MariaDB, each with as many rows", "once", 2.1, None, grown, "tables"),
    "tables-pg": ("a start with 5,000 tables of PostgreSQL", "2 seconds", 1.0, None, many_tables, "postgres"),
    "tables-my": ("a start with 5,000 tables of MariaDB", "2 seconds", 1.0, None, many_tables, "mysql"),
}
FAR = ("far-csv", "far-csv-24", "far-csv-96", "apart-pg", "apart-pg-2")  # their clients go through the proxy


# the same of delays: the goals are those of p50 and p99, in milliseconds, and of the idle program's part of one processor
DELAYS = {
    "delay-pg": ("PostgreSQL to three brokers", "1,000 transactions a second, default settings", (5, 25, 0.005), delay, "postgres"),
    "delay-my": ("MariaDB to three brokers", "1,000 transactions a second, default settings", (5, 25, 0.005), delay, "mysql"),
}


def large_rows(servers, out, db):
    make_tables(servers, db, LARGE_TABLE[db])
    source = connector(servers, db, "events", partitions=1)
    program(servers, source)
    large(servers, out, db, source, consumer(servers, "csv", "events", 'ls.csv_writer { filename = "%s" }' % servers.path("csv")))


LARGE = {
    "large-pg": ("a row of PostgreSQL to Kafka and to a CSV file: memory", "8 times its size", 8, large_rows, "postgres"),
    "large-my": ("a row of MariaDB to Kafka and to a CSV file: memory", "8 times its size", 8, large_rows, "mysql"),
}


LONG = {
    "long-pg": ("PostgreSQL to Kafka, then to a CSV file: memory", "itself, earlier", long, "postgres"),
    "long-my": ("MariaDB to Kafka, then to a CSV file: memory", "itself, earlier", long, "mysql"),
}


def compare(servers, name, pairs, changes):
    if name in LONG:
        what, _, make, db = LONG[name]
        changes = max(4, changes - changes % 4)
        out = Memory(name, what, LONG_STEPS * changes)
        make(servers, out, changes, db)
        return out
    if name in LARGE:
        what, _, goal, make, db = LARGE[name]
        out = Large(name, what, goal)
        make(servers, out, db)
        return out
    if name in DELAYS:
        *shown, make, db = DELAYS[name]
        out = Delays(name, *shown)
        make(servers, out, pairs, changes, db)
        return out
    *shown, make = ALL[name][:5]
    out = Pairs(name, *shown)
    make(servers, out, pairs + 1, changes, *ALL[name][5:])
    return out
