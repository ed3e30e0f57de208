//! The figures of the workspace's folders and the circles of its packages, as text.

use crate::{
    figures::{Figures, median, ninety_per_cent},
    rules::circles_in,
    table::aligned,
    workspace::{Package, Workspace},
};

/// The folders whose production code is measured.
const FOLDERS: [&str; 6] = [
    "functions",
    "functions/collect",
    "shared",
    "domain",
    "tools/belvo-sandbox",
    "bench",
];
/// Measured with its test code: it is little else.
const TESTS: &str = "tests";

/// The titles of the first table.
const SIZES: [&str; 11] = [
    "code",
    "files",
    "file med/90 %/max",
    "fn med/max/>40",
    "doc %",
    "// %",
    "unwrap",
    "expect",
    "clone",
    "pub",
    "params >4",
];
/// The titles of the second.
const DENSITY: [&str; 6] = [
    "code",
    "mean columns",
    ">100 columns %",
    "closures",
    "let else",
    "tuple let",
];

/// Two tables and a list.
#[must_use]
pub fn report(workspace: &Workspace) -> String {
    let mut sizes_of_all = vec![titles(&SIZES)];
    let mut density_of_all = vec![titles(&DENSITY)];
    for (folder, figures) in figures(workspace) {
        sizes_of_all.push(sizes(folder, &figures));
        density_of_all.push(density(folder, &figures));
    }
    let packages = workspace.packages.iter();
    let circles: String = packages.map(circles_of).collect();

    format!(
        "Sizes; from `unwrap` to `pub` in 1,000 lines, test code left out:\n\n{}\n\
         Density; the last three in 1,000 lines without blanks and comments:\n\n{}\n\
         Circles of imports:\n\n{circles}",
        aligned(&sizes_of_all),
        aligned(&density_of_all),
    )
}

fn figures(workspace: &Workspace) -> Vec<(&'static str, Figures)> {
    let mut figures = Vec::new();
    for folder in FOLDERS {
        figures.push((folder, Figures::of(workspace.production(folder))));
    }
    figures.push((TESTS, Figures::of(workspace.sources(TESTS))));
    figures
}

fn titles(titles: &[&str]) -> Vec<String> {
    titles.iter().map(ToString::to_string).collect()
}

fn sizes(folder: &str, figures: &Figures) -> Vec<String> {
    let in_thousand = |count| figures.per_thousand_lines(count);
    let shape = &figures.shape;
    vec![
        folder.to_owned(),
        figures.files.len().to_string(),
        lengths_of_files(&figures.files),
        lengths_of_functions(figures),
        format!("{:.1}", in_thousand(figures.doc_lines) / 10.0),
        format!("{:.1}", in_thousand(figures.comment_lines) / 10.0),
        format!("{:.1}", in_thousand(shape.unwraps)),
        format!("{:.1}", in_thousand(shape.expects)),
        format!("{:.1}", in_thousand(shape.clones)),
        format!("{:.0}", in_thousand(shape.public_names)),
        figures.with_many_parameters().to_string(),
    ]
}

fn lengths_of_files(files: &[usize]) -> String {
    let longest = files.last().copied().unwrap_or_default();
    format!("{}/{}/{longest}", median(files), ninety_per_cent(files))
}

fn lengths_of_functions(figures: &Figures) -> String {
    let functions = figures.functions();
    let longest = functions.last().copied().unwrap_or_default();
    let long = figures.long_functions();
    format!("{}/{longest}/{long}", median(&functions))
}

fn density(folder: &str, figures: &Figures) -> Vec<String> {
    let in_thousand = |count| figures.per_thousand_lines_of_code(count);
    let shape = &figures.shape;
    vec![
        folder.to_owned(),
        format!("{:.1}", figures.mean_columns()),
        format!("{:.1}", in_thousand(figures.long_lines) / 10.0),
        format!("{:.0}", in_thousand(shape.closures)),
        format!("{:.1}", in_thousand(shape.let_elses)),
        format!("{:.1}", in_thousand(shape.tuple_lets)),
    ]
}

fn circles_of(package: &Package) -> String {
    let circles = circles_in(package);
    if circles.is_empty() {
        return format!("{}: none\n", package.folder);
    }
    format!(
        "{}: {}\n{}",
        package.folder,
        circles.len(),
        circles.concat()
    )
}
