//! Every answer that Belvo documents, through the sandbox: what it does to the message and to the request. The table is
//! that of `shared/src/belvo/error.rs`.

use serde_json::{Value, json};
use tests::{Stack, eventually};

/// What becomes of a collection.
#[derive(Clone, Copy)]
enum Outcome {
    /// The message comes back after so many seconds, and up to half as many more.
    ComesBack(u64),
    /// The message comes back late, and an error is logged, at which an alarm goes off.
    Alarms,
    /// The request has ended with Belvo's code.
    Fails,
}

use Outcome::{Alarms, ComesBack, Fails};

#[tokio::test]
async fn every_documented_answer_has_its_consequence() {
    let stack = Stack::of_this_run().await;
    let error = |code: &str| json!({"error": {"code": code}});
    let cases = [
        (error("unexpected_error"), ComesBack(3)),
        (error("too_many_sessions"), ComesBack(120)),
        (error("institution_down"), ComesBack(900)),
        (error("institution_unavailable"), ComesBack(900)),
        (error("unavailable_data"), ComesBack(900)),
        (error("request_timeout"), ComesBack(60)),
        (error("link_refreshed"), ComesBack(600)),
        (error("permission_denied"), ComesBack(900)),
        (error("quota_limit_reached"), ComesBack(900)),
        (json!({"html_403": true}), ComesBack(30)),
        (json!({"status": 429}), ComesBack(30)),
        (json!({"status": 429, "retry_after": 77}), ComesBack(77)),
        (error("authentication_failed"), Alarms),
        (error("access_to_resource_denied"), Alarms),
        (error("login_error"), Fails),
        (error("invalid_link"), Fails),
        (error("operational_limits_reached"), Fails),
        (error("consent_without_accounts"), Fails),
        (error("not_found"), Fails),
        (error("expired_credentials"), Fails),
        (error("token_required"), Fails),
    ];

    let mut issued = Vec::new();
    for (answer, outcome) in cases {
        let link = stack.recurrent_link(1).await;
        link.misbehave(json!({"on": "get", "action": answer})).await;
        issued.push((link.retrieve().await, answer, outcome));
    }

    for (request, answer, outcome) in issued {
        match outcome {
            Fails => {
                let record = stack.request_with_status(&request, "failed").await;
                assert_eq!(record["failure"]["code"], answer["error"]["code"]);
            }
            ComesBack(wait) => {
                let line = handed_back(&stack, &request).await;
                assert_eq!(line["level"], "WARN", "{answer}: {line}");
                let waits = line["fields"]["wait_s"].as_u64().unwrap();
                assert!((wait..=wait * 3 / 2).contains(&waits), "{answer}: {line}");
                assert_eq!(stack.get(&format!("/requests/{request}")).await.body["status"], "notified");
            }
            Alarms => assert_eq!(handed_back(&stack, &request).await["level"], "ERROR", "{answer}"),
        }
    }
}

/// The first line that collect logs when the message of a request has to come back.
async fn handed_back(stack: &Stack, request: &str) -> Value {
    eventually(&format!("request {request} to be handed back"), || async {
        let logs = stack.function_logs().await;
        let mut lines = logs.lines().filter(|line| line.contains(request) && line.contains("\"wait_s\""));
        lines.find_map(|line| serde_json::from_str(line).ok())
    })
    .await
}
