//! What costs and limits depend on in template.yaml.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, ensure};
use serde::Deserialize;
use shared::telemetry::Event;

/// The functions whose invocations are billed, as the template names them.
pub(crate) const WEBHOOK: &str = "WebhookFunction";
pub(crate) const COLLECT: &str = "CollectFunction";
pub(crate) const QUERY: &str = "QueryFunction";
pub(crate) const PUBLISH: &str = "PublishFunction";

/// The events that every sweep logs.
const OF_A_SWEEP: [Event; 3] = [
    Event::LinksCounted,
    Event::OverdueRequests,
    Event::ReadingsDue,
];

/// The template; its intrinsic functions (`!Ref`, `!Sub`) stand in no field that is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Template {
    pub(crate) parameters: Parameters,
    globals: Globals,
    resources: BTreeMap<String, Resource>,
}

/// The parameters that limits depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Parameters {
    pub(crate) collect_concurrency: Number,
    pub(crate) collect_calls_per_30_seconds: Number,
    pub(crate) webhook_rate_limit: Number,
}

/// A parameter that is a number.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Number {
    /// As shipped.
    pub(crate) default: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Globals {
    function: Function,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Function {
    memory_size: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    condition: Option<String>,
    #[serde(default)]
    properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    memory_size: Option<u32>,
    filter_pattern: Option<String>,
    metric_transformations: Vec<Metric>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    metric_name: String,
    /// The value of a log line that the filter does not match.
    default_value: Option<f64>,
}

impl Template {
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        let template = Self::parse(&text);
        template.with_context(|| format!("{} lacks what costs depend on", file.display()))
    }

    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let template: Self = serde_saphyr::from_str(text)?;
        for function in [WEBHOOK, COLLECT, QUERY, PUBLISH] {
            let is_there = template.resources.contains_key(function);
            ensure!(is_there, "missing resource `{function}`");
        }
        Ok(template)
    }

    /// The memory of one of these functions, in MB.
    pub(crate) fn memory_mb(&self, function: &str) -> u32 {
        let function = self.resources.get(function);
        let own = function.and_then(|function| function.properties.memory_size);
        own.unwrap_or(self.globals.function.memory_size)
    }

    /// How many resources of a type every stack has.
    pub(crate) fn resources(&self, kind: &str) -> usize {
        let resources = self.resources.values();
        resources
            .filter(|resource| resource.kind == kind && resource.condition.is_none())
            .count()
    }

    /// How many metrics are made of log lines.
    pub(crate) fn metrics(&self) -> usize {
        self.metrics_where(|_, _| true)
    }

    /// How many of these get a value from every sweep. All others cost nothing in an hour in which
    /// they get none.
    pub(crate) fn metrics_of_a_sweep(&self) -> usize {
        let of_a_sweep = OF_A_SWEEP.map(|event| {
            let event = event.name();
            format!("{{ $.fields.event = \"{event}\" }}")
        });
        self.metrics_where(|pattern, metric| {
            metric.default_value.is_some() || of_a_sweep.iter().any(|of| of == pattern)
        })
    }

    fn metrics_where(&self, counts: impl Fn(&str, &Metric) -> bool) -> usize {
        let mut names = BTreeSet::new();
        for resource in self.resources.values() {
            let properties = &resource.properties;
            let pattern = properties.filter_pattern.as_deref().unwrap_or_default();
            for metric in &properties.metric_transformations {
                if counts(pattern, metric) {
                    names.insert(&metric.metric_name);
                }
            }
        }
        names.len()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A template with the parameters, functions and globals of any, and these further resources.
    pub(crate) fn template(resources: &str) -> Template {
        let text = format!(
            r#"
Parameters:
  CollectConcurrency: {{ Type: Number, Default: 2 }}
  CollectCallsPer30Seconds: {{ Type: Number, Default: 30 }}
  WebhookRateLimit: {{ Type: Number, Default: 500 }}
Conditions:
  HasEventBus: !Not [!Equals [!Ref EventBusName, ""]]
Globals:
  Function: {{ MemorySize: 256, Architectures: [!Ref Architecture] }}
Resources:
  WebhookFunction: {{ Type: AWS::Serverless::Function }}
  CollectFunction: {{ Type: AWS::Serverless::Function, Properties: {{ MemorySize: 512 }} }}
  QueryFunction: {{ Type: AWS::Serverless::Function }}
  PublishFunction: {{ Type: AWS::Serverless::Function, Condition: HasEventBus }}
{resources}"#
        );
        Template::parse(&text).unwrap()
    }

    #[test]
    fn a_function_has_its_own_memory_or_that_of_all() {
        let template = template("");
        assert_eq!(template.memory_mb(COLLECT), 512);
        assert_eq!(template.memory_mb(PUBLISH), 256);
    }

    #[test]
    fn only_what_every_stack_has_is_counted() {
        let template = template(
            r"
  A: { Type: AWS::CloudWatch::Alarm, Properties: { AlarmName: !Sub '${AWS::StackName}-a' } }
  B: { Type: AWS::CloudWatch::Alarm, Condition: HasEventBus }
",
        );
        assert_eq!(template.resources("AWS::CloudWatch::Alarm"), 1);
        assert_eq!(template.resources("AWS::CloudWatch::Dashboard"), 0);
    }

    #[test]
    fn a_sweep_gives_a_value_to_its_own_metrics_and_to_those_that_any_line_counts_for() {
        let template = template(
            r#"
  NewRows:
    Type: AWS::Logs::MetricFilter
    Properties:
      FilterPattern: '{ $.fields.event = "rows_collected" }'
      MetricTransformations: [{ MetricName: NewRows, MetricValue: $.fields.new }]
  Oldest:
    Type: AWS::Logs::MetricFilter
    Properties:
      FilterPattern: '{ $.fields.event = "readings_due" }'
      MetricTransformations: [{ MetricName: Oldest, MetricValue: $.fields.oldest_s }]
  Errors: &errors
    Type: AWS::Logs::MetricFilter
    Properties:
      FilterPattern: '{ $.level = "ERROR" }'
      MetricTransformations: [{ MetricName: Errors, MetricValue: "1", DefaultValue: 0 }]
  ErrorsOfAnother: *errors
"#,
        );
        assert_eq!((template.metrics(), template.metrics_of_a_sweep()), (3, 2));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Template::parse("Parameters: {}").unwrap_err().to_string();
        assert!(error.contains("CollectConcurrency"), "{error}");
    }
}
