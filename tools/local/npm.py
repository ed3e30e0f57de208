"""The npm of an environment of `.venv`. Needs nothing installed: `install.py` imports it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

# What decides which packages there are.
PINS = ("package.json", "package-lock.json", ".npmrc")


def pins(sources: Path) -> bytes:
    """The pins in a directory of sources."""
    return b"".join((sources / name).read_bytes() for name in PINS)


def install(environment: Path, sources: Path, packages: Path, *scripts: str, **variables: str) -> bool:
    """Installs what the lock file of `sources` lists, all of it or nothing, and says whether it did.

    The packages named in `scripts` may run what they bring for their installation, and no other.
    """
    with tempfile.TemporaryDirectory(dir=environment) as directory:
        unfinished = Path(directory) / packages.name
        unfinished.mkdir()
        for name in PINS:
            shutil.copy(sources / name, unfinished)
        if not run(environment, unfinished, "ci", "--ignore-scripts", **variables):
            return False
        if scripts and not run(environment, unfinished, "rebuild", "--ignore-scripts=false", *scripts, **variables):
            return False
        unfinished.rename(packages)
    return True


def run(environment: Path, directory: Path, *arguments: str, **variables: str) -> bool:
    """Runs npm in `directory`, with these variables besides our own, and says whether it did what it was asked for."""
    tools = environment / "bin"
    with tempfile.TemporaryDirectory(dir=environment) as cache:
        env = {
            **os.environ,
            **variables,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            # Nothing outside the checkout is written, and nothing is asked of the network but packages.
            "npm_config_cache": cache,
            "npm_config_update_notifier": "false",
        }
        command = [str(tools / "npm"), "--loglevel=error", *arguments]
        return subprocess.run(command, cwd=directory, env=env, stdout=subprocess.DEVNULL, check=False).returncode == 0
