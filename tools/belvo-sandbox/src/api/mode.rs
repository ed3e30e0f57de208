//! Whether a caller waits for the result of a call or for a webhook.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::extensions::Effects;
use crate::rules::Action;

/// The mode in which a call is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The answer holds the result.
    Synchronous,
    /// The answer is a 202 with a request id, and a webhook follows.
    Asynchronous,
}

impl<S: Send + Sync> FromRequestParts<S> for Mode {
    type Rejection = Infallible;

    /// The mode that the header asks for, unless a rule makes the sandbox ignore the header.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let mode = parts.headers.get("x-belvo-request-mode");
        let is_requested = mode.is_some_and(|mode| mode == "async");

        let effects = parts.extensions.get::<Effects>();
        let is_ignored = effects
            .is_some_and(|effects| effects.has(|action| matches!(action, Action::IgnoreAsync(_))));

        Ok(if is_requested && !is_ignored {
            Self::Asynchronous
        } else {
            Self::Synchronous
        })
    }
}
