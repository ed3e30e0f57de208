"""Authorizes the requests of Schemathesis, and says what its settings and the document cannot."""

import os
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# "Schema-violating request accepted".
ACCEPTED_NEGATIVE_DATA = "ST201"
WEBHOOK = "/webhooks/belvo"
# What the document's examples name, and what there is in its place.
OF_THE_STACK = {
    "bcca0da9-a4c6-4830-9676-1d54682851d9": os.environ["FUZZ_LINK"],
    "56ab5706-6e00-48a4-91c9-ca55968678d9": os.environ["FUZZ_EXTERNAL_ID"],
}


class Authorization(requests.auth.AuthBase):
    """What the routes want: signature version 4 over the request as it is sent, and Belvo's value for webhooks."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Authorizes a request."""
        if request.url == os.environ["WEBHOOK_URL"]:
            request.headers["Authorization"] = os.environ["WEBHOOK_AUTHORIZATION"]
            return request
        # Encoded as it is signed: `requests` leaves a plus, for example, as it is.
        address, separator, query = str(request.url).partition("?")
        fields = urlencode(parse_qsl(query, keep_blank_values=True), quote_via=quote, safe="-_.~")
        request.url = f"{address}{separator}{fields}"
        credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        signed = AWSRequest(request.method, request.url, {}, request.body)
        SigV4Auth(credentials, "execute-api", os.environ["AWS_REGION"]).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case, _options: dict[str, Any]) -> None:
    """Makes the document's examples of bodies be about what there is, and keeps the link that others read."""
    if isinstance(case.body, dict):
        texts = {name: value for name, value in case.body.items() if isinstance(value, str)}
        case.body = case.body | {name: OF_THE_STACK.get(text, text) for name, text in texts.items()}
    if case.method == "DELETE" and case.path_parameters.get("link") == os.environ["FUZZ_LINK"]:
        case.path_parameters["link"] = os.environ["FUZZ_DELETED_LINK"]


@schemathesis.hook
def filter_failure(
    _context: schemathesis.HookContext, failure: Any, case: schemathesis.Case, _response: schemathesis.Response
) -> bool:
    """Drops that an empty parameter was accepted, or a blank webhook: they count as absent, which no schema can say."""
    is_blank = isinstance(case.body, bytes) and not case.body.strip()
    is_absent = "" in (case.query or {}).values() or (is_blank and case.path == WEBHOOK)
    return not (failure.code == ACCEPTED_NEGATIVE_DATA and is_absent)


schemathesis.auth.set_from_requests(Authorization())
