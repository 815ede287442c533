"""Values from SQL to the message and the CSV cell, as types_table.py and docs/types.md list them; and the same SQL on PostgreSQL, MariaDB
and, where LIST_SYNC_MYSQL names one, MySQL gives the same bytes, source and schema aside."""
import re

from lib import SERVERS, Case, is_postgres, messages, my, read_topic, wait_until
from types_table import OLD_TIMES, POSTGIS, POSTGRES_TYPES, columns_of, page, sql_of

MY_SESSION = "set sql_mode = ''; set time_zone = '+00:00';"

# Geometries by kind; a coordinate pair gets further axes where the test wants them.
GEOMETRIES = (
    ("POINT", "(1 2)"), ("POINT", "EMPTY"), ("LINESTRING", "(1 2,3 4)"), ("POLYGON", "((0 0,9 0,9 9,0 0),(1 1,2 1,2 2,1 1))"), ("POLYGON", "EMPTY"),
    ("MULTIPOINT", "(1 2,3 4)"), ("MULTILINESTRING", "((1 2,3 4),(5 6,7 8))"), ("MULTIPOLYGON", "(((0 0,9 0,9 9,0 0)),((1 1,2 1,2 2,1 1)))"),
    ("CIRCULARSTRING", "(0 0,1 1,2 0)"), ("TRIANGLE", "((0 0,9 0,9 9,0 0))"), ("TIN", "(((0 0,9 0,9 9,0 0)),((0 0,9 9,0 9,0 0)))"), ("GEOMETRYCOLLECTION", "EMPTY"),
)


def compact(message):
    """A message without source and schema: what all servers must have in common, byte for byte."""
    return re.sub(r',"source":\{[^{}]*\}', "", re.sub(r'"schema":"[^"]*",', "", message, count=1), count=1)


class Listed(Case):
    def script_sql(self, columns, db):
        """create and insert statements; the i-th row has the i-th value of each column, and a last row only NULLs."""
        create = "create table t (id int primary key, %s)" % ", ".join("%s %s null" % (name, kind) for name, kind, _ in columns)
        rows = []
        for i in range(max(len(v) for _, _, v in columns)):
            cells = []
            for _, _, cases in columns:
                cells.append(sql_of(cases[i][0], db) if i < len(cases) else "null")
            rows.append("insert into t values (%d, %s);" % (i + 1, ", ".join(cells)))
        rows.append("insert into t (id) values (1000);")
        return create, "\n".join(rows)

    def expected(self, columns):
        for i in range(max(len(v) for _, _, v in columns)):
            yield "[%s]" % ",".join(['{"name":"id","value":%d}' % (i + 1)] + ['{"name":"%s","value":%s}' % (n, c[i][1] if i < len(c) else "null") for n, _, c in columns])
        yield "[%s]" % ",".join(['{"name":"id","value":1000}'] + ['{"name":"%s","value":null}' % n for n, _, _ in columns])

    def columns_text(self, message):
        return re.search(r'"columns":(\[.*?\]),"(?:identity|source|unchanged|moved_from)"', message, re.DOTALL).group(1)

    def compare(self, db, columns, insert, setup=""):
        p = self.start_connector(self.script(self.connector(db), self.consumer(db, topic_list=[self.topic_of(db)])))
        self.sql(db, setup + insert)
        wanted = list(self.expected(columns))
        self.wait_messages(self.topic_of(db), len(wanted), [p])
        got = [value for _, _, value in read_topic(self.topic_of(db))]
        for g, w in zip(got, wanted):
            self.assertEqual(self.columns_text(g), w)
        # CSV and back: as many records, so every value passes the consumer's reader and the writer
        wait_until(lambda: sum(line.startswith("I,") for line in self.lines("%s_%s.csv" % (db, db))) == len(wanted), "the CSV rows", programs=[p])
        self.assertEqual(p.stop(), 0)
        return got


