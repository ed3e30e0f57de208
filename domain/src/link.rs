//! What is known about a link: what Belvo says, what webhooks reported, and whether it can be used.
//! Unlike a request's facts, these change back: a user who logs in again repairs a link.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AskedCollection, Block, BlockReason, Days, LastCollection, LeftOut, LinkId, QuotaHolder,
    RequestId, Resource, ScrubPeriod, Sequence, Timestamp, left_out::NAMED,
};

/// How often a deletion that Belvo has not confirmed is checked, in seconds.
const DELETION_CHECK_S: i64 = 30 * 60;
/// How far `last_seen_at` may lag behind the latest webhook, in seconds: this saves a write per
/// webhook.
const SEEN_WITHIN_S: i64 = 60 * 60;

/// Everything known about a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkRecord {
    pub id: LinkId,
    /// What Belvo said when the link was last read.
    #[serde(flatten)]
    pub connection: Connection,
    /// When it was registered with `POST /links`; absent for one known only from webhooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Timestamp>,
    /// When Belvo first accepted a retrieval of its rows that was requested here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
    /// When Belvo was last asked about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// When a webhook about its rows was last received, to the hour.
    #[serde(rename = "heard_at", default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// When it was last checked because it was stale.
    #[serde(rename = "looked_at", default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    /// The latest webhook of type `LINK` or `CONSENT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<LinkEvent>,
    /// Why Belvo cannot log in.
    #[serde(rename = "shut_out", default, skip_serializing_if = "Option::is_none")]
    pub login_block: Option<Block>,
    /// What is known about the user's consent.
    #[serde(default, skip_serializing_if = "Consent::is_unknown")]
    pub consent: Consent,
    /// Its deletion, if one was requested or has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
    /// Belvo's rows that are not stored, by the name of their resource; the first hundred of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, Vec<LeftOut>>,
    /// When rows of a resource were announced and not collected, because nobody had asked for the
    /// link: to the day, by the name of the resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held_at: BTreeMap<String, Timestamp>,
    /// When all rows of a resource are read again, by the name of the resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scrub_at: BTreeMap<String, Timestamp>,
    /// What its latest collection found, by the name of the resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub collected: BTreeMap<String, LastCollection>,
    /// The latest collection that somebody asked for and that has ended, by the name of the
    /// resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, AskedCollection>,
    /// Grows with everything that its followers can see.
    #[serde(default, skip_serializing_if = "Sequence::is_none")]
    pub sequence: Sequence,
    /// The number of the last entry of its change log when the sequence was last compared.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log: u64,
    /// How far the log could be read when a collection of a resource last ended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub collected_to: BTreeMap<String, u64>,
    /// A digest of its accounts when the sequence was last compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts_digest: Option<String>,
}

/// What Belvo says about a link (`Link` in Belvo's OpenAPI; every field may be absent).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Belvo's name for the bank, such as `ofmockbank_br_retail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub institution: Option<String>,
    /// `recurrent`, which Belvo refreshes by itself, or `single`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<String>,
    /// How often Belvo refreshes it: `6h`, `12h`, `24h`, `7d`, `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_rate: Option<String>,
    /// `valid`, `invalid`, `unconfirmed` or `token_required`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The registering system's own id for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Belvo's `institution_user_id`: the same for every link of one user to one bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// What Belvo fetched, or fetches, when it was created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetch_resources: Vec<String>,
    /// When it was created at Belvo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A webhook about a link or its consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEvent {
    /// Belvo's `webhook_type`, such as `LINK`.
    #[serde(rename = "type")]
    pub webhook_type: String,
    /// Belvo's `webhook_code`, such as `invalid_credentials`.
    pub code: String,
    /// When it was received.
    pub at: Timestamp,
}

/// What `CONSENT` webhooks said about the consent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it is to end, in Belvo's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<String>,
    /// When a webhook said that it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// The deletion of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// What happens to its stored rows.
    pub rows: OnDeletion,
    /// When it was requested; absent if the link was deleted elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
    /// Belvo's id for the deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// When Belvo no longer had the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// What there was to erase when the erasure began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erased>,
    /// When all of it was erased here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
}

/// What an erasure takes: the receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Rows of all resources, each with its earlier versions.
    pub rows: u64,
    /// Accounts, each with its balances.
    pub accounts: u64,
    /// Archived webhooks.
    pub webhooks: u64,
    /// Records of retrievals, which lose what may quote the rows, and expire.
    pub requests: u64,
}

/// What happens to the rows of a deleted link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDeletion {
    /// They stay.
    Keep,
    /// All stored transactions, accounts and balances of the link are erased, as a person may
    /// demand (LGPD, article 18, VI).
    Erase,
}

impl LinkRecord {
    /// A link about which nothing is known.
    #[must_use]
    pub fn new(id: LinkId) -> Self {
        Self {
            id,
            connection: Connection::default(),
            registered_at: None,
            requested_at: None,
            read_at: None,
            last_seen_at: None,
            checked_at: None,
            last_event: None,
            login_block: None,
            consent: Consent::default(),
            deletion: None,
            left_out: BTreeMap::new(),
            held_at: BTreeMap::new(),
            scrub_at: BTreeMap::new(),
            collected: BTreeMap::new(),
            asked: BTreeMap::new(),
            sequence: Sequence::default(),
            log: 0,
            collected_to: BTreeMap::new(),
            accounts_digest: None,
        }
    }

