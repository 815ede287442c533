"""Database servers of a test's own, in folders of its own: to be stopped, killed, promoted, reset and restored."""
import os
import shutil
import signal
import socket
import subprocess
import time

from lib import WAIT, my, pg, run, wait_until

# A script that runs a MySQL 8 or 9: "SCRIPT start DIR PORT", "SCRIPT stop DIR"; and a folder of PostgreSQL 18's programs.
MYSQL_SCRIPT = os.environ.get("LIST_SYNC_MYSQL_SCRIPT")
POSTGRES_BIN = os.environ.get("LIST_SYNC_POSTGRES_BIN")


def free_port():
    """Below the range that outgoing connections take theirs from, for one of those may take it before the server does."""
    port = 20000 + (os.getpid() * 7 + int(time.monotonic() * 1000)) % 11000
    while True:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                port += 1


def as_user(user, command, **options):
    """Runs as that user when we are root, who may not run a database."""
    if os.getuid() == 0:
        command = ["setpriv", "--reuid=" + user, "--regid=" + user, "--init-groups"] + command
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="utf-8", **options)


def open_to_all(folder):
    """The servers' users must get through the tests' own folders."""
    while os.stat(folder).st_uid == os.getuid() and not os.stat(folder).st_mode & 1:
        os.chmod(folder, 0o755)
        folder = os.path.dirname(folder)


def folder_for(path, user):
    os.makedirs(path)
    open_to_all(os.path.dirname(path))
    if os.getuid() == 0:
        shutil.chown(path, user, user)
    return path


def gone(pid):
    """Ended; a zombie has ended, too."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Server:
    """The dict that lib's sql functions take, with a life of its own."""

    def __init__(self, folder, user, login):
        self.folder, self.user, self.port = folder, user, free_port()
        self.address = {"host": "127.0.0.1", "port": str(self.port), "user": login, "password": ""}

    def pid(self):
        with open(os.path.join(self.folder, "pid"), encoding="ascii") as f:
            return int(f.readline())

    def runs(self):
        return os.path.exists(os.path.join(self.folder, "pid")) and not gone(self.pid())

    def end(self, sig):
        if self.runs():
            pid = self.pid()
            os.kill(pid, sig)
            wait_until(lambda: gone(pid), "the server has ended")

    def kill(self):
        self.end(signal.SIGKILL)

    def stop(self):
        self.end(signal.SIGTERM)

    def move_to(self, port):
        """A stopped server starts at another's port."""
        self.port = port
        self.address["port"] = str(port)
        self.start()

    def answers(self):
        try:
            return self.sql("select 1") == "1"
        except RuntimeError:
            return False


class MariaDB(Server):
    def __init__(self, folder, **options):
        super().__init__(folder_for(folder, "mysql"), "mysql", "root")
        self.options = dict({"server-id": self.port, "gtid-domain-id": 0}, **options)
        d = self.folder
        as_user("mysql", ["mariadb-install-db", "--no-defaults", "--datadir=%s/data" % d, "--auth-root-authentication-method=normal", "--skip-test-db"],
                env=dict(os.environ, TMPDIR=d))
        self.start()

    def sql(self, text, database=""):
        return my(text, database, self.address)

    def start(self):
        d = self.folder
        command = ["mariadbd", "--no-defaults", "--datadir=%s/data" % d, "--socket=sock", "--pid-file=%s/pid" % d, "--log-error=%s/log" % d,
                   "--port=%d" % self.port, "--bind-address=127.0.0.1", "--skip-name-resolve", "--log-bin=%s/data/binlog" % d, "--binlog-format=ROW",
                   "--binlog-row-metadata=FULL", "--log-slave-updates", "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2",
                   "--innodb-buffer-pool-size=32M", "--tmpdir=" + d] + ["--%s=%s" % o for o in self.options.items()]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=mysql", "--regid=mysql", "--init-groups"] + command
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                        env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
        wait_until(self.answers, "MariaDB answers")

    def end(self, sig):
        super().end(sig)
        self.process.wait(WAIT)

    def follow(self, primary):
        """Becomes a replica of a primary, all of whose log is there."""
        self.sql("change master to master_host='127.0.0.1', master_port=%d, master_user='root', master_use_gtid=slave_pos; start slave" % primary.port)

    def wait_for(self, primary):
        now = primary.sql("select @@gtid_binlog_pos")
        wait_until(lambda: self.sql("select @@gtid_slave_pos") == now, "the replica has all")

    def promote(self):
        self.sql("stop slave; reset slave all")


