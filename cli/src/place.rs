//! Which stack is meant: a deployed one by its name, or the local one of `make up`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{CliError, environment::variable};

/// What `make up` writes, from the root of a checkout.
const LOCAL_STACK: &str = ".local/stack/env";
/// The name under which `make up` and `samconfig.toml` deploy.
const USUAL_NAME: &str = "belvo-ingest";

/// Where the stack is, as the command line says.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlaceArgs {
    /// Name of the deployed stack, as given to `sam deploy`. Without it, the local stack of
    /// `make up`
    #[arg(
        long,
        global = true,
        env = "BELVO_INGEST_STACK",
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub(crate) stack: Option<String>,
    /// AWS region of the stack; otherwise as the AWS CLI finds it
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) region: Option<String>,
    /// Profile of the AWS configuration files, SSO and roles included
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub(crate) profile: Option<String>,
}

/// Where the stack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In AWS, reached with the caller's own credentials.
    Deployed {
        stack: String,
        region: Option<String>,
        profile: Option<String>,
    },
    /// On this machine.
    Local(LocalStack),
}

/// A local stack, as its variables describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalStack {
    pub(crate) stack: String,
    pub(crate) api_url: String,
    pub(crate) webhook_url: String,
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl Place {
    /// The named stack; else the one that the environment describes, as `local exec` does; else
    /// that of `make up` in this directory or one above it.
    pub(crate) fn find(args: &PlaceArgs, from: &Path) -> Result<Self, CliError> {
        if let Some(stack) = &args.stack {
            return Ok(Self::Deployed {
                stack: stack.clone(),
                region: args.region.clone(),
                profile: args.profile.clone(),
            });
        }
        let of_process = LocalStack::described_by(&variable);
        let local = of_process.or_else(|| LocalStack::described_by(&of_file(&file_above(from)?)));
        local.map(Self::Local).ok_or_else(|| {
            CliError::usage(
                "no stack is named",
                "Name the one that `sam deploy` deployed: --stack NAME. Or start a local one: \
                 make up.",
            )
        })
    }
}

impl LocalStack {
    fn described_by(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            stack: USUAL_NAME.to_owned(),
            api_url: variable("API_URL")?,
            webhook_url: variable("WEBHOOK_URL")?,
            endpoint: variable("AWS_ENDPOINT_URL")?,
            region: variable("AWS_REGION")?,
            access_key: variable("AWS_ACCESS_KEY_ID")?,
            secret_key: variable("AWS_SECRET_ACCESS_KEY")?,
        })
    }
}

fn file_above(from: &Path) -> Option<PathBuf> {
    let files = from.ancestors().map(|folder| folder.join(LOCAL_STACK));
    files.into_iter().find(|file| file.is_file())
}

fn of_file(file: &Path) -> impl Fn(&str) -> Option<String> {
    let variables = variables(&fs::read_to_string(file).unwrap_or_default());
    move |name| variables.get(name).cloned()
}

/// The variables of a file of assignments for a shell.
fn variables(text: &str) -> BTreeMap<String, String> {
    let assignments = text.lines().filter_map(|line| line.split_once('='));
    assignments
        .map(|(name, value)| (name.to_owned(), unquoted(value)))
        .collect()
}

/// A word as Python's `shlex.quote` writes it.
fn unquoted(word: &str) -> String {
    let inner = word
        .strip_prefix('\'')
        .and_then(|word| word.strip_suffix('\''));
    inner.map_or_else(|| word.to_owned(), |inner| inner.replace("'\"'\"'", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_make_up_is_read_as_a_shell_reads_it() {
        let read = variables("API_URL=http://127.0.0.1:1\nA='Bearer x'\nB='it'\"'\"'s'\n");
        assert_eq!(read["API_URL"], "http://127.0.0.1:1");
        assert_eq!(read["A"], "Bearer x");
        assert_eq!(read["B"], "it's");
    }

    #[test]
    fn a_named_stack_is_not_looked_for_on_this_machine() {
        let args = PlaceArgs {
            stack: Some("prod".to_owned()),
            ..PlaceArgs::default()
        };
        let place = Place::find(&args, Path::new("/")).unwrap();
        assert!(matches!(place, Place::Deployed { stack, .. } if stack == "prod"));
    }

    #[test]
    fn a_stack_that_is_described_in_part_is_none() {
        let api_only = |name: &str| (name == "API_URL").then(|| "http://127.0.0.1:1".to_owned());
        assert_eq!(LocalStack::described_by(&api_only), None);
    }
}
