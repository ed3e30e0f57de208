//! What the widget of tests shows.

use shared::belvo::{Branding, WidgetSettings};

/// What the widget shows and asks for, of a company that does not exist.
#[must_use]
pub fn widget_settings() -> WidgetSettings {
    let address = |page: &str| format!("https://acme.example/{page}");
    WidgetSettings {
        branding: Branding {
            company_icon: address("icon.svg"),
            company_logo: address("logo.svg"),
            company_name: "ACME".to_owned(),
            company_terms_url: address("terms"),
        },
        stale_in_days: 365,
        purpose: "Advice".to_owned(),
    }
}
