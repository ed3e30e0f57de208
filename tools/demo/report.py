"""What the demo prints at its end: one table, and what is wrong, if anything is."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from demo.compare import Comparison, Document
from demo.hops import Hops

EXAMPLES = 3
COMPLETE = "complete"


@dataclass(frozen=True)
class Outcome:
    """One link, after its way through the pipeline."""

    access_mode: str
    link: str
    record: dict[str, Any]
    retrievals: int
    hops: Hops
    transactions: Comparison
    accounts: Comparison

    @property
    def collection(self) -> dict[str, Any]:
        """What the record says of the collection; empty if there was none."""
        return self.record.get("collection") or {}

    @property
    def verdict(self) -> str:
        """The record's own verdict, or how far it came."""
        return self.record.get("verdict") or f"none ({self.record['status']})"

    @property
    def good(self) -> bool:
        """Whether everything is stored as Belvo has it, and the pipeline says so too."""
        return self.transactions.equal and self.accounts.equal and self.verdict == COMPLETE


def render(outcomes: list[Outcome]) -> str:
    """The table, then what is wrong, then the verdict."""
    wrong = [line for outcome in outcomes for line in complaints(outcome)]
    return "\n".join([*table(outcomes), "", *wrong, *([""] if wrong else []), verdict(outcomes)])


def table(outcomes: list[Outcome]) -> list[str]:
    """One column per link."""
    columns = [_column(outcome) for outcome in outcomes]
    names = list(columns[0])
    first = max(map(len, names))
    widths = [max(map(len, column.values())) for column in columns]
    lines = [
        "  ".join(
            [name.ljust(first), *(column[name].rjust(width) for column, width in zip(columns, widths, strict=True))]
        )
        for name in names
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def verdict(outcomes: list[Outcome]) -> str:
    """The last line."""
    if not all(outcome.good for outcome in outcomes):
        bad = " and ".join(outcome.access_mode for outcome in outcomes if not outcome.good)
        return f"NOT EQUAL: see the {bad} link above."
    rows = sum(outcome.transactions.stored for outcome in outcomes)
    accounts = sum(outcome.accounts.stored for outcome in outcomes)
    return f"EQUAL: all {rows:,} transactions and {accounts} accounts are stored exactly as Belvo has them."


def copy_verdict(copy: Comparison) -> str:
    """What became of a consumer's copy."""
    if copy.equal:
        return f"EQUAL: the consumer's copy has all {copy.stored:,} transactions exactly as Belvo has them."
    return "\n".join(
        [*_complaints_about("transactions of the copy", copy), "NOT EQUAL: the consumer's copy, see above."]
    )


def complaints(outcome: Outcome) -> list[str]:
    """Everything that is wrong with a link."""
    lines = [
        *_complaints_about("transactions", outcome.transactions),
        *_complaints_about("accounts", outcome.accounts),
    ]
    if outcome.verdict != COMPLETE:
        lines.append(f"  the verdict of its record is: {outcome.verdict}")
    if failure := outcome.record.get("failure"):
        lines.append(f"  the retrieval failed: {failure['code']}: {failure['message']}")
    return [f"The {outcome.access_mode} link {outcome.link}:", *lines] if lines else []


def _column(outcome: Outcome) -> dict[str, str]:
    hops, rows, accounts, collection = outcome.hops, outcome.transactions, outcome.accounts, outcome.collection
    declared = outcome.record.get("declared") or {}
    return {
        "Access mode": outcome.access_mode,
        "POST /requests to its 202": _duration(hops.request_ms),
        "Belvo's 202 to its webhook": _duration(hops.belvo_works_ms),
        "Webhook acknowledged in": _duration(hops.acknowledged_ms),
        "Webhook to everything stored": _duration(hops.store_ms),
        "  of which fetching and storing": _duration(hops.collect_ms),
        "In all": _duration(hops.total_ms),
        "Attempts to deliver the webhook": str(hops.attempts),
        "Retrievals spent": str(outcome.retrievals),
        "Pages fetched": _count(collection.get("pages")),
        "Transactions, by the webhook": _count(declared.get("total_transactions")),
        "Transactions, at Belvo": _count(rows.at_belvo),
        "Transactions, stored": _count(rows.stored),
        "Accounts, at Belvo": _count(accounts.at_belvo),
        "Accounts, stored": _count(accounts.stored),
        "Missing": _count(len(rows.missing) + len(accounts.missing)),
        "Not at Belvo": _count(len(rows.extra) + len(accounts.extra)),
        "With other fields": _count(len(rows.different) + len(accounts.different)),
        "Verdict of the record": outcome.verdict,
    }


def _complaints_about(what: str, found: Comparison) -> list[str]:
    lines = []
    if found.missing:
        lines += _listed(f"{len(found.missing):,} of {found.at_belvo:,} {what} are missing", found.missing)
    if found.extra:
        lines += _listed(f"{len(found.extra):,} {what} are stored that Belvo does not have", found.extra)
    if found.repeated:
        examples = ", ".join(found.repeated[:EXAMPLES])
        lines.append(f"  {len(found.repeated):,} {what} came more than once, such as {examples}")
    if found.different:
        places = Counter(difference.path for _, differences in found.different for difference in differences)
        fields = ", ".join(f"{path} ({times:,})" for path, times in places.most_common())
        lines.append(f"  {len(found.different):,} of {found.at_belvo:,} {what} differ, in {fields}, such as:")
        for document, differences in found.different[:EXAMPLES]:
            lines.append(_named(document))
            lines += [f"      {d.path}: Belvo has {d.at_belvo!r}, stored is {d.stored!r}" for d in differences]
    return lines


def _listed(claim: str, documents: list[Document]) -> list[str]:
    days = sorted(document["value_date"] for document in documents if document.get("value_date"))
    span = f", from {days[0]} to {days[-1]}" if days else ""
    return [f"  {claim}{span}, such as:", *map(_named, documents[:EXAMPLES])]


def _named(document: Document) -> str:
    return "    " + "  ".join(filter(None, [document.get("value_date"), document["id"]]))


def _duration(ms: int | None) -> str:
    if ms is None:
        return "-"
    return f"{ms:,} ms" if ms < 1000 else f"{ms / 1000:.2f} s"


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
