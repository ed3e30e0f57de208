"""Running the tests again and again: what counts as a failure, and how many were in a row."""

import tempfile
import unittest
from pathlib import Path

from flakes import record, runs

GOOD = runs.Run("2026-11-30", "abcdef0", 21.04, 2_100, 0, [])


class Outcomes(unittest.TestCase):
    """What the tests print."""

    def test_the_last_summary_counts(self) -> None:
        printed = "1 passed, 0 failed\n...\n\n2100 passed, 1 failed\ntest a::b ... FAILED\nFAIL: test_c (tests.D)\n"
        self.assertEqual(runs.outcome(printed, 1), (2_100, 1, ["a::b", "test_c"]))

    def test_what_fails_before_any_test_is_a_failure(self) -> None:
        self.assertEqual(runs.outcome("error: could not compile\n", 2), (0, 0, ["exit code 2"]))
        self.assertFalse(GOOD._replace(passed=0).is_good)
        self.assertTrue(GOOD.is_good)


class Recorded(unittest.TestCase):
    """The table, from which the next call goes on."""

    def test_runs_are_counted_since_the_last_failure(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "flakes.md"
            self.assertEqual(record.in_a_row(path), 0)
            for run in (GOOD, GOOD._replace(failed=1, what_failed=["a::b"]), GOOD, GOOD):
                record.add(run, path)
            self.assertEqual(record.in_a_row(path), 2)
            self.assertEqual(len(record.known(path)), 4)
            self.assertIn("| 2 | 2026-11-30 | abcdef0 | 21.0 | 2,100 | 1 | `a::b` |", path.read_text())
