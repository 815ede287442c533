"""Servers of a test module's own, which it may halt and kill: scripts/services in a folder of its own, for setUpModule() and tearDownModule()."""
import os
import re
import shutil
import signal
import subprocess
import tempfile

import lib

SERVICES = os.path.join(lib.ROOT, "scripts", "services")


class Servers:
    """Started, they are lib's servers: PG, MY and BROKERS are theirs until stop()."""

    def __init__(self, brokers=3, pg_options=""):
        self.dir = tempfile.mkdtemp(prefix="list_sync-own-")
        os.chmod(self.dir, 0o755)
        self.folder = os.path.join(self.dir, "services")
        self.brokers = ["kafka%d" % (i + 1) for i in range(brokers)]
        self.commands = {}
        self.before = dict(lib.PG), dict(lib.MY), lib.BROKERS
        subprocess.run([SERVICES, "--dir", self.folder, "--brokers", str(brokers), "start"], check=True, stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, env=dict(os.environ, LS_PG_OPTIONS=pg_options))
        text = subprocess.run([SERVICES, "--dir", self.folder, "env"], check=True, stdout=subprocess.PIPE, encoding="ascii").stdout
        env = dict(re.findall(r"(LS_\w+)=(\S+)", text))
        self.use({k: env["LS_PG_" + k.upper()] for k in lib.PG}, {k: env["LS_MY_" + k.upper()] for k in lib.MY}, env["LS_BROKERS"])

    @staticmethod
    def use(pg, my, brokers):
        lib.PG.update(pg)
        lib.MY.update(my)
        lib.KCAT[lib.KCAT.index(lib.BROKERS)] = brokers
        lib.BROKERS = brokers

    def stop(self):
        self.wake_all()
        subprocess.run([SERVICES, "--dir", self.folder, "stop"], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.use(*self.before)

    def pid(self, name):
        with open(os.path.join(self.folder, name, "pid"), encoding="ascii") as f:
            return int(f.readline())

    def pids(self, name):
        """The server's process, and those that it has started."""
        try:
            main = self.pid(name)
        except FileNotFoundError:  # it has ended
            return []
        text = subprocess.run(["ps", "-o", "pid=", "--ppid", str(main)], stdout=subprocess.PIPE, encoding="ascii", check=False).stdout
        return [main] + [int(p) for p in text.split()]

    def send(self, name, sig):
        for pid in self.pids(name):
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass

    def halt(self, name):
        """It hangs: it answers nothing, and its connections stay."""
        self.send(name, signal.SIGSTOP)

    def wake(self, name):
        self.send(name, signal.SIGCONT)

    def wake_all(self):
        for name in ["postgres", "mariadb"] + self.brokers:
            self.wake(name)

    def end(self, name, sig=signal.SIGKILL):
        """Ends it without ado; start() starts it again. PostgreSQL takes SIGQUIT for that."""
        pid = self.pid(name)
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            argv = f.read().split(b"\0")[:-1]
        owner = os.stat("/proc/%d" % pid)
        self.commands[name] = argv, owner.st_uid, owner.st_gid
        os.kill(pid, sig)
        lib.wait_until(lambda: not self.runs(pid), "the end of " + name)

    @staticmethod
    def runs(pid):
        try:
            with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
                return f.read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def start(self, name):
        argv, uid, gid = self.commands.pop(name)
        with open(os.path.join(self.folder, name + ".again"), "ab") as log:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=uid, group=gid, extra_groups=[], start_new_session=True,
                                 cwd="/")
        if name in self.brokers:
            with open(os.path.join(self.folder, name, "pid"), "w", encoding="ascii") as f:
                f.write("%d\n" % p.pid)
        return p

    def wait_for_brokers(self):
        def there():
            try:
                return lib.run(["kcat", "-q", "-b", lib.BROKERS, "-m", "3", "-L"], timeout=10).count("\n  broker ") == len(self.brokers)
            except (RuntimeError, subprocess.TimeoutExpired):
                return False
        lib.wait_until(there, "the brokers answer")
