"""Clients that change the database, a transaction at a time, until they are told to pause. A server that dies takes their transactions along;
they come back when it does, and whether a commit that was not answered happened is the history's to know."""
import os
import random
import signal
import subprocess
import threading
import time

SMALL_KEYS = 400      # rows of the small tables that the clients share
BIG_KEYS = 60000      # rows of the big table
BIG_ROWS = (8000, 30000)
PACE_SECONDS = 0.012  # between two transactions of a small client
BIG_PACE_SECONDS = 1.5
BIG_SOON = 3          # transactions of a big client in a round at that pace; then it slows, so that a long fault gives not much more than a short one
BIG_LATER_SECONDS = 12
STEP = 10 ** 6        # values that a statement may use: more than rows
ANSWER_SECONDS = 120


class Client(threading.Thread):
    """number: different for each client of a database, so that no two write the same value."""

    def __init__(self, database, number, seed):
        super().__init__(daemon=True)
        self.database, self.number = database, number
        self.chance = random.Random("%s writer %d" % (seed, number))
        self.process = None
        self.count = 0
        self.committed = 0
        self.at_go = 0
        self.may_run, self.is_paused = threading.Event(), threading.Event()
        self.is_idle = threading.Event()
        self.is_idle.set()
        self.ends = False

    def connect(self):
        command, env = self.database.client()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ, **env),
                                        encoding="ascii", errors="replace", bufsize=1, start_new_session=True)

    def disconnect(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.stdout.close()
            try:
                self.process.stdin.close()
            except OSError:
                pass  # what was not sent has nobody to go to
            self.process.wait()
            self.process = None

    def value(self):
        """The base of a statement's values: base + row."""
        self.count += 1
        return (self.number * 10 ** 7 + self.count) * STEP

    def ask(self, sql):
        """One transaction; False when the server did not take it."""
        try:
            if not self.process:
                self.connect()
            self.process.stdin.write(sql.replace("\n", " ") + " select 'done %d';\n" % self.count)
            self.process.stdin.flush()
            if self.process.stdout.readline() == "done %d\n" % self.count:
                return True
        except OSError:
            pass
        self.disconnect()
        return False

    def run(self):
        try:
            while not self.ends:
                if not self.may_run.is_set():
                    self.is_idle.set()
                    self.may_run.wait()
                    self.is_idle.clear()
                    continue
                if self.ask(self.transaction()):
                    self.committed += 1
                    self.is_paused.wait(self.pace())
                    if self.may_run.is_set():
                        self.is_paused.clear()
                else:
                    time.sleep(0.1)
        finally:
            self.disconnect()
            self.is_idle.set()

    def go(self):
        self.at_go = self.committed
        self.is_idle.clear()
        self.is_paused.clear()
        self.may_run.set()

    def pause(self):
        self.may_run.clear()
        self.is_paused.set()

    def end(self):
        self.ends = True
        self.is_paused.set()
        self.may_run.set()


class SmallClient(Client):
    """Inserts, updates, deletes, upserts and key changes of a few rows, with savepoints and rollbacks."""

    def pace(self):
        return PACE_SECONDS

    def transaction(self):
        statements = []
        for key in sorted(self.chance.sample(range(SMALL_KEYS), self.chance.randint(1, 5))):  # in one order: fewer deadlocks
            statements.append(self.chance.choice((self.small, self.small, self.pair))(key))
        r = self.chance.random()
        if r < 0.15:
            kept = self.chance.randrange(len(statements) + 1)
            statements[kept:] = ["savepoint s;"] + statements[kept:] + ["rollback to savepoint s;"] + [self.small(SMALL_KEYS + self.number)]
        elif r < 0.25:
            statements = ["savepoint s;"] + statements + ["release savepoint s;"]
        return "begin; %s %s" % (" ".join(statements), "rollback;" if self.chance.random() < 0.08 else "commit;")

    def small(self, key):
        v, d = self.value(), self.database
        r = self.chance.random()
        if r < 0.45:
            return self.upsert("small", "id", str(key), v)
        if r < 0.75:
            return "update small set v = %d, note = %s where id = %d;" % (v, d.note(v), key)
        if r < 0.9:
            return "delete from small where id = %d;" % key
        free = 10 ** 6 * self.number + self.count  # a key that nobody has
        back = self.chance.randrange(SMALL_KEYS)
        return ("update small set id = %d, v = %d, note = %s where id = %d;" % (free, v, d.note(v), key) +
                " delete from small where id = %d; insert into small values (%d, %d, %s);" % (back, back, v + 1, d.note(v + 1)))

    def pair(self, key):
        v, d = self.value(), self.database
        r = self.chance.random()
        where = "where a = 'k%d' and n = %d" % (key % 20, key)
        if r < 0.5:
            return self.upsert("pair", "a, n", "'k%d', %d" % (key % 20, key), v)
        if r < 0.8:
            return "update pair set v = %d, note = %s %s;" % (v, d.note(v), where)
        if r < 0.9:
            return "update pair set a = 'm%d', n = %d, v = %d, note = %s %s;" % (self.number, self.count, v, d.note(v), where)
        return "delete from pair %s;" % where

    def upsert(self, table, key, values, v):
        update = " on conflict (%s) do update set v = excluded.v, note = excluded.note;" % key if self.database.db == "postgres" else \
            " on duplicate key update v = values(v), note = values(note);"
        return "insert into %s values (%s, %d, %s)%s" % (table, values, v, self.database.note(v), update)


class BigClient(Client):
    """Transactions of ten thousands of rows."""

    def pace(self):
        return BIG_PACE_SECONDS if self.committed - self.at_go < BIG_SOON else BIG_LATER_SECONDS

    def hurry(self):
        """The next transaction comes at once."""
        self.at_go = self.committed
        self.is_paused.set()

    def transaction(self):
        d, v = self.database, self.value()
        count = self.chance.randint(*BIG_ROWS)
        low = self.chance.randrange(BIG_KEYS - count)
        r = self.chance.random()
        where = "where id between %d and %d" % (low, low + count - 1)
        if r < 0.4:
            ignore, conflict = ("", " on conflict do nothing") if d.db == "postgres" else ("ignore ", "")
            sql = "insert %sinto big select x, %d + x, %s from %s%s;" % (ignore, v, d.note("%d + x" % v), d.series(low, low + count - 1), conflict)
        elif r < 0.7:
            sql = "update big set v = %d + id, note = %s %s;" % (v, d.note("%d + id" % v), where)
        else:
            sql = "delete from big %s;" % where
        if self.chance.random() < 0.2:  # a part of it is taken back
            w = self.value()
            sql += " savepoint s; update big set v = %d + id, note = 'gone' where id < 5000; rollback to savepoint s;" % w
        return "begin; %s %s" % (sql, "rollback;" if self.chance.random() < 0.1 else "commit;")


class Writers:
    """The clients of one database."""

    def __init__(self, database, seed):
        self.clients = [SmallClient(database, 1, seed), SmallClient(database, 2, seed), BigClient(database, 3, seed)]
        for c in self.clients:
            c.start()

    def go(self):
        for c in self.clients:
            c.go()

    def hurry(self):
        """A big transaction begins now."""
        for c in self.clients:
            if isinstance(c, BigClient):
                c.hurry()

    def pause(self):
        """Until no transaction is open."""
        for c in self.clients:
            c.pause()
        for c in self.clients:
            if not c.is_idle.wait(ANSWER_SECONDS):
                raise RuntimeError("a client of %s did not come to rest within %d s" % (c.database.db, ANSWER_SECONDS))

    def end(self):
        for c in self.clients:
            c.end()
        for c in self.clients:
            c.join(ANSWER_SECONDS)
