"""Changes out of the ordinary: very large ones, none at all, tables that come and go, TRUNCATE, tables without a key."""
import re

from lib import MIB, Case, Raw, checkpoint, messages, pg, read_topic, topic_partitions, values, wait_until

TABLE = "create table t (id int primary key, v varchar(20))"
MESSAGE_MAX = 64 * MIB


class Large(Case):
    def test_value_of_16_mib(self):
        self.databases("create table t (id int primary key, v text)", "create table t (id int primary key, v longtext)")
        for db in ("postgres", "mysql"):
            p = self.start_connector(self.script(self.connector(db, topic=self.topic_of(db)), self.consumer(topic_list=[self.topic_of(db)], name=db)))
            self.sql(db, "insert into t values (1, repeat('\"x', %d))" % (8 * MIB))
            self.sql(db, "insert into t values (2, 'small')")
            got = self.wait_messages(self.topic_of(db), 2, [p])
            self.assertEqual(values(got[0]["columns"])["v"], '"x' * (8 * MIB))
            self.assertEqual(values(got[1]["columns"])["v"], "small")
            wait_until(lambda db=db: len(self.lines("out_%s.csv" % db)) == 3, "the rows in the file", programs=[p])
            self.assertEqual(self.lines("out_%s.csv" % db)[1].split(",", 3)[3], '"' + '""x' * (8 * MIB) + '"')
            self.assertEqual(p.stop(), 0)

    def test_message_over_the_limit(self):
        """Exit 1 that names both settings; what stood before it was sent, and it is not passed over."""
        self.databases("create table t (id int primary key, v text)", "create table t (id int primary key, v longtext)")
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 'small')")
            self.sql(db, "insert into t values (2, repeat('x', %d))" % MESSAGE_MAX)
            self.sql(db, "insert into t values (3, 'behind it')")
            for _ in range(2):
                log = self.run_to_end(script, "--until-caught-up", code=1).log()
                for wanted in (r"message\.max\.bytes", r"max\.message\.bytes", r"\.t\b"):
                    self.assertRegex(log, wanted)
            self.assertEqual({values(m["columns"])["id"] for m in messages(self.topic_of(db))}, {1})

    def test_wide_transaction_of_updates(self):
        """Rows that are large together: the byte budget is kept, and the order too."""
        self.databases("create table t (id int primary key, v text)", "create table t (id int primary key, v longtext)")
        for db in ("postgres", "mysql"):
            p = self.start_connector(self.script(self.connector(db)))
            rows = ", ".join("(%d, repeat('y', %d))" % (i, MIB) for i in range(100))
            self.sql(db, "begin; insert into t values %s; update t set v = concat(v, id); commit;" % rows)

            def there():
                return sum(1 for _ in read_topic(self.topic_of(db))) >= 200
            wait_until(there, "200 messages of 1 MiB", 120, [p])
            self.assertLess(p.peak_memory(), 96 * MIB)
            seqs = [m["source"]["seq"] for m in messages(self.topic_of(db))]
            self.assertEqual(seqs, list(range(1, 201)))
            self.assertEqual(p.stop(), 0)


