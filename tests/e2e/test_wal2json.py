"""plugin = "wal2json": the same SQL gives the same messages as pgoutput does, but for the list in docs/servers.md; what it
needs and lacks is said at the start."""
import json
import re
import time

from lib import Case, checkpoint, messages, values, wait_until

DATA = r'''
create type mood as enum ('sad', 'ok');
create domain posint as int check (value > 0);
create domain blob as bytea;
create table types (id bigint primary key, b bool, by bytea, f4 real, f8 float8, n numeric, c char(5), vc varchar(9), d date, ti time,
  ts timestamp, tz timestamptz, m mood, dom posint, db blob, o oid, x text);
create table swapped (a int, b text, z int, primary key (b, a));
create table indexed (a int not null, b int not null, c text, primary key (a));
create unique index indexed_i on indexed (b, a);
alter table indexed replica identity using index indexed_i;
create table whole (a int, b text);
alter table whole replica identity full;
create table later (id int primary key deferrable, v text);
alter table later replica identity full;
create table big (id int primary key, n int, v text);
alter table big alter v set storage external;
create table "Od.d ""name""" ("Id" int primary key, "v,w" text);
create table part (id int primary key, v text) partition by range (id);
create table part_1 partition of part for values from (0) to (10);
create table part_2 partition of part for values from (10) to (20);
'''
CHANGES = r'''
insert into types values (1, true, '\x00ff', 1.5, 1e-300, 12345678901234567890.10, 'ab', 'é', '2026-01-02', '03:04:05.6', '2026-01-02 03:04:05',
  '2026-01-02 03:04:05.5+02', 'ok', 3, '\x00', 4000000000, E'q"\\\n\t\x01' || chr(8232) || chr(128512)),
  (2, null, '', -0.0, '-0', -0.001, '', '', 'infinity', null, '0044-03-15 BC', '-infinity', null, null, null, 0, null),
  (-9223372036854775808, false, null, 1e20, 1e21, 1e40, 'é', 'a b', null, null, null, null, 'sad', 1, '\xdeadbeef', null, '');
update types set x = 'new' where id = 1;
delete from types where id = 2;

begin; insert into swapped values (1, 'k', 5); update swapped set z = 6; update swapped set a = 2; delete from swapped; commit;
insert into indexed values (1, 2, 'c'); update indexed set c = 'd'; update indexed set b = 5; delete from indexed;
insert into whole values (1, 'a'), (1, 'a'), (2, null); update whole set b = 'b' where a = 2; delete from whole where a = 1;
insert into later values (1, 'a'); update later set id = 2; delete from later;

insert into big values (1, 0, repeat('x', 100000)); update big set n = 1; update big set id = 2;

alter table big alter n type bigint; update big set n = 2; alter table big add w text; update big set w = repeat('y', 100000);

update big set n = 3; alter table big drop v; update big set n = 4;

alter table big add u int; update big set n = 5; delete from big;

insert into "Od.d ""name""" values (3, 'c'); alter table "Od.d ""name""" rename "v,w" to "other"; insert into "Od.d ""name""" values (4, 'd');

begin; savepoint s; insert into whole values (7, 'undone'); rollback to s; insert into whole values (8, 'done'); commit;

insert into part values (1, 'a'), (11, 'b'); update part set id = 12 where id = 1; truncate part;

create table made (id int primary key, v text); insert into made values (1, 'a'); truncate made, whole;

begin; create table twice (id int primary key); insert into twice values (1); alter table twice rename id to k; alter table twice add v text;
insert into twice values (2, 'a'); update twice set k = 3 where k = 2; alter table twice drop v; insert into twice values (4); commit;

create materialized view seen as select id from made; refresh materialized view seen;

select pg_logical_emit_message(true, 'p', 'c'), pg_logical_emit_message(false, 'p', 'c');

insert into types (id) select i from generate_series(100, 3000) i; delete from types where id > 100;
'''


def plain(message):
    """A message as it must be whichever plugin sent it."""
    message = dict(message, source=dict(message["source"]))
    del message["source"]["connector"]
    return message


class Plugins(Case):
    def plugin(self, plugin, **options):
        o = {"name": self.id_ + "_" + plugin, "plugin": plugin, "topic": self.topic + "." + plugin, "table": "*"}
        if plugin == "pgoutput":
            o["partition_root"] = False
        o.update(options)
        return self.connector(self.postgres, **o)

    def read(self, plugin):
        return messages(self.topic + "." + plugin)

    def compare(self):
        one, other = self.read("pgoutput"), self.read("wal2json")
        for a, b in zip(one, other):
            if plain(a) != plain(b):  # large values cut
                self.fail("pgoutput: %s\nwal2json: %s" % tuple(re.sub(r"([xy]{20})[xy]+", r"\1...", json.dumps(plain(m))) for m in (a, b)))
            self.assertEqual(json.dumps(plain(a)), json.dumps(plain(b)), "the members' order")
        self.assertEqual(len(one), len(other))
        return one


