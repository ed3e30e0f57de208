"""A copy of the checkout to change code in: the checkout itself may be worked on meanwhile."""

from pathlib import Path

from release.source import git

LISTED = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]


def refresh(root: Path, copy: Path) -> None:
    """Makes the copy's files those of the checkout. What is equal keeps its time: Cargo compiles nothing for it."""
    listed = git(root, *LISTED).split("\0")
    wanted = {name for name in listed if name and (root / name).is_file()}
    for path in [path for path in copy.rglob("*") if path.is_file()]:
        if str(path.relative_to(copy)) not in wanted:
            path.unlink()
    for name in wanted:
        _bring(root / name, copy / name)


def _bring(source: Path, target: Path) -> None:
    content = source.read_bytes()
    if target.is_file() and target.read_bytes() == content:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(source.stat().st_mode & 0o777)
