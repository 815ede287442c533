"""Random partial updates of JSON documents on MySQL (binlog_row_value_options = PARTIAL_JSON): each message's documents are those that
SELECT gave right behind the update, and so are the documents of the row before where the whole row is the identity.

LIST_SYNC_E2E_PARTIAL_JSON   updates (3,000)
LIST_SYNC_E2E_SEED           repeats a run
LIST_SYNC_MYSQL              host:port[:user[:password]] of a server of MySQL itself; without it the test is skipped

Each CHUNK of updates has tables and topics of its own, so that memory does not grow with their number."""
import json
import os
import random
import subprocess

from lib import SERVERS, Case, messages, my_command, report, values
from replay_values import compact_document, literal, quoted

UPDATES = int(os.environ.get("LIST_SYNC_E2E_PARTIAL_JSON", "3000"))
CHUNK = 3000
ROWS = 100
KEYS = ("a", "b", "c d", "é", "漢字", "x.y", 'q"t', "[0]", "", "back\\slash", "long_key_" * 4, "last", "a1", "$", "tab\tkey", "😀", "_u")
WORDS = ("é漢😀", "line\nend", 'quote"', "\\")
LARGE = "json_object('big', repeat('b', 70000), 'l', json_array(1, 2, 3, 'four'), 'o', json_object('m', 1.5e0))"  # of 4-byte offsets
SESSION = "set session binlog_row_value_options = PARTIAL_JSON;\n"


class Documents:
    """SQL expressions of random documents and of random changes of them."""

    def __init__(self, rnd):
        self.rnd = rnd

    def scalar(self):
        r = self.rnd
        return r.choice((
            "null", "true", "false", str(r.randint(-9, 9)), str(r.randint(-70000, 70000)), str(r.randint(-2 ** 63, 2 ** 63 - 1)), str(r.randint(2 ** 63, 2 ** 64 - 1)),
            "cast('%d.%02d' as decimal(12,2))" % (r.randint(-99999, 99999), r.randint(0, 99)), "%re0" % r.uniform(-1e6, 1e6), "%de%d" % (r.randint(1, 99), r.randint(-20, 20)),
            literal("s" * r.choice((0, 1, 3, 20, 130, 400))), literal(r.choice(WORDS)), "cast('%s' as char)" % ("z" * r.randint(0, 40)),
            "cast('2026-01-02 03:04:05.678' as datetime(3))", "cast('-12:13:14' as time)", "cast('2026-05-06' as date)", "cast(x'%s' as binary(60))" % ("61" * 60)))

    def value(self, depth):
        kind = self.rnd.random()
        if depth <= 0 or kind < 0.5:
            return self.scalar()
        if kind < 0.75:
            return self.list(depth - 1, self.rnd.randint(0, 5))
        return self.object(depth - 1, self.rnd.randint(0, 6))

    def list(self, depth, n):
        return "json_array(%s)" % ", ".join(self.value(depth) for _ in range(n))

    def object(self, depth, n):
        return "json_object(%s)" % ", ".join("%s, %s" % (literal(k), self.value(depth)) for k in self.rnd.sample(KEYS, n))

    def document(self):
        kind, n = self.rnd.random(), self.rnd.randint(2, 9)
        if kind < 0.4:
            return self.list(3, n)
        if kind < 0.97:
            return self.object(3, n)
        return LARGE if kind < 0.98 else "json_extract(json_array(%s), '$[0]')" % self.scalar()

    # ---- paths into a document ----

    def leg(self, key):
        return "." + json.dumps(key, ensure_ascii=False)

    def cell(self, i, n):
        """The i-th of n, counted from the front or from the end."""
        if self.rnd.random() < 0.8:
            return "[%d]" % i
        return "[last-%d]" % (n - 1 - i) if i < n - 1 else "[last]"

    def paths(self, d, at="$"):
        """The paths of all that is in the document."""
        members = [(self.leg(k), v) for k, v in d.items()] if isinstance(d, dict) else [(self.cell(i, len(d)), v) for i, v in enumerate(d)] if isinstance(d, list) else []
        for leg, v in members:
            yield at + leg
            yield from self.paths(v, at + leg)

    def path(self, d):
        """One that is there, mostly, or may be there after the change."""
        there, kind = list(self.paths(d)), self.rnd.random()
        if there and kind < 0.7:
            return self.rnd.choice(there)
        return self.rnd.choice(there + ["$"]) + self.rnd.choice([self.leg(self.rnd.choice(KEYS)), self.leg(self.rnd.choice(KEYS)), "[%d]" % self.rnd.randint(0, 9), "[last]"])

    def change(self, column, d):
        """An expression that the server may log in part, now and then one that it cannot."""
        expression = column
        for _ in range(self.rnd.choice((1, 1, 1, 2, 3))):
            function = self.rnd.choices(("json_set", "json_replace", "json_remove", "json_array_insert"), (33, 33, 33, 3))[0]
            arguments = [expression]
            for _ in range(self.rnd.choice((1, 1, 2, 4))):
                path = self.path(d)
                if function == "json_array_insert" and not path.endswith("]"):
                    path = "$[%d]" % self.rnd.randint(0, 4)
                arguments.append(literal(path))
                if function != "json_remove":
                    arguments.append(self.value(self.rnd.choice((0, 0, 0, 1, 2))))
            expression = "%s(%s)" % (function, ", ".join(arguments))
        return expression

    def assignment(self, column, text):
        if text is None or self.rnd.random() < 0.04:
            return "%s = %s" % (column, self.rnd.choice((self.document(), self.document(), "null")))
        return "%s = %s" % (column, self.change(column, json.loads(text)))


