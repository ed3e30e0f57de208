"""What Belvo has against what is stored, field by field. Numbers are compared by value: 10.50 is 10.5."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]


class _Absent:
    """A field that is not there, which is something else than a field that is null."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


@dataclass(frozen=True)
class Difference:
    """One place in which two documents differ."""

    path: str
    at_belvo: Any
    stored: Any


@dataclass(frozen=True)
class Comparison:
    """How what is stored differs from what Belvo has. Nothing is listed when they are equal."""

    at_belvo: int
    stored: int
    missing: list[Document] = field(default_factory=list)
    extra: list[Document] = field(default_factory=list)
    # Ids that were read back more than once.
    repeated: list[str] = field(default_factory=list)
    # By the documents as Belvo has them.
    different: list[tuple[Document, list[Difference]]] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether every document is stored once, as Belvo has it, and none beside them."""
        return not (self.missing or self.extra or self.repeated or self.different)


def compare(at_belvo: Iterable[Document], stored: Iterable[Document]) -> Comparison:
    """Compares documents that have an `id`."""
    truth, found = list(at_belvo), list(stored)
    by_id = {document["id"]: document for document in found}
    known = {document["id"] for document in truth}
    pairs = [(document, by_id[document["id"]]) for document in truth if document["id"] in by_id]
    differing = ((document, list(differences(document, other))) for document, other in pairs)
    return Comparison(
        at_belvo=len(truth),
        stored=len(by_id),
        missing=[document for document in truth if document["id"] not in by_id],
        extra=[document for document in by_id.values() if document["id"] not in known],
        repeated=[name for name, times in Counter(document["id"] for document in found).items() if times > 1],
        different=[(document, found) for document, found in differing if found],
    )


def differences(at_belvo: Any, stored: Any, path: str = "") -> Iterator[Difference]:
    """Every place in which two values differ, such as `counterparty.name` or `tags[2]`."""
    if isinstance(at_belvo, dict) and isinstance(stored, dict):
        for name in sorted(at_belvo.keys() | stored.keys()):
            inner = f"{path}.{name}" if path else name
            yield from differences(at_belvo.get(name, ABSENT), stored.get(name, ABSENT), inner)
    elif isinstance(at_belvo, list) and isinstance(stored, list) and len(at_belvo) == len(stored):
        for index, (one, other) in enumerate(zip(at_belvo, stored, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    # To Python, `True` is 1.
    elif at_belvo != stored or isinstance(at_belvo, bool) != isinstance(stored, bool):
        yield Difference(path, at_belvo, stored)
