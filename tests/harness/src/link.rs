//! One link at the sandbox, and what a test does with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Stack, days_ago, difference};

/// A link that belongs to one test.
pub struct Link<'a> {
    /// Belvo's id of the link.
    pub id: String,
    stack: &'a Stack,
}

impl<'a> Link<'a> {
    pub(crate) fn new(stack: &'a Stack, id: String) -> Self {
        Self { id, stack }
    }

    /// Makes the sandbox misbehave for this link. `rule` is a rule of its control API without
    /// `link`.
    pub async fn misbehave(&self, mut rule: Value) {
        rule["link"] = json!(self.id);
        self.stack.sandbox.rule(rule).await.unwrap();
    }

    /// The body of `POST /requests` for the last year.
    #[must_use]
    pub fn last_year(&self) -> Value {
        self.days(364, 0)
    }

    /// The body of `POST /requests` from `from` to `to` days ago.
    #[must_use]
    pub fn days(&self, from: i64, to: i64) -> Value {
        json!({"link": self.id, "date_from": days_ago(from), "date_to": days_ago(to)})
    }

    /// `POST /requests` for the last year.
    pub async fn request(&self) -> crate::Answer {
        self.stack.request(&self.last_year()).await
    }

    /// Asks for a retrieval of the last year, which must be accepted, and returns its id.
    pub async fn retrieve(&self) -> String {
        let answer = self.request().await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.body["request_id"]
            .as_str()
            .expect("a request id")
            .to_owned()
    }

    /// Asks for a retrieval and waits until it is collected; returns its record.
    pub async fn collect(&self) -> Value {
        self.retrieve_until("collected").await
    }

    /// Asks for a retrieval and waits until it has this status; returns its record.
    pub async fn retrieve_until(&self, status: &str) -> Value {
        let id = self.retrieve().await;
        self.stack.request_with_status(&id, status).await
    }

    /// Changes fields of a row at the sandbox.
    pub async fn amend(&self, id: &str, fields: Value) {
        let sandbox = &self.stack.sandbox;
        sandbox.patch_row(&self.id, id, fields).await.unwrap();
    }

    /// Takes a row away at the sandbox.
    pub async fn delete(&self, id: &str) {
        let sandbox = &self.stack.sandbox;
        sandbox.delete_row(&self.id, id).await.unwrap();
    }

    /// Brings a deleted row back at the sandbox.
    pub async fn restore(&self, id: &str) {
        let sandbox = &self.stack.sandbox;
        sandbox.restore_row(&self.id, id).await.unwrap();
    }

    /// The id of the newest row at the sandbox.
    pub async fn newest(&self) -> String {
        let rows = self.truth().await.into_values();
        let newest = rows.max_by_key(|row| row["value_date"].as_str().map(str::to_owned));
        let newest = newest.expect("the link has rows");
        newest["id"].as_str().expect("an id").to_owned()
    }

    /// Adds rows at the sandbox, all on one day, `YYYY-MM-DD`.
    pub async fn add(&self, count: usize, day: &str) {
        let sandbox = &self.stack.sandbox;
        sandbox.add_rows(&self.id, count, Some(day)).await.unwrap();
    }

    /// Books every pending row at the sandbox.
    pub async fn settle(&self) {
        let path = format!("links/{}/settle", self.id);
        let settled = self.stack.sandbox.call(Method::POST, &path, None).await;
        settled.unwrap();
    }

    /// Changes the balance of one of the sandbox's accounts.
    pub async fn change_a_balance(&self, current: u64) {
        let sandbox = &self.stack.sandbox;
        let accounts = sandbox.accounts(&self.id).await.unwrap();
        let account = accounts[0]["id"].as_str().expect("an id");
        let balance = json!({"balance": {"current": current}});
        let changed = sandbox.patch_account(&self.id, account, balance).await;
        changed.unwrap();
    }

