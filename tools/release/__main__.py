"""The command line: `python -m release make|reproduce|audit`."""

import argparse
import shutil
import sys
import time
from pathlib import Path

from local import paths, template
from local.errors import LocalError
from release import advisories, build, package, sbom, source
from release.build import Workplace
from release.package import Publisher
from release.source import Source

REPRODUCTION = paths.ROOT / ".local" / "reproduction"
SHIPPED = "arm64"


def main() -> int:
    """Runs one command; a failure that the user can do something about is one line and exit code 1."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _make(arguments: argparse.Namespace) -> None:
    made_of = source.of_release(paths.ROOT, arguments.version)
    publisher = _publisher(arguments)
    # What is wrong with it would be found after minutes of building.
    package.packaged(template.read(), made_of.version, SHIPPED, publisher)
    folder = package.RELEASES / made_of.version
    place = Workplace(package.RELEASES / "build")
    print(f"Release     {made_of.version} of commit {made_of.commit}", flush=True)
    built = _build(made_of, place, SHIPPED)
    unfinished = place.directory / made_of.version
    unfinished.mkdir()
    _write(unfinished, made_of, place, built, publisher)
    # The checkout has been built from for minutes, and the version may be a release of another commit by now.
    if source.of_release(paths.ROOT, made_of.version) != made_of:
        raise LocalError("another commit was checked out meanwhile: run it again")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    shutil.rmtree(place.directory)
    print((folder / package.SUMS).read_text(), end="")
    print(f"Made        {folder}; docs/DEPLOYMENT.md (Releases) says how it is tagged, deployed and published")


def _write(
    folder: Path, made_of: Source, place: Workplace, built: dict[str, Path], publisher: Publisher | None
) -> None:
    package.write(folder, place.checkout, built, SHIPPED, publisher)
    compiled, linked = sbom.trees(place.checkout, built, build.TARGETS[SHIPPED])
    sums = {name: package.sha256(program) for name, program in built.items()}
    bill = sbom.bill(made_of, compiled, linked, sbom.checksums(place.checkout), sums)
    package.write_json(folder / package.BILL, bill)
    sbom.require_valid(folder / package.BILL)
    package.write_json(folder / package.FACTS, package.facts(made_of, SHIPPED, build.toolchain(place), built))
    package.write_sums(folder)


def _reproduce(arguments: argparse.Namespace) -> None:
    source.require_clean(paths.ROOT)
    made_of = source.of_head(paths.ROOT)
    second = REPRODUCTION / "a-second-one" / "in-a-longer-path"
    places = [Workplace(REPRODUCTION / "first"), Workplace(second, cargo_home=second / "cargo-home")]
    shutil.rmtree(REPRODUCTION, ignore_errors=True)
    built = [_build(made_of, place, arguments.architecture) for place in places]
    differing = []
    for name in built[0]:
        first, other = (package.sha256(programs[name]) for programs in built)
        print(f"{name:<12}{first}  {built[0][name].stat().st_size} bytes")
        if other != first:
            print(f"{'':<12}{other}  the second time")
            differing.append(name)
    if differing:
        raise LocalError(f"{', '.join(differing)} differs between two builds; both are in {REPRODUCTION}")
    shutil.rmtree(REPRODUCTION)
    print(f"Reproduced  {made_of.commit}, {arguments.architecture}: each program is the same in both builds")


def _build(made_of: Source, place: Workplace, architecture: str) -> dict[str, Path]:
    """The programs of a commit, and nothing else."""
    started = time.monotonic()
    build.check_out(paths.ROOT, made_of.commit, place)
    names = sorted(package.programs(template.read(place.checkout / "template.yaml")).values())
    built = build.build(place, names, architecture)
    build.require_of_commit(place, made_of.commit, names, architecture)
    print(f"Built       {len(built)} functions in {(time.monotonic() - started) / 60:.1f} minutes", flush=True)
    return built


def _publisher(arguments: argparse.Namespace) -> Publisher | None:
    if arguments.author:
        return Publisher(arguments.author, arguments.home_page, arguments.source_code)
    if arguments.home_page or arguments.source_code:
        raise LocalError(
            "HOME_PAGE and SOURCE_CODE are for the Serverless Application Repository, which wants an AUTHOR"
        )
    return None


def _audit(arguments: argparse.Namespace) -> None:
    advisories.RustSec(arguments.deny).check(is_required=not arguments.if_reachable)
    if not arguments.if_reachable:
        advisories.check_python()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="release", description=__doc__)
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("make", help="build a release of the commit that is checked out")
    make.add_argument("version")
    make.add_argument("--author")
    make.add_argument("--home-page")
    make.add_argument("--source-code")
    make.set_defaults(run=_make)
    reproduce = commands.add_parser("reproduce", help="build the functions twice, and compare")
    reproduce.add_argument("--architecture", choices=sorted(build.TARGETS), default=SHIPPED)
    reproduce.set_defaults(run=_reproduce)
    audit = commands.add_parser("audit", help="look for the dependencies in lists of vulnerabilities")
    audit.add_argument("--deny", required=True, help="cargo-deny")
    audit.add_argument("--if-reachable", action="store_true", help="warn if there is no list, and leave Python out")
    audit.set_defaults(run=_audit)
    return parser


if __name__ == "__main__":
    sys.exit(main())
