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
    """key: "id"; "two": (part, id), not in the table's order; "none": no key, and rows that are there twice. Values come from the pool's
    columns c0, c1, ... of these kinds; live: (a column's name, which of the pool's it takes its values from)."""

    def __init__(self, number, kinds):
        self.name = "t%d" % number
        self.kinds = kinds
        self.key = ("id", "two", "none", "id")[number % 4]
        self.head = {"id": "bigint", "n": "int"}  # columns that are counted, not drawn
        if self.key == "two":
            self.head["part"] = "varchar(30)"
        self.live = [("c%d" % i, i) for i in range(len(kinds))]
        self.version = 0
        self.alive = bytearray()  # how many rows of an id there are
        self.left = 0             # rows the pool may give before it is renewed
        self.pools = 0

    @property
    def columns(self):
        return list(self.head) + [name for name, _ in self.live]

    def create(self, db):
        null = "" if is_postgres(db) else " null"
        columns = ["%s %s not null" % c for c in self.head.items()] + ["%s %s%s" % (name, self.kinds[i].type, null) for name, i in self.live]
        key = {"id": ", primary key (id)", "two": ", primary key (part, id)", "none": ""}[self.key]
        sql = "create table %s (%s%s);" % (self.name, ", ".join(columns), key)
        if self.key != "id":
            sql += "create index on %s (id);" % self.name if is_postgres(db) else "alter table %s add index (id);" % self.name
        if is_postgres(db) and self.key == "none":
            sql += "alter table %s replica identity full;" % self.name
        pool = "create %stable pool.%s (k int primary key, %s);" if is_postgres(db) else "create %stable pool_%s (k int primary key, %s);"
        return sql + pool % ("unlogged " if is_postgres(db) else "", self.name, ", ".join("c%d %s%s" % (i, k.type, null) for i, k in enumerate(self.kinds)))


def tables_of(kinds):
    count = -(-len(kinds) // COLUMNS)
    return [Table(i, kinds[i::count]) for i in range(count)]


class Load:
    reach = 600     # rows of the largest statement
    wanted = LARGE  # values of 1 MiB
    behind = False  # is it read when all of it was written?

    def __init__(self, db, kinds, values, changes):
        self.db, self.values, self.rnd, self.goal = db, values, values.rnd, changes
        self.tables = tables_of(kinds)
        self.counts = Counter()
        self.undo = []
        self.large = self.transactions = 0
        self.postgres = is_postgres(db)

    def total(self):
        return sum(self.counts.values())

    def also(self):
        """What else it did, for the report."""
        return ""

    # ---- the model ----

    def put(self, t, first, new):
        """Sets the alive counts of ids from first on."""
        self.undo.append((t, first, bytes(t.alive[first:first + len(new)])))
        t.alive[first:first + len(new)] = new

    def back_to(self, mark):
        length, counts = mark
        while len(self.undo) > length:
            t, first, old = self.undo.pop()
            if first is None:  # an ALTER TABLE's
                t.live, t.version = old
            else:
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
        n = int(math.exp(self.rnd.uniform(0, math.log(self.reach))))
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
        head = {"id": "k + %d" % (first - at), "n": "0", "part": "concat('k', k)", "v": str(t.version)}
        return "insert into %s (%s) select %s from %s where k >= %d and k < %d;" % (
            t.name, ", ".join(t.columns), ", ".join([head[c] for c in t.head] + ["c%d" % i for _, i in t.live]), self.pool(t), at, at + n)

    def insert(self, t):
        n = int(math.exp(self.rnd.uniform(0, math.log(self.reach / 2))))
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
        columns = self.rnd.sample(t.live, self.rnd.randrange(min(4, len(t.live) + 1)))
        shift = self.rnd.randrange(POOL)
        if not columns:
            return "update %s set n = n + 1 where %s;" % (t.name, self.where(*r))
        t.left -= rows
        if self.postgres:
            return "update %s t set n = n + 1, %s from %s p where %s and p.k = (t.id + %d) %% %d;" % (
                t.name, ", ".join("%s = p.c%d" % c for c in columns), self.pool(t), self.where(*r, "t.id"), shift, POOL)
        # not an UPDATE of two tables: MariaDB 10.11.19 fell (ha_maria::drop_table) where it could not make that one's temporary table
        value = "{} = (select p.c{} from {} p where p.k = (t.id + {}) % {})"
        return "update %s t set n = n + 1, %s where %s;" % (
            t.name, ", ".join(value.format(*c, self.pool(t), shift, POOL) for c in columns), self.where(*r, "t.id"))

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

    def growable(self):
        return ((t, name, t.kinds[i]) for t in self.tables if 1 in t.alive for name, i in t.live if t.kinds[i].large)

    def grow(self):
        """A value of 1 MiB, and changes of its row that leave it as it is."""
        t, name, kind = self.rnd.choice(list(self.growable()))
        at = t.alive.find(1, self.rnd.randrange(len(t.alive)))
        at = t.alive.find(1) if at < 0 else at
        self.large += 1
        self.counts["U"] += 2
        sql = "update {0} set {1} = {2}, n = n + 1 where id = {3};\nupdate {0} set n = n + 1 where id = {3};".format(t.name, name, kind.large.format(k=self.large), at)
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
        elif self.large < self.wanted and self.total() * self.wanted >= self.goal * self.large + 1 and any(self.growable()):
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
        while self.total() < self.goal or self.large < self.wanted:
            yield from self.pools()
            yield from self.transaction()
        yield "truncate %s;" % FINISH
