//! Tables in Markdown.

/// The title of a column, and its cell in a row.
pub(crate) type Column<R> = (&'static str, fn(&R) -> String);

/// A table with a line for each row.
pub(crate) fn table<'a, R: 'a>(
    columns: &[Column<R>],
    rows: impl IntoIterator<Item = &'a R>,
) -> String {
    let head = columns.iter().map(|(title, _)| (*title).to_owned());
    let lines = rows.into_iter().map(|row| {
        let cells = columns.iter().map(|(_, cell)| cell(row));
        cells.collect()
    });
    markdown(head.collect(), lines)
}

/// A table whose first column is text and whose others are numbers.
pub(crate) fn markdown(head: Vec<String>, lines: impl IntoIterator<Item = Vec<String>>) -> String {
    let numbers = head.iter().skip(1).map(|_| "--:".to_owned());
    let rule = [":--".to_owned()].into_iter().chain(numbers).collect();
    let lines = [head, rule].into_iter().chain(lines);
    let lines = lines.map(|cells| format!("| {} |", cells.join(" | ")));
    lines.collect::<Vec<_>>().join("\n")
}
