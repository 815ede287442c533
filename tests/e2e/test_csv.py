"""What the CSV writer makes of rows on disk: names from templates, few open files, files that end, compressed ones. The files are read by
Python's own csv and gzip modules and by zstd, and compared with what the databases hold."""
import csv
import datetime
import glob
import gzip
import io
import json
import os
import re
import subprocess
import time

from lib import Case, messages, read_topic, values, wait_until

TABLES = ("orders", "order_items", "Odd name.-2")
WIDE = "create table %s (id int primary key, v varchar(40), n numeric(12,2))"


def quoted(name):
    return '"%s"' % name


class Rows:
    """The rows of a file, or of several: what a database holds when they are put in order, by an (id) key."""

    def __init__(self):
        self.state = {}
        self.count = 0

    def read(self, text):
        reader = csv.reader(text, strict=True)
        header = next(reader)
        for row in reader:
            self.count += 1
            assert len(row) == len(header), row
            action, table, key, rest = row[0], row[1], row[2], tuple(row[3:])
            if action == "I":
                self.state[(table, key)] = rest
            elif action == "D":
                self.state.pop((table, key), None)
            else:
                self.state = {k: v for k, v in self.state.items() if k[0] != table}
        return header


def read(path):
    rows = Rows()
    with open(path, encoding="utf-8", newline="") as f:
        rows.header = rows.read(f)
    return rows


class Differs:
    """What is said where a file is not what the table is: the file's end, and that of the topic, whose rows are the same if the writer is right."""

    def __init__(self, db, case, path, table):
        self.db, self.case, self.path, self.table = db, case, path, table

    def __str__(self):
        rows = [(where, json.loads(value)) for where, _, value in read_topic(self.case.topic_of(self.db))]
        rows = ["%s %s %s" % (where, m["action"], values(m.get("columns") or m["identity"])) for where, m in rows if m["table"] == self.table]
        with open(self.path, encoding="utf-8", newline="") as f:
            lines = f.readlines()
        logs = "".join("\n-- %s\n%s" % (p.log_path, p.log()[-2000:]) for p in self.case.programs[-2:])
        return "\n-- the topic\n%s\n-- the file\n%s%s" % ("\n".join(rows[-60:]), "".join(lines[-60:]), logs)


class Csv(Case):
    def fill(self, db, count=40, tables=TABLES):
        """Changes on each table, one transaction after the other over all of them."""
        name = quoted if db == "postgres" else "`{}`".format
        for i in range(count):
            self.sql(db, "".join(
                "insert into %s values (%d, 'v%d', %d.50); update %s set v = concat(v, ',\"x') where id = %d; delete from %s where id = %d;"
                % (name(t), i, i, -i, name(t), i - 1, name(t), i - 5) for t in tables))

    def holds(self, db, table):
        name = quoted(table) if db == "postgres" else "`%s`" % table
        text = self.sql(db, "select id, v, n from %s order by id" % name)
        return {tuple(line.split("|" if db == "postgres" else "\t"))[0]: tuple(line.split("|" if db == "postgres" else "\t"))[1:] for line in text.split("\n") if line}

    def schema(self, db):
        return "public" if db == "postgres" else self.id_

    def tables_on_both(self):
        self.databases("".join(WIDE % quoted(t) + ";" for t in TABLES), "".join(WIDE % ("`%s`" % t) + ";" for t in TABLES))

    def pipeline(self, db, csv_options, **options):
        """A connector of all tables, and a consumer of theirs; both have caught up with nothing."""
        options = dict({"topic_list": [self.topic_of(db)]}, **options)
        script = self.script(self.connector(db, table="*", partitions=3), self.consumer(db, csv=csv_options, **options), name=db + ".lua")
        self.run_to_end(script, "--until-caught-up")
        return script

    def check_tables(self, db, pattern, rows_of=read):
        """pattern: of a table's file, %s its schema and name as they are escaped."""
        for t in TABLES:
            escaped = re.sub("-(?=[0-9]+$)", "%2d", re.sub("[^A-Za-z0-9_-]", lambda m: "%%%02x" % ord(m.group(0)), t))
            paths = glob.glob(os.path.join(glob.escape(self.dir), pattern % (self.schema(db), escaped)))
            self.assertEqual(len(paths), 1, (t, os.listdir(self.dir)))
            rows = rows_of(paths[0])
            self.assertEqual({k[0] for k in rows.state}, {"%s.%s" % (self.schema(db), t)})
            self.assertEqual({k[1]: v for k, v in rows.state.items()}, self.holds(db, t), Differs(db, self, paths[0], t))


