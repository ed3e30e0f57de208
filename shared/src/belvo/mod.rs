//! Belvo's API as this pipeline uses it: the client, the shapes on the wire, the webhook, and what each error means
//! for the caller.

mod client;
mod error;
mod pace;
mod webhook;
mod wire;

pub use client::{ApiKeys, Client, Retrieval, RetrievalOutcome, Scope};
pub use error::{Advice, BelvoError, NO_RETRIEVAL_LEFT};
pub(crate) use webhook::json_fault;
pub use webhook::{Notification, NotificationError, Subject, mentioned_request_id};
pub use wire::{NextPage, Page};
