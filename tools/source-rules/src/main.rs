//! Prints the figures of the code and its circles: `cargo run -p source-rules`.

use std::{io::Write, path::PathBuf};

use clap::Parser;
use source_rules::{report::report, workspace::Workspace};

/// Measures the shape of the Rust code of a workspace.
#[derive(Parser)]
struct Arguments {
    /// The root of the workspace.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let workspace = Workspace::read(&arguments.root)?;
    write!(std::io::stdout(), "{}", report(&workspace))?;
    Ok(())
}
