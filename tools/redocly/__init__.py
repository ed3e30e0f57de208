"""Redocly CLI, which checks docs/openapi.json. Needs nothing installed: `install.py` imports it."""

from pathlib import Path

from local import npm
from local.errors import LocalError
from local.paths import VENVS

SOURCES = Path(__file__).resolve().parent
ENVIRONMENT = VENVS / "api"
PACKAGES = ENVIRONMENT / "node"


def pins() -> bytes:
    """What decides which version there is."""
    return npm.pins(SOURCES)


def install() -> None:
    """Installs it, unless it is there."""
    if not PACKAGES.exists() and not npm.install(ENVIRONMENT, SOURCES, PACKAGES):
        raise LocalError("npm did not install Redocly CLI")
