"""Random changes of tables of every type, many of them, through Kafka: replaying the messages gives the tables as SELECT gives them,
byte for byte.

LIST_SYNC_E2E_REPLAY   changes a server (20,000)
LIST_SYNC_E2E_SEED     repeats a run
LIST_SYNC_MYSQL        host:port[:user[:password]] of a server of MySQL itself; without it that part is skipped
LIST_SYNC_POSTGRES     the same of a PostgreSQL 18
"""
from replay import ReplayCase
from replay_alter import Altered, AlterLoad, Between
from replay_values import PG_SETUP, finite, mariadb_kinds, mysql_kinds, postgres_kinds


class Servers(ReplayCase):
    def stream_postgres(self, kinds=lambda k: k, **options):
        self.databases()
        postgis = self.admin("select name from pg_available_extensions where name = 'postgis'") != ""
        setup = PG_SETUP + "create schema pool; " + ("create extension postgis; " if postgis else "")
        self.stream(self.postgres, kinds(postgres_kinds(postgis)), setup, **options)


class Replay(Servers):
    def test_postgres(self):
        self.stream_postgres()

    def test_wal2json(self):
        """Before 2.6 the plugin makes null of NaN and infinities."""
        self.stream_postgres(finite, plugin="wal2json")

    def test_postgres18(self):
        self.postgres = "postgres18"
        self.need(self.postgres)
        self.stream_postgres()

    def test_wal2json_18(self):
        self.postgres = "postgres18"
        self.need(self.postgres)
        self.stream_postgres(plugin="wal2json")

    def test_mariadb(self):
        self.databases()
        self.stream("mysql", mariadb_kinds())

    def test_mysql(self):
        self.need("mysql8")
        self.databases()
        self.stream("mysql8", mysql_kinds())


class Alter(Servers):
    """The same with columns that come, go and change in mid-stream."""

    def test_postgres(self):
        self.stream_postgres(make=(AlterLoad, Altered))

    def test_wal2json(self):
        """Between transactions only: in one that changes columns, the plugin does not tell a large value that was left alone from a column that is gone."""
        self.stream_postgres(finite, make=(Between, Altered), plugin="wal2json")

    def test_mariadb(self):
        self.databases()
        self.stream("mysql", mariadb_kinds(), make=(AlterLoad, Altered))

    def test_mysql(self):
        self.need("mysql8")
        self.databases()
        self.stream("mysql8", mysql_kinds(), make=(AlterLoad, Altered))
