//! The variables of functions that nothing outside of this process decides.

/// The settings of template.yaml, and what Lambda adds to them.
pub const SETTINGS: [(&str, &str); 32] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "bench"),
    ("AWS_SECRET_ACCESS_KEY", "bench"),
    (
        "AWS_SESSION_TOKEN",
        "a session token as Lambda gives one, only shorter",
    ),
    ("BELVO_SECRET_ARN", "belvo"),
    ("WEBHOOK_SECRET_ARN", "webhook"),
    ("QUEUE_URL", "http://127.0.0.1/000000000000/webhooks.fifo"),
    (
        "DEAD_LETTER_QUEUE_URL",
        "http://127.0.0.1/000000000000/dead-letters.fifo",
    ),
    ("ACK_STATUS", "202"),
    ("ALLOWED_SOURCE_IPS", ""),
    ("LONG_RETRIEVALS_PER_MONTH", "8"),
    ("SHORT_RETRIEVALS_PER_MONTH", "240"),
    ("WIDGET_URL", "https://widget.belvo.io/"),
    ("COMPANY_NAME", "ACME"),
    ("COMPANY_ICON_URL", "https://acme.example/icon.svg"),
    ("COMPANY_LOGO_URL", "https://acme.example/logo.svg"),
    ("COMPANY_TERMS_URL", "https://acme.example/terms"),
    ("CONSENT_PURPOSE", "Advice"),
    ("STALE_IN_DAYS", "365"),
    ("ATTEMPTS", "30"),
    ("LONGEST_RETRY_S", "900"),
    // Beyond Belvo's limit, so that the work is measured and not the waiting.
    ("BELVO_CALLS_PER_30_S", "1000000"),
    ("REQUEST_DUE_S", "1800"),
    ("REQUEST_EXPIRES_S", "86400"),
    ("SCRUB_DAYS", "7"),
    ("UNKNOWN_LINKS", "collect"),
    ("CHANGES_DAYS", "90"),
    ("WEBHOOK_RETENTION_DAYS", "90"),
    ("REQUEST_RETENTION_DAYS", "90"),
    ("EVENT_BUS_NAME", "bench"),
    ("LOG_LEVEL", "INFO"),
    ("POWERTOOLS_SERVICE_NAME", "bench"),
];
