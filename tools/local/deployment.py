"""The deployment of what `make build` built to the local AWS, by the same code as to AWS (`tools/deploy`)."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deploy import sam, secrets
from deploy.environment import LOCAL, settings
from deploy.sam import Deployment
from local import aws, loopback, paths
from local.aws import Endpoint
from local.errors import LocalError

# As samconfig.toml has it.
STACK = "belvo-ingest"
FUNCTIONS = ("request", "webhook", "collect", "query", "publish")


@dataclass(frozen=True)
class Secrets:
    """What an operator would put into the deployed secrets."""

    belvo_id: str
    belvo_password: str
    webhook_authorization: str


def deploy(endpoint: Endpoint, belvo_url: str, state: Path, further: dict[str, str]) -> Mapping[str, str]:
    """Deploys the built template, proves that its functions are the built ones, and returns the stack's outputs.

    `further` are parameters of the template in addition to, or in place of, those of every local run.
    """
    # A bucket of our own is several seconds quicker than `resolve_s3`, which deploys a stack for it.
    aws.client("s3", endpoint).create_bucket(Bucket=settings(LOCAL)["s3_bucket"])
    parameters = {"BelvoBaseUrl": belvo_url, "Architecture": paths.architecture(), **further}
    stack = sam.deploy(planned(endpoint, state, parameters), state, log=state / "deploy.log").outputs
    _require_built_functions(endpoint, stack)
    return stack


def planned(endpoint: Endpoint, state: Path, parameters: Mapping[str, str]) -> Deployment:
    """The deployment to the local AWS, which goes the same way as one to AWS."""
    reached = aws.reached(endpoint)
    # SAM writes into its home directory.
    reached = replace(reached, variables={**reached.variables, "HOME": str(state / "tmp")})
    template = paths.require(paths.BUILT_TEMPLATE, "make build")
    return Deployment(reached, LOCAL, STACK, template, {**settings(LOCAL)["parameter_overrides"], **parameters})


def deployed_functions(stack: Mapping[str, str]) -> dict[str, str]:
    """The functions of a stack, by program: publish is there only if there is an event bus."""
    has_events = "PublishFunctionName" in stack
    there = [function for function in FUNCTIONS if has_events or function != "publish"]
    return {function: stack[f"{function.capitalize()}FunctionName"] for function in there}


def put_secrets(endpoint: Endpoint, stack: Mapping[str, str], values: Secrets) -> None:
    """Does what `make secrets` does after the first deployment."""
    reached = aws.reached(endpoint)
    secrets.put_keys(reached, stack, secrets.Keys(values.belvo_id, values.belvo_password))
    secrets.put_authorization(reached, stack, secrets.Authorization(values.webhook_authorization))


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


def _require_built_functions(endpoint: Endpoint, stack: Mapping[str, str]) -> None:
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
