//! What the measured counts cost at AWS's list prices.

use serde::Deserialize;

use crate::{
    collections::{Collection, Step},
    program::Maker,
    report::{
        Sources,
        markdown::markdown,
        numbers::{float, usd},
        prices::Prices,
        results::{Worker, written},
        template::{COLLECT, PUBLISH, QUERY, Template, WEBHOOK},
    },
};

const MILLION: f64 = 1e6;
const GB: f64 = 1e9;
/// The requests of a collection that go to SQS; all others go to DynamoDB.
const SQS_CALLS: [&str; 3] = ["SendMessage", "ChangeMessageVisibility", "DeleteMessage"];
/// The requests that are sent several at a time; all others follow each other.
const BATCHES: [&str; 2] = ["BatchWriteItem", "BatchGetItem"];
/// Rows of a link whose refreshes are priced.
const ROWS_OF_A_LINK: usize = 1_000;

/// A line of a bill: what is paid for, and US dollars.
type Line = (&'static str, f64);

/// The part of `bench/budget.json` that is priced; the tests of `bench` hold the functions to it.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Budget {
    pub(crate) followers: Followers,
    pub(crate) log_bytes: LogBytes,
}

/// The most of a refresh that a service learns of by following all links.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Followers {
    /// Of the link's change log.
    pub(crate) write_units_of_the_log: f64,
    /// Of the index of news.
    pub(crate) write_units_of_the_news: f64,
    /// Of reading the link's changes.
    pub(crate) read_units_of_the_changes: f64,
    /// Of asking for news when there are none.
    pub(crate) read_units_of_no_news: f64,
}

/// The most that is logged as shipped, at INFO, without what Lambda logs of an invocation.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogBytes {
    /// A webhook that is queued.
    pub(crate) delivery: u32,
    /// A collection of a page of rows, of which Belvo has added some.
    pub(crate) refresh: u32,
    /// A sweep that finds nothing to do.
    pub(crate) sweep: u32,
}

/// The line that is taken of a bill.
type LineOf = fn(&Bill) -> f64;

/// What a maker's functions cost.
struct Bill {
    thousand_webhooks: f64,
    million_new_rows: f64,
    million_unchanged_rows: f64,
    link_month: f64,
    million_link_months: f64,
    idle_month: f64,
}

/// The lines of a bill in the table that compares makers.
const LINES: &[(&str, LineOf)] = &[
    ("1,000 webhooks", |bill| bill.thousand_webhooks),
    ("1,000,000 new rows", |bill| bill.million_new_rows),
    ("1,000,000 unchanged rows", |bill| {
        bill.million_unchanged_rows
    }),
    ("a link and month, refreshed daily", |bill| bill.link_month),
    ("1,000,000 such links and month", |bill| {
        bill.million_link_months
    }),
    ("an idle month", |bill| bill.idle_month),
];

/// What each maker's functions cost, as a table.
pub(crate) fn of_makers(sources: &Sources) -> Option<String> {
    let makers = sources.results.makers()?;
    let bills = makers.iter().map(|maker| Bill::of(sources, *maker));
    let bills = bills.collect::<Option<Vec<_>>>()?;
    let names = makers.iter().map(|maker| maker.name().to_owned());
    let head = ["US dollars".to_owned()].into_iter().chain(names);
    let lines = LINES.iter().map(|(what, price)| {
        let prices = bills.iter().map(|bill| usd(price(bill)));
        [(*what).to_owned()].into_iter().chain(prices).collect()
    });
    Some(markdown(head.collect(), lines))
}

/// What ours costs, in four sentences.
pub(crate) fn in_short(sources: &Sources) -> Option<String> {
    let bill = Bill::of(sources, Maker::Ours)?;
    let observing = observing_month(sources, MILLION);
    Some(format!(
        "- **Traffic:** 1,000 webhooks cost USD {webhooks}, 1,000,000 new rows USD {new}, \
         1,000,000 unchanged rows USD {unchanged}.\n\
         - **Links:** a link with 1,000 rows, refreshed daily, costs USD {link} a month; \
         1,000,000 of them cost USD {links}.\n\
         - **Observability:** logs, traces and metrics of these 1,000,000 links, and the keys of \
         the tables, cost USD {observing} a month.\n\
         - **Idle:** USD {idle} a month, for secrets, alarms, metrics, the queue's trigger and the \
         sweep.",
        webhooks = usd(bill.thousand_webhooks),
        new = usd(bill.million_new_rows),
        unchanged = usd(bill.million_unchanged_rows),
        link = usd(bill.link_month),
        links = usd(bill.million_link_months),
        observing = usd(observing.iter().map(|(_, price)| price).sum()),
        idle = usd(bill.idle_month),
    ))
}

