"""What a script makes of rows on real servers: columns, and what a row's methods read and write."""
import hashlib
import hmac
import os
import re

from lib import Case, Raw, messages, read_topic, values, wait_until

PEOPLE = ("create table t (id int primary key, name varchar(40), email varchar(80), iban varchar(40), active {bool}, card varchar(20), born date, "
          "price numeric(10,2), doc {json})")
PEPPER = "a pepper"


def hmac_of(text):
    return hmac.new(PEPPER.encode(), text.encode(), hashlib.sha256).hexdigest()


class Columns(Case):
    def test_on_both_servers(self):
        """Nothing of what is dropped or masked is in the topic, in no image and in no key."""
        self.databases(PEOPLE.format(bool="boolean", json="json"), PEOPLE.format(bool="tinyint(1)", json="json"))
        columns = Raw('{ drop = { "card" }, cast = { active = "boolean", price = "float" }, rename = { name = "full name" },\n'
                      '  mask = { id = ls.hmac "%s", email = ls.hmac "%s", iban = ls.keep_last(4), born = "secret" } }' % (PEPPER, PEPPER))
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db, columns=columns, identity="full" if db == "mysql" else "key"),
                                 self.consumer(topic_list=[self.topic_of(db)], name=db, group=db))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t values (77001, 'Jörg', 'joerg@example.org', 'DE0012345678', true, '4111-1111', '1970-12-31', 12.50, '{\"a\": 1}')")
            self.sql(db, "update t set email = null, active = false where id = 77001")
            self.sql(db, "update t set id = 77002")
            self.sql(db, "delete from t")
            self.run_to_end(script, "--until-caught-up")
            raw = read_topic(self.topic_of(db))
            for hidden in ("77001", "77002", "joerg@", "DE00", "4111", "1970"):
                self.assertFalse([line for line in raw if hidden in (line[1] or "") + line[2]], hidden)
            got = messages(self.topic_of(db))
            first, second = hmac_of("77001"), hmac_of("77002")
            self.assertEqual([m["action"] for m in got], ["I", "U", "D", "I", "D"])
            self.assertEqual(values(got[0]["columns"]), {"id": first, "full name": "Jörg", "email": hmac_of("joerg@example.org"), "iban": "********5678",
                                                         "active": True, "born": "secret", "price": 12.5, "doc": '{"a":1}'})
            self.assertEqual(values(got[1]["columns"])["email"], None)
            self.assertEqual([values(m["identity"])["id"] for m in got if "identity" in m], [first, first, second])
            self.assertEqual((values(got[2]["moved_to"]), values(got[3]["moved_from"])), ({"id": second}, {"id": first}))
            self.assertEqual([key for _, key, _ in raw], [first, first, first, second, second])

    def test_a_misspelt_column(self):
        """Of one table it is an error before anything is sent, since what was to be masked would be sent as it is."""
        self.databases(PEOPLE.format(bool="boolean", json="json"), PEOPLE.format(bool="boolean", json="json"))
        for db in ("postgres", "mysql"):
            script = self.script(self.connector(db, columns=Raw("{ mask = { emial = ls.sha256 } }")))
            self.run_to_end(script, "--until-caught-up")
            self.sql(db, "insert into t (id, email) values (1, 'x@y')")
            log = self.run_to_end(script, "--until-caught-up", code=2).log()
            self.assertRegex(log, r'`columns` names "emial", and table \S+\.t has no such column; did you mean "email"\?')
            self.assertEqual(messages(self.topic_of(db)), [])


class Rows(Case):
    def test_methods(self):
        """The same on the connector's side and on the consumer's."""
        self.databases(PEOPLE.format(bool="boolean", json="json"), PEOPLE.format(bool="boolean", json="json"))
        hook = Raw('function(row)\n'
                   '  local new = row.new\n'
                   '  if not new then return end\n'
                   '  local doc = row:json "doc"\n'
                   '  new.summary = ls.json { year = ls.date("%Y", row:time "born"), twice = row:number "price" * 2, n = doc.a, big = doc.big }\n'
                   '  row:rename("card", "kind")\n'
                   '  row:drop "name"\n'
                   'end')
        for side in ("connector", "consumer"):
            for db in ("postgres", "mysql"):
                topic = self.topic_of(db) + side
                options = {"map": hook}
                script = self.script(self.connector(db, name=self.name(db) + side, topic=topic, **(options if side == "connector" else {})),
                                     self.consumer(topic_list=[topic], name=db + side, group=db + side, csv={"filename": db + side},
                                                   **(options if side == "consumer" else {})))
                self.run_to_end(script, "--until-caught-up")
                self.sql(db, "insert into t values (1, 'n', 'e', 'i', true, 'c', '1999-12-31', 0.05, '{\"a\": [1], \"big\": 12345678901234567890}')")
                self.run_to_end(script, "--until-caught-up")
                self.sql(db, "delete from t")
                lines = self.lines("%s_%s.csv" % (db + side, db + side))
                self.assertEqual(lines[0].split(",", 3)[3], "email,iban,active,kind,born,price,doc,summary")
                self.assertTrue(lines[1].endswith(',"{""big"":12345678901234567890,""n"":[1],""twice"":0.1,""year"":""1999""}"'), lines[1])


