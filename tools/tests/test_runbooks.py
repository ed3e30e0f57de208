"""AWS commands of runbooks and docs/DEPLOYMENT.md are ones that the AWS CLI has, with parameters that it takes."""

import re
import unittest

import botocore.session
from botocore import xform_name

from local import paths

DOCS = paths.ROOT / "docs"
PAGES = [DOCS / "DEPLOYMENT.md", *sorted((DOCS / "runbooks").glob("*.md"))]
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
        commands = [command for page in PAGES for command in COMMAND.findall(page.read_text())]
        self.assertGreater(len(commands), 15)
        for service, operation, parameters in commands:
            model = session.get_service_model(service)
            if operation == "wait":
                known = {xform_name(name, "-") for name in session.get_waiter_model(service).waiter_names}
                self.assertIn(parameters.split()[0], known, f"aws {service} wait")
                continue
            operations = {xform_name(name, "-"): name for name in model.operation_names}
            self.assertIn(operation, operations, service)
            shape = model.operation_model(operations[operation]).input_shape
            members = (
                {xform_name(name, "-"): member.type_name for name, member in shape.members.items()} if shape else {}
            )
            known = {*members, *(f"no-{name}" for name, kind in members.items() if kind == "boolean")}
            given = set(PARAMETER.findall(QUOTED.sub("", parameters)))
            self.assertLessEqual(given, known | GLOBAL, f"aws {service} {operation}")
