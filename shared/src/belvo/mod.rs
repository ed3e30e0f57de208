//! Belvo's API as this pipeline uses it: the client, the shapes on the wire, the webhook, and what
//! each error means for the caller.

mod client;
mod error;
mod links;
mod pace;
mod webhook;
mod widget;
mod wire;

pub use client::{ApiKeys, Client, RetrievalOutcome};
pub use error::{BelvoError, NO_RETRIEVAL_LEFT};
pub use links::LinkDeletion;
pub use pace::Pace;
pub(crate) use webhook::json_fault;
pub use webhook::{LINK_DELETED, Subject, Webhook, WebhookError, mentioned_request_id};
pub use widget::{
    Callbacks, Connecting, Identification, TOKEN_LIFE_S, WidgetAim, WidgetRequest, WidgetToken,
};
pub use wire::{NextPage, Page};
