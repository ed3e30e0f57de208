"""The fake Belvo: `tools/belvo-sandbox`, as a process beside the local AWS."""

import json
import urllib.request
from pathlib import Path

from local import paths, processes
from local.deployment import Secrets
from local.waiting import wait_for

START_SECONDS = 20


def start(state: Path, secrets: Secrets) -> tuple[int, str]:
    """Starts the sandbox and returns its process id and URL, once it listens."""
    program = paths.require(paths.SANDBOX, "make build")
    out, log = state / "sandbox.out", state / "sandbox.log"
    out.unlink(missing_ok=True)
    argv = [str(program), "--port=0", f"--secret-id={secrets.belvo_id}", f"--secret-password={secrets.belvo_password}"]
    pid = processes.start(argv, {}, state, out, log)

    def announced() -> str | None:
        processes.require_alive("belvo-sandbox", pid, state, log)
        first, newline, _ = out.read_text().partition("\n")
        return json.loads(first)["url"] if newline else None

    return pid, wait_for("belvo-sandbox to print its URL", announced, START_SECONDS)


def register_webhook(url: str, webhook_url: str, authorization: str) -> None:
    """Does what one does in Belvo's dashboard: names the receiver of webhooks and its Authorization value."""
    body = json.dumps({"url": webhook_url, "authorization": authorization}).encode()
    request = urllib.request.Request(
        f"{url}/_control/webhook", data=body, method="PUT", headers={"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=5):
        pass
