//! What a message asks `collect` to do, and how it is written in the queue.

use std::{borrow::Cow, fmt};

use domain::{
    AccountId, Days, Hidden, LinkId, Progress, RequestId, Resource, Timestamp, WebhookId,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::belvo::{Webhook, WebhookError, json_fault};

/// The group of messages that are about no single link.
const NO_LINK: &str = "sweep";

/// One piece of work for `collect`. As a message it is `{"kind": "…", "task": {…}}`, in this order:
/// with `kind` behind `task`, serde would have to buffer the webhook, whose text would be lost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "task", rename_all = "snake_case")]
pub enum Task {
    /// Belvo called the webhook.
    Webhook(Delivery),
    /// Belvo answered a retrieval with its data at once, so no webhook will follow.
    DataReady {
        resource: Resource,
        link: LinkId,
        request: RequestId,
        /// When Belvo answered.
        at: Timestamp,
    },
    /// Belvo answered a deletion that it no longer has the link.
    LinkGone { link: LinkId },
    /// No webhook has arrived for a request.
    #[serde(rename = "overdue")]
    CheckOverdue {
        resource: Resource,
        link: LinkId,
        request: RequestId,
        /// When the request is due again if this check is lost.
        next: Timestamp,
    },
    /// A link's rows are to be read as a whole, because it is time to, because two of its refresh
    /// periods have passed without a webhook, or because its webhooks were held; or its deletion is
    /// unconfirmed.
    CheckLink { resource: Resource, link: LinkId },
    /// Somebody asks for what Belvo has of a link.
    Collect {
        resource: Resource,
        link: LinkId,
        #[serde(default, skip_serializing_if = "Days::is_all")]
        days: Days,
        /// When they asked.
        at: Timestamp,
    },
    /// The rest of a collection that one invocation had no time for.
    #[serde(rename = "continuation")]
    Continue(Box<Continuation>),
    /// The schedule in template.yaml asks for overdue requests and for links that are due.
    Sweep,
}

/// One delivery of a webhook.
#[derive(Clone, Deserialize)]
#[serde(try_from = "DeliveryMessage<'static>")]
pub struct Delivery {
    /// SHA-256 of the webhook's bytes in hexadecimal: the same for every redelivery of them.
    pub id: String,
    /// The id that the log lines of this work share: Belvo's request id, else API Gateway's.
    pub correlation_id: String,
    pub received_at: Timestamp,
    /// When somebody asked for the archived webhook to be processed again, if that is why.
    pub replayed_at: Option<Timestamp>,
    pub webhook: Webhook,
    /// The webhook's JSON as Belvo sent it.
    pub body: Box<RawValue>,
}

/// The rest of a collection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Continuation {
    pub resource: Resource,
    pub link: LinkId,
    /// One account, or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Why the collection was started.
    pub trigger: Trigger,
    /// Webhooks that it answers beside the trigger's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_webhooks: Vec<Delivery>,
    /// The retrievals that it ends.
    pub requests: Vec<RequestId>,
    pub coverage: Coverage,
    /// The earliest time to continue, if Belvo or the back-off after a failure asks for a wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    pub progress: Progress,
}

/// Whether the days of a collection hold every row it has to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// They do.
    Certain,
    /// They should. The link's rows are counted afterwards, and all of them are fetched if Belvo's
    /// count differs.
    Likely,
}

/// Why rows are fetched.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Belvo announced them.
    Webhook(Box<Delivery>),
    /// Belvo answered the retrieval with them.
    DataReady { at: Timestamp },
    /// Somebody asked for them.
    Asked { at: Timestamp },
    /// Belvo has announced nothing, but should have by now.
    Check,
}

/// The kind of a [`Task`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskKind {
    Webhook,
    DataReady,
    LinkGone,
    CheckOverdue,
    CheckLink,
    Collect,
    Continue,
    Sweep,
}

/// A message that `collect` does not understand. The error never quotes the message.
#[derive(Debug, Clone, Error)]
pub enum TaskError {
    #[error(
        "the message has an unknown kind; the known kinds are {}",
        TaskKind::names()
    )]
    UnknownKind,
    #[error("the message is not a task: {0}")]
    Unreadable(String),
}

