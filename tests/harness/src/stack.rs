//! The deployed stack, as `tools/local` describes it in the environment.

use belvo_sandbox::Control;
use reqwest::{
    ClientBuilder, Method, RequestBuilder, StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
    redirect::Policy,
};
use serde_json::{Value, json};
use shared::aws::{CallBudget, SdkConfig, sdk_config_over};

use crate::{Documented, Link, assert_documented, eventually, route_of, signing::signed};

/// What a test needs to reach the stack.
pub struct Stack {
    /// Configuration of AWS clients for the local AWS.
    pub aws: SdkConfig,
    /// The table of requests.
    pub requests_table: String,
    /// The table of transactions and accounts.
    pub transactions_table: String,
    /// The FIFO queue.
    pub queue_url: String,
    /// Its dead-letter queue.
    pub dead_letter_queue_url: String,
    /// The queue of all events that are put on the bus.
    pub events_queue_url: String,
    /// The `Authorization` value that webhooks must carry.
    pub authorization: String,
    /// The secret of the webhook's authorization.
    pub webhook_secret_arn: String,
    /// The secret of Belvo's API keys.
    pub belvo_secret_arn: String,
    /// Root of the pipeline's own API.
    pub api_url: String,
    /// The fake Belvo.
    pub sandbox: Control,
    /// Whether its functions are killed, so that API Gateway may answer in place of one.
    is_in_danger: bool,
    aws_url: String,
    http: reqwest::Client,
}

/// An HTTP answer, read.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body, `null` if it is not JSON.
    pub body: Value,
}

impl Stack {
    /// The stack of this run, which `make test` has deployed.
    #[must_use]
    pub fn of_this_run() -> Self {
        Self::over(ClientBuilder::new)
    }

    /// The stack that the environment describes, with where connections to it lead.
    #[must_use]
    pub fn over(connections: fn() -> ClientBuilder) -> Self {
        let aws = sdk_config_over(connections(), CallBudget::PATIENT);
        let sandbox = Control::over(connections(), &variable("SANDBOX_URL"));
        Self {
            aws: aws.expect("the environment of `local exec`"),
            requests_table: variable("REQUESTS_TABLE"),
            transactions_table: variable("TRANSACTIONS_TABLE"),
            queue_url: variable("QUEUE_URL"),
            dead_letter_queue_url: variable("DEAD_LETTER_QUEUE_URL"),
            events_queue_url: variable("EVENTS_QUEUE_URL"),
            authorization: variable("WEBHOOK_AUTHORIZATION"),
            webhook_secret_arn: variable("WEBHOOK_SECRET_ARN"),
            belvo_secret_arn: variable("BELVO_SECRET_ARN"),
            sandbox: sandbox.expect("a client"),
            is_in_danger: false,
            api_url: variable("API_URL"),
            aws_url: variable("AWS_ENDPOINT_URL"),
            http: plain_http(connections()),
        }
    }

    /// The same stack, whose functions are killed.
    #[must_use]
    pub fn in_danger(self) -> Self {
        Self {
            is_in_danger: true,
            ..self
        }
    }

    /// Configuration of AWS clients for another endpoint.
    #[must_use]
    pub fn aws_at(&self, endpoint: &str) -> SdkConfig {
        self.aws.to_builder().endpoint_url(endpoint).build()
    }

