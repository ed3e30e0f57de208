"""Canary deployments: the built template with an alias for each function, whose traffic CodeDeploy shifts step by step.

SAM cannot make an alias depend on a parameter (docs/decisions/0039-deployments.md), so that this adds them to the
template that `sam build` wrote.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local import template
from local.errors import LocalError

ALIAS = "live"
# What it takes to deploy at once, and without a look at alarms: for the version that ends one.
AT_ONCE = "AllAtOnce"
# CodeDeploy's own configurations for Lambda, which SAM names like this ("DeploymentPreference", AWS SAM).
TYPES = (
    *(f"Canary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)),
    *(f"Linear10PercentEvery{step}" for step in ("1Minute", "2Minutes", "3Minutes", "10Minutes")),
    AT_ONCE,
)
# It sees what functions log of failures that they answer or repeat. The alarms of the API cannot be used: they refer to
# it, it refers to the aliases, and these to CodeDeploy's groups, so that the template would go round in a circle.
STACK_ALARMS = ("ErrorLinesAlarm",)


def require_type(name: str) -> None:
    """Fails unless CodeDeploy has this configuration."""
    if name not in TYPES:
        raise LocalError(f"canary is {name}, and may be one of {', '.join(TYPES)}")


def write(built: Path, kind: str, parameters: Mapping[str, str]) -> Path:
    """Writes the built template with aliases beside it, and returns where."""
    path = built.with_name("canary.json")
    path.write_text(json.dumps(with_aliases(template.read(built), kind, built.parent, parameters), indent=1))
    return path


def with_aliases(source: dict[str, Any], kind: str, build: Path, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The template with an alias for each function, and an alarm that sees its new version alone fail."""
    resources = dict(source["Resources"])
    for name, resource in source["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        alarm = f"{name.removesuffix('Function')}CanaryAlarm"
        preference = {"Type": kind, "PassthroughCondition": True}
        if kind != AT_ONCE:
            preference["Alarms"] = [{"Ref": each} for each in (*STACK_ALARMS, alarm)]
            resources[alarm] = _alarm(name, resource.get("Condition"))
        added = {
            "AutoPublishAlias": ALIAS,
            "AutoPublishCodeSha256": _digest(source, name, _program(resource, build / name), parameters),
            "DeploymentPreference": preference,
        }
        resources[name] = {**resource, "Properties": {**resource["Properties"], **added}}
    return {**source, "Resources": resources}


def _program(resource: dict[str, Any], folder: Path) -> Path:
    """The program that was built, or the zip of one that a release has beside its template."""
    code = resource["Properties"].get("CodeUri", "")
    return folder.with_name(code) if code.endswith(".zip") else folder / "bootstrap"


def _digest(source: dict[str, Any], name: str, program: Path, parameters: Mapping[str, str]) -> str:
    """What a version is made of. By itself SAM overlooks the values of parameters, and the alias keeps the old ones."""
    settings = [source["Globals"], source["Resources"][name]["Properties"], dict(parameters)]
    return hashlib.sha256(program.read_bytes() + json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _alarm(function: str, condition: str | None) -> dict[str, Any]:
    """Goes off at the first error of the new version ("Types of metrics for Lambda functions", AWS Lambda)."""
    dimensions = {
        "FunctionName": {"Ref": function},
        "Resource": {"Fn::Sub": f"${{{function}}}:{ALIAS}"},
        "ExecutedVersion": {"Fn::GetAtt": [f"{function}.Version", "Version"]},
    }
    return {
        "Type": "AWS::CloudWatch::Alarm",
        **({"Condition": condition} if condition else {}),
        "Properties": {
            "AlarmDescription": "The version that is being deployed failed; CodeDeploy goes back to the one before.",
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]},
        },
    }
