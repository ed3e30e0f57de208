"""The fake Belvo: `tools/belvo-sandbox`, as a process beside the local AWS."""

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from local import loopback, paths, processes
from local.deployment import Secrets
from local.errors import LocalError
from local.waiting import wait_for

START_SECONDS = 20
OPTION = "BELVO_SANDBOX_"
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
PAGE_ROWS = f"{OPTION}MAX_PAGE_SIZE"
BELVOS_PAGE_ROWS = 1_000
# How many requests an address may send: Belvo's own limit, and none.
BELVOS_REQUESTS_PER_30_S = 80
UNLIMITED = 0
# The link that events/*.json are about: the first that a sandbox makes from this seed has this id.
EVENTS_LINK = "57a2fbe1-84ac-4ebd-9893-7dd181a3caec"
EVENTS_LINK_SPEC = {"seed": 2026, "transactions": 120, "today": "2026-03-01"}


def start(
    state: Path, secrets: Secrets, webhook_retry_ms: int, page_rows: int, requests_per_30_s: int = UNLIMITED
) -> tuple[int, str]:
    """Starts the sandbox and returns its process id and URL, once it listens.

    The caller's environment may name another limit of requests.
    """
    program = paths.require(paths.SANDBOX, "make build")
    out, log = state / "sandbox.out", state / "sandbox.log"
    out.unlink(missing_ok=True)
    argv = [
        str(program),
        "--port=0",
        f"--secret-id={secrets.belvo_id}",
        f"--webhook-retry-ms={webhook_retry_ms}",
        f"--max-page-size={page_rows}",
    ]
    # Options that the caller's environment gives the sandbox; the password, because anyone may read a command line.
    options = {name: value for name, value in os.environ.items() if name.startswith(OPTION)}
    rate = {f"{OPTION}REQUESTS_PER_30_S": str(requests_per_30_s)}
    env = {**rate, **options, f"{OPTION}SECRET_PASSWORD": secrets.belvo_password}
    pid = processes.start(argv, env, state, out, log)

    def announced() -> str | None:
        processes.require_alive("belvo-sandbox", pid, state, log)
        first, newline, _ = out.read_text().partition("\n")
        return json.loads(first)["url"] if newline else None

    return pid, wait_for("belvo-sandbox to print its URL", announced, START_SECONDS)


def control(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """A call of the sandbox's control API, which must succeed; returns the JSON of its answer."""
    data = None if body is None else json.dumps(body).encode()
    answer = loopback.call(method, f"{url}/_control/{path}", data, {"Content-Type": "application/json"})
    if not answer.ok:
        raise LocalError(f"the sandbox answered {answer.status} to {method} {path}: {answer.body}")
    return answer.body


def register_webhook(url: str, webhook_url: str, authorization: str) -> None:
    """Does what one does in Belvo's dashboard: names the receiver of webhooks and its Authorization value."""
    control(url, "PUT", "webhook", {"url": webhook_url, "authorization": authorization})


def requests_per_30_s(url: str) -> int | None:
    """The limit above which the sandbox's firewall answers, if it has one."""
    return control(url, "GET", "rate")["limit"]


def violations(url: str) -> list[str]:
    """What the sandbox was sent that Belvo's OpenAPI does not allow: one line each, with how often it was."""
    lines = Counter(_line(violation) for violation in control(url, "GET", "violations"))
    return [line if times == 1 else f"{line}, {times} times" for line, times in lines.items()]


def _line(violation: dict[str, Any]) -> str:
    about = f"{violation['field']}: " if violation["field"] else ""
    return f"{violation['method']} {ID.sub('{id}', violation['path'])}: {about}{violation['message']}"


def make_events_link(url: str) -> None:
    """Connects the user that events/*.json are about."""
    made = control(url, "POST", "links", EVENTS_LINK_SPEC)["id"]
    if made != EVENTS_LINK:
        raise LocalError(f"the sandbox made link {made}, and events/*.json are about {EVENTS_LINK}")
