"""Cases of a corpus that is kept beside the project: SQL taken from the test suites of databases and of other tools, and an oracle that
replays the messages and compares the result with the tables. LIST_SYNC_CORPUS names its folder; without it there is nothing
to run. corpus_cases lists the cases that must come out equal; those of mysql9 run on the MySQL 9 that LIST_SYNC_MYSQL names."""
import os
import subprocess
import sys
import unittest

from lib import BROKERS, MY, PG, PROGRAM, ROOT, Case, my, pg, report

CORPUS = os.environ.get("LIST_SYNC_CORPUS", "")
MYSQL9 = os.environ.get("LIST_SYNC_MYSQL", "")
SECONDS = 1200


def cases():
    with open(os.path.join(ROOT, "tests", "e2e", "corpus_cases"), encoding="ascii") as f:
        return [line.strip() for line in f if line.strip() and not line.startswith("#")]


@unittest.skipUnless(os.path.exists(os.path.join(CORPUS, "tools", "run_engine.py")), "LIST_SYNC_CORPUS names no corpus")
class Corpus(Case):
    def test_cases(self):
        self.run_cases([case for case in cases() if not case.startswith("mysql9/")])

    @unittest.skipUnless(MYSQL9, "LIST_SYNC_MYSQL names no MySQL 9")
    def test_mysql9(self):
        host, port, user = (MYSQL9.split(":") + ["root"])[:3]
        self.run_cases([case for case in cases() if case.startswith("mysql9/")], "--db", "mysql9", "--my-host", host, "--my-port", port,
                       "--my-user", user)

    @unittest.skipUnless(MYSQL9, "LIST_SYNC_MYSQL names no MySQL 9")
    def test_whole_identity(self):
        """A key that comes in mid-stream: rows of before have it without a message, and are found by their other columns."""
        host, port, user = (MYSQL9.split(":") + ["root"])[:3]
        self.run_cases(["mysql9/11_ddl_mid_stream"], "--db", "mysql9", "--my-host", host, "--my-port", port, "--my-user", user,
                       "--connector", 'identity = "full"')

    def test_wal2json(self):
        """PostgreSQL's cases again, through the other plugin."""
        self.run_cases([case for case in cases() if case.startswith("postgres/")], "--plugin", "wal2json")

    def setUp(self):
        super().setUp()
        # a case connects to the server from within it, without a password
        self.hba = pg("select current_setting('hba_file')")
        self.rules = pg("select pg_read_file('%s')" % self.hba)
        self.write_rules("host all all 127.0.0.1/32 trust\n" + self.rules)

    def tearDown(self):
        self.write_rules(self.rules)
        super().tearDown()

    def write_rules(self, text):
        # COPY writes an array's elements as they are, but for backslashes, of which pg_hba.conf has none
        lines = ", ".join("'%s'" % line.replace("'", "''") for line in text.splitlines())
        pg("copy (select unnest(array[%s])) to '%s'" % (lines, self.hba))
        pg("select pg_reload_conf()")

    def run_cases(self, names, *options):
        my("create or replace user %s; grant all on *.* to %s" % (self.id_, self.id_))  # the corpus' runner gives no password
        try:
            p = subprocess.run([sys.executable, os.path.join(CORPUS, "tools", "run_engine.py"), "--engine", PROGRAM, "--brokers", BROKERS,
                                "--pg-host", PG["host"], "--pg-port", PG["port"], "--pg-user", PG["user"],
                                "--my-host", MY["host"], "--my-port", MY["port"], "--my-user", self.id_, "--work", self.path("work"), *options] + names,
                               env=dict(os.environ, PGPASSWORD=PG["password"], PYTHONDONTWRITEBYTECODE="1"),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, encoding="utf-8")
        finally:
            my("drop user " + self.id_)
        for line in p.stdout.splitlines():
            report(line[:200])
        self.assertEqual(p.returncode, 0)
        self.assertEqual(p.stdout.splitlines()[-1], "%d passed, 0 failed" % len(names))
