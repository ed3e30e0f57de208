//! The targets, one file each.

pub(crate) mod cursor;
pub(crate) mod error;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod request;
pub(crate) mod row;
pub(crate) mod task;
pub(crate) mod webhook;
