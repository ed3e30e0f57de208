//! One file: its text, and its syntax without what only tests compile.

use anyhow::Context;

use crate::test_code::Cut;

/// A Rust file of the workspace.
pub struct Source {
    /// Its path below the root of the workspace.
    pub path: String,
    /// The whole text.
    text: String,
    /// Whether only tests compile it.
    pub only_tests: bool,
    pub(crate) syntax: syn::File,
    pub(crate) cut: Cut,
}

impl Source {
    /// Parses a file.
    pub fn parse(path: &str, text: String) -> anyhow::Result<Self> {
        let mut syntax = syn::parse_file(&text).with_context(|| path.to_owned())?;
        let cut = Cut::out_of(&mut syntax.items);
        Ok(Self {
            path: path.to_owned(),
            text,
            only_tests: false,
            syntax,
            cut,
        })
    }

    /// The lines that are not test code, with their numbers.
    pub fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let cut = &self.cut.lines;
        let lines = (1..).zip(self.text.lines());
        lines.filter(|(number, _)| !cut.iter().any(|lines| lines.contains(number)))
    }
}
