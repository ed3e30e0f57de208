//! Dead letters.

use domain::{LinkId, Timestamp};
use serde_json::json;
use shared::queue::{DeadLetters, Delivery, Task};

use crate::Stack;

/// How often a message was tried that a test dead-letters.
const RECEIVES: u32 = 30;

impl Stack {
    /// Puts a webhook about a link, which announces no rows, into the dead-letter queue. The log
    /// lines of its processing have `request_id` as their `correlation.id`.
    pub async fn dead_letter(&self, link: &str, request_id: &str, reason: &str) {
        let webhook = json!({
            "webhook_type": "LINK",
            "webhook_code": "given_up_by_a_test",
            "link_id": link,
            "request_id": request_id,
        });
        let delivery = Delivery::new(&webhook.to_string(), "none", Timestamp::now()).unwrap();
        let body = serde_json::to_string(&Task::Webhook(delivery)).unwrap();
        let group = LinkId::parse(link).unwrap();
        DeadLetters::new(&self.aws, self.dead_letter_queue_url.clone())
            .put(&body, group.as_str(), reason, RECEIVES)
            .await
            .unwrap();
    }
}
