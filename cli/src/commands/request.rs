//! What became of a request?

use clap::Args;
use domain::{Days, Failure, RequestId, Timestamp};
use serde::Serialize;

use super::Context;
use crate::{
    CliError, Outcome,
    api::{Collection, Request, Status},
    output::{Page, Report, Style, Table, since},
};

/// Show a request: its facts, and what is stored beside Belvo's counts
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest request b5d0106ac9cc43d5b36199fe831f6bbe
  belvo-ingest request $ID --json | jq .compared")]
pub(crate) struct RequestArgs {
    /// Belvo's id of the request, with or without dashes
    #[arg(value_parser = RequestId::parse)]
    id: RequestId,
}

/// A request.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct RequestReport {
    pub(crate) request: Request,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

pub(crate) async fn run(args: RequestArgs, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    let found = stack
        .api
        .find(&format!("/requests/{}", args.id), &[])
        .await?;
    let request = found.ok_or_else(|| {
        CliError::Missing(format!(
            "there is no request {}: it was not issued here, and no webhook named it",
            args.id
        ))
    })?;
    let now = Timestamp::now();
    context.output.show(&RequestReport { request, now })
}

impl Report for RequestReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let (request, now) = (&self.request, self.now);
        page.title(format_args!("Request {}", request.id));
        page.field("Link", &request.link);
        page.field("Of", of(request));
        page.field("Status", status(request));
        facts(&mut page, request, now);
        if let Some(failure) = &request.failure {
            page.field(
                "Failure",
                format_args!("{}: {}", failure.code, failure.message),
            );
        }
        if let Some(collection) = &request.collection {
            found(&mut page, collection, now);
        }
        self.compare(&mut page);
        if let Some(next) = next(request) {
            page.blank();
            page.line(format_args!("next: {next}"));
        }
        page
    }

    fn outcome(&self) -> Outcome {
        let is_bad = matches!(
            self.request.status,
            Status::Short | Status::Incomplete | Status::Failed | Status::Expired
        );
        let verdict = self.request.verdict.as_deref();
        Outcome::attention_if(is_bad || verdict.is_some_and(verdict_is_bad))
    }
}

impl RequestReport {
    fn compare(&self, page: &mut Page) {
        let request = &self.request;
        let Some(verdict) = &request.verdict else {
            return;
        };
        page.title(format_args!("Compared with Belvo: {verdict}"));
        let mut table = Table::new(["what", "belvo", "ours", "verdict"]);
        for check in &request.compared {
            table.row([
                check.what.clone(),
                plain(&check.belvo),
                plain(&check.ours),
                check.verdict.clone(),
            ]);
        }
        page.table(&table);
    }
}

/// The requests of a list, one a line.
pub(crate) fn table(requests: &[Request], now: Timestamp) -> Table {
    let mut table = Table::new(["request", "status", "of", "since", "verdict"]);
    for request in requests {
        let failure = request.failure.as_ref().map(|failure| failure.code.clone());
        let at = request.since().map(|at| since(at, now));
        table.row([
            request.id.to_string(),
            request.status.name().to_owned(),
            of(request),
            at.unwrap_or_default(),
            failure
                .or_else(|| request.verdict.clone())
                .unwrap_or_default(),
        ]);
    }
    table
}

/// Whether a verdict says that rows are missing.
pub(crate) fn verdict_is_bad(verdict: &str) -> bool {
    verdict.starts_with("short")
}

/// A span of days.
pub(crate) fn days(days: &Days) -> String {
    let json = serde_json::to_value(days).unwrap_or_default();
    match (json["from"].as_str(), json["to"].as_str()) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        (Some(from), None) => format!("since {from}"),
        (None, Some(to)) => format!("until {to}"),
        (None, None) => "all days".to_owned(),
    }
}

/// What it asked for.
fn of(request: &Request) -> String {
    let window = request.window();
    let window = window.map_or_else(
        || "Belvo's own refresh".to_owned(),
        |(from, to)| format!("{from} to {to}"),
    );
    format!("{}, {window}", request.resource)
}

fn status(request: &Request) -> String {
    let style = match request.status {
        Status::Collected => Style::Good,
        Status::Incomplete | Status::Failed | Status::Expired => Style::Bad,
        Status::Short | Status::Unknown => Style::Attention,
        _ => Style::Bold,
    };
    style.of(request.status.name())
}

