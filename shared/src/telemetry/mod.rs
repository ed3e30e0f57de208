//! Logs: one JSON object a line on standard output, which Lambda keeps in its log group.

mod event;
mod subsegment;
mod trace;

pub use event::Event;
pub(crate) use subsegment::{Call, Shown};
pub use trace::{Trace, traced};

use lambda_http::tracing::subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

use crate::env::Environment;

/// The target of lines that are written whatever the level is: those behind the metrics of
/// template.yaml, so that it silences no alarm, and those that say who called.
pub const ALWAYS: &str = "always";

/// Starts logging for a function, given its crate's name: from the level `LOG_LEVEL` on, or `INFO`.
pub fn init(crate_name: &'static str) {
    let level = Environment::of_process()
        .optional("LOG_LEVEL")
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    lines(crate_name, level, std::io::stdout).init();
}

/// What writes the lines of a function, given its crate's name, from a level on. Other crates log
/// warnings only: the Lambda runtime's finer lines hold whole events, headers and bodies included.
/// Fields are named with dots (`link.id`); no line carries a secret, a body or account data.
pub fn lines<W>(crate_name: &'static str, level: LevelFilter, to: W) -> impl SubscriberInitExt
where
    W: for<'writer> fmt::MakeWriter<'writer> + Send + Sync + 'static,
{
    let ours = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets([(crate_name, level), (env!("CARGO_PKG_NAME"), level)])
        .with_target(ALWAYS, LevelFilter::TRACE);
    let lines = fmt::layer().json().with_target(false).with_span_list(false);
    registry().with(lines.with_writer(to)).with(ours)
}
