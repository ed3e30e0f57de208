"""`sam deploy` of what `sam build` built, into the local AWS."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local import aws, paths, processes
from local.errors import LocalError

STACK = "belvo-ingest"
BUCKET = "belvo-ingest-artifacts"


@dataclass(frozen=True)
class Secrets:
    """What an operator would put into the deployed secrets."""

    belvo_id: str
    belvo_password: str
    webhook_authorization: str


def deploy(endpoint: str, belvo_url: str, state: Path) -> dict[str, str]:
    """Deploys the built template and returns the stack's outputs."""
    template = paths.require(paths.BUILT_TEMPLATE, "make build")
    sam = paths.require(paths.SAM, "make tools")
    # A bucket of our own is several seconds quicker than `--resolve-s3`, which deploys a stack for it.
    aws.client("s3", endpoint).create_bucket(Bucket=BUCKET)
    parameters = {
        "BelvoBaseUrl": belvo_url,
        "Architecture": paths.architecture(),
        "DeletionProtection": "false",
        "QueuesRequireTls": "false",
    }
    _run_sam(
        [
            str(sam),
            "deploy",
            f"--template-file={template}",
            f"--stack-name={STACK}",
            f"--s3-bucket={BUCKET}",
            f"--region={aws.REGION}",
            "--capabilities=CAPABILITY_IAM",
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            "--no-progressbar",
            "--parameter-overrides",
            *(f"{name}={value}" for name, value in parameters.items()),
        ],
        endpoint,
        state,
    )
    return outputs(endpoint)


def outputs(endpoint: str) -> dict[str, str]:
    """The outputs of the deployed stack."""
    stack = aws.client("cloudformation", endpoint).describe_stacks(StackName=STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def put_secrets(endpoint: str, stack: dict[str, str], secrets: Secrets) -> None:
    """Does what the README asks of an operator after the first deployment."""
    manager = aws.client("secretsmanager", endpoint)
    keys = {"secret_id": secrets.belvo_id, "secret_password": secrets.belvo_password}
    manager.put_secret_value(SecretId=stack["BelvoKeysSecretArn"], SecretString=json.dumps(keys))
    manager.put_secret_value(
        SecretId=stack["WebhookSecretArn"], SecretString=json.dumps({"current": secrets.webhook_authorization})
    )


def _run_sam(argv: list[str], endpoint: str, state: Path) -> None:
    log = state / "deploy.log"
    # SAM writes into its home directory and would read samconfig.toml from the current one.
    env = {**aws.environment(endpoint), "HOME": str(state / "tmp"), "SAM_CLI_TELEMETRY": "0"}
    with log.open("wb") as output:
        done = subprocess.run(
            argv, env=env, cwd=state, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        raise LocalError(f"sam deploy failed. The end of {log}:\n{processes.tail(log)}")
