"""What came out, read by others than the program: topics by kcat, files by Python's csv; and whether it is what the history says.

Expected is the history by row; Topic holds each message against it, Files each line of the CSV files. Problems are texts."""
import collections
import csv
import glob
import hashlib
import json
import os
import subprocess
import threading

from database import KEY, MARKS, PARTITIONS, note_repeats

ROWS_OF = {"I": "I", "U": "DI", "D": "D"}  # the rows of a file that a change makes
SHOWN = 8  # problems that are told; the others are counted


def note_of(v):
    return hashlib.md5(b"%d" % v).hexdigest() * note_repeats(v)


class Problems(list):
    def __init__(self, label):
        super().__init__()
        self.label, self.more = label, 0

    def add(self, text, *values):
        if len(self) < SHOWN:
            self.append(self.label + ": " + text % values)
        else:
            self.more += 1

    def take(self):
        out = list(self) + (["%s: and %d more" % (self.label, self.more)] if self.more else [])
        self.clear()
        self.more = 0
        return out


class Expected:
    """changes[table, key]: [(op, v)] of a row, in order; fresh: how many of each row are new in this round."""

    def __init__(self):
        self.changes = collections.defaultdict(list)
        self.fresh = collections.Counter()

    def add(self, history):
        self.fresh = collections.Counter()
        for table, op, key, v in history:
            self.changes[table, key].append((op, v))
            self.fresh[table, key] += 1

    def new_ones(self):
        """((table, key), index) of each change of this round."""
        for row, count in self.fresh.items():
            have = len(self.changes[row])
            for i in range(have - count, have):
                yield row, i


class Reader:
    """A topic, read by a kcat of its own that stays; one that ends with the brokers begins again, and what it had read is passed over."""

    def __init__(self, brokers, topic):
        self.command = ["stdbuf", "-oL", "kcat", "-q", "-E", "-b", brokers, "-X", "isolation.level=read_committed", "-X", "topic.auto.offset.reset=error",
                        "-X", "reconnect.backoff.max.ms=1000", "-C", "-Z", "-t", topic, "-o", "beginning", "-f", "%p\t%o\t%k\t%s\n"]
        self.lines = collections.deque()  # (partition, offset, key, value)
        self.next = collections.Counter()  # offset by partition
        self.ends = False
        self.process = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ends:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
            for line in self.process.stdout:
                if not line.endswith(b"\n"):
                    break
                partition, offset, key, value = line[:-1].split(b"\t", 3)
                if int(offset) >= self.next[partition]:
                    self.next[partition] = int(offset) + 1
                    self.lines.append((int(partition), int(offset), key, value))
            self.process.stdout.close()
            self.process.wait()

    def again(self):
        """Another kcat: the present one may hang for a reason of its own."""
        if self.process:
            self.process.kill()

    def stop(self):
        self.ends = True
        self.again()
        self.thread.join()


def section(message, name):
    return {c["name"]: c.get("value") for c in message.get(name, ())}


