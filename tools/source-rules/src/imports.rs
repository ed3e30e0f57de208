//! Which file of a package takes something from which.

use std::collections::BTreeMap;

use crate::{mentions, modules::Modules, workspace::Package};

/// One file names what another one holds.
#[derive(Debug, Clone)]
pub struct Import {
    /// The file that takes.
    pub from: String,
    /// The file that holds it.
    pub to: String,
    /// The path, as it is written.
    pub path: String,
    /// The first line that has it.
    pub line: usize,
}

impl Import {
    /// Whether another import is between the same two files, in the same direction.
    #[must_use]
    pub fn has_the_ends_of(&self, other: &Self) -> bool {
        (&self.from, &self.to) == (&other.from, &other.to)
    }
}

/// The imports between the files of a package, by `use` and by other paths, test code left out.
/// Those between the same two files stand together.
///
/// A module is made of the modules inside it: what it takes from them, declares or passes on is no
/// import. What they take from it is one.
#[must_use]
pub fn imports(package: &Package) -> Vec<Import> {
    let modules = Modules::of(package);
    let mut lines = BTreeMap::new();
    for (index, module) in modules.all.iter().enumerate() {
        for mention in mentions::of(module.items) {
            if let Some(to) = other_file(&modules, index, &mention.path) {
                let import = (module.source, to, mention.path.join("::"));
                let first = lines.entry(import).or_insert(mention.line);
                *first = mention.line.min(*first);
            }
        }
    }

    let file = |source: usize| package.sources[source].path.clone();
    let mut imports = Vec::new();
    for ((from, to, path), line) in lines {
        imports.push(Import {
            from: file(from),
            to: file(to),
            path,
            line,
        });
    }
    imports
}

/// The file that a module imports from by a path, if it does.
fn other_file(modules: &Modules, from: usize, path: &[String]) -> Option<usize> {
    let target = modules.resolve(from, path)?;
    let file = modules.all[target].source;
    let own = modules.all[from].source;
    (file != own && !modules.is_inside(target, own)).then_some(file)
}
