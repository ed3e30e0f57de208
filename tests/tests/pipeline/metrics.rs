//! What the metric filters of template.yaml make of the functions' log lines.

use serde_json::Value;
use test_harness::{Alarms, Stack, eventually};

/// The first line of the log that has all of these texts, once there is one.
pub(crate) async fn logged(stack: &Stack, texts: &[&str]) -> Value {
    eventually("a log line", || find(stack, texts)).await
}

/// The same, if there is one now.
pub(crate) async fn find(stack: &Stack, texts: &[&str]) -> Option<Value> {
    let logs = stack.function_logs().await;
    let has_all = |line: &&str| texts.iter().all(|text| line.contains(text));
    serde_json::from_str(logs.lines().find(has_all)?).ok()
}

/// The value that a line of `collect` adds to a metric; `None` if it has none.
pub(crate) async fn value(stack: &Stack, metric: &str, line: &Value) -> Option<f64> {
    let alarms = Alarms::of(stack).await;
    let data = alarms.data(metric, "Collect", std::slice::from_ref(line));
    data.first().map(|datum| datum.value)
}