/// Hides the body.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("correlation_id", &self.correlation_id)
            .field("received_at", &self.received_at)
            .field("replayed_at", &self.replayed_at)
            .field("webhook", &self.webhook)
            .field("body", &Hidden::of(self.body.get()))
            .finish()
    }
}

impl Delivery {
    /// The id of a delivery of these bytes.
    #[must_use]
    pub fn id_of(body: &[u8]) -> String {
        hex::encode(Sha256::digest(body))
    }

    /// A webhook received at `received_at`, correlated by `gateway_request_id` if it names no
    /// request.
    pub fn new(
        body: &str,
        gateway_request_id: &str,
        received_at: Timestamp,
    ) -> Result<Self, WebhookError> {
        let webhook = Webhook::parse(body)?;
        let correlation_id = match &webhook.request_id {
            Some(id) => id.to_string(),
            None => gateway_request_id.to_owned(),
        };

        Ok(Self {
            id: Self::id_of(body.as_bytes()),
            correlation_id,
            received_at,
            replayed_at: None,
            webhook,
            body: RawValue::from_string(body.trim().to_owned())
                .map_err(|error| WebhookError::NotJson(json_fault(&error)))?,
        })
    }

    /// The same, of an archived webhook, to be processed again because somebody asked for it. What
    /// is archived need not have the bytes that were received.
    #[must_use]
    pub fn replayed(self, webhook: &WebhookId, at: Timestamp) -> Self {
        Self {
            id: webhook.sha_256().to_owned(),
            replayed_at: Some(at),
            ..self
        }
    }

    /// The id under which the webhook is archived.
    #[must_use]
    pub fn webhook_id(&self) -> WebhookId {
        match self.webhook.request_id {
            Some(_) => WebhookId::of(&self.id),
            None => WebhookId::at(&self.id, self.received_at),
        }
    }

    /// Whether both are one delivery, processed for one reason.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let key = |one: &Self| (one.received_at, one.replayed_at);
        self.id == other.id && key(self) == key(other)
    }
}

impl Task {
    /// Reads a message of the queue.
    pub fn parse(message: &str) -> Result<Self, TaskError> {
        #[derive(Deserialize)]
        struct Kind {
            kind: String,
        }
        serde_json::from_str(message).map_err(|error| match serde_json::from_str(message) {
            Ok(Kind { kind }) if TaskKind::by_name(&kind).is_none() => TaskError::UnknownKind,
            _ => TaskError::Unreadable(json_fault(&error)),
        })
    }

