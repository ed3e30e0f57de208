//! The ratios and counts that the functions are held to, and what was measured of each.

use crate::{
    collections::{Counts, Step},
    partition::Paced,
    program::Maker,
    report::{
        Sources,
        markdown::markdown,
        numbers::{count, decimals, float, megabytes, significant, whole},
        results::{Results, Worker, written},
    },
    start::{CONNECTING, Start},
    world::Transport::Tls,
};

use Bound::{AtLeast, AtMost};

/// What is held to a bound; `None` if it was not measured.
type Measure = fn(&Results) -> Option<f64>;
/// A number of rows.
type Rows = fn(&Results) -> Option<usize>;

/// A bound, and what is held to it.
#[derive(Clone, Copy)]
struct Target {
    /// May speak of [`SIZES`].
    what: &'static str,
    bound: Bound,
    unit: &'static str,
    measured: Measure,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

const OURS: Worker = Worker::Of(Maker::Ours);
const PLAIN: Worker = Worker::Of(Maker::Plain);
const PYTHON: Worker = Worker::Of(Maker::Python);
const NODE: Worker = Worker::Of(Maker::Node);
const SEND: Worker = Worker::Floor("floor-send");
const RECEIVE: Worker = Worker::Floor("floor-receive");
const STORE: Worker = Worker::Floor("floor-store");

/// The interpreted makers, whose INIT is compared with ours.
const INTERPRETED: &[Maker] = &[Maker::Python, Maker::Node];
/// The links of the largest day that is simulated.
const MANY_LINKS: usize = 1_000_000;
/// The rows of a page, of which every collection is measured.
const PAGE: usize = 1_000;

/// The targets, in the order of their table.
const TARGETS: &[Target] = &[
    target(
        "INIT of our slowest function, over TLS, ÷ the floor's",
        AtMost(1.5),
        init_beside_floor,
    ),
    target(
        "INIT in Python or Node.js ÷ ours, over TLS, the least",
        AtLeast(20.0),
        |results| init_beside_ours(results, INTERPRETED),
    ),
    target(
        "INIT in plain Rust ÷ ours, over TLS, the least",
        AtLeast(2.0),
        |results| init_beside_ours(results, &[Maker::Plain]),
    ),
    target(
        "first invocation ÷ later ones, over TLS, the most",
        AtMost(1.4),
        first_beside_later,
    ),
    target("webhook: CPU ÷ the floor's", AtMost(1.12), |results| {
        Some(webhook(results, OURS)? / webhook(results, SEND)?)
    }),
    target(
        "webhook: CPU in plain Rust ÷ ours",
        AtLeast(1.0),
        |results| beside_ours(webhook, results, PLAIN),
    ),
    target("webhook: CPU in Python ÷ ours", AtLeast(3.0), |results| {
        beside_ours(webhook, results, PYTHON)
    }),
    target("webhook: CPU in Node.js ÷ ours", AtLeast(3.0), |results| {
        beside_ours(webhook, results, NODE)
    }),
    target(
        "collect, {window} unchanged rows: CPU ÷ the floor's",
        AtMost(1.6),
        |results| Some(unchanged(results, OURS)? / unchanged(results, RECEIVE)?),
    ),
    target(
        "collect, {window} unchanged rows: CPU in Node.js ÷ ours",
        AtLeast(12.0),
        |results| beside_ours(unchanged, results, NODE),
    ),
    target(
        "collect, {window} unchanged rows: CPU in Python ÷ ours",
        AtLeast(18.0),
        |results| beside_ours(unchanged, results, PYTHON),
    ),
    target(
        "collect, {window} unchanged rows: CPU in plain Rust ÷ ours",
        AtLeast(3.0),
        |results| beside_ours(unchanged, results, PLAIN),
    ),
    target(
        "collect, {window} new rows: CPU ÷ the floor's",
        AtMost(1.4),
        |results| Some(first(results, OURS)? / first(results, STORE)?),
    ),
    target(
        "collect, {window} new rows: CPU in Node.js ÷ ours",
        AtLeast(6.0),
        |results| beside_ours(first, results, NODE),
    ),
    target(
        "collect, {window} new rows: CPU in Python ÷ ours",
        AtLeast(8.0),
        |results| beside_ours(first, results, PYTHON),
    ),
    target(
        "collect, {window} new rows: CPU in plain Rust ÷ ours",
        AtLeast(1.5),
        |results| beside_ours(first, results, PLAIN),
    ),
    target(
        "collect: peak memory, {smallest} to {largest} rows, the most",
        AtMost(24.0),
        |results| maximum(windows(results).map(|rows| memory(results, rows))),
    )
    .in_unit(" MB"),
    target(
        "collect: peak memory at {largest} rows ÷ at {smallest}",
        AtMost(1.2),
        |results| Some(memory(results, largest(results)?) / memory(results, smallest(results)?)),
    ),
    target(
        "write units for 1,000 new rows, all told",
        AtMost(1_300.0),
        |results| write_units(results, OURS),
    ),
    target(
        "write units for 1,000 new rows, Python ÷ ours",
        AtLeast(1.6),
        |results| beside_ours(write_units, results, PYTHON),
    ),
    target(
        "write units for 1,000 new rows, Node.js ÷ ours",
        AtLeast(1.6),
        |results| beside_ours(write_units, results, NODE),
    ),
    target(
        "write units for a daily refresh with 5 new rows, without the request's record",
        AtMost(8.0),
        |results| Some(page(results, OURS, Step::Refresh)?.write_units),
    ),
    target(
        "write units for 1,000 unchanged rows, without the request's record",
        AtMost(0.0),
        |results| Some(page(results, OURS, Step::Unchanged)?.write_units),
    ),
    target(
        "read units for 1,000 unchanged rows",
        AtMost(40.0),
        |results| Some(page(results, OURS, Step::Unchanged)?.read_units),
    ),
    target(
        "collect, links with large rows: peak memory, the most",
        AtMost(300.0),
        |results| {
            let rows = results.large_rows.iter().flatten();
            maximum(rows.map(|row| megabytes(row.peak_memory_kib)))
        },
    )
    .in_unit(" MB"),
    target(
        "collect, {paced} new rows at their partition's limit: time ÷ the partition's own",
        AtMost(1.05),
        |results| Some(paced(results)?.ratio),
    ),
    target(
        "collect, {paced} new rows at their partition's limit: throttled of all writes",
        AtMost(5.0),
        |results| Some(100.0 * paced(results)?.wasted),
    )
    .in_unit(" %"),
    target("program of the webhook function", AtMost(5.8), |results| {
        maximum(programs(results, |program| program == "webhook"))
    })
    .in_unit(" MB"),
    target("largest program", AtMost(8.3), |results| {
        maximum(programs(results, |_| true))
    })
    .in_unit(" MB"),
    target(
        "a simulated day with {links} links, deployed for its busy hours: webhook to stored, \
         99 % below",
        AtMost(60.0),
        |results| {
            let mut days = results.scale.iter().flatten();
            Some(days.find(|day| day.links == MANY_LINKS)?.p99_s)
        },
    )
    .in_unit(" s"),
];

/// The rows that a target's text may speak of.
const SIZES: &[(&str, Rows)] = &[
    ("{window}", Results::largest_shared_window),
    ("{smallest}", smallest),
    ("{largest}", largest),
    ("{paced}", |results| Some(paced(results)?.rows)),
    ("{links}", |_| Some(MANY_LINKS)),
];

/// Each target that was measured, and whether it is met, as a table.
pub(crate) fn table(sources: &Sources) -> String {
    let head = ["", "target", "measured", "met"].map(str::to_owned);
    let lines = TARGETS.iter();
    markdown(
        head.into(),
        lines.filter_map(|target| target.cells(&sources.results)),
    )
}

const fn target(what: &'static str, bound: Bound, measured: Measure) -> Target {
    Target {
        what,
        bound,
        unit: "",
        measured,
    }
}

impl Target {
    const fn in_unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// What is held to the bound, the bound, what was measured, and whether it is met; `None` if it
    /// was not measured.
    fn cells(&self, results: &Results) -> Option<Vec<String>> {
        let measured = (self.measured)(results)?;
        let (sign, bound, met) = match self.bound {
            AtMost(bound) => ("≤", bound, measured <= bound),
            AtLeast(bound) => ("≥", bound, measured >= bound),
        };
        let number = if measured >= 100.0 || measured == 0.0 {
            whole(measured)
        } else {
            decimals(measured, 2)
        };
        let (bound, unit) = (significant(bound, 6), self.unit);
        Some(vec![
            self.text(results)?,
            format!("{sign} {bound}{unit}"),
            format!("{number}{unit}"),
            if met { "yes" } else { "**no**" }.to_owned(),
        ])
    }

