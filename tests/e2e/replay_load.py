"""The load of the replay test: transactions of random statements on tables of every type, as text for the server's own client, and a
model that knows which ids live, so that every change is counted.

Values come from a pool beside each table, which is filled from here and renewed; the statements themselves are computed by the server.
Everything follows from the seed."""
import math
from collections import Counter

from lib import is_postgres

POOL = 1000        # rows of a pool
POOL_USES = 30     # rows that are taken from a pool before it is renewed, by its size
COLUMNS = 6        # columns of a table, beside id, n and part
LARGE = 60         # values of 1 MiB
FINISH = "finish"  # the table whose TRUNCATE, which is written to every partition, ends the stream


class Table:
    """key: "id"; "two": (part, id), not in the table's order; "none": no key, and rows that are there twice."""

    def __init__(self, number, kinds):
        self.name = "t%d" % number
        self.kinds = kinds
        self.key = ("id", "two", "none", "id")[number % 4]
        self.columns = ["id", "n"] + (["part"] if self.key == "two" else []) + ["c%d" % i for i in range(len(kinds))]
        self.alive = bytearray()  # how many rows of an id there are
        self.left = 0             # rows the pool may give before it is renewed
        self.pools = 0

    def create(self, db):
        columns = ["id bigint not null", "n int not null"] + (["part varchar(30) not null"] if self.key == "two" else [])
        columns += ["c%d %s%s" % (i, k.type, "" if is_postgres(db) else " null") for i, k in enumerate(self.kinds)]
        key = {"id": ", primary key (id)", "two": ", primary key (part, id)", "none": ""}[self.key]
        sql = "create table %s (%s%s);" % (self.name, ", ".join(columns), key)
        if self.key != "id":
            sql += "create index on %s (id);" % self.name if is_postgres(db) else "alter table %s add index (id);" % self.name
        if is_postgres(db) and self.key == "none":
            sql += "alter table %s replica identity full;" % self.name
        pool = "create %stable pool.%s (k int primary key, %s);" if is_postgres(db) else "create %stable pool_%s (k int primary key, %s);"
        return sql + pool % ("unlogged " if is_postgres(db) else "", self.name, ", ".join(c for c in columns if c[0] == "c"))


