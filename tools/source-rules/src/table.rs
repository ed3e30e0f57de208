//! A table in plain text.

/// Aligns the cells of all rows, the first column to the left, the others to the right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
    let mut text = String::new();
    for row in rows {
        let mut cells = Vec::new();
        for (cell, width) in row.iter().zip(&widths) {
            if cells.is_empty() {
                cells.push(format!("{cell:<width$}"));
            } else {
                cells.push(format!("{cell:>width$}"));
            }
        }
        text.push_str(&cells.join("  "));
        text.push('\n');
    }
    text
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(row.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_left_and_figures_right() {
        let rows = [["code", "lines"], ["shared", "7"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows), "code    lines\nshared      7\n");
    }
}
