"""The replay's load with ALTER TABLE at random moments: columns are added (with a DEFAULT or none), dropped, renamed and changed in type, between
transactions and on PostgreSQL within them too, where a ROLLBACK takes them back.

No message says what ALTER TABLE did to the rows that are there, so all of them are updated behind it, and come in their new shape: what a
DEFAULT filled in, a conversion made, a rename kept. `v` is the version of its table that a row was written under: messages must have that
version's columns, in its order."""
import re

from replay import WIDE, Replayed, pieces_of, row_hash
from replay_load import Load
from test_random_types import quote

SPARES = 4       # kinds of a pool beside those that its table begins with
FEWEST = 3       # columns beside id and the counted ones, at least
SHORT = 60       # characters of a DEFAULT: a longer one may be stored out of line by ALTER TABLE itself, and then no message has it
MOST = 700       # versions that may add columns: PostgreSQL numbers 1,600 in a table's life, the dropped ones too
UNNAMED = re.compile(r"uuid|inet|json$")  # the binlog of MariaDB does not tell these types, so that the server is asked, who knows of now only
DEFAULTED = re.compile(r"(small|medium|big)?int\b|decimal|varchar|char")  # of MariaDB's and MySQL's; what is drawn for a tinyint may not fit
NOT_TEXT = re.compile(r"geometry|point|linestring|multipolygon|bit|.*blob|.*binary|vector|json")


class AlterLoad(Load):
    reach = 60   # smaller statements, so that there are more transactions, and more moments
    wanted = 12

    def __init__(self, db, kinds, values, changes):
        super().__init__(db, kinds, values, changes)
        self.versions = self.alters = 0
        self.inside = self.postgres
        self.behind = self.rnd.random() < 0.5  # then the server's catalog is of later than what is read
        free = [k for k in kinds if not self.bound(k)]
        text = next(k for k in kinds if k.type == ("text" if self.postgres else "longtext character set utf8mb4"))
        for t in self.tables:
            t.kinds = t.kinds + self.rnd.sample(free, SPARES) + [text]  # live has the first ones
            t.head["v"] = "int"
            t.versions = {0: ([c.encode() for c in t.columns], {})}  # names of the columns, and {new name: the old one}

    def bound(self, kind):
        """Must a column of this kind stay as it is?"""
        return self.db == "mysql" and UNNAMED.match(kind.type)

    def also(self):
        return ", %s times ALTER TABLE%s" % (format(self.alters, ","), ", read when all was written" if self.behind else "")

    # ---- parts of ALTER TABLE: each gives a clause, renames, and what the update of the rows sets beside v ----

    def free_name(self, t):
        """One that no column has; a dropped one's comes again."""
        used = {name for name, _ in t.live}
        return self.rnd.choice([n for n in ("c%d" % i for i in range(len(t.kinds) + 3)) if n not in used])

    def free_kind(self, t):
        return self.rnd.choice([i for i, k in enumerate(t.kinds) if not self.bound(k)])

    def some(self, t, wanted=lambda kind: True):
        """A column that may change: its place in live, or None."""
        places = [at for at, (_, i) in enumerate(t.live) if not self.bound(t.kinds[i]) and wanted(t.kinds[i])]
        return self.rnd.choice(places) if places else None

    def column(self, i, t):
        return t.kinds[i].type + ("" if self.postgres else " null")

    def default(self, kind):
        if self.rnd.random() < 0.5 or not (self.postgres or DEFAULTED.match(kind.type)):
            return ""
        value = kind.make(self.values)
        if len(value) > SHORT:
            return ""
        return " default " + (quote(value) if self.postgres else value)

    def add(self, t):
        if len(t.live) >= len(t.kinds):
            return self.drop(t)
        name, i = self.free_name(t), self.free_kind(t)
        place, at = "", len(t.live)
        if not self.postgres and t.live and self.rnd.random() < 0.4:
            at = self.rnd.randrange(len(t.live))
            place = " after " + t.live[at][0]
            at += 1
        t.live = t.live[:at] + [(name, i)] + t.live[at:]
        return "add column %s %s%s%s" % (name, self.column(i, t), self.default(t.kinds[i]), place), {}, []

    def drop(self, t):
        at = self.some(t)
        if at is None or len(t.live) <= FEWEST:
            return self.add(t)
        name = t.live[at][0]
        t.live = t.live[:at] + t.live[at + 1:]
        return "drop column " + name, {}, []

    def rename(self, t):
        at = self.some(t)
        if at is None:
            return self.add(t)
        (old, i), new = t.live[at], self.free_name(t)
        t.live = t.live[:at] + [(new, i)] + t.live[at + 1:]
        return "rename column %s to %s" % (old, new), {new: old}, []

    def retype(self, t):
        """Another type, and NULLs."""
        at = self.some(t)
        if at is None:
            return self.add(t)
        name, i = t.live[at][0], self.free_kind(t)
        if self.postgres:
            t.live = t.live[:at] + [(name, i)] + t.live[at + 1:]
            return "alter column {0} drop default, alter column {0} type {1} using null::{1}".format(name, t.kinds[i].type), {}, []
        t.live = t.live[:at] + t.live[at + 1:] + [(name, i)]
        return "drop column {0}, add column {0} {1}".format(name, self.column(i, t)), {}, []

    def convert(self, t):
        """To text, by the server; on PostgreSQL a large value would not be sent but for the update that makes it anew."""
        at = self.some(t, lambda kind: self.postgres or not NOT_TEXT.match(kind.type))
        if at is None:
            return self.add(t)
        name, i = t.live[at][0], len(t.kinds) - 1
        t.live = t.live[:at] + [(name, i)] + t.live[at + 1:]
        if self.postgres:
            return "alter column {0} drop default, alter column {0} type text using {0}::text".format(name), {}, ["{0} = {0} || ''".format(name)]
        return "modify column %s %s" % (name, self.column(i, t)), {}, []

    def alter(self, t):
        """ALTER TABLE, perhaps a statement on rows of the version before, and the update of all rows."""
        self.alters += 1
        self.versions += 1
        self.undo.append((t, None, (t.live, t.version)))
        t.version = self.versions
        more = len(t.versions) < MOST
        make = self.rnd.choice((self.rename, self.retype, self.convert) + (self.add, self.add, self.drop) * more)
        clause, renames, sets = make(t)
        if more and not renames and len(t.live) < len(t.kinds) and self.rnd.random() < 0.3:
            clause += ", " + self.add(t)[0]
        t.versions[t.version] = ([c.encode() for c in t.columns], {n.encode(): o.encode() for n, o in renames.items()})
        lines = ["alter table %s %s;" % (t.name, clause)]
        if self.rnd.random() < 0.4:
            lines.append(self.insert(t))
        if t.key != "none" and self.rnd.random() < 0.3:
            lines.append(self.delete(t))
        self.counts["U"] += sum(t.alive)
        lines.append("update %s set %s;" % (t.name, ", ".join(["v = %d" % t.version, "n = n + 1"] + sets)))
        return "\n".join(lines)

    # ---- the stream ----

    def statement(self):
        if self.inside and self.rnd.random() < 0.08:
            return self.alter(self.rnd.choice(self.tables))
        return super().statement()

    def transaction(self):
        if self.rnd.random() < (0.1 if self.inside else 0.3):
            yield self.alter(self.rnd.choice(self.tables))
            self.undo.clear()
        yield from super().transaction()


