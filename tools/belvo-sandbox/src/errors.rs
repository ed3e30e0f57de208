//! Belvo's error bodies: a JSON array of `{code, message, request_id, …}`. The texts are the
//! documented ones where Belvo prints a text for the code.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Every code of Belvo's error pages: code, HTTP status, message.
const DOCUMENTED: &[(&str, u16, &str)] = &[
    ("required", 400, "This field is required."),
    ("null", 400, "This field may not be null."),
    ("blank", 400, "This field may not be blank."),
    ("does_not_exist", 400, "The object does not exist."),
    ("invalid", 400, "The value is not valid."),
    ("invalid_choice", 400, "The value is not a valid choice."),
    ("not_a_list", 400, "Expected a list of items."),
    ("parse_error", 400, "JSON parse error"),
    ("validation_error", 400, "The request is not valid."),
    (
        "invalid_period",
        400,
        "Invalid period: date_from must not be after date_to, and date_to not in the future",
    ),
    (
        "invalid_credentials_storage",
        400,
        "Recurrent links must store the credentials",
    ),
    (
        "invalid_fetch_resources",
        400,
        "Single links without stored credentials must fetch resources",
    ),
    (
        "unsupported_operation",
        400,
        "The resource you are trying to access is not supported by this institution",
    ),
    ("duplicated", 400, "Link already exists"),
    (
        "max_digits",
        400,
        "Ensure that there are no more than 15 digits in total.",
    ),
    (
        "max_decimal_places",
        400,
        "Ensure that there are no more than 2 decimal places.",
    ),
    (
        "min_value",
        400,
        "Ensure this value is greater than or equal to 0.",
    ),
    ("already_exists", 400, "The object already exists."),
    ("cancellation_error", 400, "The object cannot be cancelled."),
    (
        "too_many_sessions",
        400,
        "Impossible to login, a session is already opened with the institution for these credentials",
    ),
    (
        "login_error",
        400,
        "Invalid credentials provided to login to the institution.",
    ),
    (
        "invalid_link",
        400,
        "The link has been invalidated. You may need to update link credentials",
    ),
    (
        "unconfirmed_link",
        400,
        "The link creation has not been completed yet",
    ),
    ("session_expired", 400, SESSION_EXPIRED),
    ("session_expired_ob", 400, SESSION_EXPIRED),
    (
        "institution_down",
        400,
        "The financial institution is down, try again later",
    ),
    (
        "institution_unavailable",
        400,
        "The financial institution is unavailable",
    ),
    (
        "institution_inactive",
        400,
        "The institution has been temporarily deactivated",
    ),
    ("unavailable_data", 400, "The institution returned no data"),
    (
        "operational_limits_reached",
        400,
        "The institution has reached its operational limits",
    ),
    ("activation_failed", 400, "The activation has failed"),
    ("authentication_failed", 401, "Invalid Secret Keys"),
    (
        "consent_without_accounts",
        401,
        "The consent has no accounts",
    ),
    (
        "access_to_production_denied",
        403,
        "You don't have access to production.",
    ),
    (
        "access_to_resource_denied",
        403,
        "You don't have access to this resource.",
    ),
    (
        "permission_denied",
        403,
        "You have exceeded your request limit, retry later.",
    ),
    (
        "quota_limit_reached",
        403,
        "You have reached your quota limit.",
    ),
    ("not_found", 404, "Not found."),
    (
        "expired_credentials",
        404,
        "The credentials of this link have expired",
    ),
    ("method_not_allowed", 405, "Method not allowed."),
    (
        "request_timeout",
        408,
        "The request timed out, you can retry asking for less data by changing your query parameters",
    ),
    (
        "link_refreshed",
        409,
        "The link has already been refreshed. Please wait 7 minutes before trying again.",
    ),
    (
        "idempotency_key_conflict",
        409,
        "A request with this idempotency key is already being processed.",
    ),
    (
        "idempotency_payload_mismatch",
        422,
        "A different request with the same idempotency key already exists.",
    ),
    (
        "token_required",
        428,
        "A MFA token is required by the institution to login",
    ),
    (
        "activation_required",
        428,
        "An activation is required by the institution to login",
    ),
    UNEXPECTED_ERROR,
    (
        "service_unavailable",
        500,
        "The service is unavailable, try again later",
    ),
];
const UNEXPECTED_ERROR: (&str, u16, &str) = ("unexpected_error", 500, UNEXPECTED);
const SESSION_EXPIRED: &str = "The session you are trying to resume has expired, please start again from register/retrieve endpoint";
const UNEXPECTED: &str = "Belvo is unable to process the request due to an internal system issue or to an unsupported response from an institution";

/// An answer that is one of Belvo's errors.
pub(crate) struct ApiError {
    status: StatusCode,
    entries: Vec<Value>,
}

/// The error to answer with; without a status the documented one.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorSpec {
    pub(crate) code: String,
    pub(crate) status: Option<u16>,
    pub(crate) field: Option<String>,
    pub(crate) message: Option<String>,
}

/// Whether Belvo knows this error code.
pub(crate) fn is_documented(code: &str) -> bool {
    documented(code).is_some()
}

fn documented(code: &str) -> Option<(&'static str, u16, &'static str)> {
    DOCUMENTED
        .iter()
        .find(|(known, ..)| *known == code)
        .copied()
}

impl ApiError {
    /// The documented error of this code.
    pub(crate) fn new(code: &str) -> Self {
        let (code, status, message) = documented(code).unwrap_or(UNEXPECTED_ERROR);
        let mut entry = json!({ "code": code, "message": message, "request_id": Uuid::new_v4().simple().to_string() });
        match code {
            "token_required" => {
                entry["session"] = json!(Uuid::new_v4().simple().to_string());
                entry["expiry"] = json!(9_600);
                entry["token_generation_data"] = json!({
                    "instructions": "Use this code to generate the token",
                    "type": "numeric",
                    "value": "12345",
                });
            }
            "duplicated" => {
                entry["institution_user_id"] =
                    json!("4jlgn6vL7yifxMlhwFwTjbbzYxYoEEkJqK_CJhhZetI=");
            }
            _ => {}
        }
        Self {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            entries: vec![entry],
        }
    }

    /// The error of one field of the request.
    pub(crate) fn field(code: &str, field: &str) -> Self {
        Self::new(code).with("field", field)
    }

    /// The error a rule asks for, in a call about `link`.
    pub(crate) fn asked_for(spec: &ErrorSpec, link: Option<&str>) -> Self {
        let mut error = Self::new(&spec.code);
        if let Some(status) = spec.status {
            error.status =
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        }
        if let Some(field) = &spec.field {
            error = error.with("field", field);
        }
        if let Some(message) = &spec.message {
            error = error.with("message", message);
        }
        match link {
            Some(link) if spec.code == "token_required" => error.with("link", link),
            _ => error,
        }
    }

    /// Sets a field of the (first) entry.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.entries[0][key] = json!(value);
        self
    }

    /// One answer with the entries of several errors; `None` if there are none.
    pub(crate) fn all(errors: Vec<Self>) -> Option<Self> {
        errors.into_iter().reduce(|mut all, next| {
            all.entries.extend(next.entries);
            all
        })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(Value::Array(self.entries))).into_response()
    }
}
