"""A deployed stack, found by the name of its environment, and the local one."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy import aws, edge, environment, sam
from deploy.aws import Aws
from deploy.environment import LOCAL
from local import paths, record
from local.aws import Endpoint, reached
from local.deployment import STACK
from local.errors import LocalError


@dataclass(frozen=True)
class Deployed:
    """A stack that is there, and how it is reached."""

    name: str
    aws: Aws
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    # Where its API takes webhooks. The local AWS serves it under an address that no output has.
    webhook_url: str
    # Where its front takes them from Belvo, if it has one.
    front_url: str | None = None


def find(name: str, state: Path = paths.DEFAULT_STATE) -> Deployed:
    """The stack of an environment, which may be the local one."""
    if name == LOCAL:
        return _local(state)
    wanted = environment.load(name)
    there = aws.of_user(wanted.profile, wanted.region)
    aws.require_account(there, wanted.account)
    stack = sam.describe(there, wanted.stack)
    if "WebhookUrl" not in stack.outputs:
        raise LocalError(f"the stack {wanted.stack} is {stack.status}: make deploy ENVIRONMENT={name}")
    front = edge.url(wanted)
    return Deployed(wanted.stack, there, stack.outputs, stack.parameters, stack.outputs["WebhookUrl"], front)


def reading_command(deployed: Deployed, output: str) -> str:
    """What prints the value of a secret."""
    argv = ["aws", "secretsmanager", "get-secret-value", f"--secret-id={deployed.outputs[output]}"]
    argv += ["--query=SecretString", "--output=text", f"--region={deployed.aws.region}"]
    if deployed.aws.profile:
        argv.append(f"--profile={deployed.aws.profile}")
    if endpoint := deployed.aws.variables.get("AWS_ENDPOINT_URL"):
        argv.append(f"--endpoint-url={endpoint}")
    return shlex.join(argv)


def _local(state: Path) -> Deployed:
    """The stack that the environment describes, as in `local exec`; else that of `make up`."""
    recorded = record.load(state)
    variables = os.environ if "WEBHOOK_URL" in os.environ else recorded.variables if recorded else {}
    if "WEBHOOK_URL" not in variables:
        raise LocalError("no local stack runs: run `make up`")
    there = reached(Endpoint.of(variables))
    stack = sam.describe(there, STACK)
    return Deployed(STACK, there, stack.outputs, stack.parameters, variables["WEBHOOK_URL"])
