"""The front for the webhook: edge.yaml, before a stack that is there, in the region that CloudFront's web ACLs need."""

from urllib.parse import urlsplit

from deploy import aws, sam
from deploy.environment import Environment
from deploy.sam import Deployment, Stack
from local import paths
from local.errors import LocalError

TEMPLATE = paths.ROOT / "edge.yaml"
# Web ACLs for CloudFront are made there, wherever the rest is ("CreateWebACL", AWS WAF API).
REGION = "us-east-1"
# RateLimit is of five minutes, WebhookRateLimit of a second.
WINDOW_SECONDS = 300


def stack_name(wanted: Environment) -> str:
    """The name of the front's stack."""
    return f"{wanted.stack}-edge"


def require_possible(wanted: Environment) -> None:
    """Fails if the environment has a front that cannot be deployed, or behind which no webhook would be taken."""
    if wanted.edge is None:
        return
    sam.all_parameters(TEMPLATE, wanted.edge)
    if wanted.parameters.get("AllowedSourceIps"):
        raise LocalError(
            f"{wanted.name} has a front, behind which the function sees CloudFront's addresses: it would refuse every"
            f" webhook. Move AllowedSourceIps from [{wanted.name}.parameters] to [{wanted.name}.edge]"
        )


def planned(wanted: Environment, behind: Stack, unasked: bool) -> Deployment:
    """The deployment before a stack; what deploy.toml says goes before what follows from that stack."""
    api = urlsplit(behind.outputs["ApiUrl"])
    follows = {
        "OriginDomainName": api.netloc,
        "OriginPath": api.path,
        "RateLimit": str(int(behind.parameters["WebhookRateLimit"]) * WINDOW_SECONDS),
        "RunbooksUrl": behind.parameters["RunbooksUrl"],
    }
    there = aws.of_user(wanted.profile, REGION)
    return Deployment(there, wanted.name, stack_name(wanted), TEMPLATE, {**follows, **(wanted.edge or {})}, unasked)


def url(wanted: Environment) -> str | None:
    """Where the front takes webhooks, if the environment has one."""
    if wanted.edge is None:
        return None
    stack = sam.describe(aws.of_user(wanted.profile, REGION), stack_name(wanted))
    if "WebhookUrl" not in stack.outputs:
        raise LocalError(f"the stack {stack_name(wanted)} is {stack.status}: make deploy ENVIRONMENT={wanted.name}")
    return stack.outputs["WebhookUrl"]
