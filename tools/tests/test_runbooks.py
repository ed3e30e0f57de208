"""The AWS commands of docs/runbooks are ones that the AWS CLI has, with parameters that it takes."""

import re
import unittest

import botocore.session
from botocore import xform_name

from local import paths

RUNBOOKS = paths.ROOT / "docs" / "runbooks"
# What the AWS CLI takes with every command.
GLOBAL = {"output", "query", "region", "profile"}
COMMAND = re.compile(r"\baws ([a-z0-9-]+) ([a-z0-9-]+)((?:[^`\\\n]|\\\n)*)")
# A parameter is at the beginning of a word, and not within quotes.
PARAMETER = re.compile(r"(?<=\s)--([a-z0-9-]+)")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


class Runbooks(unittest.TestCase):
    """Each command of each page."""

    def test_each_aws_command_is_one(self) -> None:
        session = botocore.session.get_session()
        commands = [command for page in sorted(RUNBOOKS.glob("*.md")) for command in COMMAND.findall(page.read_text())]
        self.assertGreater(len(commands), 15)
        for service, operation, parameters in commands:
            model = session.get_service_model(service)
            operations = {xform_name(name, "-"): name for name in model.operation_names}
            self.assertIn(operation, operations, service)
            shape = model.operation_model(operations[operation]).input_shape
            known = {xform_name(name, "-") for name in shape.members} if shape else set()
            given = set(PARAMETER.findall(QUOTED.sub("", parameters)))
            self.assertLessEqual(given, known | GLOBAL, f"aws {service} {operation}")