    #[must_use]
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Webhook(_) => TaskKind::Webhook,
            Self::DataReady { .. } => TaskKind::DataReady,
            Self::LinkGone { .. } => TaskKind::LinkGone,
            Self::CheckOverdue { .. } => TaskKind::CheckOverdue,
            Self::CheckLink { .. } => TaskKind::CheckLink,
            Self::Collect { .. } => TaskKind::Collect,
            Self::Continue(_) => TaskKind::Continue,
            Self::Sweep => TaskKind::Sweep,
        }
    }

    /// The link it is about, if any.
    #[must_use]
    pub fn link(&self) -> Option<&LinkId> {
        match self {
            Self::Webhook(delivery) => Some(&delivery.webhook.link),
            Self::DataReady { link, .. }
            | Self::LinkGone { link }
            | Self::CheckOverdue { link, .. }
            | Self::CheckLink { link, .. }
            | Self::Collect { link, .. } => Some(link),
            Self::Continue(continuation) => Some(&continuation.link),
            Self::Sweep => None,
        }
    }

    /// The retrievals it ends.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestId> {
        match self {
            Self::Webhook(delivery) => delivery.webhook.request_id.iter().cloned().collect(),
            Self::DataReady { request, .. } | Self::CheckOverdue { request, .. } => {
                vec![request.clone()]
            }
            Self::Continue(continuation) => continuation.requests.clone(),
            Self::LinkGone { .. } | Self::CheckLink { .. } | Self::Collect { .. } | Self::Sweep => {
                Vec::new()
            }
        }
    }

    /// The webhooks that it processes.
    #[must_use]
    pub fn deliveries(&self) -> Vec<&Delivery> {
        match self {
            Self::Webhook(delivery) => vec![delivery],
            Self::Continue(continuation) => continuation.deliveries().collect(),
            Self::DataReady { .. }
            | Self::LinkGone { .. }
            | Self::CheckOverdue { .. }
            | Self::CheckLink { .. }
            | Self::Collect { .. }
            | Self::Sweep => Vec::new(),
        }
    }

    /// The resource that somebody asked for, and when, if that is why it is fetched.
    #[must_use]
    pub fn asked(&self) -> Option<(Resource, Timestamp)> {
        match self {
            Self::Collect { resource, at, .. } => Some((*resource, *at)),
            Self::Continue(continuation) => {
                Some((continuation.resource, continuation.trigger.asked_at()?))
            }
            _ => None,
        }
    }

    /// The FIFO group: one per link.
    #[must_use]
    pub(crate) fn group(&self) -> &str {
        self.link().map_or(NO_LINK, LinkId::as_str)
    }

    /// The id that the log lines of this work share.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        match self {
            Self::Webhook(delivery) => &delivery.correlation_id,
            Self::DataReady { request, .. } | Self::CheckOverdue { request, .. } => {
                request.as_str()
            }
            Self::LinkGone { link } | Self::CheckLink { link, .. } | Self::Collect { link, .. } => {
                link.as_str()
            }
            Self::Continue(continuation) => continuation.correlation_id(),
            Self::Sweep => NO_LINK,
        }
    }

    /// The id by which SQS drops duplicates for five minutes (docs/decisions/0003).
    pub(super) fn deduplication_id(&self) -> String {
        match self {
            // A webhook with a request id says the same thing each time it is sent. One without may
            // say "there are new rows" twice with the same bytes, and the second must not be
            // dropped after the first was processed; nor must one that somebody asks for.
            Self::Webhook(delivery)
                if delivery.webhook.request_id.is_some() && delivery.replayed_at.is_none() =>
            {
                delivery.id.clone()
            }
            Self::Webhook(delivery) => {
                format!("{}-{}", &delivery.id[..32], Uuid::new_v4().simple())
            }
            Self::DataReady { request, .. } => digest(&["data_ready", request.as_str()]),
            Self::CheckOverdue { request, next, .. } => {
                digest(&["overdue", request.as_str(), &next.to_string()])
            }
            // One step of one collection: a continuation may answer questions and fetch no part.
            Self::Continue(continuation) => {
                let progress = &continuation.progress;
                let origin = digest(&["continuation", continuation.origin()]);
                let started_at = progress.started_at.unix_millis();
                format!("{}-{started_at}-{}", &origin[..32], progress.steps)
            }
            Self::LinkGone { .. } | Self::CheckLink { .. } | Self::Collect { .. } | Self::Sweep => {
                Uuid::new_v4().simple().to_string()
            }
        }
    }
}

impl Continuation {
    /// The id that the log lines of this work share.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        match (self.requests.first(), &self.trigger) {
            (Some(request), _) => request.as_str(),
            (None, Trigger::Webhook(delivery)) => &delivery.correlation_id,
            (None, Trigger::DataReady { .. } | Trigger::Asked { .. } | Trigger::Check) => {
                self.link.as_str()
            }
        }
    }

    /// The webhooks that it answers.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.trigger
            .delivery()
            .into_iter()
            .chain(&self.other_webhooks)
    }

    /// The id of what it continues: the same for every attempt at the same message.
    fn origin(&self) -> &str {
        match &self.trigger {
            Trigger::Webhook(delivery) => &delivery.id,
            Trigger::DataReady { .. } | Trigger::Asked { .. } | Trigger::Check => {
                self.correlation_id()
            }
        }
    }
}

