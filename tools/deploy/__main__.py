"""The command line: `python -m deploy check|deploy|secrets ENVIRONMENT`."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from deploy import aws, canary, edge, environment, guide, sam, stacks
from deploy.aws import Aws
from deploy.environment import Environment
from deploy.sam import Deployment, Stack
from local import paths
from local.errors import LocalError
from release import package

BUILD = paths.ROOT / ".aws-sam"
BUILT_TEMPLATE = BUILD / "build" / "template.yaml"


def main() -> int:
    """Runs one command; a failure that the user can do something about is one line and exit code 1."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"error: AWS failed: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        return 130
    return 0


def _check(arguments: argparse.Namespace) -> None:
    wanted, there = _reached(arguments)
    print(f"Deploying   {wanted.stack} to account {aws.account_of(there)}, {there.region}", flush=True)


def _deploy(arguments: argparse.Namespace) -> None:
    wanted, there = _reached(arguments)
    template = _released(arguments.release) or paths.require(BUILT_TEMPLATE, "make package")
    plan = Deployment(there, wanted.name, wanted.stack, template, wanted.parameters, arguments.unasked)
    if wanted.canary:
        print(f"Canary      {wanted.canary}, by the alias `{canary.ALIAS}` of each function", flush=True)
        plan = replace(
            plan, template=canary.write(template, wanted.canary, sam.all_parameters(template, plan.parameters))
        )
    stack = sam.deploy(plan, BUILD)
    print(f"Stack       {wanted.stack}: {stack.status}")
    if not stack.is_changed:
        print("Nothing     was deployed: nothing had changed, or the change set was not executed")
        return
    for name in ("ApiUrl", "WebhookUrl"):
        if name in stack.outputs:
            print(f"{name:<12}{stack.outputs[name]}")
    if wanted.edge is not None:
        _deploy_edge(wanted, stack, arguments.unasked)
    print(f"Secrets     if they are not there yet: make secrets ENVIRONMENT={wanted.name}")


def _deploy_edge(wanted: Environment, behind: Stack, unasked: bool) -> None:
    stack = sam.deploy(edge.planned(wanted, behind, unasked), BUILD)
    print(f"Front       {edge.stack_name(wanted)}: {stack.status}")
    if stack.outputs:
        print(f"Register    {stack.outputs['WebhookUrl']} at Belvo, in place of WebhookUrl")


def _reached(arguments: argparse.Namespace) -> tuple[Environment, Aws]:
    """The environment and its AWS, once everything is right that can be known before the functions are built."""
    wanted = environment.load(arguments.environment)
    wanted = replace(wanted, canary=arguments.canary or wanted.canary)
    if wanted.canary:
        canary.require_type(wanted.canary)
    sam.all_parameters(_released(arguments.release) or paths.ROOT / "template.yaml", wanted.parameters)
    edge.require_possible(wanted)
    if wanted.asks and not arguments.unasked and not sys.stdin.isatty():
        raise LocalError(
            f"{wanted.name} shows its change set and asks before it executes it, and there is no terminal to ask at."
            f" Without the question: make deploy ENVIRONMENT={wanted.name} CONFIRM=no"
        )
    there = aws.of_user(wanted.profile, wanted.region)
    aws.require_account(there, wanted.account)
    return wanted, there


def _released(version: str) -> Path | None:
    """The template of a release, all of whose files are there and unchanged."""
    if not version:
        return None
    folder = package.RELEASES / version
    package.require_whole(folder)
    return folder / package.TEMPLATE


def _secrets(arguments: argparse.Namespace) -> None:
    guide.require_terminal()
    guide.run(stacks.find(arguments.environment), guide.Terminal(), arguments.show)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run, what in (
        ("check", _check, "check what can be known before the functions are built"),
        ("deploy", _deploy, "deploy what `make package` built"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("environment")
        command.add_argument("--canary", default="", help="shift traffic like this, whatever deploy.toml says")
        command.add_argument("--release", default="", help="deploy this release, and build nothing")
        command.add_argument("--unasked", action="store_true", help="execute the change set without a question")
        command.set_defaults(run=run)
    put = commands.add_parser("secrets", help="ask for the secrets of a deployed stack, prove and put them")
    put.add_argument("environment")
    put.add_argument("--show", action="store_true", help="print the webhook's authorization")
    put.set_defaults(run=_secrets)
    return parser


if __name__ == "__main__":
    sys.exit(main())
