//! Tables of whole invocations: what is billed, and what is waited for.

use crate::{
    invocations::{Case, Work},
    latency::Awaited,
    report::{
        Sources,
        markdown::{Column, table},
        numbers::{count, ms, whole},
    },
    statistics::Spread,
    waits::Wait,
};

/// The memory of `webhook` and of `collect`, in MB.
const SMALL: u32 = 256;
const LARGE: u32 = 512;

/// What Lambda bills, measured and modelled.
pub(crate) fn billed(sources: &Sources) -> Option<String> {
    const COLUMNS: &[Column<Case>] = &[
        ("", |case| name(case.work)),
        ("CPU ms", |case| ms(case.whole_core.cpu_ms.median)),
        ("INIT ms", |case| optional(case.whole_core.init_ms)),
        ("whole core ms", |case| ms(case.whole_core.wall_ms.median)),
        ("of it without a core ms", |case| {
            ms(case.whole_core.run_delay_ms.median)
        }),
        ("billed at 256 MB", |case| billed_at(case, SMALL)),
        ("modelled", |case| modelled_at(case, SMALL)),
        ("billed at 512 MB", |case| billed_at(case, LARGE)),
        ("modelled", |case| modelled_at(case, LARGE)),
        ("webhook to stored ms", |case| {
            optional(case.webhook_to_stored_ms)
        }),
    ];
    Some(table(COLUMNS, sources.results.invocations.as_ref()?))
}

/// What waits for what, with a whole core: for each service, its part of the exchanges in sequence,
/// and of all.
pub(crate) fn waits(sources: &Sources) -> Option<String> {
    const COLUMNS: &[Column<Case>] = &[
        ("", |case| name(case.work)),
        ("in sequence", |case| {
            count(case.whole_core.waits.in_sequence)
        }),
        ("connections ms", |case| waited(case, Awaited::Connection)),
        ("DynamoDB ms", |case| waited(case, Awaited::DynamoDb)),
        ("SQS ms", |case| waited(case, Awaited::Sqs)),
        ("secrets ms", |case| waited(case, Awaited::SecretsManager)),
        ("Belvo ms", |case| waited(case, Awaited::Belvo)),
        ("nothing in flight ms", |case| {
            ms(case.whole_core.waits.own_ms)
        }),
        ("servers overdue ms", |case| {
            ms(case.whole_core.waits.overdue_ms)
        }),
    ];
    Some(table(COLUMNS, sources.results.invocations.as_ref()?))
}

fn name(work: Work) -> String {
    let start = if work.is_warm { "warm" } else { "cold" };
    match work.rows {
        Some(1) => format!("collect, 1 row, {start}"),
        Some(rows) => format!("collect, {} rows, {start}", count(rows)),
        None => format!("webhook, {start}"),
    }
}

fn optional(spread: Option<Spread>) -> String {
    spread.map(|spread| ms(spread.median)).unwrap_or_default()
}

fn billed_at(case: &Case, memory_mb: u32) -> String {
    let limited = case.limited.iter().find(|of| of.memory_mb == memory_mb);
    let measured = limited.and_then(|limited| limited.measured.as_ref());
    measured
        .map(|measured| whole(measured.billed_ms.median))
        .unwrap_or_default()
}

fn modelled_at(case: &Case, memory_mb: u32) -> String {
    let limited = case.limited.iter().find(|of| of.memory_mb == memory_mb);
    limited
        .map(|limited| whole(limited.modelled_billed_ms.median))
        .unwrap_or_default()
}

/// `in sequence (of all: sum)`, or nothing if nothing was asked.
fn waited(case: &Case, awaited: Awaited) -> String {
    let wait: Option<&Wait> = case.whole_core.waits.by.get(&awaited);
    wait.map(|wait| format!("{} ({})", ms(wait.in_sequence_ms), ms(wait.sum_ms)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use function_processes::Took;

    use super::*;
    use crate::{
        billing::{Measured, Run},
        invocations::Limited,
        waits::Waits,
    };

    fn measured(wall: u64) -> Measured {
        let wait = Wait {
            exchanges: 2,
            sum_ms: 120.0,
            in_flight_ms: 90.0,
            in_sequence_ms: 70.0,
            bytes: 0,
        };
        let run = Run {
            init: None,
            invocations: vec![Took {
                wall: Duration::from_millis(wall),
                cpu: Duration::from_millis(10),
            }],
            waits: Waits {
                by: BTreeMap::from([(Awaited::Sqs, wait)]),
                own_ms: 30.0,
                in_sequence: 2,
                overdue_ms: 0.0,
            },
            delayed: Duration::ZERO,
            throttled: Duration::ZERO,
            peak_memory_kib: 0,
        };
        Measured::of([&run]).unwrap()
    }

    fn sources(measured_with_less: bool) -> Sources {
        let limited = [(SMALL, 170), (LARGE, 130)].map(|(memory_mb, wall)| Limited {
            memory_mb,
            modelled_billed_ms: Spread::of([150.0]).unwrap(),
            measured: measured_with_less.then(|| measured(wall)),
            webhook_to_stored_ms: None,
        });
        let mut sources = Sources::committed();
        sources.results.invocations = Some(vec![Case {
            work: Work {
                rows: Some(1_000),
                is_warm: true,
            },
            whole_core: measured(100),
            webhook_to_stored_ms: Spread::of([115.0]).ok(),
            limited: limited.into(),
        }]);
        sources
    }

    #[test]
    fn what_is_billed_is_shown_beside_the_model_and_left_out_where_it_is_not_measured() {
        let table = billed(&sources(true)).unwrap();
        let row =
            "| collect, 1,000 rows, warm | 10.0 |  | 100 | 0.0 | 170 | 150 | 130 | 150 | 115 |";
        assert!(table.ends_with(row), "{table}");
        let table = billed(&sources(false)).unwrap();
        assert!(table.contains("| 0.0 |  | 150 |  | 150 |"), "{table}");
    }

    #[test]
    fn each_service_is_shown_with_its_part_of_the_sequence() {
        let table = waits(&sources(true)).unwrap();
        let row = "| collect, 1,000 rows, warm | 2 |  |  | 70.0 (120) |  |  | 30.0 | 0.0 |";
        assert!(table.ends_with(row), "{table}");
    }
}