    /// Connects a user of the sandbox with this many transactions.
    pub async fn recurrent_link(&self, transactions: u64) -> Link<'_> {
        self.link(json!({"access_mode": "recurrent", "transactions": transactions}))
            .await
    }

    /// Connects a user of the sandbox as described.
    pub async fn link(&self, spec: Value) -> Link<'_> {
        Link::new(self, self.sandbox.link(spec).await.unwrap())
    }

    /// `POST /requests` with this body.
    pub async fn request(&self, body: &Value) -> Answer {
        self.signed(
            self.http
                .post(format!("{}/requests", self.api_url))
                .json(body),
        )
        .await
    }

    /// `POST /requests` with this body and this `Idempotency-Key`.
    pub async fn request_with_key(&self, body: &Value, key: &str) -> Answer {
        let request = self
            .http
            .post(format!("{}/requests", self.api_url))
            .header("idempotency-key", key);
        self.signed(request.json(body)).await
    }

    /// `POST` of the pipeline's own API.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.signed(self.http.post(format!("{}{path}", self.api_url)).json(body))
            .await
    }

    /// `DELETE` of the pipeline's own API.
    pub async fn delete(&self, path: &str) -> Answer {
        self.signed(self.http.delete(format!("{}{path}", self.api_url)))
            .await
    }

    /// What a user's browser does in the widget at this address: the button `action`, and what the
    /// widget answers.
    pub async fn in_the_widget(&self, widget_url: &str, action: &str) -> Answer {
        let widget = url::Url::parse(widget_url).expect("the address of a widget");
        let mut form: Vec<(String, String)> = widget.query_pairs().into_owned().collect();
        form.extend(
            [("institution", "ofmockbank_br_retail"), ("action", action)]
                .map(|(n, v)| (n.into(), v.into())),
        );
        let target = widget.join("connect").expect("an address");
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self
            .http
            .post(target)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        answer(request).await
    }

    /// A link that the sandbox has made by itself.
    #[must_use]
    pub fn known_link(&self, id: &str) -> Link<'_> {
        Link::new(self, id.to_owned())
    }

    /// `GET` of the pipeline's own API.
    pub async fn get(&self, path: &str) -> Answer {
        self.signed(self.http.get(format!("{}{path}", self.api_url)))
            .await
    }

    /// The same until there is an answer: a function may be killed, or a busy machine answer too
    /// late.
    pub async fn read(&self, path: &str) -> Value {
        eventually(path, || async {
            let answer = self.get(path).await;
            (answer.status == StatusCode::OK).then_some(answer.body)
        })
        .await
    }

    /// `POST /webhooks/belvo` with these bytes and this `Authorization`.
    pub async fn deliver(&self, body: impl Into<String>, authorization: Option<&str>) -> Answer {
        let request = self
            .http
            .post(format!("{}/webhooks/belvo", self.api_url))
            .body(body.into());
        let request = match authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        };
        self.documented(request.build().expect("a request")).await
    }

    /// Delivers a webhook as Belvo does, which must be acknowledged.
    pub async fn acknowledges(&self, body: impl Into<String>) {
        let answer = self.deliver(body, Some(&self.authorization)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// The keys with which the functions call Belvo.
    pub async fn belvo_keys(&self) -> Value {
        let keys = aws_sdk_secretsmanager::Client::new(&self.aws)
            .get_secret_value()
            .secret_id(&self.belvo_secret_arn)
            .send()
            .await
            .unwrap();
        serde_json::from_str(keys.secret_string().unwrap()).unwrap()
    }

    /// The record of a retrieval, once it has this status.
    pub async fn request_with_status(&self, request_id: &str, status: &str) -> Value {
        eventually(&format!("request {request_id} to be {status}"), || async {
            let answer = self.get(&format!("/requests/{request_id}")).await;
            (answer.body["status"] == status).then_some(answer.body)
        })
        .await
    }

    /// Waits until the sandbox has failed to deliver a webhook about this link.
    pub async fn failed_deliveries(&self, link: &str) {
        eventually("a failed delivery", || async {
            let log = self.sandbox.log().await.unwrap();
            let about = |delivery: &&Value| delivery["link"] == link;
            let failed = |attempt: &Value| attempt["status"] == 503;
            let deliveries = log["deliveries"].as_array()?;
            let attempts = deliveries.iter().find(about)?["attempts"]
                .as_array()?
                .clone();
            attempts.iter().any(failed).then_some(())
        })
        .await;
    }

    /// Everything the functions have logged so far.
    pub async fn function_logs(&self) -> String {
        let groups = self.logs("DescribeLogGroups", json!({})).await;
        let mut lines = String::new();
        for group in groups["logGroups"].as_array().into_iter().flatten() {
            let mut page = json!({"logGroupName": group["logGroupName"]});
            loop {
                let events = self.logs("FilterLogEvents", page.clone()).await;
                for event in events["events"].as_array().into_iter().flatten() {
                    lines.push_str(event["message"].as_str().unwrap_or_default());
                    lines.push('\n');
                }
                match &events["nextToken"] {
                    Value::String(token) => page["nextToken"] = json!(token),
                    _ => break,
                }
            }
        }
        lines
    }

    async fn signed(&self, request: RequestBuilder) -> Answer {
        let request = signed(
            &self.aws,
            "execute-api",
            request.build().expect("a request"),
        )
        .await;
        self.documented(request).await
    }

    /// Sends a request to the API, whose answer must be one that docs/openapi.json has.
    async fn documented(&self, request: reqwest::Request) -> Answer {
        let path = request.url().as_str().strip_prefix(&self.api_url);
        let path = path.and_then(|path| path.split('?').next());
        let route = route_of(request.method(), path.expect("a path of the API"));
        let answer = read(self.http.execute(request).await.expect("the stack answers")).await;
        match route {
            _ if self.is_in_danger && answer.is_of_no_function() => {}
            Some(route) => assert_documented(&route, (&answer).into()),
            None => assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}"),
        }
        answer
    }

    async fn logs(&self, operation: &str, body: Value) -> Value {
        self.local_aws("logs", &format!("Logs_20140328.{operation}"), &body)
            .await
    }

    /// Sends what the schedule of template.yaml sends, to where it sends it.
    pub async fn sweep(&self) {
        let rules = self
            .local_aws("events", "AWSEvents.ListRules", &json!({}))
            .await;
        let rules = rules["Rules"].as_array().unwrap().clone();
        let rule = rules
            .iter()
            .find(|rule| rule["ScheduleExpression"] == "rate(5 minutes)")
            .expect("the rule");
        let targets = self
            .local_aws(
                "events",
                "AWSEvents.ListTargetsByRule",
                &json!({"Rule": rule["Name"]}),
            )
            .await;
        let target = &targets["Targets"][0];
        let queue = self.queue_url.rsplit('/').next().unwrap();
        assert!(target["Arn"].as_str().unwrap().ends_with(queue));
        let template = target["InputTransformer"]["InputTemplate"]
            .as_str()
            .unwrap();
        aws_sdk_sqs::Client::new(&self.aws)
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(template.replace("<time>", "2026-03-01T00:00:00Z"))
            .message_group_id(target["SqsParameters"]["MessageGroupId"].as_str().unwrap())
            .message_deduplication_id(uuid::Uuid::new_v4().to_string())
            .send()
            .await
            .unwrap();
    }

    /// The variables of a deployed function, named as in the environment of the tests.
    pub async fn function_variables(&self, function: &str) -> Value {
        let configuration = self.configuration(Method::GET, function, None).await;
        configuration["Environment"]["Variables"].clone()
    }

    /// Gives a deployed function other variables.
    pub async fn set_function_variables(&self, function: &str, variables: &Value) {
        let environment = json!({"Environment": {"Variables": variables}});
        self.configuration(Method::PUT, function, Some(&environment))
            .await;
    }

    async fn configuration(&self, method: Method, function: &str, body: Option<&Value>) -> Value {
        let name = variable(function);
        let path = format!("{}/2015-03-31/functions/{name}/configuration", self.aws_url);
        let request = self.http.request(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let request = signed(&self.aws, "lambda", request.build().expect("a request")).await;
        let answer = read(self.http.execute(request).await.expect("Lambda answers")).await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.body
    }

    /// A call of the local AWS in its JSON protocol, for answers that the SDK does not read.
    pub async fn local_aws(&self, service: &str, target: &str, body: &Value) -> Value {
        let request = self
            .http
            .post(&self.aws_url)
            .header("x-amz-target", target)
            .json(body);
        let request = signed(&self.aws, service, request.build().expect("a request")).await;
        read(
            self.http
                .execute(request)
                .await
                .expect("the local AWS answers"),
        )
        .await
        .body
    }
}

impl Answer {
    fn media_type(&self) -> &str {
        let media_type = self.headers.get(CONTENT_TYPE);
        media_type.map_or("", |value| value.to_str().unwrap_or_default())
    }

    /// Whether API Gateway answered because the function ended without an answer.
    fn is_of_no_function(&self) -> bool {
        self.status.is_server_error() && self.media_type() == "application/json"
    }
}

impl<'a> From<&'a Answer> for Documented<'a> {
    fn from(answer: &'a Answer) -> Self {
        Self {
            status: answer.status.as_u16(),
            media_type: answer.media_type(),
            body: &answer.body,
        }
    }
}

/// A client without TLS: everything the tests talk to is on this machine.
fn plain_http(connections: ClientBuilder) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    connections
        .no_proxy()
        .redirect(Policy::none())
        .build()
        .expect("a plain client")
}

async fn answer(request: RequestBuilder) -> Answer {
    read(request.send().await.expect("the stack answers")).await
}

async fn read(response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.text().await.expect("the answer is whole");
    // No `Value` holds half of a surrogate pair; the sandbox has the same in its place.
    let body = body.replace(r"\ud800", "\u{e000}");
    Answer {
        status,
        headers,
        body: serde_json::from_str(&body).unwrap_or_default(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the stack is described in the environment"
)]
fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `make test`"))
}
