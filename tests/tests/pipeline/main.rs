//! The deployed stack, from outside: what goes in through the API and Belvo's webhooks comes out
//! complete.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accounts;
mod changes;
mod changing;
mod collecting;
mod comparing;
mod connecting;
mod errors;
mod events;
mod healing;
mod listening;
mod metrics;
mod misbehaviour;
mod news;
mod quota;
mod reading;
mod reconnecting;
mod requesting;
mod resources;
mod secrecy;
mod webhooks;
