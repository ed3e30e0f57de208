"""Where things are in the checkout."""

import platform
from pathlib import Path

from local.errors import LocalError

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".venv"
SAM = VENVS / "sam" / "bin" / "sam"
MINISTACK = VENVS / "local" / "bin" / "ministack"
CARGO_LAMBDA_BIN = VENVS / "build" / "bin"
BUILT_TEMPLATE = ROOT / ".local" / "build" / "template.yaml"
DEFAULT_STATE = ROOT / ".local" / "stack"
SANDBOX = ROOT / "target" / "debug" / "belvo-sandbox"


def architecture() -> str:
    """This machine's processor, as Lambda names it: functions run here as plain processes."""
    names = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
    machine = platform.machine().lower()
    if machine not in names:
        raise LocalError(f"the functions are built for x86_64 or arm64, and this machine is {machine}")
    return names[machine]


def require(path: Path, remedy: str) -> Path:
    """Returns `path` if it is there, else says how to get it."""
    if not path.exists():
        raise LocalError(f"{path.relative_to(ROOT)} is missing: run `{remedy}`")
    return path
