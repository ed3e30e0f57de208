"""The routes created locally are those that AWS would import."""

import unittest

from local.errors import LocalError
from local.routes import Route, declared


def api(path: str, method: str, uri: str, authorizer: str) -> dict:
    """An API resource with one operation, as SAM writes it."""
    operation = {
        "x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": {"Fn::Sub": uri}},
        "security": [{authorizer: []}],
    }
    return {"Properties": {"Body": {"paths": {path: {method: operation}}}}}


class Declared(unittest.TestCase):
    """Reading the OpenAPI document of a processed template."""

    def test_a_route_keeps_its_path_parameters_and_its_authorizer(self) -> None:
        uri = "arn:${AWS::Partition}:apigateway:…/functions/${QueryFunction.Arn}/invocations"
        routes = list(declared(api("/requests/{id}", "get", uri, "AWS_IAM")))
        self.assertEqual(routes, [Route("GET /requests/{id}", "QueryFunction", "AWS_IAM")])

    def test_an_integration_that_is_no_function_is_refused(self) -> None:
        with self.assertRaises(LocalError):
            list(declared(api("/", "get", "https://example.com", "NONE")))