    /// The text with its sizes.
    fn text(&self, results: &Results) -> Option<String> {
        let mut text = self.what.to_owned();
        for (size, rows) in SIZES {
            if text.contains(size) {
                text = text.replace(size, &count(rows(results)?));
            }
        }
        Some(text)
    }
}

fn init_beside_floor(results: &Results) -> Option<f64> {
    let mut starts = results.starts_over(Tls);
    let floor = starts.find(|start| start.function == CONNECTING)?;
    let of_ours = starts_of(results, Maker::Ours).map(|start| start.init_ms.median);
    Some(maximum(of_ours)? / floor.init_ms.median)
}

/// INIT of these makers beside ours, function by function: the least.
fn init_beside_ours(results: &Results, makers: &[Maker]) -> Option<f64> {
    let of_peers = makers.iter().flat_map(|maker| starts_of(results, *maker));
    let beside_ours = of_peers.filter_map(|peer| {
        let mut of_ours = starts_of(results, Maker::Ours);
        let ours = of_ours.find(|ours| ours.function == peer.function)?;
        Some(peer.init_ms.median / ours.init_ms.median)
    });
    beside_ours.reduce(f64::min)
}

fn first_beside_later(results: &Results) -> Option<f64> {
    let ours = starts_of(results, Maker::Ours);
    maximum(ours.map(|start| start.first_ms.median / start.warm_ms.median))
}

/// The starts of a maker's functions over TLS.
fn starts_of(results: &Results, maker: Maker) -> impl Iterator<Item = &Start> {
    let starts = results.starts_over(Tls);
    starts.filter(move |start| start.maker == Some(maker))
}

/// The processor time of a webhook in ms.
fn webhook(results: &Results, worker: Worker) -> Option<f64> {
    Some(results.delivery(worker)?.cpu_ms.median)
}

/// The processor time of the largest window that all have collected, for the first time, in ms.
fn first(results: &Results, worker: Worker) -> Option<f64> {
    collect(results, worker, Step::First)
}

/// The same of an unchanged one.
fn unchanged(results: &Results, worker: Worker) -> Option<f64> {
    collect(results, worker, Step::Unchanged)
}

fn collect(results: &Results, worker: Worker, step: Step) -> Option<f64> {
    let rows = results.largest_shared_window()?;
    Some(results.collection(worker, rows, step)?.cpu_ms.median)
}

/// The write units of a page that is collected for the first time.
fn write_units(results: &Results, worker: Worker) -> Option<f64> {
    page(results, worker, Step::First).map(written)
}

/// What a collection of a page asked for.
fn page(results: &Results, worker: Worker, step: Step) -> Option<&Counts> {
    let collection = results.collection(worker, PAGE, step)?;
    Some(&collection.counts)
}

/// What a worker took, divided by what ours did.
fn beside_ours(
    took: fn(&Results, Worker) -> Option<f64>,
    results: &Results,
    worker: Worker,
) -> Option<f64> {
    Some(took(results, worker)? / took(results, OURS)?)
}

/// The windows that ours has collected, in rows; some of them several times.
fn windows(results: &Results) -> impl Iterator<Item = usize> {
    let collections = results.collections.iter().flatten();
    let ours = collections.filter(|row| row.maker == Some(Maker::Ours));
    ours.map(|row| row.rows)
}

fn smallest(results: &Results) -> Option<usize> {
    windows(results).min()
}

fn largest(results: &Results) -> Option<usize> {
    windows(results).max()
}

/// The peak memory of ours with windows of this size, in MB.
fn memory(results: &Results, rows: usize) -> f64 {
    let collections = results.collections.iter().flatten();
    let of_ours = collections.filter(|row| row.maker == Some(Maker::Ours) && row.rows == rows);
    let peak = of_ours.map(|row| row.peak_memory_kib).max();
    megabytes(peak.unwrap_or_default())
}

/// The collection at its partition's limit.
fn paced(results: &Results) -> Option<&Paced> {
    results.partition.as_ref()?.first()
}

/// The sizes of our programs that are wanted, in MB.
fn programs(results: &Results, wanted: fn(&str) -> bool) -> impl Iterator<Item = f64> {
    let sizes = results.sizes.iter().flatten();
    let ours = sizes.filter(|size| size.maker == Some(Maker::Ours));
    let ours = ours.filter(move |size| wanted(&size.program));
    ours.map(|size| float(size.bytes) / 1e6)
}

fn maximum(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    values.into_iter().reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collections::Collection,
        large_rows::LargeRows,
        report::tests::{collection, delivery, spread},
    };