class MySQL(Server):
    def __init__(self, folder):
        open_to_all(os.path.dirname(folder))
        super().__init__(folder, "mysql", "root")
        self.start()

    def move_to(self, port):
        path = os.path.join(self.folder, "my.cnf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("\nport=%d" % self.port, "\nport=%d" % port))
        super().move_to(port)

    def start(self):
        run([MYSQL_SCRIPT, "start", self.folder, str(self.port)])

    def pid(self):
        with open(os.path.join(self.folder, "my.pid"), encoding="ascii") as f:
            return int(f.readline())

    def runs(self):
        return os.path.exists(os.path.join(self.folder, "my.pid")) and not gone(self.pid())

    def end(self, sig):
        super().end(sig)
        for name in ("my.pid", "my.sock", "my.sock.lock"):  # a server that was killed leaves them
            if os.path.exists(os.path.join(self.folder, name)):
                os.remove(os.path.join(self.folder, name))

    def sql(self, text, database=""):
        return my(text, database, self.address)

    def follow(self, primary):
        self.sql("change replication source to source_host='127.0.0.1', source_port=%d, source_user='root', source_auto_position=1, "
                 "get_source_public_key=1; start replica" % primary.port)

    def wait_for(self, primary):
        now = primary.sql("select @@global.gtid_executed").replace("\\n", "")
        wait_until(lambda: self.sql("select gtid_subset('%s', @@global.gtid_executed)" % now) == "1", "the replica has all")

    def promote(self):
        self.sql("stop replica; reset replica all")


class Postgres(Server):
    """bin: the folder of the server's programs; copy_of: a server that this one is a standby of."""

    def __init__(self, folder, bin=None, copy_of=None, more=""):
        super().__init__(folder_for(folder, "postgres"), "postgres", "postgres")
        self.bin = bin or run(["pg_config", "--bindir"]).strip()
        self.data = os.path.join(folder, "data")
        if copy_of:
            as_user("postgres", [os.path.join(self.bin, "pg_basebackup"), "-D", self.data, "-h", "127.0.0.1", "-p", str(copy_of.port), "-U", "postgres",
                                 "-R", "-X", "stream", "-c", "fast", "-d", "dbname=postgres"])
        else:
            share = "%s/usr/share/postgresql/%s" % (self.bin.split("/usr/lib/")[0], self.bin.split("/")[-2])
            as_user("postgres", [os.path.join(self.bin, "initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8",
                                 "--no-sync", "-L", share])
        self.configure("port = %d\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nexternal_pid_file = '%s/pid'\nwal_level = logical\n"
                       "fsync = off\ntimezone = 'UTC'\nhot_standby_feedback = on\n%s" % (self.port, folder, more))
        self.start()

    def configure(self, text):
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="ascii") as f:
            f.write(text + "\n")

    def start(self):
        as_user("postgres", [os.path.join(self.bin, "pg_ctl"), "-D", self.data, "-l", os.path.join(self.folder, "log"), "-w", "-t", str(WAIT), "start"])

    def stop(self):
        self.end(signal.SIGINT)

    def sql(self, text, database="postgres"):
        return pg(text, database, self.address)

    def promote(self):
        self.sql("select pg_promote()")
        wait_until(lambda: self.sql("select pg_is_in_recovery()") == "f", "the standby is promoted")

    def keep(self, to):
        """Copies the stopped server's files, as a snapshot of its disk would."""
        run(["cp", "-a", self.data, to])

    def restore(self, of):
        run(["rm", "-rf", self.data])
        run(["cp", "-a", of, self.data])
