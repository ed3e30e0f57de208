"""`template.yaml` as data."""

from pathlib import Path
from typing import Any

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local import aws, paths


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms, such as `!Ref Name`, as their long ones."""


def _long_form(loader: Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        return {name: text.split(".", 1) if tag == "GetAtt" else text}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _long_form)


def read(path: Path = paths.ROOT / "template.yaml") -> dict[str, Any]:
    """The template, as it is before SAM transforms it."""
    return yaml.load(path.read_text(), Loader)  # noqa: S506 (a safe loader)


def tables() -> dict[str, Any]:
    """A template of the tables alone, as a new stack takes them up again that another has left behind.

    They are the same resources with the same parameters: a deployment of the whole template changes nothing about them.
    """
    source = read()
    of_tables = {name: entry for name, entry in source["Resources"].items() if entry["Type"] == "AWS::DynamoDB::Table"}
    kept = {key: source[key] for key in ("AWSTemplateFormatVersion", "Parameters", "Conditions")}
    return {**kept, "Resources": of_tables}


def transformed() -> dict[str, Any]:
    """The template as CloudFormation gets it."""
    source = read()
    source["Globals"]["Function"]["CodeUri"] = "s3://bucket/code"
    region = boto3.Session(region_name=aws.REGION)
    return Translator({}, Parser(), boto_session=region).translate(source, {})
