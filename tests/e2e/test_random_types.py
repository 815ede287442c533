"""Random values of every type of PostgreSQL, and arrays of them: what the messages have is what SELECT gives.

SELECT gives texts (of arrays nested JSON of texts, by array_to_json); what the contract makes of such a text is written here
once more, in Python. LIST_SYNC_E2E_SEED repeats a run."""
import base64
import datetime
import json
import os
import random
import re
import struct

from lib import Case, messages, report

ROWS = 150


class Values:
    """Texts that PostgreSQL's input functions take, by type."""

    def __init__(self, rnd):
        self.rnd = rnd

    def integer(self, bits):
        edge = 2 ** (bits - 1)
        return str(self.rnd.choice([-edge, edge - 1, 0, -1, self.rnd.randrange(-edge, edge), self.rnd.randrange(-1000, 1000)]))

    def text(self):
        alphabet = 'abc XYZ09,;:{}[]()"\'\\\\/\t\n\r\x01\x1f\x7f%_-=é€ß漢😀' + "NULnul"
        return self.rnd.choice(["", "NULL", "null", " ", "{}", "".join(self.rnd.choice(alphabet) for _ in range(self.rnd.randrange(20)))])

    def word(self):
        return "".join(self.rnd.choice("abcdefXYZ") for _ in range(self.rnd.randrange(1, 8)))

    def double(self):
        r = self.rnd
        return r.choice(["NaN", "Infinity", "-Infinity", "0", "-0", repr(r.uniform(-1e6, 1e6)), repr(2.0 ** r.randrange(-1074, 1024)), "%de%d" % (r.randrange(-10 ** 6, 10 ** 6), r.randrange(-290, 290))])

    def single(self):
        r = self.rnd
        return r.choice(["NaN", "Infinity", "-0", repr(2.0 ** r.randrange(-126, 127)), "%de%d" % (r.randrange(-10 ** 6, 10 ** 6), r.randrange(-30, 30))])

    def numeric(self):
        r = self.rnd
        return r.choice(["NaN", "0", "-0.00", "%d" % r.randrange(-10 ** 40, 10 ** 40), "%d.%0*d" % (r.randrange(-10 ** 10, 10 ** 10), r.randrange(1, 30), r.randrange(10 ** 6))])

    def money(self):
        return "%d.%02d" % (self.rnd.randrange(-9 * 10 ** 15, 9 * 10 ** 15), self.rnd.randrange(100))

    def date(self):
        return self.rnd.choice(["infinity", "0044-03-15 BC", "12026-01-31", str(datetime.date.fromordinal(self.rnd.randrange(1, 3652059)))])

    def clock(self):
        return "%02d:%02d:%02d%s" % (self.rnd.randrange(24), self.rnd.randrange(60), self.rnd.randrange(60), self.rnd.choice(["", ".5", ".%06d" % self.rnd.randrange(10 ** 6)]))

    def zone(self):
        return self.rnd.choice(["+00", "-08", "+05:30", "+12:45", "-03:30"])

    def timestamp(self, zone=""):
        day = self.date()
        return day if day == "infinity" else "%s %s%s%s" % (day.replace(" BC", ""), self.clock(), zone, " BC" if day.endswith("BC") else "")

    def interval(self):
        r = self.rnd
        return "%d years %d mons %d days %s%s" % (r.randrange(-9, 9), r.randrange(-20, 20), r.randrange(-40, 40), r.choice(["", "-"]), self.clock())

    def document(self, depth=0):
        r = self.rnd
        kind = r.randrange(7 if depth < 3 else 5)
        if kind == 5:
            return [self.document(depth + 1) for _ in range(r.randrange(4))]
        if kind == 6:
            return {self.text(): self.document(depth + 1) for _ in range(r.randrange(4))}
        return [None, True, r.randrange(-10 ** 12, 10 ** 12), self.text(), r.uniform(-10, 10)][kind]

    def json(self):
        return json.dumps(self.document(), ensure_ascii=self.rnd.random() < 0.5, indent=self.rnd.choice([None, 1]))

    def bits(self, n):
        return "".join(self.rnd.choice("01") for _ in range(n))

    def inet(self):
        r = self.rnd
        return r.choice(["%d.%d.%d.%d" % tuple(r.randrange(256) for _ in range(4)), "10.1.0.0/16", "::1", "fe80::%x" % r.randrange(65536)])

    def point(self):
        return "(%r,%r)" % (self.rnd.randrange(-99, 99) / 4, self.rnd.randrange(-99, 99) / 4)

    def range(self):
        a, b = sorted(self.rnd.sample(range(-1000, 1000), 2))
        return self.rnd.choice(["empty", "(,)", "[%d,%d)" % (a, b), "(%d,]" % a])

    def tstzrange(self):
        a, b = sorted(self.rnd.sample(range(2000, 2100), 2))
        return '["%d-01-01 00:00:00.5+02",%d-12-31)' % (a, b)

    def item(self):
        return "(%s,%d,)" % ('"%s"' % self.text().replace("\\", "\\\\").replace('"', '""'), self.rnd.randrange(100))