def tables_of(kinds):
    count = -(-len(kinds) // COLUMNS)
    return [Table(i, kinds[i::count]) for i in range(count)]


class Load:
    def __init__(self, db, kinds, values, changes):
        self.db, self.values, self.rnd, self.goal = db, values, values.rnd, changes
        self.tables = tables_of(kinds)
        self.counts = Counter()
        self.undo = []
        self.large = self.transactions = 0
        self.postgres = is_postgres(db)

    def total(self):
        return sum(self.counts.values())

    # ---- the model ----

    def put(self, t, first, new):
        self.undo.append((t, first, bytes(t.alive[first:first + len(new)])))
        t.alive[first:first + len(new)] = new

    def back_to(self, mark):
        length, counts = mark
        while len(self.undo) > length:
            t, first, old = self.undo.pop()
            t.alive[first:first + len(old)] = old
        self.counts = Counter(counts)

    def mark(self):
        return len(self.undo), Counter(self.counts)

    def fresh(self, t, n):
        """n ids that no row ever had."""
        first = len(t.alive)
        t.alive.extend(bytes(n))
        return first

    def range(self, t):
        """(first id, number of ids, every how many, which)"""
        n = int(math.exp(self.rnd.uniform(0, math.log(600))))
        every = self.rnd.choice((1, 1, 2, 5))
        first = self.rnd.randrange(max(1, len(t.alive)))
        return first, min(n * every, len(t.alive) - first), every, self.rnd.randrange(every)

    def chosen(self, t, first, n, every, which):
        """The alive counts of a range, of the ids that the condition takes."""
        return t.alive[first:first + n][(which - first) % every::every]

    # ---- statements: SQL, and the model moved along ----

    def pool(self, t):
        return "pool.%s" % t.name if self.postgres else "pool_%s" % t.name

    def where(self, first, n, every, which, id_="id"):
        return "{0} >= {1} and {0} < {2}".format(id_, first, first + n) + (" and {} % {} = {}".format(id_, every, which) if every > 1 else "")

    def insert_rows(self, t, first, n):
        """Rows first .. first + n - 1, n <= POOL."""
        at = self.rnd.randrange(POOL - n + 1)
        t.left -= n
        part = ["concat('k', k)"] if t.key == "two" else []
        columns = ["c%d" % i for i in range(len(t.kinds))]
        return "insert into %s (%s) select %s from %s where k >= %d and k < %d;" % (
            t.name, ", ".join(t.columns), ", ".join(["k + %d" % (first - at), "0"] + part + columns), self.pool(t), at, at + n)

    def insert(self, t):
        n = int(math.exp(self.rnd.uniform(0, math.log(300))))
        if t.key == "none" and len(t.alive) > n and self.rnd.random() < 0.3:  # rows beside those that are there
            first = self.rnd.randrange(len(t.alive) - n)
        else:
            first = self.fresh(t, n)
        old = t.alive[first:first + n]
        if max(old) > 100:
            return ""
        self.put(t, first, bytes(x + 1 for x in old))
        self.counts["I"] += n
        return self.insert_rows(t, first, n)

    def update(self, t):
        r = self.range(t)
        rows = sum(self.chosen(t, *r))
        self.counts["U"] += rows
        columns = self.rnd.sample(range(len(t.kinds)), self.rnd.randrange(min(4, len(t.kinds) + 1)))
        shift = self.rnd.randrange(POOL)
        if not columns:
            return "update %s set n = n + 1 where %s;" % (t.name, self.where(*r))
        t.left -= rows
        if self.postgres:
            return "update %s t set n = n + 1, %s from %s p where %s and p.k = (t.id + %d) %% %d;" % (
                t.name, ", ".join("c%d = p.c%d" % (i, i) for i in columns), self.pool(t), self.where(*r, "t.id"), shift, POOL)
        # not an UPDATE of two tables: MariaDB 10.11.19 fell (ha_maria::drop_table) where it could not make that one's temporary table
        value = "c{0} = (select p.c{0} from {1} p where p.k = (t.id + {2}) % {3})"
        return "update %s t set n = n + 1, %s where %s;" % (
            t.name, ", ".join(value.format(i, self.pool(t), shift, POOL) for i in columns), self.where(*r, "t.id"))

    def delete(self, t):
        r = first, n, every, which = self.range(t)
        old = t.alive[first:first + n]
        self.counts["D"] += sum(self.chosen(t, *r))
        start = (which - first) % every
        old[start::every] = bytes(len(old[start::every]))
        self.put(t, first, old)
        return "delete from %s where %s;" % (t.name, self.where(*r))

    def move(self, t):
        """Another id, or another part: of a key it is D and I."""
        r = first, n, every, which = self.range(t)
        chosen = self.chosen(t, *r)
        for action in ("DI", "U")[t.key == "none"]:
            self.counts[action] += sum(chosen)
        if t.key == "two" and self.rnd.random() < 0.5:  # n only grows, so the part is a new one; it is set before n is
            return "update %s set part = concat('é\"', n), n = n + 1 where %s;" % (t.name, self.where(*r))
        to = self.fresh(t, n)
        old, new = t.alive[first:first + n], bytearray(n)
        start = (which - first) % every
        new[start:len(old):every] = chosen
        old[start::every] = bytes(len(chosen))
        self.put(t, first, old)
        self.put(t, to, new)
        return "update %s set id = id + %d, n = n + 1 where %s;" % (t.name, to - first, self.where(*r))

    def replace(self, t):
        """The same ids deleted and inserted in one transaction."""
        first, n, _, _ = self.range(t)
        n = min(n, POOL)
        if n <= 0:
            return ""
        self.counts["D"] += sum(t.alive[first:first + n])
        self.counts["I"] += n
        self.put(t, first, b"\1" * n)
        return "delete from %s where %s;\n%s" % (t.name, self.where(first, n, 1, 0), self.insert_rows(t, first, n))

    def statement(self):
        t = self.rnd.choice(self.tables)
        make = self.rnd.choices((self.insert, self.update, self.delete, self.move, self.replace), (38, 34, 12, 9, 7))[0]
        return make(t)

    def grow(self):
        """A value of 1 MiB, and changes of its row that leave it as it is."""
        t, i, kind = self.rnd.choice([(t, i, k) for t in self.tables for i, k in enumerate(t.kinds) if k.large and 1 in t.alive])
        at = t.alive.find(1, self.rnd.randrange(len(t.alive)))
        at = t.alive.find(1) if at < 0 else at
        self.large += 1
        self.counts["U"] += 2
        sql = "update {0} set c{1} = {2}, n = n + 1 where id = {3};\nupdate {0} set n = n + 1 where id = {3};".format(t.name, i, kind.large.format(k=self.large), at)
        if self.large % 3 == 0:
            to = self.fresh(t, 1)
            for action in ("DI", "U")[t.key == "none"]:
                self.counts[action] += 1
            self.put(t, at, b"\0")
            self.put(t, to, b"\1")
            sql += "\nupdate %s set id = %d, n = n + 1 where id = %d;" % (t.name, to, at)
        return sql

    # ---- the stream ----

    def pools(self):
        """New values for the pools that are used up."""
        for t in self.tables:
            if t.left > 0:
                continue
            t.left, t.pools = POOL * POOL_USES, t.pools + 1
            rows = ([None if self.rnd.random() < 0.12 else k.make(self.values) for k in t.kinds] for _ in range(POOL))
            if self.postgres:
                yield "truncate %s;\ncopy %s from stdin;" % (self.pool(t), self.pool(t))
                for k, row in enumerate(rows):
                    yield "\t".join([str(k)] + ["\\N" if c is None else c.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") for c in row])
                yield "\\."
            else:
                yield "set sql_log_bin = 0; truncate %s; begin;" % self.pool(t)
                for k, row in enumerate(rows):
                    yield "insert into %s values (%d, %s);" % (self.pool(t), k, ", ".join("null" if c is None else c for c in row))
                yield "commit; set sql_log_bin = 1;"

    def transaction(self):
        yield "begin;"
        start, done = self.mark(), 0
        statements = int(math.exp(self.rnd.uniform(0, math.log(12)))) if self.rnd.random() < 0.995 else 200
        while done < statements:
            done += 1
            if self.rnd.random() > 0.15:
                yield self.statement()
                continue
            mark = self.mark()
            yield "savepoint s;"
            for _ in range(self.rnd.randrange(1, 4)):
                yield self.statement()
            if self.rnd.random() < 0.6:
                self.back_to(mark)
                yield "rollback to savepoint s;"
            else:
                yield "release savepoint s;"
        rolled_back = self.rnd.random() < 0.1
        if rolled_back:
            self.back_to(start)
        elif self.large < LARGE and self.total() * LARGE >= self.goal * self.large + 1 and any(k.large and 1 in t.alive for t in self.tables for k in t.kinds):
            yield self.grow()
        self.undo.clear()
        self.transactions += 1
        yield "rollback;" if rolled_back else "commit;"

    def setup(self):
        return "".join(t.create(self.db) for t in self.tables) + "create table %s (id int primary key);" % FINISH

    def stream(self):
        """Lines of SQL until there are as many changes as wanted, and as many values of 1 MiB."""
        if self.postgres:
            yield "set enable_seqscan = off; set jit = off; set synchronous_commit = off; set timezone = 'UTC';"
        else:
            yield "set names utf8mb4; set sql_mode = ''; set time_zone = '+00:00';"
        while self.total() < self.goal or self.large < LARGE:
            yield from self.pools()
            yield from self.transaction()
        yield "truncate %s;" % FINISH
