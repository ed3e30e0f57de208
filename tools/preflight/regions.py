"""cfn-lint for one template in all regions: `.venv/policy/bin/python tools/preflight/regions.py TEMPLATE` prints JSON.

Some regions at a time: the time for one run grows faster than with the number of its regions, because cfn-lint resolves
each `Fn::Sub` for every combination of its values.
"""

import json
import sys
from pathlib import Path

from cfnlint.api import lint_file
from cfnlint.config import ConfigMixIn, ManualArgs
from cfnlint.helpers import REGIONS
from cfnlint.rules import Match
from cfnlint.runner import Runner

AT_A_TIME = 8
# Informational rules too; and all of them, whatever the template says of itself.
CHECKS = {"include_checks": ["I"], "mandatory_checks": ["E", "W", "I"]}


def main() -> None:
    """Prints how many regions and rules there are, and each finding once."""
    template = Path(sys.argv[1])
    found = {}
    for first in range(0, len(REGIONS), AT_A_TIME):
        config = ManualArgs(regions=REGIONS[first : first + AT_A_TIME], **CHECKS)
        for match in lint_file(template, config=config):
            found[match.rule.id, tuple(match.path or ()), match.message] = match
    print(json.dumps({"regions": len(REGIONS), "rules": _rules(), "findings": [*map(_finding, found.values())]}))


def _rules() -> int:
    config = ConfigMixIn(**CHECKS)
    rules = Runner(config).rules
    return sum(rules.is_rule_enabled(rule, config) for rule in rules.data)


def _finding(match: Match) -> dict[str, str]:
    # Without one, it is about the template as a whole.
    path = [str(part) for part in match.path or ["template"]]
    resource = path[1] if path[0] == "Resources" and len(path) > 1 else ".".join(path[:2])
    return {"rule": match.rule.id, "resource": resource, "message": match.message, "page": match.rule.source_url}


if __name__ == "__main__":
    main()
