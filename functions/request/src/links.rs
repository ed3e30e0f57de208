//! `POST /links` and `DELETE /links/{link}`.

use domain::{
    Connection, Deletion, LinkId, LinkRecord, OnDeletion, QuotaHolder, RequestId, RetrievalClass,
    Timestamp,
};
use lambda_http::{Body, Request, Response, http::StatusCode, tracing};
use serde_json::json;
use shared::{
    api::LinkView,
    belvo::LinkDeletion,
    cause::chain,
    http::{self, path_parameter, query_parameter},
    problem::{Problem, ProblemKind},
    queue::Task,
    store::{Quotas, StoreError},
    telemetry::{ALWAYS, Event},
};

use crate::{
    App,
    connect::external_id,
    fields::{Fields, link_id},
    problems,
    unregistered::{Unregistered, known_or_allowed},
};

const SHAPE: &str = "The body must be a JSON object such as \
    {\"link\": \"bcca0da9-a4c6-4830-9676-1d54682851d9\", \
    \"external_id\": \"56ab5706-6e00-48a4-91c9-ca55968678d9\"}.";

/// Registers the link that the widget's success callback names, or records that its user came
/// through the widget again. The callback comes from the user's browser, so the link is read from
/// Belvo and must carry the external id under which the caller opened the widget. Answers 201, or
/// 200 if it was registered before. Safe to repeat.
pub(crate) async fn register(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let mut fields = Fields::parse(request.body().as_ref(), SHAPE)?;
    let link = fields.required("link")?;
    let expected = external_id(fields.required("external_id")?)?;
    fields.end("link and external_id")?;
    let link = link_id(&link)?;
    let connection = connection(app, &link, &expected).await?;

    let at = Timestamp::now();
    let register = |known: LinkRecord| known.registered(connection.clone(), at, app.request_due_s);
    let record = app.control.links.change(&link, register).await;
    let record = record.map_err(|error| problems::unrecorded(&error))?;
    let is_new = record.registered_at == Some(at);
    if is_new {
        count_what_belvo_fetched(&app.control.quotas, &record, at).await;
    }
    read_what_was_held(app, &record).await;
    keep_requests(app, &link).await;

    tracing::info!(
        target: ALWAYS,
        event = Event::LinkRegistered.name(),
        link.id = link.as_str(),
        is_new,
        blocked = record.block().is_some(),
        "link registered"
    );
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(http::json(status, &LinkView::from(&record)))
}

/// Queues a reading of what was held of a link. One that is not queued is made up for by the sweep,
/// or by a repetition of this call.
async fn read_what_was_held(app: &App, record: &LinkRecord) {
    if record.held_resources().next().is_none() {
        return;
    }
    let queue_all = async || {
        for resource in record.held_resources() {
            let link = record.id.clone();
            let queued = app.queue.send(&Task::CheckLink { resource, link }).await;
            queued.map_err(|error| chain(&error).to_string())?;
        }
        let released = app.control.links.change(&record.id, LinkRecord::released);
        released.await.map_err(|error| chain(&error).to_string())
    };
    if let Err(cause) = queue_all().await {
        tracing::warn!(
            event = Event::HeldNotQueued.name(),
            link.id = record.id.as_str(),
            cause,
            "what was held of the link may be read later"
        );
    }
}

/// Keeps what was recorded of a link's requests before it was registered.
async fn keep_requests(app: &App, link: &LinkId) {
    if let Err(error) = app.control.requests.keep_of_link(link).await {
        tracing::warn!(
            event = Event::RecordsNotKept.name(),
            link.id = link.as_str(),
            cause = %chain(&error),
            "requests of the link from before its registration expire after 90 days"
        );
    }
}

/// What Belvo says about a link with this external id. A caller with a wrong external id does not
/// learn whether the link exists.
async fn connection(app: &App, link: &LinkId, external_id: &str) -> Result<Connection, Problem> {
    let connection = app.belvo.link(link).await;
    let connection = connection.map_err(|error| problems::of_call(&error))?;
    connection
        .filter(|connection| connection.external_id.as_deref() == Some(external_id))
        .ok_or_else(|| {
            let detail = "Belvo has no link with this id and external_id. Nothing was registered.";
            Problem::new(ProblemKind::NotYourLink, detail).about(Some("external_id"))
        })
}

/// Creating a link uses one long retrieval if transactions were fetched ("OFDA Brazil Data
/// Retrieval Limits", Belvo's documentation); retrievals sent for the link before its customer was
/// known count for that customer. A count that is missed is corrected by Belvo's own refusal.
async fn count_what_belvo_fetched(quotas: &Quotas, record: &LinkRecord, at: Timestamp) {
    if let Err(error) = count(quotas, record, at).await {
        tracing::warn!(
            event = Event::QuotaNotCounted.name(),
            link.id = record.id.as_str(),
            cause = %chain(&error),
            "the retrieval that created the link was not counted"
        );
    }
}

