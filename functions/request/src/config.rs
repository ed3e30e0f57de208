//! The function's environment, which template.yaml sets.

use domain::Limits;
use shared::{
    belvo::{Branding, WidgetSettings},
    env::{EnvError, Environment},
};
use url::Url;

#[derive(Debug)]
pub struct Config {
    /// Root of Belvo's API.
    pub belvo_base_url: Url,
    /// Secret that holds Belvo's API keys.
    pub belvo_secret_arn: String,
    pub requests_table: String,
    pub queue_url: String,
    pub limits: Limits,
    /// Seconds after which a request is checked if no webhook has arrived.
    pub request_due_s: u32,
    /// Requests that all environments together send to Belvo in any 30 seconds.
    pub belvo_calls_per_30_s: u32,
    /// The hosted Connect Widget.
    pub widget_url: Url,
    /// What it shows and asks for.
    pub widget: WidgetSettings,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvError> {
        Self::read(&Environment::of_process())
    }

    fn read(environment: &Environment<'_>) -> Result<Self, EnvError> {
        Ok(Self {
            belvo_base_url: environment.origin("BELVO_BASE_URL")?,
            belvo_secret_arn: environment.text("BELVO_SECRET_ARN")?,
            requests_table: environment.text("REQUESTS_TABLE")?,
            queue_url: environment.text("QUEUE_URL")?,
            limits: environment.limits()?,
            request_due_s: environment.number("REQUEST_DUE_S")?,
            belvo_calls_per_30_s: environment.number("BELVO_CALLS_PER_30_S")?,
            widget_url: environment.url("WIDGET_URL")?,
            widget: widget(environment)?,
        })
    }
}

fn widget(environment: &Environment<'_>) -> Result<WidgetSettings, EnvError> {
    Ok(WidgetSettings {
        branding: Branding {
            company_icon: environment.text("COMPANY_ICON_URL")?,
            company_logo: environment.text("COMPANY_LOGO_URL")?,
            company_name: environment.text("COMPANY_NAME")?,
            company_terms_url: environment.text("COMPANY_TERMS_URL")?,
        },
        stale_in_days: environment.number("STALE_IN_DAYS")?,
        purpose: environment.text("CONSENT_PURPOSE")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &'static str) -> Option<String> {
        let value = match name {
            "BELVO_BASE_URL" => "https://sandbox.belvo.com",
            "WIDGET_URL" => "https://widget.belvo.io/",
            "REQUEST_DUE_S" => "1800",
            "BELVO_CALLS_PER_30_S" => "20",
            "LONG_RETRIEVALS_PER_MONTH" => "8",
            "SHORT_RETRIEVALS_PER_MONTH" => "240",
            "STALE_IN_DAYS" => "365",
            "BELVO_SECRET_ARN" | "REQUESTS_TABLE" | "QUEUE_URL" | "COMPANY_NAME"
            | "CONSENT_PURPOSE" | "COMPANY_ICON_URL" | "COMPANY_LOGO_URL" | "COMPANY_TERMS_URL" => {
                name
            }
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn the_environment_is_read() {
        let config = Config::read(&Environment::new(&variable)).unwrap();
        let limits = (config.limits.long, config.limits.short);
        assert_eq!((limits, config.request_due_s), ((8, 240), 1_800));
        assert_eq!(config.belvo_calls_per_30_s, 20);
        assert_eq!(config.requests_table, "REQUESTS_TABLE");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let without = |name| variable(name).filter(|_| name != "QUEUE_URL");
        let error = Config::read(&Environment::new(&without)).unwrap_err();
        assert_eq!(error, EnvError::Missing("QUEUE_URL"));
    }
}
