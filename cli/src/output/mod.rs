//! What a command shows: a page for a person, or JSON for a program.

mod page;
mod progress;
mod table;
mod when;

use std::io::{IsTerminal, Write, stderr, stdin};

use serde::Serialize;

pub(crate) use self::progress::{counter, spinner};
pub(crate) use self::{
    page::{Page, Style, counted},
    table::Table,
    when::{age, instant, since},
};
use crate::{CliError, Outcome, error::OrFail};

/// What a command has found.
pub(crate) trait Report: Serialize {
    /// Shows it to a person.
    fn page(&self) -> Page;

    /// Whether a person is needed.
    fn outcome(&self) -> Outcome {
        Outcome::Fine
    }
}

/// Where a command writes, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Shows a report, and returns its outcome.
    pub(crate) fn show(self, report: &impl Report) -> Result<Outcome, CliError> {
        let text = if self.json {
            let json = serde_json::to_string_pretty(report);
            json.or_fail("write the answer as JSON", "")? + "\n"
        } else {
            report.page().to_string()
        };
        print(&text)?;
        Ok(report.outcome())
    }

    pub(crate) fn fail(self, error: &CliError) {
        if self.json {
            note(&error.to_json().to_string());
            return;
        }
        let (bad, bold) = (Style::Bad, Style::Bold);
        note(&format!("{} {error}", bad.of("error:")));
        for cause in error.causes() {
            note(&format!("  because {cause}"));
        }
        if let Some(field) = error.field() {
            note(&format!("  {} {field}", bold.of("field:")));
        }
        if let Some(remedy) = error.remedy() {
            note(&format!("  {} {remedy}", bold.of("next:")));
        }
    }
}

/// Writes to standard output; without colours if that is no terminal, or `NO_COLOR` is set.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let written = anstream::stdout().lock().write_all(text.as_bytes());
    match written {
        // Whoever reads has enough, such as `head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.or_fail("write to standard output", ""),
    }
}

/// Tells a person something that is no answer.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Asks before something is done that cannot be undone. Where nobody can answer, `--yes` has to.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !stdin().is_terminal() {
        return Err(CliError::usage(
            format!("nobody is there to answer: {question}"),
            "Repeat the command with --yes.",
        ));
    }
    let _ = write!(stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    read.or_fail("read the answer", "")?;
    agreed(&answer)
}

fn agreed(answer: &str) -> Result<(), CliError> {
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(CliError::Declined),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_yes_is_one() {
        assert!(agreed("y\n").is_ok() && agreed("yes").is_ok());
        for answer in ["", "\n", "n", "yep"] {
            assert_eq!(agreed(answer).unwrap_err().exit_code(), 5, "{answer}");
        }
    }
}