/// What it costs to follow a million links, as a table.
pub(crate) fn following(sources: &Sources) -> String {
    of_a_million_links(following_month(sources, MILLION))
}

/// What it costs to see what a million links do, as a table.
pub(crate) fn observing(sources: &Sources) -> String {
    of_a_million_links(observing_month(sources, MILLION))
}

fn of_a_million_links(lines: impl IntoIterator<Item = Line>) -> String {
    let head = ["US dollars a month", "1,000,000 links"].map(str::to_owned);
    let lines = lines.into_iter();
    markdown(
        head.into(),
        lines.map(|(what, price)| vec![what.to_owned(), usd(price)]),
    )
}

impl Bill {
    fn of(sources: &Sources, maker: Maker) -> Option<Self> {
        let link_month = link_month(sources, maker)?;
        Some(Self {
            thousand_webhooks: 1_000.0 * webhook(sources, maker)?,
            million_new_rows: MILLION * row(sources, maker, Step::First)?,
            million_unchanged_rows: MILLION * row(sources, maker, Step::Unchanged)?,
            link_month,
            million_link_months: MILLION * link_month,
            idle_month: idle_month(sources, maker == Maker::Ours),
        })
    }
}

/// A webhook, from API Gateway to the queue.
fn webhook(sources: &Sources, maker: Maker) -> Option<f64> {
    let Prices { usd, assumed } = sources.prices;
    let delivery = sources.results.delivery(Worker::Of(maker))?;
    let memory_mb = sources.template.memory_mb(WEBHOOK);
    let (cpu_ms, waits_ms) = (delivery.cpu_ms.median, assumed.sqs_call_ms);
    Some(
        usd.api_request.of(1.0)
            + usd.sqs_request.of(delivery.sqs_requests)
            + sources.prices.invocation(memory_mb, cpu_ms, waits_ms),
    )
}

/// A row, of a window of the largest size that everybody has collected.
fn row(sources: &Sources, maker: Maker, step: Step) -> Option<f64> {
    let rows = sources.results.largest_shared_window()?;
    let collection = sources.results.collection(Worker::Of(maker), rows, step)?;
    let price = collected(&sources.prices, &sources.template, collection);
    Some(price / float(rows as u64))
}

/// A recurrent link that Belvo refreshes daily: its webhooks and their collections.
fn link_month(sources: &Sources, maker: Maker) -> Option<f64> {
    let (worker, rows) = (Worker::Of(maker), ROWS_OF_A_LINK);
    let refresh = sources.results.collection(worker, rows, Step::Refresh)?;
    let refresh = collected(&sources.prices, &sources.template, refresh);
    let days = sources.prices.assumed.days_of_a_month;
    Some(days * (webhook(sources, maker)? + refresh))
}

/// One collection.
fn collected(prices: &Prices, template: &Template, collection: &Collection) -> f64 {
    let Prices { usd, assumed } = prices;
    let counts = &collection.counts;
    let requests = |names: &[&str]| {
        let of_names = names.iter().filter_map(|name| counts.requests.get(*name));
        of_names.sum::<u64>()
    };
    let (sqs, batches) = (requests(&SQS_CALLS), requests(&BATCHES));
    let others = counts.requests.values().sum::<u64>() - sqs - batches;
    let calls = float(others) + float(batches) / assumed.dynamodb_calls_at_once;
    let waits_ms = float(counts.gets) * assumed.page_ms + calls * assumed.dynamodb_call_ms;

    let memory_mb = template.memory_mb(COLLECT);
    let sqs = float(sqs) + assumed.sqs_requests_of_a_message_received;
    prices.invocation(memory_mb, collection.cpu_ms.median, waits_ms)
        + usd.write_unit.of(written(counts))
        + usd.read_unit.of(counts.read_units)
        + usd.sqs_request.of(sqs)
}