    /// Makes the sandbox send a webhook about this link, overriding its usual fields with these.
    pub async fn notify(&self, fields: Value) {
        let sandbox = &self.stack.sandbox;
        sandbox.notify(&self.id, fields).await.unwrap();
    }

    /// The same user connects the same bank again.
    pub async fn reconnect(&self) -> Link<'a> {
        let link = self.stack.sandbox.reconnect(&self.id).await.unwrap();
        Link::new(self.stack, link)
    }

    /// Makes the sandbox send a webhook about this link, overriding its usual fields with these and
    /// a request id that we never issued; waits until it is collected, and returns its record.
    pub async fn notify_and_collect(&self, fields: Value) -> Value {
        self.notify_until("collected", fields).await
    }

    /// The same, until the request has this status.
    pub async fn notify_until(&self, status: &str, mut fields: Value) -> Value {
        let id = uuid::Uuid::new_v4().to_string();
        fields["request_id"] = json!(id);
        self.notify(fields).await;
        self.stack.request_with_status(&id, status).await
    }

    /// The queries of the pages that were read of this link so far.
    pub async fn page_queries(&self) -> Vec<String> {
        let log = self.stack.sandbox.log().await.unwrap();
        let gets = log["gets"]
            .as_array()
            .expect("an array")
            .iter()
            .filter(|get| get["link"] == json!(self.id));
        gets.map(|get| get["query"].as_str().expect("a query").to_owned())
            .collect()
    }

    /// Makes a row of the sandbox pending, and returns its id.
    pub async fn make_one_pending(&self) -> String {
        let id = self.truth().await.into_keys().next().expect("a row");
        self.amend(&id, json!({"status": "PENDING", "accounting_date": null}))
            .await;
        id
    }

    /// The sandbox's rows, by id.
    pub async fn truth(&self) -> BTreeMap<String, Value> {
        by_id(&self.stack.sandbox.rows(&self.id).await.unwrap())
    }

    /// Our rows, by id, from every page of the API.
    pub async fn stored(&self) -> BTreeMap<String, Value> {
        by_id(&self.stored_pages("limit=500").await.concat())
    }

    /// The pages of `GET /links/{link}/transactions` with these parameters.
    pub async fn stored_pages(&self, parameters: &str) -> Vec<Vec<Value>> {
        self.pages(
            &format!("/links/{}/transactions?{parameters}", self.id),
            "transactions",
        )
        .await
    }

    /// Every page of a listing whose rows are in the field `name`.
    async fn pages(&self, path: &str, name: &str) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        let mut cursor = String::new();
        loop {
            let answer = self.stack.get(&format!("{path}{cursor}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            pages.push(answer.body[name].as_array().expect("rows").clone());
            match &answer.body["next_cursor"] {
                Value::String(next) => cursor = format!("&cursor={next}"),
                _ => return pages,
            }
        }
    }

    /// Asserts that our rows are the sandbox's rows, field by field, and returns them.
    pub async fn assert_equals_the_sandbox(&self) -> BTreeMap<String, Value> {
        let stored = self.stored().await;
        assert_same_rows(&self.truth().await, &stored);
        stored
    }

    /// The same but for these rows, of which we may have an earlier version.
    pub async fn assert_equals_the_sandbox_but_for(
        &self,
        left_out: &BTreeSet<String>,
    ) -> BTreeMap<String, Value> {
        let (mut truth, mut stored) = (self.truth().await, self.stored().await);
        truth.retain(|id, _| !left_out.contains(id));
        stored.retain(|id, _| !left_out.contains(id));
        assert_same_rows(&truth, &stored);
        stored
    }

    /// Asks for a retrieval of another resource, with further fields of the body, and waits until
    /// it is collected; returns its record.
    pub async fn collect_resource(&self, resource: &str, mut body: Value) -> Value {
        body["link"] = json!(self.id);
        body["resource"] = json!(resource);
        let answer = self.stack.request(&body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        self.stack
            .request_with_status(
                answer.body["request_id"].as_str().expect("a request id"),
                "collected",
            )
            .await
    }

    /// The sandbox's rows of another resource, by id.
    pub async fn truth_of(&self, resource: &str) -> BTreeMap<String, Value> {
        let rows = self.stack.sandbox.rows_of(&self.id, resource).await;
        by_id(&rows.unwrap())
    }

    /// Our rows of another resource, by id, read through every page of the API.
    pub async fn stored_of(&self, resource: &str) -> BTreeMap<String, Value> {
        let path = format!("/links/{}/resources/{resource}?limit=500", self.id);
        by_id(&self.pages(&path, "rows").await.concat())
    }

    /// Asserts that our rows of another resource are the sandbox's rows, field by field, and
    /// returns them.
    pub async fn assert_resource_equals_the_sandbox(
        &self,
        resource: &str,
    ) -> BTreeMap<String, Value> {
        let stored = self.stored_of(resource).await;
        assert_same_rows(&self.truth_of(resource).await, &stored);
        stored
    }

    /// When each item of this link was last written, by sort key.
    pub async fn written_at(&self) -> BTreeMap<String, String> {
        self.written_at_in(&self.id).await
    }

    /// When each item of this link's rows of another resource was last written, by sort key.
    pub async fn written_at_of(&self, resource: &str) -> BTreeMap<String, String> {
        self.written_at_in(&format!("{}/{resource}", self.id)).await
    }

    async fn written_at_in(&self, partition: &str) -> BTreeMap<String, String> {
        let items = aws_sdk_dynamodb::Client::new(&self.stack.aws)
            .query()
            .table_name(&self.stack.transactions_table)
            .key_condition_expression("#link = :link")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_values(":link", AttributeValue::S(partition.to_owned()))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await
            .expect("DynamoDB answers");
        let text = |value: &AttributeValue| value.as_s().expect("text").clone();
        // A leaf of the index has no time: what it holds takes its place. The change log is left out.
        let written = |item: &HashMap<String, AttributeValue>| match item.get("_entries") {
            Some(entries) => format!("{entries:?}"),
            None => text(&item["_stored_at"]),
        };
        let is_log = |key: &str| key == "C" || key.starts_with("C#");
        let keys = items.iter().map(|item| (text(&item["_item"]), item));
        keys.filter(|(key, _)| !is_log(key))
            .map(|(key, item)| (key, written(item)))
            .collect()
    }

    /// How many retrievals this link has cost at the sandbox.
    pub async fn retrievals(&self) -> u64 {
        let log = self.stack.sandbox.log().await.unwrap();
        log["retrievals"][&self.id].as_u64().unwrap_or_default()
    }

    /// A webhook body about this link.
    #[must_use]
    pub fn webhook(&self, webhook_type: &str, code: &str, request_id: Option<&str>) -> Value {
        let mut body = json!({
            "webhook_id": "w",
            "webhook_type": webhook_type,
            "webhook_code": code,
            "link_id": self.id,
            "data": {},
        });
        if let Some(id) = request_id {
            body["request_id"] = json!(id);
        }
        body
    }
}

/// Asserts that rows are equal field by field.
pub fn assert_same_rows(truth: &BTreeMap<String, Value>, stored: &BTreeMap<String, Value>) {
    let missing: Vec<_> = truth
        .keys()
        .filter(|id| !stored.contains_key(*id))
        .collect();
    let extra: Vec<_> = stored
        .keys()
        .filter(|id| !truth.contains_key(*id))
        .collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "missing {missing:?}, extra {extra:?}"
    );
    for (id, row) in truth {
        assert_eq!(difference(row, &stored[id]), None, "row {id}");
    }
}

/// Rows by their ids, each of which must occur once.
#[must_use]
pub fn by_id(rows: &[Value]) -> BTreeMap<String, Value> {
    let map: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (row["id"].as_str().expect("an id").to_owned(), row.clone()))
        .collect();
    assert_eq!(map.len(), rows.len(), "an id occurs twice");
    map
}
