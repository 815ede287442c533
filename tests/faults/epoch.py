"""An epoch: fresh servers, a fresh database on each, and pipelines that run until the epoch is over, or a round of it failed."""
import os
import random
import shutil
import subprocess
import time

import lib
from database import KINDS, mark_keys
from faults import catalogue, pick
from pipeline import Pipeline
from servers import Servers
from witness import Expected, Files, Topic
from writers import Writers

DISK = "320m"                # of a pipeline's files, where a file system of their own can be had
RECOVER_SECONDS = 180        # from the mend until everything is there
READ_AGAIN_SECONDS = 60      # then kcat is begun anew
TWO_CHANCE = 0.2             # of a second fault at the same time


class Disk:
    """A small file system in memory; without the right to mount, a folder that is never full."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.is_mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + DISK, "tmpfs", folder], stderr=subprocess.DEVNULL, check=False).returncode == 0
        self.filler = os.path.join(folder, "filler")

    def fill(self, left):
        """All but a few bytes."""
        with open(self.filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(lib.MIB))
            except OSError:
                pass
            try:
                while f.write(bytes(4096)):
                    pass
            except OSError:
                pass
            f.truncate(max(0, f.tell() - left))

    def free(self):
        if os.path.exists(self.filler):
            os.unlink(self.filler)

    def close(self, keep):
        self.free()
        if self.is_mounted:
            if keep:
                shutil.copytree(self.folder, self.folder + ".kept")
            subprocess.run(["umount", "-l", self.folder], check=False)


class Epoch:
    def __init__(self, folder, databases, deliveries, seed):
        self.folder, self.databases = folder, databases
        self.chance = random.Random("epoch %d" % seed)
        self.pipelines, self.disks, self.writers, self.sources, self.expected, self.faults = [], [], [], {}, {}, []
        self.topics, self.files = {}, {}
        self.round = 0
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        self.servers = Servers(folder, databases)
        try:
            for db in databases:
                self.begin(db, deliveries, seed)
            self.has_disks = all(d.is_mounted for d in self.disks)
        except BaseException:
            self.close(True)
            raise

    def begin(self, db, deliveries, seed):
        source = KINDS[db](db, self.servers.at[db], "faults_%d" % seed)
        source.setup()
        self.sources[db], self.expected[db] = source, Expected()
        for delivery in deliveries:
            disk = Disk(os.path.join(self.folder, "%s-%s-files" % (db, delivery)))
            self.disks.append(disk)
            layout = {"split_files": self.chance.random() < 0.5, "instances": self.chance.choice((1, 2))}
            p = Pipeline(source, delivery, self.servers, os.path.join(self.folder, "%s-%s" % (db, delivery)), disk.folder, layout)
            self.pipelines.append(p)
            p.start()
            self.topics[p] = Topic(p, self.expected[db], self.servers.direct)
            self.files[p] = Files(p, self.expected[db], self.topics[p])
        self.writers.append(Writers(source, seed))

    def is_broken(self):
        return any(f.breaks for f in self.faults)

    def choose(self, wanted):
        """The faults of a round: one, now and then two, unless some were asked for together."""
        kinds = catalogue(self.databases, self.has_disks)
        groups = [g for g in wanted if all(n in kinds for n in g)]
        self.faults = [kinds[n](self, n) for n in pick(self.chance, groups)]
        if len(self.faults) == 1 and self.chance.random() < TWO_CHANCE:
            others = [g for g in groups if len(g) == 1 and kinds[g[0]](self, g[0]).group != self.faults[0].group]
            self.faults += [kinds[n](self, n) for n in pick(self.chance, others)] if others else []

    def run_round(self, seed, wanted):
        """Gives (what was done, what each pipeline did, seconds to recover, problems)."""
        self.round += 1
        self.chance = random.Random(seed)
        self.choose(wanted)
        problems = []
        for w in self.writers:
            w.go()
        time.sleep(self.chance.uniform(0.7, 2))
        for w in self.writers:
            w.hurry()  # so that what strikes has a good chance to strike in the midst of much
        time.sleep(self.chance.uniform(0.2, 2))
        try:
            for f in self.faults:
                f.inject()
            self.watch(max(f.hold() for f in self.faults))
        finally:
            for f in reversed(self.faults):
                f.mend()
        mended = time.monotonic()
        self.watch(self.chance.uniform(0.3, 1.5))
        for w in self.writers:
            w.pause()
        for db, source in self.sources.items():
            source.mark(self.round)
            self.expected[db].add(source.new_history())
        problems += self.recover(mended)
        seconds = time.monotonic() - mended
        for p in self.pipelines:
            for witness in (self.topics[p], self.files[p]):
                witness.check()
                problems += witness.problems.take()
            problems += p.problems()
        return " & ".join(f.name + f.note for f in self.faults), self.counts(), seconds, problems

    def watch(self, seconds):
        """Lets time pass, with an eye on the programs' memory."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(0.2, max(0, end - time.monotonic())))
            for p in self.pipelines:
                for s in p.stages():
                    s.look()

    def recover(self, since):
        """Waits until each pipeline's marks are in topic and files. Gives what is missing at the end."""
        anew = False
        missing = {p: "topic" for p in self.pipelines}
        while missing:
            for p in list(missing):
                missing[p] = self.lacks(p)
                if not missing[p] or any(s.program is None for s in p.stages()):  # one that ended is told of elsewhere
                    del missing[p]
            waited = time.monotonic() - since
            if waited > READ_AGAIN_SECONDS and not anew:
                anew = True
                for p in missing:
                    for r in self.topics[p].readers.values():
                        r.again()
            if waited > RECOVER_SECONDS:
                break
            if missing:
                time.sleep(0.1)
        return ["%s: the last rows did not come to the %s within %d s\n%s" % (p.label, what, RECOVER_SECONDS, self.logs(p)) for p, what in missing.items()]

    def lacks(self, p):
        """Where the marks of a pipeline did not come so far, and what stands before them. "" when all is there."""
        topic, files = self.topics[p], self.files[p]
        for s in p.stages():
            s.look()
        topic.read()
        if not topic.has_marks(self.round):
            return "topic"
        files.read()  # not before: a row of a file is known by its message
        return "" if files.has_marks(self.round, mark_keys()) and files.is_whole() else "files"

    def logs(self, p):
        return "\n".join("  %s:\n%s" % (s.kind, "\n".join("    " + line for line in s.program.log().split("\n")[-12:])) for s in p.stages() if s.program)

    def counts(self):
        """A text for each pipeline."""
        out = []
        for p in self.pipelines:
            topic, files = self.topics[p], self.files[p]
            fresh = sum(self.expected[p.database.db].fresh.values())
            out.append("%s %d +%d+%d %d/%d" % (p.label, fresh, topic.repeats, files.repeats, round(p.connector.peak / lib.MIB), round(p.consumer.peak / lib.MIB)))
            topic.repeats = files.repeats = 0
        return "  ".join(out)

    def last_look(self):
        """What came behind the last round's marks, now that the programs have ended."""
        out = []
        for p in self.pipelines:
            self.topics[p].read()
            self.files[p].read()
            self.files[p].check()
            out += self.topics[p].problems.take() + self.files[p].problems.take()
        return out

    def close(self, keep):
        """Stops everything. keep: the folder stays, with the servers' logs in it."""
        for w in self.writers:
            w.end()
        problems = []
        for p in self.pipelines:
            for s in p.stages():
                s.kill() if keep else s.stop()
                problems += ["%s: %s" % (p.label, text) for text in s.problems]
        problems += [] if keep else self.last_look()
        for t in self.topics.values():
            t.stop()
        for d in self.disks:
            d.close(keep)
        try:
            if keep:
                self.servers.keep(os.path.join(self.folder, "servers"), ["__list_sync_offsets", "__transaction_state"] + [t for p in self.pipelines for t in p.topics.values()])
        finally:
            self.servers.stop()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return problems