class Types(Listed):
    def common(self):
        """A new table of the types that all servers have on each: (server, columns, insert statements)."""
        servers = [db for db, server in SERVERS.items() if server]
        self.databases(further=tuple(db for db in servers if is_postgres(db) and db != self.postgres))
        out = []
        for db in servers:
            columns = columns_of(db, True)
            create, insert = self.script_sql(columns, db)
            self.sql(db, create)
            out.append((db, columns, insert))
        return out

    def test_page_is_up_to_date(self):
        have, wanted = page()
        self.assertEqual(have, wanted, "tests/e2e/types_table.py writes docs/types.md anew")

    def test_same_bytes_from_all(self):
        more = "\nupdate t set v = 'changed', f8 = null where id = 1;\ndelete from t where id = 2;\nupdate t set id = 77 where id = 3;"
        texts = []
        for db, columns, insert in self.common():
            program = self.start_connector(self.script(self.connector(db), name=db + ".lua"))
            self.sql(db, insert + more)
            wanted = list(self.expected(columns))
            self.wait_messages(self.topic_of(db), len(wanted) + 4, [program])
            rows = read_topic(self.topic_of(db))
            for (_, _, value), w in zip(rows, wanted):
                self.assertEqual(self.columns_text(value), w, db)
            texts.append([(key, compact(value)) for _, key, value in rows])
            self.assertEqual(program.stop(), 0)
        for other in texts[1:]:
            self.assertEqual(texts[0], other)

    def test_csv_of_all(self):
        files = []
        for db, columns, insert in self.common():
            self.compare(db, columns, insert)
            with open(self.path("%s_%s.csv" % (db, db)), encoding="utf-8", newline="") as f:
                files.append(f.read().replace("I,%s.t," % ("public" if is_postgres(db) else self.id_), "I,t,"))
        for other in files[1:]:
            self.assertEqual(files[0], other)

    def test_mariadb(self):
        self.own_types("mysql")

    def test_mysql(self):
        self.need("mysql8")
        self.own_types("mysql8")

    def own_types(self, db):
        columns = columns_of(db, False)
        create, insert = self.script_sql(columns, db)
        self.databases()
        self.sql(db, create)
        self.compare(db, columns, insert, MY_SESSION)

    def test_mariadb_old_temporal_formats(self):
        columns = list(OLD_TIMES)
        create, insert = self.script_sql(columns, "mysql")
        self.databases()
        my("set global mysql56_temporal_format = off")
        try:
            self.my(create)
        finally:
            my("set global mysql56_temporal_format = on")
        self.compare("mysql", columns, insert, MY_SESSION)

    def test_mariadb_session_time_zone(self):
        self.databases()
        self.my("create table t (id int primary key, tz timestamp null)")
        p = self.start_connector(self.script(self.connector("mysql")))
        self.my("set time_zone = '+05:30'; insert into t values (1, '2026-01-01 05:30:00')")
        got = self.wait_messages(self.topic_of("mysql"), 1, [p])
        self.assertEqual(got[0]["columns"][1]["value"], "2026-01-01T00:00:00Z")
        self.assertEqual(p.stop(), 0)


