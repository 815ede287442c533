"""The main job at its size: inserts, updates and deletes of one table through three brokers into CSV files of three consumer
instances, in one transaction and in transactions of 100; replaying the files gives the table. Time and memory are shown."""
import os
import time

from lib import MIB, Case, report, wait_until

CHANGES = int(os.environ.get("LIST_SYNC_E2E_CHANGES", "1000000"))
INSERTS = CHANGES // 2  # the other half: updates of every second row, deletes of every second pair
CSV_ROWS = CHANGES // 2 + 2 * (CHANGES // 4) + CHANGES // 4
CONNECTOR_MEMORY = 64 * MIB
CONSUMER_MEMORY = 32 * MIB
INSTANCES = 3
SECONDS = 300 + CHANGES // 1000  # longest wait for all rows

PG_TABLE = 'create table events (id int primary key, category varchar(32) not null, domain varchar(64), "timestamp" timestamp(6) not null)'
MY_TABLE = "create table events (id int primary key, category varchar(32) not null, domain varchar(64), timestamp datetime(6) not null)"

PG_STEPS = (
    """insert into events select i, 'category ' || i % 17, case when i % 10 > 0 then 'd' || i % 1000 || '.example.org' end,
       timestamp '2026-01-01' + i * interval '1.000007 seconds' from generate_series({from_}, {to}) i;""",
    """update events set category = 'changed ' || id % 13, "timestamp" = "timestamp" + interval '1 day'
       where id between {from_} and {to} and id % 2 = 0;""",
    "delete from events where id between {from_} and {to} and id % 4 < 2;")
MY_STEPS = (
    """insert into events select seq, concat('category ', seq % 17), if(seq % 10 > 0, concat('d', seq % 1000, '.example.org'), null),
       timestampadd(microsecond, seq * 1000007, '2026-01-01') from seq_{from_}_to_{to};""",
    """update events set category = concat('changed ', id % 13), timestamp = timestampadd(day, 1, timestamp)
       where id between {from_} and {to} and id % 2 = 0;""",
    "delete from events where id between {from_} and {to} and id % 4 < 2;")


def statements(steps, rows_each):
    """The steps in pieces: the insert has rows_each rows a statement, the others twice the keys and so as many rows."""
    for step, keys in zip(steps, (rows_each, 2 * rows_each, 2 * rows_each)):
        for first in range(1, INSERTS + 1, keys):
            yield step.format(from_=first, to=min(first + keys - 1, INSERTS))


class Counter:
    """Rows in CSV files that grow, headers left out. It reads only what is new."""

    def __init__(self, paths):
        self.seen = dict.fromkeys(paths, 0)
        self.lines = dict.fromkeys(paths, 0)

    def rows(self):
        for path, offset in self.seen.items():
            if os.path.exists(path):
                with open(path, "rb") as f:
                    f.seek(offset)
                    while piece := f.read(1 << 20):
                        self.lines[path] += piece.count(b"\n")
                        self.seen[path] += len(piece)
        return sum(n - 1 for n in self.lines.values() if n)


