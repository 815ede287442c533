"""Members of a consumer group come while others read: partitions move, and no row is written twice."""
import signal

from lib import Case, Raw, wait_until

ROWS = 150000
MEMBERS = 3
SLOW = "function(row) local t = os.clock() + 0.0001 while os.clock() < t do end return true end"  # so that others come in its midst


class Group(Case):
    def test_members_that_come_while_others_read(self):
        db = "postgres"
        self.databases("create table t (id int primary key, v varchar(40))")
        source = self.script(self.connector(db, partitions=MEMBERS))
        self.run_to_end(source, "--until-caught-up")
        self.pg("insert into t select n, 'row ' || n from generate_series(1, %d) n" % ROWS)
        self.run_to_end(source, "--until-caught-up")
        members, files = [], ["member%d" % n for n in range(MEMBERS)]
        for name in files:
            part = self.consumer(topic_list=[self.topic_of(db)], csv={"filename": name}, filter=Raw(SLOW))
            members.append(self.start(self.script(part, name=name + ".lua"), "--until-caught-up"))
            members[-1].wait_log("holds [123] partition")
            wait_until(lambda name=name: len(self.lines(name + "_out.csv")) > 1000, "rows of " + name)
        for p in members:
            self.assertEqual(p.wait(), 0, p.log())
        ids = sorted(int(line.split(",")[2]) for name in files for line in self.lines(name + "_out.csv")[1:])
        self.assertEqual(ids, list(range(1, ROWS + 1)))

    def test_a_member_that_waits_for_its_group_is_stopped(self):
        """The group waits for a dead member. Who has not been given an assignment yet leaves without one, and its rows stay."""
        db = "postgres"
        self.databases("create table t (id int primary key)")
        source = self.script(self.connector(db, partitions=MEMBERS), name="source.lua")
        self.run_to_end(source, "--until-caught-up")
        script = self.script(self.consumer(topic_list=[self.topic_of(db)]))
        dead = self.start(script)
        dead.wait_log("holds [0-9] partition")
        dead.kill()
        self.pg("insert into t values (1)")
        self.run_to_end(source, "--until-caught-up")
        p = self.start(script)
        p.wait_log("waits for the group")
        p.process.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(), 0, p.log())
        self.assertNotIn("holds", p.log())
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual([line.split(",")[2] for line in self.lines("out_out.csv")[1:]], ["1"])
