//! The store against two independent emulations of DynamoDB: the local AWS, with the tables that
//! template.yaml deployed, and dynoxide, with tables of the same shape. What passes both does not
//! rest on one emulator's quirks.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod databases;
mod erasing;
mod followed;
mod golden;
mod intents;
mod interrupted;
mod lossless;
mod pace;
mod quota;
mod requests;
mod throttling;
mod transactions;
mod webhooks;
