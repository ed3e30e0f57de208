//! Reading the JSON body of a POST.

use serde_json::Value;

use crate::errors::ApiError;

/// Parses a body; whether its fields make sense is up to the caller.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|_| ApiError::new("parse_error"))
}

/// Fails with one `required` entry for each of `fields` that is missing or null.
pub(crate) fn require(body: &Value, fields: &[&str]) -> Result<(), ApiError> {
    let missing = fields.iter().filter(|field| body[**field].is_null());
    let errors = missing.map(|field| ApiError::field("required", field));
    ApiError::all(errors)
}
