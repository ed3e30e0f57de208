//! What was measured, as Markdown tables. Every number comes from the sources.results.

use crate::{
    collections::{Collection, Counts, Step},
    deliveries::Deliveries,
    front::Traffic,
    instructions::Instructions,
    large_rows::LargeRows,
    partition::Paced,
    program::Maker,
    report::{
        Sources,
        markdown::{Column, markdown, table},
        numbers::{count, decimals, float, megabytes, ms, significant, whole},
    },
    scale::Day,
    sizes::Size,
    stack::Delay,
    start::Start,
    statistics::Spread,
    world::Transport,
};

/// The names of floors, by program.
const FLOORS: [(&str, &str); 4] = [
    ("floor-noop", "floor: no-op"),
    ("floor-send", "floor: the SQS call"),
    ("floor-receive", "floor: receive and hash"),
    (
        "floor-store",
        "floor: receive, hash, write ready-made items",
    ),
];
/// The window whose traffic is shown: one page of rows.
const PAGE: usize = 1_000;

/// Where and with what everything was measured.
pub(crate) fn machine(sources: &Sources) -> Option<String> {
    let (run, conditions) = (&sources.results.run, &sources.results.conditions);
    let loads = conditions
        .iter()
        .filter_map(|suite| suite.load_before.parse().ok());
    let mut loads: Vec<f64> = loads.collect();
    loads.sort_by(f64::total_cmp);
    let seconds: u64 = conditions.iter().map(|suite| suite.took_s).sum();
    let versions = run
        .versions
        .iter()
        .map(|(name, version)| format!("{name}: {version}"));

    let mut text = format!(
        "{}, {} cores, {}, Linux {}. Measured on {} in {} minutes; load before the suites {:?} to \
         {:?}.\n\n{}.",
        run.processor,
        run.cores,
        run.memory,
        run.kernel,
        run.measured_at,
        whole(float(seconds) / 60.0),
        loads.first()?,
        loads.last()?,
        versions.collect::<Vec<_>>().join("; "),
    );
    if conditions.iter().any(|suite| suite.quick) {
        text.push_str("\n\n**A quick run: few rounds and small windows.**");
    }
    Some(text)
}

/// INIT, first and later invocations.
pub(crate) fn starts(sources: &Sources) -> Option<String> {
    const COLUMNS: &[Column<Start>] = &[
        ("", |row| with_maker(&row.function, row.maker)),
        ("over", |row| transport(row.transport).to_owned()),
        ("INIT ms", |row| ms(row.init_ms.median)),
        ("its CPU ms", |row| ms(row.init_cpu_ms.median)),
        ("first ms", |row| ms(row.first_ms.median)),
        ("later ms", |row| ms(row.warm_ms.median)),
        ("memory MB", |row| whole(megabytes(row.peak_memory_kib))),
    ];
    Some(table(COLUMNS, sources.results.starts.as_ref()?))
}

/// What a webhook costs its function.
pub(crate) fn deliveries(sources: &Sources) -> Option<String> {
    const COLUMNS: &[Column<Deliveries>] = &[
        ("", |row| worker(&row.program, row.maker)),
        ("CPU µs", |row| whole(row.cpu_ms.median * 1_000.0)),
        ("wall µs", |row| whole(row.wall_ms.median * 1_000.0)),
        ("for 1 s of CPU", |row| whole(row.per_second_and_core)),
        ("SQS requests", |row| significant(row.sqs_requests, 6)),
        ("memory MB", |row| whole(megabytes(row.peak_memory_kib))),
    ];
    Some(table(COLUMNS, sources.results.deliveries.as_ref()?))
}

/// What collections of several sizes cost.
pub(crate) fn collections(sources: &Sources) -> Option<String> {
    const COLUMNS: &[Column<Collection>] = &[
        ("", |row| worker(&row.program, row.maker)),
        ("rows", |row| count(row.rows)),
        ("collection", |row| step_of(row.maker, row.step)),
        ("runs", |row| count(row.cpu_ms.runs)),
        ("CPU ms per 1,000 rows", |row| {
            per_thousand(row.cpu_ms, row.rows)
        }),
        ("wall ms per 1,000 rows", |row| {
            per_thousand(row.wall_ms, row.rows)
        }),
        ("GETs", |row| count(row.counts.gets)),
        ("write units", |row| whole(row.counts.write_units)),
        ("of the index", |row| {
            whole(row.counts.write_units_of_the_index)
        }),
        ("of the record", |row| {
            whole(row.counts.write_units_of_the_record)
        }),
        ("read units", |row| whole(row.counts.read_units)),
        ("memory MB", |row| whole(megabytes(row.peak_memory_kib))),
    ];
    Some(table(COLUMNS, sources.results.collections.as_ref()?))
}

