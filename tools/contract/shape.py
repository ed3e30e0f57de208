"""The shape of JSON values: which fields there are, of which types. Holds names, and no value."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

NULL = "null"
# What is taken for a name of Belvo's. Anything else may be a value that stands where a name should, and is not printed.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


@dataclass
class Shape:
    """What was seen at one place of a document, in all examples of it together."""

    seen: int = 0
    types: dict[str, int] = field(default_factory=dict)
    fields: dict[str, "Shape"] = field(default_factory=dict)
    items: "Shape | None" = None

    def add(self, value: Any) -> None:
        """Takes one more example into account."""
        self.seen += 1
        kind = type_name(value)
        self.types[kind] = self.types.get(kind, 0) + 1
        if isinstance(value, dict):
            for name, member in value.items():
                self.fields.setdefault(name, Shape()).add(member)
        elif isinstance(value, list):
            for item in value:
                self.items = self.items or Shape()
                self.items.add(item)

    @property
    def objects(self) -> int:
        """How many of the examples are objects."""
        return self.types.get("object", 0)


def shape_of(examples: Iterable[Any]) -> Shape:
    """The shape of all these examples together."""
    shape = Shape()
    for example in examples:
        shape.add(example)
    return shape


def type_name(value: Any) -> str:
    """JSON's name for the type of a value."""
    return NAMES.get(type(value), NULL)


def differences(belvo: Shape, fake: Shape, place: str = "") -> Iterator[tuple[str, str]]:
    """Where an answer of Belvo's is none that the fake gives: each place, with what differs there.

    The fake is known well and Belvo by a few examples. So it is no difference that the fake has a field only at times,
    or a null or a type that Belvo did not show.
    """
    for kind in belvo.types:
        if kind not in fake.types and not (kind == "integer" and "number" in fake.types):
            yield place, f"{kind} at Belvo, in the fake {' or '.join(sorted(fake.types))}"
    if belvo.objects and fake.objects:
        yield from _of_fields(belvo, fake, place)
    if belvo.items and fake.items:
        yield from differences(belvo.items, fake.items, f"{place}[]")
    elif belvo.items and "array" in fake.types:
        yield f"{place}[]", "elements at Belvo, none in the fake"


def _of_fields(belvo: Shape, fake: Shape, place: str) -> Iterator[tuple[str, str]]:
    for name, member in belvo.fields.items():
        if name in fake.fields:
            yield from differences(member, fake.fields[name], joined(place, name))
        else:
            yield joined(place, name), "at Belvo, not in the fake"
    for name, member in fake.fields.items():
        is_constant = member.seen == fake.objects
        if is_constant and name not in belvo.fields:
            yield joined(place, name), "in the fake, not at Belvo"
        elif is_constant and belvo.fields[name].seen < belvo.objects:
            yield joined(place, name), "always in the fake, at times missing at Belvo"


def joined(place: str, name: str) -> str:
    """The place of a member of an object, as it is printed."""
    shown = name if NAME.fullmatch(name) else "(not a name)"
    return f"{place}.{shown}" if place else shown