class Writers(Case):
    TABLE = "create table t (id int primary key, v varchar(20))"

    def writer_script(self, body, **options):
        """A connector of PostgreSQL's table and a consumer whose writer appends what it is given to a file."""
        return self.script("local function say(...) local f = assert(io.open('said', 'a')) f:write(table.concat({ ... }, ' '), '\\n') f:close() end\n",
                           self.connector("postgres"), self.consumer(topic_list=[self.topic_of("postgres")], writer=Raw(body), **options))

    def said(self):
        return self.lines("said")

    def test_callback(self):
        """Rows and truncates, after filter and map."""
        self.databases(self.TABLE)
        script = self.script("local function say(...) local f = assert(io.open('said', 'a')) f:write(table.concat({ ... }, ' '), '\\n') f:close() end\n",
                             self.connector("postgres"),
                             self.consumer(topic_list=[self.topic_of("postgres")], filter=Raw("function(row) return row.image.id ~= 2 end"),
                                           writer=Raw("nil"), callback=Raw("function(row) say(row.action, row.table, row.image and row:text 'id' or '-') end")))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a'), (2, 'b'); update t set v = 'c' where id = 1; delete from t where id = 1; truncate t")
        self.run_to_end(script, "--until-caught-up")
        self.assertEqual(self.said(), ["I t 1", "U t 1", "D t 1", "T t -"])

    def test_calls_and_their_order(self):
        self.databases(self.TABLE)
        body = ("ls.writer { flush_every = { rows = 2, ms = 60000 },\n open = function(w) w.n = 0 say 'open' end,\n"
                "write = function(w, row) w.n = w.n + 1 say('write', row:text 'id') end,\n"
                "flush = function(w, at) say('flush', w.n, at[1].partition, at[1].offset) end,\n"
                "discard = function() say 'discard' end, close = function() say 'close' end }")
        script = self.writer_script(body)
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'a'), (2, 'b'), (3, 'c')")
        self.run_to_end(script, "--until-caught-up")
        said = self.said()
        self.assertEqual(said[:2], ["open", "close"])
        self.assertEqual([line for line in said if line.startswith("write")], ["write 1", "write 2", "write 3"])
        self.assertEqual((said[2], said[-2], said[-1]), ("open", "flush 3 0 3", "close"))
        self.assertNotIn("discard", said)

    def test_a_flush_that_fails_for_a_while(self):
        """What was written since the last flush is thrown away and comes again; the failure is said once."""
        self.databases(self.TABLE)
        body = ("ls.writer { open = function(w) w.rows = {} end,\n"
                "write = function(w, row) table.insert(w.rows, row:text 'id') end,\n"
                "flush = function(w) if not io.open 'fit' then error 'the store is away' end for _, id in ipairs(w.rows) do say(id) end w.rows = {} end,\n"
                "discard = function(w) say('discard', #w.rows) end }")
        script = self.writer_script(body)
        open(self.path("fit"), "w").close()
        self.run_to_end(script, "--until-caught-up")
        os.unlink(self.path("fit"))
        p = self.start_connector(script)
        self.pg("insert into t values (1, 'a'), (2, 'b')")
        wait_until(lambda: self.said().count("discard 2") >= 2, "two tries", programs=[p])
        open(self.path("fit"), "w").close()
        p.wait_log(r"the writer goes on again after")
        wait_until(lambda: self.said()[-2:] == ["1", "2"], "the rows", programs=[p])
        self.assertEqual(p.stop(), 0)
        self.assertEqual(set(self.said()), {"discard 2", "1", "2"})
        self.assertEqual(len(re.findall(r'test\.lua:\d+: writer\.flush of consumer "out": the store is away', p.log())), 1, p.log())

    def test_positions_of_its_own(self):
        """What open gives counts, whatever the group has committed: as a list, and as a function."""
        self.databases(self.TABLE)
        connector = self.script(self.connector("postgres"), name="connector.lua")
        self.run_to_end(connector, "--until-caught-up")
        self.pg("insert into t values (1, 'a'), (2, 'b'), (3, 'c')")
        self.run_to_end(connector, "--until-caught-up")
        for given in ("{ { topic = '%s', partition = 0, offset = 1 } }", "function(topic, partition) if topic == '%s' and partition == 0 then return 1 end end"):
            script = self.writer_script("ls.writer { open = function() return %s end, write = function(w, row) say(row:text 'id') end }"
                                        % given % self.topic_of("postgres"))
            for _ in range(2):
                before = len(self.said())
                self.run_to_end(script, "--until-caught-up")
                self.assertEqual(self.said()[before:], ["2", "3"])

    def test_errors(self):
        self.databases(self.TABLE)
        for body, wanted in (("ls.writer { write = function(w, row) error 'no' end }", r'test\.lua:\d+: writer\.write of consumer "out": no \(public\.t, key 1, position \w+/1\)'),
                             ("ls.writer { write = function() end, open = function() return 7 end }", r"open returned a number; it returns nothing, a list of")):
            script = self.writer_script(body, group_id=self.id_ + str(len(body)))
            self.run_to_end(self.script(self.connector("postgres"), name="connector.lua"), "--until-caught-up")
            self.pg("delete from t; insert into t values (1, 'a')")
            self.assertRegex(self.run_to_end(script, "--until-caught-up", code=1).log(), wanted)
