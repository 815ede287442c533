"""What a consumer is told that messages are: `decode`. A row is the same whether it came as JSON or as protobuf; a program in another language
reads the latter by change.proto alone; and any message is a row with decode = "raw"."""
import base64
import json
import os
import subprocess

from lib import BROKERS, KCAT, ROOT, Case, Raw, is_postgres, lua, messages, run, values, wait_until
from types_table import POSTGRES_TYPES, columns_of, sql_of

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # see protobuf_json.py


def payloads(topic):
    """[(milliseconds, key or None, value or None)] in bytes, of a topic with one partition."""
    text = subprocess.run(KCAT + ["-C", "-e", "-t", topic, "-p", "0", "-o", "beginning", "-f", "%T %K %S %k%s"], stdout=subprocess.PIPE, check=True).stdout
    out = []
    while text:
        time, key_len, value_len, text = text.split(b" ", 3)
        parts = []
        for n in (int(key_len), int(value_len)):
            parts.append(None if n < 0 else text[:n])
            text = text[max(n, 0):]
        out.append((int(time), *parts))
    return out


def without_types(message):
    """A list_sync message that protobuf_json.py made, as JSON has it."""
    return {k: [{"name": c["name"], "value": c["value"]} for c in v] if k in ("columns", "identity", "moved_from", "moved_to") else v for k, v in message.items()}


def as_floats(message, typed):
    """The message, with a float column's whole numbers as JSON's floats: 123456789012345680000 is one."""
    for section in ("columns", "identity"):
        for c, t in zip(message.get(section, ()), typed.get(section, ())):
            if t["type"] == "float" and isinstance(c["value"], int):
                c["value"] = float(c["value"])
    return message


def without_connector(message):
    return dict(message, source={k: v for k, v in message["source"].items() if k != "connector"})


