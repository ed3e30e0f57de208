//! Calls of Belvo and of AWS in X-Ray, as subsegments of the invocation that makes them ("AWS X-Ray
//! segment documents", AWS X-Ray developer guide). Each is sent to Lambda's X-Ray daemon when it
//! ends, also if it is cancelled before it was answered; its time ends when the body of the answer
//! begins. They go by UDP, which nobody waits for. Without a daemon, or where the invocation is
//! not sampled, nothing is sent.

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::{Mutex, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::Trace;
use crate::env::Environment;

/// Where Lambda's daemon listens.
const DAEMON: &str = "AWS_XRAY_DAEMON_ADDRESS";
/// What goes before a document ("Sending segment documents to the X-Ray daemon").
const HEADER: &str = "{\"format\": \"json\", \"version\": 1}\n";
/// How many calls of an invocation are shown: a trace may have 500 KB ("AWS X-Ray endpoints and
/// quotas"), of which each call takes up to half a kilobyte.
const SHOWN: u32 = 200;

/// A call of another service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// With the HTTP method.
    Belvo { method: String },
    /// With the header `x-amz-target`, such as `DynamoDB_20120810.Query`.
    Aws { target: String },
}

/// A call that is being made, and is shown once this is dropped.
pub(crate) struct Shown {
    daemon: &'static UdpSocket,
    invocation: Trace,
    call: Call,
    began: f64,
    status: Option<u16>,
}

impl Shown {
    /// Says that a call begins; `None` if it is not shown.
    pub(crate) fn begin(call: impl FnOnce() -> Call) -> Option<Self> {
        static LEFT: Mutex<Left> = Mutex::new(Left::new());
        let daemon = daemon()?;
        let invocation = Trace::of_invocation()?;
        invocation.sampled_segment()?;
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        left.take(&invocation).then(|| Self {
            daemon,
            invocation,
            call: call(),
            began: seconds(),
            status: None,
        })
    }

    /// Says that a call has ended, if it is shown, and with which status it was answered.
    pub(crate) fn end(shown: Option<Self>, status: u16) {
        if let Some(mut shown) = shown {
            shown.status = Some(status);
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let times = [self.began, seconds()];
        if let Some(document) = Document::new(&self.invocation, &self.call, times, self.status) {
            // One that is lost is lost: no call fails for it.
            let _ = self.daemon.send(document.datagram().as_bytes());
        }
    }
}

/// How many more calls of an invocation are shown.
struct Left {
    invocation: Option<Trace>,
    calls: u32,
}

impl Left {
    const fn new() -> Self {
        Self {
            invocation: None,
            calls: 0,
        }
    }

    /// Whether one more is shown.
    fn take(&mut self, invocation: &Trace) -> bool {
        if self.invocation.as_ref() != Some(invocation) {
            self.invocation = Some(invocation.clone());
            self.calls = SHOWN;
        }
        let left = self.calls.checked_sub(1);
        self.calls = left.unwrap_or_default();
        left.is_some()
    }
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
    /// Any status from 400 to 499. DynamoDB answers so, too, when a condition does not hold, which
    /// is no fault here.
    error: bool,
    /// Belvo's 429. AWS throttles with other statuses.
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
    fn new(
        invocation: &'a Trace,
        call: &'a Call,
        [start_time, end_time]: [f64; 2],
        status: Option<u16>,
    ) -> Option<Self> {
        let (name, namespace, method, operation) = match call {
            Call::Belvo { method } => ("Belvo", "remote", Some(method.as_str()), None),
            Call::Aws { target } => {
                let (service, operation) = target.split_once('.')?;
                (name_of(service), "aws", None, Some(operation))
            }
        };
        Some(Self {
            r#type: "subsegment",
            id: format!("{:016x}", fastrand::u64(..)),
            trace_id: invocation.id(),
            parent_id: invocation.sampled_segment()?,
            name,
            namespace,
            start_time,
            end_time,
            http: Http {
                request: method.map(|method| Sent { method }),
                response: status.map(|status| Answered { status }),
            },
            aws: operation.map(|operation| Operation { operation }),
            error: status.is_some_and(|status| (400..500).contains(&status)),
            throttle: status == Some(429),
            fault: status.is_none_or(|status| status >= 500),
        })
    }

    fn datagram(&self) -> String {
        let document = serde_json::to_string(self).unwrap_or_default();
        format!("{HEADER}{document}")
    }
}

/// What AWS's own X-Ray SDKs call a service, by its part of `x-amz-target`.
fn name_of(service: &str) -> &str {
    match service {
        "AmazonSQS" => "SQS",
        "AWSEvents" => "Events",
        "secretsmanager" => "SecretsManager",
        // Without the version of its API.
        other => other.split('_').next().unwrap_or(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn invocation(root: &str) -> Trace {
        let header = format!("Root={root};Parent=53995c3f42cd8ad8;Sampled=1");
        Trace::of_header(&header).unwrap()
    }

    fn document(call: &Call, status: Option<u16>) -> Value {
        let invocation = invocation("1-67f00000-000000000000000000000001");
        let document = Document::new(&invocation, call, [1.5, 2.0], status).unwrap();
        let datagram = document.datagram();
        serde_json::from_str(datagram.strip_prefix(HEADER).unwrap()).unwrap()
    }

    fn aws(target: &str) -> Call {
        let target = target.to_owned();
        Call::Aws { target }
    }

    #[test]
    fn a_call_of_aws_is_a_subsegment_of_its_service() {
        let mut document = document(&aws("DynamoDB_20120810.Query"), Some(200));
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
    fn services_are_named_as_by_aws() {
        for (target, name) in [
            ("AmazonSQS.SendMessage", "SQS"),
            ("AWSEvents.PutEvents", "Events"),
            ("secretsmanager.GetSecretValue", "SecretsManager"),
        ] {
            assert_eq!(document(&aws(target), Some(200))["name"], name);
        }
        let (invocation, unnamed) = (invocation("1-2"), aws(""));
        let document = Document::new(&invocation, &unnamed, [1.0, 2.0], None);
        assert!(document.is_none(), "X-Ray refuses an empty name");
    }

    #[test]
    fn of_an_invocation_the_first_calls_are_shown() {
        let mut left = Left::new();
        let mut shown = |root| (0..1_000).filter(|_| left.take(&invocation(root))).count();
        assert_eq!(shown("1-1"), 200);
        assert_eq!(shown("1-1"), 0);
        assert_eq!(shown("1-2"), 200);
    }

    #[test]
    fn a_call_that_is_cancelled_is_shown_as_a_fault() {
        let daemon = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = connected(&daemon.local_addr().unwrap().to_string()).unwrap();
        drop(Shown {
            daemon: Box::leak(Box::new(socket)),
            invocation: invocation("1-2"),
            call: aws("DynamoDB_20120810.Query"),
            began: 1.5,
            status: None,
        });
        let mut received = [0; 1_024];
        let length = daemon.recv(&mut received).unwrap();
        let document = received[..length].strip_prefix(HEADER.as_bytes()).unwrap();
        let document: Value = serde_json::from_slice(document).unwrap();
        assert_eq!(document["fault"], true);
        assert_eq!(document["http"], json!({}));
    }
}
