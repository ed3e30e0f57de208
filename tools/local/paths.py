"""Where things are in the checkout. Needs nothing installed: `install.py` and the Makefile read it, too."""

import platform
from pathlib import Path

from local.errors import LocalError

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".venv"
SAM = VENVS / "sam" / "bin" / "sam"
CARGO_LAMBDA_BIN = VENVS / "build" / "bin"
BUILD = ROOT / ".local" / "build"
BUILT_TEMPLATE = BUILD / "template.yaml"
DEFAULT_STATE = ROOT / ".local" / "stack"
SANDBOX = ROOT / "target" / "debug" / "belvo-sandbox"
DEMO = ROOT / "target" / "debug" / "demo"
# The processors that functions can run on, as the machine and as Lambda names them.
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}


def architecture() -> str:
    """This machine's processor, as Lambda names it: functions run here as plain processes."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise LocalError(f"the functions are built for {' or '.join(ARCHITECTURES)}, and this machine is {machine}")
    return ARCHITECTURES[machine]


def require(path: Path, remedy: str) -> Path:
    """Returns `path` if it is there, else says how to get it."""
    if not path.exists():
        raise LocalError(f"{path.relative_to(ROOT)} is missing: run `{remedy}`")
    return path
