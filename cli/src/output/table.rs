//! Tables without lines, as `gh` prints them.

use std::fmt::{self, Display};

use comfy_table::{ContentArrangement, presets::NOTHING};

/// Rows under a header of capitals.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    inner: comfy_table::Table,
}

impl Table {
    #[must_use]
    pub(crate) fn new<const N: usize>(header: [&str; N]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(header.map(str::to_uppercase));
        for column in inner.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self { inner }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.inner.add_row(cells);
    }

    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.inner.row_iter().next().is_none()
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.inner.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_where_their_text_does() {
        let mut table = Table::new(["id", "status"]);
        table.row(["1".to_owned(), "short".to_owned()]);
        table.row(["1000".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "ID    STATUS\n1     short\n1000\n");
    }
}
