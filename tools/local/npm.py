"""The npm of an environment of `.venv`. Needs nothing installed: `install.py` imports it."""

import os
import subprocess
import tempfile
from pathlib import Path


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