/// What crossed the connections of a collection.
struct Exchange<'a> {
    maker: Maker,
    step: Step,
    counts: &'a Counts,
    aws: Traffic,
    belvo: Traffic,
}

impl<'a> Exchange<'a> {
    /// `None` for floors, other windows, and where nothing was counted.
    fn of(row: &'a Collection) -> Option<Self> {
        let (aws, belvo) = row.counts.traffic.filter(|_| row.rows == PAGE)?;
        Some(Self {
            maker: row.maker?,
            step: row.step,
            counts: &row.counts,
            aws,
            belvo,
        })
    }
}

/// Requests and bytes of a collection of one page.
pub(crate) fn traffic(sources: &Sources) -> Option<String> {
    let columns: &[Column<Exchange<'_>>] = &[
        ("", |row| {
            format!("{}, {}", row.maker.name(), step(row.step))
        }),
        ("AWS requests", |row| {
            count(row.counts.requests.values().sum::<u64>())
        }),
        ("kB to AWS", |row| whole(float(row.aws.bytes_sent) / 1e3)),
        ("kB from AWS", |row| {
            whole(float(row.aws.bytes_received) / 1e3)
        }),
        ("GETs", |row| count(row.counts.gets)),
        ("kB from Belvo", |row| {
            whole(float(row.belvo.bytes_received) / 1e3)
        }),
        ("connections", |row| {
            count(row.aws.connections + row.belvo.connections)
        }),
    ];
    let collections = sources.results.collections.as_ref()?;
    let rows: Vec<_> = collections.iter().filter_map(Exchange::of).collect();
    Some(table(columns, &rows))
}

/// A first collection at the limit of its partition, and small links beside it.
pub(crate) fn partition(sources: &Sources) -> Option<String> {
    const COLUMNS: &[Column<Paced>] = &[
        ("rows", |row| count(row.rows)),
        ("write units", |row| whole(row.write_units)),
        ("the partition's own s", |row| decimals(row.own_seconds, 1)),
        ("s", |row| decimals(row.seconds, 1)),
        ("ratio", |row| decimals(row.ratio, 3)),
        ("invocations", |row| count(row.invocations)),
        ("batches", |row| {
            count(row.requests.get("BatchWriteItem").unwrap_or(&0))
        }),
        ("of them throttled", |row| {
            count(row.throttled.get("BatchWriteItem").unwrap_or(&0))
        }),
        ("small links alone, ms", |row| ms(row.small_alone_ms)),
        ("beside it, ms", |row| ms(row.small_beside_ms)),
    ];
    Some(table(COLUMNS, sources.results.partition.as_ref()?))
}

/// What links with large rows take in memory.
pub(crate) fn large_rows(sources: &Sources) -> Option<String> {
    const COLUMNS: &[Column<LargeRows>] = &[
        ("", |row| {
            format!(
                "{} links with {} {} each",
                row.links,
                count(row.rows),
                row.resource
            )
        }),
        ("kB a row", |row| whole(float(row.row_bytes as u64) / 1e3)),
        ("collection", |row| row.step.clone()),
        ("GETs", |row| count(row.gets)),
        ("memory MB", |row| whole(megabytes(row.peak_memory_kib))),
    ];
    Some(table(COLUMNS, sources.results.large_rows.as_ref()?))
}

/// Instructions, which do not depend on how busy the machine is.
pub(crate) fn instructions(sources: &Sources) -> Option<String> {
    let results = &sources.results;
    let millions = |row: &Instructions| decimals(float(row.executed) / 1e6, 2);
    let lines = results.instructions.as_ref()?.iter().map(|row| {
        let mut of_arm64 = results.arm64_instructions.iter().flatten();
        let same = of_arm64.find(|other| other.program == row.program && other.per == row.per);
        vec![
            format!("{}, {}", floor(&row.program), row.per),
            millions(row),
            same.map(millions).unwrap_or_default(),
        ]
    });
    let head = ["", "million instructions", "of arm64"];
    Some(with_arm64(
        &head,
        1,
        results.arm64_instructions.is_some(),
        lines,
    ))
}

