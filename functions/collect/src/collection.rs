//! One collection: from a notification to stored rows.

use std::collections::{HashMap, HashSet};

use lambda_runtime::tracing;
use serde_json::Value;
use shared::{
    belvo::{BelvoError, Scope, Subject},
    domain::{
        Account, AccountId, Collection, Failure, LinkId, Plan, RequestId, RequestRecord, Resource, Stored, Timestamp,
        Transaction,
    },
    queue::Delivery,
    store::{Event, Notified, Observation},
};

use crate::{Collect, CollectError};

/// How often a window is fetched in all when a fetch does not bring what Belvo counted: rows that appear while pages are
/// read shift the later pages, and the next fetch then finds them in place.
const FETCHES: usize = 3;

/// Does what a webhook asks for. May be repeated at any point: facts are recorded once, and rows that are stored already
/// are not written again.
pub(crate) async fn run(collect: &Collect, delivery: &Delivery) -> Result<(), CollectError> {
    let resource = match &delivery.notification.subject {
        Subject::Rows(resource) => *resource,
        Subject::Other(webhook_type) => return keep(collect, delivery, webhook_type).await,
    };
    let record = notified(collect, delivery, resource).await?;
    let outcome = match delivery.notification.failure() {
        Some(failure) => Err(failure),
        None => {
            match fetch(collect, &scope(resource, delivery, record.as_ref()), delivery.notification.request_id.clone())
                .await
            {
                Ok(collection) => Ok(collection),
                // A refusal ends the request; every other error lets the message come back.
                Err(CollectError::Belvo(BelvoError::Rejected { code, message, .. })) => Err(Failure { code, message }),
                Err(error) => return Err(error),
            }
        }
    };
    conclude(collect, delivery, resource, record.as_ref(), outcome).await
}

/// Records that the webhook came, if it names a request.
async fn notified(
    collect: &Collect,
    delivery: &Delivery,
    resource: Resource,
) -> Result<Option<RequestRecord>, CollectError> {
    let Some(id) = delivery.notification.request_id.clone() else { return Ok(None) };
    let notified = Notified {
        id,
        link: delivery.notification.link.clone(),
        resource,
        code: delivery.notification.code.clone(),
        declared: delivery.notification.declared(),
        at: delivery.received_at,
    };
    Ok(Some(collect.requests.notified(&notified).await?))
}

/// Which rows a webhook is about: those its request asked for, or, when the request is not one of ours, all of the
/// link's.
fn scope(resource: Resource, delivery: &Delivery, record: Option<&RequestRecord>) -> Scope {
    Scope {
        resource,
        link: delivery.notification.link.clone(),
        window: record.and_then(|record| record.window),
        account: record.and_then(|record| record.account.clone()),
    }
}

/// Records how a retrieval ended. A failure that names no request is kept as an event.
async fn conclude(
    collect: &Collect,
    delivery: &Delivery,
    resource: Resource,
    record: Option<&RequestRecord>,
    outcome: Result<Collection, Failure>,
) -> Result<(), CollectError> {
    match (&outcome, record) {
        (Ok(collection), Some(record)) => collect.requests.collected(&record.id, collection).await?,
        (Ok(_), None) => {}
        (Err(failure), Some(record)) => collect.requests.failed(&record.id, failure, Timestamp::now()).await?,
        (Err(_), None) => keep(collect, delivery, resource.webhook_type()).await?,
    }
    log_outcome(delivery, &outcome);
    Ok(())
}

/// Keeps a webhook that asks for no collection: an unknown type, an event of a link or a consent, a failure that names
/// no request.
async fn keep(collect: &Collect, delivery: &Delivery, webhook_type: &str) -> Result<(), CollectError> {
    let notification = &delivery.notification;
    let event = Event {
        delivery_id: delivery.id.clone(),
        link: notification.link.clone(),
        webhook_type: webhook_type.to_owned(),
        webhook_code: notification.code.clone(),
        request_id: notification.request_id.clone(),
        received_at: delivery.received_at,
        body: delivery.webhook.get().to_owned(),
    };
    collect.requests.event(&event).await?;
    tracing::info!(
        correlation.id = delivery.correlation_id,
        link.id = notification.link.as_str(),
        webhook.r#type = webhook_type,
        webhook.code = notification.code,
        "webhook recorded"
    );
    Ok(())
}

/// Fetches a scope and stores what is new or changed, page by page, until a fetch brings what Belvo counts. Only such a
/// fetch proves that a row is gone.
async fn fetch(collect: &Collect, scope: &Scope, request: Option<RequestId>) -> Result<Collection, CollectError> {
    let mut walk = Walk::begin(collect, scope, request).await?;
    for _ in 0..FETCHES {
        walk.once(collect, scope).await?;
        if walk.is_whole() {
            walk.bury(collect, scope).await?;
            break;
        }
    }
    Ok(walk.collection())
}

/// The fetches of one scope: what is known of the store, and what they have brought.
struct Walk {
    started_at: Timestamp,
    request: Option<RequestId>,
    plan: Plan,
    deleted: u64,
    accounts: Accounts,
    pages: u64,
    /// Belvo's count on the first and on the last page of the latest fetch. They differ if rows came or went meanwhile.
    counts: (u64, u64),
}

