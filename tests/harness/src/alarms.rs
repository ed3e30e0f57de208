//! What Amazon's monitoring makes of log lines and metrics, by the metric filters and alarms that
//! are deployed: the local AWS keeps these, and does nothing with them.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde_json::{Value, json};

use crate::Stack;

/// The metric filters and alarms of the deployed stack.
pub struct Alarms {
    filters: Vec<Value>,
    alarms: Vec<Value>,
}

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// The metric is on the right side of the threshold.
    Ok,
    /// It is not.
    Alarm,
    /// There are no values to tell.
    InsufficientData,
}

/// A value of a metric, and when it was measured.
#[derive(Debug, Clone, Copy)]
pub struct Datum {
    /// Seconds since 1970.
    pub at_s: i64,
    /// The value.
    pub value: f64,
}

impl Datum {
    /// A value measured now.
    #[must_use]
    pub fn now(value: f64) -> Self {
        let at_s = Timestamp::now().unix_seconds();
        Self { at_s, value }
    }
}

impl Alarms {
    /// Those of a stack.
    pub async fn of(stack: &Stack) -> Self {
        let target = "Logs_20140328.DescribeMetricFilters";
        let mut filters = stack.local_aws("logs", target, &json!({})).await;
        let target = "GraniteServiceVersion20100801.DescribeAlarms";
        let mut alarms = stack.local_aws("monitoring", target, &json!({})).await;
        let list = |answer: &mut Value, name| match answer[name].take() {
            Value::Array(list) => list,
            other => panic!("{name}: {other}"),
        };
        Self {
            filters: list(&mut filters, "metricFilters"),
            alarms: list(&mut alarms, "MetricAlarms"),
        }
    }

    /// The state of an alarm of template.yaml, by its name there, once a function, or the API, has
    /// logged these lines and nothing else.
    #[must_use]
    pub fn after_lines(&self, alarm: &str, function: &str, lines: &[Value]) -> AlarmState {
        let definition = self.definition(alarm);
        let metric = definition["MetricName"].as_str().expect("a metric");
        let data = self.data(metric, function, lines);
        state(definition, &data)
    }

    /// The same once a service has published these values of the alarm's metric, which must be this
    /// one, of what has this in its name.
    #[must_use]
    pub fn after_values(
        &self,
        alarm: &str,
        (namespace, metric, of): (&str, &str, &str),
        data: &[Datum],
    ) -> AlarmState {
        let definition = self.definition(alarm);
        assert_eq!(
            (&definition["Namespace"], &definition["MetricName"]),
            (&json!(namespace), &json!(metric)),
            "{alarm}"
        );
        let dimensions = definition["Dimensions"].as_array().expect("dimensions");
        let last = dimensions.last().expect("a dimension")["Value"].as_str();
        assert!(
            last.is_some_and(|name| name.contains(of)),
            "{alarm}: {dimensions:?}"
        );
        state(definition, data)
    }

    /// The state of each alarm of a stack in which nothing has happened yet, by its name.
    #[must_use]
    pub fn at_first(&self) -> BTreeMap<&str, AlarmState> {
        self.alarms
            .iter()
            .map(|alarm| {
                let name = alarm["AlarmName"].as_str().expect("a name");
                (name, state(alarm, &[]))
            })
            .collect()
    }

    /// The values of a metric that its filter finds in these lines of a function.
    #[must_use]
    pub fn data(&self, metric: &str, function: &str, lines: &[Value]) -> Vec<Datum> {
        let group = match function {
            // Its log group has a name of its own (template.yaml).
            "Api" => "/api".to_owned(),
            function => format!("/{function}LogGroup"),
        };
        let is_its = |filter: &&Value| {
            let name = filter["logGroupName"].as_str().expect("a log group");
            filter["metricTransformations"][0]["metricName"] == metric && name.ends_with(&group)
        };
        let filters: Vec<_> = self.filters.iter().filter(is_its).collect();
        assert!(!filters.is_empty(), "no filter for {metric} in {group}");
        let datum = |filter: &Value, line: &Value| {
            let value = &filter["metricTransformations"][0]["metricValue"];
            Some(Datum {
                at_s: instant(line),
                value: found(value.as_str().expect("a value"), line)?,
            })
        };
        let matching = |filter: &Value, line: &&Value| {
            let pattern = filter["filterPattern"].as_str().expect("a pattern");
            matches(pattern, line)
        };
        filters
            .into_iter()
            .flat_map(|filter| {
                let lines = lines.iter().filter(|line| matching(filter, line));
                lines.filter_map(|line| datum(filter, line))
            })
            .collect()
    }

    fn definition(&self, alarm: &str) -> &Value {
        // CloudFormation puts the stack before the name, and something random behind it.
        let is_it = |one: &&Value| {
            let name = one["AlarmName"].as_str().expect("a name");
            name.split('-').any(|part| part == alarm)
        };
        let found = self.alarms.iter().find(is_it);
        found.unwrap_or_else(|| panic!("no alarm {alarm}"))
    }
}

/// When a line was logged; now, if it does not say so.
fn instant(line: &Value) -> i64 {
    let at = line["timestamp"].as_str().and_then(Timestamp::parse);
    at.unwrap_or_else(Timestamp::now).unix_seconds()
}

/// Whether a pattern such as `{ $.a.b = "c" && $.d = "e" }` matches a line ("Filter pattern syntax
/// for metric filters", user guide of `CloudWatch` Logs).
fn matches(pattern: &str, line: &Value) -> bool {
    let inside = pattern
        .strip_prefix("{ ")
        .and_then(|rest| rest.strip_suffix(" }"));
    let mut terms = inside.expect("a pattern for JSON").split(" && ");
    terms.all(|term| {
        let (selector, text) = term.split_once(" = ").expect("a comparison");
        let text: String = serde_json::from_str(text).expect("a text in quotes");
        at(selector, line) == Some(&json!(text))
    })
}

