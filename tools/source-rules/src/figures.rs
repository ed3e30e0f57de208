//! The figures of many files together.

use syn::visit::Visit;

use crate::{shape::Shape, source::Source};

/// Longer lines are counted.
pub(crate) const MOST_COLUMNS: usize = 100;
/// Longer functions are counted.
pub(crate) const LONGEST_FUNCTION: usize = 40;
/// Functions with more parameters are counted; `self` is none.
pub(crate) const MOST_PARAMETERS: usize = 4;

/// What was counted in files, test code left out.
#[derive(Default)]
pub(crate) struct Figures {
    /// The lines of each file, ascending.
    pub(crate) files: Vec<usize>,
    /// All lines.
    pub(crate) lines: usize,
    /// Lines that begin with `///` or `//!`.
    pub(crate) doc_lines: usize,
    /// Other lines that begin with `//`.
    pub(crate) comment_lines: usize,
    /// Lines that are neither blank nor a comment.
    pub(crate) code_lines: usize,
    /// The characters of these.
    pub(crate) columns: usize,
    /// Those of them with more than [`MOST_COLUMNS`].
    pub(crate) long_lines: usize,
    /// What their syntax holds.
    pub(crate) shape: Shape,
}

impl Figures {
    /// Counts.
    pub(crate) fn of<'a>(sources: impl Iterator<Item = &'a Source>) -> Self {
        let mut figures = Self::default();
        for source in sources {
            figures.add_lines(source);
            figures.shape.visit_file(&source.syntax);
        }
        figures.files.sort_unstable();
        figures
    }

    /// How many functions are longer than [`LONGEST_FUNCTION`].
    pub(crate) fn long_functions(&self) -> usize {
        let functions = self.shape.functions.iter();
        let long = functions.filter(|function| function.length > LONGEST_FUNCTION);
        long.count()
    }

    /// How many functions have more than [`MOST_PARAMETERS`].
    pub(crate) fn with_many_parameters(&self) -> usize {
        let functions = self.shape.functions.iter();
        let many = functions.filter(|function| function.parameters > MOST_PARAMETERS);
        many.count()
    }

    /// The lines of each function, ascending.
    pub(crate) fn functions(&self) -> Vec<usize> {
        let functions = self.shape.functions.iter();
        let mut lengths: Vec<_> = functions.map(|function| function.length).collect();
        lengths.sort_unstable();
        lengths
    }

    /// In a thousand lines.
    pub(crate) fn per_thousand_lines(&self, count: usize) -> f64 {
        1_000.0 * ratio(count, self.lines)
    }

    /// In a thousand lines of code proper.
    pub(crate) fn per_thousand_lines_of_code(&self, count: usize) -> f64 {
        1_000.0 * ratio(count, self.code_lines)
    }

    /// The mean length of a line of code.
    pub(crate) fn mean_columns(&self) -> f64 {
        ratio(self.columns, self.code_lines)
    }

    fn add_lines(&mut self, source: &Source) {
        let before = self.lines;
        for (_, line) in source.production_lines() {
            self.lines += 1;
            let start = line.trim_start();
            if start.starts_with("///") || start.starts_with("//!") {
                self.doc_lines += 1;
            } else if start.starts_with("//") {
                self.comment_lines += 1;
            } else if !start.is_empty() {
                self.add_code(line.chars().count());
            }
        }
        self.files.push(self.lines - before);
    }

    fn add_code(&mut self, columns: usize) {
        self.code_lines += 1;
        self.columns += columns;
        self.long_lines += usize::from(columns > MOST_COLUMNS);
    }
}

/// The one in the middle of ascending values; of two, their mean, rounded up.
pub(crate) fn median(values: &[usize]) -> usize {
    let last = values.len().saturating_sub(1);
    let middle = |index: usize| values.get(index).copied().unwrap_or_default();
    (middle(last / 2) + middle(last.div_ceil(2))).div_ceil(2)
}

/// The value below which 90 % of ascending values are.
pub(crate) fn ninety_per_cent(values: &[usize]) -> usize {
    let last = values.len().saturating_sub(1);
    values.get(last * 9 / 10).copied().unwrap_or_default()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "lines and characters of sources are far below 2^52"
)]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_code_are_neither_blank_nor_comments() {
        let text = "//! Docs.\n\n// Why.\nfn f() {\n    g();\n}\n\n#[cfg(test)]\nmod tests {}\n";
        let source = Source::parse("src/lib.rs", text.to_owned()).unwrap();
        let figures = Figures::of([&source].into_iter());
        assert_eq!((figures.lines, figures.code_lines), (7, 3));
        assert_eq!((figures.doc_lines, figures.comment_lines), (1, 1));
        assert_eq!(figures.columns, "fn f() {".len() + "    g();".len() + 1);
    }

    #[test]
    fn the_median_of_two_is_between_them() {
        assert_eq!(median(&[1, 89, 92, 100]), 91);
        assert_eq!(median(&[1, 2, 100]), 2);
        assert_eq!(median(&[]), 0);
    }
}
