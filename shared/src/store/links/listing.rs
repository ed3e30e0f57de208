//! Listings of registered links.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{BlockReason, Blocked, LinkFilter, LinkId, LinkRecord};
use futures::{StreamExt, TryStreamExt, stream};

use super::{KIND, Links, RECORD, REGISTERED, record};
use crate::store::{
    Cursor, StoreError,
    item::{Item, text},
    table::{BY_EXTERNAL_ID, BY_LINK, BY_STATE, Listing, Page},
};

/// The attribute `state` of a link that is deleted, of another that cannot be used, and of one that
/// is stale otherwise.
const DELETED: &str = "deleted";
const BLOCKED: &str = "blocked";
const STALE: &str = "stale";
/// The most bytes that DynamoDB takes as a partition key.
const MOST_BYTES: usize = 2_048;
/// Records that are read at the same time.
const READS_AT_ONCE: usize = 10;

/// Links that an operator looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkGroup {
    /// They cannot be used until somebody acts.
    Blocked,
    /// Belvo has sent no webhook about them for two refreshes.
    Stale,
}

impl Links {
    /// How many links are in a group, at most those of which the records have a megabyte: about a
    /// thousand. Read from an index that may lag slightly behind the table.
    pub async fn count(&self, group: LinkGroup) -> Result<u64, StoreError> {
        let state = match group {
            LinkGroup::Blocked => BLOCKED,
            LinkGroup::Stale => STALE,
        };
        self.0.count(BY_STATE, state).await
    }

    /// Registered links that pass a filter, the latest first, at most `limit`, and where the
    /// listing continues. Fewer, even none, may be found before it continues. Read from an index
    /// that may lag slightly behind the table.
    pub async fn registered(
        &self,
        filter: &LinkFilter,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<Page<LinkRecord>, StoreError> {
        let listing = |index, under| Listing {
            index,
            kind: KIND,
            under,
        };
        let (mut records, next) = if let Some(external_id) = &filter.external_id {
            if external_id.len() > MOST_BYTES {
                // No link is in the index under it, and DynamoDB would refuse to look.
                return Ok((Vec::new(), None));
            }
            let listing = listing(BY_EXTERNAL_ID, external_id);
            let (ids, next) = self
                .0
                .listed(listing, after, limit, |item| id(&item))
                .await?;
            (self.all(ids).await?, next)
        } else {
            let listing = match (filter.blocked, filter.stale) {
                (Some(Blocked::For(BlockReason::Deleted)), _) => listing(BY_STATE, DELETED),
                (Some(Blocked::Yes | Blocked::For(_)), _) => listing(BY_STATE, BLOCKED),
                (_, Some(true)) => listing(BY_STATE, STALE),
                _ => listing(BY_LINK, REGISTERED),
            };
            self.0.listed(listing, after, limit, record).await?
        };
        records.retain(|record| filter.passes(record));
        Ok((records, next))
    }

    /// The records of these links, without those of which nothing is known.
    pub async fn all(&self, ids: Vec<LinkId>) -> Result<Vec<LinkRecord>, StoreError> {
        let records = stream::iter(ids).map(|id| async move { self.get(&id).await });
        let records: Vec<_> = records.buffered(READS_AT_ONCE).try_collect().await?;
        Ok(records.into_iter().flatten().collect())
    }
}

/// The attribute that puts a link into the index `by_external_id`. Belvo may hold any text.
pub(super) fn external_id(record: &LinkRecord) -> Option<(String, AttributeValue)> {
    let external_id = record.connection.external_id.as_deref()?;
    let is_key = (1..=MOST_BYTES).contains(&external_id.len());
    is_key.then(|| ("found_by".to_owned(), text(external_id)))
}

/// The attributes that put a link into the index `by_state`.
pub(super) fn state(record: &LinkRecord) -> Item {
    let (state, at) = match (record.block(), record.checked_at) {
        (Some(block), _) if block.reason == BlockReason::Deleted => (DELETED, block.since),
        (Some(block), _) => (BLOCKED, block.since),
        (None, Some(checked_at)) if record.is_stale() => (STALE, checked_at),
        (None, _) => return Item::new(),
    };
    Item::from([
        ("state".to_owned(), text(state)),
        ("state_at".to_owned(), text(at.to_string())),
    ])
}

/// The id of a link, from its key.
fn id(item: &Item) -> Result<LinkId, StoreError> {
    let pk = item.get("pk").and_then(|pk| pk.as_s().ok());
    let id = pk.and_then(|pk| pk.strip_prefix(KIND)?.strip_prefix('#'));
    id.and_then(|id| LinkId::parse(id).ok())
        .ok_or(StoreError::Corrupt(RECORD))
}