class Tables(Case):
    def start_both(self, **options):
        scripts = [self.script(self.connector(db, **dict(options, publication="p" if db == "postgres" else None)), name=db + ".lua")
                   for db in ("postgres", "mysql")]
        return [self.start_connector(s) for s in scripts]

    def stop_all(self, programs):
        for p in programs:
            self.assertEqual(p.stop(), 0, p.log()[-2000:])

    def test_temporary_tables_and_rollback(self):
        """A transaction that makes a temporary table is in the binlog with its rows and the ROLLBACK that takes them back."""
        self.databases(TABLE)
        p = self.start_connector(self.script(self.connector("mysql")))
        self.my("begin; insert into t values (1, 'x'); create temporary table a (i int); rollback")
        self.my("create temporary table a (i int); begin; insert into t values (2, 'kept'); drop temporary table a; savepoint x; "
                "insert into t values (3, 'x'); rollback to x; commit")
        self.my("insert into t values (4, 'kept')")
        got = self.wait_messages(self.topic_of("mysql"), 2, [p])
        self.assertEqual([values(m["columns"])["id"] for m in got], [2, 4])
        self.assertEqual(p.stop(), 0)

    def test_what_only_mariadb_has(self):
        """A sequence's state is no row, a UNIQUE over a long column has no hash column; a system-versioned table is refused."""
        self.databases(TABLE, TABLE + "; create sequence s; create table u (id int primary key, v text unique)")
        p = self.start_connector(self.script(self.connector("mysql", table="*")))
        self.my("select nextval(s); insert into u values (1, 'a')")
        got = self.wait_messages(self.topic_of("mysql"), 1, [p])
        self.assertEqual(got[0]["columns"], [{"name": "id", "value": 1}, {"name": "v", "value": "a"}])
        self.my("create table h (id int primary key, v int) with system versioning; insert into h values (1, 1)")
        self.assertEqual(p.wait(), 1)
        self.assertIn("h is system-versioned", p.log())

    def test_empty_transactions(self):
        self.databases(TABLE + "; create table other (id int primary key)")
        self.pg("create publication p for table t")
        programs = self.start_both()
        self.pg("begin; select txid_current(); commit")
        self.both("begin; commit")
        self.both("begin; insert into t values (7, 'x'); rollback")
        self.both("begin; insert into other values (1); commit")
        self.both("begin; delete from t where id = 9; commit")
        self.both("insert into t values (1, 'a')")
        for db, p in zip(("postgres", "mysql"), programs):
            got = self.wait_messages(self.topic_of(db), 1, [p])
            self.assertEqual(values(got[0]["columns"]), {"id": 1, "v": "a"})
        self.stop_all(programs)

    def test_table_made_after_the_start(self):
        self.databases(TABLE)
        self.pg("create publication p for all tables")
        programs = self.start_both(table="t*")
        self.both("insert into t values (1, 'a')")
        self.both("create table t_new (k varchar(10) primary key, n bigint); insert into t_new values ('x', 5); create table u (id int primary key); insert into u values (1)")
        self.both("alter table t add w int; insert into t values (2, 'b', 9)")
        for db, p in zip(("postgres", "mysql"), programs):
            got = self.wait_messages(self.topic_of(db), 3, [p])
            self.assertEqual([m["table"] for m in got], ["t", "t_new", "t"])
            self.assertEqual([values(m["columns"]) for m in got], [{"id": 1, "v": "a"}, {"k": "x", "n": 5}, {"id": 2, "v": "b", "w": 9}])
            self.assertEqual(got[1]["pk"], [{"name": "k"}])
        self.stop_all(programs)

    def test_dropped_table(self):
        self.databases(TABLE + "; create table u (id int primary key)")
        self.pg("create publication p for all tables")
        programs = self.start_both(table="*")
        self.both("insert into t values (1, 'a'); drop table t; insert into u values (1)")
        for db, p in zip(("postgres", "mysql"), programs):
            self.assertEqual([m["table"] for m in self.wait_messages(self.topic_of(db), 2, [p])], ["t", "u"])
        self.stop_all(programs)

    def test_exact_table_dropped_later(self):
        """The checkpoint knows it, so that a restart without it warns and goes on."""
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 'a'); drop table t")
            self.run_to_end(script, "--until-caught-up")
            self.run_to_end(script, "--until-caught-up")
            self.assertEqual(len(messages(self.topic_of(db))), 1)

    def test_ddl_messages(self):
        self.databases(TABLE + "; create table u (id int primary key)")
        p = self.start_connector(self.script(self.connector("mysql", table="*", ddl=True)))
        self.my("rename table t to t2; insert into t2 values (1, 'a'); drop table u")
        got = self.wait_messages(self.topic_of("mysql"), 3, [p])
        self.assertEqual([m["action"] for m in got], ["R", "I", "X"])
        self.assertEqual((got[0]["table"], got[0]["to_schema"], got[0]["to_table"]), ("t", self.id_, "t2"))
        self.assertEqual((got[2]["schema"], got[2]["table"]), (self.id_, "u"))
        self.assertEqual(p.stop(), 0)

    def test_truncate(self):
        """T goes to every partition with one (pos, seq); each instance writes it once, to the delete file."""
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            schema = "public" if db == "postgres" else self.id_
            p = self.start_connector(self.script(self.connector(db, partitions=3),
                                                 self.consumer(db, {"split_files": True}, topic_list=[self.topic_of(db)])))
            self.sql(db, "insert into t values (1, 'a'), (2, 'b')")
            self.sql(db, "delete from t where id = 2")
            self.sql(db, "truncate table t")
            got = self.wait_messages(self.topic_of(db), 6, [p])
            truncates = [m for m in got if m["action"] == "T"]
            self.assertEqual(len(truncates), 3)
            self.assertEqual(len({(m["source"]["pos"], m["source"]["seq"]) for m in truncates}), 1)
            self.assertEqual({part for part, _, v in read_topic(self.topic_of(db)) if '"action":"T"' in v}, {0, 1, 2})
            self.assertEqual((truncates[0]["schema"], truncates[0]["table"]), (schema, "t"))
            self.assertFalse({"pk", "columns", "identity"} & truncates[0].keys())
            name = "%s_%s_delete" % (db, db)

            def rows():  # a T that comes before the first D has a header of its own, and so a part of its own
                return [x for part in (name + ".csv", name + "-2.csv") for x in self.lines(part) if not x.startswith("action")]
            wait_until(lambda: len(rows()) >= 2, "the D and T rows", programs=[p])
            self.assertEqual(p.stop(), 0)
            self.assertEqual(sorted(x.rstrip(",") for x in rows()), ["D,%s.t,2" % schema, "T,%s.t" % schema])

    def test_table_without_key_on_mariadb(self):
        self.databases()
        self.my("create table t (a int, b varchar(10))")
        p = self.start_connector(self.script(self.connector("mysql", partitions=3)))
        self.my("insert into t values (1, 'x'), (1, 'x'), (2, null); update t set b = 'y' where a = 2; delete from t where a = 1 limit 1")
        got = self.wait_messages(self.topic_of("mysql"), 5, [p])
        rows = read_topic(self.topic_of("mysql"))
        self.assertEqual(len({part for part, _, _ in rows}), 1, "rows of a table without a key stay together")
        self.assertEqual({key for _, key, _ in rows}, {None})
        self.assertEqual([m["action"] for m in got], ["I", "I", "I", "U", "D"])
        self.assertEqual(values(got[3]["identity"]), {"a": 2, "b": None})
        self.assertEqual(values(got[3]["columns"]), {"a": 2, "b": "y"})
        self.assertEqual(values(got[4]["identity"]), {"a": 1, "b": "x"})
        self.assertEqual(p.stop(), 0)

    def test_key_changes(self):
        """An update that changes the key is a D and an I that name each other's key."""
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            p = self.start_connector(self.script(self.connector(db)))
            self.sql(db, "insert into t values (1, 'a'); update t set id = 2 where id = 1")
            got = self.wait_messages(self.topic_of(db), 3, [p])
            self.assertEqual([m["action"] for m in got], ["I", "D", "I"])
            self.assertEqual(values(got[1]["identity"]), {"id": 1})
            self.assertEqual(values(got[1]["moved_to"]), {"id": 2})
            self.assertEqual(values(got[2]["columns"]), {"id": 2, "v": "a"})
            self.assertEqual(values(got[2]["moved_from"]), {"id": 1})
            self.assertEqual(p.stop(), 0)

    def test_topics_by_template(self):
        self.databases(TABLE + "; create table u_v (id int primary key)")
        for db, schema in (("postgres", "public"), ("mysql", self.id_)):
            tables = [schema + ".t", schema + ".u_v"]
            p = self.start_connector(self.script(self.connector(db, tables=tables, topic=self.topic + "." + db + ".{schema}.{table}")))
            self.sql(db, "insert into t values (1, 'a'); insert into u_v values (1)")
            for table in ("t", "u_v"):
                escaped = re.sub("_(?=[0-9a-f]{2})", "_5f", schema)  # so that no two tables' names give one topic
                name = "%s.%s.%s.%s" % (self.topic, db, escaped, table)
                wait_until(lambda name=name: topic_partitions(name), name, programs=[p])
                self.wait_messages(name, 1, [p])
            self.assertEqual(p.stop(), 0)


