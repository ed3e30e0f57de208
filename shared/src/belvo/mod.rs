//! Belvo's API as this pipeline uses it: the client, the shapes on the wire, the webhook, and what
//! each error means for the caller.

mod accounts;
mod answers;
mod body;
mod client;
mod error;
mod haste;
mod links;
mod pace;
mod paging;
mod rate_limiter;
mod webhook;
mod widget;
mod wire;

pub(crate) use self::webhook::{WebhookError, json_fault};
pub use self::{
    client::{Client, ClientBuilder, RetrievalOutcome},
    error::{BelvoError, NO_RETRIEVAL_LEFT},
    haste::Haste,
    links::LinkDeletion,
    pace::Pace,
    rate_limiter::RateLimiter,
    webhook::{LINK_DELETED, Subject, Webhook, mentioned_request_id},
    widget::{
        Branding, Callbacks, Identification, NewLink, TOKEN_LIFE_S, WidgetMode, WidgetRequest,
        WidgetSettings, WidgetToken,
    },
    wire::Page,
};
