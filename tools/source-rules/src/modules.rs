//! The tree of a package's modules.

use syn::{Item, ItemMod};

use crate::{
    module::Module,
    module_files::{file_of, folder_of_children, is_root},
    workspace::Package,
};

/// The modules of a package that not only tests compile: of its library and of its programs.
pub(crate) struct Modules<'a> {
    pub(crate) all: Vec<Module<'a>>,
    package: &'a Package,
}

impl<'a> Modules<'a> {
    /// Follows the `mod` declarations from the root of each crate.
    pub(crate) fn of(package: &'a Package) -> Self {
        let mut modules = Self {
            all: Vec::new(),
            package,
        };
        for (index, source) in package.sources.iter().enumerate() {
            if is_root(&package.folder, &source.path) && !source.only_tests {
                modules.add(modules.file(index, None));
            }
        }
        modules
    }

    /// Whether a module is declared in a file, or in a module that is.
    pub(crate) fn is_inside(&self, module: usize, source: usize) -> bool {
        self.all[module].parent.is_some_and(|parent| {
            self.all[parent].source == source || self.is_inside(parent, source)
        })
    }

    fn add(&mut self, module: Module<'a>) -> usize {
        let index = self.all.len();
        let items = module.items;
        self.all.push(module);
        for item in items {
            if let Item::Mod(declaration) = item
                && let Some(child) = self.declared(declaration, index)
            {
                let child = self.add(child);
                let name = declaration.ident.to_string();
                self.all[index].children.insert(name, child);
            }
        }
        index
    }

    fn declared(&self, declaration: &'a ItemMod, parent: usize) -> Option<Module<'a>> {
        let name = declaration.ident.to_string();
        let Module { source, folder, .. } = &self.all[parent];
        if let Some((_, items)) = &declaration.content {
            let folder = format!("{folder}/{name}");
            return Some(Module::new(*source, folder, Some(parent), items));
        }
        let source = file_of(&self.package.sources, folder, &name)?;
        Some(self.file(source, Some(parent)))
    }

    fn file(&self, source: usize, parent: Option<usize>) -> Module<'a> {
        let file = &self.package.sources[source];
        let folder = folder_of_children(&self.package.folder, &file.path);
        Module::new(source, folder, parent, &file.syntax.items)
    }
}
