"""Each role allows what its function does, and refuses the rest."""

import json
import os
import unittest
import uuid
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local import aws, loopback, template
from local.deployment import STACK
from permissions import granted, page, used
from permissions.__main__ import compare
from permissions.granted import Call

PHYSICAL = {"f-1": "CollectFunction", "t-1": "RequestsTable", "q-1": "Queue", "s-1": "WebhookSecret"}
STACK_RUNS = "AWS_ENDPOINT_URL" in os.environ


class Comparison(unittest.TestCase):
    """What is allowed, beside what was seen."""

    ALLOWED = (
        Call("collect", "dynamodb:GetItem", "RequestsTable"),
        Call("collect", "dynamodb:Query", "RequestsTable/index/by_due"),
        Call("collect", "logs:PutLogEvents", "CollectLogGroup"),
    )

    def test_a_permission_that_nothing_uses_is_one_too_many(self) -> None:
        (line,) = compare(self.ALLOWED, [self.ALLOWED[0]])
        self.assertIn("collect: dynamodb:Query on RequestsTable/index/by_due", line)

    def test_a_call_that_nothing_allows_is_a_permission_too_few(self) -> None:
        stranger = Call("collect", "dynamodb:GetItem", "TransactionsTable")
        (line,) = compare(self.ALLOWED, [*self.ALLOWED[:2], stranger])
        self.assertIn("collect: dynamodb:GetItem on TransactionsTable was called", line)

    def test_what_was_seen_is_named_as_in_the_template(self) -> None:
        role = "arn:aws:sts::0:assumed-role/CollectRole"
        seen = [
            (f"{role}/f-1", "dynamodb:Query", "arn:aws:dynamodb:r:0:table/t-1/index/by_due"),
            (f"{role}/f-1", "sqs:SendMessage", "arn:aws:sqs:r:0:q-1"),
            (f"{role}/f-1", "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:r:0:secret:s-1-abcdef"),
            (f"{role}/f-1", "events:PutEvents", "arn:aws:events:r:0:event-bus/belvo-ingest-events"),
            (f"{role}/f-1", "events:PutEvents", "arn:aws:events:r:0:event-bus/a-bus-of-somebody-else"),
            (f"{role}/a-test", "dynamodb:Query", "arn:aws:dynamodb:r:0:table/t-1"),
        ]
        self.assertEqual(
            list(used.calls(map(json.dumps, seen), PHYSICAL)),
            [
                Call("collect", "dynamodb:Query", "RequestsTable/index/by_due"),
                Call("collect", "sqs:SendMessage", "Queue"),
                Call("collect", "secretsmanager:GetSecretValue", "WebhookSecret"),
                Call("collect", "events:PutEvents", "event-bus/${EventBusName}"),
            ],
        )

    def test_what_lambda_does_by_itself_is_allowed(self) -> None:
        allowed = set(granted.calls(template.read()["Resources"]))
        for function, actions in granted.OF_LAMBDA.items():
            missing = actions - {call.action for call in allowed if call.function == function}
            self.assertFalse(missing, function)

    def test_the_page_is_of_this_template(self) -> None:
        """`PYTHONPATH=tools .venv/local/bin/python -m permissions write` writes it anew."""
        self.assertEqual(page.FILE.read_text(), page.text(granted.calls(template.read()["Resources"])))

    def test_nothing_but_traces_is_allowed_on_everything(self) -> None:
        calls = list(granted.calls(template.read()["Resources"]))
        everything = {call.action for call in calls if call.resource == "*" and call.condition is None}
        self.assertEqual(everything, granted.TRACES)
        # AWS takes no narrower resource for these.
        network = {call.action for call in calls if call.resource == "*" and call.condition == "IsInVpc"}
        self.assertTrue(all(action.startswith("ec2:") for action in network), network)
        self.assertEqual({call.condition for call in calls}, {None, "HasKmsKey", "IsInVpc"})


@unittest.skipUnless(STACK_RUNS, "needs a stack, as `make test` has one")
class Roles(unittest.TestCase):
    """The deployed roles, taken on by a test: one call that each allows, and those that would do the most harm."""

    def test_request_sends_and_cannot_read_rows(self) -> None:
        role = Role("request")
        role.record()
        self.refused(role.rows)
        self.refused(role.dead_letter)
        self.refused(role.webhook_secret)

    def test_webhook_queues_and_can_read_nothing(self) -> None:
        role = Role("webhook")
        role.webhook_secret()
        self.refused(role.record)
        self.refused(role.rows)
        self.refused(role.receive)
        self.refused(role.belvo_keys)

    def test_collect_stores_and_cannot_read_what_webhooks_authenticate_with(self) -> None:
        role = Role("collect")
        role.rows()
        self.refused(role.webhook_secret)
        self.refused(role.delete_table)
        self.refused(role.purge)

    def test_query_reads_and_can_write_nothing(self) -> None:
        role = Role("query")
        role.rows()
        self.refused(role.write)
        self.refused(role.send)
        self.refused(role.belvo_keys)

    def test_publish_puts_events_and_can_read_no_table(self) -> None:
        role = Role("publish")
        role.publish()
        self.refused(role.record)
        self.refused(role.rows)
        self.refused(role.send)

    def refused(self, call: Any) -> None:
        """The call is refused for want of a permission."""
        with self.assertRaises(ClientError, msg=call.__name__) as refused:
            call()
        self.assertIn(refused.exception.response["Error"]["Code"], ("AccessDenied", "AccessDeniedException"))


