"""What only PostgreSQL has: publications with row filters, column lists and generated columns, replica identities, TOAST, partitions. On the PostgreSQL of
scripts/services and on PostgreSQL 18 (LIST_SYNC_POSTGRES=host:port[:user[:password]]); replayed messages must give what SELECT gives."""
import json

from lib import Case, messages, read_topic, values, wait_until

WORKLOAD = """
insert into {t} select i, i % 20, 'v' || i from generate_series(1, 200) i;
update {t} set n = n + 7 where id % 3 = 0;
update {t} set n = 19 - n where id % 5 = 0;
update {t} set v = v || 'x' where n < 10;
update {t} set id = id + 1000, n = (n + 11) % 20 where id % 7 = 0;
delete from {t} where id % 11 = 0;
begin; insert into {t} values (5000, 15, 'gone'); update {t} set n = 3 where id = 5000; delete from {t} where id = 5000; commit;
"""


class Postgres(Case):
    def start_given(self, publication, table="*", **options):
        """A connector on a publication of the test's own."""
        self.pg(publication)
        return self.start_connector(self.script(self.connector(self.postgres, publication="p", table=table, **options)))

    def all_until(self, p, table, row):
        """All messages up to the insert of a row that is in no result."""
        self.pg("insert into %s values (%s)" % (table, row))
        first = json.loads(row.split(",")[0])

        def there():
            got = messages(self.topic_of(self.postgres))
            return got if got and first in values(got[-1].get("columns", ())).values() else None
        return wait_until(there, "the last row", programs=[p])[:-1]

    def replay(self, got):
        """The tables as the messages leave them: rows by the values of what identifies them. A row must be there when it changes."""
        tables = {}
        for m in got:
            rows = tables.setdefault(m["table"], {})
            if m["action"] == "T":
                rows.clear()
                continue
            key = [k["name"] for k in m.get("pk", ())]
            if "identity" in m:
                old = rows.pop(self.place(values(m["identity"]), key))
            if "columns" in m:
                new = values(m["columns"])
                new.update((name, old[name]) for name in m.get("unchanged", ()))
                place = self.place(new, key)
                self.assertNotIn(place, rows)
                rows[place] = new
        return tables

    def place(self, row, key):
        return tuple(row[k] for k in key) if key else tuple(sorted(row.items(), key=lambda c: c[0]))

    def select(self, sql):
        return json.loads(self.pg("select coalesce(json_agg(to_json(t)), '[]') from (%s) t" % sql))

    def same(self, rows, sql):
        def ordered(rows):
            return sorted(rows, key=lambda r: json.dumps(r, sort_keys=True))
        self.assertEqual(ordered(rows.values()), ordered(self.select(sql)))

    # ---- publications ----

    def test_row_filters(self):
        """An update into the filter is an insert, one out of it a delete."""
        columns = "(id int primary key, n int, v text)"
        self.databases("create table f %s; alter table f replica identity full; create table k %s; create table other (id int primary key)" % (columns, columns), mariadb="select 1")
        p = self.start_given("create publication p for table f where (n > 9 and v <> 'v8'), k where (id between 50 and 1100), other")
        self.pg(WORKLOAD.format(t="f"))
        self.pg(WORKLOAD.format(t="k").replace("id = id + 1000, ", ""))  # rows of k move into its filter and out of it too
        self.pg("update k set id = id + 1000 where id between 90 and 110; update k set id = id + 1030 where id between 5 and 15")
        got = self.all_until(p, "other", "1")
        tables = self.replay(got)
        self.same(tables["f"], "select * from f where n > 9 and v <> 'v8'")
        self.same(tables["k"], "select * from k where id between 50 and 1100")
        actions = {(m["table"], m["action"]) for m in got}
        self.assertEqual(actions, {(t, a) for t in "fk" for a in "IUD"})
        self.assertGreater(len(tables["f"]), 20)
        self.assertGreater(len(tables["k"]), 20)
        self.assertEqual(p.stop(), 0)

    def test_column_lists(self):
        """The columns that are published, and no word of the others; keys in their own order; a list that changes in mid-stream."""
        self.databases("create table t (a int, secret text, id int, n int, v text, primary key (id, a)); create table i (id int primary key, x text, y text)", mariadb="select 1")
        p = self.start_given("create publication p for table t (n, id, a, v); create publication q for table i")
        self.pg("alter publication p add table i (id, y)")
        self.pg("insert into t select i % 3, 'hidden', i, i, 'v' || i from generate_series(1, 50) i; update t set secret = 'other'; update t set a = a + 1, n = 0 where id > 40;"
                "delete from t where id < 10; insert into i values (1, 'hidden', 'y')")
        self.pg("alter publication p set table t (id, a, v, secret), i (id, y)")
        self.pg("update t set n = 5, v = v || secret where id > 20")
        got = self.all_until(p, "i", "77")
        self.assertEqual([values(m["columns"]) for m in got if m["table"] == "i"], [{"id": 1, "y": "y"}])
        of_t = [m for m in got if m["table"] == "t"]
        self.assertEqual({tuple(c["name"] for c in m["columns"]) for m in of_t if "columns" in m}, {("a", "id", "n", "v"), ("a", "secret", "id", "v")})
        self.assertEqual({tuple(c["name"] for c in m["pk"]) for m in of_t}, {("id", "a")})
        self.assertEqual({tuple(c["name"] for c in m["identity"]) for m in of_t if "identity" in m}, {("id", "a")})
        rows = self.replay(of_t)["t"]
        self.same({k: r for k, r in rows.items() if k[0] > 20}, "select a, secret, id, v from t where id > 20")
        self.same({k: r for k, r in rows.items() if k[0] <= 20}, "select a, id, n, v from t where id <= 20")
        self.assertEqual(p.stop(), 0)

    def test_published_actions(self):
        """A publication of inserts needs no identity, and what it leaves out does not come."""
        self.databases("create table t (id int, v text); create table k (id int primary key, v text)", mariadb="select 1")
        p = self.start_given("create publication p for table t, k with (publish = 'insert')")
        self.assertRegex(p.log(), r"leaves out some of insert, update, delete, truncate")
        self.pg("insert into t values (1, 'a'); insert into k values (1, 'a'); update t set v = 'b'; update k set v = 'b'; delete from k; truncate t, k")
        got = self.all_until(p, "k", "77")
        self.assertEqual([(m["table"], m["action"], values(m["columns"]), m.get("pk")) for m in got], [("t", "I", {"id": 1, "v": "a"}, None), ("k", "I", {"id": 1, "v": "a"}, [{"name": "id"}])])
        self.assertEqual(p.stop(), 0)

    # ---- what identifies a row ----

    def test_replica_identities(self):
        """Each kind, and a table that goes from one to the next: the key columns identify, or the whole old row does."""
        self.databases("create table t (id int primary key, u int not null, w int not null, v text); create unique index t_u on t (w, u); create table bare (u int not null, w int not null, v text);"
                       "create unique index bare_u on bare (w, u); create table done (id int primary key)", mariadb="select 1")
        p = self.start_given("create publication p for table t, bare, done")

        def captured(n):
            """Which columns an index has, and in which order, the catalog alone says, as of when its rows are captured."""
            wait_until(lambda: sum(m["table"] == "t" for m in messages(self.topic_of(self.postgres))) >= n, "%d messages" % n, programs=[p])

        self.pg("insert into t values (1, 2, 3, 'a'); update t set v = 'b'; update t set u = 4")
        captured(3)
        self.pg("alter table t replica identity using index t_u; update t set v = 'c'; update t set u = 5; update t set id = 6")
        captured(7)
        self.pg("alter table t replica identity full; update t set v = 'd'; update t set id = 7; delete from t")
        self.pg("alter table t replica identity nothing; insert into t values (8, 8, 8, 'e')")
        with self.assertRaisesRegex(RuntimeError, "cannot update table \"t\" because it does not have a replica identity"):
            self.pg("update t set v = 'f'")
        self.pg("insert into bare values (1, 2, 'a'); alter table bare replica identity using index bare_u; update bare set v = 'b'; update bare set u = 9; delete from bare")
        got = self.all_until(p, "done", "77")

        def key(*names):
            return [{"name": n} for n in names]
        by_id, by_index = key("id"), key("w", "u")
        shown = [(m["action"], m.get("pk"), [c["name"] for c in m["identity"]] if "identity" in m else None) for m in got if m["table"] == "t"]
        self.assertEqual(shown[:3], [("I", by_id, None), ("U", by_id, ["id"]), ("U", by_id, ["id"])])
        self.assertEqual(shown[3:7], [("U", by_index, ["w", "u"]), ("D", by_index, ["w", "u"]), ("I", by_index, None), ("U", by_index, ["w", "u"])])
        self.assertEqual(shown[7:], [("U", by_id, ["id"]), ("D", by_id, ["id"]), ("I", by_id, None), ("D", by_id, ["id"]), ("I", by_id, None)])
        bare = [(m["action"], m.get("pk"), m.get("identity")) for m in got if m["table"] == "bare"]
        old = [[{"name": "w", "value": 2}, {"name": "u", "value": u}] for u in (1, 9)]
        self.assertEqual(bare[1:], [("U", by_index, old[0]), ("D", by_index, old[0]), ("I", by_index, None), ("D", by_index, old[1])])
        self.assertEqual(values([m for m in got if m["table"] == "t"][6]["columns"]), {"id": 6, "u": 5, "w": 3, "v": "c"})
        self.assertEqual(p.stop(), 0)

    def test_identity_full(self):
        """Without a key the whole row before identifies; with one it fills in what an update left alone."""
        self.databases("create table t (id int primary key, n int, v text); create table bare (id int, n int, v text); alter table t replica identity full; alter table bare replica identity full;"
                       "alter table t alter v set storage external; create table done (id int primary key)", mariadb="select 1")
        p = self.start_given("create publication p for table t, bare, done")
        self.pg(WORKLOAD.format(t="t") + WORKLOAD.format(t="bare"))
        self.pg("update t set v = repeat('x', 100000) where id < 5; update t set n = 0 where id < 5; insert into bare values (null, 1, null)")
        got = self.all_until(p, "done", "77")
        for table, columns in (("t", ["id"]), ("bare", ["id", "n", "v"])):
            identities = [[c["name"] for c in m["identity"]] for m in got if m["table"] == table and "identity" in m]
            self.assertEqual(set(map(tuple, identities)), {tuple(columns)})
        self.assertEqual([m for m in got if "unchanged" in m], [])
        for table, rows in self.replay(got).items():
            self.same(rows, "select * from " + table)
        self.assertEqual(p.stop(), 0)

    # ---- TOAST, TRUNCATE, partitions ----

    def test_unchanged_toast(self):
        """A large value that an update leaves alone is named in `unchanged`, not guessed."""
        self.databases("create table t (id int primary key, n int, v text); alter table t alter v set storage external", mariadb="select 1")
        p = self.start_connector(self.script(self.connector(self.postgres)))
        self.pg("insert into t values (1, 0, repeat('x', 100000)); update t set n = 1; update t set id = 2; update t set v = v || 'y'")
        got = self.wait_messages(self.topic_of(self.postgres), 5, [p])
        self.assertEqual([m.get("unchanged") for m in got], [None, ["v"], None, ["v"], None])
        self.assertEqual(values(got[1]["columns"]), {"id": 1, "n": 1})
        self.assertEqual(values(got[3]["columns"]), {"id": 2, "n": 1})
        self.assertEqual(got[3]["moved_from"], [{"name": "id", "value": 1}])
        self.assertEqual(values(got[4]["columns"])["v"], "x" * 100000 + "y")
        self.assertEqual(p.stop(), 0)

    def test_truncate_of_several(self):
        """One T a table, those that CASCADE takes in too, in every partition; behind them the tables are as SELECT gives them."""
        self.databases("create table a (id int primary key, n int, v text); create table b (id int primary key, a int references a, v text); create table c (id int primary key, n int, v text)",
                       mariadb="select 1")
        p = self.start_connector(self.script(self.connector(self.postgres, table="*", partitions=2)))
        self.pg("insert into a values (1, 1, 'a'); insert into b values (1, 1, 'a'); insert into c values (1, 1, 'c'); truncate a restart identity cascade; insert into a values (2, 2, 'b');"
                "begin; truncate c; rollback; begin; insert into c values (2, 2, 'x'); truncate c, b; insert into c values (3, 3, 'c'); commit")
        got = self.wait_messages(self.topic_of(self.postgres), 6 + 2 * 4, [p])
        truncated = {(m["table"], m["source"]["pos"], m["source"]["seq"]) for m in got if m["action"] == "T"}
        self.assertEqual(sorted(t for t, _, _ in truncated), ["a", "b", "b", "c"])
        self.assertEqual({part for part, _, v in read_topic(self.topic_of(self.postgres)) if '"action":"T"' in v}, {0, 1})
        tables = self.replay(sorted(got, key=lambda m: (m["source"]["pos"], m["source"]["seq"])))
        for t in "abc":
            self.same(tables[t], "select * from " + t)
        self.assertEqual(p.stop(), 0)

    def test_partitioned_table(self):
        self.databases("create table t (id int primary key, v text) partition by range (id);"
                       "create table t_1 partition of t for values from (0) to (10); create table t_2 partition of t for values from (10) to (20)", mariadb="select 1")
        p = self.start_connector(self.script(self.connector(self.postgres)))
        self.pg("insert into t values (1, 'a'), (11, 'b'); update t set id = 12 where id = 1; update t set v = 'c' where id = 11")
        got = self.wait_messages(self.topic_of(self.postgres), 5, [p])  # a row that goes to another partition is D and I
        self.assertEqual({m["table"] for m in got}, {"t"})
        self.same(self.replay(got)["t"], "select * from t")
        self.assertEqual(p.stop(), 0)


