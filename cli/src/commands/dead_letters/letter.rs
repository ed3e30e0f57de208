//! A dead letter, and its cause.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as Attribute};
use clap::Args;
use domain::{LinkId, Timestamp};
use serde::Serialize;
use serde_json::Value;

/// The cause of a message that SQS dead-lettered by itself, because `collect` could not.
const BY_SQS: &str = "received too often without an end: collect crashed, or had no time left";

/// A message of the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Letter {
    pub(crate) id: String,
    /// Its group, which is its link.
    pub(crate) link: String,
    /// What it asked for, such as `webhook`; empty if it cannot be read.
    pub(crate) kind: String,
    pub(crate) cause: String,
    /// How often it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receives: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dead_since: Option<Timestamp>,
    #[serde(skip)]
    pub(crate) body: String,
    /// The tracing header of what sent it.
    #[serde(skip)]
    pub(crate) trace: Option<String>,
    #[serde(skip)]
    pub(crate) receipt: String,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Filter {
    /// Only those whose cause has this text, in any case
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Only those of this link
    #[arg(long, value_parser = LinkId::parse)]
    pub(crate) link: Option<LinkId>,
    /// Only those with these ids
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
}

/// The dead letters of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CauseCount {
    pub(crate) cause: String,
    pub(crate) count: usize,
    pub(crate) links: usize,
    pub(crate) kinds: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oldest: Option<Timestamp>,
}

impl Letter {
    /// `None` for a message without what SQS gives every message.
    pub(crate) fn of(message: Message) -> Option<Self> {
        let system = message.attributes.unwrap_or_default();
        let ours = message.message_attributes.unwrap_or_default();
        let ours = |name: &str| ours.get(name)?.string_value.clone();
        let sent = system.get(&Attribute::SentTimestamp);
        let body = message.body.unwrap_or_default();
        Some(Self {
            id: message.message_id?,
            link: system.get(&Attribute::MessageGroupId)?.clone(),
            kind: kind(&body),
            cause: ours("reason").unwrap_or_else(|| BY_SQS.to_owned()),
            receives: ours("receives").and_then(|receives| receives.parse().ok()),
            dead_since: sent.and_then(|millis| Timestamp::of_unix_millis(millis.parse().ok()?)),
            body,
            trace: system.get(&Attribute::AwsTraceHeader).cloned(),
            receipt: message.receipt_handle?,
        })
    }

    /// The body as it is shown, which is JSON unless it could not be read.
    pub(crate) fn shown_body(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| Value::String(self.body.clone()))
    }
}

fn kind(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["kind"].as_str().unwrap_or_default().to_owned()
}

impl Filter {
    pub(crate) fn takes(&self, letter: &Letter) -> bool {
        let reason = self.reason.as_ref().map(|reason| reason.to_lowercase());
        reason.is_none_or(|reason| letter.cause.to_lowercase().contains(&reason))
            && self
                .link
                .as_ref()
                .is_none_or(|link| letter.link == link.as_str())
            && (self.ids.is_empty() || self.ids.contains(&letter.id))
    }

    /// Whether it leaves none out.
    pub(crate) fn is_all(&self) -> bool {
        self.reason.is_none() && self.link.is_none() && self.ids.is_empty()
    }
}

/// The causes, the most frequent first.
pub(crate) fn causes(letters: &[Letter]) -> Vec<CauseCount> {
    let mut by_cause: BTreeMap<&str, Vec<&Letter>> = BTreeMap::new();
    for letter in letters {
        by_cause.entry(&letter.cause).or_default().push(letter);
    }
    let mut causes: Vec<_> = by_cause
        .into_iter()
        .map(|(cause, letters)| CauseCount {
            cause: cause.to_owned(),
            count: letters.len(),
            links: letters
                .iter()
                .map(|letter| &letter.link)
                .collect::<BTreeSet<_>>()
                .len(),
            kinds: letters.iter().map(|letter| letter.kind.clone()).collect(),
            oldest: letters.iter().filter_map(|letter| letter.dead_since).min(),
        })
        .collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn letter(id: &str, link: &str, cause: &str) -> Letter {
        Letter {
            id: id.to_owned(),
            link: link.to_owned(),
            kind: "webhook".to_owned(),
            cause: cause.to_owned(),
            receives: Some(30),
            dead_since: Timestamp::parse("2026-03-01T00:00:00Z"),
            body: r#"{"kind": "webhook", "task": {}}"#.to_owned(),
            trace: None,
            receipt: format!("receipt of {id}"),
        }
    }

    #[test]
    fn a_message_is_a_letter_with_its_cause() {
        let message = Message::builder()
            .message_id("m")
            .receipt_handle("r")
            .body(r#"{"kind": "overdue", "task": {}}"#)
            .attributes(Attribute::MessageGroupId, "link")
            .attributes(Attribute::SentTimestamp, "1700000000000")
            .build();
        let letter = Letter::of(message.clone()).unwrap();
        assert_eq!(
            (letter.kind.as_str(), letter.cause.as_str()),
            ("overdue", BY_SQS)
        );
        assert_eq!(letter.dead_since.unwrap().unix_seconds(), 1_700_000_000);
        let mut message = message;
        message.body = Some("poison".to_owned());
        let poison = Letter::of(message).unwrap();
        assert_eq!(poison.kind, "");
        assert_eq!(poison.shown_body(), "poison");
    }

    #[test]
    fn a_filter_takes_what_passes_all_of_it() {
        let letter = letter(
            "1",
            "16f68516-bcbc-4cf7-b815-c500d4204e28",
            "Belvo: HTTP 500",
        );
        let all = Filter::default();
        assert!(all.takes(&letter) && all.is_all());
        let reason = |text: &str| Filter {
            reason: Some(text.to_owned()),
            ..Filter::default()
        };
        assert!(reason("http 500").takes(&letter) && !reason("http 404").takes(&letter));
        let link = |id: &str| Filter {
            link: LinkId::parse(id).ok(),
            ..reason("http")
        };
        assert!(link("16F68516BCBC4CF7B815C500D4204E28").takes(&letter));
        assert!(!link("26f68516-bcbc-4cf7-b815-c500d4204e28").takes(&letter));
        let ids = Filter {
            ids: vec!["2".to_owned()],
            ..Filter::default()
        };
        assert!(!ids.takes(&letter) && !ids.is_all());
    }

    #[test]
    fn causes_are_counted_and_the_most_frequent_comes_first() {
        let letters = [
            letter("1", "a", "rare"),
            letter("2", "a", "often"),
            letter("3", "b", "often"),
            letter("4", "b", "often"),
        ];
        let causes = causes(&letters);
        assert_eq!(
            (causes[0].cause.as_str(), causes[0].count, causes[0].links),
            ("often", 3, 2)
        );
        assert_eq!(causes.len(), 2);
    }
}
