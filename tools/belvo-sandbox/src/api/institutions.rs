//! `GET /api/institutions/`: the banks that the widget offers.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use serde_json::{Value, json};

use super::pages::ListRequest;
use crate::{errors::ApiError, state::App, widget::BANKS};

/// The id of the first.
const FIRST_ID: usize = 1001;

/// One page of institutions.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    request: ListRequest,
) -> Result<Response, ApiError> {
    request.parse().answer(&app.config, institutions().iter())
}

pub(crate) async fn show(Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let id: Option<usize> = id.parse().ok();
    let mut all = institutions().into_iter();
    all.find(|each| each["id"].as_u64() == id.map(|id| id as u64))
        .map(Json)
        .ok_or_else(|| ApiError::new("not_found"))
}

fn institutions() -> Vec<Value> {
    let banks = BANKS.iter().enumerate();
    banks
        .map(|(index, (name, display_name))| institution(FIRST_ID + index, name, display_name))
        .collect()
}

fn institution(id: usize, name: &str, display_name: &str) -> Value {
    json!({
        "id": id,
        "name": name,
        "type": "bank",
        "website": null,
        "display_name": display_name,
        "country_codes": ["BR"],
        "primary_color": "#056dae",
        "logo": null,
        "icon_logo": null,
        "text_logo": null,
        "form_fields": [],
        "features": [],
        "resources": ["ACCOUNTS", "OWNERS", "TRANSACTIONS"],
        "integration_type": "openfinance",
        "status": "healthy",
        "openbanking_information": null,
    })
}
