//! `use` items, one name at a time.

use proc_macro2::Ident;
use syn::{ItemUse, UseTree};

/// One name of a `use` item.
pub(crate) struct Used {
    /// The path to what is named; of a glob, to what it opens.
    pub(crate) path: Vec<String>,
    /// What it is called here; nothing if it is a glob.
    pub(crate) name: Option<String>,
    pub(crate) line: usize,
}

/// The names of a `use` item. Nothing, where it begins with `::`, which is always another crate.
pub(crate) fn names(item: &ItemUse) -> Vec<Used> {
    let mut found = Vec::new();
    if item.leading_colon.is_none() {
        flatten(&item.tree, &mut Vec::new(), &mut found);
    }
    found
}

fn flatten(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<Used>) {
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            flatten(&inner.tree, path, found);
            path.pop();
        }
        UseTree::Name(leaf) => found.push(used(path, &leaf.ident, None)),
        UseTree::Rename(leaf) => found.push(used(path, &leaf.ident, Some(&leaf.rename))),
        UseTree::Glob(glob) => found.push(Used {
            path: path.clone(),
            name: None,
            line: glob.star_token.spans[0].start().line,
        }),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, found);
            }
        }
    }
}

fn used(path: &[String], ident: &Ident, rename: Option<&Ident>) -> Used {
    let mut path = path.to_vec();
    // In braces, `self` names the module before them.
    if path.is_empty() || ident != "self" {
        path.push(ident.to_string());
    }
    Used {
        name: rename
            .map(Ident::to_string)
            .or_else(|| path.last().cloned()),
        path,
        line: ident.span().start().line,
    }
}