impl Trigger {
    /// When somebody asked for the rows, if that is why they are fetched.
    #[must_use]
    pub fn asked_at(&self) -> Option<Timestamp> {
        match self {
            Self::Asked { at } => Some(*at),
            Self::Webhook(_) | Self::DataReady { .. } | Self::Check => None,
        }
    }

    /// The webhook, if one announced the rows.
    #[must_use]
    pub fn delivery(&self) -> Option<&Delivery> {
        match self {
            Self::Webhook(delivery) => Some(delivery),
            Self::DataReady { .. } | Self::Asked { .. } | Self::Check => None,
        }
    }
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Webhook,
        Self::DataReady,
        Self::LinkGone,
        Self::CheckOverdue,
        Self::CheckLink,
        Self::Collect,
        Self::Continue,
        Self::Sweep,
    ];

    /// The `kind` of a message.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::DataReady => "data_ready",
            Self::LinkGone => "link_gone",
            Self::CheckOverdue => "overdue",
            Self::CheckLink => "check_link",
            Self::Collect => "collect",
            Self::Continue => "continuation",
            Self::Sweep => "sweep",
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A [`Delivery`] on the wire, its webhook not yet parsed.
#[derive(Serialize, Deserialize)]
struct DeliveryMessage<'a> {
    delivery_id: Cow<'a, str>,
    correlation_id: Cow<'a, str>,
    received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replayed_at: Option<Timestamp>,
    webhook: Cow<'a, RawValue>,
}

impl TryFrom<DeliveryMessage<'_>> for Delivery {
    type Error = &'static str;

    fn try_from(message: DeliveryMessage<'_>) -> Result<Self, Self::Error> {
        // In the spelling by which the API finds the webhook.
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if message.delivery_id.len() != 64 || !message.delivery_id.bytes().all(is_digit) {
            return Err("delivery_id must be a SHA-256");
        }

        Ok(Self {
            webhook: Webhook::parse(message.webhook.get()).map_err(|_| "not a webhook")?,
            id: message.delivery_id.into_owned(),
            correlation_id: message.correlation_id.into_owned(),
            received_at: message.received_at,
            replayed_at: message.replayed_at,
            body: message.webhook.into_owned(),
        })
    }
}

impl Serialize for Delivery {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = DeliveryMessage {
            delivery_id: Cow::Borrowed(&self.id),
            correlation_id: Cow::Borrowed(&self.correlation_id),
            received_at: self.received_at,
            replayed_at: self.replayed_at,
            webhook: Cow::Borrowed(&self.body),
        };
        message.serialize(serializer)
    }
}

