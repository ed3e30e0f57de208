"""Up, down, exec: the life of one local stack in one state directory."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from local import aws, belvo, console, deployment, events, logs, ministack, processes, record, routes, sandbox
from local.aws import Endpoint
from local.belvo import Belvo
from local.record import Record

# Belvo's own spacing of its attempts to deliver a webhook, and one for a command that waits for the next attempt.
WEBHOOK_RETRY_MS = 60_000
QUICK_WEBHOOK_RETRY_MS = 500
# Where somebody watches: pages so small that a year has several, and a request whose webhook does not come is looked
# after by the next sweep and expires while one looks on.
WATCHED_PAGE_ROWS = 100
WATCHED = {"RequestDueSeconds": "15", "RequestExpiresSeconds": "120"}
# Where no firewall limits them, the functions call at any pace: the tests make hundreds of calls.
ANY_PACE = {"CollectCallsPer30Seconds": "100000", "RequestCallsPer30Seconds": "100000"}
WEBHOOK_PATH = "/webhooks/belvo"


@dataclass(frozen=True)
class Wanted:
    """What a stack is brought up with."""

    choose_belvo: Callable[[Record], Belvo]
    # Of the template, in addition to those of every local run.
    parameters: dict[str, str] = field(default_factory=dict)
    # `None` keeps the port of the console before it.
    console_port: int | None = None


def up(state: Path, say: Callable[[str], None]) -> Record:
    """Brings the stack up, or deploys again into the one that runs."""

    def choose(running: Record) -> Belvo:
        return belvo.named(running) or belvo.own_sandbox(
            state, running, WEBHOOK_RETRY_MS, WATCHED_PAGE_ROWS, sandbox.BELVOS_REQUESTS_PER_30_S
        )

    return _up(state, say, Wanted(choose, WATCHED, console.port()))


def down(state: Path, say: Callable[[str], None]) -> None:
    """Ends the processes of the stack; its logs stay."""
    known = record.load(state)
    _stop(state)
    say("The stack is down." if known else f"No stack is recorded in {state}.")


def run_with(command: list[str], parameters: dict[str, str], say: Callable[[str], None]) -> int:
    """Runs a command against a stack of its own, sandbox included, whatever Belvo the environment names.

    `parameters` of the template are set in addition to those of every local run. Returns the command's exit code, or 1
    if the sandbox was sent what Belvo's OpenAPI does not allow. Logs are kept when it fails.
    """
    state = Path(tempfile.mkdtemp(prefix="belvo-ingest-"))
    code = 1
    try:
        wanted = Wanted(lambda running: belvo.own_sandbox(state, running, QUICK_WEBHOOK_RETRY_MS), parameters)
        running = _up(state, say, wanted)
        # Marked as a part of the stack, the command ends with it, and so does whatever it started.
        env = aws.command_environment({**running.variables, processes.MARK: str(state)})
        code = subprocess.run(command, env=env, check=False).returncode
        if not sent_only_valid_requests(running.variables["SANDBOX_URL"]):
            code = code or 1
        return code
    finally:
        try:
            if code != 0 and (running := record.load(state)):
                _keep_function_logs(state, running)
        finally:
            _stop(state)
        if code == 0:
            shutil.rmtree(state)
        else:
            print(f"Logs are kept in {state}", file=sys.stderr)


def sent_only_valid_requests(sandbox_url: str) -> bool:
    """Whether the sandbox was sent nothing that Belvo's OpenAPI does not allow; prints what it was."""
    violations = sandbox.violations(sandbox_url)
    if violations:
        print("error: the sandbox was sent what Belvo's OpenAPI does not allow:", file=sys.stderr)
    for violation in violations:
        print(f"  {violation}", file=sys.stderr)
    return not violations


def suitable_parameters(chosen: Belvo, wanted: dict[str, str]) -> dict[str, str]:
    """The parameters of the template for this Belvo: the wanted ones suit only a sandbox, which answers at once."""
    if not chosen.is_sandbox:
        return {}
    pace = {} if sandbox.requests_per_30_s(chosen.url) else ANY_PACE
    return {"WidgetUrl": f"{chosen.url}/widget/", **pace, **wanted}


