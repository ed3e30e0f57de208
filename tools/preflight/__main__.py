"""The command line: `make preflight`, or `python -m preflight`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from samtranslator.model.exceptions import InvalidDocumentException

from deploy import aws, edge, environment
from local import paths, template
from local.errors import LocalError
from preflight import account, findings, limits, linters, page, parameters, permissions
from preflight.findings import Exemption, Step
from preflight.parameters import Chosen

WITHOUT_ACCOUNT = "Not checked: import into API Gateway, change set. They need an AWS account: make preflight ACCOUNT=1"


def main() -> int:
    """Returns 0 if everything that was found is explained."""
    arguments = _parser().parse_args()
    try:
        if arguments.policy:
            print(permissions.policy(arguments.policy))
        elif arguments.tables:
            print(json.dumps(template.tables(), indent=1))
        else:
            return _run(arguments)
        return 0
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    # What is wrong with these is said before the linters need half a minute.
    chosen = _chosen(arguments)
    transformed = _transformed()
    exemptions = findings.exceptions()
    of_template = [
        *_linted(transformed),
        limits.check(transformed),
        permissions.check(transformed, template.read(edge.TEMPLATE)),
    ]
    tables = page.tables(of_template, exemptions)
    if arguments.write:
        page.write(tables)
    steps = [*of_template, parameters.check(transformed, chosen), page.check(tables)]
    code = report(steps, exemptions)
    if not arguments.account:
        print(WITHOUT_ACCOUNT)
        return code
    # What AWS says of this account and these parameters has no exceptions.
    return max(code, report(_with_account(arguments, transformed, chosen[-1]), []))


def report(steps: Sequence[Step], exemptions: Sequence[Exemption]) -> int:
    """Prints each step, then what is to be done; returns the exit code."""
    width = max(len(step.name) for step in steps)
    for step in steps:
        print(f"{step.name:<{width}}  {_result(step, exemptions)}")
    found = list(chain.from_iterable(step.findings for step in steps))
    wrong = [*dict.fromkeys(findings.unexplained(found, exemptions)), *findings.stale(found, exemptions)]
    for finding in wrong:
        print(f"\n{finding.rule}  {finding.resource}\n  {finding.message}\n  {finding.remedy}")
    print(f"\n{_count(len(wrong), 'finding')} without an explanation." if wrong else "All findings are explained.")
    return 1 if wrong else 0


def _result(step: Step, exemptions: Sequence[Exemption]) -> str:
    rules = f"{_count(step.rules, 'rule')} {step.scope}".rstrip()
    if not step.findings:
        return f"{rules}: no finding"
    wrong = len(findings.unexplained(step.findings, exemptions))
    explained = "all explained" if not wrong else f"{wrong} of them without an explanation"
    return f"{rules}: {_count(len(step.findings), 'finding')} by {step.broken()} of them, {explained}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _transformed() -> dict[str, Any]:
    try:
        return template.transformed()
    except InvalidDocumentException as error:
        causes = "\n".join(f"  {cause.message}" for cause in error.causes)
        raise LocalError(f"SAM cannot transform template.yaml:\n{causes}") from error


def _linted(transformed: dict[str, Any]) -> list[Step]:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "transformed.json"
        # On several lines, without which checkov reads no JSON.
        file.write_text(json.dumps(transformed, indent=1))
        of_stack = {"template.yaml": paths.ROOT / "template.yaml", "transformed": file}
        return linters.check({**of_stack, edge.TEMPLATE.name: edge.TEMPLATE})


def _chosen(arguments: argparse.Namespace) -> list[Chosen]:
    """Of the environment that is named, or of all, and what the command line says besides."""
    further = parameters.parsed(arguments.parameters)
    if arguments.environment:
        of_it = parameters.of_environment(arguments.environment)
        return [replace(of_it, parameters=of_it.parameters | further)]
    return [*parameters.tracked(), *([Chosen("the command line", further)] if further else [])]


def _with_account(arguments: argparse.Namespace, transformed: dict[str, Any], chosen: Chosen) -> list[Step]:
    wanted = environment.load(arguments.environment) if arguments.environment else None
    there = aws.of_user(wanted.profile, wanted.region) if wanted else aws.of_user(None, None)
    aws.require_account(there, wanted.account if wanted else None)
    reached = account.connect(there)
    print(f"\nAWS account {reached.number}, region {there.region}: what is made there is removed again.", flush=True)
    return account.check(reached, transformed, chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="preflight", description=__doc__)
    parser.add_argument("--environment", default="", help="the one that you would deploy, with deploy.toml")
    parser.add_argument(
        "--parameters", nargs="+", default=[], metavar="NAME=VALUE", help="in addition to, or in place of, those"
    )
    parser.add_argument("--account", action="store_true", help="also make the checks that need an AWS account")
    parser.add_argument("--write", action="store_true", help="put what is found into the tables of documents")
    parser.add_argument("--policy", metavar="STACK", help="print a policy for a role that deploys this stack, and end")
    parser.add_argument("--tables", action="store_true", help="print a template of the tables alone, and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
