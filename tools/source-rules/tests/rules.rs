//! The rules that the code of this workspace keeps.

use std::path::Path;

use source_rules::{
    rules::{circles_in, long_functions_in, long_lines_in},
    workspace::Workspace,
};

/// What is shipped, and the tools that it is built and measured with.
const CODE: [&str; 7] = [
    "domain",
    "functions",
    "shared",
    "cli",
    "bench",
    "fuzz",
    "tools",
];

#[test]
fn no_modules_import_each_other_in_a_circle() -> anyhow::Result<()> {
    let workspace = workspace()?;
    let packages = workspace.packages.iter().filter(|package| {
        let folder = package.folder.as_str();
        matches!(folder, "domain" | "shared" | "cli" | "fuzz")
            || folder.starts_with("functions/")
            || folder.starts_with("tools/")
    });
    nothing_is_found(
        packages.flat_map(circles_in),
        "Move what both sides take into a module of its own, or to the side that needs it most.",
    );
    Ok(())
}

#[test]
fn no_function_has_more_than_forty_lines() -> anyhow::Result<()> {
    let workspace = workspace()?;
    let sources = CODE.iter().flat_map(|folder| workspace.production(folder));
    nothing_is_found(
        sources.flat_map(long_functions_in),
        "Split each between its paragraphs: one that can be named is a function.",
    );
    Ok(())
}

#[test]
fn no_line_has_more_than_a_hundred_columns() -> anyhow::Result<()> {
    let workspace = workspace()?;
    let sources = CODE.iter().flat_map(|folder| workspace.production(folder));
    nothing_is_found(
        sources.flat_map(long_lines_in),
        "Run `cargo fmt`. It leaves long texts alone: end a line of a string with `\\`, wrap a \
         comment, and take what is nested deep into a function.",
    );
    Ok(())
}

fn workspace() -> anyhow::Result<Workspace> {
    Workspace::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

/// Lists the places, if there are any, and says what to do about them.
fn nothing_is_found(places: impl Iterator<Item = String>, remedy: &str) {
    let places: Vec<_> = places.collect();
    assert!(
        places.is_empty(),
        "{} found:\n\n{}\n\n{remedy}",
        places.len(),
        places.join("\n")
    );
}
