//! All tables that can be made of some results, and the summary of them.

use crate::report::{Sources, costs, documents::Tables, invocations, limits, tables, targets};

/// What is made of the results.
struct Table {
    /// As documents quote it.
    name: &'static str,
    /// In the summary; `None` if it is not shown there.
    title: Option<&'static str>,
    /// `None` if something that it needs was not measured.
    make: fn(&Sources) -> Option<String>,
}

/// All tables, in the order of the summary.
const TABLES: &[Table] = &[
    shown("machine", "Machine", tables::machine),
    shown("targets", "Targets", |sources| {
        Some(targets::table(sources))
    }),
    shown("starts", "Starts", tables::starts),
    shown("invocations", "Whole invocations", invocations::billed),
    shown("waits", "What invocations wait for", invocations::waits),
    shown("deliveries", "Webhooks", tables::deliveries),
    shown("collections", "Collections", tables::collections),
    shown(
        "traffic",
        "Requests and bytes of a window of one page",
        tables::traffic,
    ),
    shown("large-rows", "Large rows", tables::large_rows),
    shown("partition", "At a partition's limit", tables::partition),
    shown("instructions", "Instructions", tables::instructions),
    shown("stack", "On the deployed local stack", tables::stack),
    shown("sizes", "Programs and packages", tables::sizes),
    shown("money", "Costs", costs::of_makers),
    only_quoted("costs", costs::in_short),
    only_quoted("following", |sources| Some(costs::following(sources))),
    only_quoted("observing", |sources| Some(costs::observing(sources))),
    shown("limits", "Limits", limits::table),
    shown("days", "Simulated days", tables::days),
];

/// Every table that can be made, by name. Says which cannot.
pub(crate) fn tables(sources: &Sources) -> Tables {
    let mut made = Tables::new();
    for table in TABLES {
        match (table.make)(sources) {
            Some(text) => _ = made.insert(table.name, text),
            None => eprintln!("no table of {}: not all of it was measured", table.name),
        }
    }
    made
}

/// The tables under their titles.
pub(crate) fn summary(tables: &Tables) -> String {
    let sections = TABLES.iter().filter_map(|table| {
        let (title, text) = (table.title?, tables.get(table.name)?);
        Some(format!("\n## {title}\n\n{text}\n"))
    });
    let sections: String = sections.collect();
    format!("# What was measured\n{sections}")
}

const fn shown(
    name: &'static str,
    title: &'static str,
    make: fn(&Sources) -> Option<String>,
) -> Table {
    Table {
        name,
        title: Some(title),
        make,
    }
}

const fn only_quoted(name: &'static str, make: fn(&Sources) -> Option<String>) -> Table {
    Table {
        name,
        title: None,
        make,
    }
}
