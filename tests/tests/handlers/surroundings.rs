//! What the handlers run against, and the events they are given.

use aws_sdk_sqs::types::QueueAttributeName;
use belvo_sandbox::{Config, Sandbox, Violation};
use domain::{Limits, LinkId, RequestId, Resource, Retrieval, Timestamp, Window};
use lambda_http::{Body, Request, RequestExt, Response, request::RequestContext};
use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    belvo::Client,
    queue::Queue,
    secret::CachedSecret,
    store::{Control, Rows, TransactionsTable},
};
use test_harness::{Documented, Stack, assert_documented};

/// The link that the events are about: the first of this seed at any sandbox.
pub(crate) const LINK: &str = "57a2fbe1-84ac-4ebd-9893-7dd181a3caec";
/// The retrieval that the events are about, spelled as in our records.
pub(crate) const REQUEST: &str = "b5d0106ac9cc43d5b36199fe831f6bbe";
/// The authorization that the webhook events carry; `make up` and `make watch` expect the same.
pub(crate) const AUTHORIZATION: &str = "Bearer local-webhook-authorization";

/// A sandbox that knows [`LINK`], and clients for it and for the local AWS.
pub(crate) struct Surroundings {
    pub(crate) stack: Stack,
    pub(crate) sandbox: belvo_sandbox::Control,
    server: Sandbox,
}

impl Surroundings {
    pub(crate) async fn new() -> Self {
        Self::with_pages_of(Config::default().max_page_size).await
    }

    /// The same with a sandbox whose pages have at most this many rows.
    pub(crate) async fn with_pages_of(max_page_size: usize) -> Self {
        let stack = Stack::of_this_run();
        let config = Config {
            max_page_size,
            ..Config::default()
        };
        let server = belvo_sandbox::start(config).await.unwrap();
        let sandbox = belvo_sandbox::Control::new(server.url()).unwrap();
        let user = json!({"seed": 2026, "transactions": 120, "today": "2026-03-01"});
        assert_eq!(sandbox.link(user).await.unwrap(), LINK);
        Self {
            stack,
            sandbox,
            server,
        }
    }

    /// What was sent to this sandbox that Belvo's OpenAPI document does not allow.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.server.violations()
    }

    /// Waits until this sandbox no longer has a link.
    pub(crate) async fn until_gone(&self, link: &str) {
        let url = format!("{}/api/links/{link}/", self.sandbox.url());
        let keys = Config::default();
        test_harness::eventually("the link is gone", async || {
            let answer = plain_http()
                .get(&url)
                .basic_auth(&keys.secret_id, Some(&keys.secret_password))
                .send()
                .await;
            (answer.unwrap().status() == 404).then_some(())
        })
        .await;
    }

    /// The queries of every page that was asked for.
    pub(crate) async fn get_queries(&self) -> Vec<String> {
        let log = self.sandbox.log().await.unwrap();
        log["gets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|get| get["query"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Records a retrieval as the request function does.
    pub(crate) async fn issue(&self, link: &str, id: &str, from: &str, to: &str) {
        let at = Timestamp::now();
        let retrieval = Retrieval {
            window: Some(Window::parse(from, to, at.day()).unwrap()),
            ..Retrieval::of(LinkId::parse(link).unwrap(), Resource::TRANSACTIONS)
        };
        let id = RequestId::parse(id).unwrap();
        let due_at = at.plus_seconds(1_800);
        let requests = self.control().requests;
        requests.issued(&id, &retrieval, at, due_at).await.unwrap();
    }

    /// A client of this sandbox, with the keys of a secret made for it.
    pub(crate) async fn belvo(&self, keys: Value) -> Client {
        self.belvo_at(self.sandbox.url(), keys).await
    }

    /// A client of a server in front of this sandbox.
    pub(crate) async fn belvo_at(&self, url: &str, keys: Value) -> Client {
        let keys = CachedSecret::new(&self.stack.aws, self.secret(keys).await);
        Client::new(url.parse().unwrap(), keys).unwrap()
    }

    /// The address of this sandbox's widget.
    pub(crate) fn widget_url(&self) -> url::Url {
        format!("{}/widget/", self.sandbox.url()).parse().unwrap()
    }

    /// A new secret with this value.
    pub(crate) async fn secret(&self, value: Value) -> String {
        let name = format!("test-{}", uuid::Uuid::new_v4());
        let secrets = aws_sdk_secretsmanager::Client::new(&self.stack.aws);
        let made = secrets
            .create_secret()
            .name(name)
            .secret_string(value.to_string())
            .send()
            .await
            .unwrap();
        made.arn.unwrap()
    }

    /// A new queue, which no function reads.
    pub(crate) async fn queue(&self) -> Queue {
        Queue::new(&self.stack.aws, self.queue_url().await)
    }

    /// The address of a new FIFO queue, which no function reads.
    pub(crate) async fn queue_url(&self) -> String {
        let name = format!("test-{}.fifo", uuid::Uuid::new_v4());
        let made = aws_sdk_sqs::Client::new(&self.stack.aws)
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::FifoQueue, "true")
            // As in template.yaml.
            .attributes(QueueAttributeName::VisibilityTimeout, "1800")
            .send()
            .await
            .unwrap();
        made.queue_url.unwrap()
    }

    /// A control table that no other test writes to.
    pub(crate) async fn own_control(&self) -> Control {
        let endpoint = test_harness::dynoxide_with_tables_of(&self.stack).await;
        Control::open(
            &self.stack.aws_at(&endpoint),
            self.stack.requests_table.clone(),
        )
    }

    pub(crate) fn control(&self) -> Control {
        Control::open(&self.stack.aws, self.stack.requests_table.clone())
    }

    /// The stored transactions.
    pub(crate) fn rows(&self) -> Rows {
        self.transactions().rows(Resource::TRANSACTIONS)
    }

    pub(crate) fn transactions(&self) -> TransactionsTable {
        TransactionsTable::open(&self.stack.aws, self.stack.transactions_table.clone())
    }
}