class Unchanged(Case):
    def test_it_is_told_once_a_table(self):
        """A large value that an update leaves alone: its cell is `absent`, and is not taken for NULL's in silence."""
        self.databases("create table t (id int primary key, big text, n int)")
        script = self.script(self.connector("postgres", topic=self.topic), self.consumer("plain"), self.consumer("told", csv={"filename": "told", "absent": "(unchanged)"}))
        self.run_to_end(script, "--until-caught-up")
        self.pg("alter table t alter big set storage external; insert into t values (1, repeat('x', 5000), 1); update t set n = 2; update t set n = 3")
        log = self.run_to_end(script, "--until-caught-up").log()
        self.assertEqual(log.count("their cells look like NULL's"), 1)
        self.assertIn("plain: table public.t", log.replace("warning: ", ""))
        self.assertEqual(self.lines("told_told.csv")[-1], "I,public.t,1,(unchanged),3")


class FormulaGuard(Csv):
    VALUES = ("=1+1", "+1", "-1", "-1.50", "-1-1", "@a", "'=1", "\t=1", "a=1", "=\"x\",1", "-", "")

    def test_texts_and_numbers(self):
        self.databases("create table t (id int primary key, v varchar(40), n numeric(12,2), d double precision)")
        for db in ("postgres", "mysql"):
            script = self.pipeline(db, {"filename": db, "formula_guard": True})
            for i, v in enumerate(self.VALUES):
                self.sql(db, "insert into t values (%d, '%s', %d.25, -1e300)" % (-i, v.replace("'", "''"), -i))
            self.run_to_end(script, "--until-caught-up")
            with open(self.path("%s_%s.csv" % (db, db)), encoding="utf-8", newline="") as f:
                rows = {int(r[2]): r for r in list(csv.reader(f, strict=True))[1:]}
            self.assertEqual(sorted(rows), sorted(-i for i in range(len(self.VALUES))))
            for i, v in enumerate(self.VALUES):
                guarded = v[:1] in ("=", "+", "-", "@", "\t") and not re.fullmatch(r"-\d+(\.\d+)?", v)
                self.assertEqual(rows[-i][3], "'" + v if guarded else v)
                self.assertEqual([float(x) for x in rows[-i][4:]], [-i - 0.25 if i else 0.25, -1e300])


def number(path):
    """A file's place among those of its name: name.csv, name-2.csv ..."""
    m = re.search(r"-(\d+)\.csv", os.path.basename(path))
    return int(m.group(1)) if m else 1