    /// Registers the link after its user came through the widget and Belvo was asked. That renews
    /// the consent, too. If nothing of the link was ever collected, its transactions are read after
    /// `due_s` seconds, whether or not a webhook has announced them; so is what was held of it.
    #[must_use]
    pub fn registered(mut self, connection: Connection, at: Timestamp, due_s: u32) -> Self {
        if !self.scrub_at.contains_key(Resource::TRANSACTIONS.name()) {
            self = self.read_again(Resource::TRANSACTIONS, at.plus_seconds(due_s.into()));
        }
        self.registered_at.get_or_insert(at);
        if connection.is_valid() {
            self.consent = Consent::default();
        }
        self.reading_of_held(at, due_s).refreshed(connection, at)
    }

    /// Records that Belvo was asked and has the link. Then it is not deleted, whatever was found
    /// before, as with another account's keys; and if Belvo calls it valid, it can be used.
    #[must_use]
    pub fn refreshed(mut self, connection: Connection, at: Timestamp) -> Self {
        self.read_at = Some(at);
        if let Some(deletion) = &mut self.deletion {
            deletion.deleted_at = None;
        }
        self.deletion
            .take_if(|deletion| deletion.requested_at.is_none() || deletion.erased_at.is_some());
        let reason = connection
            .status
            .as_deref()
            .and_then(BlockReason::of_status);
        self.login_block = match (reason, self.login_block) {
            (Some(reason), Some(known)) if known.reason == reason => Some(known),
            (Some(reason), _) => Some(Block { reason, since: at }),
            (None, _) => None,
        };
        if connection.is_valid() {
            self.consent.ended_at = None;
        }
        self.connection = connection;
        self
    }

    /// Applies a webhook of type `LINK` or `CONSENT`. `consent` is what a `CONSENT` webhook says.
    /// One that is older than the latest still counts where nothing newer is known.
    #[must_use]
    pub fn apply_event(mut self, event: LinkEvent, consent: Consent) -> Self {
        let (code, at) = (event.code.clone(), event.at);
        let is_consent = event.webhook_type == "CONSENT";
        let is_latest = self.last_event.as_ref().is_none_or(|known| known.at <= at);
        if is_latest {
            self.last_event = Some(event);
        }
        if self.is_deleted() {
            return self;
        }
        if is_consent && is_latest {
            self.consent.id = consent.id.or(self.consent.id);
            self.consent.due_date = consent.due_date.or(self.consent.due_date);
        }
        if code == CONSENT_EXTENDED {
            self.consent.ended_at.take_if(|ended_at| *ended_at <= at);
        }
        self.reported(&code, at)
    }

    /// Applies the code of a webhook, which may say nothing about the link. That the consent has
    /// ended is left to [`Self::consent_ended`]: a webhook is not enough for that.
    #[must_use]
    pub fn reported(mut self, code: &str, at: Timestamp) -> Self {
        // What Belvo has answered since is newer, and so is a later webhook.
        let is_older = |block: Block| block.since > at;
        if self.read_at >= Some(at) || self.login_block.is_some_and(is_older) {
            return self;
        }
        match BlockReason::of_code(code) {
            Some(BlockReason::ConsentExpired) | None => {}
            Some(reason) => self.login_block = Some(Block { reason, since: at }),
        }
        self
    }

    /// Applies the code with which Belvo refused a retrieval, which may say nothing about the link.
    #[must_use]
    pub fn refused(self, code: &str, at: Timestamp) -> Self {
        match BlockReason::of_code(code) {
            Some(BlockReason::ConsentExpired) => self.consent_ended(at),
            _ => self.reported(code, at),
        }
    }

    /// Records that the consent has ended.
    #[must_use]
    pub fn consent_ended(mut self, at: Timestamp) -> Self {
        self.consent.ended_at.get_or_insert(at);
        self
    }

    /// Notes a webhook about its rows, at most once an hour: without webhooks a registered link
    /// becomes stale, and what is recorded of an unknown one expires.
    #[must_use]
    pub fn seen(mut self, at: Timestamp) -> Self {
        let is_recent = |last_seen_at: Timestamp| at < last_seen_at.plus_seconds(SEEN_WITHIN_S);
        let is_noted = self.registered_at.is_some() || !self.is_known();
        if is_noted && !self.last_seen_at.is_some_and(is_recent) {
            self.last_seen_at = Some(at);
        }
        self
    }

    /// Records which rows a collection of these days left out. Rows of other days stay named.
    #[must_use]
    pub fn rows_left_out(mut self, resource: Resource, days: Days, rows: &[LeftOut]) -> Self {
        let mut named = self.left_out.remove(resource.name()).unwrap_or_default();
        if days == Days::ALL {
            named.clear();
        }
        let new = rows.iter().filter(|row| !named.contains(row)).cloned();
        let new: Vec<_> = new.collect();
        named.extend(new);
        named.truncate(NAMED);
        if !named.is_empty() {
            self.left_out.insert(resource.name().to_owned(), named);
        }
        self
    }

    /// Records that a collection that somebody asked for at a time has ended, with a failure or
    /// without.
    #[must_use]
    pub fn asked_ended(
        mut self,
        (resource, asked_at): (Resource, Timestamp),
        ended_at: Timestamp,
        failure: Option<&str>,
    ) -> Self {
        let known = self.asked.get(resource.name());
        if known.is_none_or(|known| known.asked_at <= asked_at) {
            let asked = AskedCollection {
                asked_at,
                ended_at,
                failure: failure.map(str::to_owned),
            };
            self.asked.insert(resource.name().to_owned(), asked);
        }
        self
    }

