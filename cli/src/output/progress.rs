//! Progress of long work, on standard error; hidden where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

const TICK: Duration = Duration::from_millis(120);

/// Work whose amount is known.
pub(crate) fn counter(what: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
    let bar = bar.with_finish(ProgressFinish::AndClear);
    bar.set_style(style("{msg} {wide_bar} {pos}/{len} {eta}"));
    bar.with_message(what)
}

/// Work whose amount is not known.
pub(crate) fn spinner(what: impl Into<String>) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
    bar.set_style(style("{spinner} {msg} {elapsed}"));
    bar.enable_steady_tick(TICK);
    bar.with_message(what.into())
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
