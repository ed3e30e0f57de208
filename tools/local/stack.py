"""Up, down, exec: the life of one local stack in one state directory."""

import os
import secrets as random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from local import aws, deployment, logs, ministack, processes, record, routes, sandbox
from local.deployment import Secrets
from local.errors import LocalError
from local.record import Record


def up(state: Path, say: Callable[[str], None]) -> Record:
    """Brings the stack up, or deploys again into the one that runs."""
    state.mkdir(parents=True, exist_ok=True)
    running = record.load(state)
    if running and processes.alive(running.processes["ministack"], state):
        say(f"A stack is running already (state in {state}): deploying again.")
    else:
        running = Record(processes={}, variables={})
        _stop(state)
    try:
        return _bring_up(state, running, say)
    except BaseException:
        # A stack that has worked stays; one that never came up leaves nothing behind but its logs.
        if not running.variables:
            _stop(state)
        raise


def down(state: Path, say: Callable[[str], None]) -> None:
    """Ends the processes of the stack; its logs stay."""
    say("The stack is down." if record.load(state) else f"No stack is recorded in {state}.")
    _stop(state)


def run_with(command: list[str], say: Callable[[str], None]) -> int:
    """Runs a command against a stack of its own and returns its exit code. Logs are kept when it fails."""
    state = Path(tempfile.mkdtemp(prefix="belvo-ingest-"))
    code = 1
    try:
        running = up(state, say)
        code = subprocess.run(command, env={**os.environ, **running.variables}, check=False).returncode
        return code
    finally:
        if code != 0 and (running := record.load(state)):
            _keep_function_logs(state, running)
        _stop(state)
        if code == 0:
            shutil.rmtree(state)
        else:
            print(f"Logs are kept in {state}", file=sys.stderr)


def _bring_up(state: Path, running: Record, say: Callable[[str], None]) -> Record:
    if "ministack" not in running.processes:
        pid, endpoint = ministack.start(state)
        running.processes["ministack"] = pid
        say(f"Local AWS   {endpoint}")
    else:
        endpoint = running.variables["AWS_ENDPOINT_URL"]

    belvo_url, secrets = _belvo(state, running)
    say(f"Belvo       {belvo_url}")
    stack = deployment.deploy(endpoint, belvo_url, state)
    deployment.put_secrets(endpoint, stack, secrets)
    api_url = routes.create(endpoint)
    webhook_url = f"{api_url}/webhooks/belvo"
    if "sandbox" in running.processes:
        sandbox.register_webhook(belvo_url, webhook_url, secrets.webhook_authorization)
    say(f"API         {api_url}")
    say(f"Webhooks    {webhook_url}")

    running.variables = _variables(endpoint, belvo_url, api_url, stack, secrets)
    record.save(state, running)
    return running


def _belvo(state: Path, running: Record) -> tuple[str, Secrets]:
    """The Belvo to work against: the one named in the environment, else a sandbox of our own."""
    named = os.environ.get("BELVO_BASE_URL")
    if named:
        return named, Secrets(
            _required("BELVO_SECRET_ID"), _required("BELVO_SECRET_PASSWORD"), _required("WEBHOOK_AUTHORIZATION")
        )
    if "sandbox" in running.processes and processes.alive(running.processes["sandbox"], state):
        known = running.variables
        return known["SANDBOX_URL"], Secrets(
            known["BELVO_SECRET_ID"], known["BELVO_SECRET_PASSWORD"], known["WEBHOOK_AUTHORIZATION"]
        )
    secrets = Secrets("sandbox-id", random.token_hex(16), f"Bearer {random.token_hex(16)}")
    pid, url = sandbox.start(state, secrets)
    running.processes["sandbox"] = pid
    return url, secrets


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise LocalError(f"BELVO_BASE_URL is set, so {name} must be set too")
    return value


def _variables(endpoint: str, belvo_url: str, api_url: str, stack: dict[str, str], secrets: Secrets) -> dict[str, str]:
    settings = aws.environment(endpoint)
    del settings["PATH"]
    return {
        **settings,
        "API_URL": api_url,
        "WEBHOOK_URL": f"{api_url}/webhooks/belvo",
        "SANDBOX_URL": belvo_url,
        "BELVO_SECRET_ID": secrets.belvo_id,
        "BELVO_SECRET_PASSWORD": secrets.belvo_password,
        "WEBHOOK_AUTHORIZATION": secrets.webhook_authorization,
        "BELVO_SECRET_ARN": stack["BelvoKeysSecretArn"],
        "WEBHOOK_SECRET_ARN": stack["WebhookSecretArn"],
        "REQUESTS_TABLE": stack["RequestsTableName"],
        "TRANSACTIONS_TABLE": stack["TransactionsTableName"],
        "QUEUE_URL": stack["QueueUrl"],
        "DLQ_URL": stack["DeadLetterQueueUrl"],
        "REQUEST_FUNCTION": stack["RequestFunctionName"],
        "WEBHOOK_FUNCTION": stack["WebhookFunctionName"],
        "COLLECT_FUNCTION": stack["CollectFunctionName"],
        "QUERY_FUNCTION": stack["QueryFunctionName"],
    }


def _keep_function_logs(state: Path, running: Record) -> None:
    with (state / "functions.log").open("w") as file:
        for line in logs.lines(running.variables["AWS_ENDPOINT_URL"]):
            print(line, file=file)


def _stop(state: Path) -> None:
    processes.stop_all(state)
    record.forget(state)
    shutil.rmtree(state / "tmp", ignore_errors=True)
