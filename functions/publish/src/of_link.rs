//! What happened to a link, from its record as it was and as it is.

use domain::{Block, LastCollection, LinkRecord, Resource, Timestamp, parse_date};
use shared::api::ChangesPlace;

use crate::event::{Event, LinkNews, OfLink};

/// What happened to a link. Whatever its followers can see has at least one event, with the
/// sequence that `GET /changes` tells. That the consent ends is told for each such webhook, even if
/// its followers have seen it.
#[must_use]
pub fn of_link(before: Option<&LinkRecord>, after: &LinkRecord) -> Vec<Event> {
    let unknown = LinkRecord::new(after.id.clone());
    let before = before.unwrap_or(&unknown);
    let about = |news| OfLink {
        link: after.id.clone(),
        sequence: after.sequence,
        news,
    };
    let mut events = Vec::new();
    if let Some((news, at)) = expiring_consent(before, after) {
        events.push(Event::of_link_once(about(news), at, &at.to_string()));
    }
    if before.sequence < after.sequence
        && let Some(at) = after.sequence.at()
    {
        let news = visible(before, after, !events.is_empty());
        events.extend(news.into_iter().map(|news| Event::of_link(about(news), at)));
    }
    events
}

/// What the followers of a link can see; some of it may have been told.
fn visible(before: &LinkRecord, after: &LinkRecord, is_told: bool) -> Vec<LinkNews> {
    let cursor = || ChangesPlace::after(before.log).cursor();
    let mut news = Vec::new();
    if before.registered_at.is_none() && after.registered_at.is_some() {
        news.push(LinkNews::Connected {});
    }
    news.extend(block(before, after));
    if erased_at(before) < erased_at(after) {
        news.push(LinkNews::Erased {});
    } else if before.log < after.log {
        news.push(match collection(before, after) {
            Some((resource, collection)) => LinkNews::RowsChanged {
                resource,
                counts: collection.into(),
                cursor: cursor(),
            },
            // Of an interrupted collection, of which no other has followed.
            None => LinkNews::Changed { cursor: cursor() },
        });
    } else if before.accounts != after.accounts {
        news.push(LinkNews::AccountsChanged { cursor: cursor() });
    }
    if news.is_empty() && !is_told {
        news.push(LinkNews::Changed { cursor: cursor() });
    }
    news
}

fn block(before: &LinkRecord, after: &LinkRecord) -> Option<LinkNews> {
    let reason = |record: &LinkRecord| record.block().map(|block| block.reason);
    match after.block() {
        Some(Block { reason: now, since }) if reason(before) != Some(now) => {
            Some(LinkNews::Blocked { reason: now, since })
        }
        None if reason(before).is_some() => Some(LinkNews::Unblocked {}),
        _ => None,
    }
}

fn erased_at(record: &LinkRecord) -> Option<Timestamp> {
    record.deletion.as_ref()?.erased_at
}

/// The collection that has ended in between.
fn collection<'a>(
    before: &LinkRecord,
    after: &'a LinkRecord,
) -> Option<(Resource, &'a LastCollection)> {
    let at = |name: &String| before.collected.get(name).map(|known| known.at);
    let mut new = after
        .collected
        .iter()
        .filter(|(name, collection)| at(name) != Some(collection.at));
    let (name, collection) = new.next()?;
    Some((Resource::by_name(name)?, collection))
}

/// That a webhook has said that the consent ends soon, and when it was received.
fn expiring_consent(before: &LinkRecord, after: &LinkRecord) -> Option<(LinkNews, Timestamp)> {
    let event = after.last_event.as_ref()?;
    let is_new = event.is_of_expiring_consent() && before.last_event.as_ref() != Some(event);
    let is_time = |text: &&str| Timestamp::parse(text).is_some() || parse_date(text).is_some();
    let due_date = after.consent.due_date.as_deref().filter(is_time);
    let news = LinkNews::ConsentExpires {
        due_date: due_date.map(ToOwned::to_owned),
    };
    is_new.then_some((news, event.at))
}