class Postgres(Listed):
    def test_listed_types(self):
        columns = columns_of(self.postgres, False)
        create, insert = self.script_sql(columns, self.postgres)
        self.databases()
        self.pg(POSTGRES_TYPES + create)
        self.compare(self.postgres, columns, insert, "set timezone = 'Asia/Kolkata'; set datestyle = 'SQL, DMY'; set datestyle = 'ISO';")

    def test_database_settings_do_not_leak(self):
        """Settings of the database and role would change the texts that the server sends; the connector pins its own."""
        columns = columns_of(self.postgres, False)
        create, insert = self.script_sql(columns, self.postgres)
        self.databases()
        self.pg(POSTGRES_TYPES + create)
        for setting in ("timezone = 'Asia/Kolkata'", "datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'", "extra_float_digits = -3", "bytea_output = 'escape'"):
            self.pg("alter database %s set %s" % (self.id_, setting))
        self.compare(self.postgres, columns, insert, "set timezone = 'UTC'; set datestyle = 'ISO, MDY';")

    def test_postgis(self):
        if not self.admin("select name from pg_available_extensions where name = 'postgis'"):
            self.skipTest("the server has no PostGIS")
        create, insert = self.script_sql(POSTGIS, self.postgres)
        self.databases()
        self.pg("create extension postgis; " + create)
        self.compare(self.postgres, POSTGIS, insert)

    def test_postgis_agrees_with_itself(self):
        """PostGIS' own ISO WKB of each kind of geometry, in both byte orders of the input, is what the message has."""
        if not self.admin("select name from pg_available_extensions where name = 'postgis'"):
            self.skipTest("the server has no PostGIS")
        shapes = ["%s %s %s" % (kind, axes, body) for axes in ("", "Z", "M", "ZM") for kind, body in GEOMETRIES for body in [
            re.sub(r"\d+ \d+", lambda m: m.group(0) + " 7.5" * len(axes), body)]]
        self.databases()
        self.pg("create extension postgis; create table t (id int primary key, g geometry)")
        p = self.start_connector(self.script(self.connector(self.postgres)))
        self.pg("".join("insert into t values (%d, '%s'); insert into t values (%d, st_setsrid(st_geomfromewkb(st_asewkb('%s', 'XDR')), 3857));"
                        % (i * 2, shape, i * 2 + 1, shape) for i, shape in enumerate(shapes)))
        want = self.pg("select st_srid(g), translate(encode(st_asbinary(g, 'NDR'), 'base64'), E'\\n', '') from t order by id").split()
        got = ["%d|%s" % (m["columns"][1]["value"]["srid"], m["columns"][1]["value"]["wkb"]) for m in self.wait_messages(self.topic_of(self.postgres), len(want), [p])]
        self.assertEqual(got, want)
        self.assertEqual(p.stop(), 0)

    def test_types_made_and_dropped_meanwhile(self):
        """A type is resolved when its table is first seen, and one that is gone by then is text."""
        self.databases()
        self.pg("create type mood as enum ('sad'); create table t (id int primary key, m mood, a mood[])")
        script = self.script(self.connector(self.postgres))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'sad', '{sad}'); alter table t drop m, drop a; drop type mood;"
                "create domain later as text[]; alter table t add l later; insert into t values (2, '{x,NULL}')")
        self.run_to_end(script, "--until-caught-up")
        rows = [[c["value"] for c in m["columns"]] for m in messages(self.topic_of(self.postgres))]
        self.assertEqual(rows, [[1, "sad", "{sad}"], [2, ["x", None]]])

    def test_deferrable_key_is_none(self):
        """Two rows may have the same deferrable key for a while, so it identifies none: the whole row does."""
        self.databases()
        self.pg("create table t (id int primary key deferrable initially deferred, v text); alter table t replica identity full;")
        p = self.start_connector(self.script(self.connector(self.postgres)))
        self.pg("insert into t values (1, 'a'), (2, 'b'); update t set id = id + 1")
        rows = {}
        for m in self.wait_messages(self.topic_of(self.postgres), 4, [p]):
            self.assertNotIn("pk", m)
            if "identity" in m:
                del rows[tuple(c["value"] for c in m["identity"])]
            rows[tuple(c["value"] for c in m["columns"])] = True
        self.assertEqual(sorted(rows), [(2, "a"), (3, "b")])
        self.assertEqual(p.stop(), 0)

    def encoded_database(self, encoding):
        self.databases()
        self.admin("drop database %s" % self.id_)
        self.admin("create database %s encoding '%s' lc_collate 'C' lc_ctype 'C' template template0" % (self.id_, encoding))

    def test_latin1_database(self):
        """The server makes UTF-8 of names and values."""
        self.encoded_database("LATIN1")
        self.pg("set client_encoding = 'UTF8'; create type \"Stück\" as enum ('fünf'); create table t (id int primary key, \"größe\" text, s \"Stück\"[])")
        p = self.start_connector(self.script(self.connector(self.postgres)))
        self.pg("set client_encoding = 'UTF8'; insert into t values (1, 'é ÿ', '{fünf}')")
        m = self.wait_messages(self.topic_of(self.postgres), 1, [p])[0]
        self.assertEqual(m["columns"], [{"name": "id", "value": 1}, {"name": "größe", "value": "é ÿ"}, {"name": "s", "value": ["fünf"]}])
        self.assertEqual(p.stop(), 0)

    def test_text_without_an_encoding(self):
        """SQL_ASCII: the server checks and converts nothing. UTF-8 passes, other bytes are an error that says where they are."""
        self.encoded_database("SQL_ASCII")
        self.pg("create table t (id int primary key, a text[])")
        p = self.start_connector(self.script(self.connector(self.postgres)))
        self.pg("insert into t values (1, '{é}')")
        self.assertEqual([m["columns"][1]["value"] for m in self.wait_messages(self.topic_of(self.postgres), 1, [p])], [["é"]])
        self.pg("insert into t values (42, array[E'ok', E'\\xe9'])")
        self.assertEqual(p.wait(), 1, p.log())
        self.assertRegex(p.log(), r'table public\.t, column "a", key id=42, transaction [0-9a-f]{16} .*row 1: array element 2: .*not valid UTF-8')

    def test_wide_table(self):
        columns = 1500
        self.databases()
        self.pg("create table t (id int primary key, %s)" % ", ".join("c%d smallint" % i for i in range(columns)))
        p = self.start_connector(self.script(self.connector(self.postgres)))
        self.pg("insert into t values (1, %s)" % ", ".join(str(i) for i in range(columns)))
        m = self.wait_messages(self.topic_of(self.postgres), 1, [p])[0]
        self.assertEqual([c["value"] for c in m["columns"]], [1] + list(range(columns)))
        self.assertEqual(p.stop(), 0)


class Postgres18(Postgres):
    postgres = "postgres18"
