//! DynamoDB: the control table ([`Control`]) and the rows ([`TransactionsTable`]). What an item looks
//! like is known here, and by the records of `domain` that are stored as they are
//! (docs/decisions/0016).

mod control;
mod cursor;
mod error;
mod idempotency_keys;
mod intents;
mod item;
mod links;
mod quotas;
mod requests;
mod retention;
mod table;
mod transactions;
mod webhook_log;

pub use control::Control;
pub use cursor::{Cursor, CursorError};
pub use error::StoreError;
pub use idempotency_keys::{IdempotencyKeys, KeyState};
pub use intents::{IntentOutcome, Intents, Unconfirmed};
pub use links::Links;
pub use quotas::{Quotas, Reservation};
pub use requests::{Notified, Recorded, Requests};
pub use transactions::{
    Accounts, Balance, Candidate, Filter, Holder, Listed, Observation, Rows, TransactionsTable,
    Version,
};
pub use webhook_log::{LoggedWebhook, WebhookLog};