def text_of(t):
    return t


def number(t):
    return int(t)


def real(t):
    return t if t[-1] in "Ny" else float(t) + 0.0  # a JSON reader makes 0 of -0


def single(t):
    """The server takes no decimal in the middle between two floats for either, the messages do: the float counts, not its digits."""
    return t if t[-1] in "Ny" else struct.unpack("f", struct.pack("f", real(t)))[0]


def address(t):
    """The cast to text, which arrays go through, writes a host's mask, which the type's output leaves out."""
    return re.sub(r"^([^:]*)/32$|^(.*:.*)/128$", lambda m: m.group(1) or m.group(2), t)


def when(t, zoned=False):
    t = re.sub(r"(\d\d:\d\d:\d\d)\.?(\d*?)0*(?=\D|$)", lambda m: m.group(1) + ("." + m.group(2) if m.group(2) else ""), t.replace(" ", "T", 1) if " BC" != t[10:] else t)
    return t.replace("+00", "Z") if zoned else t


def document(t):
    return ("document", json.loads(t))


# type, a random input text, what the message has for the server's output text
TYPES = (
    ("smallint", lambda v: v.integer(16), number), ("integer", lambda v: v.integer(32), number), ("bigint", lambda v: v.integer(64), number),
    ("oid", lambda v: str(v.rnd.randrange(2 ** 32)), number), ("real", Values.single, single), ("double precision", Values.double, real),
    ("numeric", Values.numeric, text_of), ("money", Values.money, lambda t: re.sub("[$,]", "", t)),
    ("boolean", lambda v: v.rnd.choice("tf"), lambda t: t in ("t", "true")), ("text", Values.text, text_of), ("varchar(30)", Values.text, text_of),
    ("char(30)", Values.text, lambda t: t.rstrip(" ")), ('"char"', lambda v: v.rnd.choice(["", "a", "~"]), text_of), ("name", Values.word, text_of),
    ("bytea", lambda v: "\\x" + bytes(v.rnd.randrange(256) for _ in range(v.rnd.randrange(9))).hex(), lambda t: base64.b64encode(bytes.fromhex(t[2:])).decode()),
    ("date", Values.date, text_of), ("time", Values.clock, text_of), ("timetz", lambda v: v.clock() + v.zone(), text_of),
    ("timestamp", Values.timestamp, when), ("timestamptz", lambda v: v.timestamp(v.zone()), lambda t: when(t, True)),
    ("interval", Values.interval, text_of), ("uuid", lambda v: "%032x" % v.rnd.getrandbits(128), text_of), ("json", Values.json, document),
    ("jsonb", Values.json, document), ("bit(9)", lambda v: v.bits(9), text_of), ("bit varying", lambda v: v.bits(v.rnd.randrange(20)), text_of),
    ("inet", Values.inet, address), ("macaddr", lambda v: "%012x" % v.rnd.getrandbits(48), text_of), ("point", Values.point, text_of),
    ("box", lambda v: v.point() + "," + v.point(), text_of), ("int4range", Values.range, text_of), ("tstzrange", Values.tstzrange, text_of),
    ("int4multirange", lambda v: "{[%d,%d)}" % tuple(sorted(v.rnd.sample(range(99), 2))), text_of), ("tsvector", Values.word, text_of),
    ("xml", lambda v: "<a>%s</a>" % v.word(), text_of), ("mood", lambda v: v.rnd.choice(["sad", "NULL", 'a "b"', "a,b"]), text_of),
    ("item", Values.item, text_of), ("posint", lambda v: str(v.rnd.randrange(1, 99)), number), ("pg_lsn", lambda v: "%X/%X" % (v.rnd.getrandbits(32), v.rnd.getrandbits(32)), text_of),
)


