//! Everything in the pipeline that is not wiring: what Belvo says ([`belvo`]), where data is kept
//! ([`store`]), how it travels to `collect` ([`queue`]), and how a function starts and answers.
//! What the terms mean is the crate [`domain`].

pub mod advice;
pub mod api;
pub mod aws;
pub mod belvo;
pub mod cause;
pub mod env;
pub mod handler;
pub mod http;
pub mod problem;
pub mod queue;
pub mod secret;
pub mod store;
pub mod telemetry;
mod tls;
