"""What a script makes of rows on real servers: columns, and what a row's methods read and write."""
import hashlib
import hmac

from lib import Case, Raw, messages, read_topic, values

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
