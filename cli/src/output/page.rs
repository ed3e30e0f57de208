//! A page of text for a person.

use std::fmt::{self, Display, Write};

use anstyle::{AnsiColor, Style as Ansi};

use super::Table;

/// The meaning of a colour. Text never says less without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Good,
    Attention,
    Bad,
    Bold,
    Dim,
}

/// A page, written from top to bottom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    text: String,
}

impl Style {
    fn ansi(self) -> Ansi {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Attention => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Bold => Ansi::new().bold(),
            Self::Dim => Ansi::new().dimmed(),
        }
    }

    /// The text in this style.
    #[must_use]
    pub(crate) fn of(self, text: impl Display) -> String {
        let style = self.ansi();
        format!("{style}{text}{style:#}")
    }
}

/// `1 link`, `2 links`.
#[must_use]
pub(crate) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

impl Page {
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.text, "{text}");
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A title, after a blank line unless it is the first.
    pub(crate) fn title(&mut self, text: impl Display) {
        if !self.text.is_empty() {
            self.blank();
        }
        self.line(Style::Bold.of(text));
    }

    /// What something is called, and what it is.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{name:<14}{value}"));
    }

    pub(crate) fn table(&mut self, table: &Table) {
        let _ = write!(self.text, "{table}");
    }

    /// The command that comes next.
    pub(crate) fn next(&mut self, command: impl Display) {
        self.line(format_args!("  next: {command}"));
    }
}

impl Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
