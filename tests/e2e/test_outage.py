"""Outages: brokers that hang or are killed, databases that hang, restart, take no more connections. Programs stay alive within their memory, say so once, and nothing
is lost. The servers are this module's own, with short time-outs, so that what would take an hour to be cut is cut within seconds.

LIST_SYNC_E2E_OUTAGE_S   seconds that the brokers are away (10)
LIST_SYNC_E2E_OUTAGE_MB  megabytes of changes that each database commits meanwhile (60): many times what a connector may hold"""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import lib
from lib import MIB, Case, messages, my, pg, report, run, values, wait_until
from own import Servers

AWAY_S = float(os.environ.get("LIST_SYNC_E2E_OUTAGE_S", "10"))
AWAY_MB = int(os.environ.get("LIST_SYNC_E2E_OUTAGE_MB", "60"))
MEMORY_MIB = 8      # what a connector may hold
SLACK_MIB = 12      # what the client library and the allocator take beside that
DRAIN_S = 30        # LS_DRAIN_MS
ROW = 1000          # bytes
STEP = 2000         # rows of a transaction
PATIENCE_S = 300
TABLE = "create table t (id int primary key, v text)"
SERIES = {"postgres": "select n, repeat('x', %d) from generate_series(%d, %d) n", "mysql": "select seq, repeat('x', %d) from seq_%d_to_%d"}
servers = None


def setUpModule():
    global servers
    # what an hour would cut is cut within seconds: walsenders that are not answered, dumps that are not read, sessions that are idle
    servers = Servers(pg_options="-c wal_sender_timeout=3s -c max_connections=20 -c authentication_timeout=2s -c superuser_reserved_connections=3")
    my("set global net_write_timeout = 3; set global net_read_timeout = 3; set global wait_timeout = 5; set global slave_net_timeout = 4; set global connect_timeout = 3")


def tearDownModule():
    servers.stop()


def shut(*sockets):
    for s in sockets:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Slow:
    """Stands before a server and passes on what comes, but what the first clients say only after `hold` seconds: from their packet number `behind` on."""

    def __init__(self, port, clients, hold, behind=0):
        self.port, self.clients, self.hold, self.behind = port, clients, hold, behind
        self.held = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            self.clients -= 1
            threading.Thread(target=self.pass_on, args=(client, server, self.hold if self.clients >= 0 else 0), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(server, client, 0), daemon=True).start()

    def pass_on(self, one, other, hold):
        try:
            number, data = 0, one.recv(65536)
            while data:
                if hold and number == self.behind:
                    self.held.set()
                    time.sleep(hold)  # that is the fault
                number += 1
                other.sendall(data)
                data = one.recv(65536)
        except OSError:
            pass
        shut(one, other)


class Deaf(Slow):
    """Passes on what comes, until the connections that there are fall silent for ever: neither end is told."""

    def __init__(self, port):
        self.silent, self.kept = [], []
        super().__init__(port, 0, 0)

    def pass_on(self, one, other, hold):
        self.silent.append(silent := threading.Event())
        try:
            while (data := one.recv(65536)) and not silent.is_set():
                other.sendall(data)
        except OSError:
            pass
        if silent.is_set():
            self.kept += [one, other]  # else they would be closed
            return
        shut(one, other)

    def fall_silent(self):
        for s in self.silent:
            s.set()


