//! What template.yaml says of the functions.

use std::time::Duration;

/// How long an invocation of a function may take.
#[must_use]
pub fn timeout_of(function: &str) -> Duration {
    Duration::from_secs(match function {
        "request" => 29,
        "webhook" => 5,
        "collect" => 300,
        "query" => 10,
        "publish" => 60,
        other => panic!("there is no function {other}"),
    })
}
