"""The demo's report says what is missing, and calls nothing equal that is not."""

import unittest
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.compare import compare
from demo.hops import Attempt, attempts, measure
from demo.report import Outcome, copy_verdict, render, table

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINK = "bcca0da9-a4c6-4830-9676-1d54682851d9"
ROWS = [{"id": f"row-{number}", "value_date": f"2026-01-{number:02}", "amount": number} for number in range(1, 13)]
COLLECTED = {"status": "collected", "verdict": "complete", "collection": {"pages": 1}}


def outcome(stored: list[dict[str, Any]], record: dict[str, Any] | None = None) -> Outcome:
    """A link that has `ROWS` at Belvo, of which these are stored."""
    return Outcome(
        access_mode="recurrent",
        link=LINK,
        record=record or COLLECTED,
        retrievals=1,
        hops=measure(NOON, NOON + timedelta(milliseconds=85), {}, []),
        transactions=compare(ROWS, stored),
        accounts=compare([], []),
    )


class Copy(unittest.TestCase):
    """What is said of a consumer's copy."""

    def test_an_equal_copy_is_called_equal_and_another_one_is_not(self) -> None:
        self.assertEqual(
            copy_verdict(compare(ROWS, ROWS)),
            "EQUAL: the consumer's copy has all 12 transactions exactly as Belvo has them.",
        )
        report = copy_verdict(compare(ROWS, ROWS[1:]))
        self.assertIn("1 of 12 transactions of the copy are missing", report)
        self.assertTrue(report.endswith("NOT EQUAL: the consumer's copy, see above."))


class Verdict(unittest.TestCase):
    """What makes a run good."""

    def test_equal_rows_and_a_complete_record_are_good(self) -> None:
        report = render([outcome(ROWS)])
        self.assertIn("EQUAL: all 12 transactions and 0 accounts", report)
        self.assertNotIn("NOT EQUAL", report)

    def test_missing_rows_are_counted_and_named_with_their_days(self) -> None:
        report = render([outcome(ROWS[:2])])
        self.assertIn("10 of 12 transactions are missing, from 2026-01-03 to 2026-01-12, such as:", report)
        self.assertIn("2026-01-03  row-3", report)
        self.assertTrue(report.endswith("NOT EQUAL: see the recurrent link above."))

    def test_fields_that_differ_are_named(self) -> None:
        report = render([outcome([{**ROWS[0], "amount": 7}, *ROWS[1:]])])
        self.assertIn("1 of 12 transactions differ, in amount (1), such as:", report)
        self.assertIn("amount: Belvo has 1, stored is 7", report)

    def test_equal_rows_do_not_excuse_a_record_that_says_otherwise(self) -> None:
        found = outcome(ROWS, {**COLLECTED, "verdict": "short by 3"})
        self.assertFalse(found.good)
        self.assertIn("short by 3", render([found]))

    def test_a_retrieval_that_did_not_end_is_not_good(self) -> None:
        found = outcome(ROWS, {"status": "notified"})
        self.assertFalse(found.good)
        self.assertIn("none (notified)", render([found]))

    def test_a_failure_is_told_in_belvos_words(self) -> None:
        failure = {"code": "login_error", "message": "Invalid credentials."}
        report = render([outcome([], {"status": "failed", "failure": failure})])
        self.assertIn("login_error: Invalid credentials.", report)

    def test_one_bad_link_makes_the_run_bad(self) -> None:
        self.assertIn("NOT EQUAL", render([outcome(ROWS), outcome(ROWS[1:])]))


class Table(unittest.TestCase):
    """The table's shape."""

    def test_every_line_has_the_width_of_its_head(self) -> None:
        lines = table([outcome(ROWS), outcome(ROWS[:3], {"status": "issued"})])
        self.assertEqual({len(line) for line in lines}, {len(lines[0])})


class Hops(unittest.TestCase):
    """Times taken from the record and from the sandbox's log."""

    def test_each_hop_is_measured_where_it_happens(self) -> None:
        record = {
            "issued_at": "2026-03-01T12:00:00.080Z",
            "notified_at": "2026-03-01T12:00:00.150Z",
            "collected_at": "2026-03-01T12:00:01.650Z",
            "collection": {"started_at": "2026-03-01T12:00:00.400Z", "finished_at": "2026-03-01T12:00:01.650Z"},
        }
        refused = Attempt(NOON + timedelta(milliseconds=130), 503, 9)
        taken = Attempt(NOON + timedelta(milliseconds=140), 202, 12)
        hops = measure(NOON, NOON + timedelta(milliseconds=85), record, [refused, taken])
        self.assertEqual((hops.request_ms, hops.belvo_works_ms, hops.acknowledged_ms), (85, 50, 12))
        self.assertEqual((hops.store_ms, hops.collect_ms, hops.total_ms, hops.attempts), (1500, 1250, 1650, 2))

    def test_a_hop_that_did_not_happen_has_no_time(self) -> None:
        hops = measure(NOON, NOON, {}, [])
        self.assertEqual((hops.belvo_works_ms, hops.acknowledged_ms, hops.store_ms, hops.total_ms), (None,) * 4)

    def test_the_webhook_of_a_request_is_found_in_either_spelling_of_its_id(self) -> None:
        attempt = {"at": "2026-03-01T12:00:00.123456789Z", "status": 202, "latency_ms": 5}
        other = {"body": {"request_id": None}, "attempts": [attempt]}
        own = {"body": {"request_id": "b5d0106a-c9cc-43d5-b361-99fe831f6bbe"}, "attempts": [attempt]}
        found = attempts({"deliveries": [other, own]}, "b5d0106ac9cc43d5b36199fe831f6bbe")
        self.assertEqual(found, [Attempt(NOON + timedelta(microseconds=123456), 202, 5)])
