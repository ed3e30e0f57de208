"""Makes `requests.json` of Belvo's OpenAPI document: `python3 trim.py BelvoOpenApiSpec.json`.

The document is published at developers.belvo.com/_spec/apis/BelvoOpenApiSpec.json. It is large, most of it is prose,
and it states no licence, so only what a request to the sandbox is checked against is kept: paths, methods, parameters
and the schemas of bodies, unchanged but for their descriptions and examples.
"""

import json
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).with_name("requests.json")
SERVED = (
    "/api/token/",
    "/api/institutions/",
    "/api/institutions/{id}/",
    "/api/links/",
    "/api/links/{id}/",
    "/api/accounts/",
    "/api/accounts/{id}/",
    "/api/owners/",
    "/api/owners/{id}/",
    "/api/transactions/",
    "/api/transactions/{id}/",
    "/api/invoices/",
    "/api/invoices/{id}/",
    "/api/br/employments/",
    "/api/br/employments/{id}/",
    "/api/employment-records/",
    "/api/employment-records/{id}/",
    "/api/financial-statements/",
    "/api/financial-statements/{id}/",
)
PROSE = ("description", "example", "title")
# Their members are named by Belvo, so that one called `description` is no prose.
NAMES = ("properties", "schemas")


def main() -> None:
    """Writes one line for each operation and for each schema."""
    document = json.loads(Path(sys.argv[1]).read_text())
    paths = {path: _operations(document, document["paths"][path]) for path in SERVED}
    schemas = {name: _bare(document["components"]["schemas"][name]) for name in _reachable(document, paths)}
    version = json.dumps(document["info"]["version"])
    OUT.write_text(f"""{{
"openapi": {json.dumps(document["openapi"])},
"info": {{"title": "Belvo's API: the requests that the sandbox serves", "version": {version}}},
"paths": {{
{_lines({path: "{" + chr(10) + _lines(operations) + "}" for path, operations in paths.items()}, str)}}},
"components": {{"schemas": {{
{_lines(schemas)}}}}}
}}
""")


def _operations(document: dict[str, Any], path: dict[str, Any]) -> dict[str, Any]:
    return {
        method: {
            "parameters": [_bare(_resolved(document, parameter)) for parameter in operation.get("parameters", [])],
            **({"requestBody": _bare(operation["requestBody"])} if "requestBody" in operation else {}),
        }
        for method, operation in path.items()
    }


def _resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    for part in value["$ref"].removeprefix("#/").split("/"):
        document = document[part]
    return document


def _bare(value: Any, *, names: bool = False) -> Any:
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _bare(item, names=key in NAMES) for key, item in value.items() if names or key not in PROSE}


def _reachable(document: dict[str, Any], value: Any) -> list[str]:
    """The schemas that a value refers to, and those that they refer to."""
    found: set[str] = set()
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            pending += value.values()
            name = str(value.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                pending.append(document["components"]["schemas"][name])
    return sorted(found)


def _lines(members: dict[str, Any], text: Any = json.dumps) -> str:
    return ",\n".join(f"{json.dumps(name)}: {text(member)}" for name, member in members.items())


if __name__ == "__main__":
    main()