/// The number that a metric filter finds in a line: a constant, or what a selector leads to.
fn found(value: &str, line: &Value) -> Option<f64> {
    value
        .parse()
        .ok()
        .or_else(|| at(value, line).and_then(Value::as_f64))
}

fn at<'a>(selector: &str, line: &'a Value) -> Option<&'a Value> {
    let path = selector.strip_prefix("$.").expect("a selector");
    path.split('.')
        .try_fold(line, |value, name| value.get(name))
}

/// The state of an alarm at the end of the period of the latest value ("How alarm state is
/// evaluated" and "Configuring how alarms treat missing data", user guide of `CloudWatch`).
fn state(alarm: &Value, data: &[Datum]) -> AlarmState {
    let number = |name: &str| {
        alarm[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name}: {alarm}"))
    };
    let whole = |name: &str| {
        alarm[name]
            .as_i64()
            .unwrap_or_else(|| panic!("{name}: {alarm}"))
    };
    let period_s = whole("Period");
    let latest = data.iter().map(|datum| datum.at_s).max().unwrap_or(0);
    let statistic = alarm["Statistic"].as_str().expect("a statistic");
    let points: Vec<_> = (0..whole("EvaluationPeriods"))
        .map(|ago| {
            let is_in = |datum: &&Datum| datum.at_s / period_s == latest / period_s - ago;
            let values: Vec<_> = data.iter().filter(is_in).map(|datum| datum.value).collect();
            statistic_of(statistic, &values)
        })
        .collect();

    let breaches = |value: f64| {
        let threshold = number("Threshold");
        match alarm["ComparisonOperator"].as_str() {
            Some("GreaterThanThreshold") => value > threshold,
            Some("GreaterThanOrEqualToThreshold") => value >= threshold,
            Some("LessThanThreshold") => value < threshold,
            other => panic!("{other:?}: {alarm}"),
        }
    };
    let missing_is = alarm["TreatMissingData"]
        .as_str()
        .expect("how missing data count");
    if missing_is == "missing" && points.iter().all(Option::is_none) {
        return AlarmState::InsufficientData;
    }
    let is_bad = |point: &Option<f64>| point.map_or(missing_is == "breaching", breaches);
    let bad = points.iter().filter(|point| is_bad(point)).count();
    if bad == points.len() {
        AlarmState::Alarm
    } else {
        AlarmState::Ok
    }
}

fn statistic_of(statistic: &str, values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let values = values.iter().copied();
    match statistic {
        "Sum" => Some(values.sum()),
        "Maximum" => values.reduce(f64::max),
        "Minimum" => values.reduce(f64::min),
        "SampleCount" => Some(values.map(|_| 1.0).sum()),
        other => panic!("statistic {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(fields: &Value) -> Value {
        let mut alarm = json!({
            "Statistic": "Sum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": 2.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        });
        let known = alarm.as_object_mut().unwrap();
        known.extend(fields.as_object().unwrap().clone());
        alarm
    }

    fn data(values: &[(i64, f64)]) -> Vec<Datum> {
        let datum = |&(at_s, value): &(i64, f64)| Datum { at_s, value };
        values.iter().map(datum).collect()
    }

    #[test]
    fn an_alarm_goes_off_in_the_period_in_which_its_threshold_is_passed() {
        let sum = alarm(&json!({}));
        assert_eq!(
            state(&sum, &data(&[(0, 1.0), (299, 2.0)])),
            AlarmState::Alarm
        );
        assert_eq!(
            state(&sum, &data(&[(299, 1.0), (300, 2.0)])),
            AlarmState::Ok
        );
        let least =
            alarm(&json!({"Statistic": "Minimum", "ComparisonOperator": "LessThanThreshold"}));
        assert_eq!(
            state(&least, &data(&[(0, 5.0), (1, 1.0)])),
            AlarmState::Alarm
        );
        assert_eq!(state(&least, &data(&[(0, 5.0), (1, 2.0)])), AlarmState::Ok);
    }

    #[test]
    fn missing_data_count_as_the_alarm_says() {
        for (missing, expected) in [
            ("notBreaching", AlarmState::Ok),
            ("breaching", AlarmState::Alarm),
            ("missing", AlarmState::InsufficientData),
        ] {
            let alarm = alarm(&json!({"TreatMissingData": missing}));
            assert_eq!(state(&alarm, &[]), expected, "{missing}");
        }
    }

    #[test]
    fn an_alarm_over_several_periods_wants_all_of_them() {
        let alarm = alarm(&json!({"EvaluationPeriods": 2}));
        assert_eq!(
            state(&alarm, &data(&[(0, 3.0), (300, 3.0)])),
            AlarmState::Alarm
        );
        assert_eq!(state(&alarm, &data(&[(300, 3.0)])), AlarmState::Ok);
    }

    #[test]
    fn a_pattern_compares_fields_with_texts() {
        let line = json!({"level": "WARN", "fields": {"event": "e", "rows": 3}});
        for (pattern, expected) in [
            (r#"{ $.level = "WARN" }"#, true),
            (r#"{ $.fields.event = "e" && $.level = "WARN" }"#, true),
            (r#"{ $.fields.event = "e" && $.level = "ERROR" }"#, false),
            (r#"{ $.fields.other = "e" }"#, false),
        ] {
            assert_eq!(matches(pattern, &line), expected, "{pattern}");
        }
        assert_eq!(found("1", &line), Some(1.0));
        assert_eq!(found("$.fields.rows", &line), Some(3.0));
        assert_eq!(found("$.fields.none", &line), None);
    }
}
