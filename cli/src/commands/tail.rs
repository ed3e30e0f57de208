//! A request's or a link's life as it happens, across the functions.

use std::{collections::BTreeSet, time::Duration};

use clap::Args;
use domain::{LinkId, RequestId, Timestamp};
use serde_json::Value;
use tokio::time::sleep;

use super::Context;
use crate::{
    CliError, Outcome,
    api::{Link, Request, Status},
    logs::{Line, Logs, Wanted, What},
    output::{Style, print},
    stack::Stack,
};

/// CloudWatch Logs allows five reads a second in all, and a look takes one for each function.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// Lines come late, and not in order.
const OVERLAP_S: i64 = 60;
/// Without `query`, whose lines are about who reads, such as this command.
const FUNCTIONS: [&str; 4] = ["request", "webhook", "collect", "publish"];
/// What every line would repeat, or only a program reads.
const HIDDEN: [&str; 5] = [
    "correlation.id",
    "link.id",
    "delivery.id",
    "message.id",
    "body.bytes",
];

/// Follow a request or a link through the functions' logs
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest tail $REQUEST               # until it ends
  belvo-ingest tail $LINK                  # until Ctrl-C
  belvo-ingest tail $LINK --since 1440 --no-follow
  belvo-ingest tail $LINK --no-follow --json | jq .event")]
pub(crate) struct TailArgs {
    /// Id of a request or of a link
    id: String,
    /// How far to look back
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    since: u32,
    /// End with what there is
    #[arg(long)]
    no_follow: bool,
}

/// What is followed.
enum Subject {
    Request(RequestId),
    Link(LinkId),
}

pub(crate) async fn run(args: TailArgs, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    let subject = Subject::find(&stack, &args.id).await?;
    let logs = stack.logs().await?;
    let mut tail = Tail::since(Timestamp::now().plus_seconds(-60 * i64::from(args.since)));
    loop {
        // Asked for before the lines are read, so that none of its last ones is missed.
        let has_ended = args.no_follow || subject.has_ended(&stack).await?;
        for line in tail.news(&logs, subject.id()).await? {
            let is_json = context.output.is_json();
            if let Some(trace) = tail.new_trace(&line).filter(|_| !is_json) {
                print(&Style::Dim.of(format!("             trace {trace}\n")))?;
            }
            print(&shown(&line, is_json))?;
        }
        if has_ended {
            return Ok(Outcome::Fine);
        }
        tokio::select! {
            () = sleep(BETWEEN_LOOKS) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Fine),
        }
    }
}

impl Subject {
    /// Both are UUIDs: what it is, the API says.
    async fn find(stack: &Stack, id: &str) -> Result<Self, CliError> {
        if let Ok(request) = RequestId::parse(id) {
            let path = format!("/requests/{request}");
            if stack.api.find::<Request>(&path, &[]).await?.is_some() {
                return Ok(Self::Request(request));
            }
        }
        if let Ok(link) = LinkId::parse(id)
            && let path = format!("/links/{link}")
            && stack.api.find::<Link>(&path, &[]).await?.is_some()
        {
            return Ok(Self::Link(link));
        }
        Err(CliError::Missing(format!(
            "no request and no link has the id {id}"
        )))
    }

    fn id(&self) -> &str {
        match self {
            Self::Request(id) => id.as_str(),
            Self::Link(id) => id.as_str(),
        }
    }

    /// A link has no end.
    async fn has_ended(&self, stack: &Stack) -> Result<bool, CliError> {
        let Self::Request(id) = self else {
            return Ok(false);
        };
        let request: Request = stack.api.get(&format!("/requests/{id}"), &[]).await?;
        Ok(request.status.is_terminal() || request.status == Status::Short)
    }
}

/// Reads again and again, and shows each line once.
struct Tail {
    since: Timestamp,
    /// The lines since then that were shown, with their times.
    shown: BTreeSet<(Timestamp, String)>,
    /// That of the latest line.
    trace: Option<String>,
}

impl Tail {
    fn since(since: Timestamp) -> Self {
        Self {
            since,
            shown: BTreeSet::new(),
            trace: None,
        }
    }

    /// The trace of a line, if it is another one than before.
    fn new_trace(&mut self, line: &Line) -> Option<String> {
        let trace = line.trace.clone().filter(|_| self.trace != line.trace)?;
        self.trace = Some(trace.clone());
        Some(trace)
    }

    async fn news(&mut self, logs: &Logs, id: &str) -> Result<Vec<Line>, CliError> {
        let wanted = Wanted {
            functions: &FUNCTIONS,
            since: self.since,
            what: What::Id(id),
        };
        let now = Timestamp::now();
        let lines = logs.lines(wanted).await?;
        Ok(self.not_yet_shown(lines, now))
    }

    /// The lines that were not shown yet, of those that were read at this time.
    fn not_yet_shown(&mut self, mut lines: Vec<Line>, now: Timestamp) -> Vec<Line> {
        lines.retain(|line| self.shown.insert((line.at, shown(line, true))));
        self.since = self.since.max(now.plus_seconds(-OVERLAP_S));
        self.shown = self.shown.split_off(&(self.since, String::new()));
        lines
    }
}

fn shown(line: &Line, json: bool) -> String {
    if json {
        return serde_json::to_string(line).unwrap_or_default() + "\n";
    }
    let time = &line.at.to_string()[11..23];
    let fields = line
        .fields
        .iter()
        .filter(|(name, value)| !HIDDEN.contains(&name.as_str()) && **value != 0);
    let fields = fields.fold(String::new(), |all, (name, value)| {
        format!("{all} {name}={}", plain(value))
    });
    let message = match line.level.as_str() {
        "ERROR" => Style::Bad.of(&line.message),
        "WARN" => Style::Attention.of(&line.message),
        _ => line.message.clone(),
    };
    let fields = Style::Dim.of(fields);
    format!("{time} {:<8} {message}{fields}\n", line.function)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains(' ') => format!("{text:?}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::logs::tests::line;

    #[test]
    fn a_line_is_shown_once_and_late_ones_are_shown() {
        let moment = |time: &str| Timestamp::parse(&format!("2026-03-01T{time}Z")).unwrap();
        let mut tail = Tail::since(moment("00:00:00"));
        let at = |time: &str, message: &str| {
            let fields = json!({"event": "e", "message": message});
            line(&format!("2026-03-01T{time}Z"), "webhook", &fields)
        };
        let (old, first) = (at("00:01:00", "old"), at("00:02:30", "first"));
        let lines = vec![old, first.clone()];
        assert_eq!(tail.not_yet_shown(lines, moment("00:03:00")).len(), 2);
        assert_eq!(tail.since, moment("00:02:00"), "also where nothing happens");
        assert_eq!(tail.shown.len(), 1, "what is not read again is forgotten");
        let late = at("00:02:29", "late");
        let lines = vec![late.clone(), first];
        assert_eq!(tail.not_yet_shown(lines, moment("00:02:50")), [late]);
        assert_eq!(tail.since, moment("00:02:00"), "it does not go back");
    }

    #[test]
    fn a_line_for_a_person_leaves_out_what_all_lines_repeat() {
        let fields = json!({"event": "rows_collected", "message": "rows collected",
            "link.id": "l", "pages": 3, "verdict": "short by 3"});
        let line = line("2026-03-01T12:34:56.789Z", "collect", &fields);
        let text = anstream::adapter::strip_str(&shown(&line, false)).to_string();
        let expected = "12:34:56.789 collect  rows collected pages=3 verdict=\"short by 3\"\n";
        assert_eq!(text, expected);
    }
}
