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
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 9] = [
        Self::new("cursor", targets::cursor::check),
        Self::new("error", targets::error::check),
        Self::new("large-row", targets::row::check_large),
        Self::new("page", targets::page::check),
        Self::new("query", targets::query::check),
        Self::new("request", targets::request::check),
        Self::new("row", targets::row::check),
        Self::new("task", targets::task::check),
        Self::new("webhook", targets::webhook::check),
    ];

    const fn new(name: &'static str, check: fn(&[u8])) -> Self {
        Self { name, check }
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
