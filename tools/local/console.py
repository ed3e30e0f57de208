"""The console, as a process beside the local AWS: it belongs to the stack and ends with it."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from local import aws, paths, processes
from local.aws import Endpoint
from local.errors import LocalError
from local.waiting import wait_for

START_SECONDS = 20
# All that it needs to know of the stack: no key of Belvo's, and not what webhooks authenticate with.
NEEDED = ("API_URL", "QUEUE_URL", "SANDBOX_URL", "SANDBOX_PAGE_ROWS", "LINK")


def port() -> int | None:
    """Where the environment wants it to listen, if it says so; 0 takes a free port."""
    text = os.environ.get("CONSOLE_PORT")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or int(text) > 65_535:
        raise LocalError(f"CONSOLE_PORT is {text}, which is not a port")
    return int(text)


def start(state: Path, variables: Mapping[str, str], port: int) -> tuple[int, str]:
    """Starts the console and returns its process id and URL, once it listens."""
    out, log = state / "console.out", state / "console.log"
    out.unlink(missing_ok=True)
    env = {
        **aws.environment(Endpoint.of(variables)),
        **{name: variables[name] for name in NEEDED if name in variables},
        "PYTHONPATH": str(paths.ROOT / "tools"),
    }
    pid = processes.start([sys.executable, "-m", "console", f"--port={port}"], env, state, out, log)

    def announced() -> str | None:
        processes.require_alive("the console", pid, state, log)
        first, newline, _ = out.read_text().partition("\n")
        return json.loads(first)["url"] if newline else None

    return pid, wait_for("the console to print its URL", announced, START_SECONDS)
