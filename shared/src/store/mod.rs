//! DynamoDB: the control table ([`Control`]) and the rows ([`TransactionsTable`]). The shape of an
//! item is known only here, and to the records of `domain` that are stored as they are
//! (docs/decisions/0016).

mod attributes;
mod control;
mod cursor;
mod error;
mod fields;
mod idempotency_keys;
mod intents;
mod item;
mod links;
mod pace;
mod quotas;
mod requests;
mod retention;
mod stream;
mod table;
mod transactions;
mod webhook_archive;

pub use self::{
    control::Control,
    cursor::{Cursor, opaque, read_opaque},
    error::StoreError,
    fields::{FieldStore, StoredFields},
    idempotency_keys::{IdempotencyKeys, KeyState},
    intents::{IntentOutcome, Intents},
    links::{LinkGroup, Links},
    pace::{Admission, Pace},
    quotas::{Counters, Quotas, Reservation},
    requests::{Notified, Recorded, Requests, Short},
    stream::{RecordChange, Update},
    transactions::{
        Accounts, Candidate, ChangedRows, ChangesPage, History, LogPlace, Position, Rows,
        TransactionsTable, Written,
    },
    webhook_archive::{ArchivedWebhook, ProcessedWebhook, WebhookArchive},
};
