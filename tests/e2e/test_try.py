"""Hooks tried without rows of a server's: check's made-up rows, cases that are recorded, tested and written anew."""
import os
import re

from lib import PG, Case, Raw, pg, topic_partitions, wait_until
from types_table import POSTGRES_TYPES, columns_of, sql_of

TABLE = "create table t (id bigint primary key, v varchar(20), n int not null, big {text}, total numeric(10,2), doc {json})"
BOTH = ("postgres", "mysql")


class MadeUp(Case):
    def setUp(self):
        super().setUp()
        self.databases(TABLE.format(text="text", json="jsonb"), TABLE.format(text="longtext", json="json"))

    def check(self, db, code, **options):
        return self.run_to_end("check", self.script(self.connector(db, **options)), code=code).log()

    def table(self, db):
        return ("public" if db == "postgres" else self.id_) + r"\.t"

    def finds(self, db, what, row, **options):
        log = self.check(db, 2, **options)
        self.assertRegex(log, r"error: test\.lua:\d+: (filter|map) of connector \"%s\": .*%s.* \(%s, made-up %s\)\n" % (self.name(db), what, self.table(db), row))
        self.assertRegex(log, r'error: connector "%s": made-up rows raise \d+ error' % self.name(db))
        return log

    def test_null(self):
        for db in BOTH:
            log = self.finds(db, "NULL reads as nil", "insert with NULLs", map=Raw("function(row) if row.new and row:has 'v' then row.new.v = row.new.v:upper() end end"))
            self.assertEqual(len(re.findall("made-up", log)), 2, "one finding, and the end: " + log)
            self.check(db, 0, map=Raw("function(row) if row.new and row.new.n then row.new.n = row.new.n + 1 end end"))

    def test_a_delete_with_its_key_only(self):
        for db in BOTH:
            self.finds(db, '"n" was not sent', "delete with its key only", filter=Raw("function(row) return row:text 'n' ~= '' end"))
            self.finds(db, "attempt to index", "delete with its key only", filter=Raw("function(row) return row.new.n > 0 end"))

    def test_values_that_are_not_sent(self):
        hook = Raw("function(row) return row.action ~= 'U' or row:text 'big' ~= '' end")
        self.finds("postgres", '"big" was not sent', "update whose large values were not sent", filter=hook)
        self.pg("alter table t replica identity full")
        self.check("postgres", 0, filter=hook)
        self.check("mysql", 0, filter=hook)
        self.finds("mysql", '"big" was not sent', "update whose large values were not sent", filter=hook, row_image="any")

    def test_integers(self):
        for db in BOTH:
            self.finds(db, "attempt to concatenate", "insert with the greatest integers", filter=Raw("function(row) return row.image.id .. '' ~= '' end"))
            self.check(db, 0, filter=Raw("function(row) return row.action == 'D' or row.new.n .. '' ~= '' end"))

    def test_an_update_of_the_key(self):
        for db in BOTH:
            self.finds(db, "gone", "update of the key", map=Raw("function(row) if row.old and row.old.id == 2 then error 'gone' end end"))

    def test_what_is_not_the_hooks_but_the_columns(self):
        """A cast is not blamed for the examples' values; a key that a delete has not is."""
        for db in BOTH:
            self.check(db, 0, columns=Raw("{ cast = { v = 'integer' } }"))
            log = self.check(db, 2, key=["n"])
            self.assertRegex(log, r'column "n": a key column came without a value.* \(%s, made-up delete with its key only\)' % self.table(db))

    def test_a_key_column_that_is_dropped(self):
        """Wrong whatever the values are: check refuses it as the run does."""
        script = self.script(self.connector("postgres", columns=Raw('{ drop = { "id" } }')))
        log = self.run_to_end("check", script, code=2).log()
        self.assertIn('columns.drop names "id", which is part of the key of table public.t', log)
        self.assertNotIn("its values are examples", log)

    def test_a_consumer_of_what_connectors_send(self):
        """Its hooks meet the columns that the connector's hooks have made."""
        for db in BOTH:
            connector = self.connector(db, map=Raw("function(row) if row.new then row.new.origin = 'eu' end row:drop 'total' end"))
            for hook, what in (("row.new.origin = row.new.origin:upper()", None), ("row.new.v = row.new.v:upper()", 'attempt to index .* \\(%s, made-up insert with NULLs\\)' % self.table(db)),
                               ("row.new.total = 1 + row.new.total", r'has no column "total".* \(%s, made-up insert\)' % self.table(db))):
                hook = Raw("function(row) if row.new and (row.action == 'I') then %s end end" % hook)
                log = self.run_to_end("check", self.script(self.consumer(topic_list=[self.topic_of(db)], map=hook), connector), code=2 if what else 0).log()
                self.assertIn('connector "%s": ok' % self.name(db), log)
                if what:
                    self.assertRegex(log, r'out: error: test\.lua:\d+: map of consumer "out": .*' + what)
                    self.assertRegex(log, r'error: consumer "out": made-up rows raise')
                else:
                    self.assertIn('consumer "out": ok', log)

    def test_a_misspelt_column(self):
        for db in BOTH:
            self.finds(db, 'has no column "totl"; did you mean "total"', "insert", filter=Raw("function(row) return not row.new or row.new.totl ~= '1' end"))

    def test_examples_are_no_fault(self):
        for db in BOTH:
            log = self.check(db, 0, map=Raw("function(row) if row.new and row.new.v ~= nil and row.new.v ~= ls.absent then assert(({ paid = 1 })[row.new.v], 'no such v') end end"))
            self.assertRegex(log, r"warning: test\.lua:\d+: map of connector .*no such v \(%s, made-up insert; its values are examples" % self.table(db))

    def test_texts_of_a_delete_are_examples(self):
        """... also where a hook looks at them for deletes alone, and what a place or time is made of is there."""
        for db in BOTH:
            code = "if row.action == 'D' then return tonumber(row.old.%s) > 5 end"
            log = self.check(db, 0, identity="full", filter=Raw("function(row) if row:has('v') and row.image.v then %s end end" % code % "v")) if db == "mysql" else ""
            self.assertNotIn(": error: ", log)
            log = self.check(db, 0, map=Raw("function(row) assert(tonumber(row.source.pos:sub(1, 8), 16) + tonumber(row.source.tx) > 0 and row.ts > 1e15) end"))
            self.assertNotIn("made-up", log)
        self.finds("mysql", "compare", "delete", identity="full", filter=Raw("function(row) if row.action == 'D' then return (row.new and row.new.n) > 5 end end"))

    def test_nothing_is_left_and_nothing_is_made(self):
        for db in BOTH:
            self.check(db, 2, filter=Raw("function(row) return row.nwe == nil end"))
            self.assertEqual(topic_partitions(self.topic_of(db)), 0)
        self.assertEqual(pg("select count(*) from pg_replication_slots where database = '%s'" % self.id_), "0")
        self.assertEqual(self.pg("select count(*) from t"), "0")

    def test_system_versioning(self):
        """A table of MariaDB's with its history is one like others."""
        self.my("drop table t; create table t (id bigint primary key, v varchar(20)) with system versioning")
        self.finds("mysql", "NULL reads as nil", "insert with NULLs", map=Raw("function(row) if row.new then row.new.v = row.new.v:lower() end end"))

    def test_several_tables(self):
        """The same error is told once, of a table that others do not have it is told, and a table that is left out is not tried."""
        self.both("create table u (id int primary key, n int); create table w (id int primary key)")
        for db in BOTH:
            schema = "public" if db == "postgres" else self.id_
            hook = Raw("function(row) if row.table == 'u' and row.new and not row.new.n then error 'u has none' end if row.table == 'w' then error 'w' end end")
            log = self.check(db, 2, tables=[schema + ".*", "!" + schema + ".w"], filter=hook)
            self.assertRegex(log, r"u has none \(%s\.u, made-up insert with NULLs\)" % schema)
            self.assertNotIn(".w,", log)


