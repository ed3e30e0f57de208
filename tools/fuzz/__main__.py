"""The command line: `python -m fuzz --seed 1 --examples 5`, against the stack that the environment describes."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fuzz import stock
from fuzz.pipeline import Pipeline
from fuzz.summary import summary
from local.errors import LocalError
from local.paths import ROOT, VENVS

DOCUMENT = ROOT / "docs" / "openapi.json"
SETTINGS = Path(__file__).parent / "schemathesis.toml"
SCHEMATHESIS = VENVS / "api" / "bin" / "schemathesis"


def main() -> int:
    """Returns 0 if no answer contradicts the document; closes with a line as Cargo does, of a test per operation."""
    arguments = _parser().parse_args()
    try:
        variables = stock.fill(Pipeline(dict(os.environ)), os.environ["SANDBOX_URL"])
    except (LocalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        reports = _attack(Path(directory), arguments, variables)
    outcome = summary(json.loads(DOCUMENT.read_text()), reports)
    print(outcome.text, flush=True)
    return 0 if outcome.good else 1


def _attack(directory: Path, arguments: argparse.Namespace, variables: dict[str, str]) -> list[dict[str, Any]]:
    """Attacks the operations of each tag in a process of its own: most of the time goes by with waiting for answers.

    Returns the report of each.
    """
    tags = [tag["name"] for tag in json.loads(DOCUMENT.read_text())["tags"]]
    # Not its own workers, which are threads: what draws examples is not made for them in Python 3.11.
    running = [(tag, _start(directory / tag, tag, arguments, variables)) for tag in tags]
    for tag, process in running:
        if process.wait() != 0:
            print((directory / tag / "output").read_text(), flush=True)
    found = [directory / tag / "report.json" for tag in tags]
    return [json.loads(report.read_text()) for report in found if report.exists()]


def _start(
    directory: Path, tag: str, arguments: argparse.Namespace, variables: dict[str, str]
) -> subprocess.Popen[bytes]:
    directory.mkdir()
    command = [
        str(SCHEMATHESIS),
        f"--config-file={SETTINGS}",
        "run",
        f"--include-tag={tag}",
        "--phases=examples,coverage,fuzzing",
        f"--seed={arguments.seed}",
        f"--max-examples={arguments.examples}",
        "--report=json",
        f"--report-json-path={directory / 'report.json'}",
        str(DOCUMENT),
    ]
    env = {**os.environ, **variables, "PYTHONPATH": str(ROOT / "tools")}
    with (directory / "output").open("wb") as output:
        return subprocess.Popen(command, cwd=directory, env=env, stdout=output, stderr=subprocess.STDOUT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=5, help="how many examples of each operation are drawn")
    return parser


if __name__ == "__main__":
    sys.exit(main())
