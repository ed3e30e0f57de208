"""What is remembered of a running stack, in its state directory: `stack.json` for these tools, `env` for scripts."""

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Record:
    """A running stack: its processes by name and the variables that describe it."""

    processes: dict[str, int]
    variables: dict[str, str]


def load(state: Path) -> Record | None:
    """What was recorded in this state directory, if anything."""
    path = state / "stack.json"
    return Record(**json.loads(path.read_text())) if path.exists() else None


def save(state: Path, record: Record) -> None:
    """Writes both files; they hold credentials, so only their owner may read them."""
    _write(state / "stack.json", json.dumps(asdict(record), indent=2) + "\n")
    lines = (f"{name}={shlex.quote(value)}\n" for name, value in record.variables.items())
    _write(state / "env", "".join(lines))


def forget(state: Path) -> None:
    """Removes both files; logs stay."""
    for name in ("stack.json", "env"):
        (state / name).unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