class Tables(Case):
    def columns(self, **options):
        """By check -v: the tables and columns that are tried."""
        return dict(re.findall(r": (\w+\.[\w ]+): (.*)\n", self.run_to_end("check", self.script(self.connector("postgres", **options)), "-v").log()))

    def test_what_comes_of_partitions_and_generated_columns(self):
        self.databases("create table p (id int primary key, v text, g int generated always as (id * 2) stored) partition by range (id);"
                       "create table p1 partition of p for values from (0) to (10); create unlogged table u (id int primary key); create view w as select * from p;"
                       "create schema other; create table other.\"a b\" (\"x y\" int, id smallint, primary key (id, \"x y\"))", "select 1")
        other = {"other.a b": "x y integer (key 2), id integer (key 1)"}
        without, whole = "id integer (key 1), v string", "id integer (key 1), v string, g integer"
        self.assertEqual(self.columns(tables=["*.*"]), dict(other, **{"public.p": without}))
        self.assertEqual(self.columns(tables=["public.*"], partition_root=False), {"public.p1": without})
        self.assertEqual(self.columns(tables=["*.*"], plugin="wal2json"), dict(other, **{"public.p1": whole}))
        self.pg("create publication given for table p (id) with (publish_via_partition_root = true)" if int(self.pg("show server_version_num")) >= 150000
                else "create publication given for table p with (publish_via_partition_root = true)")
        self.assertEqual(self.columns(tables=["public.p"], publication="given"), {"public.p": "id integer (key 1)" if int(self.pg("show server_version_num")) >= 150000 else without})


