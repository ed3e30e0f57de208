"""`python -m flakes [--times N]`: runs `make test` until it has passed N times in a row, on a busy machine.

Each run is recorded, so that the next call goes on where this one was stopped. Ends with the first run that fails.
"""

import argparse
import sys

from flakes import record, runs
from local.paths import ROOT

LOGS = ROOT / ".local" / "flakes"
RECORD = ROOT / "docs" / "assurance" / "flakes.md"


def main() -> None:
    """Runs the tests again and again."""
    parser = argparse.ArgumentParser(prog="flakes")
    parser.add_argument("--times", type=int, default=20, help="how often they have to pass in a row (20)")
    times = parser.parse_args().times
    while (passed := record.in_a_row(RECORD)) < times:
        log = LOGS / f"{len(record.known(RECORD)) + 1}.log"
        print(f"{passed} of {times} in a row; running: {log.relative_to(ROOT)}", flush=True)
        run = runs.run(ROOT, log)
        record.add(run, RECORD)
        print(f"    {run.passed} passed, {run.failed} failed, in {run.minutes:.1f} minutes", flush=True)
        if not run.is_good:
            sys.exit(f"error: failed: {', '.join(run.what_failed)}\n       {log} has what they printed.")
    print(f"passed {passed} times in a row: {RECORD.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
