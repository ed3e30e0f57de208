//! The events that functions are given: as API Gateway (HTTP API, payload 2.0) and SQS send them.

use axum::body::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The `Authorization` that webhooks carry.
pub const AUTHORIZATION: &str = "Bearer of the benchmark, as long as such a value usually is";

/// When webhooks were received.
const RECEIVED_AT: &str = "2026-03-01T00:00:00.000Z";

/// A webhook of Belvo's for a link, which names a request. It declares no more rows than any link
/// here has: what is stored is read back to be compared, and no collection is short.
#[must_use]
pub fn webhook(link: &str) -> Value {
    json!({
        "webhook_id": Uuid::new_v4().simple().to_string(),
        "webhook_type": "TRANSACTIONS",
        "process_type": "historical_update",
        "webhook_code": "historical_update",
        "link_id": link,
        "request_id": Uuid::new_v4().to_string(),
        "external_id": "56ab5706-6e00-48a4-91c9-ca55968678d9",
        "data": {
            "total_transactions": 1,
            "total_inflow_transactions": 0,
            "total_outflow_transactions": 0,
        },
    })
}

/// `POST /webhooks/belvo` with a body that need not be a webhook.
#[must_use]
pub fn delivery(body: &str, authorization: &str) -> Bytes {
    bytes(&http("POST", "/webhooks/belvo", Some(body), authorization))
}

/// `POST /webhooks/belvo` as Belvo sends it.
#[must_use]
pub fn good_delivery(link: &str) -> Bytes {
    delivery(&webhook(link).to_string(), AUTHORIZATION)
}

/// `POST /requests` for a month of a link.
#[must_use]
pub fn request(link: &str) -> Bytes {
    let body =
        json!({"link": link, "date_from": "2026-01-01", "date_to": "2026-01-31"}).to_string();
    bytes(&http("POST", "/requests", Some(&body), ""))
}

/// `GET /links/{link}/transactions`.
#[must_use]
pub fn query(link: &str) -> Bytes {
    bytes(&get("/links/{link}/transactions", link, ""))
}

/// A `GET` of a route, of a link if it has one, with this cursor if it is not empty.
#[must_use]
pub fn get(route: &str, link: &str, cursor: &str) -> Value {
    let mut event = http("GET", &route.replace("{link}", link), None, "");
    event["routeKey"] = json!(format!("GET {route}"));
    event["requestContext"]["routeKey"] = event["routeKey"].clone();
    event["pathParameters"] = json!({ "link": link });
    if !cursor.is_empty() {
        event["rawQueryString"] = json!(format!("cursor={cursor}"));
        event["queryStringParameters"] = json!({ "cursor": cursor });
    }
    event
}

/// A batch of one webhook that names a request, as SQS hands it to `collect`.
#[must_use]
pub fn batch(link: &str) -> Bytes {
    batch_of_links(&[link])
}

/// The same for several links.
#[must_use]
pub fn batch_of_links(links: &[&str]) -> Bytes {
    batch_of("TRANSACTIONS", links)
}

/// The same about rows of another resource.
#[must_use]
pub fn batch_of(webhook_type: &str, links: &[&str]) -> Bytes {
    let deliveries = links.iter().map(|link| {
        message(
            link,
            &delivered(&webhook_of(webhook_type, link), RECEIVED_AT),
        )
    });
    records(&deliveries.collect::<Vec<_>>())
}

/// A webhook of this type that names a request.
#[must_use]
pub fn webhook_of(webhook_type: &str, link: &str) -> Value {
    let mut webhook = webhook(link);
    webhook["webhook_type"] = json!(webhook_type);
    webhook
}

/// A batch of one delivery of a webhook.
#[must_use]
pub fn delivered_at(webhook: &Value, received_at: &str) -> Bytes {
    let link = webhook["link_id"].as_str().unwrap_or_default();
    records(&[message(link, &delivered(webhook, received_at))])
}

/// A batch of one message that `collect` has sent.
#[must_use]
pub fn sent(message: &Value) -> Bytes {
    let text = |name: &str| message[name].as_str().unwrap_or_default();
    records(&[self::message(text("MessageGroupId"), text("MessageBody"))])
}

/// A batch of one webhook that announces new rows, as Belvo sends one after each refresh of a
/// recurrent link.
#[must_use]
pub fn refresh(link: &str) -> Bytes {
    let mut webhook = webhook(link);
    webhook["webhook_code"] = json!("new_transactions_available");
    webhook["request_id"] = Value::Null;
    webhook["data"] = json!({ "new_transactions": 5 });
    records(&[message(link, &delivered(&webhook, RECEIVED_AT))])
}

/// The body of a webhook's message.
fn delivered(webhook: &Value, received_at: &str) -> String {
    let delivery = json!({
        "delivery_id": hex::encode(Sha256::digest(webhook.to_string())),
        "correlation_id": webhook["webhook_id"],
        "received_at": received_at,
        "webhook": webhook,
    });
    // As text: the queue has `kind` before `task`.
    format!(r#"{{"kind":"webhook","task":{delivery}}}"#)
}

fn message(group: &str, body: &str) -> Value {
    let attributes = json!({
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1772323200000",
        "SequenceNumber": "18870000000000000000",
        "MessageGroupId": group,
        "SenderId": "bench",
        "MessageDeduplicationId": "d0",
        "ApproximateFirstReceiveTimestamp": "1772323200000",
    });
    json!({
        "messageId": Uuid::new_v4().to_string(),
        "receiptHandle": "receipt",
        "body": body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": "00000000000000000000000000000000",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:webhooks.fifo",
        "awsRegion": "us-east-1",
    })
}

fn records(messages: &[Value]) -> Bytes {
    bytes(&json!({ "Records": messages }))
}

/// Any JSON as an event.
#[must_use]
pub fn bytes(event: &Value) -> Bytes {
    event.to_string().into()
}

fn http(method: &str, path: &str, body: Option<&str>, authorization: &str) -> Value {
    let route = format!("{method} {path}");
    json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers(body, authorization),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bench",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "3.130.254.46",
                "userAgent": "python-requests/2.32.3",
            },
            "requestId": Uuid::new_v4().simple().to_string(),
            "routeKey": route,
            "stage": "$default",
            "time": "01/Mar/2026:00:00:00 +0000",
            "timeEpoch": 1_772_323_200_000_u64,
        },
        "isBase64Encoded": false,
        "body": body,
    })
}

fn headers(body: Option<&str>, authorization: &str) -> Value {
    json!({
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "authorization": authorization,
        "content-length": body.map_or(0, str::len).to_string(),
        "content-type": "application/json",
        "host": "api.example.com",
        "user-agent": "python-requests/2.32.3",
        "x-amzn-trace-id": "Root=1-67f00000-000000000000000000000000",
        "x-forwarded-for": "3.130.254.46",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    })
}
