"""Every type of each server: random values of it, the expression that SELECT shows one with, and what the contract makes of that
text, as the bytes of JSON. The engine is not asked: the conversions are written from the databases' documentation."""
import base64
import ctypes
import json
import math
import re
import struct
from collections import namedtuple

from test_random_types import TYPES, Values, array, document, number, real, single, text_of

# type: as CREATE TABLE says it; make(values): a random value, as COPY's text (PostgreSQL) or an SQL literal; select: an expression of
# {c}; form: SELECT's text to JSON text; large: an expression of 1 MiB, other for each {k}, or None.
Kind = namedtuple("Kind", "type make select form large")

quoted = json.encoder.encode_basestring


def ecma(text, sign=""):
    """A decimal as RFC 8785 lays it out; the digits are the shortest already."""
    if text[0] == "-":
        return ecma(text[1:], "-")
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    n = len(digits)
    if not digits:
        return sign + "0"
    if n <= point <= 21:
        return sign + digits + "0" * (point - n)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    return "%s%s%se%+d" % (sign, digits[0], "." + digits[1:] if n > 1 else "", point - 1)


def double(t):
    return '"%s"' % t if t[-1] in "Ny" else ecma(repr(float(t)))


def shortest_single(x):
    """The fewest digits that read back as the float x. At a power of two the next float below is nearer than the one above, so that
    they need not be the nearest decimal of their length: its neighbours are tried too."""
    if not x:
        return ecma(repr(x))
    for n in range(9):
        digits, exponent = ("%.*e" % (n, x)).split("e")
        near = int(digits.replace(".", ""))
        for text in ("%de%d" % (near + d, int(exponent) - n) for d in (0, 1, -1)):
            if ctypes.c_float(float(text)).value == x:
                return ecma(text)
    raise AssertionError("no float: %r" % x)


def float4(t):
    return '"%s"' % t if t[-1] in "Ny" else shortest_single(ctypes.c_float(float(t)).value)


