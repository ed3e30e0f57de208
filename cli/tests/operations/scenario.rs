//! What happens on the stack before its operator asks.

use serde_json::json;
use test_harness::{Link, Stack, eventually};
use uuid::Uuid;

/// The values of the variables that the page has in its commands.
pub(crate) struct Scenario {
    values: Vec<(&'static str, String)>,
}

impl Scenario {
    /// A user is collected, one of whose rows Belvo deletes; another has to log in again; a third
    /// one's webhook is lost; messages are dead-lettered; somebody calls the webhook with a wrong value.
    pub(crate) async fn play(stack: &Stack) -> Self {
        let user = "user-4711";
        let link = connected(stack, user, 20).await;
        link.collect().await;
        let row = link.newest().await;
        link.delete(&row).await;
        let request = link.collect().await["id"].as_str().unwrap().to_owned();

        let blocked = connected(stack, "user-4712", 5).await;
        token_required(stack, &blocked).await;
        let silent = stack.recurrent_link(5).await;
        let lost = json!({"on": "webhook", "action": {"drop": true}});
        silent.misbehave(lost).await;
        silent.retrieve().await;

        dead_letter(stack).await;
        stack.deliver("{}", Some("Bearer wrong")).await;
        until_stuck(stack).await;
        let values = vec![
            ("$LINK", link.id.clone()),
            ("$BLOCKED", blocked.id.clone()),
            ("$ROW", row),
            ("$REQUEST", request),
            ("$USER", user.to_owned()),
        ];
        Self::of(values)
    }

    pub(crate) fn of(values: Vec<(&'static str, String)>) -> Self {
        Self { values }
    }

    /// A word of a command, with the value of a variable.
    pub(crate) fn value_of(&self, word: &str) -> String {
        let value = self.values.iter().find(|(name, _)| *name == word);
        value.map_or_else(|| word.to_owned(), |(_, value)| value.clone())
    }
}

/// A user who is connected and registered, with this many rows.
pub(crate) async fn connected<'a>(stack: &'a Stack, external_id: &str, rows: u64) -> Link<'a> {
    let link = json!({"access_mode": "recurrent", "transactions": rows,
        "external_id": external_id});
    let link = stack.link(link).await;
    let registration = json!({"link": link.id, "external_id": external_id});
    assert_eq!(stack.post("/links", &registration).await.status, 201);
    link
}

async fn token_required(stack: &Stack, link: &Link<'_>) {
    let event = stack.sandbox.event(&link.id, "token_required").await;
    event.unwrap();
    eventually("the link to be blocked", || async {
        let link = stack.get(&format!("/links/{}", link.id)).await.body;
        link["blocked"].is_object().then_some(())
    })
    .await;
}

async fn dead_letter(stack: &Stack) {
    let down = "a call to Belvo failed: Belvo asks to retry later (HTTP 500, none)";
    let unreadable = "the message cannot be read: the message is not a task";
    for reason in [down, down, unreadable] {
        let (link, request) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        stack.dead_letter(&link, &request, reason).await;
    }
}

/// `make operations` lets the stack look for a lost webhook after seconds.
async fn until_stuck(stack: &Stack) {
    eventually("the request to be late", || async {
        let open = stack.get("/requests?status=issued").await.body;
        let due_at = open["requests"][0]["due_at"].as_str()?.to_owned();
        (due_at < domain::Timestamp::now().to_string()).then_some(())
    })
    .await;
}
