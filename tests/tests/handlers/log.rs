//! What a function logs while a test runs it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use lambda_http::tracing::{
    dispatcher::DefaultGuard,
    subscriber::{filter::LevelFilter, fmt::MakeWriter, registry, util::SubscriberInitExt},
};
use serde_json::Value;
use shared::telemetry;

/// The lines that are logged on this thread, as Lambda would keep them.
pub(crate) struct Log {
    text: Text,
    /// Of two subscribers. With one alone, a line that another test's thread reached first would be
    /// lost: tracing asks only that thread whether it wants the line.
    _until_dropped: [DefaultGuard; 2],
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines of a function from now on, from this level on.
    pub(crate) fn of(crate_name: &'static str, level: LevelFilter) -> Self {
        let text = Text::default();
        let second = registry().set_default();
        let lines = telemetry::lines(crate_name, level, text.clone()).set_default();
        Self {
            text,
            // Dropped in this order: each brings back the one before it.
            _until_dropped: [lines, second],
        }
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = self.text.0.lock().unwrap();
        let lines = std::str::from_utf8(&text).unwrap().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Text {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
