//! Modules that import each other in a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    imports::{Import, imports},
    workspace::Package,
};

/// Modules of which each leads to every other: a strongly connected part of the import map.
#[derive(Debug)]
pub struct Circle {
    /// The files.
    pub modules: BTreeSet<String>,
    /// The imports among them.
    pub imports: Vec<Import>,
}

/// For each module those it imports from.
type Targets<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// The circles of a package, each as large as it can be.
#[must_use]
pub fn circles(package: &Package) -> Vec<Circle> {
    let imports = imports(package);
    let targets = targets(&imports);

    let reached: Targets<'_> = targets
        .keys()
        .map(|module| (*module, reachable(module, &targets)))
        .collect();

    let mut circles = BTreeSet::new();
    for (module, others) in &reached {
        // Those that it leads to and that lead back to it: itself and the others of its circle, or
        // none.
        let mut circle = others.clone();
        circle.retain(|other| reached.get(other).is_some_and(|back| back.contains(module)));
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }

    let circles = circles.iter();
    circles
        .map(|modules| Circle::of(modules, &imports))
        .collect()
}

fn targets(imports: &[Import]) -> Targets<'_> {
    let mut targets = Targets::new();
    for Import { from, to, .. } in imports {
        targets.entry(from).or_default().insert(to);
    }
    targets
}

fn reachable<'a>(start: &str, targets: &Targets<'a>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut from = vec![start];
    while let Some(module) = from.pop() {
        for target in targets.get(module).into_iter().flatten() {
            if reached.insert(*target) {
                from.push(target);
            }
        }
    }
    reached
}

impl Circle {
    fn of(modules: &BTreeSet<&str>, imports: &[Import]) -> Self {
        let mut imports = imports.to_vec();
        imports.retain(|import| {
            modules.contains(import.from.as_str()) && modules.contains(import.to.as_str())
        });
        Self {
            modules: modules.iter().map(ToString::to_string).collect(),
            imports,
        }
    }
}

/// The modules; then, for each two of them, what the one takes from the other and where first.
impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modules: Vec<_> = self.modules.iter().map(String::as_str).collect();
        writeln!(f, "circle of {}", modules.join(", "))?;
        for imports in self.imports.chunk_by(Import::has_the_ends_of) {
            write_taken(f, imports)?;
        }
        Ok(())
    }
}

/// A line for imports between the same two files.
fn write_taken(f: &mut fmt::Formatter<'_>, imports: &[Import]) -> fmt::Result {
    let paths: Vec<_> = imports.iter().map(|import| import.path.as_str()).collect();
    let first = imports.iter().min_by_key(|import| import.line);
    first.map_or(Ok(()), |Import { from, to, line, .. }| {
        writeln!(f, "  {from}:{line} takes {} from {to}", paths.join(", "))
    })
}
