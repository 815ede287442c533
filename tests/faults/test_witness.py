#!/usr/bin/env python3
"""The judge of tests/faults/run on messages and files that are wrong on purpose. Asks no server."""
import collections
import json
import os
import sys
import tempfile
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
for _name in "LS_BROKERS LS_PG_HOST LS_PG_PORT LS_PG_USER LS_PG_PASSWORD LS_MY_HOST LS_MY_PORT LS_MY_USER LS_MY_PASSWORD".split():
    os.environ.setdefault(_name, "0")  # lib wants them when it is read

from witness import Expected, Files, Topic, note_of  # noqa: E402

PARTITION = 0


def message(key, op, v, place):
    m = {"table": "small", "action": op, "source": {"pos": "%016d" % place[0], "seq": place[1]}}
    if op == "D":
        m["identity"] = [{"name": "id", "value": key}]
    else:
        m["columns"] = [{"name": "id", "value": key}, {"name": "v", "value": v}, {"name": "note", "value": note_of(v)}]
    return str(key).encode(), json.dumps(m).encode()


class Judge(unittest.TestCase):
    delivery = "exactly_once"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "rows.csv")
        self.pipeline = types.SimpleNamespace(delivery=self.delivery, topics={}, label="p", out=folder.name, is_split=False,
                                              has_place=self.delivery != "exactly_once")
        self.expected = Expected()
        self.topic = Topic(self.pipeline, self.expected, "")
        self.files = Files(self.pipeline, self.expected, self.topic)
        self.offset = collections.Counter()
        self.write("action,table,id,v,note" + ("" if self.delivery == "exactly_once" else ",pos,seq"))

    def write(self, *lines):
        with open(self.path, "a", encoding="ascii") as f:
            f.write("".join(line + "\n" for line in lines))

    def row(self, key, v, action="I", place=None):
        cells = [action, "s.small", str(key)] + ([str(v), note_of(v)] if action == "I" else ["", ""])
        self.write(",".join(cells + (["%016d" % place[0], str(place[1])] if place else [])))

    def send(self, *what, partition=PARTITION):
        self.topic.take("a", partition, self.offset[partition], *message(*what))
        self.offset[partition] += 1

    def problems(self):
        self.files.read()
        self.topic.check()
        self.files.check()
        return self.topic.problems.take() + self.files.problems.take()

    def assert_problem(self, pattern):
        self.assertRegex("\n".join(self.problems()), pattern)


class ExactlyOnce(Judge):
    def setUp(self):
        """A round that went well: rows 1 and 2."""
        super().setUp()
        self.expected.add([("small", "I", "1", 4), ("small", "I", "2", 8)])
        self.send(1, "I", 4, (10, 1))
        self.send(2, "I", 8, (10, 2))
        self.row(1, 4)
        self.row(2, 8)
        self.assertEqual(self.problems(), [])

    def next_round(self):
        self.expected.add([("small", "I", "3", 12), ("small", "U", "2", 16)])

    def test_what_is_right(self):
        self.next_round()
        self.send(3, "I", 12, (11, 1))
        self.send(2, "U", 16, (11, 2))
        self.row(3, 12)
        self.row(2, 0, "D")
        self.row(2, 16)
        self.assertEqual(self.problems(), [])

    def test_a_row_twice_in_the_files(self):
        self.expected.add([])
        self.row(2, 8)
        self.assert_problem(r"\('small', '2'\): row 2 of it is .* \(2 and 1 rows\)")

    def test_a_row_twice_that_did_not_change_in_the_round(self):
        self.next_round()
        self.row(1, 4)
        self.assert_problem(r"\('small', '1'\): row 2 of it is .* \(2 and 1 rows\)")

    def test_a_row_of_no_history(self):
        self.row(7, 28)
        self.assert_problem(r"\('small', '7'\): row 1 of it is .* \(1 and 0 rows\)")

    def test_a_row_is_lost(self):
        self.next_round()
        self.send(3, "I", 12, (11, 1))
        self.send(2, "U", 16, (11, 2))
        self.row(3, 12)
        self.row(2, 16)
        self.assert_problem(r"p files: \('small', '2'\): row 2 of it is")

    def test_a_message_is_lost(self):
        self.next_round()
        self.send(2, "U", 16, (11, 2))
        self.assert_problem(r"p topic: \('small', '3'\): lost from change 1 of 1 on")

    def test_a_message_twice(self):
        self.send(1, "I", 4, (10, 1))
        self.assert_problem("partition 0 has at offset 2 what it had at 0")

    def test_a_message_twice_in_another_partition(self):
        self.send(1, "I", 4, (10, 1), partition=1)
        self.assert_problem("partition 1 has at offset 0 another message of .*which came at 0")

    def test_rows_of_a_transaction_in_a_wrong_order(self):
        self.next_round()
        self.send(2, "U", 16, (11, 2))
        self.send(3, "I", 12, (11, 1))
        self.assert_problem(r"partition 0 has at offset 3 for the first time .*1\), which is before .*2\)")

    def test_what_was_rolled_back(self):
        self.send(1, "U", 20, (12, 1))
        self.assert_problem("came at .* as its change 2, where the history has none")


class AtLeastOnce(Judge):
    delivery = "at_least_once"

    def setUp(self):
        super().setUp()
        self.expected.add([("small", "I", "1", 4), ("small", "U", "1", 8)])
        self.send(1, "I", 4, (10, 1))
        self.send(1, "U", 8, (11, 1))

    def rows(self):
        self.row(1, 4, place=(10, 1))
        self.row(1, 0, "D", (11, 1))
        self.row(1, 8, place=(11, 1))

    def test_repeats(self):
        for place in ((10, 1), (11, 1)):
            self.send(1, "I" if place[0] == 10 else "U", 4 if place[0] == 10 else 8, place)
        self.rows()
        self.rows()
        self.assertEqual(self.problems(), [])

    def test_a_repeat_comes_last(self):
        self.send(1, "I", 4, (10, 1))
        self.rows()
        self.assert_problem("the last message is of change 1 of 2")

    def test_half_of_an_update_is_lost(self):
        self.row(1, 4, place=(10, 1))
        self.row(1, 8, place=(11, 1))
        self.assert_problem("D of change 2 .* is in no file")

    def test_a_row_in_a_wrong_order(self):
        self.row(1, 0, "D", (11, 1))
        self.row(1, 8, place=(11, 1))
        self.row(1, 4, place=(10, 1))
        self.assert_problem("I of change 1 comes in .* behind change 2")


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=1).result
    failed = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - failed, failed))
    sys.exit(1 if failed else 0)
