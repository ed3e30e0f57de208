//! How a request ended, from its record as it was and as it is.

use domain::{Failure, LastCollection, RequestRecord, Status};

use crate::event::{Counts, Event, OfRequest};

/// That a request has ended, or ended another way than it had before.
#[must_use]
pub fn of_request(before: Option<&RequestRecord>, after: &RequestRecord) -> Option<Event> {
    let status = after.status();
    if before.is_some_and(|before| before.status() == status) {
        return None;
    }
    let name = match status {
        Status::Collected => "request.collected",
        Status::Incomplete => "request.incomplete",
        Status::Failed => "request.failed",
        Status::Expired => "request.expired",
        _ => return None,
    };
    let has_rows = matches!(status, Status::Collected | Status::Incomplete);
    let found = after.verdict().zip(after.collection.as_ref());
    let found = found.filter(|_| has_rows);
    let found = found.map(|(verdict, found)| LastCollection::of(found, None, verdict));
    let failure = after.failure.as_ref().filter(|_| status == Status::Failed);
    let about = OfRequest {
        request: after.id.clone(),
        link: after.retrieval.link.clone(),
        resource: after.retrieval.resource,
        verdict: found.as_ref().map(|found| found.verdict.clone()),
        counts: found.as_ref().map(Counts::from),
        code: failure.map(|failure| Failure::readable_code(&failure.code)),
    };
    Some(Event::of_request(name, about, after.ended_at()?))
}
