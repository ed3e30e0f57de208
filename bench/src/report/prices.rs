//! AWS's list prices, and what is assumed where nothing can be measured: `bench/prices.json`.

use serde::Deserialize;

/// The file.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Prices {
    pub(crate) usd: Usd,
    #[serde(rename = "assumptions")]
    pub(crate) assumed: Assumptions,
}

/// The price of one of something, in US dollars.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(from = "Entry")]
pub(crate) struct Price(f64);

/// The price as the file has it, beside its unit and AWS's page.
#[derive(Deserialize)]
struct Entry {
    price: f64,
}

/// What is paid for, each with its unit in the file.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Usd {
    pub(crate) lambda_gb_second: Price,
    pub(crate) lambda_request: Price,
    pub(crate) api_request: Price,
    pub(crate) sqs_request: Price,
    pub(crate) write_unit: Price,
    pub(crate) read_unit: Price,
    pub(crate) event: Price,
    pub(crate) secret_month: Price,
    pub(crate) alarm_month: Price,
    pub(crate) dashboard_month: Price,
    pub(crate) metric_month: Price,
    pub(crate) log_gb: Price,
    pub(crate) trace: Price,
    pub(crate) kms_request: Price,
    pub(crate) secret_request: Price,
}

/// What cannot be measured here.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assumptions {
    /// The memory in MB from which on a function has a whole core; with less, it has that share.
    pub(crate) mb_of_a_whole_core: f64,
    pub(crate) sqs_call_ms: f64,
    pub(crate) dynamodb_call_ms: f64,
    /// Of batches; all other calls follow each other.
    pub(crate) dynamodb_calls_at_once: f64,
    /// Of Belvo's rows.
    pub(crate) page_ms: f64,
    /// Its share of the trigger's polls, and its deletion.
    pub(crate) sqs_requests_of_a_message_received: f64,
    pub(crate) idle_polls_per_second: f64,
    pub(crate) sweep_minutes: f64,
    pub(crate) sweep_cpu_ms: f64,
    /// Between two questions of a service that follows all links.
    pub(crate) seconds_between_questions: f64,
    pub(crate) answer_cpu_ms: f64,
    pub(crate) event_call_ms: f64,
    pub(crate) dynamodb_calls_of_an_answer: f64,
    /// Records that a refresh changes, and those that `publish` gets at once.
    pub(crate) records_of_a_refresh: f64,
    pub(crate) records_of_a_batch: f64,
    pub(crate) events_of_a_refresh: f64,
    /// Of Lambda's own lines.
    pub(crate) log_bytes_of_an_invocation: f64,
    /// Of the API's access log.
    pub(crate) log_bytes_of_a_request: f64,
    /// Calls that X-Ray records of each function, and its share of those beyond.
    pub(crate) traces_per_second_and_function: f64,
    pub(crate) share_of_further_traces: f64,
    pub(crate) metrics_of_a_route: f64,
    pub(crate) kms_requests_of_a_table_and_hour: f64,
    /// Environments that read secrets, and how often each does.
    pub(crate) environments: f64,
    pub(crate) readings_of_a_secret_and_hour: f64,
    pub(crate) days_of_a_month: f64,
}

impl From<Entry> for Price {
    fn from(entry: Entry) -> Self {
        Self(entry.price)
    }
}

impl Price {
    /// The price of a number of them.
    pub(crate) fn of(self, count: f64) -> f64 {
        self.0 * count
    }
}

impl Prices {
    /// One invocation of a function: its processor time stretched to its share of a core, and then
    /// its waits.
    pub(crate) fn invocation(&self, memory_mb: u32, cpu_ms: f64, waits_ms: f64) -> f64 {
        let memory_mb = f64::from(memory_mb);
        let stretched = f64::max(1.0, self.assumed.mb_of_a_whole_core / memory_mb);
        let billed_s = (cpu_ms * stretched + waits_ms) / 1_000.0;
        self.usd.lambda_request.of(1.0)
            + self.usd.lambda_gb_second.of(memory_mb / 1_024.0 * billed_s)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn every_price_names_its_page() {
        let file = include_str!("../../prices.json");
        let file: Value = serde_json::from_str(file).unwrap();
        for (name, price) in file["usd"].as_object().unwrap() {
            let page = price["page"].as_str().unwrap();
            assert!(page.starts_with("https://aws.amazon.com/"), "{name}");
        }
    }
}
