"""The memory of a large row is given back. libpq keeps it until the connection ends, so PostgreSQL's stream goes on over another one: nothing is missing behind it, and
nothing comes twice."""
import os
import re
import subprocess

from lib import SERVERS, Raw, psql_command, values, wait_until
from test_wal2json import Plugins

MIB = 1024 * 1024
LARGE = "insert into t select %d, string_agg(md5((%d * n)::text), '') from generate_series(1, 524288) n"  # 16 MiB
SHORT = Raw("function(row) if row.new then row.new.v = tostring(#row.new.v) end end")
RENEWED = r"the stream goes on over another connection, behind [0-9A-F]+/[0-9A-F]+"
LONGEST = 200  # seconds: a server that is busy when it is asked is asked again after one minute, and after two more
KEPT = r"the memory of a large row is kept: "


class Large(Plugins):
    def setUp(self):
        super().setUp()
        self.databases("create table t (id int primary key, v text)", mariadb="select 1")
        self.inserted = []

    def insert(self, sql=None):
        i = len(self.inserted) + 1
        self.inserted.append(i)
        self.pg(sql % (i, i) if sql else "insert into t values (%d, 'a')" % i)

    def session(self):
        server = SERVERS[self.postgres]
        return subprocess.Popen(psql_command(self.id_, server), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii", bufsize=1,
                                env=dict(os.environ, PGPASSWORD=server["password"]))

    def open_transaction(self, session, i):
        session.stdin.write("begin; insert into t values (%d, 'open meanwhile'); select 'open';\n" % i)
        self.assertEqual(session.stdout.readline(), "open\n")

    def begin(self, plugin, **options):
        p = self.start_connector("-v", self.script(self.plugin(plugin, map=SHORT, **options)))
        self.insert()
        self.wait_messages(self.topic + "." + plugin, 1, [p])
        return p

    def arrived(self, plugin, p):
        got = self.wait_messages(self.topic + "." + plugin, len(self.inserted), [p])
        self.assertEqual(sorted(values(m["columns"])["id"] for m in got), self.inserted)
        return {values(m["columns"])["id"]: m for m in got}


class GivenBack(Large):
    def given_back(self, plugin, **options):
        p = self.begin(plugin, **options)
        resident = p.resident_memory()
        with self.session() as other:
            self.inserted.append(2)
            self.open_transaction(other, 2)
            self.insert(LARGE)
            wait_until(lambda: p.peak_memory() > resident + 16 * MIB, "the large row", programs=[p])
            wait_until(lambda: self.insert() or re.search(RENEWED, p.log()), "another connection", LONGEST, [p])
            other.stdin.write("commit;\n")
            other.stdin.close()
        self.insert()
        got = self.arrived(plugin, p)
        self.assertEqual([values(m["columns"])["v"] for i, m in sorted(got.items())][:4], ["1", "14", str(16 * MIB), "1"])
        wait_until(lambda: p.resident_memory() < resident + 4 * MIB, "the memory", programs=[p])
        self.assertEqual(len(re.findall(RENEWED, p.log())), 1)
        self.assertEqual(p.stop(), 0, p.log())
        self.assertNotRegex(p.log(), "error|warning")

    def test_pgoutput(self):
        self.given_back("pgoutput")

    def test_pgoutput_exactly_once(self):
        self.given_back("pgoutput", delivery="exactly_once")

    def test_wal2json(self):
        self.given_back("wal2json")


class Kept(Large):
    def test_while_an_old_transaction_makes_it_dear(self):
        p = self.begin("pgoutput")
        with self.session() as other:
            self.open_transaction(other, 1000)
            for _ in range(6):
                self.insert(LARGE)
            p.wait_log(KEPT + "going on over another connection would take long")
            other.stdin.close()
        self.insert()
        self.arrived("pgoutput", p)
        self.assertNotRegex(p.log(), RENEWED)
        self.assertEqual(p.stop(), 0, p.log())

    def test_when_the_server_refuses(self):
        """The connection that there is serves on."""
        role = self.id_ + "_role"
        self.admin("create role %s superuser login replication password 'pw'" % role)
        try:
            p = self.begin("pgoutput", user=role, password="pw")
            self.admin("alter role %s nologin" % role)
            self.insert(LARGE)
            p.wait_log(KEPT + "cannot connect to PostgreSQL: .*not permitted to log in")
            self.insert()
            self.arrived("pgoutput", p)
            self.assertEqual(p.stop(), 0, p.log())
        finally:
            for p in self.programs:
                p.kill()
            self.drop_database()
            self.admin("drop role if exists %s" % role)
