//! What happened to a link, from its record as it was and as it is.

use domain::{Block, LinkRecord, Timestamp, parse_date};
use shared::api::ChangesPlace;

use crate::event::{Event, LinkChange, OfLink};

/// What happened to a link. Whatever its followers can see has at least one event, with the
/// sequence that `GET /changes` returns. That the consent ends is published for each such webhook,
/// even if its followers have seen it.
#[must_use]
pub fn of_link(before: Option<&LinkRecord>, after: &LinkRecord) -> Vec<Event> {
    let unknown = LinkRecord::new(after.id.clone());
    let before = before.unwrap_or(&unknown);
    let about = |change| OfLink {
        link: after.id.clone(),
        sequence: after.sequence,
        change,
    };
    let mut events = Vec::new();
    if let Some((change, at)) = expiring_consent(before, after) {
        events.push(Event::of_link_once(about(change), at, &at.to_string()));
    }
    if before.sequence < after.sequence
        && let Some(at) = after.sequence.at()
    {
        let changes = visible(before, after, !events.is_empty()).into_iter();
        events.extend(changes.map(|change| Event::of_link(about(change), at)));
    }
    events
}

/// What the followers of a link can see; some of it may be published already.
fn visible(before: &LinkRecord, after: &LinkRecord, is_published: bool) -> Vec<LinkChange> {
    let since = |log: u64| ChangesPlace::after(log).cursor();
    let cursor = || since(before.log);
    let mut changes = Vec::new();
    if before.registered_at.is_none() && after.registered_at.is_some() {
        changes.push(LinkChange::Connected {});
    }
    changes.extend(block(before, after));
    if erased_at(before) < erased_at(after) {
        changes.push(LinkChange::Erased {});
    } else if let Some((resource, collection)) = after.changed_since(before) {
        let read_to = before.collected_to.get(resource.name());
        changes.push(LinkChange::RowsChanged {
            resource,
            counts: collection.into(),
            cursor: since(read_to.copied().unwrap_or_default()),
        });
    } else if before.log < after.log {
        // Of a collection that has not ended, or was interrupted.
        changes.push(LinkChange::Changed { cursor: cursor() });
    } else if before.accounts_digest != after.accounts_digest {
        changes.push(LinkChange::AccountsChanged { cursor: cursor() });
    }
    if changes.is_empty() && !is_published {
        changes.push(LinkChange::Changed { cursor: cursor() });
    }
    changes
}

fn block(before: &LinkRecord, after: &LinkRecord) -> Option<LinkChange> {
    let reason = |record: &LinkRecord| record.block().map(|block| block.reason);
    match after.block() {
        Some(Block { reason: now, since }) if reason(before) != Some(now) => {
            Some(LinkChange::Blocked { reason: now, since })
        }
        None if reason(before).is_some() => Some(LinkChange::Unblocked {}),
        _ => None,
    }
}

fn erased_at(record: &LinkRecord) -> Option<Timestamp> {
    record.deletion.as_ref()?.erased_at
}

/// That a webhook has said that the consent ends soon, and when it was received.
fn expiring_consent(before: &LinkRecord, after: &LinkRecord) -> Option<(LinkChange, Timestamp)> {
    let event = after.last_event.as_ref()?;
    let is_new = event.is_of_expiring_consent() && before.last_event.as_ref() != Some(event);
    let is_time = |text: &&str| Timestamp::parse(text).is_some() || parse_date(text).is_some();
    let due_date = after.consent.due_date.as_deref().filter(is_time);
    let change = LinkChange::ConsentExpires {
        due_date: due_date.map(ToOwned::to_owned),
    };
    is_new.then_some((change, event.at))
}
