"""What the replay tests share: a load written into a server while its messages are read, the tables as the messages leave them, and SELECT's.

In memory is a hash a row, and for rows that PostgreSQL may send in part a hash a column: never the messages, nor the table."""
import heapq
import os
import random
import re
import resource
import subprocess
import threading
import time
from array import array
from collections import Counter

from lib import KCAT, MIB, SERVERS, Case, is_postgres, my_command, psql_command, report, topic_partitions, wait_until
from replay_load import FINISH, Load
from replay_values import Sized, quoted

CHANGES = int(os.environ.get("LIST_SYNC_E2E_REPLAY", "20000"))
PARTITIONS = 3
SECONDS = 300 + CHANGES // 500  # longest wait for all messages
WIDE = 800                      # a row of fewer bytes of JSON is never stored out of line
NEXT = b'},{"name":"'
SECTIONS = (b'],"identity":[', b'],"unchanged":[', b'],"moved_from":[', b'],"moved_to":[')
HEAD = re.compile(rb'\{"action":"(.)","schema":"[^"]*","table":"(\w+)"(,"pk":\[[^\]]*\])?,"(columns|identity)":\[')
SOURCE = re.compile(rb',"source":\{.*"pos":"([0-9a-f]+)","seq":(\d+)\}\}$')
COPIED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"0": b"\0"}


def row_hash(hashes):
    return hash(tuple(hashes)) or 1  # 0 is no row


def sections_of(m):
    """A message's sections by name, as the bytes between their brackets; no string can hold such a bracket with a bare quote after it."""
    head = HEAD.match(m)
    end = m.rindex(b',"source":{') - 1
    at, name, found = head.end(), head.group(4), {}
    for p, mark in sorted((p, mark) for mark in SECTIONS for p in [m.find(mark, at)] if p >= 0):
        found[name] = m[at:p]
        at, name = p + len(mark), mark[3:-3]
    found[name] = m[at:end]
    return head.group(1), head.group(2), found


def pieces_of(section):
    """name","value":json of each column"""
    return section[len(b'{"name":"'):-1].split(NEXT)


