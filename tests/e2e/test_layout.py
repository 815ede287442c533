"""CSV files by table: what a layout writes of each of two tables, read back by Python's csv module and compared with what SELECT gives."""
import csv
import glob
import os
import re

from lib import Case, Raw, wait_until

LAYOUTS = Raw("""ls.csv_writer {
    filename = "%(db)s/rest", rotate = { every = "1d" }, null = "NULL", absent = "?", max_open_files = 2,
    layout = {
      ["*.orders"] = {
        filename = "%(db)s/{date}.{table}", delimiter = ";",
        columns = {
          "id",
          { "placed; at", from = "created", date = "%%d.%%m.%%Y %%H:%%M" },
          { "gross", value = function(row) return tonumber(row.image.price) * row.image.qty end },
          { "remark", from = "note" },
          { "was", value = function(row) return row.action end },
        },
      },
      ["*.customers"] = {
        filename = "%(db)s/people.{kind}", prefix = false, quote = "'", header = { "number", "name" },
        row = function(row)
          if row.action == "D" then return false end
          return { row.image.id, row.image.name }
        end,
      },
    },
  }""")

TABLES = """create table orders (id int primary key, created timestamp(6) null, price numeric(12,2), qty int, note varchar(40));
    create table customers (id int primary key, name varchar(40), born date);
    create table plain (id int primary key, v varchar(10));"""
ORDERS = {"postgres": "select id, to_char(created, 'DD.MM.YYYY HH24:MI'), price * qty, note from orders order by id",
          "mysql": "select id, date_format(created, '%d.%m.%Y %H:%i'), price * qty, note from orders order by id"}


