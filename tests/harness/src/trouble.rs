//! Everything that can go wrong with a link.

use std::net::SocketAddr;

use rand::{
    Rng,
    seq::{IndexedRandom, SliceRandom},
};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use uuid::Uuid;

use crate::{Link, Stack, days_ago};

/// How many bytes a text has that no row is stored with, because it cannot be compressed.
const NOISE: usize = 520_000;
/// What the sandbox sends as half of a surrogate pair.
const HALF: &str = "\u{e000}";

/// Causes trouble for the links of a stack.
pub struct Trouble<'a> {
    pub stack: &'a Stack,
    /// Another host, which must never receive our keys.
    pub stranger: SocketAddr,
}

/// The bank adds, changes and deletes rows.
pub async fn at_the_bank(link: &Link<'_>, dice: &mut ChaCha8Rng) {
    let truth = link.truth().await;
    let day_of = |row: &Value| row["value_date"].as_str().map(str::to_owned);
    let oldest = truth.values().map(day_of).min().flatten();
    // What is older than everything that Belvo lists stays, so the oldest rows stay where they are.
    let is_oldest = |row: &String| day_of(&truth[row]) == oldest;
    let mut rows: Vec<String> = truth.keys().cloned().collect();
    rows.shuffle(dice);
    for _ in 0..dice.random_range(0..4) {
        match (dice.random_range(0..7), rows.pop()) {
            (0 | 1, _) | (_, None) => link.add(dice.random_range(1..12), &day(dice)).await,
            (2, Some(row)) => {
                link.amend(&row, json!({"description": canary()})).await;
            }
            (3, Some(row)) if !is_oldest(&row) => {
                link.amend(&row, json!({"value_date": day(dice)})).await;
            }
            (4, Some(row)) if !is_oldest(&row) => link.delete(&row).await,
            (5, Some(row)) => {
                let text = odd_text(dice);
                link.amend(&row, json!({ "observations": text })).await;
            }
            (_, Some(_)) => link.settle().await,
        }
    }
    if dice.random_ratio(1, 4) {
        link.change_a_balance(dice.random_range(1..1_000_000)).await;
    }
}

/// A text that no log may have.
fn canary() -> String {
    format!("canary-{}", Uuid::new_v4())
}

/// A text that is stored only compressed, one that is not Unicode, or one that cannot be stored.
fn odd_text(dice: &mut ChaCha8Rng) -> String {
    match dice.random_range(0..4) {
        0 => "<item/>".repeat(60_000),
        1 | 2 => format!("{}{HALF}", canary()),
        _ => (0..NOISE).map(|_| dice.random_range('!'..='~')).collect(),
    }
}

/// Whether a row cannot be stored.
#[must_use]
pub fn is_unstorable(row: &Value) -> bool {
    odd_text_of(row).len() == NOISE
}

/// Whether a row has half of a surrogate pair.
#[must_use]
pub fn has_a_half(row: &Value) -> bool {
    odd_text_of(row).contains(HALF)
}

fn odd_text_of(row: &Value) -> &str {
    row["observations"].as_str().unwrap_or_default()
}

