"""cfn-lint and checkov, each on template.yaml, on what SAM makes of it, and on edge.yaml."""

import json
import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local import paths
from local.errors import LocalError
from preflight.findings import Finding, Step

BIN = paths.VENVS / "policy" / "bin"
REGIONS = Path(__file__).with_name("regions.py")
REMEDY = "Change the template, or say in tools/preflight/exceptions.toml why not."


def check(templates: dict[str, Path]) -> list[Step]:
    """Runs both on each of some templates, two at a time."""
    paths.require(BIN / "checkov", "make preflight")
    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [
            pool.submit(linter, name, path, home)
            for linter in (_cfn_lint, _checkov)
            for name, path in templates.items()
        ]
        return [step.result() for step in running]


def _cfn_lint(name: str, template: Path, home: str) -> Step:
    # Without the script's directory among those that modules are imported from: some have names of ours.
    answer = _run([str(BIN / "python"), "-P", str(REGIONS), str(template)], home)
    findings = tuple(
        Finding(found["rule"], found["resource"], found["message"], f"{REMEDY} {found['page']}".rstrip())
        for found in answer["findings"]
    )
    return Step(f"cfn-lint, {name}", answer["rules"], findings, f"in {answer['regions']} regions")


def _checkov(name: str, template: Path, home: str) -> Step:
    command = [str(BIN / "checkov"), "--file", str(template), "--framework", "cloudformation"]
    answer = _run([*command, "--output", "json", "--compact", "--skip-download"], home)
    return judged(name, answer)


def judged(name: str, answer: dict[str, Any]) -> Step:
    """What checkov's answer says. Only rules count that are about some resource of the template."""
    if answer["summary"]["parsing_errors"] or not answer["summary"]["resource_count"]:
        raise LocalError(f"checkov could not read {name}: {answer['results']['parsing_errors']}")
    # Those that the template itself excuses count like others.
    failed = [*answer["results"]["failed_checks"], *answer["results"]["skipped_checks"]]
    rules = {check["check_id"] for check in failed} | {
        check["check_id"] for check in answer["results"]["passed_checks"]
    }
    findings = tuple(
        Finding(
            check["check_id"],
            check["resource"].rpartition(".")[2],
            check["check_name"],
            f"{REMEDY} {check['guideline'] or ''}".rstrip(),
        )
        for check in failed
    )
    return Step(f"checkov, {name}", len(rules), findings)


def _run(command: list[str], home: str) -> dict[str, Any]:
    """What a linter prints. It reads no configuration of the user's and asks nobody for a newer version of itself."""
    env = {"PATH": os.environ["PATH"], "HOME": home, "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true"}
    done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise LocalError(
            f"{Path(command[0]).name} failed; remove .venv/policy and try again:\n{done.stderr or done.stdout}"
        ) from error