    /// Lets all rows of a resource be read again from time to time, after a collection of these
    /// days.
    #[must_use]
    pub fn scheduled(
        mut self,
        resource: Resource,
        days: Days,
        at: Timestamp,
        scrubs: ScrubPeriod,
    ) -> Self {
        if !self.is_known() {
            self.last_seen_at.get_or_insert(at);
        }
        if days == Days::ALL {
            self.scrub_at.remove(resource.name());
        }
        match scrubs.next(&self.id, at) {
            Some(next) => self.read_again(resource, next),
            None => self,
        }
    }

    /// Lets all rows of a resource be read again at this time, if not sooner.
    #[must_use]
    pub fn read_again(mut self, resource: Resource, at: Timestamp) -> Self {
        let scrub_at = self
            .scrub_at
            .entry(resource.name().to_owned())
            .or_insert(at);
        *scrub_at = at.min(*scrub_at);
        self
    }

    /// The resources with which a link that is due is checked: those of which all rows are to be
    /// read now, and its transactions if it is stale or its deletion is not confirmed.
    #[must_use]
    pub fn to_check(&self, now: Timestamp) -> Vec<Resource> {
        let mut resources = self.scrubs(now);
        if self.deletion.is_some() {
            resources.clear();
        }
        let is_stale = self.stale_at().is_some_and(|stale_at| stale_at <= now);
        if is_stale && !resources.contains(&Resource::TRANSACTIONS) {
            resources.push(Resource::TRANSACTIONS);
        }
        resources
    }

    fn scrubs(&self, now: Timestamp) -> Vec<Resource> {
        let due = self.scrub_at.iter().filter(|(_, at)| **at <= now);
        due.filter_map(|(name, _)| Resource::by_name(name))
            .collect()
    }

    /// Records that what was due in `seen`, an earlier reading of this record, has been queued.
    #[must_use]
    pub fn checked(mut self, seen: &Self, at: Timestamp, scrubs: ScrubPeriod) -> Self {
        if seen.stale_at().is_some_and(|stale_at| stale_at <= at) {
            self.checked_at = Some(at);
        }
        for resource in seen.scrubs(at) {
            let name = resource.name();
            if self.scrub_at.get(name) == seen.scrub_at.get(name) {
                self.scrub_at.remove(name);
                self = self.scheduled(resource, Days::DATED, at, scrubs);
            }
        }
        self
    }

    /// What the link has to be looked at for next, and when.
    #[must_use]
    pub fn due(&self) -> Option<(LinkDue, Timestamp)> {
        let stale_at = self.stale_at();
        if self.deletion.is_some() {
            return stale_at.map(|at| (LinkDue::Deletion, at));
        }
        let due_at = self.scrub_at.values().copied().chain(stale_at).min();
        due_at.map(|at| (LinkDue::Reading, at))
    }

    /// Records that its deletion was requested. Rows that are to be erased stay so, even if a later
    /// request asks to keep them.
    #[must_use]
    pub fn deletion_requested(mut self, rows: OnDeletion, at: Timestamp) -> Self {
        let deletion = self.deletion.get_or_insert(Deletion::of(rows));
        if rows == OnDeletion::Erase {
            deletion.rows = OnDeletion::Erase;
        }
        deletion.requested_at.get_or_insert(at);
        self
    }

    /// Records that Belvo accepted its deletion.
    #[must_use]
    pub fn deletion_accepted(mut self, id: &RequestId) -> Self {
        if let Some(deletion) = &mut self.deletion {
            deletion.request_id = Some(id.clone());
        }
        self
    }

    /// Records that Belvo no longer has it.
    #[must_use]
    pub fn deleted(mut self, at: Timestamp) -> Self {
        let deletion = self.deletion.get_or_insert(Deletion::of(OnDeletion::Keep));
        deletion.deleted_at.get_or_insert(at);
        self
    }

    /// Records what there is to erase, if its rows are to be erased and that is not known yet: what
    /// an interrupted erasure has taken already cannot be counted any more.
    #[must_use]
    pub fn erasing(mut self, erased: Erased) -> Self {
        if let Some(deletion) = &mut self.deletion
            && deletion.rows == OnDeletion::Erase
        {
            deletion.erased.get_or_insert(erased);
        }
        self
    }

    /// Whether its rows are to be erased once Belvo no longer has it, and were not counted yet.
    #[must_use]
    pub fn is_uncounted(&self) -> bool {
        let deletion = self.deletion.as_ref();
        deletion
            .is_some_and(|deletion| deletion.rows == OnDeletion::Erase && deletion.erased.is_none())
    }

