//! The operator's command on the deployed stack, as a person or a program runs it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod archive;
mod collecting;
mod command;
mod dead_letters;
mod erasing;
mod following;
mod missing;
mod rotating;
mod runbooks;
mod seeing;
mod spending;
