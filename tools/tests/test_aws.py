"""Nothing of the user's own AWS settings reaches the local AWS or a command that is run against it."""

import os
import unittest
from unittest.mock import patch

from local import aws
from local.errors import LocalError

ENDPOINT = aws.Endpoint("http://127.0.0.1:4566", "a-secret")


class Isolation(unittest.TestCase):
    """The user's environment, and what is left of it."""

    @patch.dict(os.environ, {"AWS_PROFILE": "work", "AWS_SESSION_TOKEN": "theirs", "EDITOR": "vi"})
    def test_a_command_gets_the_users_environment_without_anything_of_aws_but_ours(self) -> None:
        env = aws.command_environment({"AWS_REGION": "us-east-1"})
        self.assertEqual({name for name in env if name.startswith("AWS_")}, {"AWS_REGION"})
        self.assertEqual(env["EDITOR"], "vi")

    @patch.dict(os.environ, {"AWS_PROFILE": "no-such-profile", "AWS_CONFIG_FILE": "/no/such/file"})
    def test_a_client_ignores_the_users_profile(self) -> None:
        self.assertEqual(aws.client("sqs", ENDPOINT).meta.endpoint_url, ENDPOINT.url)

    def test_an_address_of_another_machine_is_refused(self) -> None:
        with self.assertRaises(LocalError):
            aws.client("sqs", aws.Endpoint("https://sqs.us-east-1.amazonaws.com", "a-secret"))
