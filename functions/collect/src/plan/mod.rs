//! What each kind of task asks for: a fetch of rows, or something that is done at once.

mod accounts_webhook;
mod check_link;
mod check_overdue;
mod collect;
mod continuation;
mod data_ready;
mod days;
mod intent;
mod other_webhook;
mod rows_webhook;
mod unnamed;

pub(crate) use days::DaysToFetch;

use domain::WebhookOutcome;
use shared::{
    belvo::Subject,
    queue::{Delivery, Task},
};

use crate::{
    App, CollectError, archive, ending,
    job::Job,
    link_record::{LinkKeeper, Standing},
    received::Received,
    sweep,
};

/// Plans the fetch that a message asks for. A message that asks for no rows is processed here. Safe
/// to repeat: facts are recorded once.
pub(crate) async fn plan(app: &App, message: &Received) -> Result<Option<Job>, CollectError> {
    let task = message.task.as_ref().map_err(Clone::clone)?;
    if let Task::Webhook(delivery) = task
        && archive::is_redelivered(&app.control.webhooks, delivery).await?
    {
        return Ok(None);
    }
    let standing = standing(app.into(), task).await?;
    if standing == Standing::Gone {
        ending::fail_with_link(&app.control, task).await?;
        return Ok(None);
    }
    plan_task(app, task, standing).await
}

/// Plans a task that has not ended with its link.
async fn plan_task(
    app: &App,
    task: &Task,
    standing: Standing,
) -> Result<Option<Job>, CollectError> {
    let links = LinkKeeper::from(app);
    match task {
        Task::Webhook(delivery) => plan_webhook(app, delivery, standing).await,
        Task::DataReady {
            resource,
            link,
            request,
            at,
        } => data_ready::plan(app, (*resource, link), request, *at).await,
        Task::LinkGone { link } => links.end_if_gone(link).await.map(|()| None),
        Task::CheckOverdue {
            link,
            request,
            next,
            ..
        } => check_overdue::plan(&app.control.requests, link, request, *next).await,
        Task::CheckLink { resource, link } => check_link::plan(links, link, *resource).await,
        Task::Collect {
            resource,
            link,
            days,
            at,
        } => collect::plan(links, link, (*resource, *days), *at).await,
        Task::Continue(rest) => continuation::plan(&app.control.requests, rest)
            .await
            .map(Some),
        Task::Sweep => sweep::run(app).await.map(|()| None),
    }
}

/// Whether the rows that a task asks for should be stored.
async fn standing(links: LinkKeeper<'_>, task: &Task) -> Result<Standing, CollectError> {
    match task {
        Task::Webhook(delivery) => match delivery.webhook.subject {
            Subject::Rows(resource) => links.seen(delivery, resource).await,
            Subject::Accounts | Subject::Link | Subject::Consent | Subject::Other(_) => {
                Ok(Standing::Unknown)
            }
        },
        Task::DataReady { link, .. } | Task::CheckOverdue { link, .. } => {
            links.standing(link).await
        }
        Task::Continue(continuation) => links.standing(&continuation.link).await,
        Task::LinkGone { .. } | Task::CheckLink { .. } | Task::Collect { .. } | Task::Sweep => {
            Ok(Standing::Unknown)
        }
    }
}

async fn plan_webhook(
    app: &App,
    delivery: &Delivery,
    standing: Standing,
) -> Result<Option<Job>, CollectError> {
    let control = &app.control;
    if standing == Standing::Held {
        archive::archive(control, delivery, &WebhookOutcome::Held).await?;
        return Ok(None);
    }
    match &delivery.webhook.subject {
        Subject::Rows(resource) => rows_webhook::plan(app, delivery, *resource, standing).await,
        Subject::Accounts => {
            let outcome = accounts_webhook::process(app, delivery).await?;
            archive::archive(control, delivery, &outcome).await?;
            Ok(None)
        }
        Subject::Link | Subject::Consent | Subject::Other(_) => {
            other_webhook::process(app.into(), delivery).await?;
            archive::archive(control, delivery, &WebhookOutcome::Noted).await?;
            Ok(None)
        }
    }
}
