"""Members of a consumer group come while others read: partitions move, and no row is written twice."""
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
