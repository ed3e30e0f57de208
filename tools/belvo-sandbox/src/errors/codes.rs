//! Belvo's error codes.

/// An error code with its HTTP status and message.
type Code = (&'static str, u16, &'static str);

/// Every code of Belvo's error pages. The messages are Belvo's own where Belvo documents one.
const DOCUMENTED: &[Code] = &[
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
        "Impossible to login, a session is already opened with the institution for these \
         credentials",
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
        "The request timed out, you can retry asking for less data by changing your query \
         parameters",
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

/// What stands for a code that is not in the table.
pub(super) const UNEXPECTED_ERROR: Code = (
    "unexpected_error",
    500,
    "Belvo is unable to process the request due to an internal system issue or to an unsupported \
     response from an institution",
);

const SESSION_EXPIRED: &str = "The session you are trying to resume has expired, please start \
                               again from register/retrieve endpoint";

/// Whether Belvo documents this code.
pub(crate) fn is_documented(code: &str) -> bool {
    documented(code).is_some()
}

/// The message of a code.
pub(crate) fn message(code: &str) -> &'static str {
    let (_, _, message) = documented(code).unwrap_or(UNEXPECTED_ERROR);
    message
}

pub(super) fn documented(code: &str) -> Option<Code> {
    let mut codes = DOCUMENTED.iter();
    codes.find(|(known, ..)| *known == code).copied()
}