class Replayed:
    """One table as its messages leave it."""

    def __init__(self, t):
        self.t, self.key = t, t.key
        self.rows = array("q")  # by id
        self.bag = Counter()    # of a table without key: how often a row is there
        self.wide = {}          # id: hashes of the columns
        self.moving = {}        # identity of a D: the wide row that the next I is
        self.partial = 0        # messages that left columns out
        self.columns = {c.encode(): i for i, c in enumerate(t.columns)}

    def fill(self, hashes, unchanged, old):
        """The hashes of all columns, those that were not sent from the row before."""
        sent = iter(hashes)
        return [old[i] if name in unchanged else next(sent) for name, i in self.columns.items()]

    def set(self, id_, columns, sections, old):
        pieces = pieces_of(columns)
        hashes = [hash(p) for p in pieces]
        unchanged = sections.get(b"unchanged")
        if unchanged:
            self.partial += 1
            hashes = self.fill(hashes, set(unchanged.replace(b'"', b"").split(b",")), old)
        if len(hashes) != len(self.columns):
            raise AssertionError("%d columns" % len(hashes))
        if len(self.rows) <= id_:
            self.rows.extend([0] * (id_ + 10000 - len(self.rows)))
        self.rows[id_] = row_hash(hashes)
        if unchanged or len(columns) > WIDE:
            self.wide[id_] = hashes
        else:
            self.wide.pop(id_, None)
        return pieces

    def hash_of(self, piece):
        return hash(piece)

    def take(self, id_):
        if id_ >= len(self.rows) or not self.rows[id_]:
            raise AssertionError("the row %d is not there" % id_)
        self.rows[id_] = 0
        return self.wide.pop(id_, None)

    def id_of(self, section):
        for p in pieces_of(section):
            if p.startswith(b'id","value":'):
                return int(p[12:])
        raise AssertionError("no id")

    def check_key(self, key, section):
        """The message's key is the row's: canonical text, of two columns a JSON array."""
        values = [p[p.index(b'"value":') + 8:] for p in pieces_of(section)]
        want = values[0] if self.key == "id" else b"[" + b",".join(values) + b"]"
        if key != want:
            raise AssertionError("key %r, not %r" % (key, want))

    def apply(self, action, key, s):
        columns, identity = s.get(b"columns"), s.get(b"identity")
        if self.key == "none":
            self.apply_bag(key, columns, identity)
        elif action == b"I":
            id_ = self.id_of(columns)
            if id_ < len(self.rows) and self.rows[id_]:
                raise AssertionError("the row %d is there" % id_)
            pieces = self.set(id_, columns, s, self.moving.pop(s.get(b"moved_from"), None))
            self.check_key(key, columns if self.key == "id" else b'{"name":"' + pieces[2] + NEXT + pieces[0] + b"}")
        else:
            id_ = self.id_of(identity)
            old = self.take(id_)
            self.check_key(key, identity)
            if action == b"U":
                if self.id_of(columns) != id_:
                    raise AssertionError("an update moves %d" % id_)
                self.set(id_, columns, s, old)
            elif b"moved_to" in s and old:
                self.moving[identity] = old

    def apply_bag(self, key, columns, identity):
        if key is not None:
            raise AssertionError("key %r of a table without one" % key)
        if identity is not None:
            h = row_hash(map(self.hash_of, pieces_of(identity)))
            if self.bag[h] < 1:
                raise AssertionError("the row %d is not there" % self.id_of(identity))
            self.bag[h] -= 1
            if not self.bag[h]:
                del self.bag[h]
        if columns is not None:
            self.bag[row_hash(map(self.hash_of, pieces_of(columns)))] += 1

    def give(self, id_, pieces):
        """Takes a row of the SELECT away; False when it is not there."""
        h = row_hash(map(self.hash_of, pieces))
        if self.key == "none":
            self.bag[h] -= 1
            return self.bag[h] >= 0
        if id_ < len(self.rows) and self.rows[id_] == h:
            self.rows[id_] = 0
            return True
        return False

    def left(self):
        return sum(n for n in self.bag.values() if n > 0) + sum(h != 0 for h in self.rows)


class Reader:
    """All messages of a topic in the order of (pos, seq), from one kcat a partition, until FINISH was truncated."""

    def __init__(self, topic):
        self.kcats = [subprocess.Popen(KCAT + ["-C", "-t", topic, "-p", str(p), "-o", "beginning", "-u", "-X", "queued.max.messages.kbytes=65536", "-f", "%K %S\n%k%s\n"],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1 << 20) for p in range(PARTITIONS)]

    def partition(self, f):
        while line := f.readline():
            key, value = map(int, line.split())
            body = f.read(max(key, 0) + value + 1)
            m = body[max(key, 0):-1]
            source = SOURCE.search(m, max(0, len(m) - 400))
            order = source.group(1), int(source.group(2))
            yield order, None if key < 0 else body[:key], m
            if m.startswith(b'{"action":"T"'):
                return
        raise AssertionError("the messages ended before the last")

    def merged(self):
        return heapq.merge(*(self.partition(k.stdout) for k in self.kcats), key=lambda x: x[0])

    def stop(self):
        for k in self.kcats:
            k.kill()
            k.stdout.close()
            k.wait()


def unescape(cell):
    return re.sub(rb"\\(.)", lambda m: COPIED.get(m.group(1), m.group(1)), cell, flags=re.DOTALL) if b"\\" in cell else cell


