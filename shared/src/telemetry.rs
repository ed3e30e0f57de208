//! Logs: one JSON object a line on standard output, which Lambda keeps in its log group.

use lambda_http::tracing::subscriber::{filter::LevelFilter, fmt};

/// Starts logging from `level` (`TRACE` to `ERROR`) on. Fields are named with dots (`link.id`); no line carries a secret,
/// a body or account data.
pub fn init(level: LevelFilter) {
    fmt().json().with_target(false).with_current_span(false).with_span_list(false).with_max_level(level).init();
}