impl Walk {
    async fn begin(collect: &Collect, scope: &Scope, request: Option<RequestId>) -> Result<Self, CollectError> {
        let started_at = Timestamp::now();
        let stored = collect.transactions.stored(&scope.link, scope.window.as_ref(), scope.account.as_ref()).await?;
        let accounts = Accounts::stored(collect, &scope.link).await?;
        Ok(Self { started_at, request, plan: Plan::new(stored), deleted: 0, accounts, pages: 0, counts: (0, 0) })
    }

    /// Fetches every page once.
    async fn once(&mut self, collect: &Collect, scope: &Scope) -> Result<(), CollectError> {
        self.plan.start_over();
        let mut page = collect.belvo.first_page(scope).await?;
        self.counts.0 = page.count;
        loop {
            self.pages += 1;
            self.counts.1 = page.count;
            let known = self.plan.distinct();
            self.store(collect, scope, page.rows).await?;
            let Some(next) = page.next else { return Ok(()) };
            if self.plan.distinct() == known {
                // Such pages could go on for ever.
                return Err(BelvoError::Unreadable("next, after a page without a new row").into());
            }
            page = collect.belvo.next_page(&next).await?;
        }
    }

    /// Stores what is new or changed of a page. A row that cannot be stored (Belvo promises an `id`) is left out, so that
    /// the others are not lost; the rows then are fewer than counted, and the verdict says so.
    async fn store(&mut self, collect: &Collect, scope: &Scope, rows: Vec<Value>) -> Result<(), CollectError> {
        let mut transactions = Vec::with_capacity(rows.len());
        for row in rows {
            match Transaction::parse(row) {
                Ok((transaction, account)) => {
                    self.accounts.note(account);
                    transactions.push(transaction);
                }
                Err(error) => tracing::error!(link.id = scope.link.as_str(), cause = %error, "row left out"),
            }
        }
        let seen = self.observation();
        collect.transactions.put_accounts(&scope.link, &self.accounts.take_changed(), seen.at).await?;
        collect.transactions.put(&scope.link, &self.plan.changes(transactions), &seen).await?;
        Ok(())
    }

    /// Marks what a whole fetch did not bring. An empty listing proves nothing: Belvo answers so before its data is ready
    /// ("will return empty or incomplete results", `fetch_resources` in Belvo's OpenAPI).
    async fn bury(&mut self, collect: &Collect, scope: &Scope) -> Result<(), CollectError> {
        let vanished = if self.plan.distinct() > 0 { self.plan.vanished() } else { Vec::new() };
        collect.transactions.bury(&scope.link, &vanished, &self.observation()).await?;
        self.deleted = vanished.len() as u64;
        Ok(())
    }

    fn observation(&self) -> Observation {
        Observation { at: Timestamp::now(), request: self.request.clone() }
    }

    /// Whether the latest fetch brought as many rows as Belvo counted, and Belvo's count stood still meanwhile.
    fn is_whole(&self) -> bool {
        self.counts.0 == self.counts.1 && self.plan.distinct() == self.counts.1
    }

    fn collection(&self) -> Collection {
        Collection {
            started_at: self.started_at,
            finished_at: Timestamp::now(),
            pages: self.pages,
            rows: self.plan.distinct(),
            // Of two counts the larger: what may be missing counts as missing.
            counted: self.counts.0.max(self.counts.1),
            new: self.plan.new,
            changed: self.plan.changed,
            unchanged: self.plan.unchanged,
            revived: self.plan.revived,
            deleted: self.deleted,
            accounts: self.accounts.seen.len() as u64,
        }
    }
}

/// A link's accounts: what is stored of them, and what the rows of a fetch say.
struct Accounts {
    known: HashMap<AccountId, Stored>,
    seen: HashSet<AccountId>,
    changed: HashMap<AccountId, Account>,
}

impl Accounts {
    async fn stored(collect: &Collect, link: &LinkId) -> Result<Self, CollectError> {
        let known = collect.transactions.stored_accounts(link).await?;
        Ok(Self { known, seen: HashSet::new(), changed: HashMap::new() })
    }

    /// Takes note of the account a row carries. Rows of one account carry it equal; of two versions the one that Belvo
    /// collected later counts.
    fn note(&mut self, account: Option<Account>) {
        let Some(account) = account else { return };
        let version = Stored { digest: account.digest(), collected_at: account.collected_at(), deleted: false };
        let news = self.known.get(account.id()).is_none_or(|known| version.replaces(known));
        self.seen.insert(account.id().clone());
        if news {
            self.known.insert(account.id().clone(), version);
            self.changed.insert(account.id().clone(), account);
        }
    }

    /// The accounts to write since the last call.
    fn take_changed(&mut self) -> Vec<Account> {
        std::mem::take(&mut self.changed).into_values().collect()
    }
}

fn log_outcome(delivery: &Delivery, outcome: &Result<Collection, Failure>) {
    let (correlation_id, link) = (&delivery.correlation_id, delivery.notification.link.as_str());
    match outcome {
        Ok(collection) => tracing::info!(
            correlation.id = correlation_id,
            link.id = link,
            pages = collection.pages,
            rows = collection.rows,
            counted = collection.counted,
            new = collection.new,
            changed = collection.changed,
            unchanged = collection.unchanged,
            revived = collection.revived,
            deleted = collection.deleted,
            duration_ms = collection.finished_at.millis_since(collection.started_at),
            since_webhook_ms = collection.finished_at.millis_since(delivery.received_at),
            verdict = %collection.verdict(),
            "rows collected"
        ),
        Err(failure) => tracing::warn!(
            correlation.id = correlation_id,
            link.id = link,
            belvo.code = failure.code,
            "retrieval failed"
        ),
    }
}