/// A month in which nothing happens: what is there, the trigger's polls, and our sweeps.
fn idle_month(sources: &Sources, sweeps: bool) -> f64 {
    let Prices { usd, assumed } = sources.prices;
    let resources = |kind| float(sources.template.resources(kind) as u64);
    let seconds = assumed.days_of_a_month * 24.0 * 3_600.0;
    let there = usd
        .secret_month
        .of(resources("AWS::SecretsManager::Secret"))
        + usd.alarm_month.of(resources("AWS::CloudWatch::Alarm"))
        + usd
            .dashboard_month
            .of(resources("AWS::CloudWatch::Dashboard"))
        + usd.sqs_request.of(seconds * assumed.idle_polls_per_second);
    if !sweeps {
        return there;
    }

    let metrics = float(sources.template.metrics_of_a_sweep() as u64);
    let swept = seconds / 60.0 / assumed.sweep_minutes;
    there + usd.metric_month.of(metrics) + swept * sweep(sources)
}

/// One sweep that finds nothing to do: its message is sent, received and deleted, and it reads an
/// empty index.
fn sweep(sources: &Sources) -> f64 {
    let Prices { usd, assumed } = sources.prices;
    let memory_mb = sources.template.memory_mb(COLLECT);
    let (cpu_ms, waits_ms) = (assumed.sweep_cpu_ms, assumed.dynamodb_call_ms);
    let logged = f64::from(sources.budget.log_bytes.sweep) + assumed.log_bytes_of_an_invocation;
    sources.prices.invocation(memory_mb, cpu_ms, waits_ms)
        + usd
            .sqs_request
            .of(1.0 + assumed.sqs_requests_of_a_message_received)
        + usd.trace.of(1.0)
        + usd.log_gb.of(logged / GB)
        + usd.kms_request.of(1.0)
}

/// What it costs that links which change daily can be followed, and that one service follows them
/// all.
fn following_month(sources: &Sources, links: f64) -> [Line; 6] {
    let Prices { usd, assumed } = sources.prices;
    let (units, template) = (sources.budget.followers, &sources.template);
    let refreshes = links * assumed.days_of_a_month;
    let questions = assumed.days_of_a_month * 24.0 * 3_600.0 / assumed.seconds_between_questions;
    let invocation = |function, waits_ms| {
        let memory_mb = template.memory_mb(function);
        sources
            .prices
            .invocation(memory_mb, assumed.answer_cpu_ms, waits_ms)
    };
    let answer_ms = assumed.dynamodb_calls_of_an_answer * assumed.dynamodb_call_ms;
    let answer = |read_units| {
        usd.api_request.of(1.0) + invocation(QUERY, answer_ms) + usd.read_unit.of(read_units)
    };
    let changes = answer(units.read_units_of_the_changes);
    let no_news = answer(units.read_units_of_no_news);
    let batches = refreshes * assumed.records_of_a_refresh / assumed.records_of_a_batch;
    let publish = batches * invocation(PUBLISH, assumed.event_call_ms);
    let logs = usd.write_unit.of(refreshes * units.write_units_of_the_log);
    let news = usd.write_unit.of(refreshes * units.write_units_of_the_news);
    let events = usd.event.of(refreshes * assumed.events_of_a_refresh);
    [
        ("writing the change logs", logs),
        ("writing the index of news", news),
        ("reading each link's changes", refreshes * changes),
        (
            "asking every ten seconds which links have news",
            questions * no_news,
        ),
        ("with a bus: `publish`", publish),
        ("with a bus: the events", events),
    ]
}

/// What it costs to see what links that change daily do, and to keep it encrypted. A webhook is
/// taken to be an invocation of its own of each function, which it is not when there are many.
fn observing_month(sources: &Sources, links: f64) -> [Line; 7] {
    let Prices { usd, assumed } = sources.prices;
    let (logged, template) = (sources.budget.log_bytes, &sources.template);
    let hours = assumed.days_of_a_month * 24.0;
    let refreshes = links * assumed.days_of_a_month;
    let bytes_logged =
        f64::from(logged.delivery + logged.refresh) + 2.0 * assumed.log_bytes_of_an_invocation;
    let logs = usd.log_gb.of(refreshes * bytes_logged / GB);
    let access_log = usd
        .log_gb
        .of(refreshes * assumed.log_bytes_of_a_request / GB);
    let traces = usd.trace.of(2.0 * traces(&sources.prices, refreshes));
    let metrics = template.metrics() - template.metrics_of_a_sweep();
    let readings = assumed.environments * assumed.readings_of_a_secret_and_hour * hours;
    let tables = float(template.resources("AWS::DynamoDB::Table") as u64);
    let keys = tables * assumed.kms_requests_of_a_table_and_hour * hours;
    [
        ("logs of the functions", logs),
        ("access log", access_log),
        ("traces", traces),
        (
            "metrics that only traffic makes",
            usd.metric_month.of(float(metrics as u64)),
        ),
        (
            "metrics of the webhook's route",
            usd.metric_month.of(assumed.metrics_of_a_route),
        ),
        ("reading secrets", usd.secret_request.of(readings)),
        ("keys of the tables", usd.kms_request.of(keys)),
    ]
}

