//! What the HTTP functions need from API Gateway: its request id, path parameters, and JSON
//! responses.

use std::net::IpAddr;

use lambda_http::{
    Body, Request, RequestExt, Response,
    aws_lambda_events::apigw::ApiGatewayV2httpRequestContext,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    request::RequestContext,
};
use serde::Serialize;

/// API Gateway's id of the invocation, which its access log and our log lines share. `none` where
/// there is no gateway.
#[must_use]
pub fn gateway_request_id(request: &Request) -> &str {
    let id = context(request).and_then(|context| context.request_id.as_deref());
    id.unwrap_or("none")
}

/// The address that API Gateway saw the request come from.
#[must_use]
pub fn source_ip(request: &Request) -> Option<IpAddr> {
    let address = context(request)?.http.source_ip.as_deref()?;
    address.parse().ok()
}

/// The IAM identity that signed the request: a user, or a role whatever its session. Empty where
/// there is none.
#[must_use]
pub fn caller(request: &Request) -> String {
    without_session(caller_with_session(request)).to_owned()
}

/// The same with the session of a role, whose name says who assumed it.
#[must_use]
pub fn caller_with_session(request: &Request) -> &str {
    let authorizer = context(request).and_then(|context| context.authorizer.as_ref());
    let identity = authorizer.and_then(|authorizer| authorizer.iam.as_ref());
    let arn = identity.and_then(|identity| identity.user_arn.as_deref());
    arn.unwrap_or_default()
}

/// `arn:aws:sts::…:assumed-role/<role>/<session>` without the session.
fn without_session(arn: &str) -> &str {
    match arn.rsplit_once('/') {
        Some((role, _)) if arn.contains(":assumed-role/") => role,
        _ => arn,
    }
}

/// The route that API Gateway chose, such as `GET /requests/{id}`.
#[must_use]
pub fn route_key(request: &Request) -> Option<&str> {
    context(request)?.route_key.as_deref()
}

/// A path parameter of the route, or the empty string.
#[must_use]
pub fn path_parameter(request: &Request, name: &str) -> String {
    request
        .path_parameters()
        .first(name)
        .unwrap_or_default()
        .to_owned()
}

/// A query parameter, if present and not empty.
#[must_use]
pub fn query_parameter(request: &Request, name: &str) -> Option<String> {
    request
        .query_string_parameters()
        .first(name)
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

/// A JSON response.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    response(status, "application/json", body)
}

/// A response of the given JSON media type, which nobody between may keep: it holds bank data, or
/// what is true only now.
#[must_use]
pub fn response(
    status: StatusCode,
    media_type: &'static str,
    body: &impl Serialize,
) -> Response<Body> {
    // Serialising our own plain structs cannot fail; if it did, an empty body with the right status
    // would be the honest answer.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn context(request: &Request) -> Option<&ApiGatewayV2httpRequestContext> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => Some(context),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_may_be_kept_on_its_way() {
        let answer = json(StatusCode::OK, &());
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn the_sessions_of_a_role_are_one_caller() {
        let role = "arn:aws:sts::123456789012:assumed-role/payments";
        assert_eq!(without_session(&format!("{role}/one")), role);
        assert_eq!(without_session(&format!("{role}/other")), role);
        let user = "arn:aws:iam::123456789012:user/services/payments";
        assert_eq!(without_session(user), user);
    }
}
