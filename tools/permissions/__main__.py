"""`python -m permissions`: after all tests on one stack, compares what they used with what template.yaml allows.

What is missing from a role has failed a test already, since the local AWS enforces roles; what is too much shows here.
`python -m permissions write` writes the roles down in docs/PERMISSIONS.md.
"""

import os
import sys
from collections.abc import Iterable

from local import aws, calls, template
from permissions import granted, page, used
from permissions.granted import Call


def main() -> int:
    """Prints each difference, and one line as Cargo has it; returns 1 if there is one."""
    if sys.argv[1:] == ["write"]:
        page.FILE.write_text(page.text(granted.calls(template.read()["Resources"])))
        return 0
    lines = calls.file().read_text().splitlines()
    seen = set(used.calls(lines, used.physical_names(aws.Endpoint.of(os.environ))))
    allowed = list(granted.calls(template.read()["Resources"]))
    differences = list(compare(allowed, seen))
    for difference in differences:
        print(difference)
    functions = {call.function for call in allowed}
    failed = {function for function in functions if any(line.startswith(f"{function}: ") for line in differences)}
    print(f"permissions: {len(seen)} kinds of calls by {len(functions)} functions, {len(allowed)} allowed")
    print(f"test result: {'FAILED' if failed else 'ok'}. {len(functions - failed)} passed; {len(failed)} failed;")
    return 1 if failed else 0


def compare(allowed: Iterable[Call], seen: Iterable[Call]) -> Iterable[str]:
    """One line for each call that is allowed and was not made, and the other way round."""
    allowed, seen = list(allowed), list(seen)
    for grant in allowed:
        if grant.condition is None and not granted.is_of_lambda(grant) and not any(grant.covers(call) for call in seen):
            yield f"{grant} is allowed, and no test made that call: remove it from the role, or test what needs it"
    for call in seen:
        if not any(grant.covers(call) for grant in allowed):
            yield f"{call} was called, and the role does not allow it"


if __name__ == "__main__":
    sys.exit(main())