class Workload(Case):
    def tables(self, db):
        """{id: "category,domain,timestamp" as CSV has it}, read by the database's own client."""
        if db == "postgres":  # to_json prints a timestamp as ISO 8601 with T, its fraction without trailing zeros
            text = self.pg("""select id || ',' || category || ',' || coalesce(domain, '') || ',' || (to_json("timestamp") #>> '{}') from events""")
        else:
            text = self.my("""select concat(id, ',', category, ',', ifnull(domain, ''), ',',
                trim(trailing '.' from trim(trailing '0' from date_format(timestamp, '%Y-%m-%dT%H:%i:%s.%f')))) from events""")
        table = {}
        for line in text.split("\n"):
            key, rest = line.split(",", 1)
            table[int(key)] = rest
        return table

    def rows_of(self, name, header):
        with open(self.path(name), encoding="utf-8") as f:
            self.assertEqual(f.readline(), header + "\n", name)
            for line in f:
                yield line[:-1].split(",", 3)

    def check_split(self, table):
        """Each key: I rows less D rows is 1 if it is in the table, else 0, all in one instance's files; its last I row is the table's."""
        balance, owner, last = [0] * (INSERTS + 1), [0] * (INSERTS + 1), [None] * (INSERTS + 1)
        for k in range(1, INSTANCES + 1):
            for action, add in (("insert", 1), ("delete", -1)):
                name = "split_split-%d_%s.csv" % (k, action)
                header = "action,table,id,category,domain,timestamp" if add > 0 else "action,table,id"
                for cells in self.rows_of(name, header):
                    key = int(cells[2])
                    self.assertEqual(cells[0], "I" if add > 0 else "D")
                    self.assertIn(owner[key], (0, k), "key %d is in the files of two instances" % key)
                    owner[key] = k
                    balance[key] += add
                    if add > 0:
                        last[key] = cells[3]
        for key in range(1, INSERTS + 1):
            if balance[key] != (key in table) or (key in table and last[key] != table[key]):
                self.fail("key %d: I less D rows %d, last I %r, the table has %r" % (key, balance[key], last[key], table.get(key)))

    def check_single(self, table):
        """Each instance's file, its rows applied in order, together: the table."""
        rebuilt = {}
        for k in range(1, INSTANCES + 1):
            mine = {}
            for cells in self.rows_of("single_single-%d.csv" % k, "action,table,id,category,domain,timestamp"):
                key = int(cells[2])
                if cells[0] == "I":
                    mine[key] = cells[3]
                else:
                    self.assertIsNotNone(mine.pop(key, None), "key %d is deleted and was not there" % key)
            self.assertFalse(mine.keys() & rebuilt.keys(), "a key is in the files of two instances")
            rebuilt.update(mine)
        self.assertEqual(len(rebuilt), len(table))
        for key, row in table.items():
            if rebuilt.get(key) != row:
                self.fail("key %d: the files give %r, the table has %r" % (key, rebuilt.get(key), row))

    def start_consumer(self, script, name):
        p = self.start(script, "--only", name)
        for k in range(1, INSTANCES + 1):
            p.wait_log(r"instance %d holds 1 partition" % k)
        return p

    def stream(self, db, sql, what):
        self.databases(PG_TABLE, MY_TABLE)
        script = self.script(self.connector(db, table="events", partitions=3, topic=self.topic),
                             self.consumer("split", {"split_files": True}, instances=INSTANCES),
                             self.consumer("single", instances=INSTANCES))
        connector = self.start_connector(script, "--only", self.name(db))
        consumers = [self.start_consumer(script, name) for name in ("split", "single")]
        counters = [Counter([self.path("split_split-%d_%s.csv" % (k, a)) for k in range(1, INSTANCES + 1) for a in ("insert", "delete")]),
                    Counter([self.path("single_single-%d.csv" % k) for k in range(1, INSTANCES + 1)])]
        began = time.monotonic()
        self.sql(db, sql)
        applied = time.monotonic() - began
        took = []
        for c in counters:
            wait_until(lambda c=c: c.rows() >= CSV_ROWS, "%d rows in the files" % CSV_ROWS, SECONDS, [connector] + consumers)
            took.append(time.monotonic() - began)
        memory = [p.peak_memory() for p in [connector] + consumers]
        for p in [connector] + consumers:
            self.assertEqual(p.stop(), 0, p.log()[-3000:])
        report("%s, %s: %s changes applied in %.1f s, %s CSV rows written %.1f s after the first change (two groups of three instances)"
               % (db, what, format(CHANGES, ","), applied, format(CSV_ROWS, ","), max(took)))
        report("peak resident memory: connector %.1f MiB, consumers %.1f and %.1f MiB" % tuple(m / MIB for m in memory))
        table = self.tables(db)
        for c in counters:
            self.assertEqual(c.rows(), CSV_ROWS)
        self.check_split(table)
        self.check_single(table)
        self.assertLess(memory[0], CONNECTOR_MEMORY, "the connector's resident memory")
        self.assertLess(max(memory[1:]), CONSUMER_MEMORY, "three consumer instances' resident memory")

    def one_transaction(self, steps):
        return "begin;\n%s\ncommit;\n" % "\n".join(statements(steps, INSERTS))

    def test_postgres_one_transaction(self):
        self.stream("postgres", self.one_transaction(PG_STEPS), "one transaction")

    def test_postgres_transactions_of_100(self):
        self.stream("postgres", "\n".join(statements(PG_STEPS, 100)), "transactions of 100")

    def test_mariadb_one_transaction(self):
        self.stream("mysql", self.one_transaction(MY_STEPS), "one transaction")

    def test_mariadb_transactions_of_100(self):
        self.stream("mysql", "\n".join(statements(MY_STEPS, 100)), "transactions of 100")
