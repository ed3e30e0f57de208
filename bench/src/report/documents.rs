//! Puts tables where documents quote them: between `<!-- figures: NAME -->` and `<!-- end -->`,
//! each on a line of its own.

use std::collections::BTreeMap;

/// Tables and other text, by name.
pub(crate) type Tables = BTreeMap<&'static str, String>;

/// The documents that quote tables, in the checkout.
pub(crate) const DOCUMENTS: [&str; 2] = ["README.md", "docs/PERFORMANCE.md"];

const START: &str = "<!-- figures: ";
const NAMED: &str = " -->\n";
const END: &str = "<!-- end -->";

/// The document with every block filled that has a table; all else stays as it is.
pub(crate) fn quoted(document: &str, tables: &Tables) -> String {
    let mut parts = document.split(START);
    let mut quoted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        quoted.push_str(START);
        match table_of(part, tables) {
            Some((name, table, after)) => {
                quoted.extend([name, NAMED, table, "\n", END, after]);
            }
            None => quoted.push_str(part),
        }
    }
    quoted
}

/// The name of a block, its table, and what comes after it.
fn table_of<'a>(part: &'a str, tables: &'a Tables) -> Option<(&'a str, &'a str, &'a str)> {
    let (name, block) = part.split_once(NAMED)?;
    let (_, after) = block.split_once(END)?;
    Some((name, tables.get(name)?, after))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::report::tests::checkout;

    #[test]
    fn a_quoted_table_is_replaced_and_the_rest_stays() {
        let document = "before\n<!-- figures: a -->\nold\n<!-- end -->\nbetween\n\
                        <!-- figures: b -->\nkept\n<!-- end -->\nafter\n";
        let wanted = document.replace("old", "new\nlines");
        let tables = Tables::from([("a", "new\nlines".to_owned())]);
        assert_eq!(quoted(document, &tables), wanted);
        assert_eq!(quoted(document, &Tables::new()), document);
    }

    #[test]
    fn a_block_without_an_end_stays() {
        let document = "<!-- figures: a -->\nold\n";
        let tables = Tables::from([("a", "new".to_owned())]);
        assert_eq!(quoted(document, &tables), document);
    }

    #[test]
    fn the_plots_that_the_documents_show_are_there() {
        let document = fs::read_to_string(checkout().join("docs/PERFORMANCE.md")).unwrap();
        let links = document.split("](").skip(1);
        let links = links.filter_map(|link| link.split_once(')'));
        let is_plot = |link: &&str| Path::new(link).extension().is_some_and(|of| of == "svg");
        let plots: Vec<_> = links.map(|(link, _)| link).filter(is_plot).collect();
        assert!(!plots.is_empty());
        for plot in plots {
            assert!(checkout().join("docs").join(plot).exists(), "{plot}");
        }
    }
}
