//! `fields` and `omit`: which fields of an object are shown.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::header::CONTENT_LENGTH,
    middleware::Next,
    response::Response,
};

use serde_json::Value;

use super::query::Query;

/// Leaves fields out of the answer of a call that asks for it.
pub(crate) async fn apply(request: Request, next: Next) -> Response {
    let query = Query::parse(request.uri().query());
    let (fields, omitted) = (query.list("fields"), query.list("omit"));
    let answer = next.run(request).await;
    if (fields.is_none() && omitted.is_none()) || !answer.status().is_success() {
        return answer;
    }

    let (mut parts, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let is_shown = |name: &String| {
        fields.as_ref().is_none_or(|fields| fields.contains(name))
            && !omitted
                .as_ref()
                .is_some_and(|omitted| omitted.contains(name))
    };
    // A body that a rule has torn stays as it is.
    let Ok(mut shown) = serde_json::from_slice::<Value>(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    let objects = match shown.get_mut("results") {
        Some(results) => results,
        None => &mut shown,
    };
    match objects {
        Value::Array(objects) => objects.iter_mut().for_each(|each| keep(each, is_shown)),
        object => keep(object, is_shown),
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(shown.to_string()))
}

fn keep(object: &mut Value, is_shown: impl Fn(&String) -> bool) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| is_shown(name));
    }
}