class Rotation(Csv):
    def files(self, pattern):
        return sorted(glob.glob(self.path(pattern)), key=number)

    def test_rows_and_kills(self):
        """Files of seven rows; after kill -9 the next start goes on with what was being written."""
        self.tables_on_both()
        script = self.pipeline("postgres", {"filename": "out/{table}", "rotate": {"rows": 7}, "max_open_files": 2})
        for i in range(4):
            p = self.start(script)
            self.fill("postgres", 10)
            wait_until(lambda: len(self.files("out/*.csv")) > 2 * i, "files that have ended", programs=[p])
            p.kill()
            self.pg("".join("delete from %s;" % quoted(t) for t in TABLES))
        self.fill("postgres", 10)
        self.run_to_end(script, "--until-caught-up")
        for t in TABLES:
            name = {"Odd name.-2": "Odd%20name%2e%2d2"}.get(t, t)
            paths = [p for p in self.files("out/*.csv*") if re.fullmatch(re.escape(name) + r"(-\d+)?\.csv(\.part)?", os.path.basename(p))]
            self.assertEqual([number(p) for p in paths], list(range(1, len(paths) + 1)))
            headers = {}  # a program that was killed when a file had just ended, and begins with a delete, knows the key's columns alone: another header, with a file of its own
            for p in paths:
                with open(p, encoding="utf-8", newline="") as f:
                    headers.setdefault(f.readline(), []).append(p)
            for under in headers.values():
                self.assertEqual([p for p in under if p.endswith(".part")], [p for p in under[-1:] if p.endswith(".part")])
            self.assertLessEqual(set(headers), {"action,table,id,v,n\n", "action,table,id\n"})
            for p in headers.get("action,table,id\n", []):
                with open(p, encoding="utf-8", newline="") as f:
                    self.assertEqual({row[0] for row in f.readlines()[1:]}, {"D"}, p)
            rows = Rows()
            for p in paths:
                count = rows.count
                with open(p, encoding="utf-8", newline="") as f:
                    rows.read(f)
                if p.endswith(".csv"):
                    self.assertEqual(rows.count - count, 7, p)
            self.assertEqual({k[1]: v for k, v in rows.state.items()}, self.holds("postgres", t))

    def test_the_commits_time(self):
        """One second a file. A second consumer, which reads everything later and at once, gets the same files."""
        self.databases("create table t (id int primary key, v text)")
        topic = [self.topic_of("postgres")]
        first, second = (self.consumer(g, topic_list=topic, csv={"filename": g, "rotate": {"every": "1s"}}) for g in ("a", "b"))
        p = self.start_connector(self.script(self.connector("postgres", partitions=1)))
        script = self.script(first, name="a.lua")
        reader = self.start(script)
        for i in range(25):
            self.pg("insert into t values (%d, 'x')" % i)
            time.sleep(0.15)  # over several seconds of commit time
            if i == 15:
                reader.kill()
        wait_until(lambda: len(messages(topic[0])) == 25, "the messages", programs=[p])
        self.assertEqual(p.stop(), 0)
        self.run_to_end(script, "--until-caught-up")
        self.run_to_end(self.script(second, name="b.lua"), "--until-caught-up")
        seconds = {}
        for m in messages(topic[0]):
            seconds.setdefault(m["source"]["ts"] // 1000000, []).append(str(m["columns"][0]["value"]))
        self.assertGreater(len(seconds), 3)
        of = {}
        for g in ("a", "b"):
            paths = self.files("%s_%s*" % (g, g))
            self.assertEqual([p.endswith("Z.part") for p in paths], [False] * (len(paths) - 1) + [True])
            of[g] = [[line.split(",")[2] for line in self.lines(p)[1:]] for p in paths]
        self.assertEqual(of["b"], list(seconds.values()))
        self.assertEqual([list(dict.fromkeys(ids)) for ids in of["a"]], of["b"])  # rows of the kill may be there twice


def packed(path):
    """The text of a compressed file, by the zstd program or Python's gzip."""
    if ".csv.zst" in path:
        with open(path, "rb") as f:
            return subprocess.run(["zstd", "-dc", "-q"], stdin=f, stdout=subprocess.PIPE, check=True).stdout.decode()
    with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
        return f.read()


def read_packed(path):
    rows = Rows()
    rows.read(io.StringIO(packed(path), newline=""))
    return rows


class Compression(Csv):
    END = {"zstd": "zst", "gzip": "gz"}

    def test_kills(self):
        """After each kill -9 all that was flushed can be read, by others' programs, once the next start has cut off what was half."""
        self.tables_on_both()
        for db, how in (("postgres", "zstd"), ("mysql", "gzip")):
            script = self.pipeline(db, {"filename": db + "/{schema}.{table}", "compress": how, "max_open_files": 2})
            for _ in range(3):
                p = self.start(script)
                self.fill(db, 10)
                wait_until(lambda: glob.glob(self.path(db + "/*.orders.csv.*")), "rows", programs=[p])
                p.kill()
                self.sql(db, "".join("delete from %s;" % (quoted(t) if db == "postgres" else "`%s`" % t) for t in TABLES))
            self.fill(db, 10)
            self.run_to_end(script, "--until-caught-up")
            self.check_tables(db, db + "/%s.%s.csv." + self.END[how], read_packed)

    def test_readable_while_it_grows_and_with_rotation(self):
        self.databases("create table t (id int primary key, v text)")
        topic = [self.topic_of("postgres")]
        script = self.script(self.connector("postgres", partitions=1),
                             *(self.consumer(how, topic_list=topic, csv={"filename": how, "compress": how, "rotate": {"rows": 100}}) for how in self.END))
        p = self.start_connector(script)
        for i in range(5):
            self.pg("insert into t select %d + n, repeat('x', 50) from generate_series(1, 50) n" % (50 * i))
            for how, end in self.END.items():
                def there():
                    paths = sorted(glob.glob(self.path("%s_%s*" % (how, how))), key=number)
                    try:
                        ids = [row[2] for f in paths for row in list(csv.reader(io.StringIO(packed(f))))[1:]]
                    except (subprocess.CalledProcessError, EOFError, FileNotFoundError):
                        return False  # it is written this moment, or is not there yet, or has its other name
                    return ids == [str(n + 1) for n in range(50 * (i + 1))] and paths
                paths = wait_until(there, "the rows in %s" % how, programs=[p])
        names = [os.path.basename(p) for p in paths]
        self.assertEqual(names, ["gzip_gzip.csv.gz", "gzip_gzip-2.csv.gz", "gzip_gzip-3.csv.gz.part"])
        self.assertEqual(p.stop(), 0)


class Templates(Csv):
    def test_a_file_a_table(self):
        """One file open at a time, and three partitions whose rows lie between each other's."""
        self.tables_on_both()
        for db in ("postgres", "mysql"):
            script = self.pipeline(db, {"filename": db + "/{schema}/{table}", "max_open_files": 1})
            self.fill(db)
            self.run_to_end(script, "--until-caught-up")
            self.check_tables(db, db + "/%s/%s.csv")
            self.assertEqual(len(glob.glob(self.path(db) + "/*/*")), len(TABLES))

    def test_the_commits_time_and_the_kind(self):
        self.tables_on_both()
        script = self.pipeline("postgres", {"filename": "{date}/{hour}-{kind}.{consumer}.{topic}-{partition}.csv", "split_files": True},
                               consumer_id="c.1")
        self.fill("postgres", 10, ["orders"])
        self.run_to_end(script, "--until-caught-up")
        wanted, count = {}, 0
        for m in messages(self.topic_of("postgres")):
            at = datetime.datetime.fromtimestamp(m["source"]["ts"] / 1e6, datetime.timezone.utc)
            for kind, there in (("insert", "columns" in m), ("delete", "identity" in m)):
                if there:
                    wanted.setdefault(at.strftime("%Y-%m-%d/%H-") + kind, []).append(kind[0].upper())
                    count += 1
        topic = self.topic_of("postgres").replace(".", "%2e")
        paths = glob.glob(self.path("20*/*"))
        names = {os.path.relpath(p, self.dir).split(".")[0] for p in paths}
        self.assertEqual(names, set(wanted))
        for p in paths:
            self.assertRegex(os.path.basename(p), r"^\d\d-(insert|delete)\.c%%2e1\.%s-[0-2]\.csv$" % re.escape(topic))
        self.assertEqual(sum(read(p).count for p in paths), count)

    def test_a_restart_and_a_kill(self):
        """Rows come again after kill -9, none is lost, and every file stays readable."""
        self.tables_on_both()
        script = self.pipeline("mysql", {"filename": "out/{table}", "max_open_files": 2})
        for _ in range(3):
            p = self.start(script)
            self.fill("mysql", 10)
            wait_until(lambda: self.lines("out/orders.csv"), "rows", programs=[p])
            p.kill()
            self.my("".join("delete from `%s`;" % t for t in TABLES))
        self.fill("mysql", 10)
        self.run_to_end(script, "--until-caught-up")
        self.check_tables("mysql", "out/%.0s%s.csv")
