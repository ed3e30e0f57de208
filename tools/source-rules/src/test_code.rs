//! Cuts away what only tests compile: items and methods under `#[cfg(test)]`. Single statements and
//! fields under it are kept.

use std::ops::RangeInclusive;

use syn::{Attribute, ImplItem, Item, Meta, spanned::Spanned};

/// What was cut out of a file.
#[derive(Default)]
pub(crate) struct Cut {
    /// The first and the last line of each item; its attributes belong to it.
    pub(crate) lines: Vec<RangeInclusive<usize>>,
    /// Modules with files of their own that were declared there, by their path below the file's
    /// module.
    pub(crate) modules: Vec<Vec<String>>,
}

impl Cut {
    /// Removes the test code from `items` and says what it was.
    pub(crate) fn out_of(items: &mut Vec<Item>) -> Self {
        let mut cut = Self::default();
        cut.items(items, &[]);
        cut
    }

    fn items(&mut self, items: &mut Vec<Item>, module: &[String]) {
        items.retain(|item| {
            let kept = self.keeps(attributes_of_item(item), item);
            if let (false, Item::Mod(declared)) = (kept, item) {
                let name = declared.ident.to_string();
                self.modules.push([module, &[name]].concat());
            }
            kept
        });
        for item in items {
            self.inside(item, module);
        }
    }

    fn inside(&mut self, item: &mut Item, module: &[String]) {
        match item {
            Item::Mod(inner) => {
                if let Some((_, items)) = &mut inner.content {
                    let name = inner.ident.to_string();
                    self.items(items, &[module, &[name]].concat());
                }
            }
            Item::Impl(block) => block
                .items
                .retain(|item| self.keeps(attributes_of_impl_item(item), item)),
            _ => {}
        }
    }

    fn keeps(&mut self, attributes: &[Attribute], item: &impl Spanned) -> bool {
        let kept = !attributes.iter().any(is_cfg_test);
        if !kept {
            let span = item.span();
            self.lines.push(span.start().line..=span.end().line);
        }
        kept
    }
}

/// `cfg(test)`, or `cfg(all(test, …))`.
fn is_cfg_test(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    let condition: String = list.tokens.to_string().split_whitespace().collect();
    list.path.is_ident("cfg") && (condition == "test" || condition.starts_with("all(test,"))
}

fn attributes_of_item(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn attributes_of_impl_item(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Macro(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use crate::source::Source;

    const TEXT: &str = "\
use std::fmt;

struct Kept;

impl Kept {
    fn kept() {}

    #[cfg(test)]
    fn cut() {}
}

#[cfg(all(test, unix))]
mod far_away;

/// Its documentation goes with it.
#[cfg(test)]
mod tests {
    use super::*;
}
";

    #[test]
    fn what_only_tests_compile_is_cut_away_with_its_lines() {
        let source = Source::parse("src/lib.rs", TEXT.to_owned()).unwrap();
        let lines: Vec<_> = source.production_lines().collect();
        assert!(lines.contains(&(6, "    fn kept() {}")));
        assert_eq!(lines.last(), Some(&(14, "")));
        assert!(lines.iter().all(|(_, line)| !line.contains("cut")));
        assert_eq!(source.cut.modules, [["far_away"], ["tests"]]);
    }

    #[test]
    fn code_for_everything_but_tests_is_kept() {
        let source = Source::parse("src/lib.rs", "#[cfg(not(test))]\nfn kept() {}\n".to_owned());
        assert_eq!(source.unwrap().production_lines().count(), 2);
    }
}
