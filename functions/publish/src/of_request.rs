//! How a request ended, from its record as it was and as it is.

use domain::{LastCollection, RequestRecord, Status};

use crate::event::{Counts, Event, OfRequest};

/// Belvo's own codes have up to 58 characters.
const LONGEST_CODE: usize = 64;

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
        code: failure.and_then(|failure| code(&failure.code)),
    };
    Some(Event::of_request(name, about, after.ended_at()?))
}

/// What Belvo calls a code, if it is one, and no text that might be about somebody.
fn code(text: &str) -> Option<String> {
    let is_code = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let is_short = (1..=LONGEST_CODE).contains(&text.len());
    (is_short && text.chars().all(is_code)).then(|| text.to_owned())
}
