"""What the reports of Schemathesis come to."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Summary:
    """Operations of which no answer contradicts the document, and others."""

    passed: int
    failed: int
    cases: int

    @property
    def good(self) -> bool:
        """Whether all are."""
        return self.failed == 0 and self.passed > 0

    @property
    def text(self) -> str:
        """Two lines, of which the second is such as Cargo prints."""
        operations = self.passed + self.failed
        verdict = "ok" if self.good else "FAILED"
        return (
            f"{operations} operations, {self.cases:,} test cases\n"
            f"test result: {verdict}. {self.passed} passed; {self.failed} failed;"
        )


def summary(document: dict[str, Any], reports: list[dict[str, Any]]) -> Summary:
    """Sums reports up. An operation that was not tested to the end counts as one that failed."""
    operations = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    whole = [report for report in reports if report["complete"]]
    tested = sum(report["operations"]["tested"] - report["operations"]["errored"] for report in whole)
    contradicted = {
        operation for report in whole for failure in report["failures"] for operation in failure["operations"]
    }
    passed = tested - len(contradicted)
    return Summary(passed, len(operations) - passed, sum(report["test_cases"]["generated"] for report in reports))
