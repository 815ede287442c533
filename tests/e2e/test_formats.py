"""Messages in the formats debezium, maxwell and flat, from PostgreSQL and MariaDB, parsed by Python and compared with what SELECT gives."""
import json
import time

from lib import Case, Raw, lsn, messages, pg, read_topic, wait_until

FORMATS = {"debezium": {"key": "object", "tombstones": True}, "maxwell": {}, "flat": {"key": "object"}}
TABLE = {
    "postgres": "create table t (id int primary key, n numeric(12,4), big bigint, f double precision, d timestamp(6), tz timestamptz(6), day date, doc jsonb, "
                "raw bytea, note text); alter table t alter note set storage external",
    "mysql": "create table t (id int primary key, n decimal(12,4), big bigint, f double, d datetime(6), tz timestamp(6) null, day date, doc json, "
             "raw varbinary(100), note longtext)"}
# The row in the messages' canonical form, put together by the server.
ROW = {
    "postgres": "set timezone = 'UTC'; select json_build_object('id', id, 'n', n::text, 'big', big, 'f', f, 'd', to_json(d), 'tz', replace(to_json(tz)#>>'{}', '+00:00', 'Z'), "
                "'day', day, 'doc', doc, 'raw', encode(raw, 'base64'), 'note', note) from t where id = %d",
    "mysql": "set time_zone = '+00:00'; select hex(json_object('id', id, 'n', cast(n as char), 'big', big, 'f', f, "
             "'d', trim(trailing '0' from date_format(d, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f')), "
             "'tz', concat(trim(trailing '0' from date_format(tz, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f')), 'Z'), 'day', cast(day as char), 'doc', json_extract(doc, '$'), "
             "'raw', to_base64(raw), 'note', note)) from t where id = %d"}
INSERT = ("set time zone 'UTC';", "set time_zone = '+00:00';",
          "insert into t values (1, -12.5000, 9007199254740993, 0.1, '2026-01-02 03:04:05.5', '2026-07-08 09:10:11.125', '1969-12-31', "
          "'{\"k\": [1, \"é\"]}', %s, 'x\"\n' || repeat('n', 9000))")
BYTES = {"postgres": "'\\x00ff10'", "mysql": "x'00ff10'"}
GONE = "__debezium_unavailable_value"


def parsed(row):
    """With the document of its JSON column as what it says, and no text of it."""
    return dict(row, doc=json.loads(row["doc"])) if isinstance(row.get("doc"), str) and row["doc"] != GONE else row


