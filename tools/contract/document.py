"""Belvo's OpenAPI document, as far as tools/belvo-sandbox keeps it, and what it does not allow."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from contract.shape import joined, type_name
from local.paths import ROOT

DOCUMENT = ROOT / "tools" / "belvo-sandbox" / "tests" / "belvo-openapi-subset.json"
NULL = {"type": "null"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
PAGE = ("count", "next", "previous", "results")
FORMATS = FormatChecker(("date", "email", "uuid"))
# Where the document contradicts itself: a typo in a list of required fields.
TYPO, CORRECTED = "total_effectove_cost", "total_effective_cost"


@FORMATS.checks("date-time", raises=ValueError)
def is_timestamp(text: Any) -> bool:
    """Whether a text is a date-time of RFC 3339. Other types are none of its business."""
    return not isinstance(text, str) or bool(TIMESTAMP.fullmatch(text) and datetime.fromisoformat(text))


class Document:
    """The schemas of answers, corrected in the few places where the document contradicts itself."""

    def __init__(self) -> None:
        """Reads the document."""
        document = json.loads(DOCUMENT.read_text())
        self.version: str = document["info"]["version"]
        components = document["components"]
        loan = components["schemas"]["AccountLoanDataOpenFinanceBrazil"]
        loan["required"] = [CORRECTED if name == TYPO else name for name in loan["required"]]
        # Its text says "set to null" where Belvo takes it for personal data.
        components["schemas"]["external_id"]["nullable"] = True
        self._components = _translated(components)

    def object(self, name: str) -> Draft202012Validator:
        """Validates one object of a schema."""
        return self._validator(_reference(name))

    def page_of(self, name: str) -> Draft202012Validator:
        """Validates a page of such objects. The document does not say that its members are required; they are."""
        properties = self._components["schemas"]["common_pagination_properties"]["properties"]
        properties = {**properties, "results": {"type": "array", "items": _reference(name)}}
        return self._validator(
            {"type": "object", "properties": properties, "required": PAGE, "additionalProperties": False}
        )

    def response(self, name: str) -> Draft202012Validator:
        """Validates the body of one of the named responses."""
        return self._validator(self._components["responses"][name]["content"]["application/json"]["schema"])

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        return Draft202012Validator({**schema, "components": self._components}, format_checker=FORMATS)


def violations(validator: Draft202012Validator, body: Any) -> Iterator[tuple[str, str]]:
    """What the document does not allow: each place, with what is expected there, and never a value."""
    for error in validator.iter_errors(body):
        yield from _described(error)


def _described(error: ValidationError) -> Iterator[tuple[str, str]]:
    place = _place(error)
    rule = error.validator_value
    match error.validator:
        case "anyOf":
            # The value, or null, which it is not.
            for inner in error.context:
                if inner.schema_path[0] == 0:
                    yield from _described(inner)
        case "required":
            for name in rule:
                if name not in error.instance:
                    yield joined(place, name), "is required"
        case "additionalProperties":
            for name in error.instance.keys() - error.schema["properties"].keys():
                yield joined(place, name), "is not in the document"
        case "type":
            yield place, f"should be {rule}, is {type_name(error.instance)}"
        case "enum":
            yield place, f"should be one of {len(rule)} values"
        case _:
            yield place, f"should have {error.validator} {rule}"


def _place(error: ValidationError) -> str:
    place = ""
    for part in error.absolute_path:
        place = f"{place}[]" if isinstance(part, int) else joined(place, part)
    return place


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _translated(value: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema, in which what may be null says so."""
    if isinstance(value, list):
        return [_translated(item) for item in value]
    if not isinstance(value, dict):
        return value
    schema = {key: _translated(member) for key, member in value.items()}
    properties = schema.get("properties")
    if isinstance(properties, dict) and schema.get("type") == "object":
        _allow_null_where_required(schema)
        # Errors may have more fields than the document lists.
        if not {"code", "message"} <= properties.keys():
            schema["additionalProperties"] = False
    return {"anyOf": [schema, NULL]} if schema.pop("nullable", False) is True else schema


def _allow_null_where_required(schema: dict[str, Any]) -> None:
    """A required key is there, and its value may be null (Belvo's chapter "Required and nullable fields")."""
    for name in schema.get("required", []):
        if name != "id":
            schema["properties"][name] = {"anyOf": [schema["properties"].get(name, {}), NULL]}