impl Trouble<'_> {
    /// Belvo misbehaves up to twice, each way once or twice.
    pub async fn on_the_way(&self, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        for _ in 0..dice.random_range(0..3) {
            let (on, action) = self.misbehaviour(dice);
            let mut rule = json!({"on": on, "times": dice.random_range(1..3), "action": action});
            if action.get("foreign_next").is_some() {
                // Few pages have a next one that is read.
                rule["times"] = json!(50);
            }
            if on == "get" {
                rule["skip"] = json!(dice.random_range(0..10));
            }
            link.misbehave(rule).await;
        }
    }

    /// What may go wrong on the way, with where.
    fn misbehaviour(&self, dice: &mut ChaCha8Rng) -> (&'static str, Value) {
        let code =
            |dice: &mut ChaCha8Rng, codes: &[&str]| json!({"error": {"code": codes.choose(dice)}});
        match dice.random_range(0..31) {
            0 | 1 => {
                let codes = [
                    "unexpected_error",
                    "too_many_sessions",
                    "institution_down",
                    "request_timeout",
                    "permission_denied",
                ];
                ("get", code(dice, &codes))
            }
            2 => (
                "get",
                code(
                    dice,
                    &[
                        "invalid_link",
                        "login_error",
                        "operational_limits_reached",
                        "token_required",
                    ],
                ),
            ),
            3 => (
                "get",
                code(
                    dice,
                    &["authentication_failed", "access_to_resource_denied"],
                ),
            ),
            4 => ("get", json!({"html_403": true})),
            5 => ("get", json!({"status": 429, "retry_after": 1})),
            6 => ("get", json!({"status": 503})),
            7 => ("get", json!({"disconnect": true})),
            8 => ("get", json!({"torn_page": 1})),
            9 if dice.random() => ("get", json!({"swap": dice.random_range(1..3)})),
            9 => ("get", json!({"drift": {"insert": dice.random_range(1..5)}})),
            10 => ("get", json!({"duplicate_rows": true})),
            11 => ("get", json!({"empty": true})),
            14 if dice.random() => ("get", json!({"outdated": true})),
            12 if dice.random() => ("get", json!({"lose_rows": 2})),
            12 => ("get", json!({"drop_page": 2})),
            13 => (
                "get",
                json!({"foreign_next": format!("http://{}", self.stranger)}),
            ),
            14 => ("get", json!({"delay_ms": dice.random_range(1..1_500)})),
            15 => (
                "get",
                json!({"redirect": format!("http://{}/", self.stranger)}),
            ),
            // Rarely, because each one holds a function up for thirty seconds.
            26 if dice.random_ratio(1, 4) => ("get", json!({"hang": true})),
            26 | 27 => ("get", json!({"repeat_rows": true})),
            16 => ("webhook", json!({"duplicate": dice.random_range(1..4)})),
            17 => ("webhook", json!({"drop": true})),
            18 => ("webhook", json!({"early": true})),
            19 => ("webhook", json!({"hold_until_next": true})),
            20 => ("webhook", json!({"wrong_authorization": true})),
            21 => ("webhook", json!({"malformed": true})),
            22 => (
                "webhook",
                json!({"data_errors": {"code": "login_error", "message": "no"}}),
            ),
            23 => ("webhook", json!({"without_request_id": true})),
            24 => (
                "webhook",
                json!({"extra_bytes": dice.random_range(1..100_000)}),
            ),
            _ => {
                let lost = json!({"disconnect": true, "after": true});
                let actions = [
                    json!({"status": 429}),
                    json!({"html_403": true}),
                    json!({"ignore_async": true}),
                    lost,
                ];
                ("post", actions.choose(dice).cloned().unwrap_or_default())
            }
        }
    }

    /// Something makes the pipeline process the link.
    pub async fn trigger(&self, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        for _ in 0..dice.random_range(1..4) {
            match dice.random_range(0..6) {
                // It may be refused, or its function may be killed.
                0..=2 => drop(self.stack.request(&window(link, dice)).await),
                3 | 4 => {
                    let codes = [
                        "historical_update",
                        "new_transactions_available",
                        "transactions_updated",
                        "transactions_deleted",
                        "to_come",
                    ];
                    link.notify(json!({"webhook_code": codes.choose(dice)}))
                        .await;
                }
                _ => poison(self.stack, link, dice).await,
            }
        }
    }
}

/// A message that our functions did not write, in the link's group.
async fn poison(stack: &Stack, link: &Link<'_>, dice: &mut ChaCha8Rng) {
    aws_sdk_sqs::Client::new(&stack.aws)
        .send_message()
        .queue_url(&stack.queue_url)
        .message_body(poison_of(dice))
        .message_group_id(&link.id)
        .message_deduplication_id(Uuid::new_v4().to_string())
        .send()
        .await
        .unwrap();
}

/// The text of a message that our functions did not write.
pub fn poison_of(dice: &mut ChaCha8Rng) -> &'static str {
    let texts = ["poison", "{}", r#"{"kind":"webhook"}"#, "[1]"];
    texts.choose(dice).copied().unwrap_or_default()
}

/// The body of a request for some days.
fn window(link: &Link<'_>, dice: &mut ChaCha8Rng) -> Value {
    if dice.random_ratio(1, 2) {
        return link.last_year();
    }
    let (one, other) = (dice.random_range(0..365), dice.random_range(0..365));
    link.days(one.max(other), one.min(other))
}

fn day(dice: &mut ChaCha8Rng) -> String {
    days_ago(dice.random_range(0..365))
}