class Topic:
    """The messages of a pipeline. place[row]: (pos, seq) of each change of a row that was seen, seen[pos, seq]: what came under it."""

    def __init__(self, pipeline, expected, brokers):
        self.expected = expected
        self.once = pipeline.delivery == "exactly_once"
        self.readers = {t: Reader(brokers, name) for t, name in pipeline.topics.items()}
        self.problems = Problems(pipeline.label + " topic")
        self.place = collections.defaultdict(list)
        self.seen = {}
        self.again = set()  # places that came more than once
        self.last = {}
        self.high = {}  # by topic and partition: the furthest place that came
        self.lost = set()  # rows that were complained of
        self.repeats = 0
        self.marks = {}

    def read(self):
        """Takes what is there, once the history is known."""
        for t, reader in self.readers.items():
            while reader.lines:
                self.take(t, *reader.lines.popleft())

    def take(self, topic, partition, offset, key, value):
        m = json.loads(value)
        table, op = m["table"], m["action"]
        columns, identity = section(m, "columns"), section(m, "identity")
        names = KEY[table]
        row = (table, "|".join(str((identity if op == "D" else columns)[n]) for n in names))
        place = (m["source"]["pos"], m["source"]["seq"])
        digest = hash(value)
        before = self.seen.get(place)
        if before is None:
            self.first(row, op, columns, place, key)
            if place < self.high.get((topic, partition), place):
                self.problems.add("partition %d has at offset %d for the first time %s, which is before %s", partition, offset, place, self.high[topic, partition])
            self.high[topic, partition] = max(place, self.high.get((topic, partition), place))
            self.seen[place] = (digest, topic, partition, row, len(self.place[row]) - 1, offset)
        elif before[:3] != (digest, topic, partition):
            self.problems.add("partition %d has at offset %d another message of %s, which came at %d: %s", partition, offset, place, before[5], value[:400].decode())
        else:
            self.repeats += 1
            self.again.add(place)
            if self.once:
                self.problems.add("partition %d has at offset %d what it had at %d: %s", partition, offset, before[5], value[:400].decode())
        self.last[row] = self.seen[place][4]
        if table == MARKS[topic]:
            self.marks[topic, partition] = columns.get("v")

    def first(self, row, op, columns, place, key):
        index = len(self.place[row])
        wanted = self.expected.changes[row]
        self.place[row].append(place)
        v = columns.get("v")
        if row in self.lost:
            return
        if index >= len(wanted) or wanted[index] != (op, v):
            self.lost.add(row)
            self.problems.add("%s: %s %s came at %s as its change %d, where the history has %s", row, op, v, place, index + 1,
                              wanted[index] if index < len(wanted) else "none")
        elif op != "D" and columns.get("note") != note_of(v):
            self.problems.add("%s: the note of %s is wrong: %.100s", row, v, columns.get("note"))
        names = KEY[row[0]]
        if len(names) == 1 and key.decode() != row[1]:
            self.problems.add("%s has the key %s", row, key)

    def has_marks(self, value):
        return all(self.marks.get((t, p)) == value for t in self.readers for p in range(PARTITIONS))

    def check(self):
        """After the marks: every change of the history is there, and the newest of each row is the last that came of it."""
        for row in self.expected.fresh:
            have, wanted = len(self.place[row]), len(self.expected.changes[row])
            if row in self.lost:
                continue
            if have < wanted:
                self.lost.add(row)
                self.problems.add("%s: lost from change %d of %d on: %s", row, have + 1, wanted, self.expected.changes[row][have:have + 3])
            elif self.last[row] != wanted - 1:
                self.problems.add("%s: the last message is of change %d of %d", row, self.last[row] + 1, wanted)

    def stop(self):
        for r in self.readers.values():
            r.stop()


class File:
    def __init__(self, path):
        self.path, self.offset, self.header = path, 0, None
        self.high = {}       # the furthest of each row, in the order of the history
        self.places = set()  # (action, place) of its rows

    def read(self, end=None):
        """The rows that are whole and new, as dicts, those before a place in the file alone if one is given."""
        with open(self.path, "rb") as f:
            size = f.seek(0, os.SEEK_END)
            if size < self.offset or (end is not None and size < end):
                raise ValueError("%s has %d bytes, where %d were read and %s are to be there" % (self.path, size, self.offset, end))
            f.seek(self.offset)
            text = f.read() if end is None else f.read(end - self.offset)
        text = text[:text.rfind(b"\n") + 1]
        self.offset += len(text)
        for cells in csv.reader(text.decode().splitlines(), strict=True):
            if self.header is None:
                self.header = cells
            elif len(cells) != len(self.header):
                raise ValueError("%s has a row of %d cells under %d titles: %s" % (self.path, len(cells), len(self.header), cells))
            else:
                yield dict(zip(self.header, cells))


