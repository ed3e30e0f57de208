//! A message as SQS delivers it, with its task parsed.

use aws_lambda_events::sqs::SqsMessage;
use shared::{
    queue::{Task, TaskError},
    telemetry::Trace,
};

pub(crate) struct Received {
    /// Identifies it in the batch's response.
    pub(crate) id: String,
    /// The receipt handle, to change its visibility.
    pub(crate) receipt: String,
    /// The FIFO group: its link.
    pub(crate) group: String,
    /// How often it has been received, this time included.
    pub(crate) receives: u32,
    /// The trace that it was sent in.
    pub(crate) trace: Option<Trace>,
    pub(crate) body: String,
    pub(crate) task: Result<Task, TaskError>,
}

impl Received {
    /// The kind of its task, for the log.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.task {
            Ok(task) => task.kind().name(),
            Err(_) => "unreadable",
        }
    }

    pub(crate) fn correlation_id(&self) -> &str {
        match &self.task {
            Ok(task) => task.correlation_id(),
            Err(_) => "none",
        }
    }
}

impl From<SqsMessage> for Received {
    fn from(mut message: SqsMessage) -> Self {
        let body = message.body.unwrap_or_default();
        let receives = message.attributes.get("ApproximateReceiveCount");
        let receives = receives.and_then(|count| count.parse().ok()).unwrap_or(1);
        let group = message.attributes.remove("MessageGroupId");
        let trace = message.attributes.get("AWSTraceHeader");

        Self {
            // SQS gives every message an id. An empty one in the response would make SQS deliver
            // the whole batch again, so that nothing is lost.
            id: message.message_id.unwrap_or_default(),
            receipt: message.receipt_handle.unwrap_or_default(),
            group: group.unwrap_or_else(|| "none".to_owned()),
            receives,
            trace: trace.and_then(|header| Trace::of_header(header)),
            task: Task::parse(&body),
            body,
        }
    }
}

/// The messages of each group, in their order.
pub(crate) fn by_group(messages: Vec<Received>) -> Vec<Vec<Received>> {
    let mut groups: Vec<Vec<Received>> = Vec::new();
    for message in messages {
        let is_its_group = |group: &&mut Vec<Received>| group[0].group == message.group;
        match groups.iter_mut().find(is_its_group) {
            Some(group) => group.push(message),
            None => groups.push(vec![message]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, group: &str) -> Received {
        let mut message = SqsMessage::default();
        message.message_id = Some(id.to_owned());
        message
            .attributes
            .insert("MessageGroupId".to_owned(), group.to_owned());
        message.into()
    }

    #[test]
    fn messages_of_a_link_stay_together_and_in_order() {
        let batch = vec![message("1", "a"), message("2", "b"), message("3", "a")];
        let ids: Vec<Vec<_>> = by_group(batch)
            .into_iter()
            .map(|group| group.into_iter().map(|message| message.id).collect())
            .collect();
        assert_eq!(ids, [vec!["1", "3"], vec!["2"]]);
    }

    #[test]
    fn an_unreadable_message_is_kept_with_its_reason() {
        let mut message = SqsMessage::default();
        message.body = Some("poison".to_owned());
        let received = Received::from(message);
        assert_eq!((received.body.as_str(), received.receives), ("poison", 1));
        assert!(received.task.is_err());
    }
}
