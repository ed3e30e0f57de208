"""docs/PERMISSIONS.md: what each function may do, in one table."""

from collections.abc import Iterable

from local import paths
from permissions.granted import Call, is_of_lambda

FILE = paths.ROOT / "docs" / "PERMISSIONS.md"
HEAD = """# Permissions

What each function may do: every action of its role in `template.yaml`, and nothing else. `make test` runs the functions
under these roles, records each call that they make, and fails if a role allows one that no test has seen, or a function
makes one that its role does not allow (`tools/permissions`). `tools/tests/test_permissions.py` takes on each role and
tries what it must not be able to do.

Calls marked with * are made by Lambda itself in the name of the function: logs, traces, and reading what triggers it.
What is allowed under a condition of the template is allowed only with the parameter that the condition asks for. It is
not part of the comparison: local stacks have none of these parameters.

| function | action | on |
|---|---|---|
"""


def text(calls: Iterable[Call]) -> str:
    """The page."""
    rows: dict[tuple[str, str], list[str]] = {}
    for call in sorted(calls, key=lambda call: call[:3]):
        mark = " *" if is_of_lambda(call) else f" ({call.condition})" if call.condition else ""
        rows.setdefault((call.function, f"`{call.action}`{mark}"), []).append(f"`{call.resource}`")
    lines = (f"| {function} | {action} | {', '.join(names)} |\n" for (function, action), names in rows.items())
    return HEAD + "".join(lines)
