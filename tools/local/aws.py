"""How everything local reaches the local AWS, and nothing reaches the real one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from deploy.aws import LOOPBACK, Aws
from local.errors import LocalError

REGION = "us-east-1"
ACCOUNT_KEY = "test"


@dataclass(frozen=True)
class Endpoint:
    """Where a local AWS listens, and the secret of its account's key, which each stack makes anew."""

    url: str
    secret: str

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        """As a stack's variables have it."""
        return cls(variables["AWS_ENDPOINT_URL"], variables["AWS_SECRET_ACCESS_KEY"])


def environment(endpoint: Endpoint) -> dict[str, str]:
    """The whole environment of a process that talks to the local AWS.

    Nothing is inherited but the search path: no profile, no credentials, no proxy and no instance metadata of the
    machine can lead a call elsewhere.
    """
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": require_loopback(endpoint.url),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT_KEY,
        "AWS_SECRET_ACCESS_KEY": endpoint.secret,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def command_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a user's command: the user's own, with `variables` in place of everything AWS."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | dict(variables)


def require_loopback(url: str) -> str:
    """Returns `url` if it stays on this machine, else refuses."""
    if urlsplit(url).hostname not in LOOPBACK:
        raise LocalError(f"refusing {url} as the local AWS: it is not a loopback address")
    return url


def client(service: str, endpoint: Endpoint) -> Any:
    """A client of one service of the local AWS."""
    return _session().client(
        service,
        endpoint_url=require_loopback(endpoint.url),
        region_name=REGION,
        aws_access_key_id=ACCOUNT_KEY,
        aws_secret_access_key=endpoint.secret,
        config=Config(proxies={}, retries={"max_attempts": 2}),
    )


def reached(endpoint: Endpoint) -> Aws:
    """The local AWS, as a place to deploy to."""
    return Aws(partial(client, endpoint=endpoint), REGION, environment(endpoint))


def _session() -> boto3.Session:
    """A session that reads neither a profile nor a configuration file of the user."""
    # Each is (name in the file, environment variable, value, conversion).
    settings = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=settings))
