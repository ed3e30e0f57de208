//! Control of Belvo's firewall.

use std::{num::NonZeroU32, sync::Arc};

use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use serde::Deserialize;

use super::{error::ControlError, input::parse};
use crate::{
    firewall::{Firewall, Rate},
    state::App,
};

/// How many requests came, how many were refused, and the limit.
pub(crate) async fn rate(State(app): State<Arc<App>>) -> Json<Rate> {
    Json(app.state().firewall.rate())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    // Named, so that the field has to be there: without it, an empty body would lift the limit.
    #[serde(deserialize_with = "Option::deserialize")]
    requests_per_30_s: Option<NonZeroU32>,
}

/// Sets the limit, or lifts it with `null`, and counts anew.
pub(crate) async fn limit(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<StatusCode, ControlError> {
    let Limit { requests_per_30_s } = parse(&body)?;
    app.state().firewall = Firewall::new(requests_per_30_s);
    Ok(StatusCode::NO_CONTENT)
}
