"""standby = true: several programs under one name, of which one runs and the others wait. The one that runs is killed, stopped and halted (SIGSTOP)
while changes flow: the next takes over in time, nothing is lost, and the order is right."""
import os
import pty
import re
import signal
import subprocess
import time

from lib import BROKERS, KCAT, MY, PG, PROGRAM, Case, Raw, json, messages, my_command, psql_command, report, topic_partitions, values, wait_until
from test_kill import Writer

TAKEN_OVER_S = 15  # from a program's death to the next one's first message


class Tail:
    """What comes to a topic of one partition, as it comes: kcat's lines in a file. A reader that goes to the end finds none while changes flow."""

    def __init__(self, topic, path):
        wait_until(lambda: topic_partitions(topic), "topic " + topic)
        self.path = path
        with open(path, "wb") as out:
            self.process = subprocess.Popen(KCAT + ["-u", "-C", "-t", topic, "-o", "beginning", "-f", "%h\t%T\t%s\n"], stdout=out)

    def sent(self):
        """[(who, milliseconds since 1970, message)]"""
        out = []
        with open(self.path, encoding="utf-8") as f:
            for line in f.read().split("\n")[:-1]:
                header, ms, message = line.split("\t", 2)
                out.append((header.split("=")[1], int(ms), json.loads(message)))
        return out

    def first_of(self, who):
        """When the first message of a program was made, in milliseconds since 1970; 0: there is none yet."""
        with open(self.path, encoding="utf-8") as f:
            found = re.search(r"^by=%s\t(\d+)" % who, f.read(), re.MULTILINE)
        return int(found.group(1)) if found else 0

    def stop(self):
        self.process.terminate()
        self.process.wait()


def number_of(message):
    """The transaction of test_kill's Writer that a message is of: insert n, update n - 5, delete n - 10."""
    row = values(message["columns"] if message["action"] == "I" else message["identity"])["id"]
    return row + {"I": 0, "U": 5, "D": 10}[message["action"]], "IUD".index(message["action"])


def is_halted(pid):
    states = set()
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, task), encoding="ascii", errors="replace") as f:
            states.add(f.read().rsplit(")", 1)[1].split()[0])
    return states == {"T"}


