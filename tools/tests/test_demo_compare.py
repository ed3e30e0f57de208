"""The demo sees every difference, and only differences."""

import json
import unittest
from decimal import Decimal
from typing import Any

from demo.compare import ABSENT, Difference, compare, differences


def read(text: str) -> Any:
    """JSON as the demo reads it."""
    return json.loads(text, parse_float=Decimal)


def differ(one: str, other: str) -> list[Difference]:
    """The differences of two JSON texts."""
    return list(differences(read(one), read(other)))


class Differences(unittest.TestCase):
    """Comparing two documents."""

    def test_numbers_are_equal_by_value(self) -> None:
        self.assertEqual(differ('{"a": 10.50, "b": 2}', '{"b": 2.0, "a": 10.5}'), [])

    def test_the_last_of_many_digits_counts(self) -> None:
        self.assertEqual(len(differ("1234567890123456789.01", "1234567890123456789.02")), 1)

    def test_null_and_absent_are_different(self) -> None:
        self.assertEqual(differ('{"a": null}', "{}"), [Difference("a", None, ABSENT)])
        self.assertEqual(differ("{}", '{"a": null}'), [Difference("a", ABSENT, None)])

    def test_a_truth_value_is_no_number(self) -> None:
        self.assertEqual(differ('{"a": true}', '{"a": 1}'), [Difference("a", True, 1)])
        self.assertEqual(differ('{"a": false}', '{"a": false}'), [])

    def test_a_number_is_no_text(self) -> None:
        self.assertEqual(differ("1", '"1"'), [Difference("", 1, "1")])

    def test_each_difference_has_its_place(self) -> None:
        found = differ(
            '{"account": {"balance": {"current": 1.5}}, "tags": ["a", "b"]}',
            '{"account": {"balance": {"current": 1.6}}, "tags": ["a", "c"]}',
        )
        self.assertEqual([difference.path for difference in found], ["account.balance.current", "tags[1]"])

    def test_lists_of_other_lengths_differ_as_a_whole(self) -> None:
        self.assertEqual(differ('{"tags": [1]}', '{"tags": [1, 2]}'), [Difference("tags", [1], [1, 2])])


class Documents(unittest.TestCase):
    """Comparing two sets of documents."""

    def test_the_order_does_not_matter(self) -> None:
        self.assertTrue(compare([{"id": "1"}, {"id": "2"}], [{"id": "2"}, {"id": "1"}]).equal)

    def test_a_document_that_is_not_stored_is_missing(self) -> None:
        found = compare([{"id": "1"}, {"id": "2"}], [{"id": "1"}])
        self.assertEqual((found.missing, found.at_belvo, found.stored), ([{"id": "2"}], 2, 1))
        self.assertFalse(found.equal)

    def test_a_document_that_belvo_does_not_have_is_extra(self) -> None:
        found = compare([], [{"id": "1"}])
        self.assertEqual(found.extra, [{"id": "1"}])
        self.assertFalse(found.equal)

    def test_a_document_that_is_read_twice_is_told(self) -> None:
        found = compare([{"id": "1"}], [{"id": "1"}, {"id": "1"}])
        self.assertEqual((found.repeated, found.stored), (["1"], 1))
        self.assertFalse(found.equal)

    def test_a_document_with_another_field_is_told(self) -> None:
        found = compare([{"id": "1", "amount": 1}], [{"id": "1", "amount": 2}])
        self.assertEqual(found.different, [({"id": "1", "amount": 1}, [Difference("amount", 1, 2)])])
        self.assertFalse(found.equal)
