//! The way of a retrieval through the pipeline, as times taken from those who were there.

use serde_json::Value;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// A POST of a webhook, as the sandbox saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    at: OffsetDateTime,
    /// `None` if there was no answer.
    status: Option<u64>,
    latency: Duration,
}

/// How long each step took; `None` where the retrieval did not come so far.
pub(crate) struct Hops {
    pub(crate) request: Option<Duration>,
    pub(crate) belvo_works: Option<Duration>,
    pub(crate) acknowledged: Option<Duration>,
    pub(crate) store: Option<Duration>,
    pub(crate) collect: Option<Duration>,
    pub(crate) total: Option<Duration>,
    /// How often the webhook was delivered.
    pub(crate) attempts: usize,
}

impl Hops {
    /// From the clock of this process when `POST /requests` was sent and answered, from the
    /// request's record, and from the attempts to deliver its webhook.
    pub(crate) fn of(
        posted_at: OffsetDateTime,
        answered_at: OffsetDateTime,
        record: &Value,
        attempts: &[Attempt],
    ) -> Self {
        let [issued, notified, collected] =
            ["issued_at", "notified_at", "collected_at"].map(|name| moment(&record[name]));
        let [started, finished] =
            ["started_at", "finished_at"].map(|name| moment(&record["collection"][name]));
        let taken = |attempt: &&Attempt| attempt.status.is_some_and(|status| status / 100 == 2);
        let taken = attempts.iter().find(taken);
        Self {
            request: between(Some(posted_at), Some(answered_at)),
            belvo_works: between(issued, attempts.first().map(|first| first.at)),
            acknowledged: taken.map(|attempt| attempt.latency),
            store: between(notified, collected),
            collect: between(started, finished),
            total: between(Some(posted_at), collected),
            attempts: attempts.len(),
        }
    }
}

/// The attempts to deliver the webhook of a request, oldest first, from the sandbox's log. Belvo
/// writes a request id without dashes in its 202 and with them in the webhook.
pub(crate) fn attempts(log: &Value, request_id: &str) -> Vec<Attempt> {
    let is_its = |delivery: &&Value| {
        let named = delivery["body"]["request_id"].as_str();
        named.is_some_and(|named| named.replace('-', "") == request_id.replace('-', ""))
    };
    let deliveries = log["deliveries"].as_array().into_iter().flatten();
    let attempts = deliveries
        .filter(is_its)
        .flat_map(|delivery| delivery["attempts"].as_array().into_iter().flatten());
    let mut attempts: Vec<_> = attempts.filter_map(attempt).collect();
    attempts.sort_by_key(|attempt| attempt.at);
    attempts
}

fn attempt(logged: &Value) -> Option<Attempt> {
    Some(Attempt {
        at: moment(&logged["at"])?,
        status: logged["status"].as_u64(),
        latency: Duration::milliseconds(logged["latency_ms"].as_i64()?),
    })
}

fn moment(text: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.as_str()?, &Rfc3339).ok()
}

fn between(start: Option<OffsetDateTime>, end: Option<OffsetDateTime>) -> Option<Duration> {
    Some(end? - start?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn after_noon(milliseconds: i64) -> OffsetDateTime {
        NOON + Duration::milliseconds(milliseconds)
    }

    #[test]
    fn each_hop_is_measured_where_it_happens() {
        let record = json!({
            "issued_at": "2026-03-01T12:00:00.080Z",
            "notified_at": "2026-03-01T12:00:00.150Z",
            "collected_at": "2026-03-01T12:00:01.650Z",
            "collection": {
                "started_at": "2026-03-01T12:00:00.400Z",
                "finished_at": "2026-03-01T12:00:01.650Z",
            },
        });
        let attempt = |at, status, latency_ms| Attempt {
            at: after_noon(at),
            status: Some(status),
            latency: Duration::milliseconds(latency_ms),
        };
        let attempts = [attempt(130, 503, 9), attempt(140, 202, 12)];

        let hops = Hops::of(NOON, after_noon(85), &record, &attempts);

        let times = |milliseconds: [i64; 3]| milliseconds.map(Duration::milliseconds).map(Some);
        let until_acknowledged = [hops.request, hops.belvo_works, hops.acknowledged];
        assert_eq!(until_acknowledged, times([85, 50, 12]));
        let until_stored = [hops.store, hops.collect, hops.total];
        assert_eq!(until_stored, times([1_500, 1_250, 1_650]));
        assert_eq!(hops.attempts, 2);
    }

    #[test]
    fn a_hop_that_did_not_happen_has_no_time() {
        let hops = Hops::of(NOON, NOON, &json!({}), &[]);

        let until_stored = [hops.belvo_works, hops.acknowledged, hops.store];
        assert_eq!(until_stored, [None; 3]);
        assert_eq!([hops.collect, hops.total], [None; 2]);
    }

    #[test]
    fn the_webhook_of_a_request_is_found_in_either_spelling_of_its_id() {
        let tries = |seconds: &[u8]| -> Value {
            let one = |second| {
                let at = format!("2026-03-01T12:00:0{second}.123456789Z");
                json!({"at": at, "status": 202, "latency_ms": 5})
            };
            seconds.iter().map(one).collect()
        };
        let dashed = "b5d0106a-c9cc-43d5-b361-99fe831f6bbe";
        let log = json!({"deliveries": [
            {"body": {"request_id": null}, "attempts": tries(&[0])},
            {"body": "not JSON", "attempts": tries(&[1])},
            {"body": {"request_id": dashed}, "attempts": tries(&[3, 2])},
        ]});

        let found = attempts(&log, "b5d0106ac9cc43d5b36199fe831f6bbe");

        let expected = [2, 3].map(|second| Attempt {
            at: NOON + Duration::new(second, 123_456_789),
            status: Some(202),
            latency: Duration::milliseconds(5),
        });
        assert_eq!(found, expected);
    }
}
