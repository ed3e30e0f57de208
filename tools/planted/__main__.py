"""`python -m planted [NAME...]`: how soon the simulation finds each wrong line of tests/simulation/faults.

They are planted in a copy of the sources, one at a time, and what became of each is recorded. Fails if one is not found
within the runs of `make test`.
"""

import argparse
import sys

import checkout
from local.paths import ROOT
from planted import faults, record

COPY = ROOT / ".local" / "planted"
RECORD = ROOT / "docs" / "assurance" / "planted-faults.md"


def main() -> None:
    """Plants all faults, or those that are named."""
    parser = argparse.ArgumentParser(prog="planted")
    parser.add_argument("names", nargs="*", help="faults, without .patch")
    names = parser.parse_args().names
    everything = faults.all_of(ROOT)
    wanted = [fault for fault in everything if not names or fault.name in names]
    if not wanted:
        sys.exit(f"error: there is no such fault\n       Name some of {', '.join(fault.name for fault in everything)}.")
    findings = []
    for fault in wanted:
        print(f"{fault.name}: {fault.title}", flush=True)
        checkout.refresh(ROOT, COPY)
        faults.plant(fault.patch, COPY)
        finding = faults.look_for(fault, COPY, ROOT / "target")
        print(f"    {finding}", flush=True)
        findings.append(finding)
        record.write(findings, RECORD, [fault.name for fault in everything])
    missed = [finding.fault.name for finding in findings if finding.seed is None]
    if missed:
        sys.exit(f"error: not found: {', '.join(missed)}")


if __name__ == "__main__":
    main()