class Protobuf(Case):
    def pair(self, db, **options):
        """Two connectors of one database, in the two formats, to a topic each; a consumer of each topic."""
        topics = {f: "%s.%s" % (self.topic_of(db), f) for f in ("list_sync", "protobuf")}
        parts = [self.connector(db, name="%s_%s" % (self.name(db), f), topic=t, format=f, server_id=None if is_postgres(db) else 7000 + i, **options)
                 for i, (f, t) in enumerate(topics.items())]
        parts += [self.consumer(f, topic_list=[t], decode=f, csv={"filename": db}) for f, t in topics.items()]
        return topics, self.script(*parts, name=db + ".lua")

    def by_python(self, topic):
        run(["protoc", "--proto_path=" + os.path.join(ROOT, "engine", "format"), "--python_out=" + self.dir, "change.proto"])
        text = "".join(value.hex() + "\n" for _, _, value in payloads(topic))
        return [json.loads(line) for line in run([PYTHON, os.path.join(HERE, "protobuf_json.py"), self.dir], text).splitlines()]

    def all_types(self, db):
        """create, then the changes: rows of every listed type and one of NULLs, moved, updated, deleted, a value that is not sent, a truncate."""
        columns = columns_of(db, True) + [(name + "_own", kind, cases) for name, kind, cases in columns_of(db, False)]
        create = "create table t (id int primary key, %s)" % ", ".join("%s %s null" % (name, kind) for name, kind, _ in columns)
        rows = max(len(cases) for _, _, cases in columns)
        changes = ["insert into t values (%d, %s)" % (i, ", ".join(sql_of(c[i][0], db) if i < len(c) else "null" for _, _, c in columns)) for i in range(rows)]
        changes += ["insert into t (id) values (1000)", "update t set v = 'other'", "update t set id = 1001 where id = 1000", "update t set v = null where id = 2",
                    "delete from t where id = 1"]
        if is_postgres(db):
            long_text = "(select string_agg(md5(i::text), '') from generate_series(1, 300) i)"
            changes += ["insert into t (id, t) values (2000, %s)" % long_text, "update t set i4 = 5 where id = 2000"]  # TOAST: unchanged
        changes += ["truncate table t", "insert into t (id) values (1)"]
        return create, changes

    def compare(self, db, setup, create, changes, then=None, **options):
        self.sql(db, setup + create)
        topics, script = self.pair(db, **options)
        self.run_to_end(script, "--until-caught-up")
        self.sql(db, setup + ";\n".join(changes))
        self.run_to_end(script, "--until-caught-up", seconds=120)
        if then:
            self.sql(db, then)
            self.run_to_end(script, "--until-caught-up")
        wanted = messages(topics["list_sync"])
        got = self.by_python(topics["protobuf"])
        self.assertGreater(len(wanted), len(changes))
        self.assertEqual(len(got), len(wanted))
        for g, w in zip(got, wanted):
            self.assertEqual(without_connector(without_types(g)), without_connector(as_floats(w, g)))
        self.assertEqual({m["source"]["connector"] for m in got}, {self.name(db) + "_protobuf"})
        self.assertEqual([k for _, k, _ in payloads(topics["protobuf"])], [k for _, k, _ in payloads(topics["list_sync"])])
        with open(self.path(db + "_list_sync.csv"), "rb") as a, open(self.path(db + "_protobuf.csv"), "rb") as b:
            csv = a.read()
            self.assertGreater(csv.count(b"\n"), len(changes))
            self.assertEqual(b.read(), csv)
        return got

    def test_postgres(self):
        self.databases()
        create, changes = self.all_types("postgres")
        got = self.compare("postgres", "", ";".join((POSTGRES_TYPES, create)), changes)
        self.assertIn("unchanged", {k for m in got for k in m})
        self.assertIn("moved_to", {k for m in got for k in m})

    def test_mariadb(self):
        self.databases()
        create, changes = self.all_types("mysql")
        got = self.compare("mysql", "set sql_mode = ''; set time_zone = '+00:00';", create, changes, "rename table t to tt; drop table tt", table="t*",
                           ddl=True)
        self.assertEqual([(m["action"], m.get("to_table")) for m in got][-2:], [("R", "tt"), ("X", None)])

    def test_against_select(self):
        """The last row of each key is what SELECT gives, and the types tell a decimal from a text."""
        self.databases("create table t (id int primary key, n bigint, d numeric(30,10), f double precision, v varchar(40), b bytea)",
                       "create table t (id int primary key, n bigint unsigned, d decimal(30,10), f double, v varchar(40), b blob)")
        for db in ("postgres", "mysql"):
            post = is_postgres(db)
            topics, script = self.pair(db)
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, %s, 12345678901234567890.0123456789, 0.1, 'x', %s), (2, null, -0.5, -1e300, '', %s), (3, 0, null, 0, null, null);"
                         "update t set v = 'gr\u00fc\u00df\U0001f600' where id = 1; update t set n = 7 where id = 3; update t set id = 4 where id = 2"
                     % (("9223372036854775807", "'\\x00ff'", "'\\x'") if post else ("18446744073709551615", "x'00ff'", "x''")))
            self.run_to_end(script, "--until-caught-up")
            rows = {}
            for m in self.by_python(topics["protobuf"]):
                self.assertEqual([c["type"] for c in m.get("columns", [])], ["integer", "integer", "decimal", "float", "string", "bytes"] * ("columns" in m))
                if "identity" in m:
                    del rows[values(m["identity"])["id"]]
                if "columns" in m:
                    rows[values(m["columns"])["id"]] = values(m["columns"])
            select = "select id, n, d, f, v, %s from t order by id" % ("encode(b, 'hex')" if post else "lower(hex(b))")
            null, column = ("", "|") if post else ("NULL", "\t")
            found = [line.split(column) for line in self.sql(db, select).split("\n")]
            self.assertEqual([r[0] for r in found], ["1", "3", "4"])
            for key, n, d, f, v, b in found:
                row = rows.pop(int(key))
                self.assertEqual(str(row["n"]), n if n != null else "None")
                self.assertEqual(row["d"], d if d != null else None)
                self.assertEqual(row["f"], float(f))
                self.assertEqual(row["v"], v if v != null or key == "4" else None)
                self.assertEqual(base64.b64decode(row["b"]).hex() if row["b"] is not None else None, b if b != null or key == "4" else None)
            self.assertEqual(rows, {})

    def test_hooks_and_columns(self):
        """What hooks and `columns` make is of types of its own, and goes the same way; a consumer's hooks see the same values."""
        self.databases("create table t (id int primary key, n int, v varchar(20))")
        maps = Raw("function(row) if row.new then row.new.none = nil row.new.half = row.new.n and row.new.n / 2 row.new.flag = row.new.n == 1 "
                   "row.new.raw = ls.bytes('\\255') row.new.list = ls.array { 1, 'x', ls.null } end row:clone() end")
        seen = Raw("function(row) local out = io.open(stage .. '.txt', 'a') for name, value in pairs(row.image) do out:write(name, '=', type(value), ':', "
                   "type(value) == 'table' and #value or tostring(value), ' ') end out:write('\\n') out:close() end")
        for db in ("postgres", "mysql"):
            topics, _ = self.pair(db)
            parts = [self.connector(db, name="%s_%s" % (self.name(db), f), topic=t, format=f, map=maps, columns={"cast": {"n": "float"}, "mask": {"v": Raw("ls.sha256")}})
                     for f, t in topics.items()]
            parts += ["stage = %s\n" % lua(db + f) + self.consumer(db + f, topic_list=[t], decode=f, map=Raw(seen.replace("stage", lua(db + f)))) for f, t in topics.items()]
            script = self.script(*parts)
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 1, 'a'), (2, 5, null); update t set n = 9 where id = 2; delete from t where id = 1")
            self.run_to_end(script, "--until-caught-up")
            wanted = [without_connector(m) for m in messages(topics["list_sync"])]
            self.assertEqual([without_connector(without_types(m)) for m in self.by_python(topics["protobuf"])], wanted)
            self.assertEqual(len(wanted), 8)
            lines = self.lines(db + "list_sync.txt")
            self.assertEqual(len(lines), 8)
            self.assertEqual(self.lines(db + "protobuf.txt"), lines)
            self.assertEqual(self.lines("%sprotobuf_%sprotobuf.csv" % (db, db)), self.lines("%slist_sync_%slist_sync.csv" % (db, db)))

    def test_the_wrong_one(self):
        self.databases("create table t (id int primary key)")
        topics, script = self.pair("postgres")
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1)")
        self.run_to_end(script, "--until-caught-up")
        for own, other in (("list_sync", "protobuf"), ("protobuf", "list_sync")):
            script = self.script(self.consumer("wrong" + own, topic_list=[topics[other]], decode=own))
            log = self.run_to_end(script, "--until-caught-up", code=1).log()
            self.assertIn('topic %s, partition 0, offset 0: this is no %s message, but seems to be one of the format "%s": take decode = "%s"'
                          % (topics[other], own, other, other), log)

    def test_print(self):
        """A topic's messages are shown as JSON, whatever they are."""
        self.databases("create table t (id int primary key, v text)")
        topics, script = self.pair("postgres")
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'x')")
        self.run_to_end(script, "--until-caught-up")
        shown = [json.loads(self.run_to_end("print", script, "--only", stage, "-n", "1").out()) for stage in ("list_sync", "protobuf")]
        self.assertEqual(values(shown[1]["columns"]), {"id": 1, "v": "x"})
        self.assertEqual(without_connector(shown[0]), without_connector(shown[1]))