class Same(Plugins):
    def test_same_messages(self):
        self.databases(DATA, mariadb="select 1")
        script = self.script(self.plugin("pgoutput"), self.plugin("wal2json"))
        self.run_to_end(script, "--until-caught-up")
        for statements in CHANGES.split("\n\n"):
            self.pg(statements)
        self.run_to_end(script, "--until-caught-up")
        got = self.compare()
        self.assertGreater(len(got), 5800)
        self.assertEqual({m["action"] for m in got}, {"I", "U", "D", "T"})

    def test_same_while_running(self):
        """Each transaction decoded as it comes, with the catalog of its time."""
        self.databases(DATA, mariadb="select 1")
        p = self.start(self.script(self.plugin("pgoutput"), self.plugin("wal2json")))
        p.wait_log(r"captures from", count=2)
        for statements in CHANGES.split("\n\n"):
            self.pg(statements)
            sent = ("select count(*) from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid"
                    " where s.database = '%s' and r.sent_lsn >= '%s'" % (self.database, self.pg("select pg_current_wal_flush_lsn()")))
            wait_until(lambda sent=sent: self.pg(sent) == "2", "both plugins have decoded it", programs=[p])
        self.pg("insert into made values (99, 'end')")
        for plugin in ("pgoutput", "wal2json"):
            wait_until(lambda plugin=plugin: self.read(plugin)[-1:] and self.read(plugin)[-1]["table"] == "made", plugin, programs=[p])
        self.assertEqual(p.stop(), 0)
        self.compare()

    def test_the_documented_differences(self):
        self.databases("create table t (id int primary key, f float8, n numeric, g int generated always as (id * 2) stored)", mariadb="select 1")
        script = self.script(self.plugin("wal2json", publication="none_of_that_name"))
        log = self.run_to_end("check", script).log()
        nulls = "come as null" in log  # of wal2json before 2.6
        if nulls:
            self.assertRegex(log, r"come as null.*public\.t\.f, public\.t\.n")
        told = self.assertRegex if int(self.admin("show server_version_num")) < 180000 else self.assertNotRegex  # pgoutput sends them since
        told(log, r"generated columns.*public\.t\.g")
        self.assertRegex(log, r'publication "none_of_that_name" is not used')
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'NaN', '-Infinity')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(values(self.read("wal2json")[0]["columns"]), dict({"id": 1, "g": 2}, **({"f": None, "n": None} if nulls else {"f": "NaN", "n": "-Infinity"})))
        self.assertEqual(self.pg("select count(*) from pg_publication"), "0")

    def test_resume_within_a_transaction(self):
        """Killed in a large transaction, twice: all of it comes, no row is skipped."""
        self.databases("create table t (id int primary key, v text)", mariadb="select 1")
        script = self.script(self.plugin("wal2json"))
        self.run_to_end(script, "--until-caught-up")
        for first in (1, 150001):
            before = checkpoint(self.id_ + "_wal2json")["delivered"]  # before the start: a fast machine may be through at once
            self.pg("insert into t select i, repeat('x', 100) from generate_series(%d, %d) i" % (first, first + 149999))
            p = self.start(script)
            wait_until(lambda before=before: checkpoint(self.id_ + "_wal2json")["delivered"] != before, "the checkpoint moves", programs=[p])
            p.kill()
        self.run_to_end(script, "--until-caught-up", seconds=120)
        got = self.read("wal2json")
        of = {m["source"]["pos"]: set() for m in got}
        for m in got:
            of[m["source"]["pos"]].add((m["source"]["seq"], values(m["columns"])["id"]))
        self.assertEqual([of[pos] for pos in sorted(of)], [{(i, first + i - 1) for i in range(1, 150001)} for first in (1, 150001)])

    def test_latin1(self):
        self.admin("create database %s template template0 encoding 'LATIN1' locale 'C'" % self.id_)
        self.database = self.id_
        self.pg("set client_encoding = 'UTF8'; create table \"tä\" (id int primary key, \"ü\" text)")
        script = self.script(self.plugin("pgoutput"), self.plugin("wal2json"))
        self.run_to_end(script, "--until-caught-up")
        self.pg("set client_encoding = 'UTF8'; insert into \"tä\" values (1, 'aé\u00ff')")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(values(self.compare()[0]["columns"]), {"id": 1, "ü": "aé\u00ff"})


