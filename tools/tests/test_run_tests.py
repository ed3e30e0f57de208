"""The summary of `make test` tells the truth."""

import io
import sys
import unittest
from itertools import chain

from local import paths
from run_tests import DEPLOYED, Tally, count, other_tests, run_beside, run_python, verdict

OUTPUT = """\
running 2 tests
test a ... ok
test b ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s
     Running unittests src/main.rs
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.20s
some test printed: test result: ok. 100 passed; 0 failed;
"""
GOOD = Tally(passed=3, failed=0)


class Cargo(unittest.TestCase):
    """Counting the output of `cargo test`."""

    def test_the_results_of_all_binaries_are_summed(self) -> None:
        self.assertEqual(count(OUTPUT.splitlines()), (13, 1))

    def test_every_binary_is_run_once(self) -> None:
        patterns = (f"{folder}/tests/{file}" for folder in ("*", "*/*") for file in ("*.rs", "*/main.rs"))
        everywhere = chain.from_iterable(paths.ROOT.glob(pattern) for pattern in patterns)
        # Not the copies in .local.
        files = [file for file in everywhere if not file.relative_to(paths.ROOT).parts[0].startswith(".")]
        binaries = {file.parent.name if file.name == "main.rs" else file.stem for file in files}
        others = {option.removeprefix("--test=") for option in other_tests() if option.startswith("--test=")}
        self.assertEqual(others | set(DEPLOYED), binaries)
        self.assertFalse(others & set(DEPLOYED))


class Beside(unittest.TestCase):
    """Running commands while others run."""

    def test_what_they_print_is_kept_in_order_with_their_errors_and_counted(self) -> None:
        result = "test result: ok. 2 passed; 0 failed;"
        passes = f"import sys; print('at first', file=sys.stderr, flush=True); print({result!r})"
        printed, outcomes = run_beside([[sys.executable, "-c", passes], [sys.executable, "-c", "exit(3)"]])
        self.assertEqual(printed, f"at first\n{result}\n")
        self.assertEqual(outcomes, [(0, (2, 0)), (3, (0, 0))])


class Python(unittest.TestCase):
    """Counting the results of unittest."""

    def test_passed_failed_and_broken_tests_are_told_apart_and_skipped_ones_left_out(self) -> None:
        suite = unittest.TestSuite(
            [
                unittest.FunctionTestCase(lambda: None),
                unittest.FunctionTestCase(lambda: self.fail("on purpose")),
                unittest.FunctionTestCase(lambda: [][0]),
                unittest.FunctionTestCase(lambda: self.skipTest("on purpose")),
            ]
        )
        self.assertEqual(run_python(suite, io.StringIO()), (1, 2))


class Verdict(unittest.TestCase):
    """Judging the counts."""

    def test_success_needs_passed_tests_and_a_content_cargo(self) -> None:
        self.assertEqual(verdict(0, GOOD, GOOD), 0)

    def test_a_failed_test_in_either_language_fails_the_run(self) -> None:
        self.assertEqual(verdict(101, Tally(passed=3, failed=1), GOOD), 1)
        self.assertEqual(verdict(0, GOOD, Tally(passed=3, failed=1)), 1)

    def test_a_binary_that_crashed_fails_the_run(self) -> None:
        self.assertEqual(verdict(101, GOOD, GOOD), 1)

    def test_a_run_that_was_ended_by_a_signal_fails(self) -> None:
        self.assertEqual(verdict(-9, GOOD, GOOD), 1)

    def test_a_run_without_tests_in_either_language_fails(self) -> None:
        self.assertEqual(verdict(0, Tally(0, 0), GOOD), 1)
        self.assertEqual(verdict(0, GOOD, Tally(0, 0)), 1)