class PartialJson(Case):
    """Rows by (table, id) are (version, j, k); want has each version's documents as SELECT gave them."""

    def client(self, sql):
        """(what SELECT gave, number of statements that the server refused). A refused one leaves its row alone, so the rest goes on."""
        server = SERVERS["mysql8"]
        p = subprocess.run(my_command(server) + ["--force", self.id_], input=sql.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           env=dict(os.environ, MYSQL_PWD=server["password"]), timeout=600, check=False)
        return p.stdout.decode(), len(p.stderr.splitlines())

    def select(self, table, where=""):
        return "select '%s', id, version, hex(cast(j as char)), hex(cast(k as char)) from %s %s;\n" % (table, table, where)

    def take(self, text):
        """Learns rows as they are now."""
        for line in text.splitlines():
            table, id_, version, *documents = line.split("\t")
            row = [int(version)] + [None if d == "NULL" else bytes.fromhex(d).decode() for d in documents]
            self.rows[table, int(id_)] = row
            self.want[table, int(id_), row[0]] = row[1:]

    def update(self, place):
        (table, id_), (_, j, k) = place, self.rows[place]
        sets = ["version = version + 1"]
        r = self.docs.rnd
        if r.random() < 0.9:
            sets.append(self.docs.assignment("j", j))
        if r.random() < 0.4:
            sets.append(self.docs.assignment("k", k))
        if r.random() < 0.02:  # another key: D and I
            self.rows.pop(place)
            return "update %s set %s, id = id + 1000 where id = %d;\n" % (table, ", ".join(sets), id_) + self.select(table, "where id in (%d, %d)" % (id_, id_ + 1000))
        where = "where id = %d" % id_
        if r.random() < 0.1:  # several rows in one event, whose documents differ
            where = "where id %% 7 = %d" % r.randrange(7)
        return "update %s set %s %s;\n" % (table, ", ".join(sets), where) + self.select(table, where)

    def round(self):
        """Each row is updated once or more, alone or in one transaction with the others, compressed or not."""
        r = self.docs.rnd
        sql = [SESSION, "set session binlog_transaction_compression = %s;\n" % r.choice(("on", "off", "off", "off"))]
        together = r.random() < 0.3
        sql.append("begin;\n" if together else "")
        sql += [self.update(place) for place in list(self.rows)]
        sql.append("commit;\n" if together else "")
        text, errors = self.client("".join(sql))
        self.take(text)
        return errors

    def tables(self, number):
        keyed, bare = "keyed%d" % number, "bare%d" % number
        columns = "version int not null, j json, k json"
        sql = [SESSION, "create table %s (id int primary key, %s); create table %s (id int not null, %s);\n" % (keyed, columns, bare, columns)]
        for i in range(ROWS):
            sql.append("insert into %s values (%d, 0, %s, %s);\n" % (keyed if i % 5 else bare, i, self.docs.document(), self.docs.rnd.choice(("null", self.docs.document()))))
        sql += [self.select(keyed), self.select(bare)]
        self.rows, self.want = {}, {}
        text, errors = self.client("".join(sql))
        self.assertEqual(errors, 0)
        self.take(text)
        return keyed, bare

    def check(self, section, table, id_, version, what):
        """A section's documents against SELECT's."""
        have = values(section)
        for name, want in zip("jk", self.want[table, id_, version]):
            if (have[name] and quoted(have[name])) != (want and compact_document(want)):
                self.fail("%s, id %d, version %d, %s %s: the message has\n%s\nSELECT gives\n%s" % (table, id_, version, what, name, have[name], want))

    def compare(self, table):
        """Every version comes once."""
        seen = set()
        for m in messages("%s.%s" % (self.topic, table)):
            self.assertNotIn("unchanged", m)
            if "columns" in m:
                c = values(m["columns"])
                place = table, c["id"], c["version"]
                self.assertNotIn(place, seen)
                seen.add(place)
                self.check(m["columns"], *place, "columns")
            if table.startswith("bare") and "identity" in m:
                c = values(m["identity"])
                self.check(m["identity"], table, c["id"], c["version"], "identity")
        self.assertEqual(seen, {place for place in self.want if place[0] == table})

    def partial_events(self, file, position):
        events = self.sql("mysql8", "show binlog events in '%s' from %s" % (file, position)).split("\n")
        return sum("\tUpdate_rows_partial\t" in e for e in events)

    def chunk(self, number, updates, script):
        """Updates of new tables, compared; (how many they were, how many statements the server refused)."""
        names, refused = self.tables(number), 0
        inserts = len(self.want)
        while len(self.want) < inserts + updates:
            refused += self.round()
        self.run_to_end(script, "--until-caught-up")
        for table in names:
            self.compare(table)
        self.sql("mysql8", "drop table %s, %s" % names)
        return len(self.want) - inserts, refused

    def test_documents_are_what_select_gives(self):
        self.need("mysql8")
        seed = int(os.environ.get("LIST_SYNC_E2E_SEED", random.randrange(2 ** 31)))
        report("seed %d" % seed)
        self.docs = Documents(random.Random(seed))
        self.databases()
        script = self.script(self.connector("mysql8", table="*", topic=self.topic + ".{table}"))
        self.run_to_end(script, "--until-caught-up")
        file, position = self.sql("mysql8", "show binary log status").split("\t")[:2]
        updates, refused = self.chunk(0, min(CHUNK, UPDATES), script)
        partial = self.partial_events(file, position)
        self.assertGreater(partial, updates // 3, "events in part")  # those in compressed transactions are not seen here
        number = 0
        while updates < UPDATES:
            number += 1
            more = self.chunk(number, min(CHUNK, UPDATES - updates), script)
            updates, refused = updates + more[0], refused + more[1]
        report("%s updates compared, %d statements refused by the server; of the first %s updates %d events in part" % (format(updates, ","), refused, format(min(CHUNK, UPDATES), ","), partial))
