//! What a path means in a module: the module that holds what it names. A name that was imported is
//! followed to where it comes from, so that a facade (`pub use child::Name`) is never the end.

use crate::modules::Modules;

/// Steps after which a path is taken for one into another crate. `use url;` would go on for ever:
/// the name it imports is its own path.
const MOST_STEPS: usize = 16;

impl Modules<'_> {
    /// The module that holds what a path names, seen from a module; nothing if another crate does.
    pub(crate) fn resolve(&self, from: usize, path: &[String]) -> Option<usize> {
        self.follow(from, path, MOST_STEPS)
    }

    fn follow(&self, from: usize, path: &[String], steps: usize) -> Option<usize> {
        let steps = steps.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(self.root(from), rest, steps),
            "self" => self.descend(from, rest, steps),
            "super" => self.ascend(from, path, steps),
            _ if self.all[from].knows(first) => self.descend(from, path, steps),
            _ => None,
        }
    }

    /// As many modules up as the path begins with `super`, and down from there.
    fn ascend(&self, from: usize, path: &[String], steps: usize) -> Option<usize> {
        match path.split_first() {
            Some((first, rest)) if first == "super" => {
                self.ascend(self.all[from].parent?, rest, steps)
            }
            _ => self.descend(from, path, steps),
        }
    }

    /// A name that nothing declares, as those of a macro's items, counts as the module's own.
    fn descend(&self, from: usize, path: &[String], steps: usize) -> Option<usize> {
        let Some((first, rest)) = path.split_first() else {
            return Some(from);
        };
        let module = &self.all[from];
        if let Some(child) = module.children.get(first) {
            self.descend(*child, rest, steps)
        } else if let Some(imported) = module.imports.get(first) {
            self.follow(from, &[imported, rest].concat(), steps)
        } else if module.own.contains(first) {
            Some(from)
        } else {
            self.through_a_glob(from, path, steps).or(Some(from))
        }
    }

    fn through_a_glob(&self, from: usize, path: &[String], steps: usize) -> Option<usize> {
        let steps = steps.checked_sub(1)?;
        let name = path.first()?;
        let opened = self.all[from].globs.iter();
        let mut opened = opened.filter_map(|glob| self.follow(from, glob, steps));
        let holder = opened.find(|opened| self.all[*opened].knows(name))?;
        self.descend(holder, path, steps)
    }

    fn root(&self, module: usize) -> usize {
        let parent = self.all[module].parent;
        parent.map_or(module, |parent| self.root(parent))
    }
}
