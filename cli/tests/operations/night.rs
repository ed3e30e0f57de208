//! What happens on the stack in the night of docs/INCIDENT.md.

use serde_json::{Value, json};
use test_harness::{AlarmState, Alarms, Link, Stack, days_ago, eventually};

use crate::scenario::{Scenario, connected};

/// How often the sandbox delivers a webhook that is refused.
const ATTEMPTS: usize = 4;

/// The night, before each of the page's commands.
pub(crate) struct Night<'a> {
    stack: &'a Stack,
    links: [Link<'a>; 2],
    pub(crate) scenario: Scenario,
}

impl<'a> Night<'a> {
    /// Two users are collected. Then the value of `Authorization` is changed, and mistyped at Belvo:
    /// of one user there are new rows, and their webhook is refused each time.
    pub(crate) async fn begin(stack: &'a Stack) -> Self {
        let links = [
            connected(stack, "user-4711", 20).await,
            connected(stack, "user-4712", 10).await,
        ];
        for link in &links {
            link.collect().await;
        }
        let mistyped = json!({"on": "webhook", "action": {"wrong_authorization": true}});
        links[0].misbehave(mistyped).await;
        links[0].add(3, &days_ago(0)).await;
        links[0]
            .notify(json!({"webhook_code": "new_transactions_available"}))
            .await;
        let scenario = Scenario::of(vec![("$LINK", links[0].id.clone())]);
        let night = Self {
            stack,
            links,
            scenario,
        };
        night.the_alarm_goes_off().await;
        night
    }

    async fn the_alarm_goes_off(&self) {
        let alarms = Alarms::of(self.stack).await;
        eventually("the alarm on webhooks", || async {
            let refused = self.refused().await;
            let state = alarms.after_lines("UnauthorizedWebhooksAlarm", "Webhook", &refused);
            (state == AlarmState::Alarm && refused.len() >= ATTEMPTS).then_some(())
        })
        .await;
    }

    async fn refused(&self) -> Vec<Value> {
        let logs = self.stack.function_logs().await;
        let refused = logs
            .lines()
            .filter(|line| line.contains("\"webhook_refused\""));
        refused
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// What happens before the command with this number, from 0 on.
    pub(crate) async fn before(&self, command: usize) {
        match command {
            // The operator has corrected the value at Belvo.
            2 => self.stack.sandbox.forget_rules().await.unwrap(),
            // Belvo's next webhook.
            3 => drop(self.links[0].notify_and_collect(json!({})).await),
            _ => {}
        }
    }

    /// Every row is there in the end.
    pub(crate) async fn end(&self) {
        for link in &self.links {
            link.assert_equals_the_sandbox().await;
        }
    }
}