class Layout(Case):
    def records(self, pattern, **how):
        """Of the files of that name: their one header, and the records in the files' order."""
        paths = sorted(glob.glob(self.path(pattern)))
        self.assertTrue(paths, os.listdir(self.dir))
        headers, out = set(), []
        for p in paths:
            with open(p, encoding="utf-8", newline="") as f:
                rows = list(csv.reader(f, strict=True, **how))
            headers.add(tuple(rows[0]))
            out += rows[1:]
        self.assertEqual(len(headers), 1, paths)
        return headers.pop(), out

    def selected(self, db, sql):
        return [tuple(line.split("|" if db == "postgres" else "\t")) for line in self.sql(db, sql).split("\n") if line]

    def change(self, db, first):
        self.sql(db, "".join("""insert into orders values (%d, '2026-01-%02d 13:05:59.5', %d.25, %d, 'a;"b"%d'); insert into customers values (%d, 'it''s %d', '2000-01-01');
                insert into plain values (%d, 'x'); update orders set qty = qty + 1, note = null where id = %d; delete from orders where id = %d;
                update customers set name = 'new;%d' where id = %d; delete from customers where id = %d;\n"""
                             % (i, i % 28 + 1, i, i, i, i, i, i, i - 1, i - 3, i, i - 1, i - 5) for i in range(first, first + 20)))

    def check_orders(self, db):
        header, records = self.records("%s/20*.orders.csv*" % db, delimiter=";")
        self.assertEqual(header, ("action", "table", "id", "placed; at", "gross", "remark", "was"))
        state = {}
        for action, table, key, placed, gross, remark, was in records:
            self.assertEqual(table, ("public" if db == "postgres" else self.id_) + ".orders")
            self.assertEqual(was, action)
            if action == "I":
                state[int(key)] = (placed, float(gross), remark)
            else:
                self.assertEqual((placed, gross, remark), ("?", "?", "?"))
                state.pop(int(key), None)
        null = "" if db == "postgres" else "NULL"
        self.assertEqual(state, {int(i): (placed, float(gross), "NULL" if note == null else note) for i, placed, gross, note in self.selected(db, ORDERS[db])})

    def check_people(self, db):
        header, records = self.records("%s/people.rows.csv*" % db, quotechar="'")
        self.assertEqual(header, ("number", "name"))
        latest = dict(records)  # deletes are left out
        self.assertEqual({k: latest[k] for k, _ in self.selected(db, "select id, name from customers")}, dict(self.selected(db, "select id, name from customers")))
        self.assertGreater(len(latest), len(self.selected(db, "select id from customers")))

    def test_two_tables(self):
        """Three runs, one of which is killed. The first row that the second one reads is a delete with the key alone."""
        self.databases(TABLES)
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db, table="*"), self.consumer(db, topic_list=[self.topic_of(db)], writer=Raw(LAYOUTS % {"db": db})),
                                 name=db + ".lua")
            self.run_to_end(script, "--until-caught-up")
            self.change(db, 1)
            self.run_to_end(script, "--until-caught-up")
            self.check_orders(db)
            self.sql(db, "delete from orders where id = 20")
            p = self.start(script)
            wait_until(lambda: any(r[0] == "D" and r[2] == "20" for r in self.records("%s/20*.orders.csv*" % db, delimiter=";")[1]), "the delete", programs=[p])
            self.change(db, 21)
            p.kill()
            self.change(db, 41)
            self.run_to_end(script, "--until-caught-up")
            self.check_orders(db)
            self.check_people(db)
            header, records = self.records(db + "/rest_%s.csv*" % db)
            self.assertEqual(header, ("action", "table", "id", "v"))
            self.assertEqual(sorted({int(r[2]) for r in records}), [int(i) for i, in self.selected(db, "select id from plain order by id")])
            for p in glob.glob(self.path(db + "/*")):
                self.assertRegex(p, r"\.csv\.\d{8}T000000Z\.part$|\.csv$")

    def test_a_column_that_goes(self):
        """While the program runs: absent, and one warning. For a run that has never seen it: an error, which a column that is optional has not."""
        self.databases("create table t (id int primary key, a text, b text)")
        layout = 'ls.csv_writer { filename = "out", layout = { ["public.t"] = { columns = { "id", { "b", from = "b"%s } } } } }'

        def write(optional):
            return self.script(self.connector("postgres"), self.consumer("out", topic_list=[self.topic_of("postgres")], writer=Raw(layout % optional)))
        script = write("")
        p = self.start_connector(script)
        self.pg("insert into t values (1, 'x', 'y')")
        wait_until(lambda: len(self.lines("out_out.csv")) == 2, "the first row", programs=[p])
        self.pg("alter table t drop column b; insert into t values (2, 'x'); insert into t values (3, 'x')")
        wait_until(lambda: len(self.lines("out_out.csv")) == 4, "all rows", programs=[p])
        self.assertEqual(p.stop(), 0)
        self.assertEqual(len(re.findall('layout "public.t": public.t has no column "b": its cells are absent', p.log())), 1)
        self.pg("insert into t values (4, 'x')")
        p = self.run_to_end(script, "--until-caught-up", code=1)
        self.assertIn('layout "public.t": public.t has no column "b"', p.log())
        self.run_to_end(write(", optional = true"), "--until-caught-up")
        self.assertEqual(self.lines("out_out.csv"), ["action,table,id,b", "I,public.t,1,y", "I,public.t,2,", "I,public.t,3,", "I,public.t,4,"])

    def test_a_function_that_fails(self):
        self.databases("create table t (id int primary key, a text)")
        writer = Raw('ls.csv_writer { filename = "out", layout = { ["public.t"] = { columns = { "id", { "n", value = function(row)\nreturn row.new.a + 1 end } } } } }')
        script = self.script(self.connector("postgres"), self.consumer("out", topic_list=[self.topic_of("postgres")], writer=writer))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'x')")
        p = self.run_to_end(script, "--until-caught-up", code=1)
        self.assertRegex(p.log(), r'test\.lua:\d+: column "n" of layout "public\.t" of consumer "out": attempt to perform arithmetic on field \'a\' \(a string value\) '
                                  r'\(public\.t, key 1, position [0-9a-f]+/1\)')
        self.assertEqual(self.lines("out_out.csv"), [])
