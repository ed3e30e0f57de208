//! Fuzzing: the readers of foreign bytes, given inputs that nobody wrote. A target is one function
//! of bytes that panics if something does not hold that must hold of any input
//! (docs/assurance/fuzzing.md).

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a finding is a panic"
)]

mod api;
mod aws;
mod corpus;
mod mutation;
mod slow;
mod stock;
mod targets;

pub use corpus::inputs_of;
pub use mutation::mutated;

/// Something that reads foreign bytes.
#[derive(Debug)]
pub struct Target {
    /// Also the folder of its corpus.
    pub name: &'static str,
    /// Panics if something does not hold of this input.
    pub check: fn(&[u8]),
    /// How many changed inputs a test takes: seconds of them.
    pub in_test: u64,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 9] = [
        Self::new("cursor", targets::cursor::check, 9_000),
        Self::new("error", targets::error::check, 400_000),
        Self::new("large-row", targets::row::check_large, 250),
        Self::new("page", targets::page::check, 200_000),
        Self::new("query", targets::query::check, 15_000),
        Self::new("request", targets::request::check, 15_000),
        Self::new("row", targets::row::check, 2_000),
        Self::new("task", targets::task::check, 200_000),
        Self::new("webhook", targets::webhook::check, 30_000),
    ];

    const fn new(name: &'static str, check: fn(&[u8]), in_test: u64) -> Self {
        Self {
            name,
            check,
            in_test,
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        const { &Self::ALL }
            .iter()
            .find(|target| target.name == name)
    }

    /// The names of all targets.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(|target| target.name).join(", ")
    }
}
