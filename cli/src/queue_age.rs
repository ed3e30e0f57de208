//! The age of the oldest message of a queue: of all that is asked here, the one thing that only
//! CloudWatch knows. One call in its JSON protocol spares compiling its SDK.

use domain::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::{CliError, error::OrFail, signing::Signer};

/// SQS publishes it every minute or, for a queue that was idle, after up to fifteen.
const LOOK_BACK_S: i64 = 20 * 60;
/// The end is left out, and the clocks may differ.
const AHEAD_S: i64 = 60;
const PERIOD_S: u32 = 60;
const DOING: &str = "read the age of the oldest message from CloudWatch";
const MAY_READ: &str = "Use credentials that are allowed cloudwatch:GetMetricStatistics.";
const TARGET: &str = "GraniteServiceVersion20100801.GetMetricStatistics";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Datapoints", default)]
    points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    #[serde(rename = "Timestamp")]
    at: f64,
    #[serde(rename = "Maximum")]
    age_s: f64,
}

/// The age in seconds of the oldest message of a queue, as CloudWatch last saw it; `None` if it has
/// not seen any lately.
pub(crate) async fn oldest_message_s(
    http: &reqwest::Client,
    signer: &Signer,
    endpoint: &str,
    queue: &str,
) -> Result<Option<u64>, CliError> {
    let now = Timestamp::now();
    let body = json!({
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
        "StartTime": now.plus_seconds(-LOOK_BACK_S).unix_seconds(),
        "EndTime": now.plus_seconds(AHEAD_S).unix_seconds(),
        "Period": PERIOD_S,
        "Statistics": ["Maximum"],
    });
    let request = http
        .post(endpoint)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", TARGET)
        .body(body.to_string())
        .build()
        .or_fail(DOING, MAY_READ)?;
    let request = signer.sign("monitoring", request).await?;
    let answer = http.execute(request).await.or_fail(DOING, MAY_READ)?;
    let answer = answer.error_for_status().or_fail(DOING, MAY_READ)?;
    let body = answer.bytes().await.or_fail(DOING, MAY_READ)?;
    let answer: Answer = serde_json::from_slice(&body).or_fail(DOING, MAY_READ)?;
    Ok(answer.latest())
}

impl Answer {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from a float saturates, and no age is negative"
    )]
    fn latest(&self) -> Option<u64> {
        let latest = self.points.iter().max_by(|a, b| a.at.total_cmp(&b.at));
        latest.map(|point| point.age_s as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_point_counts() {
        let answer = r#"{"Label": "x", "Datapoints": [
            {"Timestamp": 1.7E9, "Maximum": 12.0, "Unit": "Seconds"},
            {"Timestamp": 1700000060, "Maximum": 95.0, "Unit": "Seconds"}]}"#;
        let answer: Answer = serde_json::from_str(answer).unwrap();
        assert_eq!(answer.latest(), Some(95));
    }

    #[test]
    fn a_queue_that_was_idle_has_no_age() {
        let answer: Answer = serde_json::from_str("{}").unwrap();
        assert_eq!(answer.latest(), None);
    }
}