    /// Whether its rows were erased.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        let deletion = self.deletion.as_ref();
        deletion.is_some_and(|deletion| deletion.erased_at.is_some())
    }

    /// Records that its rows were erased, and removes what could identify the person.
    #[must_use]
    pub fn erased(mut self, at: Timestamp) -> Self {
        let deletion = self.deletion.get_or_insert(Deletion::of(OnDeletion::Erase));
        deletion.erased_at.get_or_insert(at);
        self.connection.external_id = None;
        self.connection.customer = None;
        self.consent = Consent::default();
        self.left_out.clear();
        self.held_at.clear();
        self.scrub_at.clear();
        self.collected.clear();
        self.collected_to.clear();
        self.asked.clear();
        self
    }

    /// Whether nothing is sent for it until its user has acted, as far as is known.
    #[must_use]
    pub fn awaits_user(&self) -> bool {
        self.login_block.is_some() || self.consent.ended_at.is_some()
    }

    /// Why it cannot be used: the most final reason, if there are several.
    #[must_use]
    pub fn block(&self) -> Option<Block> {
        let deletion = self.deletion.as_ref().and_then(|deletion| {
            match (deletion.deleted_at, deletion.requested_at) {
                (Some(since), _) => Some(Block {
                    reason: BlockReason::Deleted,
                    since,
                }),
                (None, Some(since)) => Some(Block {
                    reason: BlockReason::Deleting,
                    since,
                }),
                (None, None) => None,
            }
        });
        let consent = self.consent.ended_at.map(|since| Block {
            reason: BlockReason::ConsentExpired,
            since,
        });
        deletion.or(consent).or(self.login_block)
    }

    /// Whether Belvo no longer has it.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deletion
            .as_ref()
            .is_some_and(|deletion| deletion.deleted_at.is_some())
    }

    /// Whether it is deleted because that was requested, so that it will not reappear.
    #[must_use]
    pub fn is_deleted_for_good(&self) -> bool {
        self.is_deleted()
            && self
                .deletion
                .as_ref()
                .is_some_and(|deletion| deletion.requested_at.is_some())
    }

    /// Whether its rows are to be erased now.
    #[must_use]
    pub fn awaits_erasure(&self) -> bool {
        self.deletion.as_ref().is_some_and(|deletion| {
            deletion.rows == OnDeletion::Erase
                && deletion.deleted_at.is_some()
                && deletion.erased_at.is_none()
        })
    }

    /// When it becomes stale: a deletion that Belvo has not confirmed, or a recurrent link without
    /// a webhook for two refresh periods. The webhook may be lost, or the bank may be closed. A
    /// link is checked once for that, and again only after it was seen.
    #[must_use]
    pub fn stale_at(&self) -> Option<Timestamp> {
        if let Some(deletion) = &self.deletion {
            let since = match deletion.deleted_at {
                None => deletion.requested_at?,
                Some(deleted_at) if self.awaits_erasure() => deleted_at,
                Some(_) => return None,
            };
            let checked_at = self.checked_at.unwrap_or(since);
            return Some(checked_at.max(since).plus_seconds(DELETION_CHECK_S));
        }

        self.silent_at().filter(|_| !self.is_stale())
    }

    /// When Belvo is expected to refresh it next, if it does so by itself.
    #[must_use]
    pub fn expected_at(&self) -> Option<Timestamp> {
        let (last_seen_at, period_s) = self.refreshes()?;
        Some(last_seen_at.plus_seconds(period_s))
    }

    /// Whether it was found stale, and no webhook has come since.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let silent_at = self.silent_at();
        silent_at.is_some_and(|at| self.checked_at.is_some_and(|checked_at| at <= checked_at))
    }

    /// When a recurrent link has had no webhook for two refreshes.
    fn silent_at(&self) -> Option<Timestamp> {
        let (last_seen_at, period_s) = self.refreshes()?;
        Some(last_seen_at.plus_seconds(2 * period_s))
    }

    /// When a recurrent link was last seen, and how many seconds are between two refreshes.
    fn refreshes(&self) -> Option<(Timestamp, i64)> {
        if self.deletion.is_some() {
            return None;
        }
        self.registered_at?;
        let period_s = refresh_period_s(self.connection.refresh_rate.as_deref()?)?;
        Some((self.registered_at.max(self.last_seen_at)?, period_s))
    }

    /// Whose retrievals are counted together with its own: its customer's once it is registered.
    #[must_use]
    pub fn quota_holder(&self) -> QuotaHolder {
        let customer = self
            .connection
            .customer
            .as_deref()
            .filter(|_| self.registered_at.is_some());
        match customer {
            Some(customer) => QuotaHolder::customer(customer, self.id.clone()),
            None => (&self.id).into(),
        }
    }
}

/// How long Belvo has sent no webhook about any of these links, as a share of the shortest time
/// between two refreshes of one: above 100, at least one of them is overdue and none was refreshed.
/// Only links count that were registered for longer than that time, and whose user need not act.
/// `None` if there are none.
#[must_use]
pub fn silence_percent(links: &[LinkRecord], now: Timestamp) -> Option<u64> {
    let overdue = links.iter().filter_map(|link| {
        let (_, period_s) = link.refreshes().filter(|_| !link.awaits_user())?;
        let is_old = link.registered_at?.plus_seconds(period_s) <= now;
        is_old.then_some((link, period_s))
    });
    let (first, period_s) = overdue.min_by_key(|(_, period_s)| *period_s)?;
    let seen = links.iter().filter_map(|link| link.last_seen_at).max();
    let since = seen.max(first.registered_at)?;
    Some(now.seconds_since(since) * 100 / u64::try_from(period_s).ok()?)
}

/// Why a link has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkDue {
    /// Its deletion is not confirmed.
    Deletion,
    /// All its rows are to be read: their turn has come, or it is stale.
    Reading,
}

impl Connection {
    /// Whether Belvo says that the link can be used.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.status.as_deref() == Some("valid")
    }
}

/// Belvo's codes for a consent that ends soon. Its pages disagree on such names.
const CONSENT_EXPIRING: [&str; 2] = [
    "consent_about_to_expire",
    "openfinance_consent_about_to_expire",
];
/// Belvo's code for a consent whose end has been moved.
const CONSENT_EXTENDED: &str = "openfinance_consent_expiration_changed";

impl LinkEvent {
    /// Whether it says that the consent ends soon.
    #[must_use]
    pub fn is_of_expiring_consent(&self) -> bool {
        self.webhook_type == "CONSENT" && CONSENT_EXPIRING.contains(&self.code.as_str())
    }
}