def _up(state: Path, say: Callable[[str], None], wanted: Wanted) -> Record:
    state.mkdir(parents=True, exist_ok=True)
    running = record.load(state)
    if running and processes.alive(running.processes["ministack"], state):
        say(f"A stack is running already (state in {state}): deploying again.")
    else:
        running = Record(processes={}, variables={})
        _stop(state)
    try:
        return _bring_up(state, running, say, wanted)
    except BaseException:
        # A stack that has worked stays; one that never came up leaves nothing behind but its logs.
        if not running.variables:
            _stop(state)
        raise


def _bring_up(state: Path, running: Record, say: Callable[[str], None], wanted: Wanted) -> Record:
    if "ministack" not in running.processes:
        pid, endpoint = ministack.start(state)
        running.processes["ministack"] = pid
    else:
        endpoint = Endpoint.of(running.variables)
    say(f"Local AWS   {endpoint.url}")
    chosen = wanted.choose_belvo(running)
    say(f"Belvo       {chosen.url}{' (a sandbox)' if chosen.is_sandbox else ''}")

    events_url = events.create(endpoint)
    say("Deploying   template.yaml, in about ten seconds")
    parameters = {"EventBusName": events.NAME, **suitable_parameters(chosen, wanted.parameters)}
    stack = deployment.deploy(endpoint, chosen.url, state, parameters)
    deployment.put_secrets(endpoint, stack, chosen.secrets)
    api_url = routes.create(endpoint)
    variables = {**_variables(endpoint, api_url, stack, chosen), "EVENTS_QUEUE_URL": events_url}
    if chosen.is_sandbox:
        sandbox.register_webhook(chosen.url, variables["WEBHOOK_URL"], chosen.secrets.webhook_authorization)
    say(f"API         {api_url}")
    say(f"Webhooks    {variables['WEBHOOK_URL']}")
    say(f"Events      {events_url} (a queue of all)")
    variables["CONSOLE_URL"] = _console(state, running, variables, wanted.console_port)
    say(f"Console     {variables['CONSOLE_URL']}")

    running.variables = variables
    record.save(state, running)
    return running


def _console(state: Path, running: Record, variables: dict[str, str], port: int | None) -> str:
    """A console of the code as it is now, where the one before it was unless a port is named."""
    if (pid := running.processes.get("console")) is not None:
        processes.stop(pid, state)
    before = running.variables.get("CONSOLE_URL", "")
    port = (urlsplit(before).port or 0) if port is None else port
    running.processes["console"], url = console.start(state, variables, port)
    return url


def _variables(endpoint: Endpoint, api_url: str, stack: Mapping[str, str], chosen: Belvo) -> dict[str, str]:
    settings = aws.environment(endpoint)
    del settings["PATH"]
    sandboxed = {
        "SANDBOX_URL": chosen.url,
        "SANDBOX_PAGE_ROWS": str(chosen.page_rows),
        "LINK": sandbox.EVENTS_LINK,
    }
    return {
        **settings,
        "API_URL": api_url,
        "WEBHOOK_URL": f"{api_url}{WEBHOOK_PATH}",
        **(sandboxed if chosen.is_sandbox else {}),
        "BELVO_SECRET_ID": chosen.secrets.belvo_id,
        "BELVO_SECRET_PASSWORD": chosen.secrets.belvo_password,
        "WEBHOOK_AUTHORIZATION": chosen.secrets.webhook_authorization,
        "BELVO_SECRET_ARN": stack["BelvoKeysSecretArn"],
        "WEBHOOK_SECRET_ARN": stack["WebhookSecretArn"],
        "REQUESTS_TABLE": stack["RequestsTableName"],
        "TRANSACTIONS_TABLE": stack["TransactionsTableName"],
        "QUEUE_URL": stack["QueueUrl"],
        "DEAD_LETTER_QUEUE_URL": stack["DeadLetterQueueUrl"],
        **{f"{function.upper()}_FUNCTION": name for function, name in deployment.deployed_functions(stack).items()},
    }


def _keep_function_logs(state: Path, running: Record) -> None:
    with (state / "functions.log").open("w") as file:
        for line in logs.lines(Endpoint.of(running.variables)):
            print(line, file=file)


def _stop(state: Path) -> None:
    with processes.undisturbed():
        processes.stop_all(state)
        record.forget(state)
        shutil.rmtree(state / "tmp", ignore_errors=True)
