"""`python -m planted [NAME...]`: how soon the simulation finds each wrong line of tests/simulation/faults.

They are planted in a copy of the sources, one at a time. Fails if one is not found within the runs of `make test`; all
of them together write their record.
"""

import argparse
import sys

from local.paths import ROOT
from planted import copy, faults, record


def main() -> None:
    """Plants all faults, or those that are named."""
    parser = argparse.ArgumentParser(prog="planted")
    parser.add_argument("names", nargs="*", help="faults, without .patch")
    names = parser.parse_args().names
    wanted = [fault for fault in faults.all_of(ROOT) if not names or fault.name in names]
    if not wanted:
        sys.exit(
            f"error: there is no such fault\n       Name some of {', '.join(f.name for f in faults.all_of(ROOT))}."
        )
    findings = []
    for fault in wanted:
        print(f"{fault.name}: {fault.title}", flush=True)
        tree = copy.of_sources(ROOT)
        copy.plant(tree, fault.patch)
        finding = faults.look_for(fault, tree, ROOT / "target")
        print(f"    {finding}", flush=True)
        findings.append(finding)
    if not names:
        record.write(findings, ROOT / "docs" / "assurance" / "planted-faults.md")
    missed = [finding.fault.name for finding in findings if finding.seed is None]
    if missed:
        sys.exit(f"error: not found: {', '.join(missed)}")


if __name__ == "__main__":
    main()
