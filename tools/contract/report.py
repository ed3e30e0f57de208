"""What a comparison prints: a table of the calls, the differences, and a verdict."""

from collections import Counter

from contract.calls import CALLS, Seen
from contract.judge import Finding

CALLED = ("CALL", "STATUS", "ANSWERS", "ROWS", "DIFFERENCES")
FOUND = ("CALL", "FIELD", "BY THE", "DIFFERENCE", "TIMES")


def render(belvo: Seen, fake: Seen, findings: Counter[Finding], notes: list[str]) -> str:
    """The whole of it."""
    calls = [_called(call, belvo, findings) for call in CALLS if call in belvo]
    lines = [*_table(CALLED, calls, numbers=4), ""]
    if findings:
        lines += [*_table(FOUND, [_found(*each) for each in findings.items()], numbers=0), ""]
    return "\n".join([*lines, *notes, *_headers(belvo, fake), verdict(belvo, findings)])


def verdict(belvo: Seen, findings: Counter[Finding]) -> str:
    """The last line."""
    if not findings:
        return f"EQUAL: no difference in {sum(map(len, belvo.values()))} answers to {len(belvo)} kinds of call."
    calls = len({finding.call for finding in findings})
    differences = "1 difference" if len(findings) == 1 else f"{len(findings)} differences"
    return f"DIFFERENT: {differences} in {calls} of {len(belvo)} kinds of call."


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]], numbers: int) -> list[str]:
    """Aligned columns, of which the last few are numbers."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    texts = len(headings) - numbers
    lines = []
    for row in (headings, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row[:texts], widths[:texts], strict=True)]
        cells += [cell.rjust(width) for cell, width in zip(row[texts:], widths[texts:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines


def _called(call: str, belvo: Seen, findings: Counter[Finding]) -> tuple[str, ...]:
    answers = belvo[call]
    statuses = ", ".join(sorted({str(answer.status) for answer in answers}))
    rows = sum(len(answer.rows) for answer in answers)
    differences = sum(finding.call == call for finding in findings)
    return call, statuses, str(len(answers)), str(rows), str(differences)


def _found(finding: Finding, times: int) -> tuple[str, ...]:
    return finding.call, finding.place or "(all)", finding.source, finding.text, str(times)


def _headers(belvo: Seen, fake: Seen) -> list[str]:
    """The headers that only Belvo sends: the pipeline reads none of them, and may wish to."""
    ours, theirs = _header_names(fake), _header_names(belvo)
    more = sorted(theirs - ours)
    return [f"Headers that the fake does not send, and the pipeline does not read: {', '.join(more)}"] if more else []


def _header_names(seen: Seen) -> set[str]:
    return {name.lower() for answers in seen.values() for answer in answers for name in answer.headers}
