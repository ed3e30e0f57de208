"""`template.yaml` as data."""

from pathlib import Path
from typing import Any

import yaml

from local import paths


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
