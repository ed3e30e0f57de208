//! What the functions log, read from CloudWatch Logs.

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use domain::Timestamp;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{CliError, aws::said, error::OrFail};

const MAY_READ: &str =
    "Use credentials that are allowed logs:FilterLogEvents on the log groups of the stack.";

/// The log groups of the functions.
pub(crate) struct Logs {
    client: Client,
    /// By function.
    groups: Vec<(String, String)>,
}

/// A line of a function.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    pub(crate) function: String,
    pub(crate) level: String,
    /// What happened; empty if the line names no event.
    pub(crate) event: String,
    pub(crate) message: String,
    /// The trace that it belongs to, under which X-Ray shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    /// Everything else that it says.
    pub(crate) fields: Map<String, Value>,
}

/// Which lines to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Of these functions; of all if there are none.
    pub(crate) functions: &'a [&'a str],
    pub(crate) since: Timestamp,
    pub(crate) what: What<'a>,
}

/// What lines are about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    /// One of these events.
    Events(&'a [&'a str]),
    /// This id, in whatever field.
    Id(&'a str),
}

/// A line as a function writes it.
#[derive(Deserialize)]
struct Written {
    level: String,
    fields: Map<String, Value>,
    #[serde(default)]
    span: Span,
}

/// The work within which a line was written.
#[derive(Default, Deserialize)]
struct Span {
    #[serde(rename = "trace.id")]
    trace: Option<String>,
}

impl Logs {
    pub(crate) fn new(aws: &SdkConfig, groups: Vec<(String, String)>) -> Self {
        Self {
            client: Client::new(aws),
            groups,
        }
    }

    /// The lines that are wanted, in the order of time.
    pub(crate) async fn lines(&self, wanted: Wanted<'_>) -> Result<Vec<Line>, CliError> {
        let is_wanted =
            |name: &str| wanted.functions.is_empty() || wanted.functions.contains(&name);
        let groups = self.groups.iter().filter(|(name, _)| is_wanted(name));
        let read = groups.map(|(name, group)| self.lines_of(name, group, wanted));
        let mut lines = try_join_all(read).await?.concat();
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }

    async fn lines_of(
        &self,
        function: &str,
        group: &str,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Line>, CliError> {
        let mut pages = self
            .client
            .filter_log_events()
            .log_group_name(group)
            .start_time(wanted.since.unix_millis())
            .filter_pattern(wanted.what.pattern())
            .into_paginator()
            .send();
        let mut lines = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(said);
            let page = page.or_fail(format!("read the log of {function}"), MAY_READ)?;
            let events = page.events().iter().filter_map(|event| {
                let at = Timestamp::of_unix_millis(event.timestamp()?)?;
                Line::parse(at, function, event.message()?)
            });
            lines.extend(events.filter(|line| wanted.what.is_in(line)));
        }
        Ok(lines)
    }
}

impl What<'_> {
    /// What CloudWatch Logs filters by ("Filter pattern syntax"). The local one lets everything
    /// through that a pattern for JSON should leave out, so that lines are looked at again here.
    fn pattern(self) -> String {
        match self {
            Self::Events(events) => {
                let tests = events
                    .iter()
                    .map(|event| format!("($.fields.event = {event:?})"));
                format!("{{ {} }}", tests.collect::<Vec<_>>().join(" || "))
            }
            Self::Id(id) => format!("\"{id}\""),
        }
    }

    fn is_in(self, line: &Line) -> bool {
        match self {
            Self::Events(events) => events.contains(&line.event.as_str()),
            Self::Id(id) => line.fields.values().any(|value| value == id),
        }
    }
}

impl Line {
    /// `None` for what a function's runtime writes by itself.
    fn parse(at: Timestamp, function: &str, text: &str) -> Option<Self> {
        let Written {
            level,
            mut fields,
            span,
        } = serde_json::from_str(text).ok()?;
        let mut take = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (event, message) = (take("event"), take("message"));
        Some(Self {
            at,
            function: function.to_owned(),
            level,
            event,
            message,
            trace: span.trace,
            fields,
        })
    }

    /// A field that is text.
    #[must_use]
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// A field that is a number; 0 if there is none.
    #[must_use]
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.fields.get(name).and_then(Value::as_u64).unwrap_or(0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A line of a function at this instant.
    pub(crate) fn line(at: &str, function: &str, fields: &Value) -> Line {
        let text = serde_json::json!({"level": "INFO", "fields": fields}).to_string();
        Line::parse(Timestamp::parse(at).unwrap(), function, &text).unwrap()
    }

    #[test]
    fn a_line_is_taken_apart() {
        let fields = serde_json::json!({"event": "rows_collected", "message": "rows collected",
            "link.id": "l", "pages": 3});
        let line = line("2026-03-01T00:00:00Z", "collect", &fields);
        assert_eq!(
            (line.event.as_str(), line.text("link.id")),
            ("rows_collected", Some("l"))
        );
        assert_eq!((line.number("pages"), line.number("rows")), (3, 0));
        assert!(What::Id("l").is_in(&line) && !What::Id("x").is_in(&line));
        assert!(What::Events(&["rows_collected"]).is_in(&line));
    }

    #[test]
    fn what_the_runtime_writes_is_no_line() {
        let at = Timestamp::now();
        assert_eq!(Line::parse(at, "collect", "START RequestId: 1"), None);
        let report = r#"{"time": "t", "type": "platform.report", "record": {}}"#;
        assert_eq!(Line::parse(at, "collect", report), None);
    }

    #[test]
    fn events_are_filtered_as_json_and_ids_as_text() {
        assert_eq!(
            What::Events(&["a", "b"]).pattern(),
            r#"{ ($.fields.event = "a") || ($.fields.event = "b") }"#
        );
        assert_eq!(What::Id("x").pattern(), "\"x\"");
    }
}