class ReplayCase(Case):
    def client(self, db, **pipes):
        server = SERVERS[db]
        command = psql_command(self.id_, server) if is_postgres(db) else my_command(server) + ["--quick", self.id_]
        env = dict(os.environ, PGPASSWORD=server["password"], MYSQL_PWD=server["password"])
        return subprocess.Popen(command, env=env, **pipes)

    def write(self, db, load, done):
        """Streams the load into the server's client; runs in a thread of its own."""
        with open(self.path("sql.err"), "wb") as errors:
            p = self.client(db, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
            try:
                for line in load.stream():
                    p.stdin.write(line.encode() + b"\n")
                p.stdin.close()
            except BrokenPipeError:
                pass
            except BaseException:
                p.kill()
                raise
            finally:
                done["code"], done["seconds"] = p.wait(), time.monotonic() - done["began"]

    def select(self, db, t):
        """(id, [name","value":json of each column]) of a table, streamed."""
        expressions = [(c, None if c == "part" else str, "{c}") for c in t.head]
        expressions += [(name, t.kinds[i].form, t.kinds[i].select) for name, i in t.live]
        if is_postgres(db):
            sql = ("set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'iso_8601'; set lc_monetary = 'C'; set extra_float_digits = 1; set bytea_output = 'hex'; set client_encoding = 'UTF8';"
                   "set search_path = pg_catalog; copy (select %s from public.%s) to stdout;" % (", ".join(e.format(c=c) for c, _, e in expressions), t.name))
        else:
            sql = "set time_zone = '+00:00'; select %s from %s;" % (", ".join("concat('=', %s)" % e.format(c=c) for c, _, e in expressions), t.name)
        skip, null = (0, b"\\N") if is_postgres(db) else (1, b"NULL")
        forms = [(b'%s","value":' % c.encode(), quoted if f is None else f) for c, f, _ in expressions]
        p = self.client(db, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdin.write(sql.encode())
        p.stdin.close()
        with p.stdout:
            for line in p.stdout:
                cells = line[:-1].split(b"\t")
                yield int(cells[0][skip:]), [front + (b"null" if cell == null else form(unescape(cell[skip:]).decode()).encode())
                                             for (front, form), cell in zip(forms, cells, strict=True)]
        self.assertEqual(p.wait(), 0)

    def replay(self, db, replayed, reader):
        """Applies the messages; what there was of them."""
        counts, repeated, last = Counter(), 0, (b"", 0)
        sizes = [0, 0, 0]  # bytes and number of the rows below 1 MiB, number of the others
        for order, key, m in reader.merged():
            if order <= last and not m.startswith(b'{"action":"T"'):
                repeated += 1
                continue
            last = order
            if m.startswith(b'{"action":"T"'):
                continue
            action, table, s = sections_of(m)
            r = replayed[table.decode()]
            try:
                r.apply(action, key, s)
            except (AssertionError, TypeError, StopIteration) as e:
                raise AssertionError("%s: %r\n%s" % (r.t.name, e, m[:3000])) from e
            counts[action.decode()] += 1
            columns = s.get(b"columns") or s[b"identity"]
            if len(columns) >= MIB:
                sizes[2] += 1
            else:  # a column's name stands in {"name":"","value":},
                sizes[0] += len(columns) - sum(len(c) + 22 for c in r.t.columns)
                sizes[1] += 1
        self.assertEqual(repeated, 0, "messages that came again")
        return counts, sizes

    def explain(self, wrong):
        """What the last message of each wrong row has, column by column, against SELECT."""
        wanted = {(t.name, id_): pieces for t, id_, pieces in wrong}
        last, reader = {}, Reader(self.topic)
        try:
            for _, _, m in reader.merged():
                if m.startswith(b'{"action":"T"'):
                    continue
                _, table, s = sections_of(m)
                pieces = pieces_of(s[b"columns"]) if b"columns" in s else []
                id_ = next((int(p[12:]) for p in pieces if p.startswith(b'id","value":')), None)
                if (table.decode(), id_) in wanted:
                    last.setdefault((table.decode(), id_), {}).update(p.split(b'","value":', 1) for p in pieces)
        finally:
            reader.stop()
        lines = []
        for place, pieces in wanted.items():
            t = next(t for t, _, _ in wrong if t.name == place[0])
            types = {name: t.kinds[i].type for name, i in t.live}
            for name, want in (p.split(b'","value":', 1) for p in pieces):
                have = last.get(place, {}).get(name)
                if have != want:
                    lines.append("%s, id %d, %s %s: the messages have %s, SELECT gives %s" % (*place, name.decode(), types.get(name.decode(), ""), have and have[:300], want[:300]))
        return "\n".join(lines[:40])

    def compare(self, db, load, replayed):
        rows, wrong, count = 0, [], 0
        for t in load.tables:
            r = replayed[t.name]
            for id_, pieces in self.select(db, t):
                rows += 1
                if not r.give(id_, pieces):
                    count += 1
                    if len(wrong) < 20:
                        wrong.append((t, id_, pieces))
            if not count:
                self.assertEqual(r.left(), 0, "%s: rows that SELECT does not give" % t.name)
        if wrong:
            self.fail("%d rows differ\n%s" % (count, self.explain(wrong)))
        return rows

    def stream(self, db, kinds, setup="", make=(Load, Replayed), **options):
        """Runs the load on a server and compares; make: the classes of the load and of its tables as replayed; options: further ones of the
        connector."""
        seed = int(os.environ.get("LIST_SYNC_E2E_SEED", random.randrange(2 ** 31)))
        what = " ".join([db] + sorted(options.values()))
        report("%s, seed %d" % (what, seed))
        load = make[0](db, kinds, Sized(random.Random(seed)), CHANGES)
        self.sql(db, setup + load.setup())
        schema = "public" if is_postgres(db) else self.id_
        self.topic = self.topic_of(db)
        script = self.script(self.connector(
            db, tables=["%s.%s" % (schema, t) for t in [t.name for t in load.tables] + [FINISH]], partitions=PARTITIONS, topic=self.topic, **options))
        connector = self.start_connector(script)
        done = {"began": time.monotonic()}
        writer = threading.Thread(target=self.write, args=(db, load, done))
        if load.behind:
            self.assertEqual(connector.stop(), 0)
        writer.start()
        if load.behind:
            writer.join()
            connector = self.start_connector(script)
        wait_until(lambda: topic_partitions(self.topic) or done.get("code"), "the topic", programs=[connector])
        reader = Reader(self.topic)
        watch = threading.Thread(target=self.watch, args=(connector, reader, done), daemon=True)
        watch.start()
        replayed = {t.name: make[1](t) for t in load.tables}
        try:
            counts, sizes = self.replay(db, replayed, reader)
        except AssertionError as e:
            with open(self.path("sql.err"), encoding="utf-8", errors="replace") as f:
                raise AssertionError("%s\n%s\n%s" % (e, connector.log()[-2000:], f.read()[-2000:])) from e
        finally:
            done["read"] = True
            reader.stop()
        writer.join()
        streamed = time.monotonic() - done["began"]
        self.assertEqual((connector.stop(), done["code"]), (0, 0), connector.log()[-3000:])
        self.assertEqual(counts, load.counts)
        self.assertGreaterEqual(load.large, load.wanted)
        rows = self.compare(db, load, replayed)
        n = sum(counts.values())
        report("%s: %s changes (%s) in %s transactions%s, %d values of 1 MiB (in %d rows sent), mean of the other rows %d bytes; written in %d s, replayed after %d s, %s rows compared after %d s; "
               "%s messages with unchanged columns, this program's peak memory %d MiB"
               % (what, format(n, ","), ", ".join("%s %s" % (format(c, ","), a) for a, c in sorted(counts.items())), format(load.transactions, ","), load.also(), load.large, sizes[2],
                  sizes[0] // sizes[1], done["seconds"], streamed, format(rows, ","), time.monotonic() - done["began"],
                  format(sum(r.partial for r in replayed.values()), ","), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))

    def watch(self, connector, reader, done):
        """Ends the readers when nothing more can come."""
        try:
            wait_until(lambda: connector.ended() or done.get("read") or done.get("code"), "all messages", SECONDS)
        except AssertionError:
            pass
        if not done.get("read"):
            for k in reader.kcats:
                k.kill()