/// From webhook to stored on the deployed local stack.
pub(crate) fn stack(sources: &Sources) -> Option<String> {
    const COLUMNS: &[Column<Delay>] = &[
        ("", |row| format!("{} new rows", count(row.rows))),
        ("webhook to stored, ms", |row| {
            ms(row.webhook_to_stored_ms.median)
        }),
    ];
    Some(table(COLUMNS, sources.results.stack.as_ref()?))
}

/// What is uploaded.
pub(crate) fn sizes(sources: &Sources) -> Option<String> {
    let results = &sources.results;
    let megabytes = |bytes: u64| decimals(float(bytes) / 1e6, 2);
    let sizes = |size: &Size| [megabytes(size.bytes), megabytes(size.zipped_bytes)];
    let lines = results.sizes.as_ref()?.iter().map(|row| {
        let mut of_arm64 = results.arm64_sizes.iter().flatten();
        let same = of_arm64.find(|other| other.program == row.program && other.maker == row.maker);
        let mut cells = vec![with_maker(&row.program, row.maker)];
        cells.extend(sizes(row));
        cells.extend(same.map(sizes).unwrap_or_default());
        cells
    });
    let head = ["", "MB", "zipped MB", "arm64 MB", "zipped MB"];
    Some(with_arm64(&head, 2, results.arm64_sizes.is_some(), lines))
}

/// A table whose last columns are of arm64 and are left out if that was not measured.
fn with_arm64(
    head: &[&str],
    columns: usize,
    is_measured: bool,
    lines: impl Iterator<Item = Vec<String>>,
) -> String {
    let kept = head.len() - if is_measured { 0 } else { columns };
    let head = head[..kept].iter().map(|title| (*title).to_owned());
    markdown(
        head.collect(),
        lines.map(|mut cells| {
            cells.truncate(kept);
            cells
        }),
    )
}

/// Days of many links, simulated.
pub(crate) fn days(sources: &Sources) -> Option<String> {
    const COLUMNS: &[Column<Day>] = &[
        ("links", |row| count(row.links)),
        ("`CollectConcurrency`", |row| count(row.environments)),
        ("addresses", |row| count(row.addresses)),
        ("median wait s", |row| decimals(row.median_s, 1)),
        ("99 % below s", |row| whole(row.p99_s)),
        ("longest s", |row| whole(row.longest_s)),
        ("left at midnight", |row| count(row.left)),
    ];
    Some(table(COLUMNS, sources.results.scale.as_ref()?))
}

/// A maker, or a floor by its name.
fn worker(program: &str, maker: Option<Maker>) -> String {
    let name = match maker {
        Some(maker) => maker.name(),
        None => floor(program),
    };
    name.to_owned()
}

fn with_maker(program: &str, maker: Option<Maker>) -> String {
    match maker {
        Some(maker) => format!("{program}, {}", maker.name()),
        None => program.to_owned(),
    }
}

/// The name of a floor; any other program has its own.
fn floor(program: &str) -> &str {
    let known = FLOORS.iter().find(|(floor, _)| *floor == program);
    known.map_or(program, |(_, name)| name)
}

fn step(step: Step) -> &'static str {
    match step {
        Step::First => "first time",
        Step::Unchanged => "unchanged",
        Step::OnePercent => "1 % changed",
        Step::Refresh => "daily refresh, 5 new rows",
    }
}

/// The step of a maker's collection; floors have none.
fn step_of(maker: Option<Maker>, of: Step) -> String {
    let step = maker.map(|_| step(of));
    step.unwrap_or_default().to_owned()
}

fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Plain => "plain HTTP",
        Transport::Tls => "TLS",
    }
}

fn per_thousand(took: Spread, rows: usize) -> String {
    ms(took.median * 1_000.0 / float(rows as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plots_name_makers_and_floors_as_the_tables_do() {
        let plots = include_str!("../../../tools/figures/plots.py");
        let sources = Sources::committed();
        for row in sources.results.deliveries.iter().flatten() {
            let id = match row.maker {
                Some(maker) => serde_json::to_string(&maker).unwrap(),
                None => format!("\"{}\"", row.program),
            };
            let name = worker(&row.program, row.maker);
            assert!(plots.contains(&format!("{id}: \"{name}\",")), "{id}");
        }
    }
}
