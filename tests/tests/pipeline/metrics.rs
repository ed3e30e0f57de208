//! What the metric filters of template.yaml make of the functions' log lines.

use serde_json::{Value, json};
use tests::{Stack, eventually};

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

/// The value that a line adds to a metric; `None` if it has none.
pub(crate) async fn value(stack: &Stack, metric: &str, line: &Value) -> Option<u64> {
    let filters = stack
        .local_aws("logs", "Logs_20140328.DescribeMetricFilters", &json!({}))
        .await;
    let filters = filters["metricFilters"].as_array().expect("filters");
    let filter = filters
        .iter()
        .find(|filter| filter["metricTransformations"][0]["metricName"] == metric);
    let filter = filter.unwrap_or_else(|| panic!("no filter for {metric}"));
    let event = line["fields"]["event"].as_str().unwrap();
    let pattern = format!("{{ $.fields.event = \"{event}\" }}");
    assert_eq!(
        filter["filterPattern"], pattern,
        "the line is one that the filter takes"
    );
    let path = filter["metricTransformations"][0]["metricValue"]
        .as_str()
        .unwrap()
        .strip_prefix("$.")
        .unwrap();
    let value = path.split('.').fold(line, |value, name| &value[name]);
    value.as_u64()
}
