"""Builds the programs of the functions such that they are the same whoever builds them, and where.

Needs nothing installed: the Makefile reads `rustflags`.
"""

import os
import shutil
import subprocess
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import paths
from local.errors import LocalError
from release import source

TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
# What the programs say instead of the directory of the dependencies, in the places of panics.
CARGO = "/cargo"
# Nothing else of the environment reaches the compilers: flags and profiles would change the programs.
PASSED = {"CARGO_BUILD_JOBS", "HOME", "LANG", "PATH", "TMPDIR"}
PASSED_PREFIXES = ("CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "RUSTUP_", "SSL_")


@dataclass(frozen=True)
class Workplace:
    """Where a commit is built."""

    directory: Path
    # Where the dependencies are; the user's own if none is named.
    cargo_home: Path | None = None

    @property
    def checkout(self) -> Path:
        """The files of the commit, and no others."""
        return self.directory / "checkout"

    @property
    def target(self) -> Path:
        """What the compilers write."""
        return self.directory / "target"


def rustflags(cargo_home: Path | None = None) -> str:
    """Keeps paths of this machine out of the programs. cargo-lambda adds the processor."""
    home = cargo_home or Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    if any(character.isspace() for character in str(home)):
        raise LocalError(f"{home} has a space in it, which flags of rustc cannot have: name another CARGO_HOME")
    return f"--remap-path-prefix={home}={CARGO}"


def check_out(root: Path, commit: str, place: Workplace) -> None:
    """Puts the files of a commit, and nothing else, into an empty workplace."""
    shutil.rmtree(place.directory, ignore_errors=True)
    place.directory.mkdir(parents=True)
    source.git(root, "clone", "--quiet", "--no-checkout", "--shared", str(root), str(place.checkout))
    source.git(place.checkout, "checkout", "--quiet", "--detach", commit)


def build(place: Workplace, names: Iterable[str], architecture: str) -> dict[str, Path]:
    """Builds what is checked out, from nothing, and returns the programs by name."""
    _add_target(place, architecture)
    command = ["cargo", "lambda", "build", "--release", "--locked", f"--lambda-dir={place.directory / 'programs'}"]
    command += [f"--{architecture.replace('_', '-')}", *(f"--bin={name}" for name in names)]
    if subprocess.run(command, cwd=place.checkout, env=_environment(place), check=False).returncode != 0:
        raise LocalError("the functions cannot be built: see above")
    return {name: place.directory / "programs" / name / "bootstrap" for name in names}


def require_of_commit(place: Workplace, commit: str, names: Iterable[str], architecture: str) -> None:
    """Fails unless the programs were made of files of this commit, none of them changed, and of its dependencies."""
    found = source.git(place.checkout, "rev-parse", "HEAD")
    if found != commit:
        raise LocalError(f"{place.checkout} is at {found}, and {commit} was to be built: run it again")
    # Ignored files count, too.
    if changed := source.git(place.checkout, "status", "--porcelain", "--ignored"):
        raise LocalError(f"while it was built, {place.checkout} changed: {changed}. Run it again")
    tracked = set(source.git(place.checkout, "ls-files").splitlines())
    for name in names:
        record = place.target / TARGETS[architecture] / "release" / f"{name}.d"
        for file in _made_of(record):
            if file.is_relative_to(place.target):
                continue
            if not file.is_relative_to(place.checkout) or str(file.relative_to(place.checkout)) not in tracked:
                raise LocalError(f"{name} was made of {file}, which is not of the commit {commit}")


def toolchain(place: Workplace) -> dict[str, str]:
    """The versions of what built it, and of what compresses the zips."""
    commands = {
        "cargo": ["cargo", "--version"],
        "cargo-lambda": ["cargo", "lambda", "--version"],
        "rustc": ["rustc", "--version"],
        "zig": [str(paths.CARGO_LAMBDA_BIN / "python"), "-m", "ziglang", "version"],
    }
    return {**{name: _output(command, place) for name, command in commands.items()}, "zlib": zlib.ZLIB_RUNTIME_VERSION}


def _add_target(place: Workplace, architecture: str) -> None:
    """The standard library for that processor, of the toolchain that the checkout names."""
    command = ["rustup", "target", "add", TARGETS[architecture]]
    if subprocess.run(command, cwd=place.checkout, env=_environment(place), check=False).returncode != 0:
        raise LocalError(f"`{' '.join(command)}` failed: is this machine connected to Rust's server?")


def _made_of(record: Path) -> list[Path]:
    """The files that Cargo lists for a program."""
    _, files = record.read_text().strip().split(": ", 1)
    return [Path(file.replace("\0", " ")) for file in files.replace("\\ ", "\0").split()]


def _environment(place: Workplace) -> dict[str, str]:
    passed = {name: value for name, value in os.environ.items() if _is_passed(name)}
    return {
        **passed,
        **_caches(place),
        "PATH": f"{paths.CARGO_LAMBDA_BIN}{os.pathsep}{os.environ['PATH']}",
        "CARGO_BUILD_RUSTFLAGS": rustflags(place.cargo_home),
        "CARGO_TARGET_DIR": str(place.target),
    }


def _is_passed(name: str) -> bool:
    return name in PASSED or name.startswith(PASSED_PREFIXES) or name.lower().endswith("_proxy")


def _caches(place: Workplace) -> Mapping[str, str]:
    """With a home of its own, nothing of earlier builds is used."""
    if place.cargo_home is None:
        return {"CARGO_HOME": os.environ["CARGO_HOME"]} if "CARGO_HOME" in os.environ else {}
    caches = {"CARGO_ZIGBUILD_CACHE_DIR": "zigbuild", "ZIG_GLOBAL_CACHE_DIR": "zig", "ZIG_LOCAL_CACHE_DIR": "zig-local"}
    mine = {name: str(place.cargo_home / directory) for name, directory in caches.items()}
    return {"CARGO_HOME": str(place.cargo_home), **mine}


def _output(command: list[str], place: Workplace) -> str:
    done = subprocess.run(
        command, cwd=place.checkout, env=_environment(place), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LocalError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()