class Declared(Case):
    CASES = 'local ls = require "list_sync"\nls.table { "public.t", { "id", "integer", key = 1 }, { "v", "string" } }\n'

    def write(self, text, name="test.cases.lua"):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def test_offline(self):
        script = self.script(self.connector("postgres", port=1, filter=Raw("function(row) return row.image.v:len() > 0 end")),
                             self.consumer(map=Raw("function(row) if row.new then row.new.v = row.new.v .. '!' end end")))
        log = self.run_to_end("check", script, "--offline").log()
        self.assertIn(self.name("postgres") + ": its hooks were not tried: no table is declared: put cases beside the script (list_sync test), or check with the servers", log)
        self.assertIn("out: its hooks were not tried: no table is declared: put cases beside the script (list_sync test)", log)
        self.write(self.CASES)
        log = self.run_to_end("check", script, "--offline", code=2).log()
        self.assertRegex(log, r"error: test\.lua:\d+: filter of connector .*\(public\.t, made-up delete with its key only\)")
        log = self.run_to_end("check", script, "--offline", "--only", "out", code=2).log()
        self.assertRegex(log, r"error: test\.lua:\d+: map of consumer \"out\": .*NULL reads as nil \(public\.t, made-up insert with NULLs\)")
        self.write("local x = = 1\n")
        self.assertIn("test.cases.lua:1: unexpected symbol", self.run_to_end("check", script, "--offline", code=2).log())

    def test_secrets_may_be_missing(self):
        self.write(self.CASES)
        script = self.script(self.connector("postgres", tables=["public.*"], columns=Raw('{ mask = { v = ls.hmac(ls.env "NOT_SET_ANYWHERE") } }'),
                                            filter=Raw("function(row) return not row.new or row.new.v ~= '' end")))
        self.run_to_end("check", script, "--offline")

    def test_not_null(self):
        """A declared column may be NULL unless it says that it is not; a server that sends whole rows leaves nothing out."""
        hook = Raw("function(row) if row.new then row.new.v = row.new.v .. '!' end end")
        for db, code in (("postgres", 2), ("mysql", 0)):
            script = self.script(self.connector(db, tables=["public.*"], map=hook))
            self.write(self.CASES)
            self.assertIn("made-up insert with NULLs", self.run_to_end("check", script, "--offline", code=2).log())
            self.write(self.CASES.replace('"string" }', '"string", null = false }'))
            log = self.run_to_end("check", script, "--offline", code=code).log()
            self.assertNotIn("NULLs", log)
            self.assertEqual("made-up update whose large values were not sent" in log, db == "postgres", log)

    def test_a_consumer_of_what_connectors_send(self):
        self.write(self.CASES)
        script = self.script(self.connector("postgres", tables=["public.*"], topic=self.topic, map=Raw("function(row) row:rename('v', 'w') end")),
                             self.consumer(map=Raw("function(row) return row.action == 'D' or row.new.w ~= 1 end")))
        self.assertNotIn("not tried", self.run_to_end("check", script, "--offline").log())

    def test_an_error_behind_many_warnings(self):
        script = self.script(self.connector("mysql", tables=["shop.*"], map=Raw(
            "function(row) if row.table ~= 'z' then error('odd ' .. row.table) elseif row.new then row.new.v = row.new.v:lower() end end")))
        with open(self.path("test.cases.lua"), "w", encoding="utf-8") as f:
            f.write('local ls = require "list_sync"\nfor i = 1, 100 do ls.table { "shop.t" .. i, { "id", "integer", key = 1 } } end\n'
                    'ls.table { "shop.z", { "id", "integer", key = 1 }, { "v", "string" } }\n')
        log = self.run_to_end("check", script, "--offline", code=2).log()
        self.assertEqual(log.count("its values are examples"), 64)
        self.assertRegex(log, r"error: test\.lua:\d+: map of .*NULL reads as nil \(shop\.z, made-up insert with NULLs\)")

    def test_a_writer_is_not_run(self):
        self.write(self.CASES)
        script = self.script(self.consumer(writer=Raw("nil"), callback=Raw("function(row) io.open('written', 'w'):close() end")))
        self.run_to_end("check", script, "--offline")
        self.assertFalse(os.path.exists(self.path("written")))


