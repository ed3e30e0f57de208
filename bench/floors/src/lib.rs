//! What several floors do: read a variable, speak TLS, and receive the pages of a listing.

mod listing;
mod tls;

use std::env;

use lambda_runtime::Error;

pub use self::{
    listing::{Listing, Receiver},
    tls::{trusting_amazon, trusting_mozilla},
};

/// An environment variable, or an error that names it.
#[expect(
    clippy::disallowed_methods,
    reason = "the floors are no functions of the pipeline"
)]
pub fn variable(name: &str) -> Result<String, Error> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
