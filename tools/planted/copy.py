"""A copy of the sources to plant faults in. What did not change keeps its time, so that little is compiled again."""

import os
import shutil
import subprocess
from pathlib import Path

from local.errors import LocalError


def of_sources(root: Path) -> Path:
    """Copies what differs from the sources, and returns where the copy is."""
    tree = root / ".local" / "planted"
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, text=True).splitlines()
    for name in names:
        source, target = root / name, tree / name
        if not source.is_file():
            continue
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return tree


def plant(tree: Path, patch: Path) -> None:
    """Changes the copy as a patch says."""
    # Without a ceiling, git would take the repository around the copy for its own, and change nothing.
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    apply = ["git", "apply", str(patch)]
    planted = subprocess.run(apply, cwd=tree, env=alone, check=False)
    if planted.returncode != 0:
        raise LocalError(f"{patch.name} does not apply: make it anew for the lines as they are now")
