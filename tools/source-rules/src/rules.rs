//! Where the rules are broken, one line for each place.

use crate::{
    circles::circles,
    figures::{Figures, LONGEST_FUNCTION, MOST_COLUMNS, MOST_PUBLIC_NAMES},
    shape::Shape,
    source::Source,
    workspace::{Package, Workspace},
};

/// The circles of a package.
#[must_use]
pub fn circles_in(package: &Package) -> Vec<String> {
    let circles = circles(package);
    circles.iter().map(ToString::to_string).collect()
}

/// Functions of more than `LONGEST_FUNCTION` lines, test code left out.
#[must_use]
pub fn long_functions_in(source: &Source) -> Vec<String> {
    let mut places = Vec::new();
    for function in Shape::of(source).functions {
        if function.length > LONGEST_FUNCTION {
            places.push(format!(
                "{}:{}: `{}` has {} lines",
                source.path, function.line, function.name, function.length
            ));
        }
    }
    places
}

/// Lines of more than `MOST_COLUMNS` columns, those of tests as well.
#[must_use]
pub fn long_lines_in(source: &Source) -> Vec<String> {
    let mut places = Vec::new();
    for (line, text) in source.lines() {
        let columns = text.chars().count();
        if columns > MOST_COLUMNS {
            places.push(format!("{}:{line}: {columns} columns", source.path));
        }
    }
    places
}

/// A folder that says `pub` more than `MOST_PUBLIC_NAMES` times in a thousand lines, test code
/// left out.
#[must_use]
pub fn many_public_names_in(workspace: &Workspace, folder: &str) -> Option<String> {
    let figures = Figures::of(workspace.production(folder));
    let names = figures.shape.public_names;
    let shown = figures.per_thousand_lines(names);
    (shown > MOST_PUBLIC_NAMES).then(|| {
        let lines = figures.lines;
        format!("{folder}: {names} times `pub` in {lines} lines, {shown:.0} in a thousand")
    })
}