class Csv(Case):
    def test_quoting_null_and_empty(self):
        self.databases("create table t (id int primary key, v text)")
        for db in ("postgres", "mysql"):
            p = self.start_connector(self.script(self.connector(db), self.consumer(db, topic_list=[self.topic_of(db)])))
            self.sql(db, "insert into t values (1, null), (2, ''), (3, 'a,b'), (4, 'say \"x\"'), (5, 'two\nlines'), (6, ' sp '), (7, 'é€😀')")
            table = "I,%s.t," % ("public" if db == "postgres" else self.id_)
            wanted = ["action,table,id,v", table + "1,", table + '2,""', table + '3,"a,b"', table + '4,"say ""x"""', table + '5,"two', 'lines"',
                      table + "6, sp ", table + "7,é€😀"]
            wait_until(lambda db=db, n=len(wanted): len(self.lines("%s_%s.csv" % (db, db))) >= n, "the rows", programs=[p])
            self.assertEqual(self.lines("%s_%s.csv" % (db, db)), wanted)
            self.assertEqual(p.stop(), 0)

    def test_options(self):
        self.databases(TABLE)
        p = self.start_connector(self.script(self.connector("mysql", topic=self.topic), self.consumer(
            csv={"delimiter": ";", "quote": "'", "newline": "\r\n", "null": "NULL", "bom": True, "header": True}, consumer_id="me")))
        self.my("insert into t values (1, null), (2, 'a;b'), (3, 'it''s')")
        name = self.path("out_me.csv")

        def content():
            try:
                with open(name, "rb") as f:
                    return f.read()
            except FileNotFoundError:
                return b""
        s = self.id_.encode()
        wanted = b"\xef\xbb\xbfaction;table;id;v\r\nI;%s.t;1;NULL\r\nI;%s.t;2;'a;b'\r\nI;%s.t;3;'it''s'\r\n" % (s, s, s)
        wait_until(lambda: len(content()) >= len(wanted), "the rows", programs=[p])
        self.assertEqual(content(), wanted)
        self.assertEqual(p.stop(), 0)

    def test_two_programs_one_file(self):
        """A second program under the same names: it does not touch the first one's files."""
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic, partitions=2), self.consumer())
        first = self.start_connector(script)
        self.my("insert into t select seq, 'a' from seq_1_to_100")
        wait_until(lambda: len(self.lines("out_out.csv")) == 101, "the rows", programs=[first])
        second = self.start(script, "--only", "out")
        self.assertEqual(second.wait(), 4)
        self.assertRegex(second.log(), r"another program writes out_out.csv: .*consumer_id")
        self.my("insert into t select seq, 'a' from seq_101_to_200")
        wait_until(lambda: len(self.lines("out_out.csv")) == 201, "the rows", programs=[first])
        self.assertEqual(first.stop(), 0)

    def test_another_header_goes_to_the_next_part(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic), self.consumer())
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t values (1, 'a'); alter table t add w int; insert into t values (2, 'b', 3)")
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t values (4, 'c', 5)")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.lines("out_out.csv"), ["action,table,id,v", "I,%s.t,1,a" % self.id_])
        self.assertEqual(self.lines("out_out-2.csv"), ["action,table,id,v,w", "I,%s.t,2,b,3" % self.id_, "I,%s.t,4,c,5" % self.id_])

    def test_cut_off_record_is_repaired(self):
        self.databases(TABLE)
        script = self.script(self.connector("mysql", topic=self.topic), self.consumer())
        self.run_to_end(script, "--until-caught-up")
        self.my("insert into t values (1, 'a')")
        self.run_to_end(script, "--until-caught-up")
        with open(self.path("out_out.csv"), "a", encoding="ascii") as f:
            f.write('I,x.t,9,"half a rec')
        self.my("insert into t values (2, 'b')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.lines("out_out.csv"), ["action,table,id,v", "I,%s.t,1,a" % self.id_, "I,%s.t,2,b" % self.id_])

    def test_update_in_one_file(self):
        """The D row of an update fills the table's known columns, the key's values, and leaves the others absent."""
        self.databases(TABLE)
        script = self.script(self.connector("postgres", topic=self.topic), self.consumer(csv={"absent": "-"}))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a'); update t set v = 'b'; delete from t")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.lines("out_out.csv"), ["action,table,id,v", "I,public.t,1,a", "D,public.t,1,-", "I,public.t,1,b", "D,public.t,1,-"])


class Hooks(Case):
    def test_rows_in_hooks(self):
        """Reading, writing, adding, dropping and turning rows, on the connector's and the consumer's side."""
        self.databases("create table t (id int primary key, v varchar(20), n decimal(10,2))")
        map_ = Raw("""function(row)
            if row.action == "D" then return end
            row.new.v = row:has "v" and row.new.v and row.new.v:upper() or "none"
            row.new.twice = row:text "n" and tonumber(row.new.n) * 2 or nil
            row:drop "n"
            if row.new.id == 3 then row.action = "I" end
        end""")
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db, map=map_, filter=Raw("function(row) return row.image.id ~= 2 end")),
                                 self.consumer(db, topic_list=[self.topic_of(db)], map=Raw("function(row) if row.new then row.new.seen = row.db end end")))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (1, 'a', 1.25), (2, 'b', 2), (3, null, null)")
            self.sql(db, "update t set v = 'c' where id = 3; delete from t where id = 1")
            self.run_to_end(script, "--until-caught-up")
            got = messages(self.topic_of(db))
            self.assertEqual([m["action"] for m in got], ["I", "I", "I", "D"])
            self.assertEqual([values(m["columns"]) for m in got[:3]],
                             [{"id": 1, "v": "A", "twice": 2.5}, {"id": 3, "v": "none", "twice": None}, {"id": 3, "v": "C", "twice": None}])
            name = "postgres" if db == "postgres" else "mariadb"
            self.assertTrue(self.lines("%s_%s.csv" % (db, db))[1].endswith(",1,A,2.5," + name), self.lines("%s_%s.csv" % (db, db)))

    def test_checkpoint_moves_over_filtered_rows(self):
        self.databases(TABLE)
        script = self.script(self.connector("postgres", filter=Raw("function() return false end")))
        self.run_to_end(script, "--until-caught-up")
        before = checkpoint(self.name("postgres"))
        self.pg("insert into t select i, 'x' from generate_series(1, 5000) i")
        self.run_to_end(script, "--until-caught-up")
        self.assertNotEqual(checkpoint(self.name("postgres"))["restart"], before["restart"])
        self.assertEqual(messages(self.topic_of("postgres")), [])
        self.assertEqual(pg("select active from pg_replication_slots where slot_name = '%s'" % self.name("postgres")), "f")
