//! Every path that the code of a module writes down.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Item, ItemMod, ItemUse, Macro, Path,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::uses;

/// A path, where it stands.
pub(crate) struct Mention {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// The paths in a module's items. Modules with a body inside it are modules of their own.
pub(crate) fn of(items: &[Item]) -> Vec<Mention> {
    let mut mentions = Mentions(Vec::new());
    for item in items {
        mentions.visit_item(item);
    }
    mentions.0
}

struct Mentions(Vec<Mention>);

impl Mentions {
    /// A single word means what the module declares or imports, which is seen there.
    fn add(&mut self, path: Vec<String>, line: usize) {
        if path.len() > 1 {
            self.0.push(Mention { path, line });
        }
    }

    /// What a macro is called with has no syntax yet: whatever looks like a path is one.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) if colons == 2 => {
                    colons = 0;
                    path.push(ident.to_string());
                }
                other => {
                    self.add(std::mem::take(&mut path), line);
                    colons = 0;
                    line = other.span().start().line;
                    match other {
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Group(group) => self.scan(group.stream()),
                        _ => {}
                    }
                }
            }
        }
        self.add(path, line);
    }
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for used in uses::names(item) {
            self.0.push(Mention {
                path: used.path,
                line: used.line,
            });
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter();
            let names = segments.map(|segment| segment.ident.to_string());
            self.add(names.collect(), path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.scan(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}
