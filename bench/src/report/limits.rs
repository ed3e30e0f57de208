//! Which limit is reached first as links become many: how many links with a daily refresh each of
//! them allows.

use domain::Spacing;

use crate::{
    aws::Throughput,
    collections::{Counts, Step},
    program::Maker,
    report::{
        Sources,
        markdown::markdown,
        numbers::{count, float, whole},
        results::{Worker, written},
    },
    scale,
};

const DAY_S: f64 = 24.0 * 3_600.0;
/// Messages that SQS's FIFO queues of high throughput take in a second without batches ("Amazon SQS
/// message quotas", SQS developer guide): in São Paulo, and in N. Virginia.
const QUEUE: f64 = 4_500.0;
const QUEUE_IN_VIRGINIA: u32 = 70_000;
/// Write units that a table on demand takes in a second, unless AWS is asked for more ("Quotas in
/// Amazon DynamoDB", DynamoDB developer guide).
const TABLE: f64 = 40_000.0;
/// Rows of the links whose refreshes are counted.
const ROWS: usize = 1_000;

/// A limit, and the setting or place that moves it.
pub(crate) struct Limit {
    what: String,
    /// How many links it allows; `None` if any number.
    links: Option<f64>,
    moves: &'static str,
}

/// The limits as a table, the narrowest first.
pub(crate) fn table(sources: &Sources) -> Option<String> {
    let head = ["limit", "links", "moved by"].map(str::to_owned);
    let lines = limits(sources)?.into_iter().map(|limit| {
        let links = limit.links.map_or_else(|| "any".to_owned(), whole);
        vec![limit.what, links, limit.moves.to_owned()]
    });
    Some(markdown(head.into(), lines))
}

/// All limits that are known, the narrowest first.
fn limits(sources: &Sources) -> Option<Vec<Limit>> {
    let mut limits = of_belvo(sources)?;
    limits.extend(of_webhooks(sources));
    limits.extend(of_dynamodb(sources)?);
    limits.sort_by(|one, other| {
        let links = |limit: &Limit| limit.links.unwrap_or(f64::INFINITY);
        links(one).total_cmp(&links(other))
    });
    Some(limits)
}

/// The limits for calls of Belvo, and for what waits for their answers.
fn of_belvo(sources: &Sources) -> Option<Vec<Limit>> {
    let gets = float(refresh(sources)?.gets);
    let shipped = &sources.template.parameters;
    let environments = shipped.collect_concurrency.default;
    let calls = shipped.collect_calls_per_30_seconds.default;
    // Beyond those that are let through at once.
    let lasting_s = Spacing::per_30_s(calls).interval.as_secs_f64();
    let span_s = Spacing::SPAN.as_secs_f64();
    let (batch, page_s) = (scale::BATCH, scale::PAGE.as_secs_f64());
    Some(vec![
        Limit {
            what: format!(
                "calls of Belvo as shipped: {environments} environments, {calls} in 30 s each, {} \
                 for long",
                whole(span_s / lasting_s)
            ),
            links: Some(daily(f64::from(environments) / lasting_s / gets)),
            moves: "`CollectConcurrency`, `CollectCallsPer30Seconds`, up to Belvo's limit",
        },
        Limit {
            what: format!(
                "Belvo: {} requests in 30 s from one address",
                scale::BELVOS_LIMIT
            ),
            links: Some(daily(f64::from(scale::BELVOS_LIMIT) / span_s / gets)),
            moves: "more addresses, and `CollectConcurrency` with them",
        },
        Limit {
            what: format!(
                "the queue's trigger as shipped: {environments} batches at once, of {batch} links \
                 each"
            ),
            links: Some(daily(f64::from(environments * batch) / (gets * page_s))),
            moves: "`CollectConcurrency`",
        },
    ])
}

