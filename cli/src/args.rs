//! The command line, and its help: commands in groups, each with one line, and examples.

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::{commands::Command, exit::EXIT_CODES, place::PlaceArgs};

/// Operate belvo-ingest: see how it is, repair it, and catch up.
#[derive(Debug, Parser)]
#[command(name = "belvo-ingest", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Write JSON for programs in place of a page for people
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
}

/// The commands as the help shows them.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "See how it is",
        &[
            "status",
            "stuck",
            "link",
            "request",
            "why-missing",
            "tail",
            "changes",
            "spend",
        ],
    ),
    (
        "Repair and catch up",
        &["collect", "backfill", "dead-letters", "webhooks"],
    ),
    ("Keys and people", &["secrets", "erase"]),
    ("This command", &["completions", "man", "help"]),
];

const EXAMPLES: &str = "\
Examples:
  belvo-ingest status --stack belvo-ingest-prod
  belvo-ingest why-missing $LINK --day 2026-03-01
  belvo-ingest collect --stale --wait
  belvo-ingest dead-letters redrive --reason 'HTTP 500' --dry-run
  belvo-ingest stuck --json | jq -r '.requests[].id'
";

const LEARN_MORE: &str = "\
Without --stack, the local stack of `make up` is meant. AWS credentials are taken as the AWS CLI
takes them. Every question of an operator, with the command that answers it: docs/OPERATIONS.md.";

impl Arguments {
    /// Reads the command line of this process; ends it if that is wrong, or asks for help.
    pub(crate) fn parse() -> Self {
        let matches = command().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// The grammar of the command line, with its help.
#[must_use]
pub(crate) fn command() -> clap::Command {
    let mut command = Arguments::command();
    // For the lines of `help`, which clap adds when it is built.
    command.build();
    let groups: String = GROUPS
        .iter()
        .map(|group| lines_of(&command, group))
        .collect();
    Arguments::command()
        .help_template(format!(
            "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}Global options:\n{{options}}\n\
             {{after-help}}"
        ))
        .after_help(format!("{EXAMPLES}\n{}\n{LEARN_MORE}", exit_codes()))
}

/// A group's title, and a line for each of its commands.
fn lines_of(command: &clap::Command, (title, names): &(&str, &[&str])) -> String {
    let line = |name: &&str| {
        let about = command
            .find_subcommand(name)
            .and_then(clap::Command::get_about);
        let about = about.map(ToString::to_string).unwrap_or_default();
        format!("  {name:<14}{about}\n")
    };
    let lines: String = names.iter().map(line).collect();
    format!("{title}:\n{lines}\n")
}

fn exit_codes() -> String {
    let lines = EXIT_CODES
        .iter()
        .map(|(code, what)| format!("  {code}  {what}\n"));
    format!("Exit codes:\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    #[test]
    fn the_grammar_has_no_fault() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_in_one_group_and_has_one_line() {
        let mut grammar = command();
        grammar.build();
        let grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        let known: BTreeSet<&str> = grammar
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        assert_eq!(grouped.iter().copied().collect::<BTreeSet<_>>(), known);
        assert_eq!(grouped.len(), known.len(), "none is in two groups");
        for command in grammar.get_subcommands() {
            let about = command.get_about().unwrap().to_string();
            assert!(about.len() <= 70 && !about.contains('\n'), "{about}");
        }
    }

    #[test]
    fn every_command_of_ours_has_examples() {
        fn leaves(command: &clap::Command) -> Vec<&clap::Command> {
            if command.has_subcommands() {
                command.get_subcommands().flat_map(leaves).collect()
            } else {
                vec![command]
            }
        }
        let grammar = command();
        for leaf in leaves(&grammar) {
            let after = leaf
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(after.contains("belvo-ingest "), "{}", leaf.get_name());
        }
    }

    /// The documents that show commands.
    const DOCUMENTS: [&str; 3] = ["README.md", "docs/OPERATIONS.md", "docs/runbooks"];

    #[test]
    fn every_command_of_the_documents_is_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let texts = DOCUMENTS.iter().flat_map(|name| texts(&root.join(name)));
        let shown: Vec<_> = texts.flat_map(|text| shown(&text)).collect();
        for words in &shown {
            let parsed = command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
        }
        assert!(shown.len() > 12, "{}", shown.len());
    }

    /// The commands of a text: what is in code, and what a line of code begins with.
    fn shown(text: &str) -> Vec<Vec<String>> {
        let in_line = text.split("`belvo-ingest ").skip(1);
        let lines = text
            .lines()
            .map(|line| line.strip_prefix("$ ").unwrap_or(line));
        let of_lines = lines.filter_map(|line| line.strip_prefix("belvo-ingest "));
        in_line.chain(of_lines).filter_map(words).collect()
    }

    /// The document, or those of a folder.
    fn texts(path: &Path) -> Vec<String> {
        if path.is_file() {
            return vec![std::fs::read_to_string(path).unwrap()];
        }
        let files = std::fs::read_dir(path).into_iter().flatten().flatten();
        files.flat_map(|file| texts(&file.path())).collect()
    }

    /// A command as a shell would divide it, with values for what is to be filled in; `None` for
    /// what only begins like one.
    fn words(shown: &str) -> Option<Vec<String>> {
        let end = shown.find(['`', '|', '#', ';']).unwrap_or(shown.len());
        let mut words = vec!["belvo-ingest".to_owned()];
        let mut quoted: Option<(char, String)> = None;
        for word in shown[..end].split_whitespace() {
            match &mut quoted {
                Some((quote, text)) => {
                    text.push_str(word);
                    if word.ends_with(*quote) {
                        words.push(std::mem::take(text));
                        quoted = None;
                    }
                }
                None if word.starts_with(['\'', '"']) && !word[1..].ends_with(&word[..1]) => {
                    quoted = Some((word.chars().next()?, word.to_owned()));
                }
                None => words.push(value(word.trim_end_matches([',', '.', ':'])).to_owned()),
            }
        }
        let name = words.get(1)?;
        let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        (is_name && !name.starts_with('-')).then_some(words)
    }

    fn value(word: &str) -> &str {
        match word.trim_matches(['<', '>']) {
            "link" | "$LINK" | "$BLOCKED" => "16f68516-bcbc-4cf7-b815-c500d4204e28",
            "day" => "2026-03-01",
            "$REQUEST" | "$ROW" => "b5d0106ac9cc43d5b36199fe831f6bbe",
            word => word,
        }
    }

    #[test]
    fn the_help_shows_groups_examples_and_exit_codes() {
        let help = command().render_help().to_string();
        for part in [
            "See how it is:",
            "  status  ",
            "Examples:",
            "Exit codes:",
            "--json",
        ] {
            assert!(help.contains(part), "{part} in {help}");
        }
        assert!(!help.contains("Commands:"), "{help}");
    }
}
