"""The two secrets of a stack: Belvo's keys, and what its webhooks authenticate with. No value of one is ever shown."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from deploy.aws import Aws
from local.errors import LocalError

KEYS = "BelvoKeysSecretArn"
AUTHORIZATION = "WebhookSecretArn"

T = TypeVar("T", "Keys", "Authorization")


@dataclass(frozen=True)
class Keys:
    """Belvo's API keys."""

    secret_id: str = field(repr=False)
    secret_password: str = field(repr=False)


@dataclass(frozen=True)
class Authorization:
    """Whole values of the `Authorization` header that webhooks may carry; two while one replaces the other."""

    current: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)


def keys(aws: Aws, outputs: Mapping[str, str]) -> Keys | None:
    """The keys in use, if there are any."""
    return _value(aws, outputs[KEYS], Keys)


def put_keys(aws: Aws, outputs: Mapping[str, str], value: Keys) -> None:
    """Puts keys in the place of those before."""
    _put(aws, outputs[KEYS], {"secret_id": value.secret_id, "secret_password": value.secret_password})


def authorization(aws: Aws, outputs: Mapping[str, str]) -> Authorization | None:
    """The values in use, if there are any."""
    return _value(aws, outputs[AUTHORIZATION], Authorization)


def put_authorization(aws: Aws, outputs: Mapping[str, str], value: Authorization) -> None:
    """Puts values in the place of those before."""
    previous = {"previous": value.previous} if value.previous else {}
    _put(aws, outputs[AUTHORIZATION], {"current": value.current, **previous})


def _value(aws: Aws, arn: str, kind: type[T]) -> T | None:
    manager = aws.client("secretsmanager")
    try:
        return kind(**json.loads(manager.get_secret_value(SecretId=arn)["SecretString"]))
    except manager.exceptions.ResourceNotFoundException:
        return None
    except (ValueError, TypeError) as error:
        fields = ", ".join(kind.__dataclass_fields__)
        raise LocalError(
            f"the secret {arn} is not a JSON object with {fields}: put one with `aws secretsmanager put-secret-value`"
        ) from error


def _put(aws: Aws, arn: str, value: dict[str, str]) -> None:
    aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=json.dumps(value))
