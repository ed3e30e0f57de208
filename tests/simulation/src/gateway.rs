//! API Gateway, in front of the functions.

use axum::body::{Body, Bytes};
use hyper::{Response, http::request::Parts};
use test_harness::aws::gateway;

use crate::{functions, world::World};

/// What the API answers.
pub(crate) async fn answer(world: &World, call: &Parts, body: &Bytes) -> Response<Body> {
    let Some((function, event)) = gateway::event_of(call, body) else {
        return gateway::not_found();
    };
    let event = event.to_string();
    let request = lambda_http::request::from_str(&event).expect("an event");
    match world.functions.answer(world, function, request).await {
        Some(answer) => answer.map(|body| Body::from(functions::bytes(body))),
        None => gateway::unanswered(),
    }
}