impl Drop for Surroundings {
    /// Every request that a test makes us send must be one that Belvo's OpenAPI allows.
    fn drop(&mut self) {
        let violations = self.violations();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

fn plain_http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// More retrievals than the tests of the events' link need together.
pub(crate) const AMPLE_LIMITS: Limits = Limits {
    long: 1_000,
    short: 1_000,
};

/// The keys that the sandbox accepts.
pub(crate) fn good_keys() -> Value {
    let Config {
        secret_id,
        secret_password,
        ..
    } = Config::default();
    json!({"secret_id": secret_id, "secret_password": secret_password})
}

/// The text of an event file.
pub(crate) fn event(name: &str) -> String {
    let path = format!("{}/../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// An event file of the HTTP API, as the runtime passes it to the handler.
pub(crate) fn http_event(name: &str) -> Request {
    lambda_http::request::from_str(&event(name)).unwrap()
}

/// A call as API Gateway passes it on that this IAM identity has signed.
pub(crate) fn signed_by(call: Request, arn: &str) -> Request {
    let Some(RequestContext::ApiGatewayV2(mut context)) = call.request_context_ref().cloned()
    else {
        panic!("an event of API Gateway");
    };
    let iam = json!({"iam": {"userArn": arn}});
    context.authorizer = Some(serde_json::from_value(iam).unwrap());
    call.with_request_context(RequestContext::ApiGatewayV2(context))
}

/// The kind of a problem; `None` for any other body.
pub(crate) fn kind(body: &Value) -> Option<&str> {
    body["type"]
        .as_str()?
        .strip_prefix("urn:belvo-ingest:problem:")
}

/// A call as the API passes it to a function.
pub(crate) fn api_call(
    method: &Method,
    route: &str,
    path_parameters: &Value,
    query: &str,
    body: Option<&str>,
) -> Request {
    let route_key = format!("{method} {route}");
    let event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": route,
        "rawQueryString": query,
        "headers": {},
        "isBase64Encoded": false,
        "body": body,
        "pathParameters": path_parameters,
        "requestContext": {
            "http": {
                "method": method.as_str(),
                "path": route,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
            },
            "routeKey": route_key,
            "requestId": "gateway",
            "stage": "$default",
            "timeEpoch": 0,
        },
    });
    lambda_http::request::from_str(&event.to_string()).unwrap()
}

/// The route that API Gateway chose for a call, such as `GET /links/{link}`.
pub(crate) fn route(call: &Request) -> String {
    shared::http::route_key(call).unwrap().to_owned()
}

/// Status and JSON body of an answer of this route, which must be one that docs/openapi.json has.
pub(crate) fn read_of(route: &str, answer: &Response<Body>) -> (u16, Value) {
    let (status, body) = read(answer);
    let documented = Documented {
        status,
        media_type: answer.headers()["content-type"].to_str().unwrap(),
        body: &body,
    };
    assert_documented(route, documented);
    (status, body)
}

/// Status and JSON body of an answer.
pub(crate) fn read(answer: &Response<Body>) -> (u16, Value) {
    (
        answer.status().as_u16(),
        serde_json::from_slice(answer.body().as_ref()).unwrap(),
    )
}
