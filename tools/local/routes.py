"""Closes MiniStack's gap with HTTP APIs.

SAM turns the `HttpApi` events of the functions into one OpenAPI document, the `Body` of `AWS::ApiGatewayV2::Api`. AWS
imports it; MiniStack 1.5 creates the API and leaves it without routes. This module reads that document from the
deployed template and creates the same routes and integrations through API Gateway's own calls. When MiniStack imports
the body itself, this module can go: only `stack.py` knows of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local import aws
from local.aws import Endpoint
from local.deployment import STACK
from local.errors import LocalError


@dataclass(frozen=True)
class Route:
    """One operation of the OpenAPI document."""

    key: str
    function: str
    authorization: str


def create(endpoint: Endpoint) -> str:
    """Gives the deployed API the routes its template declares, and returns its URL."""
    cloudformation = aws.client("cloudformation", endpoint)
    gateway = aws.client("apigatewayv2", endpoint)
    template = cloudformation.get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    names = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    logical_id, api = _api(template)
    api_id = names[logical_id]

    _clear(gateway, api_id)
    for route in declared(api):
        _create(gateway, aws.client("lambda", endpoint), api_id, route, names[route.function])
    return f"{endpoint.url}/_aws/execute-api/{api_id}"


def declared(api: dict[str, Any]) -> Iterator[Route]:
    """The routes an API resource of a processed template declares."""
    for path, operations in api["Properties"]["Body"]["paths"].items():
        for method, operation in operations.items():
            uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
            function = re.search(r"\$\{(\w+)\.Arn\}", uri)
            if not function:
                raise LocalError(f"{method} {path} does not integrate a function of the template: {uri}")
            # SAM writes one requirement per route: the authorizer's name, or NONE.
            (authorization,) = operation["security"][0]
            yield Route(f"{method.upper()} {path}", function[1], authorization)


def _api(template: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    apis = [(name, r) for name, r in template["Resources"].items() if r["Type"] == "AWS::ApiGatewayV2::Api"]
    if len(apis) != 1:
        raise LocalError(f"expected one HTTP API in the template and found {len(apis)}")
    return apis[0]


def _clear(gateway: Any, api_id: str) -> None:
    """Removes what an earlier deployment left, which may differ from what is declared now."""
    for route in gateway.get_routes(ApiId=api_id)["Items"]:
        gateway.delete_route(ApiId=api_id, RouteId=route["RouteId"])
    for integration in gateway.get_integrations(ApiId=api_id)["Items"]:
        gateway.delete_integration(ApiId=api_id, IntegrationId=integration["IntegrationId"])


def _create(gateway: Any, functions: Any, api_id: str, route: Route, function_name: str) -> None:
    arn = functions.get_function(FunctionName=function_name)["Configuration"]["FunctionArn"]
    integration = gateway.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )
    gateway.create_route(
        ApiId=api_id,
        RouteKey=route.key,
        Target=f"integrations/{integration['IntegrationId']}",
        AuthorizationType=route.authorization,
    )