GENERATED = "create table t (id int primary key, a int, g text generated always as ('g' || a) stored, v text{more})"


class Postgres18(Postgres):
    """... and what came with PostgreSQL 18: generated columns in publications."""
    postgres = "postgres18"

    def columns_sent(self, table, publication, change="", **options):
        """The names of the columns in the messages of a few changes, which are replayed and compared with SELECT of those."""
        self.databases(table + "; create table done (id int primary key)", mariadb="select 1")
        if publication:
            p = self.start_given(publication, **options)
        else:
            p = self.start_connector(self.script(self.connector(self.postgres, tables=["public.t", "public.done"])))
        self.pg("insert into t (id, a, v) select i, i, 'v' || i from generate_series(1, 20) i; update t set a = a * 2 where id > 5; update t set v = null where id > 10;"
                "update t set id = id + 100, a = null where id > 15; delete from t where id = 1;" + change)
        got = self.all_until(p, "done", "77")
        names = {tuple(c["name"] for c in m["columns"]) for m in got if "columns" in m and "unchanged" not in m}
        self.assertEqual(len(names), 1, names)
        names = names.pop()
        self.same(self.replay(got)["t"], "select %s from t" % ", ".join(names))
        self.assertEqual(p.stop(), 0)
        return names, got

    def test_stored_columns(self):
        """Published, they are columns as others are."""
        names, got = self.columns_sent(GENERATED.format(more=", h int generated always as (a + 1) stored"), "create publication p for table t, done with (publish_generated_columns = stored)")
        self.assertEqual(names, ("id", "a", "g", "v", "h"))
        self.assertEqual(values(got[0]["columns"]), {"id": 1, "a": 1, "g": "g1", "v": "v1", "h": 2})

    def test_stored_columns_not_published(self):
        names, _ = self.columns_sent(GENERATED.format(more=""), "create publication p for table t, done with (publish_generated_columns = none)")
        self.assertEqual(names, ("id", "a", "v"))

    def test_stored_columns_of_a_list(self):
        """Named in a column list, one is published whatever the setting says."""
        names, _ = self.columns_sent(GENERATED.format(more=", h int generated always as (a + 1) stored"), "create publication p for table t (id, v, h), done")
        self.assertEqual(names, ("id", "v", "h"))

    def test_stored_columns_unchanged(self):
        """A large one that an update leaves alone, and one in the whole old row."""
        table = "create table t (id int primary key, a int, v text, g text generated always as (repeat(v, 20000)) stored); alter table t alter g set storage external"
        names, got = self.columns_sent(table, "create publication p for table t, done with (publish_generated_columns = stored)", "update t set a = 1 where id = 3")
        self.assertEqual(names, ("id", "a", "v", "g"))
        self.assertEqual(got[-1].get("unchanged"), ["g"])

    def test_stored_columns_in_the_identity(self):
        table = GENERATED.format(more="").replace(" primary key", "") + "; alter table t replica identity full"
        names, got = self.columns_sent(table, "create publication p for table t, done with (publish_generated_columns = stored)")
        self.assertEqual(names, ("id", "a", "g", "v"))
        self.assertEqual({tuple(c["name"] for c in m["identity"]) for m in got if "identity" in m}, {names})

    def test_a_stored_column_is_the_key(self):
        """It identifies rows where it is published."""
        table = "create table t (id int, a int, v text, g text generated always as ('g' || id) stored primary key)"
        names, got = self.columns_sent(table, "create publication p for table t, done with (publish_generated_columns = stored)")
        self.assertEqual(names, ("id", "a", "v", "g"))
        self.assertEqual({m["pk"][0]["name"] for m in got}, {"g"})

    def test_a_stored_column_is_the_key_and_not_published(self):
        self.databases("create table t (id int, g text generated always as ('g' || id) stored primary key)", mariadb="select 1")
        p = self.start_given("create publication p for table t")
        self.pg("insert into t values (1)")
        self.assertEqual(p.wait(), 1)
        self.assertRegex(p.log(), r'table public\.t: column "g" of its key is a generated one')

    def test_virtual_columns(self):
        """They are stored nowhere, and are no part of a row, in no publication."""
        table = GENERATED.format(more=", w text generated always as ('w' || a) virtual")
        names, _ = self.columns_sent(table, "create publication p for table t, done with (publish_generated_columns = stored)")
        self.assertEqual(names, ("id", "a", "g", "v"))

    def test_the_publication_that_is_made(self):
        """It has the stored generated columns, as MariaDB's and MySQL's rows have them."""
        names, _ = self.columns_sent(GENERATED.format(more=", w text generated always as ('w' || a) virtual"), None)
        self.assertEqual(names, ("id", "a", "g", "v"))
        publication = "list_sync_" + self.name(self.postgres)
        self.pg("alter publication %s set (publish_generated_columns = none)" % publication)  # as one is that was made before an upgrade
        self.run_to_end(self.script(self.connector(self.postgres, tables=["public.t", "public.done"])), "--until-caught-up")
        self.assertEqual(self.pg("select pubgencols from pg_publication where pubname = '%s'" % publication), "s")