class Between(AlterLoad):
    """The ALTER TABLEs stand between transactions only."""

    def __init__(self, *args):
        super().__init__(*args)
        self.inside = False


class Altered(Replayed):
    """A table as its messages leave it while its columns change."""

    def __init__(self, t):
        super().__init__(t)
        self.version = 0  # of the newest row
        self.old = 0      # rows of a table without key that are of versions before

    def hash_of(self, piece):
        """Of the value: its column's name may change."""
        return hash(piece[piece.index(b'"'):])

    def version_of(self, pieces):
        return next(int(p[11:]) for p in pieces if p.startswith(b'v","value":'))

    def check_names(self, pieces, names, unchanged=()):
        have, want = [p[:p.index(b'"')] for p in pieces], [n for n in names if n not in unchanged]
        if have != want or len(have) + len(unchanged) != len(names):
            raise AssertionError("the columns %s and %s unchanged, not %s" % (have, list(unchanged), names))

    def set(self, id_, columns, sections, old):
        pieces = pieces_of(columns)
        names, renamed = self.t.versions[self.version_of(pieces)]
        unchanged = sections.get(b"unchanged")
        unchanged = set(unchanged.replace(b'"', b"").split(b",")) if unchanged else ()
        self.check_names(pieces, names, unchanged)
        sent = iter(pieces)
        hashes = {n: self.kept(n, renamed, old) if n in unchanged else self.hash_of(next(sent)) for n in names}
        if len(self.rows) <= id_:
            self.rows.extend([0] * (id_ + 10000 - len(self.rows)))
        self.partial += bool(unchanged)
        self.rows[id_] = row_hash(hashes.values())
        if unchanged or len(columns) > WIDE:
            self.wide[id_] = hashes
        else:
            self.wide.pop(id_, None)
        return pieces

    def kept(self, name, renamed, old):
        return old[name] if name in old else old[renamed[name]]

    def apply_bag(self, key, columns, identity):
        names = pieces = None
        if columns is not None:
            pieces = pieces_of(columns)
            version = self.version_of(pieces)
            if version > self.version:
                self.old += sum(self.bag.values())
                self.bag.clear()
                self.version = version
            names = self.t.versions[version][0]
            self.check_names(pieces, names)
        if identity is not None:
            before = pieces_of(identity)
            if self.version_of(before) < self.version:  # of a row that ALTER TABLE changed
                self.check_names(before, names)
                self.old -= 1
                if self.old < 0:
                    raise AssertionError("more rows than there were")
                identity = None
        super().apply_bag(key, columns, identity)

    def left(self):
        return super().left() + self.old
