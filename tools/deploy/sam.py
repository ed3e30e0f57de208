"""`sam deploy`, to AWS and to a local AWS alike, and what the deployed stack tells of itself."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from deploy.aws import Aws
from deploy.environment import CONFIG
from local import paths, processes, template
from local.errors import LocalError

# To the local AWS, where nobody watches: a dozen is usual.
UNWATCHED_SECONDS = 300


@dataclass(frozen=True)
class Deployment:
    """What is deployed, and where."""

    aws: Aws
    # The section of samconfig.toml.
    environment: str
    stack: str
    # As `sam build` wrote it, beside the functions.
    template: Path
    # Those that are not named have the template's defaults, whatever they had before.
    parameters: Mapping[str, str]
    # Whether the change set is executed without a question, even if samconfig.toml has one.
    unasked: bool = False


@dataclass(frozen=True)
class Stack:
    """A stack, as CloudFormation describes it."""

    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    # When a change set was last executed; `None` if none ever was.
    updated_at: datetime | None = None
    # Whether the deployment that was asked for has changed it.
    is_changed: bool = True


def deploy(deployment: Deployment, folder: Path, log: Path | None = None) -> Stack:
    """Deploys and returns the stack. A file in `folder` takes the parameters.

    What SAM says and asks is for the terminal; with a `log` it goes there instead, and it may not take long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "parameters.yaml"
    file.write_text(yaml.safe_dump(all_parameters(deployment.template, deployment.parameters)))
    before = find(deployment.aws, deployment.stack)
    _run(deployment, arguments(deployment, file), folder, log)
    stack = describe(deployment.aws, deployment.stack)
    # SAM also succeeds if there was nothing to change, and if the question was answered with no.
    return replace(stack, is_changed=stack.updated_at != (before and before.updated_at))


def arguments(deployment: Deployment, parameters: Path) -> list[str]:
    """What `sam` is called with. The endpoint of a local AWS is in the environment, where AWS's own tools look."""
    aws = deployment.aws
    return [
        "deploy",
        f"--config-file={CONFIG}",
        f"--config-env={deployment.environment}",
        f"--template-file={deployment.template}",
        f"--stack-name={deployment.stack}",
        f"--parameter-overrides=file://{parameters}",
        f"--region={aws.region}",
        *([f"--profile={aws.profile}"] if aws.profile else []),
        *(["--no-confirm-changeset"] if deployment.unasked else []),
    ]


def all_parameters(of: Path, given: Mapping[str, str]) -> dict[str, str]:
    """A value for every parameter of a template. SAM would leave those that are not named as they were deployed."""
    declared = template.read(of)["Parameters"]
    for name in given:
        if name not in declared:
            meant = get_close_matches(name, declared, 1)
            hint = f"; is {meant[0]} meant?" if meant else ": README.md and docs/DEPLOYMENT.md list them"
            raise LocalError(f"{of.name} has no parameter {name}{hint}")
    return {**{name: str(entry["Default"]) for name, entry in declared.items() if "Default" in entry}, **given}


def describe(aws: Aws, stack: str) -> Stack:
    """The deployed stack, which has to be there."""
    if described := find(aws, stack):
        return described
    raise LocalError(f"there is no stack {stack} in {aws.region}: deploy it first (make deploy)")


def find(aws: Aws, stack: str) -> Stack | None:
    """The deployed stack, if it is there."""
    try:
        described = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    is_deployed = described["StackStatus"] != "REVIEW_IN_PROGRESS"
    return Stack(
        status=described["StackStatus"],
        outputs=_pairs(described.get("Outputs", []), "Output"),
        parameters=_pairs(described.get("Parameters", []), "Parameter"),
        updated_at=described.get("LastUpdatedTime", described["CreationTime"]) if is_deployed else None,
    )


def _pairs(entries: list[dict[str, Any]], kind: str) -> dict[str, str]:
    return {entry[f"{kind}Key"]: entry[f"{kind}Value"] for entry in entries}


def _run(deployment: Deployment, argv: list[str], folder: Path, log: Path | None) -> None:
    sam = str(paths.require(paths.SAM, "make tools"))
    env = {**deployment.aws.variables, "SAM_CLI_TELEMETRY": "0"}
    if log is None:
        if subprocess.run([sam, *argv], env=env, cwd=folder, check=False).returncode != 0:
            raise LocalError("sam deploy failed: see above")
        return
    try:
        with log.open("wb") as output:
            subprocess.run(
                [sam, *argv],
                env=env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=UNWATCHED_SECONDS,
                check=True,
            )
    except subprocess.CalledProcessError as error:
        raise LocalError(f"sam deploy failed. The end of {log}:\n{processes.tail(log)}") from error
    except subprocess.TimeoutExpired as error:
        raise LocalError(
            f"sam deploy was not done after {UNWATCHED_SECONDS} s. The end of {log}:\n{processes.tail(log)}"
        ) from error