def compact_document(t):
    return quoted(re.sub(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', lambda m: m.group(1) or "", t))


FORMS = {number: lambda t: t, real: double, single: float4, text_of: quoted, document: compact_document}


def form_of(canonical):
    """test_random_types' conversion to a Python value, made one to JSON text."""
    if canonical in FORMS:
        return FORMS[canonical]

    def form(t):
        value = canonical(t)
        return quoted(value) if isinstance(value, str) else ("false", "true")[value]
    return form


def array_form(form):
    def level(x):
        return "[%s]" % ",".join(map(level, x)) if isinstance(x, list) else "null" if x is None else form(x)
    return lambda t: level(json.loads(t))


class Sized(Values):
    """Texts and bytes whose sizes are log-distributed: half of them below 12, one of 200 above 2,000."""

    ALPHABET = 'abc XYZ09,;:{}[]()"\'\\/\t\n\r\x01\x1f\x7f%_-=é€ß漢😀NULnul'

    def size(self, limit=100000):
        return min(limit, int(12 * math.exp(self.rnd.gauss(0, 2))))

    def sized_text(self, limit=100000, alphabet=ALPHABET):
        return "".join(self.rnd.choices(alphabet, k=self.size(limit)))

    def sized_bytes(self, limit=100000):
        return self.rnd.randbytes(self.size(limit))

    def pair(self, low, high):
        return sorted(self.rnd.sample(range(low, high), 2))


# ---- PostgreSQL ----

MD5S = "(select string_agg(md5((i * {k})::text), '') from generate_series(1, 32768) i)"
PG_LARGE = {"text": MD5S, "bytea": "decode(%s || %s, 'hex')" % (MD5S, MD5S), "json": "to_json(%s)" % MD5S, "jsonb": "to_jsonb(%s)" % MD5S, "citext": MD5S + "::citext"}
PG_SETUP = ("create extension hstore; create extension citext; create extension ltree; create type mood as enum ('sad', 'NULL', 'a \"b\"', 'a,b');"
            "create type item as (name text, n int, x text); create domain posint as int check (value > 0); create domain pair as int[] check (cardinality(value) = 2);"
            "create type textrange as range (subtype = text); create domain mood_list as mood[]; create type nested as (i item, a int[]);")

PG_MORE = (
    ("numeric(20,5)", lambda v: "%d.%d" % (v.rnd.randrange(-10 ** 14, 10 ** 14), v.rnd.randrange(10 ** 5)), text_of),
    ("timestamp(3)", Values.timestamp, next(c for k, _, c in TYPES if k == "timestamp")),
    ("cidr", lambda v: "10.%d.0.0/16" % v.rnd.randrange(256), text_of), ("macaddr8", lambda v: "%016x" % v.rnd.getrandbits(64), text_of),
    ("line", lambda v: "{%d,%d,%d}" % (v.rnd.randrange(1, 9), v.rnd.randrange(9), v.rnd.randrange(9)), text_of), ("lseg", lambda v: "[%s,%s]" % (v.point(), v.point()), text_of),
    ("path", lambda v: v.rnd.choice(["[%s]", "(%s)"]) % ",".join(v.point() for _ in range(v.rnd.randrange(1, 4))), text_of),
    ("polygon", lambda v: "(%s,%s,%s)" % (v.point(), v.point(), v.point()), text_of), ("circle", lambda v: "<%s,%d>" % (v.point(), v.rnd.randrange(99)), text_of),
    ("int8range", Values.range, text_of), ("numrange", lambda v: "[%d.50,%d.25)" % tuple(v.pair(-99, 99)), text_of),
    ("daterange", lambda v: "[2000-01-%02d,2000-01-%02d]" % tuple(v.pair(1, 32)), text_of), ("tsrange", lambda v: "[2000-01-%02d 01:02:03.5,2000-01-%02d]" % tuple(v.pair(1, 32)), text_of),
    ("nummultirange", lambda v: "{[%d,%d)}" % tuple(v.pair(-99, 99)), text_of), ("tsquery", lambda v: "%s & !%s" % (v.word(), v.word()), text_of),
    ("pg_snapshot", lambda v: "%d:%d:" % tuple(v.pair(1, 10 ** 6)), text_of), ("jsonpath", lambda v: "$.%s[*]" % v.word(), text_of),
    ("hstore", lambda v: '"%s"=>NULL, b=>"%s"' % (v.word(), v.word()), text_of), ("citext", lambda v: v.sized_text(), text_of), ("ltree", lambda v: "%s.%s" % (v.word(), v.word()), text_of),
    ("numeric(5,-2)", lambda v: str(v.rnd.randrange(-9999000, 9999000)), text_of), ("char(1)", lambda v: v.rnd.choice(" aé€😀"), lambda t: t.rstrip(" ")),
    ("bit(1)", lambda v: v.bits(1), text_of), ("time(2)", Values.clock, text_of), ("timetz(0)", lambda v: v.clock() + v.zone(), text_of),
    ("timestamptz(1)", lambda v: v.timestamp(v.zone()), next(c for k, _, c in TYPES if k == "timestamptz")), ("interval(2)", Values.interval, text_of),
    ("interval year to month", lambda v: "%d years %d mons" % (v.rnd.randrange(-9, 9), v.rnd.randrange(-20, 20)), text_of), ("regtype", lambda v: v.rnd.choice(["int4", "text[]", "mood"]), text_of),
    ("regclass", lambda v: v.rnd.choice(["pg_class", "information_schema.tables"]), text_of), ("int2vector", lambda v: "%d %d" % (v.rnd.randrange(-99, 99), v.rnd.randrange(99)), text_of),
    ("oidvector", lambda v: "%d 1" % v.rnd.getrandbits(32), text_of), ("refcursor", lambda v: v.sized_text(100), text_of), ("xid", lambda v: str(v.rnd.getrandbits(32)), text_of),
    ("textrange", lambda v: '["%s","%s~"]' % (a, a) if (a := v.word()) else "", text_of), ("nested", lambda v: '("(%s,%d,)","{%d,NULL}")' % (v.word(), v.rnd.randrange(9), v.rnd.randrange(9)), text_of),
    ("xid8", lambda v: str(v.rnd.getrandbits(64)), text_of), ("tid", lambda v: "(%d,%d)" % (v.rnd.getrandbits(32), v.rnd.getrandbits(16)), text_of),
)
PG_SIZED = {"text": lambda v: v.sized_text(), "bytea": lambda v: "\\x" + v.sized_bytes().hex(), "varchar(30)": lambda v: v.sized_text(30),
            "json": lambda v: json.dumps([v.document(), v.sized_text()], ensure_ascii=v.rnd.random() < 0.5, indent=v.rnd.choice([None, 1]))}
GEOMETRY_TEXT = ("POINT(%d %d)", "LINESTRING(%d %d,3 4.25)", "POLYGON((%d %d,70 0,70 71,%d %d))", "MULTIPOINT(%d %d,5 6)", "GEOMETRYCOLLECTION(POINT(%d %d),LINESTRING(1 1,2 2))")


def shape(v):
    text = v.rnd.choice(GEOMETRY_TEXT)
    return text % ((v.rnd.randrange(-60, 0), v.rnd.randrange(-60, 0)) * (text.count("%d") // 2))


def ewkb_form(t):
    """PostGIS' own split of a geometry: its SRID and its ISO WKB in hex."""
    srid, wkb = t.split(" ")
    return '{"srid":%s,"wkb":"%s"}' % (srid, base64.b64encode(bytes.fromhex(wkb)).decode())


def postgres_kinds(postgis):
    kinds = []
    for kind, make, canonical in TYPES + PG_MORE:
        form = form_of(canonical)
        kinds.append(Kind(kind, PG_SIZED.get(kind, make), "{c}", form, PG_LARGE.get(kind)))
        delimiter = ";" if kind == "box" else ","
        padded = kind.startswith("char(")  # a cast to text would take the padding off
        kinds.append(Kind(kind + "[]", lambda v, make=make, d=delimiter: array(v, make, d), "array_to_json({c}%s)::text" % ("" if padded else "::text[]"),
                          array_form(quoted if padded else form), None))
    kinds.append(Kind("pair", lambda v: "{%d,NULL}" % v.rnd.randrange(99), "array_to_json({c}::text[])::text", array_form(FORMS[number]), None))
    kinds.append(Kind("mood_list", lambda v: v.rnd.choice(["{}", '{sad,NULL,"a,b"}', '{{"NULL"},{"a \\"b\\""}}']), "array_to_json({c}::text[])::text", array_form(quoted), None))
    if postgis:
        for kind in ("geometry", "geography"):
            kinds.append(Kind(kind, lambda v: "SRID=4326;" + shape(v), "public.st_srid({c}::public.geometry) || ' ' || encode(public.st_asbinary({c}::public.geometry, 'NDR'), 'hex')", ewkb_form, None))
    return kinds


def finite(kinds):
    """The kinds without NaN and infinities where they are a column's own type; an array's or a domain's stay."""
    def make(k):
        return lambda v: re.sub("NaN|-?Infinity", "0", k.make(v))
    return [k._replace(make=make(k)) if re.match(r"real$|double precision$|numeric(\(|$)(?!.*\[)", k.type) else k for k in kinds]


# ---- MariaDB and MySQL ----


def literal(text):
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0")


def base64_form(t):
    return '"%s"' % base64.b64encode(bytes.fromhex(t)).decode()


def without_zeros(t):
    return t.rstrip("0").rstrip(".") if "." in t else t


def geometry_form(t):
    """The server keeps the SRID in four bytes, little endian, before the WKB."""
    return '{"srid":%d,"wkb":"%s"}' % (struct.unpack("<I", bytes.fromhex(t[:8]))[0], base64.b64encode(bytes.fromhex(t[8:])).decode())


def vector_form(t):
    return "[%s]" % ",".join(shortest_single(x) for x in struct.unpack("<%df" % (len(t) // 8), bytes.fromhex(t)))


def my_integers():
    for name, bits in (("tinyint", 8), ("smallint", 16), ("mediumint", 24), ("int", 32), ("bigint", 64)):
        yield Kind(name, lambda v, b=bits: v.integer(b), "{c}", FORMS[number], None)
        yield Kind(name + " unsigned", lambda v, b=bits: str(int(v.integer(b)) + 2 ** (b - 1)), "{c}", FORMS[number], None)


def my_clock(v, digits):
    return "%s%s" % (v.clock()[:8], ".%0*d" % (digits, v.rnd.randrange(10 ** digits)) if digits else "")


def my_day(v):
    return v.rnd.choice(["0000-00-00", "2026-00-00", "%04d-%02d-%02d" % (v.rnd.randrange(1, 10000), v.rnd.randrange(1, 13), v.rnd.randrange(1, 29))])


def my_moments():
    yield Kind("date", lambda v: literal(my_day(v)), "{c}", quoted, None)
    for digits in range(7):
        more = "(%d)" % digits if digits else ""
        yield Kind("time" + more, lambda v, d=digits: "'%s%d:%02d:%02d%s'" % (v.rnd.choice(["", "-"]), v.rnd.randrange(838), v.rnd.randrange(60), v.rnd.randrange(60), my_clock(v, d)[8:]),
                   "{c}", lambda t: quoted(without_zeros(t)), None)
        yield Kind("datetime" + more, lambda v, d=digits: "'%s %s'" % (my_day(v), my_clock(v, d)), "{c}", lambda t: quoted(without_zeros(t.replace(" ", "T"))), None)
        yield Kind("timestamp" + more, lambda v, d=digits: v.rnd.choice(["'%d-%02d-%02d %s'" % (v.rnd.randrange(1971, 2038), v.rnd.randrange(1, 13), v.rnd.randrange(1, 29), my_clock(v, d)), "'1970-01-01 00:00:01'", "0"]),
                   "{c}", lambda t: quoted(without_zeros(t.replace(" ", "T")) + "Z"), None)


# What each character set can write; ASCII is in all of them.
CHARSETS = (("utf8mb4", Sized.ALPHABET), ("utf8mb3", "abc é€漢'\\\"\n"), ("latin1", "abc éÿ€'\\\"\n"), ("ascii", "abc'\\\"\n\t"), ("ucs2", "aé漢'\\"), ("utf16", "aé漢😀'\\"), ("utf32", "aé漢😀'\\"),
            ("sjis", "a表ソｱ'"), ("gbk", "a你好丂'"), ("big5", "a功許'"), ("euckr", "a가갂'"), ("cp1251", "aяж'"), ("koi8r", "aяж'"), ("greek", "aλω'"), ("latin2", "aőž'"))


def my_texts():
    for charset, alphabet in CHARSETS:
        for kind, limit in (("char(20)", 20), ("char(255)", 255), ("varchar(50)", 50), ("varchar(200)", 200)) + ((("text", 3000),) if charset in ("utf8mb4", "latin1", "ucs2", "gbk") else ()):
            yield Kind("%s character set %s" % (kind, charset), lambda v, limit=limit, a=alphabet: literal(v.sized_text(limit, a)),
                       "concat('', {c})", quoted, None)
    for kind, limit in (("tinytext", 60), ("mediumtext", 100000), ("longtext", 100000)):
        yield Kind(kind + " character set utf8mb4", lambda v, limit=limit: literal(v.sized_text(limit)), "{c}", quoted, "repeat(sha2({k}, 256), 16384)" if limit > 60 else None)


def my_bytes():
    for n in (7, 255):
        yield Kind("binary(%d)" % n, lambda v, n=n: "x'%s'" % v.sized_bytes(n).hex(), "hex({c})", base64_form, None)
    for kind, limit in (("varbinary(20)", 20), ("varbinary(300)", 300), ("tinyblob", 255), ("blob", 60000), ("mediumblob", 100000), ("longblob", 100000)):
        yield Kind(kind, lambda v, limit=limit: "x'%s'" % v.sized_bytes(limit).hex(), "hex({c})", base64_form, "repeat(unhex(sha2({k}, 256)), 32768)" if limit == 100000 else None)
    for n in (1, 10, 33, 64):
        yield Kind("bit(%d)" % n, lambda v, n=n: str(v.rnd.getrandbits(n)), "lpad(bin({c} + 0), %d, '0')" % n, quoted, None)


def my_labels():
    for n in (3, 300):
        yield Kind("enum(%s)" % ",".join("'v%dé'" % i for i in range(1, n + 1)), lambda v, n=n: str(v.rnd.randrange(0, n + 1)), "concat('', {c})", quoted, None)
    for n in (3, 17, 64):
        yield Kind("set(%s)" % ",".join("'l%dé'" % i for i in range(1, n + 1)), lambda v, n=n: str(v.rnd.getrandbits(n) & v.rnd.getrandbits(n)), "concat('', {c})",
                   lambda t: "[%s]" % ",".join(map(quoted, t.split(","))) if t else "[]", None)


def my_numbers():
    yield Kind("float", lambda v: re.sub("NaN|Infinity|-0$", "0.1", v.single()), "{c} + 0e0", float4, None)
    yield Kind("double", lambda v: re.sub("NaN|-?Infinity|-0$", "0.1", v.double()), "{c}", double, None)
    yield Kind("double(12,4)", lambda v: "%.4f" % v.rnd.uniform(-1e7, 1e7), "{c} + 0e0", double, None)
    yield Kind("float(7,3)", lambda v: "%.3f" % v.rnd.uniform(-1e3, 1e3), "{c} + 0e0", float4, None)
    yield Kind("int(7) zerofill", lambda v: str(v.rnd.getrandbits(32)), "{c} + 0", FORMS[number], None)
    yield Kind("decimal(18,9) unsigned", lambda v: "%d.%09d" % (v.rnd.randrange(10 ** v.rnd.randrange(10)), v.rnd.randrange(10 ** 9)), "{c}", quoted, None)
    for p, s in ((1, 0), (9, 9), (10, 9), (20, 5), (38, 0), (65, 0), (65, 30)):
        yield Kind("decimal(%d,%d)" % (p, s), lambda v, p=p, s=s: "%s%d.%0*d" % (v.rnd.choice(["", "-"]), v.rnd.randrange(10 ** v.rnd.randrange(p - s + 1)), s or 1, v.rnd.randrange(10 ** s)), "{c}", quoted, None)
    yield Kind("year", lambda v: str(v.rnd.choice([0, v.rnd.randrange(1901, 2156)])), "{c} + 0", FORMS[number], None)


def my_geometry(v):
    return "st_geomfromtext('%s', %d)" % (shape(v), v.rnd.choice([0, 4326]))


def mysql_document(v):
    """A JSON document, or an expression of what only MySQL's binary JSON has: dates, decimals, bytes."""
    r = v.rnd
    moment = my_clock(v, 6)
    return r.choice([literal(v.json()), literal(json.dumps([v.document(), v.sized_text(3000)])),
                     "json_array(cast('2026-%02d-01' as date), cast('2026-01-02 %s' as datetime(6)), cast('-%s' as time(6)))" % (r.randrange(1, 13), moment, moment),
                     "json_object('d', cast(%d.%04d as decimal(20,4)), 'u', %d, 'f', %se0, 'x', x'%s')" % (r.randrange(10 ** 9), r.randrange(10 ** 4), r.getrandbits(64), r.uniform(-1e6, 1e6), r.randbytes(5).hex()),
                     literal("[%s, %s, %d, -%d]" % (repr(2.0 ** r.randrange(-1074, 1024)), repr(r.uniform(-1e20, 1e20)), r.getrandbits(64), r.getrandbits(62)))])


def my_kinds():
    return (list(my_integers()) + list(my_numbers()) + list(my_moments()) + list(my_texts()) + list(my_bytes()) + list(my_labels()) +
            [Kind(kind, make, "hex({c})", geometry_form, None) for kind, make in (("geometry", my_geometry), ("point", lambda v: "point(%d, %d.5)" % (v.rnd.randrange(99), v.rnd.randrange(99))),
                                                                                ("linestring", lambda v: "st_geomfromtext('LINESTRING(%d 1,2 2)')" % v.rnd.randrange(99)),
                                                                                ("multipolygon", lambda v: "st_geomfromtext('MULTIPOLYGON(((0 0,%d 0,9 9,0 0)))')" % v.rnd.randrange(1, 99)))])


def mariadb_kinds():
    return my_kinds() + [
        Kind("json", lambda v: literal(v.json() if v.rnd.random() < 0.5 else json.dumps([v.document(), v.sized_text()], ensure_ascii=False)), "{c}", compact_document, "json_quote(repeat(sha2({k}, 256), 16384))"),
        Kind("uuid", lambda v: "'%032x'" % v.rnd.getrandbits(128), "{c}", quoted, None),
        Kind("inet4", lambda v: "'%d.%d.%d.%d'" % tuple(v.rnd.randbytes(4)), "{c}", quoted, None),
        Kind("inet6", lambda v: literal(v.rnd.choice(["::", "::1", ":".join("%x" % (v.rnd.getrandbits(16) * (v.rnd.random() < 0.5)) for _ in range(8)), "::ffff:%d.%d.%d.%d" % tuple(v.rnd.randbytes(4))])), "{c}", quoted, None),
        Kind("text compressed character set utf8mb4", lambda v: literal(v.sized_text(3000)), "{c}", quoted, None),
        Kind("longtext compressed character set utf8mb4", lambda v: literal(v.sized_text()), "{c}", quoted, "repeat(sha2({k}, 256), 16384)"),
        Kind("varbinary(300) compressed", lambda v: "x'%s'" % v.sized_bytes(300).hex(), "hex({c})", base64_form, None)]


def mysql_kinds():
    return my_kinds() + [
        Kind("json", mysql_document, "{c}", compact_document, "json_quote(repeat(sha2({k}, 256), 16384))"),
        Kind("vector(4)", lambda v: "x'%s'" % struct.pack("<4f", *(float(re.sub("NaN|Infinity", "1", v.single())) for _ in range(4))).hex(), "hex({c})", vector_form, None)]