fn facts(page: &mut Page, request: &Request, now: Timestamp) {
    let facts = [
        ("Issued", request.issued_at),
        ("Notified", request.notified_at),
        ("Ready", request.ready_at),
        ("Collecting", request.collecting_at),
        ("Collected", request.collected_at),
        ("Short", request.short_at),
        ("Incomplete", request.incomplete_at),
        ("Failed", request.failed_at),
        ("Expired", request.expired_at),
        ("Checked next", request.due_at),
    ];
    for (name, at) in facts {
        if let Some(at) = at {
            page.field(name, since(at, now));
        }
    }
}

fn found(page: &mut Page, collection: &Collection, now: Timestamp) {
    let Collection {
        rows,
        new,
        changed,
        unchanged,
        revived,
        deleted,
        unstored,
        ..
    } = collection;
    page.field(
        "Rows",
        format_args!(
            "{rows} at Belvo for {}: {new} new, {changed} changed, {unchanged} unchanged, \
             {revived} restored, {deleted} deleted, {unstored} not stored",
            days(&collection.days)
        ),
    );
    page.field("Read", since(collection.finished_at, now));
}

/// The command that comes next, if one does.
pub(crate) fn next(request: &Request) -> Option<String> {
    let link = &request.link;
    match request.status {
        Status::Issuing | Status::Issued | Status::Notified | Status::Collecting => {
            Some(format!("belvo-ingest tail {}", request.id))
        }
        Status::Short | Status::Incomplete | Status::Expired | Status::Unknown => {
            Some(format!("belvo-ingest collect {link} --wait"))
        }
        Status::Failed if request.failure.as_ref().is_some_and(Failure::is_ours) => {
            Some(format!("belvo-ingest dead-letters list --link {link}"))
        }
        Status::Failed => Some(format!("belvo-ingest link {link}")),
        Status::Collected => None,
    }
}

/// A count or a day without quotes.
fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "none".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A request with these fields besides those that all have.
    pub(crate) fn request(fields: &serde_json::Value) -> Request {
        let mut request = json!({
            "id": "b5d0106ac9cc43d5b36199fe831f6bbe",
            "link": "16f68516-bcbc-4cf7-b815-c500d4204e28",
            "resource": "transactions",
            "status": "issued",
            "issued_at": "2026-03-01T00:00:00.000Z",
        });
        for (name, value) in fields.as_object().unwrap() {
            request[name] = value.clone();
        }
        serde_json::from_value(request).unwrap()
    }

    fn report(fields: &serde_json::Value) -> RequestReport {
        RequestReport {
            request: request(fields),
            now: Timestamp::parse("2026-03-01T01:00:00Z").unwrap(),
        }
    }

    #[test]
    fn a_request_that_is_under_way_is_fine_and_can_be_followed() {
        let report = report(&json!({"date_from": "2026-01-01", "date_to": "2026-01-31"}));
        let page = report.page().to_string();
        assert!(
            page.contains("transactions, 2026-01-01 to 2026-01-31"),
            "{page}"
        );
        assert!(page.contains("(60 min ago)"), "{page}");
        assert!(
            page.contains("belvo-ingest tail b5d0106ac9cc43d5b36199fe831f6bbe"),
            "{page}"
        );
        assert_eq!(report.outcome(), Outcome::Fine);
    }

    #[test]
    fn a_short_request_shows_what_is_missing() {
        let report = report(
            &json!({"status": "short", "verdict": "short by 3", "compared": [
            {"what": "rows_of_pages", "belvo": 40, "ours": 37, "verdict": "short by 3"}]}),
        );
        let page = report.page().to_string();
        assert!(
            page.contains("rows_of_pages  40     37    short by 3"),
            "{page}"
        );
        assert!(
            page.contains("next: belvo-ingest collect 16f68516"),
            "{page}"
        );
        assert_eq!(report.outcome(), Outcome::NeedsAttention);
    }

    #[test]
    fn a_request_whose_message_was_given_up_leads_to_the_dead_letters() {
        let failed = json!({"status": "failed", "failure": {"code": "gave_up", "message": "m"}});
        let next = next(&request(&failed)).unwrap();
        assert!(
            next.starts_with("belvo-ingest dead-letters list --link"),
            "{next}"
        );
        let failed =
            json!({"status": "failed", "failure": {"code": "login_error", "message": "m"}});
        assert!(
            super::next(&request(&failed))
                .unwrap()
                .starts_with("belvo-ingest link")
        );
    }
}
