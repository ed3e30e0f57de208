"""docs/openapi.json has the routes of template.yaml and no others, each with the authorization that it wants."""

import json
import unittest

import yaml

from local.paths import ROOT


class Template(yaml.SafeLoader):
    """Reads a template; what a CloudFormation function such as `!Ref` makes of its argument stays open."""


Template.add_multi_constructor("!", lambda _loader, _name, _node: None)


def of_the_template() -> dict[str, str]:
    """What authorizes each route: `AWS_IAM`, or `NONE`."""
    resources = yaml.load((ROOT / "template.yaml").read_text(), Template)["Resources"]  # noqa: S506 (a safe loader)
    default = resources["Api"]["Properties"]["Auth"]["DefaultAuthorizer"]
    events = [
        event["Properties"]
        for resource in resources.values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "HttpApi"
    ]
    return {f"{one['Method']} {one['Path']}": one.get("Auth", {}).get("Authorizer", default) for one in events}


def of_the_document() -> dict[str, str]:
    """The same, as documented."""
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    schemes = {"sigv4": "AWS_IAM", "webhookAuthorization": "NONE"}
    routes = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            ((scheme,),) = operation.get("security", document["security"])
            routes[f"{method.upper()} {path}"] = schemes[scheme]
    return routes


class Routes(unittest.TestCase):
    """Comparing the two."""

    def test_every_route_is_documented_and_no_other_with_its_authorization(self) -> None:
        self.assertEqual(of_the_document(), of_the_template())

    def test_the_template_has_routes_of_both_kinds(self) -> None:
        self.assertEqual(set(of_the_template().values()), {"AWS_IAM", "NONE"})
