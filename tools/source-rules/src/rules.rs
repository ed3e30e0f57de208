//! Where the rules are broken, one line for each place.

use crate::{
    circles::circles,
    figures::{LONGEST_FUNCTION, MOST_COLUMNS},
    shape::Shape,
    source::Source,
    workspace::Package,
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

/// Lines of more than `MOST_COLUMNS` columns, but for test code, and for tables, which cannot be
/// wrapped.
#[must_use]
pub fn long_lines_in(source: &Source) -> Vec<String> {
    let mut places = Vec::new();
    for (line, text) in source.production_lines() {
        let is_table = ["//! |", "/// |"].iter().any(|row| text.starts_with(row));
        if is_table {
            continue;
        }
        let columns = text.chars().count();
        if columns > MOST_COLUMNS {
            places.push(format!("{}:{line}: {columns} columns", source.path));
        }
    }
    places
}