class Outage(Case):
    def tearDown(self):
        for name in list(servers.commands):
            servers.start(name)
        servers.wake_all()
        super().tearDown()

    def rows(self, db, first, last):
        for n in range(first, last + 1, STEP):
            self.sql(db, "insert into t " + SERIES[db] % (ROW, n, min(n + STEP - 1, last)))

    def session(self, db):
        """The server's own number of the stream's session."""
        if db == "postgres":
            return pg("select active_pid from pg_replication_slots where slot_name = '%s'" % self.name(db))
        return my("select max(id) from information_schema.processlist where command = 'Binlog Dump'")

    def ids(self, db):
        """How often each row has come."""
        count = {}
        for line in run(lib.KCAT + ["-C", "-e", "-t", self.topic_of(db), "-o", "beginning", "-f", "%k\n"]).split():
            count[int(line)] = count.get(int(line), 0) + 1
        return count

    def said(self, p, level="warning"):
        return [line for line in p.log().split("\n") if " %s: " % level in line]

    def once(self, p, recovery):
        """One warning, and one line that it is over."""
        p.wait_log(recovery)
        self.assertEqual(len(self.said(p)), 1, p.log()[-3000:])
        self.assertEqual(len(re.findall(recovery, p.log())), 1, p.log()[-3000:])

    def brokers(self, do):
        for name in servers.brokers:
            do(name)

    def away(self, go, come_back, pairs, meanwhile=lambda: None):
        """Kafka goes away while the databases go on."""
        running = {}
        for db, delivery in pairs:
            script = self.script(self.connector(db, delivery=delivery, memory="%dMiB" % MEMORY_MIB), name=db + ".lua")
            running[db] = self.start_connector(script)
            self.rows(db, 1, 100)
            wait_until(lambda db=db: len(self.ids(db)) == 100, "the first rows", programs=[running[db]])
        base = {db: p.peak_memory() for db, p in running.items()}
        sessions = {db: self.session(db) for db in running}
        last = 100 + AWAY_MB * 1000000 // ROW
        self.brokers(go)
        began = time.monotonic()
        for db in running:
            self.rows(db, 101, last)
        while time.monotonic() - began < AWAY_S:
            for db in running:
                last_of = last + 1 + int((time.monotonic() - began) * 4)
                self.sql(db, "insert into t select %d, 'small' where not exists (select 1 from t where id = %d)" % (last_of, last_of))
            time.sleep(0.2)  # a pace, not a wait
        meanwhile()
        gone = time.monotonic() - began
        wanted = {db: int(self.sql(db, "select count(*) from t")) for db in running}
        for db, p in running.items():
            self.assertFalse(p.ended(), p.log()[-3000:])
            self.assertEqual(self.session(db), sessions[db], "the server has cut the stream\n" + p.log()[-2000:])
        self.brokers(come_back)
        servers.wait_for_brokers()
        back = time.monotonic()
        for db, p in running.items():
            wait_until(lambda db=db: len(self.ids(db)) == wanted[db], "all rows of " + db, PATIENCE_S, [p])
            more = p.peak_memory() - base[db]
            report("%s: %.0f s without Kafka, %d rows of %d MB; %.1f s after its return all are there; memory %.1f MiB + %.1f MiB"
                   % (db, gone, wanted[db], AWAY_MB, time.monotonic() - back, base[db] / MIB, more / MIB))
            self.assertLess(more, (MEMORY_MIB + SLACK_MIB) * MIB)
            self.once(p, "Kafka answers again after")
            self.assertEqual(p.stop(), 0, p.log()[-3000:])
        for db, delivery in pairs:
            if delivery == "exactly_once":
                self.assertEqual({n for n in self.ids(db).values()}, {1}, "rows that came twice")

    def test_connections_that_are_dead(self):
        """The server ends its session after wal_sender_timeout, of which nothing comes through; or, without one, waits for ever, until we end it."""
        self.databases(TABLE)
        deaf = Deaf(int(lib.SERVERS["postgres"]["port"]))
        running = {}
        for limit in ("3s", "0"):
            self.pg("alter database %s set wal_sender_timeout = '%s'" % (self.id_, limit))
            name = self.name("postgres") + "_" + limit
            running[name] = self.start_connector(self.script(self.connector("postgres", name=name, port=deaf.socket.getsockname()[1], topic=name), name=name + ".lua"))
        self.rows("postgres", 1, 10)
        for name, p in running.items():
            self.wait_messages(name, 10, [p])
        deaf.fall_silent()
        self.rows("postgres", 11, 20)
        for name, p in running.items():
            self.wait_messages(name, 20, [p])
            self.assertRegex(p.log(), r"warning: PostgreSQL at .* has sent nothing for 30 s")
            self.assertRegex(p.log(), r"the connection is dead")
            self.assertEqual(p.stop(), 0, p.log()[-3000:])
            self.assertEqual([values(m["columns"])["id"] for m in messages(name)], list(range(1, 21)))

    def test_a_dead_binlog_stream_that_does_not_end(self):
        """MariaDB writes to the dead connection, which no KILL ends, and lets no new stream under its server_id begin."""
        self.databases(TABLE)
        deaf = Deaf(int(lib.MY["port"]))
        made, given = [self.start_connector(self.script(self.connector("mysql", name=name, port=deaf.socket.getsockname()[1], topic=name, **options), name=name + ".lua"))
                       for name, options in ((self.id_ + "_made", {}), (self.id_ + "_given", {"server_id": 77}))]
        self.rows("mysql", 1, 10)
        for name in ("_made", "_given"):
            self.wait_messages(self.id_ + name, 10, [made, given])
        deaf.fall_silent()
        self.rows("mysql", 11, 20 * STEP)
        wait_until(lambda: "has not begun the stream" in made.log() or len(messages(self.id_ + "_made")) > 10, "another stream", programs=[made])
        if "has not begun the stream" not in made.log():
            self.skipTest("this MariaDB does not wait")
        self.assertRegex(made.log(), r"within 10 s, as if it waited for an older one under server_id \d+ to end; reads under \d+")
        self.wait_messages(self.id_ + "_made", 20 * STEP, [made, given])
        self.assertEqual(len(messages(self.id_ + "_given")), 10)
        for s in deaf.kept:
            shut(s)
            s.close()
        self.wait_messages(self.id_ + "_given", 20 * STEP, [given])
        self.once(given, "the database answers again after")
        for name, p in (("_made", made), ("_given", given)):
            self.assertEqual(p.stop(), 0, p.log()[-3000:])
            self.assertEqual(sorted(values(m["columns"])["id"] for m in messages(self.id_ + name)), list(range(1, 20 * STEP + 1)))

    def test_brokers_that_are_killed(self):
        """A consumer lives through it, too."""
        self.databases(TABLE)
        reader = self.start(self.script(self.consumer(topic_list=[self.topic_of("postgres")]), name="consumer.lua"))
        self.away(servers.end, servers.start, [("postgres", "exactly_once"), ("mysql", "at_least_once")])
        rows = int(self.pg("select count(*) from t"))
        wait_until(lambda: len(self.lines("out_out.csv")) == rows + 1, "the rows and a head in the file", PATIENCE_S, [reader])
        self.assertEqual(len({line.split(",", 3)[2] for line in self.lines("out_out.csv")}), rows + 1)
        self.once(reader, "the brokers answer again")
        self.assertEqual(reader.stop(), 0, reader.log()[-3000:])

    def test_brokers_that_hang(self):
        """Some programs stay, others are stopped meanwhile: SIGTERM ends each of these in time, whatever it waits for."""
        self.databases(TABLE)
        running = self.some_to_be_stopped()
        self.away(servers.halt, servers.wake, [("postgres", "at_least_once"), ("mysql", "exactly_once")], lambda: self.stop_in_time(running))

    def some_to_be_stopped(self):
        running = {}
        for db in ("postgres", "mysql"):
            for delivery in ("at_least_once", "exactly_once"):
                name = "%s_%s" % (self.name(db), delivery)
                part = self.connector(db, name=name, delivery=delivery, memory="%dMiB" % MEMORY_MIB, topic=self.topic + "_stopped", server_id=len(running) + 7 if db == "mysql" else None)
                running[name] = self.start_connector(self.script(part, name=name + ".lua"))
        pair = self.script(self.connector("postgres", name=self.id_ + "_pair", standby=True), name="pair.lua")
        running["turn"] = self.start_connector(pair)
        running["standby"] = self.start(pair)
        running["standby"].wait_log("waits as standby")
        running["consumer"] = self.start(self.script(self.consumer(topic_list=[self.topic_of("postgres")]), name="consumer.lua"))
        running["consumer"].wait_log("holds 1 partition")
        return running

    def stop_in_time(self, running):
        late = running["late"] = self.start("pair.lua")
        wait_until(lambda: len(os.listdir("/proc/%d/task" % late.process.pid)) > 3, "its client's threads", programs=[late])  # it has found no broker yet
        began = time.monotonic()
        for p in running.values():
            p.process.send_signal(signal.SIGTERM)
        took = {}
        while len(took) < len(running) and time.monotonic() < began + 2 * DRAIN_S:
            for name in [n for n, p in running.items() if n not in took and p.ended()]:
                took[name] = time.monotonic() - began
            time.sleep(0.05)
        report("stopped while the brokers hang: " + ", ".join("%s %.1f s" % (n.replace(self.id_ + "_", ""), t) for n, t in took.items()))
        for name, p in running.items():
            self.assertLess(took.get(name, 2 * DRAIN_S), DRAIN_S + 2, name + "\n" + p.log()[-3000:])
            self.assertEqual(p.code(), 0, name + "\n" + p.log()[-3000:])
        self.assertLess(took["standby"], 5)

    def test_standby_while_kafka_is_away(self):
        """The group is away for longer than its session: afterwards one of the two runs, and if it is the other one, the first ends with 4."""
        self.databases(TABLE)
        script = self.script(self.connector("postgres", standby=True))
        one = self.start_connector(script)
        two = self.start(script)
        two.wait_log("waits as standby")
        self.rows("postgres", 1, 1000)
        wait_until(lambda: len(self.ids("postgres")) == 1000, "the first rows", programs=[one])
        self.brokers(servers.halt)
        self.rows("postgres", 1001, 2000)
        one.wait_log("nothing is sent until the group says whose turn it is")
        self.assertFalse(one.ended() or two.ended())
        self.brokers(servers.wake)
        servers.wait_for_brokers()
        wait_until(lambda: len(self.ids("postgres")) == 2000, "all rows", 2 * lib.WAIT)
        wait_until(lambda: one.ended() or "it is still this program's turn" in one.log(), "what the group says")
        again = not one.ended()
        if again:
            self.assertFalse(one.ended() or two.ended(), one.log() + two.log())
        else:
            self.assertEqual(one.wait(), 4, one.log())
            self.assertIn("takes over", two.log())
        report("after the outage the %s program runs" % ("same" if again else "other"))
        self.assertEqual([p.stop() for p in ((one, two) if again else (two,))], [0, 0] if again else [0], one.log() + two.log())

    # ---- the databases

    def both_connectors(self, **options):
        """One program for each database, with the first rows through."""
        running = {}
        for db in ("postgres", "mysql"):
            running[db] = self.start_connector(self.script(self.connector(db, **options), name=db + ".lua"))
            self.rows(db, 1, 10)
        for db, p in running.items():
            wait_until(lambda db=db: len(self.ids(db)) == 10, "the first rows", programs=[p])
        return running

    def all_came(self, running, count, recovery):
        for db, p in running.items():
            wait_until(lambda db=db: len(self.ids(db)) == count, "all rows of " + db, 2 * lib.WAIT, [p])
            self.assertEqual(set(self.ids(db).values()), {1}, "rows that came twice")
            self.once(p, recovery)
            self.assertEqual(p.stop(), 0, p.log()[-3000:])

    def test_databases_that_crash(self):
        self.databases(TABLE)
        running = self.both_connectors()
        servers.end("postgres", signal.SIGQUIT)
        servers.end("mariadb")
        for p in running.values():
            p.wait_log("trying again until it works")
        servers.start("postgres")
        servers.start("mariadb")
        for db in running:
            wait_until(lambda db=db: self.answers(db), db + " is back")
            self.rows(db, 11, 3000)
        self.all_came(running, 3000, "the database answers again after")

    def answers(self, db):
        try:
            return self.sql(db, "select 1") == "1"
        except RuntimeError:
            return False

    def test_databases_that_hang(self):
        """Beside them programs that are started while they hang, or whose servers' names do not resolve: they wait, and a stop ends that."""
        self.databases(TABLE)
        running = self.both_connectors()
        servers.halt("postgres")
        servers.halt("mariadb")
        late = [self.start(self.script(self.connector(db, name="%s_%d" % (db, i), **o), name="%s_%d.lua" % (db, i)))
                for db in running for i, o in enumerate(({}, {"host": "nobody.invalid"}, {"kafka_conf": "nobody.invalid:9092"}))]
        for p in late:
            p.wait_log("trying again until it works")
        for p in late:
            p.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        for p in late:
            self.assertEqual(p.wait(), 0, p.log())
            self.assertEqual(len(self.said(p)), 1, p.log())
        self.assertLess(time.monotonic() - began, DRAIN_S)
        for p in running.values():
            p.wait_log("has sent nothing for 30 s")
            self.assertFalse(p.ended())
        servers.wake("postgres")
        servers.wake("mariadb")
        for db in running:
            self.rows(db, 11, 3000)
        self.all_came(running, 3000, "answers again after")

    def test_a_stop_while_a_database_hangs(self):
        """While it streams, and in the midst of a question to it."""
        self.databases(TABLE)
        programs = list(self.both_connectors().values())
        for db, server, login in (("postgres", lib.PG, 4), ("mysql", lib.MY, 1)):
            hangs = Slow(int(server["port"]), 1, 4 * DRAIN_S, login)
            self.addCleanup(hangs.socket.close)
            programs.append(self.start(self.script(self.connector(db, name="asks_" + db, port=hangs.socket.getsockname()[1]), name=db + "_asks.lua")))
            self.assertTrue(hangs.held.wait(lib.WAIT), "the question")
        servers.halt("postgres")
        servers.halt("mariadb")
        began = time.monotonic()
        for p in programs:
            self.assertEqual(p.stop(), 0, p.log())
            self.assertLess(time.monotonic() - began, 5, p.log())

    def test_no_connection_is_left(self):
        self.databases(TABLE)
        my("set global max_connections = 10")
        self.addCleanup(my, "set global max_connections = 151")
        holders = []

        def taken(db):
            """What others had until now may be free again: it is taken, too."""
            if not self.answers(db):
                return True
            command = lib.psql_command("postgres") if db == "postgres" else lib.my_command()
            holders.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                            env=dict(os.environ, PGPASSWORD=lib.PG["password"], MYSQL_PWD=lib.MY["password"])))
            return False

        try:
            running = {}
            for db in ("postgres", "mysql"):
                wait_until(lambda db=db: taken(db), "no connection is left")
                p = running[db] = self.start(self.script(self.connector(db), name=db + ".lua"))
                p.wait_log("(too many|Too many).*trying again until it works")
        finally:
            for h in holders:
                h.kill()
                h.communicate()
        for db in running:
            wait_until(lambda db=db: self.answers(db), db + " answers")
            running[db].wait_log("captures from")
            self.rows(db, 1, 100)
        self.all_came(running, 100, "the database answers again after")

    def test_authentication_that_times_out(self):
        """What the client says to log in takes longer than the server waits for it."""
        self.databases(TABLE)
        running = {}
        for db, server in (("postgres", lib.PG), ("mysql", lib.MY)):
            slow = Slow(int(server["port"]), 2, 5)
            self.addCleanup(slow.socket.close)
            running[db] = self.start(self.script(self.connector(db, port=slow.socket.getsockname()[1]), name=db + ".lua"))
        for db, p in running.items():
            p.wait_log("trying again until it works")
            p.wait_log("captures from")
            self.rows(db, 1, 100)
        self.all_came(running, 100, "the database answers again after")

    def test_names_that_resolve_later(self):
        """In a mount namespace with a hosts file of its own, which root can have, or whom the kernel lets."""
        hosts = self.path("hosts")
        with open("/etc/hosts", encoding="utf-8") as f, open(hosts, "w", encoding="utf-8") as own:
            own.write(f.read())
        try:
            run(["unshare", "-m", "mount", "--bind", hosts, "/etc/hosts"])
        except (RuntimeError, FileNotFoundError):
            self.skipTest("no mount namespaces for this user")
        with open(self.path("inside"), "w", encoding="ascii") as f:
            f.write('#!/bin/sh\nexec unshare -m sh -c \'mount --bind "$0" /etc/hosts && exec "$@"\' %s %s "$@"\n' % (hosts, lib.PROGRAM))
        os.chmod(self.path("inside"), 0o755)
        self.addCleanup(setattr, lib, "PROGRAM", lib.PROGRAM)
        lib.PROGRAM = self.path("inside")
        self.databases(TABLE)
        brokers = ",".join("later.invalid:" + b.split(":")[1] for b in lib.BROKERS.split(","))
        options = {"postgres": {"host": "later.invalid"}, "mysql": {"kafka_conf": brokers}}
        running = {db: self.start(self.script(self.connector(db, **o), name=db + ".lua")) for db, o in options.items()}
        for p in running.values():
            p.wait_log("trying again until it works")
        with open(hosts, "a", encoding="ascii") as f:
            f.write("127.0.0.1 later.invalid\n")
        for db, p in running.items():
            p.wait_log("captures from")
            self.rows(db, 1, 100)
        self.all_came(running, 100, "(the database|Kafka) answers again after")
