"""Looks for the dependencies in RustSec's and PyPI's lists of known vulnerabilities.

RustSec's list is a git repository on GitHub. What cannot be checked is never passed over in silence.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import paths
from local.errors import LocalError
from release import source

DATABASE = "https://github.com/RustSec/advisory-db"
# A URL or a directory of a copy of it, for machines that do not reach GitHub.
COPY = "ADVISORY_DB"
# In `make lint`, the network may be there or not; `make audit` needs it.
QUICK_SECONDS = 20
PATIENT_SECONDS = 300
OLDEST_DAYS = 30
PIP_AUDIT = paths.VENVS / "release" / "bin" / "pip-audit"
REQUIREMENTS = paths.ROOT / "tools" / "requirements"


@dataclass(frozen=True)
class RustSec:
    """The list of Rust's advisories, as cargo-deny reads it."""

    deny: str
    root: Path = paths.ROOT
    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def check(self, is_required: bool) -> None:
        """Fails if an advisory is about a dependency. Without the list it fails, too, or warns if that is enough."""
        # Who names a copy wants it to be used.
        is_required = is_required or COPY in self.variables
        reason = self._fetch(PATIENT_SECONDS if is_required else QUICK_SECONDS)
        if reason and (is_required or not self._is_recent()):
            self._unchecked(reason, is_required)
            return
        offline = ["--offline"] if reason else []
        if subprocess.run(**self._call(*offline, "check", "advisories"), check=False).returncode != 0:
            raise LocalError("an advisory is about a dependency: see above, and docs/DEPLOYMENT.md (Advisories)")
        age = f", because it could not be fetched now ({reason})" if reason else ""
        print(f"Advisories  none is about a dependency, by RustSec's list of {self._date()}{age}")

    def _fetch(self, seconds: float) -> str | None:
        """Fetches the list; what went wrong if it cannot be had."""
        with tempfile.TemporaryFile("w+") as said:
            fetching = subprocess.Popen(**self._call("fetch", "db"), stderr=said, start_new_session=True)
            try:
                fetching.wait(seconds)
            except subprocess.TimeoutExpired:
                return f"no answer within {seconds:.0f} s"
            finally:
                # The git that it started, too.
                if fetching.poll() is None:
                    os.killpg(fetching.pid, signal.SIGKILL)
                    fetching.wait()
            said.seek(0)
            lines = [line for line in said if line.strip()]
        if fetching.returncode == 0:
            return None
        reasons = [line for line in lines if line.startswith("fatal: ")] or lines or [f"exit {fetching.returncode}"]
        return reasons[-1].strip().removeprefix("fatal: ")

    def _call(self, *arguments: str) -> dict[str, Any]:
        """How cargo-deny is called."""
        copy = self.variables.get(COPY)
        instead = _instead_of(DATABASE, copy, self.variables) if copy else {}
        variables = {**self.variables, **instead, "GIT_TERMINAL_PROMPT": "0"}
        return {"args": [self.deny, "--locked", *arguments], "cwd": self.root, "env": variables}

    def _is_recent(self) -> bool:
        """Whether an earlier fetch is recent enough."""
        fetched = [
            file.stat().st_mtime for name in ("FETCH_HEAD", "HEAD") for file in self._directories(f".git/{name}")
        ]
        return bool(fetched) and max(fetched) > time.time() - OLDEST_DAYS * 86_400

    def _date(self) -> str:
        """When the list was last changed, by its own history."""
        dates = [source.git(path, "log", "-1", "--format=%cs") for path in self._directories()]
        return max(dates, default="an unknown date")

    def _directories(self, file: str = "") -> list[Path]:
        """Where cargo-deny keeps its lists (docs/src/checks/advisories/cfg.md of cargo-deny)."""
        home = Path(self.variables.get("CARGO_HOME") or Path.home() / ".cargo")
        return [path for path in (home / "advisory-dbs").glob(f"advisory-db-*/{file}") if path.exists()]

    def _unchecked(self, reason: str, is_required: bool) -> None:
        what = (
            f"NOT CHECKED: whether an advisory is about a dependency. RustSec's list cannot be fetched: {reason}."
            f" Where GitHub can be reached: make audit. Elsewhere, with a copy of {DATABASE}:"
            f" {COPY}=<its address or directory> make audit"
        )
        if is_required:
            raise LocalError(what)
        print(f"WARNING     {what}")


def check_python() -> None:
    """Fails if an advisory is about a package of `.venv`, or if one cannot be looked up."""
    program = paths.require(PIP_AUDIT, "python3 tools/install.py release")
    for pins in sorted(REQUIREMENTS.glob("*.txt")):
        if "--hash=" not in pins.read_text():
            continue
        # Without --strict, it is content if the index knows nothing of a package.
        options = ["--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
        print(f"Advisories  of {pins.relative_to(paths.ROOT)}", flush=True)
        if subprocess.run([program, *options, f"--requirement={pins}"], check=False).returncode != 0:
            raise LocalError(f"{pins.name} has a package with a known vulnerability, or one that PyPI says nothing of")


def _instead_of(address: str, copy: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Lets git read a copy wherever it is asked for an address."""
    count = int(variables.get("GIT_CONFIG_COUNT", "0"))
    location = copy if ":" in copy else Path(copy).resolve().as_uri()
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"url.{location}.insteadOf",
        f"GIT_CONFIG_VALUE_{count}": address,
    }
