"""Compares answers of Belvo's with its document and with those of the fake."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from jsonschema import Draft202012Validator

from contract.calls import CALLS, LISTINGS, OBJECTS, RESPONSES, RETRIEVED, Seen, next_query
from contract.client import Answer
from contract.document import Document, violations
from contract.reference import Fake
from contract.shape import differences, shape_of

# Without rows of these, next to nothing is compared.
NEEDED = ("institutions", "links", "accounts", "transactions")
NO_ROW = "no row to compare: name a link that has rows, LINK=…"


@dataclass(frozen=True)
class Finding:
    """One difference: in which call, where in the answer, by the document, the fake or the pipeline, and which."""

    call: str
    place: str
    source: str
    text: str


def judge(belvo: Seen, fake: Fake, document: Document, page_rows: int) -> Counter[Finding]:
    """Every difference, with how often it was seen."""
    found = Counter(Finding(call, "results", "pipeline", NO_ROW) for call in NEEDED if call not in belvo)
    for call in (call for call in CALLS if call in belvo):
        for answer in belvo[call]:
            found.update(Finding(call, *wrong) for wrong in _of_answer(call, answer, fake, document))
        good = [answer for answer in belvo[call] if answer.status == status(call)]
        if call in LISTINGS:
            found.update(Finding(call, *wrong) for wrong in _of_pages(call, good, page_rows))
        if good:
            of_fake = differences(shape_of(answer.body for answer in good), fake.shape(call))
            found.update(Finding(call, place, "fake", text) for place, text in of_fake)
    return found


def status(call: str) -> int:
    """The status that the answer to a call has."""
    return RESPONSES[call][0] if call in RESPONSES else 200


def _of_answer(call: str, answer: Answer, fake: Fake, document: Document) -> Iterator[tuple[str, str, str]]:
    wait = answer.headers.get("Retry-After")
    if wait is not None and not wait.isdecimal():
        yield "Retry-After", "pipeline", "should be whole seconds, the only form that is read"
    if answer.status != status(call):
        code = f" ({answer.code})" if answer.code else ""
        yield "status", "pipeline", f"should be {status(call)}, is {answer.status}{code}"
        return
    like = fake.seen.get(call, [])
    if like and answer.media_type not in {each.media_type for each in like}:
        yield "Content-Type", "fake", f"should be {like[0].media_type}"
    if like and answer.code not in {each.code for each in like}:
        yield "[].code", "fake", f"should be {like[0].code}"
    for place, text in violations(_validator(call, document), answer.body):
        yield place, "document", text


def _of_pages(call: str, pages: list[Answer], page_rows: int) -> Iterator[tuple[str, str, str]]:
    rows = [row for page in pages for row in page.rows]
    ids = [row["id"] for row in rows if isinstance(row, dict) and "id" in row]
    if pages and not rows and call in NEEDED:
        yield "results", "pipeline", NO_ROW
    if len(ids) != len(set(map(str, ids))):
        yield "results", "pipeline", "a row is there twice"
    if any(len(page.rows) > page_rows for page in pages):
        yield "results", "pipeline", "more rows than the page should have"
    if any(isinstance(page.body, dict) and page.body.get("next") and not next_query(page) for page in pages):
        yield "next", "pipeline", "should have a query, by which the next page is read"


def _validator(call: str, document: Document) -> Draft202012Validator:
    if call in RESPONSES:
        return document.response(RESPONSES[call][1])
    if call in OBJECTS:
        return document.object(LISTINGS[OBJECTS[call]][1])
    return document.page_of(LISTINGS["transactions" if call == RETRIEVED else call][1])
