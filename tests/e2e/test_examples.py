"""The examples, as a newcomer runs them: on the in-process broker, but where a restart is what they are for."""
import json
import os
import re
import shutil
import sqlite3
import threading

from lib import BROKERS, MY, PG, ROOT, Case, pg, run, wait_until

# one table for all three
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

    def copied(self, name):
        with sqlite3.connect("file:%s?mode=ro" % self.path(name), uri=True, timeout=10) as db:
            return sorted(db.execute("select id, category, price, note from items"))

    def test_04_sqlite_copy(self):
        """Killed at any moment, the file has each row once, as the table does."""
        self.databases(TABLE[0])
        params = ["kafka=" + BROKERS, "file=items.db", "topic=" + self.topic, "name=" + self.name("postgres"), "group=" + self.id_, *self.pg_params("database")]
        p = self.example("04_sqlite_copy.lua", *params)
        p.wait_log(r"captures from")
        changes = threading.Thread(target=lambda: [self.pg(
            "insert into items select %d + i, 'c' || i, i / 7.0, null from generate_series(1, 300) i; update items set note = 'n' || %d where id %% 3 = 0; "
            "delete from items where id %% 17 = %d" % (k * 1000, k, k)) for k in range(12)])
        changes.start()
        for _ in range(4):
            before = self.sqlite_rows()
            wait_until(lambda: self.sqlite_rows() != before or not changes.is_alive(), "rows in the copy", programs=[p])
            p.kill()
            p = self.example("04_sqlite_copy.lua", *params)
        changes.join()

        def wanted():
            return sorted((int(i), c or None, float(price), n or None) for i, c, price, n in
                          (line.split("|") for line in self.pg("select id, category, price, note from items").splitlines()))
        wait_until(lambda: self.copied("items.db") == wanted(), "the copy to be as the table", programs=[p])
        self.pg("truncate items; insert into items values (1, 'one''s', 0.10, 'é')")
        wait_until(lambda: self.copied("items.db") == [(1, "one's", 0.1, "é")], "the truncated copy", programs=[p])
        self.assertEqual(p.stop(), 0)

    def test_04_truncates(self):
        """A truncate stands in each partition. It takes the rows before it in its own, however the partitions' messages meet."""
        self.databases(TABLE[0])
        params = ["kafka=" + BROKERS, "file=items.db", "topic=" + self.topic, "name=" + self.name("postgres"), "group=" + self.id_, *self.pg_params("database")]
        p = self.example("04_sqlite_copy.lua", *params)
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
                hooks = re.search(r"^\s*(filter|map) =", f.read(), re.M)
            self.assertEqual(os.path.exists(path[:-4] + ".cases.lua"), bool(hooks), name)
            if hooks:
                self.assertRegex(self.run_to_end("test", path).out(), r"^\d+ passed, 0 failed\n$")

    def test_examples_pass_check_offline(self):
        for name in self.examples():
            self.run_to_end("check", os.path.join(ROOT, "examples", name), "--offline")
