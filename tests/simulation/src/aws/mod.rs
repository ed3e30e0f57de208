//! AWS, as far as the functions use it.

pub(crate) mod tables;

use std::rc::Rc;

use axum::body::Body;
use dynoxide::errors::DynoxideError;
use hyper::{Response, body::Bytes};
use serde_json::json;
use test_harness::Refusal;
pub(crate) use test_harness::aws::{bus, queues, secrets};

use crate::{faults::Fault, world::World};

/// What AWS answers, `None` if the connection breaks instead.
pub(crate) async fn answer(world: &Rc<World>, target: &str, body: Bytes) -> Option<Response<Body>> {
    // A warm-up only opens a connection.
    let Some((service, operation)) = target.split_once('.') else {
        return Some(respond(404, Vec::new()));
    };
    world.takes_a_moment().await;
    if world.happens(Fault::HangingCall) {
        std::future::pending::<()>().await;
    }
    if world.happens(Fault::RefusedCall) {
        return Some(refused(service));
    }
    if world.happens(Fault::BrokenCall) {
        return None;
    }
    let performed = perform(world, service, operation, &body);
    world.takes_a_moment().await;
    // The answer is lost; what was done stays.
    if world.happens(Fault::LostAnswer) {
        return None;
    }
    Some(match performed {
        Ok(answer) => respond(200, answer),
        Err(refusal) => respond(refusal.status, refusal.body.into_bytes()),
    })
}

fn perform(world: &World, service: &str, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match service {
        "DynamoDB_20120810" => tables::perform(world, operation, body),
        "AmazonSQS" => world.queues.perform(operation, body),
        "secretsmanager" => world.secrets.value(body),
        "AWSEvents" => world.bus.put(body, || world.happens(Fault::UndoneItems)),
        _ => Err(Refusal::unsupported(service)),
    }
}

/// How each service says that it cannot do anything right now.
fn refused(service: &str) -> Response<Body> {
    let (status, body) = if service == "DynamoDB_20120810" {
        let throttled = "The level of provisioned throughput was exceeded.".to_owned();
        let throttled = DynoxideError::ProvisionedThroughputExceededException(throttled);
        let refusal = Refusal::from(throttled);
        (refusal.status, refusal.body)
    } else {
        (503, json!({"__type": "ServiceUnavailable"}).to_string())
    };
    respond(status, body.into_bytes())
}

fn respond(status: u16, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status.try_into().expect("a status");
    let json = "application/x-amz-json-1.0"
        .try_into()
        .expect("a media type");
    response.headers_mut().insert("content-type", json);
    response
}
