//! Belvo's API as this pipeline uses it: the client, the shapes on the wire, the webhook, and what
//! each error means for the caller.

mod client;
mod error;
mod links;
mod rate_limiter;
mod webhook;
mod widget;
mod wire;

pub use self::{
    client::{ApiKeys, Client, RetrievalOutcome},
    error::{BelvoError, NO_RETRIEVAL_LEFT},
    links::LinkDeletion,
    rate_limiter::RateLimiter,
    webhook::{LINK_DELETED, Subject, Webhook, WebhookError, mentioned_request_id},
    widget::{
        Callbacks, Identification, NewLink, TOKEN_LIFE_S, WidgetMode, WidgetRequest, WidgetToken,
    },
    wire::{NextPage, Page},
};
pub(crate) use webhook::json_fault;