    /// The cells of the only target whose text has these words.
    fn cells(results: &Results, words: &str) -> Vec<String> {
        let cells = TARGETS.iter().filter_map(|target| target.cells(results));
        let mut found = cells.filter(|cells| cells[0].contains(words));
        let cells = found.next().unwrap();
        assert!(found.next().is_none(), "{words}");
        cells
    }

    #[test]
    fn the_slowest_start_is_held_to_the_floor_and_the_nearest_peer_to_ours() {
        let start = |function: &str, maker, init_ms| Start {
            function: function.to_owned(),
            maker,
            transport: Tls,
            init_ms: spread(init_ms),
            init_cpu_ms: spread(init_ms),
            first_ms: spread(3.0),
            warm_ms: spread(2.0),
            peak_memory_kib: 1,
        };
        let results = Results {
            starts: Some(vec![
                start(CONNECTING, None, 2.0),
                start("webhook", Some(Maker::Ours), 3.0),
                start("collect", Some(Maker::Ours), 4.0),
                start("webhook", Some(Maker::Node), 90.0),
                start("collect", Some(Maker::Python), 100.0),
                start("collect", Some(Maker::Plain), 6.0),
            ]),
            ..Results::default()
        };
        let cells = |words| cells(&results, words)[1..].to_vec();
        assert_eq!(cells("INIT of our slowest"), ["≤ 1.5", "2.00", "**no**"]);
        assert_eq!(cells("INIT in Python"), ["≥ 20", "25.00", "yes"]);
        assert_eq!(cells("INIT in plain Rust"), ["≥ 2", "1.50", "**no**"]);
        assert_eq!(cells("first invocation"), ["≤ 1.4", "1.50", "**no**"]);
    }

