"""What the stack holds while its API is attacked: a link with rows, and one to delete."""

import uuid
from datetime import UTC, datetime, timedelta

from fuzz.pipeline import Pipeline
from local.sandbox import control
from local.waiting import wait_for

ROWS = 40
WINDOW = timedelta(days=364)
DEADLINE_SECONDS = 30


def fill(pipeline: Pipeline, sandbox_url: str) -> dict[str, str]:
    """Connects users, collects what Belvo has of one, and returns the variables that schemathesis.toml asks for."""
    external_id = str(uuid.uuid4())
    link, deleted = _connect(pipeline, sandbox_url, external_id), _connect(pipeline, sandbox_url, str(uuid.uuid4()))
    today = datetime.now(UTC).date()
    requests = [
        pipeline.request(link, today - WINDOW, today),
        pipeline.ask({"link": link, "resource": "employments"}),
    ]
    for request in requests:
        wait_for("the rows to be collected", lambda request=request: pipeline.ended(request), DEADLINE_SECONDS)
    return {
        "FUZZ_LINK": link,
        "FUZZ_DELETED_LINK": deleted,
        "FUZZ_DATE_FROM": str(today - WINDOW),
        "FUZZ_DATE_TO": str(today),
        "FUZZ_EXTERNAL_ID": external_id,
        "FUZZ_REQUEST": requests[0],
        "FUZZ_WEBHOOK": pipeline.webhooks(link)[0]["id"],
        "FUZZ_ACCOUNT": pipeline.accounts(link)[0]["id"],
        "FUZZ_TRANSACTION": pipeline.transactions(link)[0]["id"],
        "FUZZ_EMPLOYMENT": control(sandbox_url, "GET", f"links/{link}/resources/employments")[0]["id"],
    }


def _connect(pipeline: Pipeline, sandbox_url: str, external_id: str) -> str:
    """Connects a user at the sandbox and registers the link."""
    spec = {"transactions": ROWS, "resources": {"employments": 2}, "external_id": external_id}
    link = control(sandbox_url, "POST", "links", spec)["id"]
    pipeline.register(link, external_id)
    return link