def array(v, make, delimiter):
    """A random array's input text: up to three dimensions, NULLs, odd bounds."""
    sizes = [v.rnd.randrange(1, 4) for _ in range(v.rnd.choice([0, 1, 1, 2, 3]))]

    def level(sizes):
        if not sizes:
            return "NULL" if v.rnd.random() < 0.2 else '"%s"' % make(v).replace("\\", "\\\\").replace('"', '\\"')
        return "{%s}" % delimiter.join(level(sizes[1:]) for _ in range(sizes[0]))
    bounds = "".join("[%d:%d]" % (low, low + n - 1) for n in sizes for low in [v.rnd.randrange(-5, 5)])
    return "{}" if not sizes else (bounds + "=" if v.rnd.random() < 0.3 else "") + level(sizes)


def quote(t):
    return "null" if t is None else "E'%s'" % t.replace("\\", "\\\\").replace("'", "''")


def message_form(value, canonical):
    """The message's value in the form of `canonical`: a JSON document is compared by its content, and must be compact."""
    if isinstance(value, list):
        return [message_form(x, canonical) for x in value]
    if canonical in (real, single) and isinstance(value, (int, float)):
        return canonical(repr(value))
    if value is None or canonical is not document:
        return value
    assert not re.search(r'[ \t\n]', re.sub(r'"(?:[^"\\]|\\.)*"', "", value)), value
    return document(value)


def select_form(value, canonical):
    return [select_form(x, canonical) for x in value] if isinstance(value, list) else None if value is None else canonical(value)


class RandomTypes(Case):
    def test_messages_are_what_select_gives(self):
        seed = int(os.environ.get("LIST_SYNC_E2E_SEED", random.randrange(2 ** 31)))
        report("seed %d" % seed)
        v = Values(random.Random(seed))
        columns = []
        for i, (kind, make, canonical) in enumerate(TYPES):
            delimiter = ";" if kind == "box" else ","
            columns.append(("c%d" % i, kind, make, canonical, "c%d::text" % i))
            padded = kind.startswith("char(")  # a cast to text would take the padding off
            columns.append(("a%d" % i, kind + "[]", lambda v, make=make, delimiter=delimiter: array(v, make, delimiter), text_of if padded else canonical,
                            "array_to_json(a%d%s)::text" % (i, "" if padded else "::text[]")))
        self.databases()
        self.pg("create type mood as enum ('sad', 'NULL', 'a \"b\"', 'a,b'); create type item as (name text, n int, x text); create domain posint as int check (value > 0);"
                "create table t (id int primary key, %s)" % ", ".join("%s %s" % c[:2] for c in columns))
        p = self.start_connector(self.script(self.connector("postgres")))
        self.pg("\n".join("insert into t values (%d, %s);" % (i, ", ".join(quote(c[2](v) if v.rnd.random() < 0.9 else None) for c in columns)) for i in range(ROWS)))
        got = {m["columns"][0]["value"]: m["columns"][1:] for m in self.wait_messages(self.topic_of("postgres"), ROWS, [p])}
        settings = "set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'iso_8601'; set lc_monetary = 'C'; set extra_float_digits = 1; set bytea_output = 'hex';"
        for n, (name, kind, _, canonical, select) in enumerate(columns):
            rows = json.loads(self.pg(settings + "select json_agg(%s order by id) from t" % select))
            for i, value in enumerate(rows):
                if value is not None and kind.endswith("[]"):
                    value = json.loads(value)
                want = select_form(value, canonical)
                have = message_form(got[i][n]["value"], canonical)
                self.assertEqual(repr(have), repr(want), "%s %s, row %d" % (name, kind, i))
        self.assertEqual(p.stop(), 0)
        self.assertEqual(len(messages(self.topic_of("postgres"))), ROWS)