def ports_of(program):
    """The ports of its connections."""
    folder, inodes = "/proc/%d/fd" % program.process.pid, set()
    for fd in os.listdir(folder):
        try:
            inodes.add(os.readlink(os.path.join(folder, fd))[len("socket:["):-1])
        except FileNotFoundError:
            continue  # closed since
    with open("/proc/net/tcp", encoding="ascii") as f:
        return {int(line.split()[1].split(":")[1], 16) for line in f.readlines()[1:] if line.split()[9] in inodes}


class Recorded(Case):
    def dumps(self, program):
        """Has its binlog dump begun? Other programs may have some, too."""
        hosts = self.my("select host from information_schema.processlist where command = 'Binlog Dump'").split()
        return ports_of(program) & {int(host.rsplit(":", 1)[1]) for host in hosts}

    def record(self, db, script, sql, n, cases, name=None):
        p = self.start("print", script, "-n", str(n), "--cases", cases, "--only", name or self.name(db))
        if db == "postgres":
            wait_until(lambda: pg("select count(*) from pg_replication_slots where database = '%s' and active" % self.id_) == "1", "print's slot", programs=[p])
        else:
            wait_until(lambda: self.dumps(p), "print's dump", programs=[p])
        self.sql(db, sql)
        self.assertEqual(p.wait(), 0, p.log())
        with open(self.path(cases), encoding="utf-8") as f:
            return f.read()

    def test_rows_of_every_type(self):
        """What was recorded passes, value by value; what check says of the table's columns is what capture made of them."""
        for db in BOTH:
            columns = [("%s%d" % (c[0], common), *c[1:]) for common in (False, True) for c in columns_of(db, common)]
            rows = max(len(values) for _, _, values in columns)
            create = "create table t (id int primary key, %s)" % ", ".join("c_%s %s" % (name, kind) for name, kind, _ in columns)
            if db == "postgres":
                self.databases(POSTGRES_TYPES + create, "select 1")
            else:
                self.my(create)
            script = self.script(self.connector(db, map=Raw("function(row) if row.new then row.new.more = 1 end end")), name=db + ".lua")
            insert = "".join("insert into t values (%d, %s);" % (i, ", ".join(sql_of(values[min(i, len(values) - 1)][0], db) for _, _, values in columns)) for i in range(rows))
            text = self.record(db, script, ("" if db == "postgres" else "set sql_mode = '';") + insert + "update t set id = 1000 where id = 0; delete from t where id = 1000;", rows + 3, db + ".cases.lua")
            out = self.run_to_end("test", script).out()
            self.assertEqual(out, "%d passed, 0 failed\n" % (rows + 3))
            self.assertIn("moved_to = { id = 1000 }", text)
            declared = re.search(r"ls\.table \{ .*?\n\}", text, re.S).group(0)
            said = re.search(r"\.t: (id .*)\n", self.run_to_end("check", script, "-v").log()).group(1)
            self.assertEqual(dict(re.findall(r'\{ "(\w+)", "(\w+)"', declared)), dict(re.findall(r"(\w+) (\w+)(?: \(key \d+\))?(?:, |$)", said)))
            self.assertIn("id integer (key 1)", said)

    def test_keys(self):
        """check has the keys that capture has: their columns and order."""
        tables = ("create table t (a int not null, v varchar(10), b int not null, primary key (b, a))", "create table t (a int, u int not null, w int not null unique)",
                  "create table t (a int, b int)")
        self.databases()
        for db in BOTH:
            for i, create in enumerate(tables):
                self.sql(db, create)
                if db == "postgres" and i:
                    self.sql(db, "alter table t replica identity " + ("using index t_w_key" if i == 1 else "full"))
                script = self.script(self.connector(db, name="k%d%s" % (i, self.name(db))), name="k.lua")
                columns = "(a, b) values (1, 2)" if i != 1 else "(a, u, w) values (1, 2, 3)"
                text = self.record(db, script, "insert into t " + columns, 1, "%s%d.lua" % (db, i), "k%d%s" % (i, self.name(db)))
                declared = re.findall(r'\{ "(\w+)", "(\w+)"(?:, key = (\d+))? \}', text)
                said = re.search(r"\.t: (a .*)\n", self.run_to_end("check", script, "-v").log()).group(1)
                self.assertEqual(declared, re.findall(r"(\w+) (\w+)(?: \(key (\d+)\))?(?:, |$)", said))
                self.assertEqual([key for _, _, key in declared], (["2", "", "1"], ["", "", "1"], ["", ""])[i])
                self.sql(db, "drop table t")

    def test_what_hooks_do_is_recorded(self):
        self.databases("create table t (id int primary key, v varchar(20))")
        for db in BOTH:
            script = self.script(self.connector(db, filter=Raw("function(row) return row.image.id ~= 2 end"),
                                                map=Raw("function(row) if row.new then row:clone().new.v = 'copy' end end")), name=db + ".lua")
            text = self.record(db, script, "insert into t values (1, 'a'), (2, 'b'), (3, null)", 4, db + ".cases.lua")
            self.assertEqual(re.findall(r"want = (.*)", text), ["{", "{},", "{"], text)
            self.assertIn('{ action = "I", new = { id = 1, v = "copy" } }', text)
            self.assertEqual(self.run_to_end("test", script).out(), "3 passed, 0 failed\n")
            log = self.run_to_end("print", script, "-n", "1", "--cases", db + ".cases.lua", code=2).log()
            self.assertIn("File exists: print writes a new file", log)

    def test_whole_rows_before(self):
        self.databases("create table t (id int primary key, v varchar(20)); ", "create table t (id int primary key, v varchar(20))")
        self.pg("alter table t replica identity full")
        for db in BOTH:
            script = self.script(self.connector(db, identity="full", map=Raw("function(row) if row.new then row.new.was = row.old and row.old.v end end")), name=db + ".lua")
            text = self.record(db, script, "insert into t values (1, 'a'); update t set v = 'b'; update t set id = 2; delete from t", 5, db + ".cases.lua")
            self.assertIn('old = { id = 2, v = "b" }', text)
            self.assertEqual(self.run_to_end("test", script).out(), "5 passed, 0 failed\n")

    def test_nothing_recorded(self):
        """leaves no file behind."""
        script = self.script(self.connector("mysql", port=1))
        self.run_to_end("print", script, "-n", "1", "--cases", "new.lua", code=1)
        self.assertFalse(os.path.exists(self.path("new.lua")))

    def test_of_a_consumer(self):
        self.databases("create table t (id int primary key, v varchar(20), big bigint)")
        script = self.script(self.connector("mysql", topic=self.topic), self.consumer(map=Raw("function(row) if row.new then row.new.p = row.topic end end")))
        self.run_to_end(script, "--only", self.name("mysql"), "--until-caught-up")
        self.my("insert into t values (1, 'a', 9007199254740993); update t set v = null; update t set id = 2; delete from t; truncate t")
        self.run_to_end(script, "--only", self.name("mysql"), "--until-caught-up")
        self.run_to_end("print", script, "--only", "out", "-n", "6", "--cases", "c.lua")
        self.assertEqual(self.run_to_end("test", script, "c.lua").out(), "5 passed, 0 failed\n")
        with open(self.path("c.lua"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn('topic = "%s", partition = 0' % self.topic, text)
        self.assertIn("big = 9007199254740993LL", text)
        self.assertNotIn(PG["password"], text)
