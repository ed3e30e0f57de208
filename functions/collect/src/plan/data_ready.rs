//! Belvo answered a retrieval with its data, which is read by GET like any other
//! (docs/decisions/0001).

use domain::{LinkId, RequestId, Resource, Retrieval, Timestamp};
use shared::queue::Trigger;

use super::{days::DaysToFetch, intent};
use crate::{App, CollectError, job::Job, waiter::Waiter};

pub(super) async fn plan(
    app: &App,
    (resource, link): (Resource, &LinkId),
    request: &RequestId,
    at: Timestamp,
) -> Result<Option<Job>, CollectError> {
    let due_at = at.plus_seconds(app.deadlines.due_s.into());
    let retrieval = Retrieval::of(link.clone(), resource);
    let requests = &app.control.requests;
    let record = requests.ready(request, &retrieval, at, due_at).await?;
    if let Some(record) = &record {
        intent::claim(app, record, at).await?;
    }

    let retrieval = match &record {
        Some(record) => record.retrieval.clone(),
        None => retrieval,
    };
    let days = DaysToFetch::certain(retrieval.rows().days);
    let waiter = Waiter::new(Trigger::DataReady { at }, request.as_str(), record);
    Ok(Some(Job::new(retrieval, days, waiter)))
}