fn digest(parts: &[&str]) -> String {
    hex::encode(Sha256::digest(parts.join("\n")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use domain::Days;

    const LINK: &str = "16f68516-bcbc-4cf7-b815-c500d4204e28";
    const WITH_ID: &str = r#"{"webhook_type":"TRANSACTIONS","webhook_code":"historical_update",
        "link_id":"16f68516-bcbc-4cf7-b815-c500d4204e28","request_id":"4363b08b51eb43509c745df5ac92a7f6"}"#;
    const WITHOUT_ID: &str = r#"{"webhook_type":"TRANSACTIONS","webhook_code":"transactions_updated",
        "link_id":"16f68516-bcbc-4cf7-b815-c500d4204e28"}"#;

    fn at(second: i64) -> Timestamp {
        Timestamp::parse("2026-03-01T00:00:00Z")
            .unwrap()
            .plus_seconds(second)
    }

    fn link() -> LinkId {
        LinkId::parse(LINK).unwrap()
    }

    fn request(id: &str) -> RequestId {
        RequestId::parse(id).unwrap()
    }

    fn delivery(body: &str) -> Delivery {
        Delivery::new(body, "gateway", at(0)).unwrap()
    }

    fn webhook(body: &str) -> Task {
        Task::Webhook(delivery(body))
    }

    fn ready(id: &str) -> Task {
        Task::DataReady {
            resource: Resource::TRANSACTIONS,
            link: link(),
            request: request(id),
            at: at(0),
        }
    }

    fn overdue(id: &str, second: i64) -> Task {
        Task::CheckOverdue {
            resource: Resource::TRANSACTIONS,
            link: link(),
            request: request(id),
            next: at(second),
        }
    }

    fn continuation(trigger: Trigger, started_s: i64) -> Task {
        Task::Continue(Box::new(Continuation {
            resource: Resource::TRANSACTIONS,
            link: link(),
            account: None,
            trigger,
            other_webhooks: Vec::new(),
            requests: vec![request("r")],
            coverage: Coverage::Certain,
            not_before: None,
            progress: Progress::new(Days::ALL, true, at(started_s)),
        }))
    }

    fn check_link() -> Task {
        Task::CheckLink {
            resource: Resource::TRANSACTIONS,
            link: link(),
        }
    }

    fn collect() -> Task {
        Task::Collect {
            resource: Resource::TRANSACTIONS,
            link: link(),
            days: Days::ALL,
            at: at(0),
        }
    }

    /// One task of each kind, with the kind's name.
    fn one_of_each() -> [(Task, &'static str); 8] {
        [
            (webhook(WITH_ID), "webhook"),
            (ready("r"), "data_ready"),
            (Task::LinkGone { link: link() }, "link_gone"),
            (overdue("r", 0), "overdue"),
            (check_link(), "check_link"),
            (collect(), "collect"),
            (continuation(Trigger::Check, 0), "continuation"),
            (Task::Sweep, "sweep"),
        ]
    }

    #[test]
    fn each_kind_of_task_survives_the_queue() {
        for (task, name) in one_of_each() {
            let message = serde_json::to_string(&task).unwrap();
            let read = Task::parse(&message).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), message);
            assert_eq!((read.kind(), read.kind().name()), (task.kind(), name));
            assert_eq!(
                serde_json::from_str::<Value>(&message).unwrap()["kind"],
                name
            );
            assert_eq!(TaskKind::by_name(name), Some(task.kind()));
        }
    }

    #[test]
    fn a_webhook_keeps_its_text() {
        let message = serde_json::to_string(&webhook(WITH_ID)).unwrap();
        let Task::Webhook(read) = Task::parse(&message).unwrap() else {
            panic!("a webhook")
        };
        let sent = delivery(WITH_ID);
        assert_eq!((read.body.get(), read.webhook), (WITH_ID, sent.webhook));
        assert_eq!((read.id, read.received_at), (sent.id, sent.received_at));
    }

    #[test]
    fn a_continuation_keeps_every_webhook_that_it_answers() {
        let Task::Continue(mut rest) =
            continuation(Trigger::Webhook(Box::new(delivery(WITH_ID))), 0)
        else {
            panic!("a continuation")
        };
        let other = delivery(WITHOUT_ID);
        let id = other.webhook_id();
        rest.other_webhooks = vec![other.replayed(&id, at(9))];
        let message = serde_json::to_string(&Task::Continue(rest)).unwrap();
        let read = Task::parse(&message).unwrap();
        let kept: Vec<_> = read
            .deliveries()
            .into_iter()
            .map(|delivery| (delivery.body.get(), delivery.replayed_at))
            .collect();
        assert_eq!(kept, [(WITH_ID, None), (WITHOUT_ID, Some(at(9)))]);
    }

    #[test]
    fn a_redelivered_webhook_is_archived_as_one_only_if_it_names_a_request() {
        let later = |body: &str| Delivery::new(body, "gateway", at(400)).unwrap();
        let id = |delivery: Delivery| delivery.webhook_id();
        assert_eq!(id(delivery(WITH_ID)), id(later(WITH_ID)));
        assert_ne!(id(delivery(WITHOUT_ID)), id(later(WITHOUT_ID)));
        assert!(!delivery(WITH_ID).is_same(&later(WITH_ID)));
    }

    #[test]
    fn what_a_webhook_carries_is_not_printed() {
        let body = WITH_ID.replacen(
            '{',
            r#"{"external_id":"planted","data":{"name":"planted"},"#,
            1,
        );
        let first = Trigger::Webhook(Box::new(delivery(&body)));
        let printed = format!("{:?} {:?}", webhook(&body), continuation(first, 0));
        assert!(!printed.contains("planted"), "{printed}");
    }

    #[test]
    fn a_delivery_shows_which_it_is() {
        let printed = format!("{:?}", delivery(WITH_ID));
        assert!(
            printed.contains(&Delivery::id_of(WITH_ID.as_bytes())),
            "{printed}"
        );
    }

    #[test]
    fn a_replayed_webhook_has_the_id_under_which_it_was_received() {
        let received = delivery(WITH_ID);
        let archived = delivery(&format!(" {WITH_ID}"));
        assert_ne!(archived.id, received.id);
        let replayed = archived.replayed(&received.webhook_id(), at(9));
        assert_eq!(
            (replayed.id, replayed.replayed_at),
            (received.id, Some(at(9)))
        );
    }

    #[test]
    fn each_kind_of_task_is_in_the_group_of_its_link() {
        for (task, name) in one_of_each() {
            let expected = if name == "sweep" { "sweep" } else { LINK };
            assert_eq!(task.group(), expected, "{name}");
        }
    }

    #[test]
    fn a_task_is_correlated_by_its_request_or_else_by_what_it_is_about() {
        let ids = one_of_each().map(|(task, _)| task.correlation_id().to_owned());
        let webhooks = "4363b08b51eb43509c745df5ac92a7f6";
        assert_eq!(ids, [webhooks, "r", LINK, "r", LINK, LINK, "r", "sweep"]);
        assert_eq!(webhook(WITHOUT_ID).correlation_id(), "gateway");
    }

    #[test]
    fn a_task_ends_the_requests_that_it_names() {
        let requests = one_of_each().map(|(task, _)| task.requests());
        let (r, none) = (vec![request("r")], Vec::new());
        let named = vec![request("4363b08b51eb43509c745df5ac92a7f6")];
        let expected = [&named, &r, &none, &r, &none, &none, &r, &none];
        assert_eq!(requests.each_ref(), expected);
        assert_eq!(webhook(WITHOUT_ID).requests(), none);
    }

    #[test]
    fn a_task_knows_whether_somebody_asked_for_it() {
        let asked = one_of_each().map(|(task, _)| task.asked());
        let at_once = Some((Resource::TRANSACTIONS, at(0)));
        let expected = [None, None, None, None, None, at_once, None, None];
        assert_eq!(asked, expected);
        let rest = continuation(Trigger::Asked { at: at(5) }, 9);
        assert_eq!(rest.asked(), Some((Resource::TRANSACTIONS, at(5))));
        assert_eq!(
            continuation(Trigger::DataReady { at: at(5) }, 9).asked(),
            None
        );
    }

    #[test]
    fn a_delivery_is_the_same_if_it_is_processed_for_the_same_reason() {
        let (named, id) = (delivery(WITH_ID), delivery(WITH_ID).webhook_id());
        assert!(named.is_same(&delivery(WITH_ID)));
        assert!(!named.is_same(&delivery(WITHOUT_ID)));
        assert!(!named.is_same(&named.clone().replayed(&id, at(9))));
    }

    #[test]
    fn a_message_of_an_unknown_kind_is_told_which_there_are() {
        let error = Task::parse(r#"{"kind": "other"}"#).unwrap_err().to_string();
        assert!(error.ends_with(
            "webhook, data_ready, link_gone, overdue, check_link, collect, continuation, sweep"
        ));
    }

    #[test]
    fn a_continuation_without_requests_is_correlated_by_its_webhook_or_its_link() {
        let correlated = |trigger| {
            let Task::Continue(mut rest) = continuation(trigger, 0) else {
                panic!("a continuation")
            };
            rest.requests.clear();
            rest.correlation_id().to_owned()
        };
        let first = Trigger::Webhook(Box::new(delivery(WITHOUT_ID)));
        assert_eq!(correlated(first), "gateway");
        assert_eq!(correlated(Trigger::Check), LINK);
    }

    #[test]
    fn a_repeated_message_has_the_same_deduplication_id() {
        let first = Trigger::Webhook(Box::new(delivery(WITHOUT_ID)));
        let sent_once = [
            (
                webhook(WITH_ID),
                webhook(WITH_ID),
                webhook(&WITH_ID.replace("4363", "4364")),
            ),
            (ready("a"), ready("a"), ready("b")),
            (overdue("a", 0), overdue("a", 0), overdue("a", 1)),
            (overdue("a", 0), overdue("a", 0), overdue("b", 0)),
            (
                continuation(first.clone(), 0),
                continuation(first.clone(), 0),
                continuation(first.clone(), 1),
            ),
            (
                continuation(first.clone(), 0),
                continuation(first, 0),
                continuation(Trigger::Check, 0),
            ),
        ];
        for (one, again, other) in sent_once {
            assert_eq!(one.deduplication_id(), again.deduplication_id(), "{one:?}");
            assert_ne!(one.deduplication_id(), other.deduplication_id(), "{one:?}");
        }
    }

    /// A release that gave them other ids would process what the previous one had queued twice.
    #[test]
    fn the_deduplication_id_of_a_message_stays_the_same() {
        let cases = [
            (
                ready("r"),
                "ec51107813cfc192fae0d2ac20521918535297c5f9d8a00e66883849428a4303",
            ),
            (
                overdue("r", 0),
                "0eb33b0b3409a7a6a6211ba6a01c50f404fa8f7511ffc6cfdf8e55573642ed84",
            ),
            (
                continuation(Trigger::Check, 0),
                "9fe2e589f324ba8d4b28c952c097f050-1772323200000-0",
            ),
        ];
        for (task, id) in cases {
            assert_eq!(task.deduplication_id(), id, "{task:?}");
        }
    }

    /// SQS would drop the second one, and with it the rest of the collection.
    #[test]
    fn continuations_without_a_part_between_them_are_told_apart() {
        let after = |steps| {
            let Task::Continue(mut rest) = continuation(Trigger::Check, 0) else {
                panic!("a continuation")
            };
            rest.progress.steps = steps;
            Task::Continue(rest).deduplication_id()
        };
        assert_ne!(after(1), after(2));
    }

    #[test]
    fn a_message_that_may_be_news_each_time_has_its_own_deduplication_id() {
        let named = delivery(WITH_ID);
        let id = named.webhook_id();
        let replayed = named.replayed(&id, at(0));
        let each_its_own = [
            webhook(WITHOUT_ID),
            Task::Webhook(replayed),
            Task::LinkGone { link: link() },
            check_link(),
            Task::Sweep,
        ];
        for task in each_its_own {
            let (one, other) = (task.deduplication_id(), task.deduplication_id());
            assert_ne!(one, other, "{task:?}");
            assert!(one.len() <= 128, "SQS takes 128 characters");
        }
    }

    #[test]
    fn the_schedules_message_is_a_sweep() {
        let message = r#"{"kind": "sweep", "at": "2026-03-01T00:00:00Z"}"#;
        assert_eq!(Task::parse(message).unwrap().kind(), TaskKind::Sweep);
        assert!(Task::parse("sweep").is_err() && Task::parse("{}").is_err());
    }

    #[test]
    fn an_invalid_task_is_refused_without_quoting_it() {
        let message = |kind: &str, task: Value| json!({"kind": kind, "task": task}).to_string();
        let with_id = |id: &str| {
            let mut message = serde_json::to_value(webhook(WITH_ID)).unwrap();
            message["task"]["delivery_id"] = json!(id);
            message.to_string()
        };
        let unreadable = [
            "\"secret\"".to_owned(),
            message("webhook", json!({"webhook": "secret"})),
            message("overdue", json!({"link": LINK, "request": "secret"})),
            with_id("d"),
            with_id(&delivery(WITH_ID).id.to_uppercase()),
        ];
        for text in unreadable {
            let error = Task::parse(&text).unwrap_err();
            assert!(matches!(error, TaskError::Unreadable(_)), "{text}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let error = Task::parse(&message("secret", json!({}))).unwrap_err();
        assert!(matches!(error, TaskError::UnknownKind), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