class Same18(Same):
    postgres = "postgres18"

    def test_generated_columns(self):
        """Virtual ones are stored nowhere, and are no part of a row for either plugin; stored ones are."""
        self.databases("create table t (id int primary key, g text generated always as ('x' || id) virtual, v text, s text generated always as (repeat(v, 2)) stored)", mariadb="select 1")
        script = self.script(self.plugin("pgoutput"), self.plugin("wal2json"))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1); update t set v = repeat('x', 100000); update t set id = 2; delete from t")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(values(self.compare()[0]["columns"]), {"id": 1, "v": None, "s": None})


class Refused(Plugins):
    def refused(self, *patterns, **options):
        script = self.script(self.plugin("wal2json", **options))
        for command in ([], ["check"]):
            log = self.run_to_end(*command, script, code=2).log()
            for pattern in patterns:
                self.assertRegex(log, pattern)
        self.assertEqual(self.admin("select count(*) from pg_replication_slots where database = '%s'" % self.id_), "0")

    def test_tables_without_identity(self):
        self.databases("create table a (i int); create table \"B\" (i int primary key); alter table \"B\" replica identity nothing;"
                       "create table c (i int primary key); create table d (i int); alter table d replica identity full", mariadb="select 1")
        both = (r"public\.B, public\.a\. wal2json drops", 'ALTER TABLE "public"."B" REPLICA IDENTITY FULL; ALTER TABLE "public"."a" REPLICA')
        self.refused(*both)
        self.refused(*both, tables=["public.a", "public.B"])
        self.run_to_end("check", self.script(self.plugin("wal2json", tables=["public.*", "!public.a", "!public.B"])))

    def test_a_change_that_is_dropped_is_told(self):
        """A table without an identity that came after the start: its inserts come, and what is lost is said."""
        self.databases("create table t (id int primary key)", mariadb="select 1")
        p = self.start_connector(self.script(self.plugin("wal2json")))
        self.pg("create table late (i int); insert into late values (1)")
        self.pg("update late set i = 2; delete from late; insert into t values (1)")
        got = self.wait_messages(self.topic + ".wal2json", 2, [p])
        self.assertEqual([m["table"] for m in got], ["late", "t"])
        self.assertRegex(p.log(), r"warning: table public\.late has no primary key and no REPLICA IDENTITY")
        self.assertEqual(len([x for x in p.log().split("\n") if "dropped an UPDATE of table public.late" in x]), 1)
        self.assertEqual(p.stop(), 0)
        log = self.run_to_end(self.script(self.plugin("wal2json")), "--until-caught-up").log()
        self.assertRegex(log, r"warning: no primary key and no REPLICA IDENTITY that serves: public\.late")

    def test_a_partitioned_table(self):
        self.databases("create table p (id int primary key) partition by range (id)", mariadb="select 1")
        self.refused(r"table public\.p is partitioned: .*name its partitions, or take plugin = \"pgoutput\"", table="p")
        self.refused(r"partition_root.* cannot be true with plugin = \"wal2json\"", table="p", partition_root=True)

    def test_not_installed(self):
        self.databases("create table t (id int primary key)", mariadb="select 1")
        self.admin("alter database %s set dynamic_library_path = '/nowhere'" % self.id_)
        self.refused(r"plugin wal2json is not installed on the server \(.*\); install it there: apt-get install postgresql-\d+-wal2json")

    def test_not_allowed(self):
        """Servers since 2026 load only the plugins that a setting names."""
        before = self.admin("select setting from pg_settings where name = 'output_plugin_libraries'")
        if not before:
            self.skipTest("this server does not know output_plugin_libraries")
        self.databases("create table t (id int primary key)", mariadb="select 1")
        self.admin("alter system set output_plugin_libraries = pgoutput, test_decoding")
        self.admin("select pg_reload_conf()")
        try:
            wait_until(lambda: "wal2json" not in self.admin("show output_plugin_libraries"), "the setting")
            self.refused("ALTER SYSTEM SET output_plugin_libraries = pgoutput, test_decoding, wal2json; then SELECT pg_reload_conf")
        finally:
            self.admin("alter system reset output_plugin_libraries")
            self.admin("select pg_reload_conf()")
        wait_until(lambda: "wal2json" in self.admin("show output_plugin_libraries"), "the setting")
        self.run_to_end("check", self.script(self.plugin("wal2json")))

    def test_an_encoding(self):
        self.admin("create database %s template template0 encoding 'LATIN2' locale 'C'" % self.id_)
        self.database = self.id_
        self.pg("create table t (id int primary key)")
        self.refused(r"has the encoding LATIN2, in which wal2json sends")

    def test_a_slot_of_the_other_plugin(self):
        self.databases("create table t (id int primary key)", mariadb="select 1")
        self.run_to_end(self.script(self.plugin("pgoutput", slot=self.id_)), "--until-caught-up")
        log = self.run_to_end(self.script(self.plugin("wal2json", slot=self.id_)), code=2).log()
        self.assertRegex(log, r'it is for plugin "pgoutput"')


class Refused18(Refused):
    postgres = "postgres18"
