"""The commit that a release is made of, and the version that it gets."""

import re
import subprocess
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.errors import LocalError

VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
TAG = "v"


@dataclass(frozen=True)
class Source:
    """What is built."""

    version: str
    commit: str
    time: datetime


def of_release(root: Path, version: str) -> Source:
    """The commit that is checked out, if it may be released as this version."""
    require_clean(root)
    numbers = _numbers(version)
    if numbers is None:
        given = f"{version} is not a version" if version else "no version is named"
        raise LocalError(f"{given}: three numbers are (Semantic Versioning), as in make release VERSION=1.2.3")
    stated = stated_version(root)
    # The functions tell Belvo their version (User-Agent).
    if stated != version:
        raise LocalError(
            f"the functions say that they are {stated}, by Cargo.toml: put {version} there ([workspace.package]), run"
            " `cargo update --workspace`, and commit both files"
        )
    _require_latest(root, version, numbers)
    return of_head(root)


def of_head(root: Path) -> Source:
    """The commit that is checked out, whatever its version."""
    commit, seconds = git(root, "show", "--no-patch", "--format=%H %ct", "HEAD").split()
    return Source(stated_version(root), commit, datetime.fromtimestamp(int(seconds), UTC))


def require_clean(root: Path) -> None:
    """Fails if the files are not those of a commit."""
    changed = git(root, "status", "--porcelain").splitlines()
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        files = ", ".join(line[3:] for line in changed[:3])
        raise LocalError(f"these files are not as they were committed: {files}{more}. Commit them, or `git stash -u`")


def stated_version(root: Path) -> str:
    """The version that the functions state."""
    return tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def git(root: Path, *arguments: str) -> str:
    """What git prints in a checkout."""
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalError(f"git {arguments[0]} failed in {root}: {done.stderr.strip()}")
    return done.stdout.strip("\n")


def _require_latest(root: Path, version: str, numbers: tuple[int, ...]) -> None:
    tags = git(root, "tag", "--list", f"{TAG}*").splitlines()
    released = {tag: found for tag in tags if (found := _numbers(tag.removeprefix(TAG)))}
    # The same release once more, to compare.
    if f"{TAG}{version}" in git(root, "tag", "--points-at", "HEAD").splitlines():
        return
    last = max(released, key=lambda tag: released[tag], default=None)
    if last and numbers <= released[last]:
        raise LocalError(f"{version} is not above the last release, {last}. To build that again, check it out")


def _numbers(version: str) -> tuple[int, ...] | None:
    match = VERSION.fullmatch(version)
    return tuple(int(number) for number in match.groups()) if match else None