async fn count(quotas: &Quotas, record: &LinkRecord, at: Timestamp) -> Result<(), StoreError> {
    let holder = record.quota_holder();
    let alone = QuotaHolder::from(&record.id);
    if holder != alone {
        quotas.carry_over(&alone, &holder, at).await?;
    }

    let connection = &record.connection;
    if connection
        .fetch_resources
        .iter()
        .any(|name| name == "TRANSACTIONS")
    {
        let created_at = connection.created_at.unwrap_or(at);
        quotas
            .count(&holder, RetrievalClass::Long, created_at)
            .await?;
    }
    Ok(())
}

/// Asks Belvo to delete a link. `?rows=keep` or `?rows=erase` decides what then happens to its rows
/// here. A link that nobody here has registered or requested is refused with 404, unless
/// `?unregistered=allow` says that it is meant. Answers 202 before the deletion is done, with
/// Belvo's id for it. Safe to repeat, even to have kept rows erased after all.
pub(crate) async fn delete(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let link = link_id(&path_parameter(request, "link"))?;
    let rows = rows(request)?;
    let unregistered = Unregistered::of_query(request)?;
    let before = known_or_allowed(app, &link, unregistered).await?;
    let before = before.and_then(|known| known.deletion);

    // Written first: if Belvo deletes the link and the rest is lost, the sweep still finds what has
    // to be done.
    let at = Timestamp::now();
    let request_deletion = |known: LinkRecord| known.deletion_requested(rows, at);
    let record = app.control.links.change(&link, request_deletion).await;
    let record = record.map_err(|error| problems::unrecorded(&error))?;

    let request_id = match app.belvo.delete_link(&link).await {
        Ok(answer) => follow_up(app, &link, answer).await?,
        Err(error) => {
            if !error.is_ambiguous() {
                revert(app, &link, before.as_ref(), record.deletion.as_ref()).await;
            }
            return Err(problems::of_call(&error));
        }
    };

    let rows = record.deletion.map_or(rows, |deletion| deletion.rows);
    tracing::info!(
        event = Event::LinkDeletionRequested.name(),
        link.id = link.as_str(),
        ?rows,
        "link deletion requested"
    );
    let body =
        json!({ "link": link, "status": "deleting", "rows": rows, "request_id": request_id });
    Ok(http::json(StatusCode::ACCEPTED, &body))
}

fn rows(request: &Request) -> Result<OnDeletion, Problem> {
    let rows = query_parameter(request, "rows");
    rows.as_deref().and_then(OnDeletion::parse).ok_or_else(|| {
        let detail = "rows must be `erase` (everything stored for the link is erased) or `keep` \
                      (it stays readable and can be erased later)";
        Problem::field("rows", detail)
    })
}

/// Belvo's id for the deletion, if Belvo works on it. `collect` ends a link that Belvo no longer
/// has.
async fn follow_up(
    app: &App,
    link: &LinkId,
    answer: LinkDeletion,
) -> Result<Option<RequestId>, Problem> {
    match answer {
        LinkDeletion::Accepted(id) => {
            record_acceptance(app, link, &id).await;
            Ok(Some(id))
        }
        LinkDeletion::Done => {
            queue_link_gone(app, link).await?;
            Ok(None)
        }
    }
}

async fn record_acceptance(app: &App, link: &LinkId, id: &RequestId) {
    let accepted = |known: LinkRecord| known.deletion_accepted(id);
    if let Err(error) = app.control.links.change(link, accepted).await {
        tracing::warn!(
            event = Event::DeletionNotRecorded.name(),
            link.id = link.as_str(),
            cause = %chain(&error),
            "Belvo's id of the deletion was not recorded"
        );
    }
}

async fn queue_link_gone(app: &App, link: &LinkId) -> Result<(), Problem> {
    let task = Task::LinkGone { link: link.clone() };
    app.queue.send(&task).await.map_err(|error| {
        tracing::error!(
            event = Event::LinkGoneNotQueued.name(),
            link.id = link.as_str(),
            cause = %chain(&error),
            "Belvo no longer has the link, but the rest of its deletion could not be queued"
        );
        let detail = "Belvo no longer has the link, but the rest of its deletion could not be \
                      queued. Try again.";
        Problem::unavailable(detail).retry_after(1)
    })
}

/// Restores the deletion that was recorded `before` a request on which Belvo definitely did not
/// act, unless something has happened since. The sweep checks what cannot be restored.
async fn revert(app: &App, link: &LinkId, before: Option<&Deletion>, requested: Option<&Deletion>) {
    let restore = |known: LinkRecord| {
        if known.deletion.as_ref() != requested {
            return known;
        }
        LinkRecord {
            deletion: before.cloned(),
            ..known
        }
    };
    if let Err(error) = app.control.links.change(link, restore).await {
        tracing::warn!(
            event = Event::DeletionNotReverted.name(),
            link.id = link.as_str(),
            cause = %chain(&error),
            "the refused deletion was not reverted"
        );
    }
}
