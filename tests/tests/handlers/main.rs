//! The handlers in process, given the events of `events/`, which `cargo lambda invoke` sends
//! too. What they reach is real: the local AWS and a sandbox of their own as Belvo.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accounts;
mod alarms;
mod archive;
mod batches;
mod bodies;
mod changes;
mod collect;
mod consent;
mod erasure;
mod field_changes;
mod healing;
mod links;
mod listing;
mod log;
mod missing;
mod moving;
mod news;
mod pace;
mod publish;
mod query;
mod quotas;
mod released;
mod request;
mod resources;
mod scrub;
mod secrets;
mod service;
mod short;
mod surroundings;
mod turns;
mod unknown;
mod unnamed;
mod webhook;
mod worker;
