//! A message of the queue. This release must read what the last one wrote, and the dead-letter
//! queue's messages come back after a person has looked at them.

use domain::WebhookId;
use shared::queue::{Delivery, Task};

/// A task prints back to one that is equal, and that has the same webhooks to the letter.
pub(crate) fn check(message: &[u8]) {
    let Ok(message) = std::str::from_utf8(message) else {
        return;
    };
    match Task::parse(message) {
        Ok(task) => assert_prints_back(&task, message.len()),
        Err(error) => {
            let said = error.to_string();
            assert!(said.len() < 300, "{said}");
        }
    }
}

fn assert_prints_back(task: &Task, length: usize) {
    let printed = print(task);
    assert!(printed.len() <= 2 * length + 1_000);
    let again = Task::parse(&printed).expect("what was printed is a task");
    assert_eq!(print(&again), printed);
    // This shows every field, and of a webhook's body how long it is.
    assert_eq!(format!("{again:?}"), format!("{task:?}"));
    assert_eq!(bodies(&again), bodies(task));
    assert_eq!(again.kind(), task.kind());
    assert_eq!(again.link(), task.link());
    assert_eq!(again.requests(), task.requests());
    assert_eq!(again.correlation_id(), task.correlation_id());
    // No webhook was received before there was Belvo.
    let of_belvo = |delivery: &&Delivery| delivery.received_at.unix_millis() > 0;
    for delivery in task.deliveries().into_iter().filter(of_belvo) {
        let id = delivery.webhook_id().to_string();
        assert!(WebhookId::parse(&id).is_ok(), "{id}");
    }
}

fn print(task: &Task) -> String {
    serde_json::to_string(task).expect("a task can be printed")
}

fn bodies(task: &Task) -> Vec<&str> {
    let deliveries = task.deliveries().into_iter();
    deliveries.map(|delivery| delivery.body.get()).collect()
}
