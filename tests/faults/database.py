"""The changing database: its tables, and beside them a history that triggers write in the same transactions, so that what must have been
sent is known without the program. history(id, tbl, op, pk, v): op I, U or D, pk the key's parts with | between them, v the row's value,
which no other change of a row has. id orders the changes of a row, since a row's lock is held when its trigger takes one."""
import lib

# Topic of each table. mark_*: rows that are written when the writers pause; behind them, partition by partition, nothing is to come.
TOPIC_OF = {"small": "a", "pair": "a", "mark_a": "a", "big": "b", "mark_b": "b"}
TABLES = list(TOPIC_OF)
MARKS = {"a": "mark_a", "b": "mark_b"}
PARTITIONS = 3
TALL = 1000   # one value in so many has a long note,
LONG = 1500   # of so many times 32 bytes
KEY = {t: ["id"] for t in TABLES}
KEY["pair"] = ["a", "n"]


def note_repeats(v):
    return LONG if v % TALL == 7 else v % 4


def partition_of(key, partitions):
    """Kafka's placement: murmur2, as the Java client has it."""
    data, m, mask = key.encode(), 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7FFFFFFF) % partitions


def mark_keys():
    """A key for each partition."""
    keys = {}
    i = 0
    while len(keys) < PARTITIONS:
        i += 1
        keys.setdefault(partition_of(str(i), PARTITIONS), i)
    return keys


def columns(table):
    key = "a varchar(20) not null, n int not null, primary key (a, n)" if table == "pair" else "id int primary key"
    return key + ", v bigint not null, note text"


class Database:
    """What the two servers have in common; db is "postgres" or "mariadb", name the database's."""

    def __init__(self, db, server, name):
        self.db, self.server, self.name = db, server, name
        self.read_up_to = 0

    def note(self, v):
        """SQL of the note that goes with a value."""
        text = "%s::text" if self.db == "postgres" else "%s"
        repeats = "case when (%s) %% %d = 7 then %d else (%s) %% 4 end" % (v, TALL, LONG, v)
        return "repeat(md5(%s), %s)" % (text % ("(%s)" % v), "(%s)::int" % repeats if self.db == "postgres" else repeats)

    def series(self, low, high):
        """SQL of a table x of the numbers from low to high, for a FROM."""
        return ("generate_series(%d, %d) x" if self.db == "postgres" else "(select seq x from seq_%d_to_%d) s") % (low, high)

    def setup(self):
        self.create()
        self.run("".join("create table %s (%s);\n" % (t, columns(t)) for t in TABLES) + self.history_sql())

    def marks(self, value):
        """Writes a mark for each partition of each topic."""
        upsert = " on conflict (id) do update set v = excluded.v, note = excluded.note" if self.db == "postgres" else \
            " on duplicate key update v = values(v), note = values(note)"
        return "".join("insert into %s values (%d, %d, %s)%s;\n" % (t, i, value, self.note(str(value)), upsert)
                       for t in MARKS.values() for i in mark_keys().values())

    def mark(self, value):
        self.run(self.marks(value))

    def new_history(self):
        """[(table, op, key, v or None)] of what was committed since the last call; nothing may be running."""
        out = []
        for line in self.run("select id, tbl, op, pk, coalesce(v, -1) from history where id > %d order by id" % self.read_up_to).split("\n"):
            if line:
                number, table, op, key, v = line.split("|" if self.db == "postgres" else "\t", 4)
                out.append((table, op, key.replace("/", "|"), None if v == "-1" else int(v)))
                self.read_up_to = int(number)
        return out


class Postgres(Database):
    def create(self):
        lib.pg("create database %s template template0" % self.name, server=self.server)

    def run(self, sql):
        return lib.pg(sql, self.name, self.server)

    def client(self):
        return lib.psql_command(self.name, self.server), {"PGPASSWORD": self.server["password"]}

    def history_sql(self):
        out = "create table history (id bigserial primary key, tbl text not null, op text not null, pk text not null, v bigint);\n"
        for name, old, new in (("one", "old.id::text", "new.id::text"), ("two", "old.a || '/' || old.n", "new.a || '/' || new.n")):
            out += """create function note_%s() returns trigger language plpgsql as $$ begin
              if tg_op = 'INSERT' then insert into history (tbl, op, pk, v) values (tg_table_name, 'I', %s, new.v);
              elsif tg_op = 'DELETE' then insert into history (tbl, op, pk) values (tg_table_name, 'D', %s);
              elsif %s = %s then insert into history (tbl, op, pk, v) values (tg_table_name, 'U', %s, new.v);
              else insert into history (tbl, op, pk, v) values (tg_table_name, 'D', %s, null), (tg_table_name, 'I', %s, new.v);
              end if; return null; end $$;\n""" % (name, new, old, old, new, new, old, new)
        return out + "".join("create trigger h after insert or update or delete on %s for each row execute function note_%s();\n"
                             % (t, "two" if t == "pair" else "one") for t in TABLES)


class Mariadb(Database):
    def create(self):
        lib.my("create database %s" % self.name, server=self.server)

    def run(self, sql):
        return lib.my(sql, self.name, self.server)

    def client(self):
        return lib.my_command(self.server) + ["--unbuffered", "--skip-reconnect", self.name], {"MYSQL_PWD": self.server["password"]}

    def history_sql(self):
        out = "create table history (id bigint primary key auto_increment, tbl varchar(20) not null, op char(1) not null, pk varchar(40) not null, v bigint);\n"
        for t in TABLES:
            old, new = ("concat(old.a, '/', old.n)", "concat(new.a, '/', new.n)") if t == "pair" else ("old.id", "new.id")
            changed = "insert into history (tbl, op, pk, v) values ('%s', " % t
            out += "delimiter $$\n"
            out += "create trigger %s_i after insert on %s for each row %s'I', %s, new.v)$$\n" % (t, t, changed, new)
            out += "create trigger %s_d after delete on %s for each row %s'D', %s, null)$$\n" % (t, t, changed, old)
            out += "create trigger %s_u after update on %s for each row begin if %s = %s then %s'U', %s, new.v); else " % (t, t, old, new, changed, new)
            out += "%s'D', %s, null), ('%s', 'I', %s, new.v); end if; end$$\ndelimiter ;\n" % (changed, old, t, new)
        return out


KINDS = {"postgres": Postgres, "mariadb": Mariadb}