class Standby(Case):
    def test_postgres(self):
        self.take_over_thrice("postgres", "at_least_once")

    def test_mariadb(self):
        self.take_over_thrice("mysql", "at_least_once")

    def test_postgres_exactly_once(self):
        self.take_over_thrice("postgres", "exactly_once")

    def test_mariadb_exactly_once(self):
        self.take_over_thrice("mysql", "exactly_once")

    def pair_script(self, db, **options):
        return self.script(self.connector(db, standby=True, headers={"by": Raw('ls.env "WHO"')}, **options))

    def start_as(self, who, *args):
        return self.start(*args, env={"WHO": who})

    def start_waiting(self, who, script):
        p = self.start_as(who, script)
        p.wait_log(r'waits as standby, the group "__list_sync\.%s_\w+" is held by another' % self.id_)
        return p

    def first_message(self, who, since, program):
        """Seconds from `since` to the first message of that program, by Kafka's own time stamps."""
        return wait_until(lambda: self.tail.first_of(who), "a message of " + who, 2 * TAKEN_OVER_S, [program]) / 1000 - since

    def take_over_thrice(self, db, delivery):
        self.databases("create table t (id int primary key, v int)")
        script = self.pair_script(db, delivery=delivery)
        if db == "postgres":
            writer = Writer(psql_command(self.id_), {"PGPASSWORD": PG["password"]})
        else:
            writer = Writer(my_command() + ["--unbuffered", self.id_], {"MYSQL_PWD": MY["password"]})
        one = self.start_as("one", script)
        one.wait_log("captures from")
        self.tail = Tail(self.topic_of(db), self.path("tail"))
        self.addCleanup(self.tail.stop)
        writer.start()
        try:
            two = self.start_waiting("two", script)
            self.first_message("one", time.time(), one)
            self.assertNotIn("standby", one.log())

            died = time.time()
            one.kill()
            took = self.first_message("two", died, two)
            report("%s: killed -9, the next one's first message after %.1f s" % (db, took))
            self.assertLess(took, TAKEN_OVER_S)
            self.assertEqual(len(re.findall("waits as standby", two.log())), 1)
            self.assertEqual(len(re.findall("takes over", two.log())), 1)

            three = self.start_waiting("three", script)
            died = time.time()
            self.assertEqual(two.stop(), 0, two.log()[-3000:])
            took = self.first_message("three", died, three)
            report("%s: stopped by SIGTERM, the next one's first message after %.1f s" % (db, took))
            self.assertLess(took, TAKEN_OVER_S)

            four = self.start_waiting("four", script)
            died = time.time()
            three.process.send_signal(signal.SIGSTOP)
            wait_until(lambda: is_halted(three.process.pid), "the end of all that it does")
            halted = writer.committed
            took = self.first_message("four", died, four)
            report("%s: halted, the next one's first message after %.1f s" % (db, took))
            self.assertLess(took, TAKEN_OVER_S)
            before = writer.committed
            woke = time.time()
            three.process.send_signal(signal.SIGCONT)
            self.assertEqual(three.wait(), 4, three.log()[-3000:])
            report("%s: waking up, it ended after %.1f s" % (db, time.time() - woke))
            wait_until(lambda: writer.committed > before + 100, "changes after the last take-over", programs=[four])
            self.assertIsNone(writer.error)
        finally:
            writer.stop()
        self.assertEqual(four.stop(), 0, four.log()[-3000:])
        self.assertEqual(self.start_as("five", script, "--until-caught-up").wait(), 0)
        wait_until(lambda: any(number_of(m) == (writer.committed, 2) for _, _, m in self.tail.sent()), "the last delete")
        self.check(db, delivery, writer.committed, halted)

    def check(self, db, delivery, committed, halted):
        """halted: transactions that the database had confirmed when the third program was halted; the writer's next may have been committed, too."""
        last, highest, repeats, late, seen = None, {}, 0, 0, set()
        order = ["one", "two", "three", "four", "five"]
        for who, ms, message in self.tail.sent():
            n = number_of(message)
            if last is not None and order.index(who) < order.index(last):
                late += 1  # what lay in the client of a program that was halted goes out when it wakes up
                self.assertEqual(who, "three")
                self.assertLessEqual(n[0], halted + 1, "a program that was halted has sent what came after that")
                continue
            self.assertGreater(n, highest.get(who, (0, 0)), "the order of what %s sent" % who)
            if last not in (None, who):
                self.assertLessEqual(n, (highest[last][0] + 1, 0), "the first message of %s leaves some out behind those of %s" % (who, last))
            highest[who], last = n, who
            repeats += n in seen
            seen.add(n)
        wanted = {(n, k) for n in range(1, committed + 1) for k, behind in enumerate((0, 5, 10)) if n > behind}
        self.assertEqual(wanted - seen, set(), "changes that were lost")
        report("%s, %s: %d transactions, %d repeats; the halted program sent %d messages when it woke up" % (db, delivery, committed, repeats, late))
        if delivery == "exactly_once":
            self.assertEqual((repeats, late), (0, 0))

    def test_a_waiting_program_is_stopped(self):
        self.databases("create table t (id int primary key)")
        script = self.pair_script("postgres")
        one = self.start_as("one", script)
        one.wait_log("captures from")
        two = self.start_as("two", script)
        two.wait_log("waits as standby")
        began = time.monotonic()
        self.assertEqual(two.stop(), 0)
        self.assertLess(time.monotonic() - began, 3)
        self.assertNotIn("takes over", two.log())
        self.assertFalse(one.ended(), one.log()[-3000:])
        self.pg("insert into t values (1)")
        self.wait_messages(self.topic_of("postgres"), 1, [one])
        self.assertEqual(one.stop(), 0)

    def test_until_caught_up_waits_for_its_turn(self):
        self.databases("create table t (id int primary key)")
        script = self.pair_script("mysql")
        one = self.start_as("one", script)
        one.wait_log("captures from")
        two = self.start_as("two", script, "--until-caught-up")
        two.wait_log("waits as standby")
        self.my("insert into t values (1)")
        self.wait_messages(self.topic_of("mysql"), 1, [one])
        self.assertFalse(two.ended())
        one.kill()
        self.my("insert into t values (2)")
        self.assertEqual(two.wait(2 * TAKEN_OVER_S), 0, two.log()[-3000:])
        self.assertEqual({values(m["columns"])["id"] for m in messages(self.topic_of("mysql"))}, {1, 2})

    def test_the_status_line(self):
        self.databases("create table t (id int primary key)")
        script = self.pair_script("postgres")
        one = self.start_as("one", script)
        one.wait_log("captures from")
        shown, terminal = pty.openpty()
        two = subprocess.Popen([PROGRAM, script], cwd=self.dir, stdin=subprocess.DEVNULL, stderr=terminal, env=dict(os.environ, WHO="two"))
        try:
            text = ""
            while "%s standby" % self.name("postgres") not in text:
                text += os.read(shown, 4096).decode()
            two.terminate()
            self.assertEqual(two.wait(), 0, text)
        finally:
            two.kill()
            two.wait()
            os.close(shown)
            os.close(terminal)
        self.assertEqual(one.stop(), 0)

    def test_a_group_that_is_not_for_it(self):
        """A session shorter than the brokers allow: refused for good, with what to do."""
        self.databases("create table t (id int primary key)")
        script = self.pair_script("postgres", kafka_conf={"bootstrap.servers": BROKERS, "session.timeout.ms": 1000})
        p = self.run_to_end(script, code=2, env={"WHO": "one"})
        self.assertIn("set session.timeout.ms in kafka_conf to what the brokers allow", p.log())
