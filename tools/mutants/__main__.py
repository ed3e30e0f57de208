"""The command line: `python -m mutants run|report|merge`."""

import argparse
import re
import sys
from pathlib import Path

import checkout
from local import paths
from local.errors import LocalError
from mutants import areas, page, survivors
from mutants.cargo import Workshop
from mutants.page import Counts, OfAreas
from mutants.record import Record
from mutants.run import Run
from mutants.survivors import Findings
from preflight.page import quoted

RECORD = paths.ROOT / "docs" / "assurance" / "mutants.json"
PAGE = paths.ROOT / "docs" / "assurance" / "mutants.md"
# Of the viable mutants of every area.
WANTED_PERCENT = 95


def main() -> int:
    """Runs one command; a failure that the user can do something about is one line and exit code 1."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
        return report()
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("What was decided is kept: the same command continues.", file=sys.stderr)
        return 130


def report() -> int:
    """Prints the worst file first, fills the page, and returns 1 if the list of survivors or a share is not right."""
    record = Record.read(RECORD)
    of_areas = {area.name: record.of(areas.files(area, paths.ROOT)) for area in areas.AREAS}
    reasons = survivors.listed()
    made = page.tables(of_areas, reasons)
    PAGE.write_text(quoted(PAGE.read_text(), made))
    print(made["mutants-of-files"], made["mutants-of-areas"], sep="\n\n")
    complaints = problems(of_areas, survivors.compare(survivors.survived(paths.ROOT, record), reasons))
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def problems(of_areas: OfAreas, findings: Findings) -> list[str]:
    """What has to be done."""
    unlisted = [f"{one.file}: {one.change}, in `{one.line}`: no test notices" for one in findings.unlisted]
    gone = [f"{one.file}: {one.change}, in `{one.line}`: is listed, but does not survive" for one in findings.gone]
    counts = {area: Counts(files.values()) for area, files in of_areas.items()}
    few = [f"{area}: {count.percent} % are caught" for area, count in counts.items() if count.percent < WANTED_PERCENT]
    return [*unlisted, *gone, *few]


def _run(arguments: argparse.Namespace) -> None:
    workshop = Workshop(paths.ROOT, Path(arguments.program).absolute())
    checkout.refresh(workshop.root, workshop.copy)
    run = Run(workshop, Record.read(RECORD), is_again=arguments.again)
    for area in areas.chosen(arguments.area, arguments.file):
        run.area(area, arguments.file, arguments.shard)


def _merge(arguments: argparse.Namespace) -> None:
    record = Record.read(RECORD)
    for other in arguments.records:
        record.merge(Record.read(other))
    record.write()


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text} is no shard: 2/3 is the second of three")
    return int(found[1]), int(found[2])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="run what is undecided")
    run.add_argument("program", help="the program cargo-mutants")
    run.add_argument("--area", default="", help="only this area")
    run.add_argument("--file", default="", help="only this file")
    run.add_argument("--shard", type=_shard, default=(1, 1), help="a part of the files, as in 2/3")
    run.add_argument("--again", action="store_true", help="also what was decided")
    run.set_defaults(run=_run)
    merge = commands.add_parser("merge", help="take over what the records of other machines know")
    merge.add_argument("records", nargs="+", type=Path)
    merge.set_defaults(run=_merge)
    commands.add_parser("report", help="print what is known").set_defaults(run=lambda _: None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