class Formats(Case):
    def row(self, db, i):
        text = self.sql(db, ROW[db] % i).strip()
        return json.loads(bytes.fromhex(text) if db == "mysql" else text)  # its client escapes what it prints

    def change(self, db, sql):
        """Runs it in a transaction of its own; gives what names that: the xid, and a place in the log on either side; or the GTID."""
        if db == "postgres":
            from_ = self.pg("select pg_current_wal_lsn()")
            xid = self.pg("begin; %s; select pg_current_xact_id(); commit" % sql)
            return int(xid), lsn(from_), lsn(self.pg("select pg_current_wal_lsn()"))
        return self.my("set sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT'); %s; select @@last_gtid" % sql), None, None

    def changes(self, db):
        """The rows after each change, by the server itself; and what names the transactions."""
        zone = INSERT[0] if db == "postgres" else INSERT[1]
        places = [self.change(db, zone + INSERT[2] % BYTES[db])]
        full = self.row(db, 1)
        places.append(self.change(db, "insert into t (id) values (2)"))
        nulls = self.row(db, 2)
        places.append(self.change(db, "update t set n = 0.0001, f = -1e300 where id = 1"))
        updated = self.row(db, 1)
        places.append(self.change(db, "update t set id = 3 where id = 2"))
        moved = self.row(db, 3)
        places.append(self.change(db, "delete from t where id = 1"))
        places.append(self.change(db, "truncate t"))
        self.assertEqual((full["big"], full["n"], full["raw"], full["doc"]), (9007199254740993, "-12.5000", "AP8Q", {"k": [1, "é"]}))
        self.assertEqual((nulls, moved), (dict.fromkeys(full, None) | {"id": 2}, dict.fromkeys(full, None) | {"id": 3}))
        return full, nulls, updated, moved, places

    def captured(self, db):
        """The changes, and each format's messages of them."""
        self.databases(TABLE["postgres"], mariadb=TABLE["mysql"])
        names = {f: "%s_%s" % (self.name(db), f) for f in FORMATS}
        script = self.script(*(self.connector(db, name=names[f], format=f, topic=names[f], slot=None, **FORMATS[f]) for f in FORMATS))
        self.run_to_end(script, "--until-caught-up")
        self.from_ms = int(time.time()) * 1000
        made = self.changes(db)
        self.run_to_end(script, "--until-caught-up")
        return made, {f: [(k, None if v == "NULL" else json.loads(v)) for _, k, v in read_topic(names[f])] for f in FORMATS}

    # ---- debezium ----

    def check_debezium_source(self, db, m, place):
        s = m["source"]
        self.assertRegex(s["version"], r"^\d+\.\d+\.\d+$")
        known = {"version": s["version"], "name": "%s_debezium" % self.name(db), "snapshot": "false", "table": "t", "ts_ms": s["ts_us"] // 1000}
        if db == "postgres":
            known.update(connector="postgresql", db=self.id_, schema="public", txId=place[0], xmin=None)
            self.assertTrue(place[1] <= s["lsn"] <= place[2], (place, s))
        else:
            known.update(connector="mariadb", db=self.id_, gtid=place[0])
            self.assertRegex(s["file"], r"^\d{6}$")
            self.assertGreater(s["pos"], 0)
        self.assertEqual({k: s[k] for k in known}, known)
        self.assertEqual(set(s) - set(known), {"ts_us", "lsn", "seq"} if db == "postgres" else {"ts_us", "file", "pos", "seq"})
        self.assertTrue(self.from_ms <= s["ts_ms"] <= m["ts_ms"] <= time.time() * 1000, m)
        self.assertIsNone(m["transaction"])

    def check_debezium(self, db, made, got):
        full, nulls, updated, moved, places = made
        lacks = {"note": GONE} if db == "postgres" else {}
        wanted = [("c", 1, None, full), ("c", 2, None, nulls), ("u", 1, {"id": 1}, updated | lacks), ("d", 2, {"id": 2}, None), None,
                  ("c", 3, None, moved), ("d", 1, {"id": 1}, None), None, ("t", None, None, None)]
        place_of = [0, 1, 2, 3, 3, 3, 4, 4, 5]
        self.assertEqual([k and json.loads(k) for k, _ in got],
                         [{"id": i} for i in (1, 2, 1, 2, 2, 3, 1, 1)] + [None])
        for i, (want, (_, m)) in enumerate(zip(wanted, got, strict=True)):
            if want is None:
                self.assertIsNone(m)
                continue
            self.assertEqual((m["op"], m["before"], m["after"] and parsed(m["after"])), (want[0],) + want[2:])
            self.assertEqual(set(m), {"before", "after", "source", "op", "ts_ms", "transaction"})
            self.check_debezium_source(db, m, places[place_of[i]])
        self.assertEqual([m["source"]["seq"] for _, m in got if m], [1, 1, 1, 1, 2, 1, 1])

    # ---- maxwell ----

    def check_maxwell(self, db, made, got):
        full, nulls, updated, moved, places = made
        if db == "postgres":
            updated = {k: v for k, v in updated.items() if k != "note"}
        wanted = [("insert", full), ("insert", nulls), ("update", updated), ("delete", {"id": 2}), ("insert", moved), ("delete", {"id": 1}), ("table-truncate", None)]
        self.assertEqual([(m["type"], "data" in m and parsed(m["data"]) or None) for _, m in got], wanted)
        self.assertEqual([k for k, _ in got], ["1", "2", "1", "2", "3", "1", None])
        schema = "public" if db == "postgres" else self.id_
        for (_, m), place in zip(got[:6], (places[i] for i in (0, 1, 2, 3, 3, 4)), strict=True):
            self.assertEqual((m["database"], m["table"], m["xid" if db == "postgres" else "gtid"]), (schema, "t", place[0]))
            self.assertTrue(self.from_ms // 1000 <= m["ts"] <= time.time(), m)
            self.assertNotIn("old", m)
            if db == "postgres":
                self.assertTrue(place[1] <= lsn(m["position"]) <= place[2], (place, m))
        self.assertEqual([m["xoffset"] for _, m in got], [0, 0, 0, 0, 1, 0, 0])

    # ---- flat ----

    def check_flat(self, db, made, got):
        full, nulls, updated, moved, _ = made
        if db == "postgres":
            updated = {k: v for k, v in updated.items() if k != "note"}
        wanted = [("I", full), ("I", nulls), ("U", updated), ("D", {"id": 2}), ("I", moved), ("D", {"id": 1}), ("T", {})]
        self.assertEqual([(m["_action"], parsed({k: v for k, v in m.items() if k[0] != "_"})) for _, m in got], wanted)
        schema = "public" if db == "postgres" else self.id_
        self.assertEqual({(m["_schema"], m["_table"], m["_connector"]) for _, m in got}, {(schema, "t", "%s_flat" % self.name(db))})
        self.assertEqual([m.get("_unchanged") for _, m in got], [None, None, ["note"] if db == "postgres" else None, None, None, None, None])
        self.assertEqual([(m.get("_moved_to"), m.get("_moved_from")) for _, m in got[3:5]], [({"id": 3}, None), (None, {"id": 2})])
        self.assertEqual([m["_seq"] for _, m in got], [1, 1, 1, 1, 2, 1, 1])
        order = [(m["_pos"], m["_seq"]) for _, m in got]
        self.assertEqual(order, sorted(set(order)))

    def check_all(self, db):
        made, got = self.captured(db)
        self.check_debezium(db, made, got["debezium"])
        self.check_maxwell(db, made, got["maxwell"])
        self.check_flat(db, made, got["flat"])

    def test_postgres(self):
        self.check_all("postgres")

    def test_mariadb(self):
        self.check_all("mysql")

    def test_the_row_before(self):
        """identity = "full": Debezium's before, Maxwell's old."""
        self.databases("create table t (id int primary key, a int, b varchar(10), c int)")
        self.pg("alter table t replica identity full")
        for db in ("postgres", "mysql"):
            topics = {f: "%s.%s" % (self.topic_of(db), f) for f in FORMATS}
            script = self.script(*(self.connector(db, name=topics[f], slot=None, topic=topics[f], format=f, identity="full") for f in FORMATS))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 2, 'x', null)")
            self.sql(db, "update t set a = null, c = 5")
            self.sql(db, "delete from t")
            self.run_to_end(script, "--until-caught-up")
            old, new = {"id": 1, "a": 2, "b": "x", "c": None}, {"id": 1, "a": None, "b": "x", "c": 5}
            self.assertEqual([(m["before"], m["after"]) for m in messages(topics["debezium"])], [(None, old), (old, new), (new, None)])
            self.assertEqual([(m["data"], m.get("old")) for m in messages(topics["maxwell"])], [(old, None), (new, {"a": 2, "c": None}), (new, None)])
            self.assertEqual([m.get("_identity") for m in messages(topics["flat"])], [None, old, None])

    def test_embedded_documents(self):
        self.databases("create table t (id int primary key, doc json)")
        topics = {f: "%s.%s" % (self.topic, f) for f in FORMATS}
        script = self.script(*(self.connector("postgres", name=topics[f], slot=None, topic=topics[f], format=f, json="embed") for f in FORMATS))
        self.run_to_end(script, "--until-caught-up")
        self.pg("""insert into t values (1, '{"a": [1, null]}')""")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(messages(topics["debezium"])[0]["after"], {"id": 1, "doc": {"a": [1, None]}})
        self.assertEqual(messages(topics["maxwell"])[0]["data"], {"id": 1, "doc": {"a": [1, None]}})
        self.assertEqual(messages(topics["flat"])[0]["doc"], {"a": [1, None]})


class Edges(Case):
    def test_a_consumer_that_meets_another_format(self):
        self.databases("create table t (id int primary key)")
        for f in FORMATS:
            topic = "%s.%s" % (self.topic, f)
            script = self.script(self.connector("postgres", name=topic, slot=None, topic=topic, format=f), self.consumer(topic_list=[topic], name=f, group=f))
            self.run_to_end(script, "--only", topic, "--until-caught-up")
            self.pg("insert into t values (%d)" % len(f))
            self.run_to_end(script, "--only", topic, "--until-caught-up")
            for args in ([script, "--only", f, "--until-caught-up"], ["print", script, "--only", f, "-n", "1"]):
                self.assertIn('topic %s, partition 0, offset 0: this is no list_sync message, but seems to be one of the format "%s" (take format = "list_sync" '
                              'in the connector that writes the topic, or decode = "raw" in the consumer)' % (topic, f), self.run_to_end(*args, code=1).log())

    def test_a_name_that_is_taken(self):
        """By a member of flat's own; and the mend that the error names."""
        self.databases("create table t (id int primary key, _ts int)")
        script = self.script(self.connector("postgres", format="flat"))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 5)")
        self.assertIn('table public.t, column "_ts": the format "flat" has a member of that name: rename the column with columns = { rename = { _ts = "_ts_" } }',
                      self.run_to_end(script, "--until-caught-up", code=1).log())
        script = self.script(self.connector("postgres", format="flat", columns=Raw('{ rename = { _ts = "_ts_" } }')))
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual([(m["id"], m["_ts_"], m["_ts"] > 5) for m in messages(self.topic_of("postgres"))], [(1, 5, True)])

    def test_drops_and_renames(self):
        """flat has a form for them."""
        self.databases("create table t (id int primary key)")
        script = self.script(self.connector("mysql", format="flat", ddl=True, table="*"))
        self.run_to_end(script, "--until-caught-up")
        self.my("rename table t to u; drop table u")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual([[m.get(k) for k in ("_action", "_table", "_to_schema", "_to_table")] for m in messages(self.topic_of("mysql"))],
                         [["R", "t", self.id_, "u"], ["X", "u", None, None]])

    def test_print(self):
        """It shows the messages that would be sent."""
        self.databases("create table t (id int primary key)")
        p = self.start("print", self.script(self.connector("postgres", format="maxwell")), "-n", "1")
        wait_until(lambda: pg("select count(*) from pg_replication_slots where database = '%s' and active" % self.id_) == "1", "print's slot", programs=[p])
        self.pg("insert into t values (7)")
        self.assertEqual(p.wait(), 0, p.log())
        m = json.loads(p.out())
        self.assertEqual((m["database"], m["table"], m["type"], m["data"]), ("public", "t", "insert", {"id": 7}))
