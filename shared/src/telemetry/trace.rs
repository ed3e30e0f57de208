//! The trace that a piece of work belongs to: one from a webhook to the rows that it brings,
//! however many invocations and messages are between them ("Tracing header", AWS X-Ray).

use lambda_http::tracing::{Instrument, error_span};

use crate::env::Environment;

/// Lambda sets it for each invocation.
const OF_INVOCATION: &str = "_X_AMZN_TRACE_ID";
/// Longer than any header that X-Ray makes.
const LONGEST: usize = 256;

tokio::task_local! {
    static CURRENT: Option<Trace>;
}

/// A tracing header, such as `Root=1-67f0-26e1;Parent=53995c3f42cd8ad8;Sampled=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace(String);

impl Trace {
    /// A tracing header that came with a message.
    #[must_use]
    pub fn of_header(header: &str) -> Option<Self> {
        let is_header = header.len() <= LONGEST && root(header).is_some();
        is_header.then(|| Self(header.to_owned()))
    }

    /// That of the piece of work which asks, or else of the invocation.
    #[must_use]
    pub fn current() -> Option<Self> {
        let of_work = CURRENT.try_with(Clone::clone).ok().flatten();
        of_work.or_else(Self::of_invocation)
    }

    /// That of the invocation: another one than that of the messages which it is for.
    pub(super) fn of_invocation() -> Option<Self> {
        Self::of_header(&Environment::of_process().optional(OF_INVOCATION)?)
    }

    /// The header, for messages.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.0
    }

    /// Its id, under which X-Ray shows it.
    #[must_use]
    pub fn id(&self) -> &str {
        root(&self.0).unwrap_or_default()
    }

    /// The segment below which X-Ray shows what belongs to it; `None` if it is not sampled.
    pub(super) fn sampled_segment(&self) -> Option<&str> {
        let is_sampled = part(&self.0, "Sampled=") == Some("1");
        part(&self.0, "Parent=").filter(|_| is_sampled)
    }
}

/// Does a piece of work whose messages belong to a trace, and whose lines name it; to that of the
/// invocation if it has none of its own.
pub async fn traced<T>(trace: Option<Trace>, work: impl Future<Output = T>) -> T {
    let trace = trace.or_else(Trace::current);
    let span = error_span!(
        "work",
        trace.id = trace.as_ref().map(|trace| display(trace.id()))
    );
    CURRENT.scope(trace, work.instrument(span)).await
}

/// A part of a header.
fn part<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = header.split(';');
    parts.find_map(|part| part.trim().strip_prefix(name))
}

fn root(header: &str) -> Option<&str> {
    let root = part(header, "Root=")?;
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (!root.is_empty() && root.bytes().all(is_id)).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "Root=1-67f00000-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn a_trace_is_known_by_its_root() {
        let trace = Trace::of_header(HEADER).unwrap();
        assert_eq!(trace.id(), "1-67f00000-000000000000000000000001");
        assert_eq!(trace.header(), HEADER);
        assert_eq!(Trace::of_header("Self=1-2; Root=1-3").unwrap().id(), "1-3");
        let long = format!("Root=1-2;{}", "x".repeat(LONGEST));
        for header in ["", "Parent=1", "Root=", "Root=a\"b", &long] {
            assert_eq!(Trace::of_header(header), None, "{header}");
        }
    }

    #[test]
    fn what_is_not_sampled_has_no_segment() {
        let segment = |header| {
            Trace::of_header(header)
                .unwrap()
                .sampled_segment()
                .is_some()
        };
        assert!(segment(HEADER));
        for header in [
            "Root=1-2;Parent=3;Sampled=0",
            "Root=1-2;Parent=3",
            "Root=1-2;Sampled=1",
        ] {
            assert!(!segment(header), "{header}");
        }
    }

    #[tokio::test]
    async fn work_has_the_trace_of_its_message() {
        let trace = Trace::of_header(HEADER);
        let seen = traced(trace.clone(), async { Trace::current() }).await;
        assert_eq!(seen, trace);
        let inner = traced(trace.clone(), traced(None, async { Trace::current() })).await;
        assert_eq!(inner, trace, "it is passed on");
    }
}