    #[test]
    fn a_collection_is_held_to_the_floor_of_its_step_and_to_the_peers() {
        let unchanged = |maker, program, cpu_ms| Collection {
            step: Step::Unchanged,
            ..collection(maker, program, cpu_ms)
        };
        let results = Results {
            collections: Some(vec![
                collection(Some(Maker::Ours), "collect", 500.0),
                collection(Some(Maker::Python), "collect in Python", 4_000.0),
                unchanged(Some(Maker::Ours), "collect", 90.0),
                unchanged(None, "floor-receive", 60.0),
                collection(None, "floor-store", 250.0),
            ]),
            ..Results::default()
        };
        let floor = cells(&results, "10,000 new rows: CPU ÷");
        assert_eq!(floor[1..], ["≤ 1.4", "2.00", "**no**"]);
        let floor = cells(&results, "10,000 unchanged rows: CPU ÷");
        assert_eq!(floor[1..], ["≤ 1.6", "1.50", "yes"]);
        let peer = cells(&results, "CPU in Python");
        assert_eq!(peer[1..], ["≥ 8", "8.00", "yes"]);
    }

    #[test]
    fn a_delivery_is_held_to_the_call_of_the_queue() {
        let results = Results {
            deliveries: Some(vec![
                delivery(None, "floor-send", 0.3),
                delivery(Some(Maker::Ours), "webhook", 0.36),
            ]),
            ..Results::default()
        };
        let target = cells(&results, "webhook");
        assert_eq!(target[1..], ["≤ 1.12", "1.20", "**no**"]);
    }

    #[test]
    fn a_partition_at_its_limit_is_held_to_its_own_time_and_to_few_throttled_writes() {
        let results = Results {
            partition: Some(vec![Paced {
                rows: 200_000,
                seconds: 208.0,
                invocations: 1,
                write_units: 200_000.0,
                own_seconds: 200.0,
                ratio: 1.04,
                requests: [].into(),
                throttled: [].into(),
                wasted: 0.06,
                small_alone_ms: 1.0,
                small_beside_ms: 1.0,
            }]),
            ..Results::default()
        };
        let time = cells(
            &results,
            "collect, 200,000 new rows at their partition's limit: time",
        );
        assert_eq!(time[1..], ["≤ 1.05", "1.04", "yes"]);
        let wasted = cells(&results, "throttled");
        assert_eq!(wasted[1..], ["≤ 5 %", "6.00 %", "**no**"]);
    }

    #[test]
    fn large_rows_are_held_to_the_memory_of_the_worst_collection() {
        let with_memory = |peak_memory_kib| LargeRows {
            resource: "invoices".to_owned(),
            step: "first time".to_owned(),
            links: 10,
            rows: 200,
            row_bytes: 200_000,
            gets: 1,
            invocations: 1,
            wall_s: 1.0,
            peak_memory_kib,
        };
        let results = Results {
            large_rows: Some([80_000, 300_000].map(with_memory).into()),
            ..Results::default()
        };
        let peak = cells(&results, "large rows");
        assert_eq!(peak[1..], ["≤ 300 MB", "307 MB", "**no**"]);
    }

    #[test]
    fn nothing_is_said_of_what_was_not_measured() {
        let results = Results::default();
        assert!(
            TARGETS
                .iter()
                .all(|target| target.cells(&results).is_none())
        );
    }

    #[test]
    fn every_target_has_been_measured() {
        let results = Sources::committed().results;
        for target in TARGETS {
            let cells = target.cells(&results);
            assert!(
                cells.is_some_and(|cells| !cells[0].contains('{')),
                "{}",
                target.what
            );
        }
    }
}
