//! Which request is answered by a webhook that names none: Belvo documents webhooks without a
//! request id.

use crate::{Facts, RequestRecord, Resource, Status, Timestamp};

/// For how long Belvo may deliver a webhook again that was not acknowledged in time, in seconds: a
/// few attempts a minute apart (Belvo's pages say three of them, or five).
const REDELIVERED_S: i64 = 10 * 60;

/// A webhook about rows that names no request.
#[derive(Debug, Clone, Copy)]
pub struct UnnamedWebhook<'a> {
    pub resource: Resource,
    /// The id of its delivery: the same for every delivery of the same bytes.
    pub delivery_id: &'a str,
    pub received_at: Timestamp,
}

/// A request that a webhook may answer.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub resource: Resource,
    pub facts: Facts,
    /// The delivery of the webhook that announced it without naming it.
    pub answered_by: Option<&'a str>,
}

impl UnnamedWebhook<'_> {
    /// The request that it answers, among a link's latest: the one that an earlier delivery of it
    /// answered, or else the only one that Belvo was working on when it was received. Of several
    /// such requests it may answer any, so that it answers none.
    #[must_use]
    pub fn answered<'a, T>(
        &self,
        latest: &'a [T],
        candidate: impl Fn(&'a T) -> Candidate<'a>,
    ) -> Option<&'a T> {
        let has_answered = |request: &&'a T| self.has_answered(&candidate(request));
        if let Some(before) = latest.iter().find(has_answered) {
            return Some(before);
        }
        let may_be_answered = |request: &&'a T| self.may_answer(&candidate(request));
        let mut open = latest.iter().filter(may_be_answered);
        match (open.next(), open.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    fn has_answered(&self, request: &Candidate<'_>) -> bool {
        let is_copy = |first: Timestamp| self.received_at <= first.plus_seconds(REDELIVERED_S);
        request.answered_by == Some(self.delivery_id)
            && request.facts.notified_at.is_some_and(is_copy)
    }

    fn may_answer(&self, request: &Candidate<'_>) -> bool {
        let issued_at = request.facts.issued_at;
        request.resource == self.resource
            && request.facts.status() == Status::Issued
            && issued_at.is_some_and(|at| at <= self.received_at)
    }
}

impl<'a> From<&'a RequestRecord> for Candidate<'a> {
    fn from(record: &'a RequestRecord) -> Self {
        Self {
            resource: record.retrieval.resource,
            facts: record.facts(),
            answered_by: record.answered_by.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::timestamp::at;

    fn record(id: &str, facts: &Value) -> RequestRecord {
        let mut record = json!({
            "id": id,
            "link": "bcca0da9-a4c6-4830-9676-1d54682851d9",
            "resource": "transactions",
        });
        record
            .as_object_mut()
            .unwrap()
            .extend(facts.as_object().unwrap().clone());
        serde_json::from_value(record).unwrap()
    }

    fn issued(id: &str, second: i64) -> RequestRecord {
        record(id, &json!({"issued_at": at(second)}))
    }

    fn answered(latest: &[RequestRecord], delivery_id: &str, second: i64) -> Option<String> {
        let webhook = UnnamedWebhook {
            resource: Resource::TRANSACTIONS,
            delivery_id,
            received_at: at(second),
        };
        let answered = webhook.answered(latest, Candidate::from);
        answered.map(|record| record.id.to_string())
    }

    #[test]
    fn the_only_open_request_is_answered() {
        let collected = record("c", &json!({"issued_at": at(0), "collected_at": at(1)}));
        let theirs = record("r", &json!({"notified_at": at(1)}));
        let mut invoices = issued("i", 0);
        invoices.retrieval.resource = Resource::by_name("invoices").unwrap();
        let latest = [issued("a", 5), collected, theirs, invoices];
        assert_eq!(answered(&latest, "d", 5).as_deref(), Some("a"));
        assert_eq!(answered(&latest, "d", 4), None, "it was issued later");
        assert_eq!(answered(&latest[1..], "d", 5), None);
    }

    #[test]
    fn of_two_open_requests_none_is_answered() {
        assert_eq!(answered(&[issued("a", 0), issued("b", 1)], "d", 5), None);
    }

    #[test]
    fn what_was_answered_before_is_answered_by_every_delivery_of_the_same_webhook() {
        let facts = json!({"issued_at": at(0), "notified_at": at(9), "answered_by": "d"});
        let latest = [issued("b", 20), record("a", &facts)];
        assert_eq!(answered(&latest, "d", 9).as_deref(), Some("a"), "a retry");
        assert_eq!(answered(&latest, "d", 69).as_deref(), Some("a"), "a copy");
        assert_eq!(answered(&latest, "e", 69).as_deref(), Some("b"));
        let copy = answered(&latest, "d", 9 + 600);
        assert_eq!(copy.as_deref(), Some("a"), "ten minutes later");
        let same_words = answered(&latest, "d", 9 + 600 + 1);
        assert_eq!(same_words.as_deref(), Some("b"), "another webhook");
    }
}
