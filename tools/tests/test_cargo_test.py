"""The summary of `make test` tells the truth."""

import unittest

from cargo_test import count, verdict

OUTPUT = """\
running 2 tests
test a ... ok
test b ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s
     Running unittests src/main.rs
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.20s
some test printed: test result: ok. 100 passed; 0 failed;
"""


class Summary(unittest.TestCase):
    """Counting and judging the output of `cargo test`."""

    def test_the_results_of_all_binaries_are_summed(self) -> None:
        self.assertEqual(count(OUTPUT.splitlines()), (13, 1))

    def test_success_needs_passed_tests_and_a_content_cargo(self) -> None:
        self.assertEqual(verdict(0, passed=3, failed=0), 0)

    def test_a_failed_test_fails_the_run(self) -> None:
        self.assertEqual(verdict(101, passed=3, failed=1), 1)

    def test_a_binary_that_crashed_fails_the_run(self) -> None:
        self.assertEqual(verdict(101, passed=3, failed=0), 1)

    def test_a_run_without_tests_fails(self) -> None:
        self.assertEqual(verdict(0, passed=0, failed=0), 1)
