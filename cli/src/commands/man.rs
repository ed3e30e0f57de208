//! The manual pages.

use clap::Args;

use super::Context;
use crate::{CliError, Outcome, error::OrFail, output::print};

/// Print the manual page of this program or of one of its commands
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest man | man -l -
  belvo-ingest man dead-letters redrive | man -l -
  belvo-ingest man > ~/.local/share/man/man1/belvo-ingest.1")]
pub(crate) struct ManArgs {
    /// A command, such as `collect` or `dead-letters list`
    command: Vec<String>,
}

pub(crate) fn run(args: &ManArgs, context: &Context) -> Result<Outcome, CliError> {
    print(&page((context.grammar)(), &args.command)?)?;
    Ok(Outcome::Fine)
}

/// The manual page of a command.
fn page(mut grammar: clap::Command, words: &[String]) -> Result<String, CliError> {
    // Then a command knows its whole name.
    grammar.build();
    for word in words {
        let found = grammar.find_subcommand(word).cloned();
        grammar = found.ok_or_else(|| {
            CliError::usage(
                format!("there is no command {}", words.join(" ")),
                "See belvo-ingest --help.",
            )
        })?;
    }
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(grammar).render(&mut page);
    rendered.or_fail("write the manual page", "")?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let page = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            page(crate::args::command(), &words)
        };
        assert!(page(&[]).unwrap().contains(".TH belvo-ingest 1"));
        let redrive = page(&["dead-letters", "redrive"]).unwrap();
        assert!(
            redrive.contains(".TH belvo-ingest-dead-letters-redrive 1"),
            "{redrive}"
        );
        assert!(redrive.contains("dry"), "{redrive}");
        assert_eq!(page(&["nothing"]).unwrap_err().exit_code(), 2);
    }
}
