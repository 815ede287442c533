"""The faults: each is injected, held for a while and mended. What each needs of a run: servers, pipelines, chance (a random.Random), disks."""
import itertools
import signal
import threading
import time

import lib

LONG_STOP_SECONDS = 90
LONG_STOP_CHANCE = 0.08
SLOW_BYTES_S = 20 * 1000 * 1000 // 8  # 20 Mbit/s
DELAY_SECONDS = 0.2
HALF_BYTES = 200 * 1000


class Fault:
    """group: two faults at once are of different ones. breaks: what programs need to end in order may be away meanwhile."""

    group = None
    breaks = False

    def __init__(self, run, name):
        self.run, self.name, self.chance = run, name, run.chance
        self.note = ""  # what was chosen, for the line of the round

    def hold(self):
        """Seconds from injection to mend."""
        return self.chance.uniform(0.5, 5)

    def inject(self):
        raise NotImplementedError

    def mend(self):
        raise NotImplementedError


class Programs(Fault):
    """All connectors, or all consumers; one after the other, so that each is hit at another moment."""

    def __init__(self, run, name):
        super().__init__(run, name)
        self.group, self.how = name.split("-")
        self.stages = [getattr(p, self.group) for p in run.pipelines]
        self.seconds = self.chance.uniform(0, 2.5)

    def hold(self):
        return self.seconds

    def a_moment(self):
        time.sleep(self.chance.uniform(0, 0.3))


class Kill(Programs):
    def inject(self):
        times = self.chance.choice((1, 1, 2, 3))
        self.note = " x%d" % times
        for i in range(times):
            if i:
                self.mend()
                time.sleep(self.chance.uniform(0.05, 2.0))
            for s in self.stages:
                self.a_moment()
                s.kill()

    def mend(self):
        for s in self.stages:
            if not s.program:
                s.start()


class Term(Kill):
    def inject(self):
        threads = []
        for s in self.stages:
            self.a_moment()
            threads.append(threading.Thread(target=s.stop, kwargs={"may_fail": self.run.is_broken()}))
            threads[-1].start()
        for t in threads:
            t.join()


class Stop(Programs):
    def __init__(self, run, name):
        super().__init__(run, name)
        long = self.chance.random() < LONG_STOP_CHANCE
        self.seconds = LONG_STOP_SECONDS if long else self.chance.choice((self.chance.uniform(0.2, 4), self.chance.uniform(4, 25)))
        self.note = " %.0f s" % self.seconds

    def inject(self):
        for s in self.stages:
            self.a_moment()
            s.signal(signal.SIGSTOP)

    def mend(self):
        for s in self.stages:
            s.signal(signal.SIGCONT)


class Servers(Fault):
    """Servers that die: some brokers, or a database."""

    breaks = True

    def __init__(self, run, name):
        super().__init__(run, name)
        self.group = "kafka" if name in ("broker", "brokers", "controller") else name

    def hold(self):
        return self.chance.uniform(0, 4) if self.chance.random() < 0.6 else self.chance.uniform(4, 14)

    def inject(self):
        servers = self.run.servers
        if self.name == "controller":
            self.names = [servers.controller()]
        elif self.group == "kafka":
            self.names = self.chance.sample(servers.brokers, 2 if self.name == "brokers" else 1)
        else:
            self.names = [self.name]
        self.note = " " + "+".join(self.names) if self.group == "kafka" else ""
        for name in self.names:
            servers.kill(name)

    def mend(self):
        for name in self.names:
            self.run.servers.revive(name)
        if self.group == "kafka":
            lib.wait_until(self.run.servers.brokers_answer, "the brokers are back", 120)


class Net(Fault):
    """The connections to a database or to brokers."""

    breaks = True

    def __init__(self, run, name):
        super().__init__(run, name)
        _, where, self.kind = name.split("-")
        self.group = "net-" + where
        self.links = [where]
        if where == "kafka":
            self.links = run.servers.brokers if self.chance.random() < 0.6 else [self.chance.choice(run.servers.brokers)]
            self.note = " all" if len(self.links) > 1 else " " + self.links[0]

    def hold(self):
        return self.chance.uniform(0.3, 6) if self.kind != "hang" or self.chance.random() < 0.7 else self.chance.uniform(6, 40)

    def inject(self):
        order = {"delay": {"seconds": DELAY_SECONDS}, "slow": {"kind": "rate", "bytes_s": SLOW_BYTES_S},
                 "half": {"bytes": HALF_BYTES, "seed": self.chance.randrange(1 << 30)}}.get(self.kind, {})
        for link in self.links:
            self.run.servers.proxy.tell(link, **dict({"kind": self.kind}, **order))

    def mend(self):
        for link in self.links:
            self.run.servers.proxy.tell(link, kind="pass")


class Disk(Fault):
    """The disks that the consumers write to are full."""

    group = "disk"
    breaks = True

    def inject(self):
        for d in self.run.disks:
            d.fill(self.chance.choice((0, 0, 1, 37, 4096, 50000)))

    def mend(self):
        for d in self.run.disks:
            d.free()


KINDS = ("cut", "snap", "delay", "slow", "half", "hang", "dead")
WHICH = {"kill": Kill, "term": Term, "stop": Stop}


def catalogue(databases, with_disk):
    """Name -> class of every fault that a run with these databases may have."""
    out = {"%s-%s" % (stage, how): WHICH[how] for stage in ("connector", "consumer") for how in WHICH}
    out.update(dict.fromkeys(["broker", "brokers", "controller"] + databases, Servers))
    out.update({"net-%s-%s" % (where, kind): Net for where in databases + ["kafka"] for kind in KINDS})
    if with_disk:
        out["disk"] = Disk
    return out


def chosen(names, wanted):
    """What a round may have, of what was asked for: names, their beginnings up to a minus sign, or several joined by + that are to come at once.
    Gives tuples of names."""
    def begin_with(word):
        found = [n for n in names if n == word or n.startswith(word + "-")]
        if not found:
            raise SystemExit("faults: there is no fault \"%s\"; there are: %s" % (word, " ".join(names)))
        return found
    return [group for w in wanted for group in itertools.product(*(begin_with(part) for part in w.split("+")))]


def pick(chance, groups):
    """One of the groups of names; those of connections count as one a server, since they are many."""
    by_head = {}
    for g in groups:
        by_head.setdefault(tuple(n.rsplit("-", 1)[0] if n.startswith("net-") else n for n in g), []).append(g)
    return chance.choice(by_head[chance.choice(sorted(by_head))])
