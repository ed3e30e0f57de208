//! Everything in the pipeline that is not wiring: what Belvo says ([`belvo`]), what it means
//! ([`domain`]), where it is kept ([`store`]) and how it travels to `collect` ([`queue`]).

pub mod advice;
pub mod api;
pub mod aws;
pub mod belvo;
pub mod cause;
pub mod domain;
pub mod env;
pub mod handler;
pub mod http;
pub mod problem;
pub mod queue;
pub mod secret;
pub mod store;
pub mod telemetry;
