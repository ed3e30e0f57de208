//! DynamoDB: one module per table, the only ones that know its attribute names.

mod cursor;
mod error;
mod idempotency;
mod intents;
mod item;
mod links;
mod quota;
mod requests;
mod transactions;

pub use cursor::{Cursor, CursorError};
pub use error::StoreError;
pub use idempotency::Keyed;
pub use intents::{Intention, Unconfirmed};
pub use quota::Reservation;
pub use requests::{Event, Issued, Notified, Requests};
pub use transactions::{
    Balance, Filter, Holder, Listed, Movement, Observation, Transactions, Twin, Version,
};
