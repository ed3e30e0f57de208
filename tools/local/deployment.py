"""`sam deploy` of what `sam build` built, into the local AWS."""

import io
import json
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from local import aws, loopback, paths, processes
from local.aws import Endpoint
from local.errors import LocalError

STACK = "belvo-ingest"
BUCKET = "belvo-ingest-artifacts"
FUNCTIONS = ("request", "webhook", "collect", "query", "publish")
# A dozen is usual.
DEPLOY_SECONDS = 300


@dataclass(frozen=True)
class Secrets:
    """What an operator would put into the deployed secrets."""

    belvo_id: str
    belvo_password: str
    webhook_authorization: str


def deploy(endpoint: Endpoint, belvo_url: str, state: Path, further: dict[str, str]) -> dict[str, str]:
    """Deploys the built template, proves that its functions are the built ones, and returns the stack's outputs.

    `further` are parameters of the template in addition to, or in place of, those of every local run.
    """
    template = paths.require(paths.BUILT_TEMPLATE, "make build")
    sam = paths.require(paths.SAM, "make tools")
    # A bucket of our own is several seconds quicker than `--resolve-s3`, which deploys a stack for it.
    aws.client("s3", endpoint).create_bucket(Bucket=BUCKET)
    parameters = {
        "BelvoBaseUrl": belvo_url,
        "Architecture": paths.architecture(),
        "DeletionProtection": "false",
        "QueuesRequireTls": "false",
        # A test looks for personal data in whatever the functions can log.
        "LogLevel": "DEBUG",
        **further,
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
            # SAM takes no empty value: the template's own is meant.
            *(f"{name}={value}" for name, value in parameters.items() if value),
        ],
        endpoint,
        state,
    )
    stack = outputs(endpoint)
    _require_built_functions(endpoint, stack)
    return stack


def outputs(endpoint: Endpoint) -> dict[str, str]:
    """The outputs of the deployed stack."""
    stack = aws.client("cloudformation", endpoint).describe_stacks(StackName=STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def deployed_functions(stack: dict[str, str]) -> dict[str, str]:
    """The functions of a stack, by program: publish is there only if there is an event bus."""
    has_events = "PublishFunctionName" in stack
    there = [function for function in FUNCTIONS if has_events or function != "publish"]
    return {function: stack[f"{function.capitalize()}FunctionName"] for function in there}


def put_secrets(endpoint: Endpoint, stack: dict[str, str], secrets: Secrets) -> None:
    """Does what the README asks of an operator after the first deployment."""
    manager = aws.client("secretsmanager", endpoint)
    keys = {"secret_id": secrets.belvo_id, "secret_password": secrets.belvo_password}
    manager.put_secret_value(SecretId=stack["BelvoKeysSecretArn"], SecretString=json.dumps(keys))
    manager.put_secret_value(
        SecretId=stack["WebhookSecretArn"], SecretString=json.dumps({"current": secrets.webhook_authorization})
    )


def require_same_program(package: bytes, program: Path) -> None:
    """Fails unless a function's deployed package holds exactly this built program."""
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            same = archive.read(program.name) == program.read_bytes()
    except (zipfile.BadZipFile, KeyError) as error:
        raise LocalError(f"the deployed package of {program.parent.name} cannot be read: {error}") from error
    if not same:
        raise LocalError(
            f"the deployed {program.parent.name} is not {program}: a build while it was deployed, or a deployment that"
            " changed nothing. Run `make down`, then the same again"
        )


def _require_built_functions(endpoint: Endpoint, stack: dict[str, str]) -> None:
    # MiniStack runs a function from the very bytes that it gives out here.
    functions = aws.client("lambda", endpoint)
    for function, name in deployed_functions(stack).items():
        resource = f"{function.capitalize()}Function"
        location = functions.get_function(FunctionName=name)["Code"]["Location"]
        program = paths.require(paths.BUILD / resource / "bootstrap", "make build")
        try:
            package = loopback.download(aws.require_loopback(location))
        except OSError as error:
            raise LocalError(f"the deployed package of {resource} cannot be downloaded: {error}") from error
        require_same_program(package, program)


def _run_sam(argv: list[str], endpoint: Endpoint, state: Path) -> None:
    log = state / "deploy.log"
    # SAM writes into its home directory and would read samconfig.toml from the current one.
    env = {**aws.environment(endpoint), "HOME": str(state / "tmp"), "SAM_CLI_TELEMETRY": "0"}
    try:
        with log.open("wb") as output:
            subprocess.run(
                argv,
                env=env,
                cwd=state,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=DEPLOY_SECONDS,
                check=True,
            )
    except subprocess.CalledProcessError as error:
        raise LocalError(f"sam deploy failed. The end of {log}:\n{processes.tail(log)}") from error
    except subprocess.TimeoutExpired as error:
        raise LocalError(
            f"sam deploy was not done after {DEPLOY_SECONDS} s. The end of {log}:\n{processes.tail(log)}"
        ) from error
