//! What tests, the torture, the benchmarks and the demo share: the stack that `make test` deploys
//! into a local AWS, with `tools/belvo-sandbox` as Belvo. Every test makes a link of its own, so that
//! tests run side by side in one stack.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a harness of tests fails by panicking"
)]

mod alarms;
#[cfg(feature = "dynoxide")]
pub mod aws;
mod days;
mod dead_letters;
#[cfg(feature = "dynoxide")]
mod dynoxide;
mod events;
mod follower;
pub mod following;
mod gate;
pub mod invariants;
mod json;
pub mod kills;
mod link;
mod openapi;
mod rows;
pub mod settling;
mod signing;
mod stack;
pub mod trouble;
mod wait;
mod widget;

pub use alarms::{AlarmState, Alarms, Datum};
pub use days::days_ago;
#[cfg(feature = "dynoxide")]
pub use dynoxide::{
    Consumed, Performed, REQUESTS_TABLE, Refusal, TRANSACTIONS_TABLE, copy_tables,
    dynoxide_with_tables_of, perform, serve_dynoxide, tables_of_template,
};
pub use events::{EventSchemas, heard};
pub use follower::Follower;
pub use gate::behind_gate;
pub use json::{Difference, canonical, difference, differences, shown};
pub use link::{Link, assert_same_rows, by_id};
pub use openapi::{Documented, assert_acceptable, assert_documented, route_of};
pub use rows::{json_of, taken_apart, versions};
pub use stack::{Answer, Stack};
pub use wait::eventually;
pub use widget::widget_settings;