impl Consent {
    /// Whether nothing is known about it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl Deletion {
    /// A deletion that has not begun.
    #[must_use]
    pub fn of(rows: OnDeletion) -> Self {
        Self {
            rows,
            requested_at: None,
            request_id: None,
            deleted_at: None,
            erased: None,
            erased_at: None,
        }
    }
}

impl OnDeletion {
    /// `keep` or `erase`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "keep" => Some(Self::Keep),
            "erase" => Some(Self::Erase),
            _ => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The seconds of a `refresh_rate`, such as `6h` or `7d`.
fn refresh_period_s(rate: &str) -> Option<i64> {
    let (number, unit) = rate.split_at_checked(rate.len().checked_sub(1)?)?;
    let unit_s = match unit {
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number
        .parse::<i64>()
        .ok()
        .filter(|number| (1..=366).contains(number))
        .map(|number| number * unit_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUE_S: u32 = 1_800;
    const WEEKLY: ScrubPeriod = ScrubPeriod::of_days(7);
    const OFF: ScrubPeriod = ScrubPeriod::of_days(0);
    const ROWS: Resource = Resource::TRANSACTIONS;

    fn at(hour: i64) -> Timestamp {
        Timestamp::parse("2026-03-01T00:00:00Z")
            .unwrap()
            .plus_seconds(hour * 3_600)
    }

    fn connection(status: &str) -> Connection {
        Connection {
            status: Some(status.to_owned()),
            refresh_rate: Some("24h".to_owned()),
            customer: Some("user".to_owned()),
            ..Connection::default()
        }
    }

    fn link() -> LinkRecord {
        let id = LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap();
        LinkRecord::new(id).registered(connection("valid"), at(0), DUE_S)
    }

    fn event(webhook_type: &str, code: &str, hour: i64) -> LinkEvent {
        LinkEvent {
            webhook_type: webhook_type.to_owned(),
            code: code.to_owned(),
            at: at(hour),
        }
    }

    fn apply_event(record: LinkRecord, webhook_type: &str, code: &str, hour: i64) -> LinkRecord {
        record.apply_event(event(webhook_type, code, hour), Consent::default())
    }

    fn reason(record: &LinkRecord) -> Option<BlockReason> {
        record.block().map(|block| block.reason)
    }

    #[test]
    fn webhooks_are_missing_when_not_even_the_link_that_is_refreshed_most_often_has_one() {
        let registered = |rate: &str, hour| {
            let connection = Connection {
                refresh_rate: Some(rate.to_owned()),
                ..connection("valid")
            };
            let id = LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap();
            LinkRecord::new(id).registered(connection, at(hour), DUE_S)
        };
        let (daily, monthly) = (registered("24h", 0), registered("30d", 0));
        let percent = |links: &[LinkRecord], hour| silence_percent(links, at(hour));
        assert_eq!(percent(&[], 48), None);
        assert_eq!(
            percent(&[registered("24h", 40)], 48),
            None,
            "too young to tell"
        );
        assert_eq!(percent(std::slice::from_ref(&daily), 36), Some(150));
        let mixed = [daily.clone(), monthly.clone(), registered("24h", 40)];
        assert_eq!(percent(&mixed, 48), Some(200));
        let heard = monthly.seen(at(42));
        assert_eq!(percent(&[daily, heard], 48), Some(25), "webhooks arrive");
    }

    #[test]
    fn events_that_need_the_user_block_a_link_until_belvo_calls_it_valid() {
        for (code, expected) in [
            ("invalid_credentials", BlockReason::InvalidCredentials),
            ("token_required", BlockReason::TokenRequired),
        ] {
            let blocked = apply_event(link(), "LINK", code, 1);
            assert_eq!(
                blocked.block(),
                Some(Block {
                    reason: expected,
                    since: at(1)
                })
            );
            assert_eq!(
                reason(&blocked.clone().refreshed(connection("invalid"), at(2))),
                Some(BlockReason::InvalidCredentials)
            );
            assert_eq!(reason(&blocked.refreshed(connection("valid"), at(2))), None);
        }
    }

    #[test]
    fn a_consent_that_ended_blocks_until_it_is_renewed_or_belvo_calls_the_link_valid() {
        for code in ["consent_expired", "openfinance_consent_expired"] {
            let reported = apply_event(link(), "CONSENT", code, 1);
            assert_eq!(reason(&reported), None, "a webhook alone: {code}");
            let blocked = link().refused(code, at(1));
            assert_eq!(
                reason(&blocked),
                Some(BlockReason::ConsentExpired),
                "{code}"
            );
            let read = |status| blocked.clone().refreshed(connection(status), at(2));
            let ended = Some(BlockReason::ConsentExpired);
            assert_eq!(
                (reason(&read("invalid")), reason(&read("valid"))),
                (ended, None)
            );
            let extended = apply_event(blocked.clone(), "CONSENT", CONSENT_EXTENDED, 2);
            assert_eq!(reason(&extended), None);
            let registered = blocked.registered(connection("valid"), at(2), DUE_S);
            assert_eq!(reason(&registered), None);
        }
    }

    #[test]
    fn a_webhook_that_is_collected_after_the_check_makes_a_link_no_longer_stale() {
        let due = link();
        assert_eq!(due.expected_at(), Some(at(24)));
        assert_eq!((due.stale_at(), due.is_stale()), (Some(at(48)), false));
        // Its webhook came an hour before, and its collection takes long.
        let checked = due.clone().checked(&due, at(48), WEEKLY);
        assert_eq!((checked.stale_at(), checked.is_stale()), (None, true));
        let seen = checked.seen(at(47));
        assert_eq!((seen.stale_at(), seen.is_stale()), (Some(at(95)), false));
        assert_eq!(seen.expected_at(), Some(at(71)));
    }

    #[test]
    fn a_consent_that_is_about_to_end_blocks_nothing() {
        let consent = Consent {
            due_date: Some("2026-03-08T10:45:58.000Z".to_owned()),
            ..Consent::default()
        };
        let record = link().apply_event(
            event("CONSENT", "openfinance_consent_about_to_expire", 1),
            consent.clone(),
        );
        assert_eq!((record.block(), record.consent), (None, consent));
    }

    #[test]
    fn only_webhooks_about_the_consent_say_that_it_is_about_to_end() {
        let code = "openfinance_consent_about_to_expire";
        assert!(event("CONSENT", code, 1).is_of_expiring_consent());
        assert!(event("CONSENT", "consent_about_to_expire", 1).is_of_expiring_consent());
        assert!(!event("CONSENT", "consent_expired", 1).is_of_expiring_consent());
        assert!(!event("LINK", code, 1).is_of_expiring_consent());
    }

    #[test]
    fn an_older_event_does_not_undo_a_newer_one() {
        let ended = link().consent_ended(at(5));
        let extended_before = apply_event(ended, "CONSENT", CONSENT_EXTENDED, 4);
        assert_eq!(reason(&extended_before), Some(BlockReason::ConsentExpired));

        let newer = apply_event(link(), "LINK", "invalid_credentials", 5);
        let older = apply_event(newer.clone(), "LINK", "token_required", 4);
        assert_eq!(older, newer);
    }

    #[test]
    fn an_older_event_says_nothing_new_about_the_consent() {
        let with_due_date = |due_date: &str| Consent {
            due_date: Some(due_date.to_owned()),
            ..Consent::default()
        };
        let newer = link().apply_event(event("CONSENT", "other", 5), with_due_date("new"));
        let older = newer
            .clone()
            .apply_event(event("CONSENT", "other", 4), with_due_date("old"));
        assert_eq!(older, newer);
        let not_about_it = newer
            .clone()
            .apply_event(event("LINK", "other", 6), with_due_date("none"));
        assert_eq!(not_about_it.consent, newer.consent);
    }

    #[test]
    fn of_two_events_of_one_instant_the_last_counts() {
        let first = apply_event(link(), "LINK", "invalid_credentials", 5);
        let second = apply_event(first, "LINK", "token_required", 5);
        assert_eq!(reason(&second), Some(BlockReason::TokenRequired));
    }

    #[test]
    fn a_link_that_stays_blocked_is_blocked_since_it_was_found() {
        let found = link().refreshed(connection("invalid"), at(1));
        let again = found.clone().refreshed(connection("invalid"), at(2));
        assert_eq!(again.block(), found.block());
        let otherwise = found.refreshed(connection("token_required"), at(2));
        assert_eq!(otherwise.block().unwrap().since, at(2));
    }

    #[test]
    fn a_late_event_counts_where_nothing_newer_is_known() {
        let about_to_expire = "openfinance_consent_about_to_expire";
        let newer = apply_event(link(), "CONSENT", about_to_expire, 5);
        let late = apply_event(newer.clone(), "LINK", "token_required", 4);
        assert_eq!(reason(&late), Some(BlockReason::TokenRequired));
        assert_eq!(late.last_event, newer.last_event);
    }

    #[test]
    fn a_refusal_blocks_only_if_it_is_about_the_link() {
        assert_eq!(
            reason(&link().refused("invalid_link", at(1))),
            Some(BlockReason::InvalidCredentials)
        );
        assert_eq!(link().refused("login_error", at(1)), link());
        assert_eq!(link().refused("institution_down", at(1)), link());
    }

    #[test]
    fn a_link_is_stale_after_two_refresh_periods() {
        assert_eq!(link().stale_at(), Some(at(48)));
        assert_eq!(link().seen(at(10)).stale_at(), Some(at(58)));
        let checked = link().checked(&link(), at(50), OFF);
        assert_eq!(checked.stale_at(), None, "it is checked once");
        assert_eq!(checked.seen(at(60)).stale_at(), Some(at(108)));
        let single = Connection {
            refresh_rate: None,
            ..connection("valid")
        };
        assert_eq!(link().refreshed(single, at(1)).stale_at(), None);
        assert_eq!(LinkRecord::new(link().id).stale_at(), None);
        assert_eq!(
            [
                refresh_period_s("7d"),
                refresh_period_s("d"),
                refresh_period_s("")
            ],
            [Some(604_800), None, None]
        );
    }

    #[test]
    fn the_collection_that_was_asked_for_last_is_shown() {
        let ended = |record: LinkRecord, asked: i64, failure: Option<&str>| {
            record.asked_ended((ROWS, at(asked)), at(9), failure)
        };
        let shown = |record: &LinkRecord| record.asked[ROWS.name()].clone();
        let first = ended(link(), 2, None);
        assert_eq!(
            shown(&first),
            AskedCollection {
                asked_at: at(2),
                ended_at: at(9),
                failure: None,
            }
        );
        assert_eq!(
            shown(&ended(first.clone(), 1, Some("gave_up"))),
            shown(&first)
        );
        for asked in [2, 3] {
            let later = shown(&ended(first.clone(), asked, Some("gave_up")));
            let found = (later.asked_at, later.failure.as_deref());
            assert_eq!(found, (at(asked), Some("gave_up")));
        }
    }

    #[test]
    fn a_registered_link_that_was_never_collected_is_read_after_the_due_time() {
        let soon = at(0).plus_seconds(DUE_S.into());
        assert_eq!(link().due(), Some((LinkDue::Reading, soon)));
        let read = link().checked(&link(), soon, OFF);
        assert_eq!(read.due(), Some((LinkDue::Reading, at(48))), "once");
        let read = link().checked(&link(), soon, WEEKLY);
        assert_eq!(
            read.scrub_at[ROWS.name()],
            WEEKLY.next(&read.id, soon).unwrap()
        );

        let collected = link().scheduled(ROWS, Days::ALL, at(0), OFF);
        assert_eq!(collected.due(), Some((LinkDue::Reading, at(48))));
        let partly = link().scheduled(ROWS, Days::DATED, at(0), WEEKLY);
        assert_eq!(partly.due(), Some((LinkDue::Reading, soon)));
        let invoices = Resource::by_name("invoices").unwrap();
        let of_invoices = LinkRecord::new(link().id)
            .scheduled(invoices, Days::ALL, at(0), WEEKLY)
            .registered(connection("valid"), at(0), DUE_S);
        assert_eq!(of_invoices.due(), Some((LinkDue::Reading, soon)));
    }

    #[test]
    fn every_resource_that_was_collected_is_read_again_once_in_a_period() {
        let invoices = Resource::by_name("invoices").unwrap();
        let record = LinkRecord::new(link().id)
            .scheduled(ROWS, Days::ALL, at(0), WEEKLY)
            .scheduled(invoices, Days::ALL, at(0), WEEKLY);
        let (due, first) = record.due().unwrap();
        assert_eq!(due, LinkDue::Reading);
        assert!(first > at(0) && first <= at(7 * 24));
        assert!(record.to_check(first.plus_seconds(-1)).is_empty());
        assert_eq!(record.to_check(first), [invoices, ROWS]);

        let unchanged = record.clone().scheduled(ROWS, Days::ALL, at(0), WEEKLY);
        assert_eq!(unchanged, record, "nothing to write before its time");
        let daily = ScrubPeriod::of_days(1);
        let shorter = record.clone().scheduled(ROWS, Days::DATED, at(0), daily);
        assert!(shorter.scrub_at[ROWS.name()] <= at(24));

        let checked = record.clone().checked(&record, first, WEEKLY);
        assert_eq!(checked.due(), Some((due, first.plus_seconds(7 * 86_400))));
        assert_eq!(
            checked.clone().checked(&checked, at(9_999), OFF).due(),
            None
        );
        assert_eq!(checked.deleted(first).due(), None);
    }

    #[test]
    fn what_has_become_due_since_a_sweep_read_a_link_stays_due() {
        let seen = link().scheduled(ROWS, Days::ALL, at(0), WEEKLY);
        let since = seen.clone().read_again(ROWS, at(1));
        assert_eq!(since.clone().checked(&seen, at(2), WEEKLY), since);
    }

    #[test]
    fn a_stale_link_is_checked_with_its_transactions_and_what_else_is_due() {
        let invoices = Resource::by_name("invoices").unwrap();
        let record = link()
            .scheduled(ROWS, Days::ALL, at(47), WEEKLY)
            .read_again(invoices, at(48));
        assert_eq!(record.to_check(at(47)), []);
        assert_eq!(record.to_check(at(48)), [invoices, ROWS]);
        let deleting = record.deletion_requested(OnDeletion::Keep, at(48));
        assert_eq!(deleting.to_check(at(48)), []);
        assert_eq!(deleting.to_check(at(49)), [ROWS]);
    }

    #[test]
    fn a_link_is_read_again_at_the_earlier_of_two_times() {
        let record = link().scheduled(ROWS, Days::ALL, at(0), WEEKLY);
        let sooner = record.read_again(ROWS, at(1));
        assert_eq!(sooner.due(), Some((LinkDue::Reading, at(1))));
        assert_eq!(sooner.clone().read_again(ROWS, at(2)), sooner);
    }

    #[test]
    fn last_seen_at_is_written_once_an_hour() {
        let seen = link().seen(at(1));
        assert_eq!(seen.clone().seen(at(1).plus_seconds(600)), seen);
        assert_eq!(seen.seen(at(2)).last_seen_at, Some(at(2)));
    }

    #[test]
    fn a_deletion_is_checked_until_it_is_confirmed_and_done() {
        let mut record = link();
        record = record.deletion_requested(OnDeletion::Erase, at(1));
        assert_eq!(
            record.clone().deletion_requested(OnDeletion::Keep, at(2)),
            record,
            "what was to be erased is erased"
        );
        assert_eq!(
            (reason(&record), record.stale_at()),
            (Some(BlockReason::Deleting), Some(at(1).plus_seconds(1_800)))
        );
        let record = record.deleted(at(2));
        assert!(record.awaits_erasure() && record.stale_at().is_some());
        assert!(!record.is_erased());
        let record = record.erased(at(3));
        assert!(!record.awaits_erasure() && record.is_erased());
        assert_eq!(
            (reason(&record), record.stale_at()),
            (Some(BlockReason::Deleted), None)
        );
        assert_eq!(
            (&record.connection.external_id, &record.connection.customer),
            (&None, &None)
        );
        assert_eq!(
            link().deleted(at(2)).stale_at(),
            None,
            "rows of a link that others deleted stay"
        );
    }

    #[test]
    fn a_deletion_keeps_the_rows_unless_they_are_to_be_erased() {
        let rows = |record: &LinkRecord| record.deletion.as_ref().unwrap().rows;
        let kept = link().deletion_requested(OnDeletion::Keep, at(1));
        assert_eq!(rows(&kept), OnDeletion::Keep);
        let erased = kept.deletion_requested(OnDeletion::Erase, at(2));
        assert_eq!(rows(&erased), OnDeletion::Erase);
    }

    #[test]
    fn what_is_erased_is_counted_once_and_before_any_of_it_is_gone() {
        let found = Erased {
            rows: 7,
            ..Erased::default()
        };
        let receipt = |record: &LinkRecord| record.deletion.as_ref().unwrap().erased;
        let deleted = |rows| link().deletion_requested(rows, at(1)).deleted(at(2));

        let uncounted = deleted(OnDeletion::Erase);
        assert!(uncounted.is_uncounted());
        let counted = uncounted.erasing(found);
        assert!(!counted.is_uncounted());
        assert_eq!(receipt(&counted), Some(found));
        assert_eq!(receipt(&counted.erasing(Erased::default())), Some(found));

        let kept = deleted(OnDeletion::Keep);
        assert!(!kept.is_uncounted() && !link().is_uncounted());
        assert_eq!(receipt(&kept.erasing(found)), None);
    }

    #[test]
    fn a_link_that_belvo_has_again_is_not_deleted() {
        let found_gone = link().deleted(at(1));
        assert_eq!(reason(&found_gone), Some(BlockReason::Deleted));
        assert_eq!(
            found_gone.refreshed(connection("valid"), at(2)).deletion,
            None
        );
        let requested = link()
            .deletion_requested(OnDeletion::Keep, at(1))
            .deleted(at(2))
            .refreshed(connection("valid"), at(3));
        assert_eq!(reason(&requested), Some(BlockReason::Deleting));
    }

    #[test]
    fn only_a_deletion_that_was_requested_is_for_good() {
        let requested = link().deletion_requested(OnDeletion::Keep, at(1));
        assert!(!requested.is_deleted_for_good(), "Belvo still has it");
        assert!(requested.deleted(at(2)).is_deleted_for_good());
        assert!(!link().deleted(at(2)).is_deleted_for_good());
        assert!(!link().is_deleted_for_good());
    }

    #[test]
    fn a_link_awaits_its_user_who_has_to_log_in_or_to_renew_the_consent() {
        assert!(!link().awaits_user());
        assert!(apply_event(link(), "LINK", "token_required", 1).awaits_user());
        assert!(link().consent_ended(at(1)).awaits_user());
    }

    #[test]
    fn belvos_answer_outweighs_older_webhooks() {
        let repaired = link().refreshed(connection("valid"), at(5));
        assert_eq!(
            apply_event(repaired.clone(), "LINK", "invalid_credentials", 4).block(),
            None
        );
        assert_eq!(repaired.clone().refused("invalid_link", at(4)), repaired);
        assert!(
            apply_event(repaired, "LINK", "invalid_credentials", 6)
                .block()
                .is_some()
        );
    }

    #[test]
    fn an_erased_link_learns_nothing_more_about_its_user() {
        let consent = Consent {
            id: Some("c".to_owned()),
            ..Consent::default()
        };
        let erased = link()
            .deletion_requested(OnDeletion::Erase, at(1))
            .deleted(at(2))
            .erased(at(3));
        assert_eq!(
            erased
                .apply_event(event("CONSENT", "consent_expired", 4), consent)
                .consent,
            Consent::default()
        );
    }

    #[test]
    fn links_of_one_customer_are_counted_together() {
        let mut other =
            LinkRecord::new(LinkId::parse("00000000-0000-4000-8000-000000000000").unwrap());
        let counted_as = |link: &LinkRecord| link.quota_holder().to_string();
        assert_ne!(counted_as(&link()), counted_as(&other));
        other = other.registered(connection("valid"), at(0), DUE_S);
        assert_eq!(counted_as(&link()), counted_as(&other));
    }

    #[test]
    fn a_record_survives_json() {
        let mut record = apply_event(link(), "LINK", "token_required", 1);
        record.log = 7;
        record.consent.due_date = Some("2026-03-08".to_owned());
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(serde_json::from_value::<LinkRecord>(json).unwrap(), record);
    }

    #[test]
    fn what_is_not_known_of_a_link_is_not_stored() {
        let stored = serde_json::to_value(LinkRecord::new(link().id)).unwrap();
        assert_eq!(stored, serde_json::json!({"id": link().id}));
    }

    #[test]
    fn rows_of_a_deleted_link_are_kept_or_erased() {
        assert_eq!(
            ["keep", "erase", "ask"].map(OnDeletion::parse),
            [Some(OnDeletion::Keep), Some(OnDeletion::Erase), None]
        );
    }

    #[test]
    fn a_row_that_was_left_out_is_named_until_a_collection_of_all_days_stores_it() {
        let row = |id: &str| LeftOut::refused(crate::RowId::parse(id).unwrap());
        let id = LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap();
        let named = |record: &LinkRecord| record.left_out.get("transactions").cloned();
        let resource = Resource::TRANSACTIONS;

        let record = LinkRecord::new(id).rows_left_out(resource, Days::ALL, &[row("a")]);
        assert_eq!(named(&record), Some(vec![row("a")]));
        let record = record.rows_left_out(resource, Days::DATED, &[row("b")]);
        assert_eq!(named(&record), Some(vec![row("a"), row("b")]));
        let record = record.rows_left_out(resource, Days::ALL, &[row("b")]);
        assert_eq!(named(&record), Some(vec![row("b")]));
        let record = record.rows_left_out(resource, Days::ALL, &[]);
        assert_eq!(named(&record), None);
    }
}
