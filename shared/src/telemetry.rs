//! Logs: one JSON object a line on standard output, which Lambda keeps in its log group.

use lambda_http::tracing::subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

/// The crates whose lines are ours. Other crates log warnings only: the Lambda runtime's finer
/// lines hold whole events, headers and bodies included.
const OURS: [&str; 5] = ["shared", "request", "webhook", "collect", "query"];

/// Starts logging from `level` on. Fields are named with dots (`link.id`); no line carries a
/// secret, a body or account data.
pub fn init(level: LevelFilter) {
    let ours = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(OURS.map(|name| (name, level)));
    let lines = fmt::layer()
        .json()
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false);
    registry().with(lines).with(ours).init();
}
