//! One module: the names that can be found in it, and where each comes from.

use std::collections::{BTreeMap, BTreeSet};

use syn::Item;

use crate::uses::{self, Used};

/// A module: a file, or a module with a body inside a file.
pub(crate) struct Module<'a> {
    /// The index of its file.
    pub(crate) source: usize,
    /// The folder in which the modules it declares have their files.
    pub(crate) folder: String,
    /// The index of the module that declares it; none of a crate's root.
    pub(crate) parent: Option<usize>,
    /// What it holds.
    pub(crate) items: &'a [Item],
    /// The indexes of the modules it declares.
    pub(crate) children: BTreeMap<String, usize>,
    /// The paths of what it imports, by the names they have in it.
    pub(crate) imports: BTreeMap<String, Vec<String>>,
    /// The paths of what it imports whole.
    pub(crate) globs: Vec<Vec<String>>,
    /// The names of its own items.
    pub(crate) own: BTreeSet<String>,
}

impl<'a> Module<'a> {
    /// With its names; the modules it declares are added when they are known.
    pub(crate) fn new(
        source: usize,
        folder: String,
        parent: Option<usize>,
        items: &'a [Item],
    ) -> Self {
        let mut module = Self {
            source,
            folder,
            parent,
            items,
            children: BTreeMap::new(),
            imports: BTreeMap::new(),
            globs: Vec::new(),
            own: items.iter().filter_map(name).collect(),
        };
        for item in items {
            if let Item::Use(item) = item {
                module.import(uses::names(item));
            }
        }
        module
    }

    /// Whether a name means something in it, not counting what it imports whole.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.children.contains_key(name)
            || self.imports.contains_key(name)
            || self.own.contains(name)
    }

    fn import(&mut self, names: Vec<Used>) {
        for used in names {
            if let Some(name) = used.name {
                self.imports.insert(name, used.path);
            } else {
                self.globs.push(used.path);
            }
        }
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