/// Of a function's calls in a month, X-Ray records some of every second and a share of the others.
fn traces(prices: &Prices, calls: f64) -> f64 {
    let assumed = prices.assumed;
    let seconds = assumed.days_of_a_month * 24.0 * 3_600.0;
    let per_second = calls / seconds;
    let always = per_second.min(assumed.traces_per_second_and_function);
    (always + (per_second - always) * assumed.share_of_further_traces) * seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{summary, template::tests::template, tests::collection};

    /// The price of one of these lines.
    fn price(lines: &[Line], what: &str) -> f64 {
        let found = lines.iter().find(|(line, _)| *line == what);
        found.unwrap().1
    }

    fn assert_close(found: f64, wanted: f64) {
        let difference = (found - wanted).abs();
        assert!(
            difference <= 1e-9 * wanted.abs(),
            "{found} instead of {wanted}"
        );
    }

    /// The committed prices with few and round numbers.
    fn sources(resources: &str) -> Sources {
        let mut sources = Sources::committed();
        sources.template = template(resources);
        sources.budget = Budget {
            followers: Followers {
                write_units_of_the_log: 3.0,
                write_units_of_the_news: 2.0,
                read_units_of_the_changes: 9.0,
                read_units_of_no_news: 8.0,
            },
            log_bytes: LogBytes {
                delivery: 500,
                refresh: 1_100,
                sweep: 400,
            },
        };
        sources
    }

    #[test]
    fn a_collection_costs_its_units_requests_and_time() {
        let sources = sources("");
        let mut row = collection(Some(Maker::Ours), "collect", 100.0);
        row.counts.write_units = 700.0;
        row.counts.write_units_of_the_index = 200.0;
        row.counts.write_units_of_the_record = 100.0;
        row.counts.read_units = 500.0;
        row.counts.gets = 2;
        row.counts.requests = [("BatchWriteItem", 8), ("Query", 3), ("SendMessage", 1)]
            .map(|(name, count)| (name.to_owned(), count))
            .into();

        let time_s = (100.0 * 1_769.0 / 512.0 + 2.0 * 500.0 + 10.0 + 30.0) / 1_000.0;
        let wanted = 1_000.0 * 0.625e-6
            + 500.0 * 0.125e-6
            + 3.0 * 0.5e-6
            + 0.2e-6
            + time_s * 0.5 * 0.000_013_333_4;
        assert_close(collected(&sources.prices, &sources.template, &row), wanted);
    }

    #[test]
    fn an_idle_month_counts_what_the_template_has() {
        let there = "
  A: { Type: AWS::SecretsManager::Secret }
  B: { Type: AWS::CloudWatch::Alarm }
  C: { Type: AWS::CloudWatch::Alarm, Condition: HasEventBus }
  D: { Type: AWS::CloudWatch::Dashboard }
";
        let month = idle_month(&sources(there), false);
        assert_close(month, 0.4 + 0.1 + 3.0 + 30.0 * 86_400.0 * 0.25 * 0.5e-6);

        let one_s = (5.0 * 1_769.0 / 512.0 + 10.0) / 1_000.0 * 0.5 * 0.000_013_333_4;
        let one = one_s + 0.2e-6 + 3.0 * 0.5e-6 + 5e-6 + 1_400.0 / 1e9 * 0.5 + 3e-6;
        let with_sweeps = idle_month(&sources(there), true);
        assert_close(with_sweeps, month + 30.0 * 288.0 * one);

        let metered = format!(
            "{there}
  E:
    Type: AWS::Logs::MetricFilter
    Properties:
      FilterPattern: '{{ $.fields.event = \"readings_due\" }}'
      MetricTransformations: [{{ MetricName: Oldest }}]
  F:
    Type: AWS::Logs::MetricFilter
    Properties:
      FilterPattern: '{{ $.fields.event = \"rows_collected\" }}'
      MetricTransformations: [{{ MetricName: NewRows }}]
"
        );
        assert_close(idle_month(&sources(&metered), true), with_sweeps + 0.3);
    }

    #[test]
    fn those_who_follow_pay_for_units_questions_and_events() {
        let month = following_month(&sources(""), 1_000.0);
        let logs = price(&month, "writing the change logs");
        assert_close(logs, 30_000.0 * 3.0 * 0.625e-6);
        let news = price(&month, "writing the index of news");
        assert_close(news, 30_000.0 * 2.0 * 0.625e-6);
        assert_close(
            price(&month, "with a bus: the events"),
            30_000.0 * 2.0 * 1e-6,
        );

        let gb_s = |waits_ms: f64| (2.0 * 1_769.0 / 256.0 + waits_ms) / 1_000.0 * 0.25;
        let answer = 1e-6 + 0.2e-6 + gb_s(30.0) * 0.000_013_333_4;
        let changes = price(&month, "reading each link's changes");
        assert_close(changes, 30_000.0 * (answer + 9.0 * 0.125e-6));
        let questions = price(&month, "asking every ten seconds which links have news");
        assert_close(
            questions,
            30.0 * 86_400.0 / 10.0 * (answer + 8.0 * 0.125e-6),
        );
        let publish = 0.2e-6 + gb_s(20.0) * 0.000_013_333_4;
        assert_close(
            price(&month, "with a bus: `publish`"),
            30_000.0 * 0.3 * publish,
        );
    }

    #[test]
    fn what_is_logged_traced_and_counted_is_in_the_bill() {
        let sources = sources(
            "
  A: { Type: AWS::DynamoDB::Table }
  B:
    Type: AWS::Logs::MetricFilter
    Properties: &new { MetricTransformations: [{ MetricName: New }] }
  C: { Type: AWS::Logs::MetricFilter, Properties: *new }
",
        );
        let month = observing_month(&sources, 1_000.0);
        let logged = 500.0 + 1_100.0 + 2.0 * 1_000.0;
        assert_close(
            price(&month, "logs of the functions"),
            30_000.0 * logged / 1e9 * 0.5,
        );
        // One a second is more than there are.
        assert_close(price(&month, "traces"), 2.0 * 30_000.0 * 5e-6);
        assert_close(price(&month, "metrics that only traffic makes"), 0.3);
        assert_close(
            price(&month, "keys of the tables"),
            12.0 * 24.0 * 30.0 * 3e-6,
        );

        let many = observing_month(&sources, MILLION);
        let (seconds, calls) = (30.0 * 86_400.0, 30e6);
        let traced = seconds + (calls - seconds) * 0.05;
        assert_close(price(&many, "traces"), 2.0 * traced * 5e-6);
    }

    #[test]
    fn every_maker_has_a_column() {
        let table = of_makers(&Sources::committed()).unwrap();
        let names = Maker::ALL.map(Maker::name).join(" | ");
        let head = table.lines().next().unwrap();
        assert_eq!(head, format!("| US dollars | {names} |"));
    }

    #[test]
    fn the_costs_in_short_are_four_lines_with_our_column_of_the_table() {
        let tables = summary::tables(&Sources::committed());
        let cells = |table: &str| -> Vec<_> {
            let lines = tables[table].lines().skip(2);
            let cells = lines.map(|line| line.split(" | ").nth(1).unwrap());
            cells
                .map(|cell| cell.trim_end_matches(" |").to_owned())
                .collect()
        };
        let amounts = |line: &str| -> Vec<_> {
            let amounts = line.split("USD ").skip(1);
            let amounts = amounts.map(|rest| rest.split([' ', ';']).next().unwrap());
            amounts
                .map(|amount| amount.trim_end_matches([',', '.']).to_owned())
                .collect()
        };
        let lines: Vec<_> = tables["costs"].lines().map(amounts).collect();
        let [traffic, of_links, observing, idle] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert_eq!([&traffic[..], of_links, idle].concat(), cells("money"));

        let lines = cells("observing");
        let sum: f64 = lines
            .iter()
            .map(|price| price.parse::<f64>().unwrap())
            .sum();
        let all_of_it: f64 = observing[0].parse().unwrap();
        assert!(
            (all_of_it - sum).abs() < 0.05,
            "{all_of_it} instead of {sum}"
        );
    }
}
