"""The examples, as a newcomer runs them: on the in-process broker, but where a restart is what they are for."""
import csv
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import sqlite3
import threading

from lib import BROKERS, MY, PG, ROOT, Case, messages, pg, read_topic, run, topic_partitions, wait_until
from test_routing import with_headers

# one table for most of them
TABLE = ("create table items (id int primary key, category varchar(20), price decimal(10,2) not null, note text)",
         "insert into items values (1, 'BOOKS', 12.50, 'first'), (2, 'TOYS', 3.00, 'cheap'), (3, null, 20.00, null)",
         "update items set price = 13.00 where id = 1",
         "delete from items where id = 3")


class Examples(Case):
    ENV = {"PGPASSWORD": PG["password"], "MYSQL_PWD": MY["password"]}

    def example(self, name, *params):
        """Runs an example that is copied aside, so that it stands alone."""
        shutil.copy(os.path.join(ROOT, "examples", name), self.dir)
        args = []
        for p in params:
            args += ["--set", p]
        return self.start(name, *args, env=self.ENV)

    def streamed(self, program, connectors, servers, files):
        """Applies the changes once the connectors capture; waits for the files' lines and stops."""
        program.wait_log(r"captures from", count=connectors)
        for statement in TABLE[1:]:
            for run in servers:
                run(statement)
        for name, count in files.items():
            wait_until(lambda name=name, count=count: len(self.lines(name)) >= count, "%d lines in %s" % (count, name), programs=[program])
        self.assertEqual(program.stop(), 0, program.log())
        for name, count in files.items():
            self.assertEqual(len(self.lines(name)), count, self.lines(name))

    def pg_params(self, database):
        return ["pg_host=" + PG["host"], "pg_port=" + PG["port"], "pg_user=" + PG["user"], database + "=" + self.id_]

    def test_01_postgres_to_csv(self):
        self.databases(TABLE[0])
        p = self.example("01_postgres_to_csv.lua", *self.pg_params("pg_database"))
        self.streamed(p, 1, [self.pg], {"items_items_csv.csv": 1 + 3 + 2 + 1})
        self.assertEqual(sorted(self.lines("items_items_csv.csv")), sorted([
            "action,table,id,category,price,note",
            "I,public.items,1,BOOKS,12.50,first", "I,public.items,2,TOYS,3.00,cheap", "I,public.items,3,,20.00,",
            "D,public.items,1,,,", "I,public.items,1,BOOKS,13.00,first", "D,public.items,3,,,"]))
        self.assertEqual(pg("select count(*) from pg_replication_slots where database = '%s'" % self.id_), "0",
                         "with the in-process broker the slot is a temporary one")

    def test_02_both_to_one_csv(self):
        self.databases(TABLE[0])
        p = self.example("02_both_to_one_csv.lua", "my_host=" + MY["host"], "my_port=" + MY["port"], "my_user=" + MY["user"], "out=both",
                         *self.pg_params("database"))
        self.streamed(p, 2, [self.pg, self.my], {"both_items_csv_insert.csv": 1 + 2 * 4, "both_items_csv_delete.csv": 1 + 2 * 2})
        self.assertEqual(self.lines("both_items_csv_delete.csv")[0], "action,table,id")
        both = {s: sorted(line.replace(s, "X") for f in ("insert", "delete") for line in self.lines("both_items_csv_%s.csv" % f) if s in line)
                for s in ("public.items", self.id_ + ".items")}
        self.assertEqual(*both.values())

    def test_03_filter_and_map(self):
        self.databases(TABLE[0])
        p = self.example("03_filter_and_map.lua", "from_price=5", *self.pg_params("pg_database"))
        self.streamed(p, 1, [self.pg], {"items_items_csv.csv": 1 + 2 + 2 + 1})
        self.assertEqual(sorted(self.lines("items_items_csv.csv")), sorted([
            "action;table;id;category;price;origin",
            "I;public.items;1;books;12.50;shop", "I;public.items;3;none;20.00;shop",
            "D;public.items;1;;;", "I;public.items;1;books;13.00;shop", "D;public.items;3;;;"]))

    def copied_aside(self, name, *params):
        """The arguments of an example that stands alone and sends to Kafka."""
        shutil.copy(os.path.join(ROOT, "examples", name), self.dir)
        return [name, *(a for p in ("kafka=" + BROKERS, "name=" + self.name("postgres"), *self.pg_params("database"), *params) for a in ("--set", p))]

    def changed(self, arguments, *statements, env=None):
        """The connector's messages of the statements are in Kafka; the first run begins before them."""
        for some in ((), statements):
            for statement in some:
                self.pg(statement)
            self.run_to_end(*arguments, "--until-caught-up", env=dict(self.ENV, **(env or {})))

    def test_04_environment(self):
        self.databases(TABLE[0])
        shutil.copy(os.path.join(ROOT, "examples", "04_environment.lua"), self.dir)
        params = [a for p in self.pg_params("database") for a in ("--set", p)]
        self.streamed(self.start("04_environment.lua", *params, env={"SHOP_DSN_PASSWORD": PG["password"]}), 1, [self.pg], {"items_csv.csv": 1 + 3 + 2 + 1})
        for place, want in (("prod", r":15: --set env=prod: it is trial, staging or production"), ("staging", r":25: the environment variable KAFKA_PASSWORD is not set")):
            log = self.run_to_end("04_environment.lua", "--set", "env=" + place, code=2, env={"SHOP_DSN_PASSWORD": "x"}).log()
            self.assertRegex(log, "04_environment\\.lua" + want)
        self.run_to_end("check", "04_environment.lua", "--offline", "--set", "env=production")

    def test_05_debezium(self):
        self.databases(TABLE[0])
        self.changed(self.copied_aside("05_debezium.lua", "prefix=" + self.topic), *TABLE[1:])
        got = [(key, json.loads(value) if value else None) for _, key, _, value in sorted(with_headers(self.topic + ".public.items"), key=lambda m: m[1])]
        self.assertEqual([(key, m and m["op"], m and m["after"]) for key, m in got], [
            ('{"id":1}', "c", {"id": 1, "category": "BOOKS", "price": "12.50", "note": "first"}), ('{"id":1}', "u", {"id": 1, "category": "BOOKS", "price": "13.00", "note": "first"}),
            ('{"id":2}', "c", {"id": 2, "category": "TOYS", "price": "3.00", "note": "cheap"}),
            ('{"id":3}', "c", {"id": 3, "category": None, "price": "20.00", "note": None}), ('{"id":3}', "d", None), ('{"id":3}', None, None)])

    def test_06_soft_deletes(self):
        self.databases("create table items (id int primary key, category varchar(20), deleted_at timestamp)")
        self.pg("alter table items replica identity full")
        p = self.example("06_soft_deletes.lua", *self.pg_params("database"))
        p.wait_log(r"captures from")
        for sql in ("insert into items values (1, 'A', null), (2, 'B', null), (3, 'C', now())", "update items set deleted_at = now() where id = 1",
                    "update items set category = 'B2' where id = 2", "update items set category = 'A2' where id = 1", "delete from items where id = 1",
                    "update items set deleted_at = null where id = 3", "delete from items where id = 3"):
            self.pg(sql)
        want = ["action,table,id,kind", "I,public.items,1,A", "I,public.items,2,B", "D,public.items,1,", "D,public.items,2,", "I,public.items,2,B2",
                "I,public.items,3,C", "D,public.items,3,"]
        wait_until(lambda: len(self.lines("items_items_csv.csv")) >= len(want), "the lines", programs=[p])
        self.assertEqual(p.stop(), 0)
        self.assertEqual(sorted(self.lines("items_items_csv.csv")), sorted(want))

    def test_07_outbox(self):
        self.databases()
        self.pg("create table outbox (id uuid primary key, aggregate varchar(100), aggregate_id varchar(100), kind varchar(100), payload jsonb)")
        ids = ["00000000-0000-0000-0000-%012d" % i for i in range(3)]
        event = "insert into outbox values ('%s', '%s', '%s', '%s', '%s')"
        self.changed(self.copied_aside("07_outbox.lua", "prefix=" + self.topic), event % (ids[0], "order", "7", "OrderPlaced", '{"total": "12.50"}'),
                     event % (ids[1], "order", "7", "OrderPaid", '{}') + ";" + event % (ids[2], "customer", "ann", "Greeted", '["hello"]'), "delete from outbox", "truncate outbox")
        self.assertEqual(with_headers(self.topic + ".order"), [
            (with_headers(self.topic + ".order")[0][0], "7", "id=%s,kind=OrderPlaced" % ids[0], '{"total":"12.50"}'),
            (with_headers(self.topic + ".order")[0][0], "7", "id=%s,kind=OrderPaid" % ids[1], "{}")])
        self.assertEqual([m[1:] for m in with_headers(self.topic + ".customer")], [("ann", "id=%s,kind=Greeted" % ids[2], '["hello"]')])

    def test_08_spreadsheet(self):
        self.databases(TABLE[0] + "; create table orders (id int primary key, ordered timestamp, net decimal(10,2), note text)")
        p = self.example("08_spreadsheet.lua", *self.pg_params("database"))
        p.wait_log(r"captures from")
        day = self.pg("insert into orders values (7, '2026-01-31 23:59:59', 10.50, 'x'); insert into items values (1, null, 2.00, '=cmd()'); delete from orders;"
                      "select to_char(now() at time zone 'utc', 'YYYY-MM-DD')").split()[-1]
        orders, items = ("out/%s/%s.csv.%sT000000Z.part" % (day, name, day.replace("-", "")) for name in ("orders", "items"))
        wait_until(lambda: len(self.lines(orders)) == 3 and len(self.lines(items)) == 2, "the rows", programs=[p])
        self.assertEqual(p.stop(), 0)

        def cells(name):
            with open(self.path(name), encoding="utf-8-sig", newline="") as f:
                return list(csv.reader(f, delimiter=";"))
        self.assertEqual(cells(orders), [["action", "table", "Order", "Ordered on", "Net", "Gross"], ["I", "public.orders", "7", "31/01/2026", "10,50", "12,60"],
                                         ["D", "public.orders", "7", "", "", ""]])
        self.assertEqual(cells(items), [["action", "table", "id", "category", "price", "note"], ["I", "public.items", "1", "-", "2.00", "'=cmd()"]])

    def test_09_custom_format(self):
        self.databases(TABLE[0])
        self.changed(self.copied_aside("09_custom_format.lua", "topic=" + self.topic), *TABLE[1:])
        got = with_headers(self.topic)
        self.assertEqual({h for _, _, h, _ in got}, {"content-type=application/json"})
        self.assertEqual(sorted((key, m["op"], json.dumps(m.get("item"))) for key, m in ((k, json.loads(v)) for _, k, _, v in got)), sorted([
            ("1", "upsert", '{"id": 1, "category": "BOOKS", "price": 12.5}'), ("2", "upsert", '{"id": 2, "category": "TOYS", "price": 3}'),
            ("3", "upsert", '{"id": 3, "category": null, "price": 20}'), ("1", "upsert", '{"id": 1, "category": "BOOKS", "price": 13}'), ("3", "remove", '{"id": 3}')]))

    def test_10_masked_tenants(self):
        self.databases()
        self.pg("create table customers (id int primary key, tenant varchar(20), name text, email text, iban text, birthday date); alter table customers replica identity full")
        env = {"PEPPER": "p"}
        self.changed(self.copied_aside("10_masked_tenants.lua", "prefix=" + self.topic),
                     "insert into customers values (1, 'red', 'Ann', 'ann@x.org', 'DE0012345678', '1970-01-01'), (2, 'test', 'T', 't', 't', null), (3, 'a/b', null, null, null, null)",
                     "update customers set tenant = 'blue' where id = 1", "update customers set tenant = 'test' where id = 1", "update customers set tenant = 'red' where id = 2", env=env)
        mail = hmac.new(b"p", b"ann@x.org", hashlib.sha256).hexdigest()

        def told(tenant):
            return [(m["action"], {c["name"]: c["value"] for c in m.get("columns", m.get("identity"))}) for m in
                    sorted(messages(self.topic + "." + tenant), key=lambda m: (m["source"]["pos"], m["source"]["seq"]))]
        ann = {"id": 1, "name": "***", "email": mail, "iban": "********5678"}
        t = hmac.new(b"p", b"t", hashlib.sha256).hexdigest()
        self.assertEqual(told("red"), [("I", {**ann, "tenant": "red"}), ("D", {"id": 1}), ("I", {"id": 2, "tenant": "red", "name": "***", "email": t, "iban": "*"})])
        self.assertEqual(told("blue"), [("I", {**ann, "tenant": "blue"}), ("D", {"id": 1})])
        self.assertEqual(told("a_b"), [("I", {"id": 3, "tenant": "a/b", "name": None, "email": None, "iban": None})])
        self.assertEqual(topic_partitions(self.topic + ".test"), 0)

    def test_11_dead_letters(self):
        self.databases("create table items (id int primary key, category varchar(20), price decimal(10,2))")
        self.changed(self.copied_aside("11_dead_letters.lua", "topic=" + self.topic), "insert into items values (1, 'a', 1), (2, 'a', null), (3, 'a', -1), (4, null, 1)",
                     "delete from items where id = 2")
        self.assertEqual(sorted((m["action"], key) for key, m in ((k, json.loads(v)) for _, k, v in read_topic(self.topic))), [("D", "2"), ("I", "1")])
        dead = sorted((key, headers) for _, key, headers, _ in with_headers(self.topic + ".dead"))
        self.assertEqual([key for key, _ in dead], ["2", "3", "4"])
        for (_, headers), m, what in zip(dead, messages(self.topic + ".dead"), ("no price", "the price is below zero", "no category")):
            self.assertRegex(headers, r"list_sync\.error=\S+\.lua:\d+: filter of connector .*: %s \(public\.items" % what)
            self.assertIn("list_sync.pos=%s,list_sync.seq=%d," % (m["source"]["pos"], m["source"]["seq"]), headers)

    def test_12_json_lines(self):
        """Killed in between; a half line is cut off, and each row is there."""
        self.databases(TABLE[0])
        arguments = self.copied_aside("12_json_lines.lua", "topic=" + self.topic, "group=" + self.id_)
        p = self.start(*arguments, env=self.ENV)
        p.wait_log(r"captures from")
        for statement in TABLE[1:]:
            self.pg(statement)
        wait_until(lambda: len(self.lines("items.jsonl")) == 5, "five lines", programs=[p])
        p.kill()
        with open(self.path("items.jsonl"), "a", encoding="utf-8") as f:
            f.write('{"half')
        p = self.start(*arguments, env=self.ENV)
        p.wait_log(r"continues at")
        self.pg("insert into items values (4, 'é', 0.10, null); truncate items")
        wait_until(lambda: '"action":"T"' in "".join(self.lines("items.jsonl")), "the truncate", programs=[p])
        wait_until(lambda: '"id":4' in "".join(self.lines("items.jsonl")), "the row", programs=[p])
        self.assertEqual(p.stop(), 0)
        got = {(m["pos"], m["seq"]): m for m in map(json.loads, self.lines("items.jsonl"))}  # the kill may have repeated some
        self.assertEqual(sorted((m["action"], json.dumps(m.get("new", m.get("old")), ensure_ascii=False)) for m in got.values()), sorted([
            ("I", '{"category": "BOOKS", "id": 1, "note": "first", "price": "12.50"}'), ("I", '{"category": "TOYS", "id": 2, "note": "cheap", "price": "3.00"}'),
            ("I", '{"category": null, "id": 3, "note": null, "price": "20.00"}'), ("U", '{"category": "BOOKS", "id": 1, "note": "first", "price": "13.00"}'),
            ("D", '{"id": 3}'), ("I", '{"category": "é", "id": 4, "note": null, "price": "0.10"}'), ("T", "null")]))

    def test_13_http_batches(self):
        """The service is away at first, then refuses once: nothing is lost, and its answer is told once."""
        got, refusals = [], [500]

        class Service(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status = refusals.pop() if refusals else 204
                if status == 204:
                    got.extend(body)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as first:
            port = first.server_port  # free again when this one is closed
        self.databases(TABLE[0])
        p = self.start(*self.copied_aside("13_http_batches.lua", "topic=" + self.topic, "group=" + self.id_, "url=http://127.0.0.1:%d/items" % port), env=self.ENV)
        p.wait_log(r"captures from")
        for statement in TABLE[1:]:
            self.pg(statement)
        p.wait_log(r"13_http_batches\.lua:\d+: writer\.flush of consumer .* answers connection refused")
        with http.server.ThreadingHTTPServer(("127.0.0.1", port), Service) as service:
            threading.Thread(target=service.serve_forever, daemon=True).start()
            wait_until(lambda: len({m["place"] for m in got}) == 5, "five rows", programs=[p])
            self.assertEqual(p.stop(), 0)
            service.shutdown()
        self.assertEqual(refusals, [])
        self.assertEqual(sorted((m["action"], m["item"]["id"], m["item"].get("price")) for m in {m["place"]: m for m in got}.values()),
                         sorted([("I", 1, "12.50"), ("I", 2, "3.00"), ("I", 3, "20.00"), ("U", 1, "13.00"), ("D", 3, None)]))

    def copied(self, name):
        with sqlite3.connect("file:%s?mode=ro" % self.path(name), uri=True, timeout=10) as db:
            return sorted(db.execute("select id, category, price, note from items"))

    def test_14_sqlite_copy(self):
        """Killed at any moment, the file has each row once, as the table does."""
        self.databases(TABLE[0])
        params = ["kafka=" + BROKERS, "file=items.db", "topic=" + self.topic, "name=" + self.name("postgres"), "group=" + self.id_, *self.pg_params("database")]
        p = self.example("14_sqlite_copy.lua", *params)
        p.wait_log(r"captures from")
        changes = threading.Thread(target=lambda: [self.pg(
            "insert into items select %d + i, 'c' || i, i / 7.0, null from generate_series(1, 300) i; update items set note = 'n' || %d where id %% 3 = 0; "
            "delete from items where id %% 17 = %d" % (k * 1000, k, k)) for k in range(12)])
        changes.start()
        for _ in range(4):
            before = self.sqlite_rows()
            wait_until(lambda: self.sqlite_rows() != before or not changes.is_alive(), "rows in the copy", programs=[p])
            p.kill()
            p = self.example("14_sqlite_copy.lua", *params)
        changes.join()

        def wanted():
            return sorted((int(i), c or None, float(price), n or None) for i, c, price, n in
                          (line.split("|") for line in self.pg("select id, category, price, note from items").splitlines()))
        wait_until(lambda: self.copied("items.db") == wanted(), "the copy to be as the table", programs=[p])
        self.pg("truncate items; insert into items values (1, 'one''s', 0.10, 'é')")
        wait_until(lambda: self.copied("items.db") == [(1, "one's", 0.1, "é")], "the truncated copy", programs=[p])
        self.assertEqual(p.stop(), 0)

    def test_14_truncates(self):
        """A truncate stands in each partition. It takes the rows before it in its own, however the partitions' messages meet."""
        self.databases(TABLE[0])
        params = ["kafka=" + BROKERS, "file=items.db", "topic=" + self.topic, "name=" + self.name("postgres"), "group=" + self.id_, *self.pg_params("database")]
        p = self.example("14_sqlite_copy.lua", *params)
        p.wait_log(r"captures from")
        p.wait_log(r"holds 3 partitions")

        def put(partition, *changes):
            text = "".join(json.dumps({"action": c, "schema": "public", "table": "items", **({} if c == "T" else {
                "pk": [{"name": "id"}], "columns": [{"name": "id", "value": i}, {"name": "category", "value": "c"}]})}) + "\n" for c, i in changes)
            run(["kcat", "-P", "-b", BROKERS, "-t", self.topic, "-p", str(partition)], text=text)
        ids = lambda: sorted(r[0] for r in self.copied("items.db"))
        put(0, ("I", 1), ("I", 2))
        put(1, ("I", 3))
        wait_until(lambda: ids() == [1, 2, 3], "three rows", programs=[p])
        put(1, ("T", 0), ("I", 4), ("I", 5))
        wait_until(lambda: ids() == [1, 2, 4, 5], "one partition's truncate", programs=[p])
        put(0, ("I", 6), ("T", 0), ("I", 7))
        wait_until(lambda: ids() == [4, 5, 7], "the other's", programs=[p])
        # another member has gone on with partition 2 meanwhile: what this one has of it is thrown away
        put(2, ("I", 20))
        wait_until(lambda: ids() == [4, 5, 7, 20], "the third partition", programs=[p])
        with sqlite3.connect(self.path("items.db"), timeout=10) as db:
            db.execute("update positions set offset = 2 where partition = 2")
        put(2, ("I", 21))
        p.wait_log(r"writer\.flush of consumer .*/2: another member of the group has gone on with it")
        put(2, ("I", 22))
        wait_until(lambda: ids() == [4, 5, 7, 20, 22], "what comes behind the other's", programs=[p])
        self.assertEqual(p.stop(), 0)

    def sqlite_rows(self):
        try:
            return len(self.copied("items.db"))
        except sqlite3.OperationalError:
            return 0  # not made yet

    def test_each_example_has_a_test(self):
        for name in self.examples():
            self.assertTrue(hasattr(self, "test_" + name[:-4]), name)

    def examples(self):
        return [n for n in sorted(os.listdir(os.path.join(ROOT, "examples"))) if n.endswith(".lua") and not n.endswith(".cases.lua")]

    def test_examples_pass_their_cases(self):
        """Those with hooks have some."""
        for name in self.examples():
            path = os.path.join(ROOT, "examples", name)
            with open(path, encoding="utf-8") as f:
                hooks = re.search(r"^\s*(filter|map|topic|key|headers|format) = function", f.read(), re.M)
            self.assertEqual(os.path.exists(path[:-4] + ".cases.lua"), bool(hooks), name)
            if hooks:
                self.assertRegex(self.run_to_end("test", path).out(), r"^\d+ passed, 0 failed\n$")

    def test_examples_pass_check_offline(self):
        for name in self.examples():
            self.run_to_end("check", os.path.join(ROOT, "examples", name), "--offline")
