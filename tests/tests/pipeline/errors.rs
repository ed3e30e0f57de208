//! Every answer that Belvo documents, through the sandbox: what it does to the message and the
//! request. The table is that of docs/ERRORS.md, which is that of `shared/src/belvo/error.rs`.

use serde_json::{Value, json};
use test_harness::{Stack, eventually};

/// What becomes of a collection.
#[derive(Clone, Copy)]
enum Outcome {
    /// The message is retried after this many seconds, or up to half as many more.
    Retried(u64),
    /// The message is retried late, and an error is logged that triggers an alarm.
    Alarms,
    /// The request has ended with Belvo's code.
    Fails,
}

use Outcome::{Alarms, Fails, Retried};

const NOBODYS: &str = "none: not Belvo's error";

/// A line of the table in docs/ERRORS.md (status and code as written there), an answer of Belvo's
/// that it is about, and what follows.
fn cases() -> Vec<(&'static str, &'static str, Value, Outcome)> {
    let error = |code: &str| json!({"error": {"code": code}});
    let nobodys = |status: u16| json!({"status": status});
    vec![
        ("403", NOBODYS, nobodys(403), Retried(3)),
        ("404", NOBODYS, nobodys(404), Retried(3)),
        ("410", NOBODYS, nobodys(410), Retried(3)),
        (
            "400",
            "`too_many_sessions`",
            error("too_many_sessions"),
            Retried(120),
        ),
        (
            "400",
            "`institution_down`",
            error("institution_down"),
            Retried(900),
        ),
        (
            "400",
            "`institution_unavailable`",
            error("institution_unavailable"),
            Retried(900),
        ),
        (
            "400",
            "`unavailable_data`",
            error("unavailable_data"),
            Retried(900),
        ),
        (
            "401",
            "`consent_without_accounts`",
            error("consent_without_accounts"),
            Fails,
        ),
        ("401", "any other", error("authentication_failed"), Alarms),
        (
            "4xx",
            "HTML instead of JSON",
            json!({"html_403": true}),
            Retried(30),
        ),
        (
            "403",
            "`access_to_production_denied`",
            error("access_to_production_denied"),
            Alarms,
        ),
        (
            "403",
            "`access_to_resource_denied`",
            error("access_to_resource_denied"),
            Alarms,
        ),
        (
            "403",
            "`permission_denied`",
            error("permission_denied"),
            Retried(900),
        ),
        (
            "403",
            "`quota_limit_reached`",
            error("quota_limit_reached"),
            Retried(900),
        ),
        ("408", "any other", error("request_timeout"), Retried(60)),
        (
            "409",
            "`link_refreshed`",
            error("link_refreshed"),
            Retried(600),
        ),
        ("429", "any other", json!({"status": 429}), Retried(30)),
        (
            "429",
            "any other",
            json!({"status": 429, "retry_after": 77}),
            Retried(77),
        ),
        ("5xx", "any other", error("unexpected_error"), Retried(3)),
        ("5xx", "any other", json!({"status": 503}), Retried(3)),
        ("4xx", "any other", error("login_error"), Fails),
        ("4xx", "any other", error("invalid_link"), Fails),
        (
            "4xx",
            "any other",
            error("operational_limits_reached"),
            Fails,
        ),
        ("4xx", "any other", error("not_found"), Fails),
        ("4xx", "any other", error("expired_credentials"), Fails),
        ("4xx", "any other", error("token_required"), Fails),
    ]
}

#[test]
fn every_line_of_the_documented_table_has_a_case() {
    let documented = include_str!("../../../docs/ERRORS.md").lines();
    let lines: Vec<_> = documented
        .filter(|line| line.starts_with("| 4") || line.starts_with("| 5"))
        .collect();
    assert!(lines.len() > 10);
    for line in lines {
        let tested = cases()
            .iter()
            .any(|(status, code, ..)| line.starts_with(&format!("| {status} | {code} |")));
        assert!(tested, "{line}");
    }
}

#[tokio::test]
async fn every_documented_answer_has_its_consequence() {
    let stack = Stack::of_this_run();
    let mut issued = Vec::new();
    for (.., answer, outcome) in cases() {
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
            Retried(wait) => {
                let line = retry_line(&stack, &request).await;
                assert_eq!(line["level"], "WARN", "{answer}: {line}");
                let waits = line["fields"]["wait_s"].as_u64().unwrap();
                assert!((wait..=wait * 3 / 2).contains(&waits), "{answer}: {line}");
                assert_eq!(
                    stack.get(&format!("/requests/{request}")).await.body["status"],
                    "notified"
                );
            }
            // Keys that were just read are first read again.
            Alarms => {
                let what = format!("an alarm after {answer}");
                let alarm = || retry_lines(&stack, &request, "\"ERROR\"");
                eventually(&what, alarm).await;
            }
        }
    }
}

/// The first line that collect logs when the message of a request is retried.
async fn retry_line(stack: &Stack, request: &str) -> Value {
    let what = format!("request {request} to be retried");
    eventually(&what, || retry_lines(stack, request, "")).await
}

/// The first of these lines that has a text.
async fn retry_lines(stack: &Stack, request: &str, text: &str) -> Option<Value> {
    let logs = stack.function_logs().await;
    let mut lines = logs.lines().filter(|line| {
        line.contains(request) && line.contains("\"wait_s\"") && line.contains(text)
    });
    lines.find_map(|line| serde_json::from_str(line).ok())
}