/// The limits for webhooks: of API Gateway and of the queue.
fn of_webhooks(sources: &Sources) -> [Limit; 2] {
    let webhooks = sources.template.parameters.webhook_rate_limit.default;
    [
        Limit {
            what: format!("API Gateway as shipped: {webhooks} webhooks a second"),
            links: Some(daily(f64::from(webhooks))),
            moves: "`WebhookRateLimit`, `WebhookBurstLimit`",
        },
        Limit {
            what: format!(
                "SQS FIFO, high throughput: {} messages a second in São Paulo ({} in N. Virginia)",
                whole(QUEUE),
                count(QUEUE_IN_VIRGINIA)
            ),
            links: Some(daily(QUEUE)),
            moves: "the region, or a quota request",
        },
    ]
}

/// The limits for what is written: of a table, and of a link's partition.
fn of_dynamodb(sources: &Sources) -> Option<[Limit; 2]> {
    let ours = Worker::Of(Maker::Ours);
    let first = sources.results.collection(ours, ROWS, Step::First)?;
    let of_its_rows = first.counts.write_units + first.counts.write_units_of_the_index;
    let of_a_row = of_its_rows / float(first.rows as u64);
    let partition = Throughput::DOCUMENTED.write_units;
    Some([
        Limit {
            what: format!(
                "DynamoDB, on demand: {} write units a second and table",
                whole(TABLE)
            ),
            links: Some(daily(TABLE / written(refresh(sources)?))),
            moves: "a quota request",
        },
        Limit {
            what: format!(
                "DynamoDB: {} write units a second and link, or {} new rows; only the first \
                 collection of a link comes near",
                whole(partition),
                whole(partition / of_a_row)
            ),
            links: None,
            moves: "nothing; `collect` keeps to the partition's pace, and what is left goes on in \
                    the next invocation",
        },
    ])
}

/// What a daily refresh of a link asks for.
fn refresh(sources: &Sources) -> Option<&Counts> {
    let ours = Worker::Of(Maker::Ours);
    let refresh = sources.results.collection(ours, ROWS, Step::Refresh)?;
    Some(&refresh.counts)
}

/// The links that are refreshed once a day, if the busiest hours stay below so many a second.
fn daily(per_second: f64) -> f64 {
    per_second * DAY_S / scale::busy_factor()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_limit_comes_first() {
        let limits = limits(&Sources::committed()).unwrap();
        let links = limits
            .iter()
            .map(|limit| limit.links.unwrap_or(f64::INFINITY));
        assert!(links.is_sorted());
        assert_eq!(limits.len(), 7);
    }

    #[test]
    fn what_is_shipped_and_what_a_refresh_asks_for_make_the_limits() {
        let mut sources = Sources::committed();
        sources.template.parameters.collect_concurrency.default = 4;
        sources
            .template
            .parameters
            .collect_calls_per_30_seconds
            .default = 60;
        sources.template.parameters.webhook_rate_limit.default = 10;
        for row in sources.results.collections.iter_mut().flatten() {
            row.counts.gets = 3;
            row.counts.write_units = 15.0;
            row.counts.write_units_of_the_index = 5.0;
            row.counts.write_units_of_the_record = 20.0;
        }
        let limits = limits(&sources).unwrap();
        let found: Vec<_> = limits
            .iter()
            .map(|limit| (limit.what.as_str(), limit.links.map(whole)))
            .collect();
        let busy_day = 43_200.0;
        let allowed = |per_second: f64| Some(whole(per_second * busy_day));
        let wanted = [
            (
                "Belvo: 80 requests in 30 s from one address",
                allowed(80.0 / 30.0 / 3.0),
            ),
            (
                "calls of Belvo as shipped: 4 environments, 60 in 30 s each, 40 for long",
                allowed(4.0 * 40.0 / 30.0 / 3.0),
            ),
            (
                "API Gateway as shipped: 10 webhooks a second",
                allowed(10.0),
            ),
            (
                "the queue's trigger as shipped: 4 batches at once, of 10 links each",
                allowed(4.0 * 10.0 / (3.0 * 0.5)),
            ),
            (
                "DynamoDB, on demand: 40,000 write units a second and table",
                allowed(40_000.0 / 40.0),
            ),
        ];
        assert_eq!(found[..5], wanted);
        assert!(found[6].0.contains("or 50,000 new rows"), "{}", found[6].0);
        assert_eq!(found[6].1, None);
    }
}
