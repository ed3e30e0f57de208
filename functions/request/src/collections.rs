//! `POST /links/{link}/collections`: reads again what Belvo has of a link. It spends no retrieval.

use domain::{Block, BlockReason, Days, LinkId, LinkRecord, Resource, Timestamp};
use lambda_http::{Body, Request, Response, http::StatusCode, tracing};
use serde::Serialize;
use shared::{
    cause::chain,
    http::{self, path_parameter},
    problem::Problem,
    queue::Task,
    telemetry::Event,
};
use time::Date;

use crate::{
    App,
    body::{listed_days, resource},
    fields::{Fields, link_id},
    problems,
    unregistered::known,
};

const SHAPE: &str = "The body may be left out, or be a JSON object such as \
    {\"resource\": \"transactions\", \"date_from\": \"2026-01-01\", \"date_to\": \"2026-01-31\"}.";

/// What is read. It has ended once the link shows one of the resource that was asked for at
/// `asked_at` or later.
#[derive(Serialize)]
struct Accepted<'a> {
    link: &'a LinkId,
    resource: Resource,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_to: Option<String>,
    asked_at: Timestamp,
}

/// Answers 202 once the collection is queued, behind the link's other work. A link that its user
/// has to repair is read all the same: Belvo still has its rows.
pub(crate) async fn collect(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let asked_at = Timestamp::now();
    let link = link_id(&path_parameter(request, "link"))?;
    let (resource, days) = parse(request.body().as_ref(), asked_at.day())?;
    let record = known(app, &link).await?;
    if let Some(block) = gone(&record) {
        return Err(problems::blocked(block));
    }

    let task = Task::Collect {
        resource,
        link: link.clone(),
        days,
        at: asked_at,
    };
    queue(app, &task).await?;
    tracing::info!(
        event = Event::CollectionAsked.name(),
        link.id = link.as_str(),
        resource = resource.name(),
        "collection asked for"
    );
    let accepted = Accepted {
        link: &link,
        resource,
        date_from: days.first(),
        date_to: days.last(),
        asked_at,
    };
    Ok(http::json(StatusCode::ACCEPTED, &accepted))
}

async fn queue(app: &App, task: &Task) -> Result<(), Problem> {
    app.queue.send(task).await.map_err(|error| {
        tracing::error!(
            event = Event::CollectionNotQueued.name(),
            link.id = task.link().map(LinkId::as_str),
            cause = %chain(&error),
            "the collection that was asked for could not be queued"
        );
        Problem::unavailable("The collection could not be queued. Try again.").retry_after(1)
    })
}

fn parse(body: &[u8], today: Date) -> Result<(Resource, Days), Problem> {
    let mut fields = Fields::parse(if body.is_empty() { b"{}" } else { body }, SHAPE)?;
    let resource = resource(&mut fields)?;
    let days = listed_days(&mut fields, resource, today)?;
    fields.end("resource, date_from and date_to")?;
    Ok((resource, days))
}

/// Why Belvo has no rows of the link any more, if it is deleted.
pub(crate) fn gone(known: &LinkRecord) -> Option<Block> {
    let is_gone =
        |block: &Block| matches!(block.reason, BlockReason::Deleting | BlockReason::Deleted);
    known.block().filter(is_gone)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 03 - 01);

    fn refused(body: &str) -> serde_json::Value {
        let problem = parse(body.as_bytes(), TODAY).unwrap_err();
        serde_json::to_value(problem).unwrap()
    }

    #[test]
    fn all_rows_are_read_unless_days_are_named() {
        let transactions = Resource::TRANSACTIONS;
        for body in ["", "{}", r#"{"resource": "transactions"}"#] {
            assert_eq!(
                parse(body.as_bytes(), TODAY),
                Ok((transactions, Days::ALL)),
                "{body}"
            );
        }
        let january = r#"{"date_from": "2026-01-01", "date_to": "2026-01-31"}"#;
        let days = Days::between(date!(2026 - 01 - 01), date!(2026 - 01 - 31));
        assert_eq!(parse(january.as_bytes(), TODAY), Ok((transactions, days)));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (body, field) in [
            (r#"{"date_from": "2026-01-01"}"#, "date_to"),
            (
                r#"{"date_from": "2026-02-01", "date_to": "2026-01-01"}"#,
                "date_from",
            ),
            (
                r#"{"resource": "employment-records", "date_to": "2026-01-01"}"#,
                "date_to",
            ),
            (r#"{"resource": "rows"}"#, "resource"),
            (r#"{"days": 7}"#, "days"),
        ] {
            assert_eq!(refused(body)["field"], field, "{body}");
        }
        assert_eq!(
            refused("[]")["type"],
            "urn:belvo-ingest:problem:invalid-body"
        );
    }
}
