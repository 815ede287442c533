"""Memory of a connector and of a consumer when a row of many MiB goes through them, and behind it."""
import os
import subprocess
import time

from measure import LOOK_SECONDS, PROGRAM, peak_mib, resident_mib, say

SMALL, ROW_MIB, WAIT_SECONDS, BACK_SECONDS = 1000, 16, 120, 30
TABLE = {"postgres": "create table events (id int primary key, t text, b bytea)", "mysql": "create table events (id int primary key, t longtext, b longblob)"}


def small_rows(db, first):
    if db == "postgres":
        return "insert into events select n, 'small', null from generate_series(%d, %d) n;" % (first, first + SMALL - 1)
    return "insert into events select seq, 'small', null from seq_%d_to_%d;" % (first, first + SMALL - 1)


def large_row(db, kind, number):
    """Of ROW_MIB as the server sends it: text, or bytes, which PostgreSQL sends in hexadecimal."""
    size = ROW_MIB * 1024 * 1024
    if kind == "text":
        return "insert into events values (%d, '%s', null);" % (number, os.urandom(size // 2).hex())
    digits = os.urandom(size // 2 if db == "postgres" else size).hex()
    return "insert into events values (%d, null, %s'%s%s');" % (number, "" if db == "postgres" else "x", "\\x" if db == "postgres" else "", digits)


class Large:
    """Resident MiB of each program before the row, the most until it has arrived, and behind it and SMALL rows more."""

    def __init__(self, name, what, goal):
        self.name, self.what, self.goal, self.rows = name, what, goal, []

    def add(self, program, kind, before, peak, after):
        self.rows.append({"program": program, "row": kind, "before": round(before, 1), "peak": round(peak, 1), "after": round(after, 1),
                          "times": round((peak - before) / ROW_MIB, 1)})

    def show(self):
        say("%s: %s of %d MiB, goal %d times its size" % (self.name, self.what, ROW_MIB, self.goal))
        for r in self.rows:
            say("  %(program)-10s %(row)-5s: %(before).1f MiB before, %(peak).1f at the most (%(times).1f times its size more), %(after).1f after" % r)
        return {"name": self.name, "what": self.what, "mib": ROW_MIB, "goal": self.goal, "rows": self.rows}


def wait_for(what, condition, processes):
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        if any(p.poll() is not None for p in processes) or time.monotonic() > end:
            raise SystemExit("%s: not within %d s, or a program ended" % (what, WAIT_SECONDS))
        time.sleep(LOOK_SECONDS)


def forget_peak(pid):
    with open("/proc/%d/clear_refs" % pid, "w", encoding="ascii") as f:
        f.write("5")


class Lines:
    """Of a CSV file that grows."""

    def __init__(self, path):
        self.path, self.at, self.n = path, 0, 0

    def count(self):
        if os.path.exists(self.path):
            with open(self.path, "rb") as f:
                f.seek(self.at)
                while piece := f.read(1 << 20):
                    self.at += len(piece)
                    self.n += piece.count(b"\n")
        return self.n


def settled(pid, before):
    """What is resident once it is what it was, and at the latest after BACK_SECONDS."""
    end = time.monotonic() + BACK_SECONDS
    while (now := resident_mib(pid)) > before + 1 and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
    return now


def measure(servers, out, db, programs, lines):
    rows = 0

    def send(sql, n):
        nonlocal rows
        servers.sql(db, sql)
        rows += n
        wait_for("%d rows in the file" % rows, lambda: lines.count() > rows, programs.values())  # and the header

    send(small_rows(db, 1), SMALL)
    for kind in ("text", "bytes"):
        before = {}
        for name, p in programs.items():
            before[name] = resident_mib(p.pid)
            forget_peak(p.pid)
        send(large_row(db, kind, rows + 1), 1)
        peaks = {name: peak_mib(p.pid) for name, p in programs.items()}
        send(small_rows(db, rows + 1), SMALL)
        for name, p in programs.items():
            out.add(name, kind, before[name], peaks[name], settled(p.pid, before[name]))


def large(servers, out, db, connector, consumer):
    """connector, consumer: scripts. They run until it is measured."""
    programs = {name: subprocess.Popen([PROGRAM, "-q", script]) for name, script in (("connector", connector), ("consumer", consumer))}
    try:
        measure(servers, out, db, programs, Lines(servers.path("csv_csv.csv")))
    finally:
        for p in programs.values():
            p.terminate()
            try:
                p.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                p.kill()
