"""A script's function that hangs ends the program, and what was not delivered comes again; so does one that leaks."""
import re
import time

from lib import BROKERS, Case, Raw, checkpoint, messages, values, wait_until

TABLE = "create table t (id int primary key, v varchar(20))"
HANG = Raw("function(row) if row.new.id == 3 then while true do end end end")
SLEEP = 'local ffi = require "ffi"\nffi.cdef "int usleep(unsigned us);"\n'
MANY = "insert into t select n, 'x' from (with recursive s(n) as (select 1 union all select n + 1 from s where n < %d) select n from s) as numbers"


class HookTimeout(Case):
    def connector_of(self, db, **options):
        return self.connector(db, hook_timeout="300ms", **options)

    def error_of(self, program, where):
        """The one error of a program that the guard has ended."""
        self.assertEqual(program.wait(), 1, program.log())
        errors = re.findall(r"error: .*", program.log())
        self.assertEqual(len(errors), 1, program.log())
        self.assertRegex(errors[0], r"error: test\.lua:" + where + r" has run for 0\.\d s.* and has not returned; hook_timeout is 0\.3 s")
        return errors[0]

    def test_a_connector(self):
        """What came before the row is sent or comes again, and what comes behind it is not passed over."""
        self.databases(TABLE)
        for db in ("postgres", "mysql"):
            script = self.script(self.connector_of(db, filter=HANG))
            p = self.start_connector(script)
            for i in range(1, 5):
                self.sql(db, "insert into t values (%d, 'x')" % i)
            error = self.error_of(p, r'\d+: filter of connector "%s"' % self.name(db))
            self.assertIn(" on one row and has not returned", error)
            self.assertIn("of the batch that begins with %s.t, position " % ("public" if db == "postgres" else self.id_), error)
            self.run_to_end(self.script(self.connector_of(db)), "--until-caught-up")
            got = [values(m["columns"])["id"] for m in messages(self.topic_of(db))]
            self.assertEqual(sorted(set(got)), [1, 2, 3, 4])
            self.assertEqual([i for i in got if i > 2], [3, 4])  # a request of the dead program may reach its broker's log behind them

    def test_print(self):
        self.databases(TABLE)
        script = self.script(self.connector_of("mysql", map=HANG))
        p = self.start("print", script)
        wait_until(lambda: "Binlog Dump" in self.my("show processlist"), "print's dump", programs=[p])
        self.my("insert into t values (1, 'a')")
        wait_until(lambda: p.out().count("\n") == 1, "the first row", programs=[p])
        self.my("insert into t values (3, 'c')")
        self.error_of(p, r'14: map of connector "%s"' % self.name("mysql"))

    def test_writers(self):
        """A write that waits in C, and a flush: nothing is committed, and a writer that does not hang has all rows."""
        self.databases(TABLE)
        self.run_to_end(self.script(self.connector("mysql", topic=self.topic)), "--until-caught-up")
        self.my("insert into t values (1, 'a'), (2, 'b'), (3, 'c')")
        self.run_to_end("test.lua", "--until-caught-up")
        writers = {"write": Raw('ls.writer { write = function(_, row) if row.new.id == 1 then os.execute "exec sleep 5" end end }'),
                   "flush": Raw("ls.writer { write = function() end, flush = function() ffi.C.usleep(900000000) end }")}
        kafka = {"bootstrap.servers": BROKERS, "session.timeout.ms": 6000}  # so long the group waits for a member that is gone
        for name, writer in writers.items():
            script = self.script(SLEEP, self.consumer(kafka_conf=kafka, hook_timeout="300ms", writer=writer))
            self.error_of(self.start(script, "--until-caught-up"), r'\d+: writer.%s of consumer "out"' % name)
        self.run_to_end(self.script(self.consumer()), "--until-caught-up")
        self.assertEqual(self.lines("out_out.csv"), ["action,table,id,v"] + ["I,%s.t,%d,%s" % (self.id_, i, v) for i, v in ((1, "a"), (2, "b"), (3, "c"))])

    def test_slow_is_not_hung(self):
        """Rows that take their time, in one batch that takes many times hook_timeout."""
        self.databases(TABLE)
        script = self.script(SLEEP, self.connector_of("mysql", map=Raw("function(row) ffi.C.usleep(2000) end")))
        self.run_to_end(script, "--until-caught-up")
        self.my(MANY % 1000)
        began = time.monotonic()
        self.run_to_end(script, "--until-caught-up")
        self.assertGreater(time.monotonic() - began, 2)
        self.assertEqual(len(messages(self.topic_of("mysql"))), 1000)


class ScriptMemory(Case):
    def test_a_leak(self):
        """It shows in the status line, and ends the program before more is taken; the rows of that batch come again."""
        self.databases(TABLE)
        self.run_to_end(self.script(self.connector("mysql")), "--until-caught-up")
        self.my(MANY % 1000)
        leak = Raw("function(row) for i = 1, 1000 do kept[#kept + 1] = { i } end end")
        script = self.script("local kept = {}\n", self.connector("mysql", map=leak, script_memory="32MiB"))
        p = self.start(script)
        self.assertEqual(p.wait(), 1, p.log())
        self.assertRegex(p.log(), r'error: test\.lua:4: connector "%s": what the script keeps takes \d+\.\d MiB, and script_memory is 32\.0 MiB' % self.name("mysql"))
        self.assertEqual(messages(self.topic_of("mysql")), [])
        self.assertEqual(checkpoint(self.name("mysql"))["v"], 1)
        self.run_to_end(self.script(self.connector("mysql")), "--until-caught-up")
        self.assertEqual(len(messages(self.topic_of("mysql"))), 1000)

    def test_what_is_held_shows(self):
        self.databases(TABLE)
        keep = Raw("function(row) kept[#kept + 1] = ('x'):rep(20000000) .. row.new.id end")
        p = self.start_connector(self.script("local kept = {}\n", self.connector("mysql", map=keep)))
        self.my("insert into t values (1, 'a')")
        self.wait_messages(self.topic_of("mysql"), 1, [p])
        p.wait_log(r"rows/s.*checkpoint \S+  script \d\d MiB", 45)
        self.assertEqual(p.stop(), 0)
