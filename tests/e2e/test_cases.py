"""list_sync test: what it compares, how it tells of differences, what --update writes. No server is asked."""
import os

from lib import Case

SCRIPT = """local ls = require "list_sync"
local seen = 0
ls.connector {
  name = "shop", db_type = "postgres", host = "h", user = ls.env "NOT_SET_ANYWHERE", database = "shop", kafka_conf = "b:9092", topic = "wal",
  tables = "public.*",
  filter = function(row) return row.image.status ~= "draft" end,
  map = function(row)
    seen = seen + 1
    if row.new then row.new.total = row:number "total" * 2 .. "" row.new.seen = seen end
  end,
}
ls.consumer { group_id = "out", topic_list = "wal", kafka_conf = "b:9092", writer = ls.csv_writer { filename = "x" },
  map = function(row) if row.new then row.new.big = row.new.big + 1 end row.table = row.table .. "_eu" end }
"""
HEAD = """local ls = require "list_sync"
ls.table { "public.orders", { "id", "integer", key = 1 }, { "total", "decimal" }, { "status", "string" }, { "big", "integer" } }
"""


class Cases(Case):
    def setUp(self):
        super().setUp()
        self.write("orders.lua", SCRIPT)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8", newline="") as f:
            f.write(text)

    def read(self, name="orders.cases.lua"):
        with open(self.path(name), encoding="utf-8", newline="") as f:
            return f.read()

    def try_(self, text, *args, code=0):
        self.write("orders.cases.lua", HEAD + text)
        p = self.run_to_end("test", "orders.lua", *args, code=code)
        return p.out() if code < 2 else p.log()

    def differs(self, want, text, stage="shop", give='new = { id = 7, total = "12.50" }'):
        """The one difference, behind its place, or all of them."""
        out = self.try_('ls.case {\n  name = "a", stage = "%s", give = { %s },\n  want = { %s },\n}\n' % (stage, give, want), code=1)
        places = "filter is at orders.lua:6, map is at orders.lua:7" if stage == "shop" else "map is at orders.lua:13"
        self.assertEqual(out, 'orders.cases.lua:5: case "a": %s (%s)\n0 passed, 1 failed\n' % (text, places))

    def test_passes(self):
        out = self.try_("""
ls.case { name = "whole", stage = "shop", give = { new = { id = 7, total = "12.50", status = "paid" } }, want = { new = { id = 7, total = "25", status = "paid", seen = 1 } } }
ls.case { name = "not looked at", stage = "shop", give = { new = { id = 7, total = "12.50" } }, want = { action = "I" } }
ls.case { name = "dropped", stage = "shop", give = { new = { id = 7, status = "draft" } }, want = {} }
ls.case { name = "two", stage = "shop", give = { { new = { id = 7, total = "1" } }, { old = { id = 7 } } }, want = { { new = { id = 7, total = "2", seen = 1 } }, { action = "D" } } }
ls.case { name = "moved", stage = "shop", give = { old = { id = 1 }, new = { id = 2, total = "1" } },
  want = { { action = "D", old = { id = 1 }, moved_to = { id = 2 }, key = "1" }, { action = "I", moved_from = { id = 1 }, key = "2" } } }
ls.case { name = "unchanged", stage = "shop", give = { action = "U", new = { id = 1, total = "1", status = ls.absent } }, want = { new = { id = 1, total = "2", status = ls.absent, seen = 1 } } }
ls.case { name = "raises", stage = "shop", give = { new = { id = 1 } }, error = "orders.lua:9: map of connector" }
ls.case { name = "message", stage = "shop", give = { new = { id = 1, total = "1" }, source = { pos = "0a", seq = 2, tx = "t", ts = 3 } }, want = { key = "1", message =
  '{"action":"I","schema":"public","table":"orders","pk":[{"name":"id"}],"columns":[{"name":"id","value":1},{"name":"total","value":"2"},{"name":"status","value":null},' ..
  '{"name":"big","value":null},{"name":"seen","value":1}],"source":{"v":1,"connector":"shop","db":"postgres","ts":3,"tx":"t","pos":"0a","seq":2}}' } }
ls.case { name = "of a consumer", stage = "out", give = { new = { id = 7, big = 9007199254740993LL, total = "1.50" } }, want = { table = "public.orders_eu",
  new = { id = 7, big = 9007199254740994LL, total = "1.50" } } }
ls.case { name = "a consumer knows the table's columns", stage = "out", give = { old = { id = 7 } }, want = { table = "public.orders_eu", old = { id = 7, total = ls.absent } } }
""")
        self.assertEqual(out, "10 passed, 0 failed\n")

    def test_differences(self):
        self.differs('new = { id = 7, total = "12.5", seen = 1 }', 'column total: wanted "12.5", got "25"')
        self.differs('new = { id = 7, total = "25", seen = 1, status = "x" }', 'column status: wanted "x", got NULL')
        self.differs('new = { id = 7, total = "25", seen = ls.null }', "column seen: wanted NULL, got 1")
        self.differs('new = { id = 7, total = "25" }', "column seen: wanted NULL, got 1")
        self.differs('new = { id = 7, total = "25", seen = 1, sen = 1 }', "column sen: wanted 1, and there is no such column")
        self.differs('new = { id = 7, total = ls.absent, seen = 1 }', 'column total: wanted nothing, since it was not sent, got "25"')
        self.differs('new = { id = 7, total = 25, seen = 1 }', 'column total: wanted 25, got "25"')
        self.differs('action = "U"', 'action: wanted "U", got "I"')
        self.differs('table = "public.order"', "table: wanted public.order, got public.orders")
        self.differs('old = { id = 7 }', "old: wanted a row before, and it has none")
        self.differs('key = "8"', 'key: wanted "8", got "7"')
        self.differs('message = "{}"', 'message: wanted {}, got {"action":"I","schema":"public","table":"orders","pk":[{"name":"id"}],"columns":[{"name":"id","value":7},'
                     '{"name":"total","value":"25"},{"name":"status","value":null},{"name":"big","value":null},{"name":"seen","value":1}],"source":{"v":1,"connector":"shop",'
                     '"db":"postgres","ts":0,"tx":"","pos":"","seq":1}}')
        self.differs("", 'wanted no row, got 1 row: { action = "I", table = "public.orders", new = { id = 7, total = "25", status = ls.null, big = ls.null, seen = 1 } }')
        self.differs('{ action = "I" }, { action = "I" }', 'wanted 2 rows, got 1 row: { action = "I", table = "public.orders", new = { id = 7, total = "25", status = ls.null, '
                     "big = ls.null, seen = 1 } }")
        self.differs('action = "I"', "wanted 1 row, got no row", give='new = { id = 7, status = "draft" }')
        self.differs('new = { id = 7, big = 9007199254740993LL }, table = "public.orders_eu"', "column big: wanted 9007199254740993LL, got 9007199254740994LL", stage="out",
                     give="new = { id = 7, big = 9007199254740993LL }")
        self.differs('key = "7", table = "public.orders_eu"', "a consumer's row has no topic to go to, key, headers or message: take them out of want", stage="out", give="new = { id = 7, big = 1 }")

    def test_documents(self):
        """A member n is one like others, and no array is an object, no null one that is not there."""
        head = 'ls.table { "public.docs", { "id", "integer", key = 1 }, { "doc", "json" }, { "list", "array" } }\n'
        case = 'ls.case { name = "%d", stage = "shop", give = { table = "public.docs", new = { id = 1, %s } }, want = { new = { id = 1, %s } } }\n'
        message = ('{ action = "I", schema = "public", table = "docs", pk = { { name = "id" } }, columns = { { name = "id", value = 1 }, { name = "doc", value = ls.null },'
                   ' { name = "list", value = {} } }, source = { v = 1, connector = "shop", db = "postgres", ts = 0, tx = "", pos = "", seq = 1 }%s }')
        self.write("orders.lua", SCRIPT.replace("  filter = function(row) return row.image.status ~= \"draft\" end,\n", "").replace('row.new.total = ', 'local x = ').replace(
            'row:number "total" * 2 .. "" row.new.seen = seen', '""'))
        same = [("doc = '%s'" % a, "doc = ls.json %s" % b) for a, b in (
            ('{"n":1}', "{ n = 1 }"), ("[]", "(ls.array {})"), ("{}", "{}"), ('{"a":[1,{"b":[]}]}', "{ a = { 1, { b = ls.array {} } } }"), ('[1,null]', "(ls.array { 1, ls.null })"),
            ('{"a":null}', "{ a = ls.null }"))]
        same += [("list = ls.array { %s }" % a, "list = %s" % b) for a, b in (
            ("1, ls.null", "ls.array { 1, nil, n = 2 }"), ("1, ls.null", "{ 1, ls.null }"), ("", "{}"), ("{ 1 }, { a = 1, n = 7 }", "{ { 1 }, { a = 1, n = 7 } }"))]
        other = [("doc = '%s'" % a, "doc = ls.json %s" % b) for a, b in (
            ('{"n":1}', "{ n = 2 }"), ('{"n":1}', "{}"), ("{}", "{ n = 1 }"), ("[]", "{}"), ("{}", "(ls.array {})"), ('{"a":[]}', "{ a = {} }"), ("{}", "{ a = ls.null }"),
            ('{"a":null}', "{}"), ("[1]", "(ls.array { 1, ls.null })"),
            ('{"a":1' + 30 * "0" + "}", "{ a = 1 }"), ('{"a":1' + 30 * "0" + "}", "(ls.null)"))]
        other += [("list = ls.array { %s }" % a, "list = %s" % b) for a, b in (
            ("1", "{ 1, ls.null }"), ("1, ls.null", "{ 1 }"), ("1, 2", '{ 1, "2" }'), ("1, { a = 1, n = 7 }", "{ 1, { a = 1, n = 8 } }"), ("", "{ a = 1 }"))]
        given = 'ls.case { name = "m", stage = "shop", give = { table = "public.docs", new = { id = 1, list = ls.array {} } }, want = { topic = { "wal" }, message = %s } }\n'
        out = self.try_(head + "".join(case % (i, a, b) for i, (a, b) in enumerate(same)) + given % message % "")
        self.assertEqual(out, "%d passed, 0 failed\n" % (len(same) + 1))
        self.write("orders.lua", self.read("orders.lua").replace('topic = "wal",', 'topic = "wal", format = "protobuf",', 1))  # shown and wanted as print shows it
        self.assertEqual(self.try_(head + given % message % ""), "1 passed, 0 failed\n")
        out = self.try_(head + "".join(case % (i, a, b) for i, (a, b) in enumerate(other)) + given % message % ", n = 1" + given % message % ", x = ls.null", code=1)
        self.assertTrue(out.endswith("0 passed, %d failed\n" % (len(other) + 2)), out)

    def test_where_and_how_it_is_sent(self):
        self.write("orders.lua", SCRIPT.replace('topic = "wal",\n', 'topic = function(row) return { "a." .. row.action, "all" } end, key = function(row) return row.action ~= "D" and row:text "id" or nil end,\n'
                   '  headers = function(row) return { kind = row.action, none = ls.null } end,\n', 1))
        want = 'topic = { "a.I", "all" }, key = "7", headers = { kind = "I", none = ls.null }'
        case = 'ls.case { name = "a", stage = "shop", give = { new = { id = 7, total = "1" } }, want = { %s } }\n'
        self.assertEqual(self.try_(case % want), "1 passed, 0 failed\n")
        for part, other, text in (('"a.I", "all"', '"a.I"', 'topic: wanted ["a.I"], got ["a.I","all"]'), ('"7"', "ls.null", 'key: wanted NULL, got "7"'),
                                  ('kind = "I"', 'kind = "U"', 'headers: wanted {"kind":"U","none":null}, got {"kind":"I","none":null}')):
            self.assertIn('orders.cases.lua:3: case "a": ' + text + " (filter is at orders.lua:7, map is at orders.lua:8, topic is at orders.lua:4, key is at orders.lua:4, "
                          "headers is at orders.lua:5)\n", self.try_(case % want.replace(part, other), code=1))
            self.run_to_end("test", "orders.lua", "--update")
            self.assertEqual(self.read(), HEAD + case.replace("{ %s } }", "{\n  %s,\n} }") % ",\n  ".join(
                ('action = "I"', 'new = { id = 7, total = "2", status = ls.null, big = ls.null, seen = 1 }', 'topic = { "a.I", "all" }', 'key = "7"',
                 'headers = { kind = "I", none = ls.null }')))
        self.write("orders.lua", SCRIPT.replace('topic = "wal",\n', 'topic = function(row) return row.table .. " x" end,\n', 1))
        self.assertIn("which Kafka does not take for a topic's name", self.try_(case % "", code=1))
        log = self.run_to_end("check", "orders.lua", "--offline", "--only", "shop", code=2).log()
        self.assertRegex(log, r"shop: warning: orders.lua:4: topic of connector \"shop\": it gave \"orders x\", which Kafka does not take for a topic's name.*\(public.orders, made-up insert; its values are examples")
        self.assertRegex(log, r"shop: warning: orders.lua:\d+: map of .* takes decimal text .*\(public.orders, made-up insert with large values; its values are examples")
        self.assertRegex(log, r"shop: error: orders.lua:\d+: map of .* arithmetic on a nil value \(public.orders, made-up insert with NULLs\)")

    def test_errors_as_outcome(self):
        out = self.try_('ls.case { name = "a", stage = "shop", give = { new = { id = 7, total = "12.50" } }, want = {} }\n'
                        'ls.case { name = "b", stage = "shop", give = { new = { id = 1 } },\n  want = {} }\n'
                        'ls.case { name = "c", stage = "shop", give = { new = { id = 1 } },\n  error = "other" }\n'
                        'ls.case { name = "d", stage = "shop", give = { old = { id = 1 } },\n  error = "other" }\n', code=1)
        lines = out.splitlines()
        raised = 'orders.lua:9: map of connector "shop": attempt to perform arithmetic on a nil value (public.orders, key 1)'
        self.assertEqual(lines[1], 'orders.cases.lua:5: case "b": ' + raised)
        self.assertEqual(lines[2], 'orders.cases.lua:7: case "c": wanted an error with "other", got: ' + raised)
        self.assertEqual(lines[3], 'orders.cases.lua:9: case "d": wanted an error with "other", got 1 row (filter is at orders.lua:6, map is at orders.lua:7)')

    def test_broken(self):
        one = 'ls.case { name = "a", %s give = { new = { id = 7, status = "draft" } }, want = {} }\n'
        self.assertIn('orders.cases.lua:3: case "a": the script has several stages: add stage = "name"', self.try_(one % "", code=2))
        self.assertIn('orders.cases.lua:3: case "a": the script has no stage shp', self.try_(one % 'stage = "shp",', code=2))
        self.assertIn('case "b": connector "shop" does not capture table audit.t: see its `tables`', self.try_(
            'ls.table { "audit.t", { "id", "integer" } }\nls.case { name = "b", stage = "shop", give = { table = "audit.t", new = { id = 1 } } }\n', code=2))
        self.assertIn("orders.cases.lua:3: ", self.try_("x = = 1\n", code=2))
        os.unlink(self.path("orders.cases.lua"))
        self.assertIn("orders.cases.lua: there are no cases: write some there, or record some with list_sync print orders.lua --cases orders.cases.lua -n 10",
                      self.run_to_end("test", "orders.lua", code=2).log())
        self.assertIn("one word too many", self.run_to_end("test", "orders.lua", "a.lua", "b.lua", code=2).log())
        self.assertIn("an option does not go with", self.run_to_end("check", "orders.lua", "--update", code=2).log())

    def test_nothing_is_tested(self):
        """A file that asserts nothing does not pass."""
        self.assertIn("orders.cases.lua: there is no case in it: ls.case {", self.try_("", code=2))
        log = self.try_('ls.case { name = "a", stage = "shop", give = { old = { id = 7 } }, want = {} }\n', "--only", "out", code=2)
        self.assertIn("orders.cases.lua: there is no case of these stages in it", log)

    def test_what_came_before_a_hook_that_hangs(self):
        """... is told, also into a pipe."""
        self.write("orders.lua", SCRIPT.replace('topic = "wal",', 'topic = "wal", hook_timeout = "200ms",', 1).replace("seen = seen + 1", "while row.image.id == 3 do end"))
        case = 'ls.case { name = "%d", stage = "shop", give = { old = { id = %d } }, want = {} }\n'
        self.write("orders.cases.lua", HEAD + case % (1, 1) + case % (3, 3))
        p = self.run_to_end("test", "orders.lua", code=1)
        self.assertIn('orders.cases.lua:3: case "1": wanted no row, got 1 row', p.out())
        self.assertRegex(p.log(), r'map of connector "shop" has run for 0\.. s on one row .* \(row 1 of the batch that begins with public\.orders\): see')

    def test_only_and_another_file(self):
        self.write("more.lua", HEAD + 'ls.case { name = "a", stage = "shop", give = { new = { id = 7, status = "draft" } }, want = {} }\n'
                   'ls.case { name = "b", stage = "out", give = { old = { id = 7 } }, want = {} }\n')
        self.assertEqual(self.run_to_end("test", "orders.lua", "more.lua", "--only", "shop").out(), "1 passed, 0 failed\n")
        self.assertIn("1 passed, 1 failed\n", self.run_to_end("test", "orders.lua", "more.lua", code=1).out())
        self.assertIn("usage: list_sync test SCRIPT", self.run_to_end("test", "--help").out())
        self.assertIn("exit codes: 0: all are as wanted; 1: some are not", self.run_to_end("test", "--help").out())

    # ---- --update ----

    def test_update(self):
        """Only what is wanted is written anew; all else stays byte for byte, and the cases pass."""
        before = ('-- want = {}\r\nls.case {\n  name = "passes", stage = "shop",\n  give = { new = { id = 1, status = "draft" } },\n  want = { }, -- stays\n}\n'
                  'ls.case {\n  name = "one }",\n  stage = "shop", --[[ { ]] give = { new = { id = 7, total = "12.50", status = "a\\"\\n" } },\n  want = { --[[ } ]] new = { id = 7 }, key = "}" },\n}\n'
                  'ls.case {\n\tname = "none yet",\n\tstage = "shop",\n\tgive = { old = { id = 7 } }\n}\n'
                  'ls.case({ name = "in a line", stage = "shop", give = { new = { id = 8, total = 1 } }, want = { key = "x" }; }) local rest = 1 -- rest\n')
        after = before.replace('{ --[[ } ]] new = { id = 7 }, key = "}" }',
                               '{ action = "I", new = { id = 7, total = "25", status = "a\\"\\n", big = ls.null, seen = 1 }, key = "7" }')
        after = after.replace("\tgive = { old = { id = 7 } }\n", '\tgive = { old = { id = 7 } },\n\twant = { action = "D", old = { id = 7 } },\n')
        after = after.replace('{ key = "x" }', '{ action = "I", new = { id = 8, total = "2", status = ls.null, big = ls.null, seen = 1 }, key = "8" }')
        out = self.try_(before, "--update")
        self.assertTrue(out.endswith("orders.cases.lua: 3 written anew\n1 passed, 0 failed\n"), out)
        self.assertEqual(self.read(), HEAD + after)
        self.assertEqual(self.run_to_end("test", "orders.lua").out(), "4 passed, 0 failed\n")
        self.assertEqual(self.run_to_end("test", "orders.lua", "--update").out(), "4 passed, 0 failed\n")

    def test_update_keeps_lines_and_comments(self):
        """A file with CRLF stays one, and what is said of give stays behind it."""
        before = 'ls.case {\r\n  name = "a", stage = "shop",\r\n  give = { old = { id = 7 } } -- what is given\r\n}\r\nls.case {\n  name = "b", stage = "shop",\n  give = { old = { id = 7 } }, -- this\n}'
        after = before.replace("} -- what is given\r\n", '}, -- what is given\r\n  want = { action = "D", old = { id = 7 } },\r\n')
        after = after.replace("-- this\n", '-- this\n  want = { action = "D", old = { id = 7 } },\n')
        self.try_(before, "--update")
        self.assertEqual(self.read(), HEAD + after)
        self.assertEqual(self.run_to_end("test", "orders.lua").out(), "2 passed, 0 failed\n")

    def test_update_of_several_tables(self):
        """A row that is not of the table that its place in give says names its own."""
        self.write("orders.lua", SCRIPT.replace("seen = seen + 1", 'if row.table == "audit" then return false end row:clone()').replace('row.new.total', 'row.new.x'))
        self.try_('ls.table { "public.audit", { "id", "integer", key = 1 }, { "status", "string" } }\n'
                  'ls.case { name = "a", stage = "shop", give = { { table = "public.orders", old = { id = 7 } }, { table = "public.audit", new = { id = 7 } } } }\n', "--update")
        self.assertIn('  { action = "D", table = "public.orders", old = { id = 7 } },\n', self.read())
        self.assertEqual(self.run_to_end("test", "orders.lua").out(), "1 passed, 0 failed\n")

    def test_update_that_is_not_safe(self):
        for text, why in (
                ('for i = 1, 2 do ls.case { name = "a", stage = "shop", give = { old = { id = i } }, want = {} } end\n', "its call makes several cases"),
                ('local c = { name = "a", stage = "shop", give = { old = { id = 1 } }, want = {} }\nls.case(c)\n', "it is not plain where its want stands"),
                ('local lower_case = function() end lower_case { name = "b", give = {}, want = {} } local f = ls["case"] f { name = "a", stage = "shop", give = { old = { id = 1 } }, want = {} }\n',
                 "it is not plain where its want stands"),
                ('ls.case { name = "a", stage = "shop", give = { old = { id = 1 } }, want = {} } ls.case { name = "b", stage = "shop", give = { old = { id = 1 } } }\n',
                 "its call makes several cases|it is not plain")):
            log = self.try_(text, "--update", code=2)
            self.assertRegex(log, r"orders\.cases\.lua:\d+: case .*(%s).*nothing is changed" % why)
            self.assertEqual(self.read(), HEAD + text)

    def test_update_does_not_write_errors(self):
        text = ('ls.case { name = "a", stage = "shop", give = { old = { id = 1 } }, error = "x" }\nls.case { name = "b", stage = "shop", give = { new = { id = 1 } }, want = {} }\n')
        out = self.try_(text, "--update", code=1)
        self.assertTrue(out.endswith("0 passed, 2 failed\n"), out)
        self.assertEqual(self.read(), HEAD + text)

    def test_update_under_another_name_of_the_module(self):
        self.write("orders.cases.lua", (HEAD + 'ls.case { name = "a", stage = "shop", give = { new = { id = 7, total = "1" } } }\n').replace("ls.", "sync.").replace("local ls", "local sync"))
        self.run_to_end("test", "orders.lua", "--update")
        self.assertIn("big = sync.null", self.read())
        self.assertEqual(self.run_to_end("test", "orders.lua").out(), "1 passed, 0 failed\n")
