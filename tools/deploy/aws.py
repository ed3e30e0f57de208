"""The AWS that a stack is deployed to: the user's own, or a local one."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

from local.errors import LocalError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
LOG_IN = (
    "Log in (aws sso login, aws configure, or AWS_ACCESS_KEY_ID and its like), or name a profile that has credentials:"
    " profile in deploy.toml, or AWS_PROFILE"
)


@dataclass(frozen=True)
class Aws:
    """How an AWS is reached."""

    # A client of one of its services.
    client: Callable[[str], Any]
    region: str
    # The whole environment of a process that calls it.
    variables: Mapping[str, str]
    # Of the user's configuration; `None` is the one that the environment names, if any.
    profile: str | None = None


def of_user(profile: str | None, region: str | None) -> Aws:
    """The real AWS, with the user's own profile and credentials."""
    _refuse_local_endpoints(os.environ)
    try:
        # boto3 knows AWS_DEFAULT_REGION only; SAM and the AWS CLI look for AWS_REGION first.
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))
    except ProfileNotFound as error:
        raise LocalError(f"{error}. Name one of `aws configure list-profiles` in deploy.toml") from error
    if not session.region_name:
        raise LocalError("no AWS region is known. Name one: region in deploy.toml, or AWS_REGION")
    return Aws(session.client, session.region_name, os.environ, profile)


def account_of(aws: Aws) -> str:
    """The account that the credentials are of; says what to do if there are none, or none that are valid."""
    try:
        return aws.client("sts").get_caller_identity()["Account"]
    except NoCredentialsError as error:
        raise LocalError(f"there are no AWS credentials. {LOG_IN}") from error
    except ClientError as error:
        raise LocalError(f"AWS refuses the credentials: {error}. {LOG_IN}") from error
    except BotoCoreError as error:
        # An SSO session that has ended, a profile that is not complete, a network that is not there.
        raise LocalError(f"AWS cannot be called: {error}. {LOG_IN}") from error


def require_account(aws: Aws, account: str | None) -> None:
    """Fails if the credentials are of another account than the wanted one; `None` wants any."""
    found = account_of(aws)
    if account and found != account:
        raise LocalError(
            f"the credentials are of account {found}, and deploy.toml wants {account}: name the right profile"
        )


def _refuse_local_endpoints(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        if name.startswith("AWS_ENDPOINT_URL") and urlsplit(value).hostname in LOOPBACK:
            raise LocalError(
                f"{name} is {value}, an AWS on this machine. `make up` deploys to that one; to deploy to the real one,"
                " use a shell without the variables of .local/stack/env"
            )
