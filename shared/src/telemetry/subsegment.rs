//! Calls of Belvo and of AWS in X-Ray, below the piece of work that makes them ("AWS X-Ray segment
//! documents", AWS X-Ray developer guide). They are sent to Lambda's X-Ray daemon by UDP, which
//! nobody waits for; where there is no daemon, or the trace is not sampled, nothing is sent.

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::trace::{Parent, parent};
use crate::env::Environment;

/// Where Lambda's daemon listens.
const DAEMON: &str = "AWS_XRAY_DAEMON_ADDRESS";
/// What goes before a document ("Sending segment documents to the X-Ray daemon").
const HEADER: &str = "{\"format\": \"json\", \"version\": 1}\n";

/// A call of another service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// With the HTTP method.
    Belvo { method: String },
    /// With the header `x-amz-target`, such as `DynamoDB_20120810.Query`.
    Aws { target: String },
}

/// Makes a call, and tells X-Ray about it; `status` says which status it was answered with.
pub(crate) async fn recorded<T>(
    call: impl FnOnce() -> Call,
    work: impl Future<Output = T>,
    status: impl FnOnce(&T) -> Option<u16>,
) -> T {
    let (Some(daemon), Some(parent)) = (daemon(), parent()) else {
        return work.await;
    };
    let (call, began) = (call(), seconds());
    let outcome = work.await;
    let document = Document::new(&parent, &call, [began, seconds()], status(&outcome));
    // One that is lost is lost: a call does not fail for it.
    let _ = daemon.send(document.datagram().as_bytes());
    outcome
}

/// A socket that sends to the daemon, if there is one.
fn daemon() -> Option<&'static UdpSocket> {
    static SOCKET: OnceLock<Option<UdpSocket>> = OnceLock::new();
    let socket = SOCKET.get_or_init(|| connected(&Environment::of_process().optional(DAEMON)?));
    socket.as_ref()
}

fn connected(address: &str) -> Option<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect(address).ok()?;
    Some(socket)
}

fn seconds() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}

/// A subsegment that is sent apart from its segment.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    id: String,
    trace_id: &'a str,
    parent_id: &'a str,
    name: &'a str,
    namespace: &'static str,
    start_time: f64,
    end_time: f64,
    http: Http<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws: Option<Operation<'a>>,
    /// The caller's fault.
    error: bool,
    /// The caller is too fast.
    throttle: bool,
    /// The service's fault.
    fault: bool,
}

#[derive(Serialize)]
struct Http<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Sent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Answered>,
}

#[derive(Serialize)]
struct Sent<'a> {
    method: &'a str,
}

#[derive(Serialize)]
struct Answered {
    status: u16,
}

#[derive(Serialize)]
struct Operation<'a> {
    operation: &'a str,
}

impl<'a> Document<'a> {
    fn new(parent: &'a Parent, call: &'a Call, [from, to]: [f64; 2], status: Option<u16>) -> Self {
        let (name, namespace, method, operation) = match call {
            Call::Belvo { method } => ("Belvo", "remote", Some(method.as_str()), None),
            Call::Aws { target } => {
                let (service, operation) = target.split_once('.').unwrap_or((target, ""));
                // Without the version of its API.
                let service = service.split('_').next().unwrap_or(service);
                (service, "aws", None, Some(operation))
            }
        };
        Self {
            r#type: "subsegment",
            id: format!("{:016x}", fastrand::u64(..)),
            trace_id: &parent.trace,
            parent_id: &parent.segment,
            name,
            namespace,
            start_time: from,
            end_time: to,
            http: Http {
                request: method.map(|method| Sent { method }),
                response: status.map(|status| Answered { status }),
            },
            aws: operation.map(|operation| Operation { operation }),
            error: status.is_some_and(|status| (400..500).contains(&status)),
            throttle: status == Some(429),
            fault: status.is_none_or(|status| status >= 500),
        }
    }

    fn datagram(&self) -> String {
        let document = serde_json::to_string(self).unwrap_or_default();
        format!("{HEADER}{document}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document(call: &Call, status: Option<u16>) -> Value {
        let parent = Parent {
            trace: "1-67f00000-000000000000000000000001".to_owned(),
            segment: "53995c3f42cd8ad8".to_owned(),
        };
        let datagram = Document::new(&parent, call, [1.5, 2.0], status).datagram();
        let document = datagram.strip_prefix(HEADER).unwrap();
        serde_json::from_str(document).unwrap()
    }

    fn query() -> Call {
        Call::Aws {
            target: "DynamoDB_20120810.Query".to_owned(),
        }
    }

    #[test]
    fn a_call_of_aws_is_a_subsegment_of_its_service() {
        let mut document = document(&query(), Some(200));
        let id = document["id"].take();
        assert_eq!(id.as_str().unwrap().len(), 16);
        let expected = json!({"type": "subsegment", "id": null, "name": "DynamoDB",
            "trace_id": "1-67f00000-000000000000000000000001", "parent_id": "53995c3f42cd8ad8",
            "namespace": "aws", "start_time": 1.5, "end_time": 2.0,
            "http": {"response": {"status": 200}}, "aws": {"operation": "Query"},
            "error": false, "throttle": false, "fault": false});
        assert_eq!(document, expected);
    }

    #[test]
    fn a_call_of_belvo_says_how_it_was_answered() {
        let get = Call::Belvo {
            method: "GET".to_owned(),
        };
        let flags = |status| {
            let document = document(&get, status);
            assert_eq!(document["http"]["request"]["method"], "GET");
            ["error", "throttle", "fault"].map(|flag| document[flag].as_bool().unwrap())
        };
        assert_eq!(flags(Some(200)), [false; 3]);
        assert_eq!(flags(Some(404)), [true, false, false]);
        assert_eq!(flags(Some(429)), [true, true, false]);
        assert_eq!(flags(Some(503)), [false, false, true]);
        assert_eq!(flags(None), [false, false, true], "no answer");
    }

    #[test]
    fn a_datagram_reaches_the_daemon() {
        let daemon = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = connected(&daemon.local_addr().unwrap().to_string()).unwrap();
        socket.send(b"a document").unwrap();
        let mut received = [0; 64];
        let length = daemon.recv(&mut received).unwrap();
        assert_eq!(&received[..length], b"a document");
    }
}
