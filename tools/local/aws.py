"""How everything local reaches the local AWS, and nothing reaches the real one."""

import os
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from local.errors import LocalError

REGION = "us-east-1"
ACCOUNT_KEY = "test"


def environment(endpoint: str) -> dict[str, str]:
    """The whole environment of a process that talks to the local AWS.

    Nothing is inherited but the search path: no profile, no credentials, no proxy and no instance metadata of the
    machine can lead a call elsewhere.
    """
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": require_loopback(endpoint),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def require_loopback(url: str) -> str:
    """Returns `url` if it stays on this machine, else refuses."""
    if urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise LocalError(f"refusing {url} as the local AWS: it is not a loopback address")
    return url


def client(service: str, endpoint: str) -> Any:
    """A client of one service of the local AWS."""
    return boto3.client(
        service,
        endpoint_url=require_loopback(endpoint),
        region_name=REGION,
        aws_access_key_id=ACCOUNT_KEY,
        aws_secret_access_key=ACCOUNT_KEY,
        config=Config(proxies={}, retries={"max_attempts": 2}),
    )