@unittest.skipUnless(STACK_RUNS, "needs a stack, as `make test` has one")
class Callers(unittest.TestCase):
    """Services with the policies that template.yaml has for them."""

    LINK = "bcca0da9-a4c6-4830-9676-1d54682851d9"

    def test_a_reader_reads_and_changes_nothing(self) -> None:
        reader = Caller("Reader")
        self.assertEqual(reader.status("GET", "/links"), 200)
        self.assertEqual(reader.status("GET", f"/links/{self.LINK}/transactions"), 200)
        self.assertEqual(reader.status("POST", "/requests"), 403)
        self.assertEqual(reader.status("DELETE", f"/links/{self.LINK}?rows=erase"), 403)

    def test_a_requester_asks_and_reads_no_rows(self) -> None:
        requester = Caller("Requester")
        self.assertEqual(requester.status("POST", "/requests"), 400, "it may call, and has said nothing")
        self.assertEqual(requester.status("GET", f"/requests/{self.LINK}"), 404)
        self.assertEqual(requester.status("GET", f"/links/{self.LINK}/transactions"), 403)
        self.assertEqual(requester.status("DELETE", f"/links/{self.LINK}?rows=erase"), 403)

    def test_an_eraser_deletes_links_and_does_nothing_else(self) -> None:
        eraser = Caller("Eraser")
        self.assertEqual(eraser.status("DELETE", f"/links/{self.LINK}"), 400, "it may call, and has not said what of")
        self.assertEqual(eraser.status("GET", "/links"), 403)
        self.assertEqual(eraser.status("POST", "/requests"), 403)


class Caller:
    """A service with a role of its own, which has one of the policies."""

    def __init__(self, policy: str) -> None:
        """Makes the role and takes it on."""
        endpoint = aws.Endpoint.of(os.environ)
        stack = aws.client("cloudformation", endpoint).describe_stacks(StackName=STACK)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        iam, name = aws.client("iam", endpoint), f"a-service-{uuid.uuid4()}"
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        iam.attach_role_policy(RoleName=name, PolicyArn=outputs[f"{policy}PolicyArn"])
        self._credentials = taken_on(endpoint, role)

    def status(self, method: str, path: str) -> int:
        """The status of a signed call without a body."""
        url = f"{os.environ['API_URL']}{path}"
        request = AWSRequest(method, url, {"Content-Type": "application/json"}, b"" if method == "POST" else None)
        SigV4Auth(self._credentials, "execute-api", aws.REGION).add_auth(request)
        return loopback.raw(method, url, request.body, dict(request.headers)).status


def taken_on(endpoint: aws.Endpoint, role: str) -> Credentials:
    """A session of a role."""
    keys = aws.client("sts", endpoint).assume_role(RoleArn=role, RoleSessionName="a-test")["Credentials"]
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


class Role:
    """Calls in a session of a function's role."""

    def __init__(self, function: str) -> None:
        """Takes on the role."""
        endpoint = aws.Endpoint.of(os.environ)
        configured = aws.client("lambda", endpoint).get_function_configuration(
            FunctionName=os.environ[f"{function.upper()}_FUNCTION"]
        )
        keys = taken_on(endpoint, configured["Role"])
        self._session = boto3.Session(keys.access_key, keys.secret_key, keys.token, region_name=aws.REGION)

    def record(self) -> None:
        """Reads a request's record."""
        key = {"pk": {"S": "request#none"}}
        self._of("dynamodb").get_item(TableName=os.environ["REQUESTS_TABLE"], Key=key)

    def write(self) -> None:
        """Writes one."""
        item = {"pk": {"S": "request#none"}}
        self._of("dynamodb").put_item(TableName=os.environ["REQUESTS_TABLE"], Item=item)

    def rows(self) -> None:
        """Reads rows of a link."""
        self._of("dynamodb").query(
            TableName=os.environ["TRANSACTIONS_TABLE"],
            KeyConditionExpression="#link = :link",
            ExpressionAttributeNames={"#link": "_link"},
            ExpressionAttributeValues={":link": {"S": "none"}},
        )

    def delete_table(self) -> None:
        """Deletes all rows."""
        self._of("dynamodb").delete_table(TableName=os.environ["TRANSACTIONS_TABLE"])

    def send(self) -> None:
        """Sends a message that says nothing."""
        self._send(os.environ["QUEUE_URL"])

    def dead_letter(self) -> None:
        """Sends one to the dead letters."""
        self._send(os.environ["DEAD_LETTER_QUEUE_URL"])

    def receive(self) -> None:
        """Takes messages from the queue."""
        self._of("sqs").receive_message(QueueUrl=os.environ["QUEUE_URL"])

    def purge(self) -> None:
        """Deletes all messages."""
        self._of("sqs").purge_queue(QueueUrl=os.environ["QUEUE_URL"])

    def webhook_secret(self) -> None:
        """Reads what webhooks authenticate with."""
        self._of("secretsmanager").get_secret_value(SecretId=os.environ["WEBHOOK_SECRET_ARN"])

    def belvo_keys(self) -> None:
        """Reads Belvo's keys."""
        self._of("secretsmanager").get_secret_value(SecretId=os.environ["BELVO_SECRET_ARN"])

    def publish(self) -> None:
        """Puts an event that is not of the pipeline."""
        entry = {"Source": "a-test", "DetailType": "none", "Detail": "{}", "EventBusName": "belvo-ingest-events"}
        self._of("events").put_events(Entries=[entry])

    def _send(self, url: str) -> None:
        self._of("sqs").send_message(
            QueueUrl=url, MessageBody="{}", MessageGroupId="none", MessageDeduplicationId="none"
        )

    def _of(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
