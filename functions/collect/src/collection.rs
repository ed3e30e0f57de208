//! One collection: from a notification to stored rows.

use std::collections::{HashMap, HashSet};

use lambda_runtime::tracing;
use shared::{
    belvo::{BelvoError, Notification, Page, Scope, Subject},
    domain::{
        Account, AccountId, Collection, Failure, LinkId, Plan, RequestRecord, Resource, Stored, Timestamp, Transaction,
        Verdict,
    },
    queue::Delivery,
    store::{Event, Notified},
};

use crate::{Collect, CollectError};

/// How often a window is fetched in all when a fetch does not bring what Belvo counted: rows that appear while pages are
/// read shift the later pages, and the next fetch then finds them in place.
const FETCHES: usize = 3;

/// Does what a webhook asks for. May be repeated at any point: facts are recorded once, and rows that are stored already
/// are not written again.
pub(crate) async fn run(
    collect: &Collect,
    delivery: &Delivery,
    notification: &Notification,
) -> Result<(), CollectError> {
    let record = match (&notification.subject, &notification.request_id) {
        (Subject::Rows(resource), Some(id)) => {
            let notified = Notified {
                id: id.clone(),
                link: notification.link.clone(),
                resource: *resource,
                code: notification.code.clone(),
                declared: notification.declared(),
                at: delivery.received_at,
            };
            Some(collect.requests.notified(&notified).await?)
        }
        _ => None,
    };
    match (&notification.subject, notification.failure()) {
        (Subject::Rows(resource), None) => {
            let outcome = fetch(collect, scope(*resource, &notification.link, record.as_ref())).await;
            conclude(collect, delivery, notification, record.as_ref(), outcome).await
        }
        (Subject::Rows(_), Some(failure)) => fail(collect, delivery, notification, record.as_ref(), &failure).await,
        (Subject::Other(webhook_type), _) => keep(collect, delivery, notification, webhook_type).await,
    }
}

/// Which rows a notification is about: those its request asked for, or, when the request is not one of ours, all of the
/// link's.
fn scope(resource: Resource, link: &LinkId, record: Option<&RequestRecord>) -> Scope {
    Scope {
        resource,
        link: link.clone(),
        window: record.and_then(|record| record.window),
        account: record.and_then(|record| record.account.clone()),
    }
}

/// Records how a fetch ended. A refusal by Belvo ends the request; every other error lets the message come back.
async fn conclude(
    collect: &Collect,
    delivery: &Delivery,
    notification: &Notification,
    record: Option<&RequestRecord>,
    outcome: Result<Collection, CollectError>,
) -> Result<(), CollectError> {
    match outcome {
        Ok(collection) => {
            if let Some(record) = record {
                collect.requests.collected(&record.id, &collection).await?;
            }
            log_collected(delivery, notification, &collection);
            Ok(())
        }
        Err(CollectError::Belvo(BelvoError::Rejected { code, message, status, .. })) => {
            tracing::warn!(
                correlation.id = delivery.correlation_id,
                http.status = status,
                belvo.code = code,
                "refused"
            );
            fail(collect, delivery, notification, record, &Failure { code, message }).await
        }
        Err(error) => Err(error),
    }
}

/// Records that a retrieval brought nothing.
async fn fail(
    collect: &Collect,
    delivery: &Delivery,
    notification: &Notification,
    record: Option<&RequestRecord>,
    failure: &Failure,
) -> Result<(), CollectError> {
    tracing::warn!(
        correlation.id = delivery.correlation_id,
        link.id = notification.link.as_str(),
        failure.code = failure.code,
        "retrieval failed"
    );
    match record {
        Some(record) => Ok(collect.requests.failed(&record.id, failure, Timestamp::now()).await?),
        None => keep(collect, delivery, notification, Resource::TRANSACTIONS.webhook_type()).await,
    }
}

/// Keeps a webhook that asks for no collection: an unknown type, an event of a link or a consent, a failure that names
/// no request.
async fn keep(
    collect: &Collect,
    delivery: &Delivery,
    notification: &Notification,
    webhook_type: &str,
) -> Result<(), CollectError> {
    let event = Event {
        delivery_id: delivery.delivery_id.clone(),
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

/// Fetches a scope and stores what is new or changed, page by page, until a fetch brings what Belvo counts.
async fn fetch(collect: &Collect, scope: Scope) -> Result<Collection, CollectError> {
    let started_at = Timestamp::now();
    let mut total = fetch_once(collect, &scope, started_at).await?;
    for _ in 1..FETCHES {
        if total.verdict() == Verdict::Complete {
            break;
        }
        let again = fetch_once(collect, &scope, started_at).await?;
        total = Collection {
            pages: total.pages + again.pages,
            new: total.new + again.new,
            changed: total.changed + again.changed,
            ..again
        };
    }
    Ok(total)
}

async fn fetch_once(collect: &Collect, scope: &Scope, started_at: Timestamp) -> Result<Collection, CollectError> {
    let mut plan = Plan::new(collect.transactions.stored(&scope.link, scope.window.as_ref()).await?);
    let mut accounts = Accounts::stored(collect, &scope.link).await?;
    let mut pages = 0;
    let mut page = collect.belvo.first_page(scope).await?;
    loop {
        pages += 1;
        let Page { count, rows, next } = page;
        let mut transactions = Vec::with_capacity(rows.len());
        for row in rows {
            let (transaction, account) = Transaction::parse(row)?;
            accounts.note(account);
            transactions.push(transaction);
        }
        let at = Timestamp::now();
        collect.transactions.put_accounts(&scope.link, &accounts.take_changed(), at).await?;
        collect.transactions.put(&scope.link, &plan.rows_to_write(transactions), at).await?;
        let Some(next) = next else {
            return Ok(Collection {
                started_at,
                finished_at: Timestamp::now(),
                pages,
                rows: plan.distinct(),
                counted: count,
                new: plan.new,
                changed: plan.changed,
                unchanged: plan.unchanged,
                accounts: accounts.seen.len() as u64,
            });
        };
        page = collect.belvo.next_page(&next).await?;
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
        let version = Stored { digest: account.digest(), collected_at: account.collected_at() };
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

fn log_collected(delivery: &Delivery, notification: &Notification, collection: &Collection) {
    let verdict = collection.verdict();
    tracing::info!(
        correlation.id = delivery.correlation_id,
        link.id = notification.link.as_str(),
        pages = collection.pages,
        rows = collection.rows,
        counted = collection.counted,
        new = collection.new,
        changed = collection.changed,
        unchanged = collection.unchanged,
        duration_ms = collection.finished_at.millis_since(collection.started_at),
        since_webhook_ms = collection.finished_at.millis_since(delivery.received_at),
        verdict = %verdict,
        "rows collected"
    );
}