class Files:
    """The CSV files of a pipeline, an update being a delete and an insert. With places in the rows (at least once) a row is known by them, and the
    topic says which change that is; without (exactly once) the rows of a key must be the history's, one for one."""

    def __init__(self, pipeline, expected, topic):
        self.pipeline, self.expected, self.topic = pipeline, expected, topic
        self.problems = Problems(pipeline.label + " files")
        self.files = {}
        self.seen = set()
        self.came = collections.defaultdict(list)
        self.touched = set()  # rows of which something came since the last check
        self.marks = {}
        self.repeats = 0

    def read(self):
        """Takes what is there; the topic is read before. Rows that are in the files once are those before the lengths that the manifests tell: what
        stands behind them may be written again, in another order of partitions."""
        for path, end in sorted(self.ends().items()):
            f = self.files.setdefault(path, File(path))
            try:
                for line in f.read(end):
                    self.take(f, line)
            except ValueError as e:
                self.problems.add("%s", e)

    def ends(self):
        """How far each file is to be read; None: as far as it goes, as with one that no manifest names."""
        out = dict.fromkeys(glob.glob(os.path.join(self.pipeline.out, "*.csv")))
        for path in glob.glob(os.path.join(self.pipeline.out, "*.manifest.json")):
            with open(path, encoding="utf-8") as f:
                manifest = json.load(f)
            ends = {os.path.join(self.pipeline.out, e["file"]): 0 if e.get("new") else e["bytes"] for e in manifest["files"] if e}
            out.update((file, end) for file, end in ends.items() if file in out)
        return out

    def take(self, f, line):
        table = line["table"].split(".", 1)[1]
        row = (table, "|".join(line[n] for n in KEY[table]))
        action = line["action"]
        v = int(line["v"]) if action == "I" else None
        if v is not None and line["note"] != note_of(v):
            self.problems.add("%s: the note of %d is wrong in %s", row, v, f.path)
        if self.pipeline.has_place:
            self.take_placed(f, row, action, v, (line["pos"], int(line["seq"])))
        else:
            self.came[row, action if self.pipeline.is_split else ""].append((action, v))
            self.touched.add(row)
        for t, name in MARKS.items():
            if table == name and action == "I":
                self.marks[t, int(row[1])] = v

    def take_placed(self, f, row, action, v, place):
        known = self.topic.seen.get(place)
        if known is None or known[3] != row:
            self.problems.add("%s %s %s in %s is in no message", row, action, place, f.path)
            return
        index = known[4]
        wanted = self.expected.changes[row]
        if action == "I" and (index >= len(wanted) or wanted[index][1] != v):
            self.problems.add("%s: %s in %s, where the history has %s", row, v, f.path, wanted[index:index + 1])
        self.seen.add((action,) + place)
        rank = 2 * index + (action == "I")  # an update's delete row stands before its insert row
        if f.high.get(row, -1) < rank:
            f.high[row] = rank
        elif (action, place) not in f.places and place not in self.topic.again:  # its repeat may be the first that comes to a new holder of the partition
            self.problems.add("%s: %s of change %d comes in %s behind change %d", row, action, index + 1, f.path, f.high[row] // 2 + 1)
        else:
            self.repeats += 1
        f.places.add((action, place))

    def has_marks(self, value, mark_keys):
        return all(self.marks.get((t, key)) == value for t in MARKS for key in mark_keys.values())

    def check(self):
        """After the marks: the rows of every change are there. A pipeline's files are written one after the other, so that those of one may come a
        moment after the marks in another: is_whole is asked first."""
        if self.pipeline.has_place:
            for row, i, action in self.missing():
                self.problems.add("%s: %s of change %d %s is in no file", row, action, i + 1, self.expected.changes[row][i])
        else:
            for row in self.touched.union(self.expected.fresh):  # a repeat may be of rows that did not change in this round
                self.check_exact(row)
            self.touched.clear()

    def is_whole(self):
        if self.pipeline.has_place:
            return next(self.missing(), None) is None
        return all(len(self.came[row, lane]) >= len(want) for row in self.expected.fresh for lane, want in self.wanted(row))

    def missing(self):
        """(row, index of the change, action) of what is in no file, with places."""
        for row, i in self.expected.new_ones():
            if i < len(self.topic.place[row]):  # else it is told of the topic
                for action in ROWS_OF[self.expected.changes[row][i][0]]:
                    if (action,) + self.topic.place[row][i] not in self.seen:
                        yield row, i, action

    def wanted(self, row):
        """(lane, rows) of a row's history: with split files a lane for inserts and one for deletes."""
        rows = [(action, v if action == "I" else None) for op, v in self.expected.changes[row] for action in ROWS_OF[op]]
        return [(lane, [r for r in rows if r[0] == lane]) for lane in "ID"] if self.pipeline.is_split else [("", rows)]

    def check_exact(self, row):
        for lane, want in self.wanted(row):
            got = self.came[row, lane]
            if got != want:
                n = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
                self.problems.add("%s: row %d of it is %s where the history has %s (%d and %d rows)", row, n + 1, got[n:n + 2], want[n:n + 2], len(got), len(want))
                self.came[row, lane] = want
