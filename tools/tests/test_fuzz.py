"""The summary of an attack on the API tells the truth."""

import unittest
from typing import Any

from fuzz.summary import summary

DOCUMENT = {"paths": {"/links": {"get": {}, "post": {}}, "/requests": {"post": {}}}}


def report(tested: int, *contradicted: str, errored: int = 0, complete: bool = True) -> dict[str, Any]:
    """A report of Schemathesis, as far as it is read."""
    return {
        "complete": complete,
        "operations": {"tested": tested, "errored": errored},
        "failures": [{"operations": [operation]} for operation in contradicted],
        "test_cases": {"generated": 10 * tested},
    }


class Summary(unittest.TestCase):
    """Summing up reports."""

    def test_every_operation_of_the_document_counts_once(self) -> None:
        outcome = summary(DOCUMENT, [report(2), report(1)])
        self.assertTrue(outcome.good)
        self.assertEqual(outcome.text, "3 operations, 30 test cases\ntest result: ok. 3 passed; 0 failed;")

    def test_an_operation_that_fails_two_checks_fails_once(self) -> None:
        outcome = summary(DOCUMENT, [report(2, "GET /links", "GET /links"), report(1)])
        self.assertEqual((outcome.good, outcome.passed, outcome.failed), (False, 2, 1))

    def test_an_operation_that_was_not_tested_fails(self) -> None:
        for reports in ([report(2)], [report(2), report(1, errored=1)], [report(2), report(1, complete=False)]):
            outcome = summary(DOCUMENT, reports)
            self.assertEqual((outcome.good, outcome.passed, outcome.failed), (False, 2, 1))