class RawMessages(Case):
    SENT = [(b"k1", b"plain"), (None, b"\x00\xff\n,\""), (b"\xfe", None), (b"k4", b"")]

    def produce(self):
        for key, value in self.SENT:
            path = self.path("payload")
            with open(path, "wb") as f:
                f.write(value or b"")
            command = ["kcat", "-q", "-b", BROKERS, "-P", "-t", self.topic, "-p", "0"] + (["-k", os.fsdecode(key)] if key is not None else [])
            if value:
                run(command + [path])
            else:  # from a line: -Z sends NULL for an empty one, which without -Z is empty
                run(command + ["-K", "|"] + (["-Z"] if value is None else []), os.fsdecode(key) + "|\n")
        wait_until(lambda: len(payloads(self.topic)) == 1 + len(self.SENT), "the messages are there")
        self.assertEqual([m[1:] for m in payloads(self.topic)][1:], self.SENT)

    def test_csv_and_a_writer_in_lua(self):
        write = Raw("""ls.writer { write = function(w, row)
            local function hex(s) return s and (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) or "nil" end
            local out = io.open("rows.txt", "a")
            local ms = row:time "timestamp" / 1000
            out:write(table.concat({ row.action, row.schema, row.table, row.topic, row.partition, row.new.partition, row.new.offset, hex(row:bytes "key"), hex(row:bytes "value"),
                tostring(row.new.value), ("%.0f"):format(row.ts / 1000), ("%.0f"):format(ms), tostring(row.old), tostring(row.source.connector) }, " "), "\\n")
            out:close()
        end }""")
        self.databases("create table t (id int primary key)")
        connector = self.script(self.connector("postgres", topic=self.topic), name="connector.lua")  # makes the topic
        self.run_to_end(connector, "--until-caught-up")
        self.pg("insert into t values (1)")
        self.run_to_end(connector, "--until-caught-up")
        self.produce()
        script = self.script(self.consumer("csv", decode="raw"), self.consumer("lua", decode="raw", writer=write))
        self.run_to_end(script, "--until-caught-up")
        sent = payloads(self.topic)
        lines = []
        for offset, (ms, key, value) in enumerate(sent):
            text = base64.b64encode(value).decode() if value is not None else "nil"
            lines.append("I kafka %s %s 0 0 %d %s %s %s %d %d nil nil" % (self.topic, self.topic, offset, "nil" if key is None else key.hex(),
                                                                       "nil" if value is None else value.hex(), text, ms, ms))
        self.assertEqual(self.lines("rows.txt"), lines)
        rows = [line.split(",") for line in self.lines("csv_csv.csv")]
        self.assertEqual(rows[0], ["action", "table", "key", "value", "timestamp", "partition", "offset"])
        self.assertEqual([r[:4] + r[5:] for r in rows[1:]],
                         [["I", "kafka." + self.topic, "" if k is None else base64.b64encode(k).decode(),
                           "" if v is None else base64.b64encode(v).decode() or '""', "0", str(i)] for i, (_, k, v) in enumerate(sent)])
        for row, (ms, _, _) in zip(rows[1:], sent):
            self.assertRegex(row[4], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$")
            self.assertEqual(run(["date", "-u", "-d", row[4], "+%s%3N"]).strip(), str(ms))

    def test_cases(self):
        """A row of kafka.<topic> in a case is the message itself: what print recorded passes."""
        self.databases("create table t (id int primary key)")
        self.run_to_end(self.script(self.connector("postgres", topic=self.topic), name="connector.lua"), "--until-caught-up")
        self.pg("insert into t values (1)")
        self.run_to_end("connector.lua", "--until-caught-up")
        self.produce()
        script = self.script(self.consumer("raw", decode="raw", map=Raw("""function(row)
            row.new.bytes, row.new.from, row.new.ms = row.new.value and #row:bytes "value", row.topic, row:time "timestamp" / 1000 end""")))
        self.run_to_end("print", script, "-n", str(1 + len(self.SENT)), "--cases", "c.lua")
        self.assertEqual(self.run_to_end("test", script, "c.lua").out(), "%d passed, 0 failed\n" % (1 + len(self.SENT)))
        with open(self.path("one.lua"), "w", encoding="utf-8") as f:
            f.write('local ls = require "list_sync"\nls.table { "kafka.logins", { "value", "string" }, { "timestamp", "timestamp" }, { "offset", "integer" } }\n'
                    'ls.case { name = "a", give = { new = { value = "ada", timestamp = "1970-01-01T00:00:01.5Z", offset = 7 }, topic = "logins", partition = 2 }, want = { new = {\n'
                    '  value = "YWRh", timestamp = "1970-01-01T00:00:01.5Z", partition = 2, offset = 7, bytes = 3, from = "logins", ms = 1500 } } }\n'
                    'ls.case { name = "no message is a delete", give = { old = { value = "x" } }, want = {} }\n')
        self.assertEqual(self.run_to_end("test", script, "one.lua").out(), "2 passed, 0 failed\n")
        os.rename(self.path("c.lua"), self.path("test.cases.lua"))
        self.run_to_end("check", script, "--offline")
        script = self.script(self.consumer("raw", decode="raw", map=Raw("function(row) row.new.bytes = #row:bytes 'value' end")))
        self.assertIn("made-up insert with NULLs)", self.run_to_end("check", script, "--offline", code=2).log())

    def test_a_connectors_messages(self):
        """Of a connector's own topic, raw rows hold the messages to the byte."""
        self.databases("create table t (id int primary key)")
        connector = self.script(self.connector("postgres", format="protobuf", tombstones=True))
        self.run_to_end(connector, "--until-caught-up")
        self.pg("insert into t values (1); delete from t")
        self.run_to_end(connector, "--until-caught-up")
        self.run_to_end(self.script(self.consumer("csv", topic_list=[self.topic_of("postgres")], decode="raw")), "--until-caught-up")
        sent = payloads(self.topic_of("postgres"))
        self.assertEqual([v is None for _, _, v in sent], [False, False, True])
        rows = [line.split(",") for line in self.lines("csv_csv.csv")][1:]
        self.assertEqual([(base64.b64decode(r[2]), base64.b64decode(r[3]) or None) for r in rows], [(k, v) for _, k, v in sent])
