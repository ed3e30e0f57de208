//! The request function beside a collect function, with the same tables and the same queue.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Limits, LinkId, LinkRecord, Resource, Timestamp};
use lambda_http::http::Method;
use request::{App, handle};
use serde_json::{Value, json};
use shared::{queue::Queue, store::Control};

use crate::{
    surroundings::{api_call, good_keys, read_of},
    worker::Worker,
};

pub(crate) const LIMITS: Limits = Limits {
    long: 8,
    short: 240,
};

pub(crate) struct Service {
    pub(crate) worker: Worker,
    pub(crate) request: App,
}

impl Service {
    pub(crate) async fn new() -> Self {
        let worker = Worker::with_own_tables().await;
        let request = App {
            belvo: worker.here.belvo(good_keys()).await,
            control: Control::open(&worker.aws, worker.here.stack.requests_table.clone()),
            queue: Queue::new(&worker.here.stack.aws, worker.queue_url.clone()),
            limits: LIMITS,
            request_due_s: 1_800,
            widget_url: worker.here.widget_url(),
            widget: test_harness::widget_settings(),
        };
        Self { worker, request }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        route: &str,
        link: &str,
        query: &str,
        body: Value,
    ) -> (u16, Value) {
        let (path, body) = (json!({"link": link}), body.to_string());
        let call = api_call(&method, route, &path, query, Some(&body));
        // The stack of a test is small.
        let answer = Box::pin(handle(&self.request, call)).await;
        read_of(&format!("{method} {route}"), &answer)
    }

    /// Connects a user whose link our side calls `external_id`.
    pub(crate) async fn connect(&self, external_id: &str) -> String {
        let seed = uuid::Uuid::new_v4().as_fields().0;
        let user = json!({
            "transactions": 40,
            "seed": seed,
            "external_id": external_id,
            "refresh_rate": "24h",
        });
        self.worker.here.sandbox.link(user).await.unwrap()
    }

    pub(crate) async fn register(&self, link: &str, external_id: &str) -> (u16, Value) {
        self.call(
            Method::POST,
            "/links",
            "",
            "",
            json!({"link": link, "external_id": external_id}),
        )
        .await
    }

    /// A link that is registered.
    pub(crate) async fn registered(&self) -> String {
        let link = self.connect("mine").await;
        assert_eq!(self.register(&link, "mine").await.0, 201);
        link
    }

    pub(crate) async fn retrieve(&self, link: &str) -> (u16, Value) {
        let body = json!({"link": link, "date_from": "2026-01-01", "date_to": "2026-01-31"});
        self.call(Method::POST, "/requests", "", "", body).await
    }

    pub(crate) async fn delete(&self, link: &str, query: &str) -> (u16, Value) {
        self.call(Method::DELETE, "/links/{link}", link, query, Value::Null)
            .await
    }

    /// Has collect process a webhook and everything that follows from it.
    pub(crate) async fn process(&self, webhook: Value) {
        self.worker.enqueue(&webhook).await;
        self.worker.process_everything().await;
    }

    pub(crate) async fn record(&self, link: &str) -> LinkRecord {
        self.request
            .control
            .links
            .get(&LinkId::parse(link).unwrap())
            .await
            .unwrap()
            .expect("a record")
    }

    pub(crate) async fn rows(&self, link: &str) -> usize {
        let link = LinkId::parse(link).unwrap();
        let totals = self
            .worker
            .app
            .transactions
            .rows(Resource::TRANSACTIONS)
            .totals(&link, domain::Days::ALL, None)
            .await
            .unwrap();
        usize::try_from(totals.transactions).unwrap()
    }

    /// How many items of the Transactions table have the link in their key, but for what says that
    /// its rows were erased.
    pub(crate) async fn items_about(&self, link: &str) -> usize {
        let table = &self.worker.here.stack.transactions_table;
        let client = aws_sdk_dynamodb::Client::new(&self.worker.aws);
        let items = client
            .scan()
            .table_name(table)
            .into_paginator()
            .items()
            .send();
        let items = items.collect::<Result<Vec<_>, _>>().await.unwrap();
        let key = |item: &std::collections::HashMap<String, AttributeValue>| {
            ["_link", "_item"]
                .map(|name| item[name].as_s().unwrap().clone())
                .concat()
        };
        let is_log = |item: &std::collections::HashMap<String, AttributeValue>| {
            item["_item"].as_s().unwrap().starts_with('C')
        };
        let about_it = items.iter().filter(|item| key(item).contains(link));
        about_it.filter(|item| !is_log(item)).count()
    }

    pub(crate) async fn posts(&self) -> Value {
        self.worker.here.sandbox.counters().await.unwrap()["posts"].clone()
    }

    /// Makes it look as if a link was registered this many hours ago and not seen since.
    pub(crate) async fn stale_for(&self, link: &str, hours: i64) {
        let at = Timestamp::now().plus_seconds(-hours * 3_600);
        let stale = |known: LinkRecord| LinkRecord {
            registered_at: Some(at),
            last_seen_at: None,
            ..known
        };
        self.request
            .control
            .links
            .change(&LinkId::parse(link).unwrap(), stale)
            .await
            .unwrap();
    }
}

/// A webhook about a link or its consent.
pub(crate) fn event(link: &str, webhook_type: &str, code: &str) -> Value {
    json!({"webhook_type": webhook_type, "webhook_code": code, "link_id": link, "data": {}})
}
