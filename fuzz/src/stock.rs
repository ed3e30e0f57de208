//! What is stored before the first input, so that calls find something: one link with an account
//! and rows, a request and a webhook. All of it is invented.

use std::slice;

use domain::{
    Account, Changes, Connection, DigestedRow, LinkId, LinkRecord, Observation, RequestId,
    Resource, Retrieval, Row, Timestamp, WebhookOutcome,
};
use serde_json::{Value, json};
use shared::{
    queue::Delivery,
    store::{Control, ProcessedWebhook, TransactionsTable},
};
use test_harness::{REQUESTS_TABLE, TRANSACTIONS_TABLE, taken_apart};
use tokio::runtime::{Builder, Runtime};

use crate::aws::Aws;

const LINK: &str = "57a2fbe1-84ac-4ebd-9893-7dd181a3caec";
const ACCOUNT: &str = "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e";
const REQUEST: &str = "b5d0106ac9cc43d5b36199fe831f6bbe";
const AT: &str = "2026-03-01T12:00:00.000Z";

/// Where handlers run, one call after the other.
pub(crate) fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime")
}

/// The tables, and what they are opened as.
pub(crate) struct Stock {
    pub(crate) runtime: Runtime,
    pub(crate) aws: Aws,
    pub(crate) control: Control,
    pub(crate) transactions: TransactionsTable,
}

impl Stock {
    /// Empty tables.
    pub(crate) fn empty() -> Self {
        let aws = Aws::new();
        let config = aws.config();
        Self {
            runtime: runtime(),
            aws,
            control: Control::open(&config, REQUESTS_TABLE.to_owned()),
            transactions: TransactionsTable::open(&config, TRANSACTIONS_TABLE.to_owned()),
        }
    }

    /// Tables with something of everything.
    pub(crate) fn full() -> Self {
        let stock = Self::empty();
        stock.runtime.block_on(async {
            let link = LinkId::parse(LINK).expect("a link");
            stock.register(&link).await;
            stock.issue(&link).await;
            stock.collect(&link).await;
            stock.archive(&link).await;
        });
        stock
    }

    async fn register(&self, link: &LinkId) {
        let connection: Connection = serde_json::from_value(json!({
            "institution": "ofmockbank_br_retail",
            "access_mode": "recurrent",
            "refresh_rate": "24h",
            "status": "valid",
            "external_id": "mine",
        }))
        .expect("a connection");
        let register =
            |known: LinkRecord| known.registered(connection.clone(), Timestamp::now(), 1_800);
        let changed = self.control.links.change(link, register).await;
        changed.expect("a registered link");
    }

    async fn issue(&self, link: &LinkId) {
        let id = RequestId::parse(REQUEST).expect("a request");
        let retrieval = Retrieval::of(link.clone(), Resource::TRANSACTIONS);
        let requests = &self.control.requests;
        let issued = requests.issued(&id, &retrieval, at(), at()).await;
        issued.expect("a recorded request");
    }

    async fn collect(&self, link: &LinkId) {
        let seen = Observation {
            at: at(),
            request: None,
        };
        let sent: Vec<_> = (1..=3).map(row).collect();
        let (new, accounts): (Vec<Row>, Vec<Option<Account>>) =
            sent.iter().map(taken_apart).unzip();
        let account = accounts.into_iter().flatten().next().expect("an account");
        let accounts = self.transactions.accounts();
        let stored = accounts.put(link, slice::from_ref(&account), &seen).await;
        stored.expect("a stored account");
        let changes = Changes {
            new: new.into_iter().map(DigestedRow::from).collect(),
            ..Changes::default()
        };
        let rows = self.transactions.rows(Resource::TRANSACTIONS);
        let stored = rows.put(link, &changes, &seen).await;
        stored.expect("stored rows");
    }

    async fn archive(&self, link: &LinkId) {
        let body = json!({
            "webhook_type": "TRANSACTIONS", "webhook_code": "historical_update", "link_id": LINK,
            "request_id": REQUEST, "data": {"total_transactions": 3},
        });
        let delivery = Delivery::new(&body.to_string(), "gateway", at()).expect("a webhook");
        let processed = ProcessedWebhook {
            id: delivery.webhook_id(),
            link,
            body: delivery.body.get(),
            received_at: at(),
            replayed_at: None,
            ended_at: at(),
            outcome: &WebhookOutcome::Held,
        };
        let archived = self.control.webhooks.processed(&processed).await;
        archived.expect("an archived webhook");
    }
}

fn at() -> Timestamp {
    Timestamp::parse(AT).expect("an instant")
}

fn row(number: u32) -> Value {
    json!({
        "id": format!("row-{number}"),
        "account": {"id": ACCOUNT, "name": "An account", "balance": {"current": 1.50}},
        "value_date": format!("2026-01-0{number}"),
        "amount": 10.25,
        "status": "PROCESSED",
        "type": "INFLOW",
    })
}
