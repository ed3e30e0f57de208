//! Reading what a caller of the control API sends.

use serde::de::DeserializeOwned;
use time::{Date, macros::format_description};

use super::error::ControlError;
use crate::{link::Link, resource::Resource, state::State};

/// Parses a body, whatever its content type says. An empty one stands for an empty object.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| ControlError::bad(&error))
}

pub(super) fn resource(name: &str) -> Result<&'static Resource, ControlError> {
    let unknown = || ControlError::bad(&format!("there is no resource `{name}`"));
    Resource::by_name(name).ok_or_else(unknown)
}

pub(super) fn day(text: &str) -> Result<Date, ControlError> {
    let parsed = Date::parse(text, format_description!("[year]-[month]-[day]"));
    parsed.map_err(|_| ControlError::bad(&format!("`{text}` is not a date like 2025-06-30")))
}

/// The link that a path names.
pub(super) fn link<'a>(state: &'a State, id: &str) -> Result<&'a Link, ControlError> {
    state.link(id).ok_or_else(|| ControlError::unknown("link"))
}

/// The link that a path names, to be changed.
pub(super) fn link_mut<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Link, ControlError> {
    let link = state.link_mut(id);
    link.ok_or_else(|| ControlError::unknown("link"))
}
