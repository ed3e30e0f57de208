//! Why a link cannot be used, and what a person can do about it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Why a link cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub reason: BlockReason,
    pub since: Timestamp,
}

/// Why nothing is sent to Belvo for a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockReason {
    /// The bank no longer accepts the credentials.
    InvalidCredentials,
    /// The bank asks the user for a token.
    TokenRequired,
    /// The user never finished connecting.
    Unconfirmed,
    /// The user's consent has ended.
    ConsentExpired,
    /// Its deletion was requested.
    Deleting,
    /// Belvo no longer has it.
    Deleted,
}

impl BlockReason {
    /// The reason behind a code that Belvo sends in a webhook or an error. Belvo's pages disagree
    /// on the name of an ended consent. `login_error` is left out: institutions in trouble answer
    /// with it, too.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Some(match code {
            "invalid_credentials" | "invalid_link" | "expired_credentials" => {
                Self::InvalidCredentials
            }
            "token_required" => Self::TokenRequired,
            "unconfirmed_link" => Self::Unconfirmed,
            "consent_expired" | "openfinance_consent_expired" | "consent_without_accounts" => {
                Self::ConsentExpired
            }
            _ => return None,
        })
    }

    /// The reason behind Belvo's status of a link; an unknown status blocks nothing.
    pub(super) fn of_status(status: &str) -> Option<Self> {
        match status {
            "invalid" => Some(Self::InvalidCredentials),
            "token_required" => Some(Self::TokenRequired),
            "unconfirmed" => Some(Self::Unconfirmed),
            _ => None,
        }
    }

    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::InvalidCredentials | Self::TokenRequired => {
                "Let the user log in again: POST /connect/token with this link opens the widget in \
                 update mode."
            }
            Self::Unconfirmed => {
                "Let the user finish connecting, or connect again: POST /connect/token."
            }
            Self::ConsentExpired => {
                "Let the user renew the consent: POST /connect/token with this link, or a new link \
                 without it."
            }
            Self::Deleting | Self::Deleted => "Let the user connect again: POST /connect/token.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_needs_a_person_names_its_reason() {
        for (code, reason) in [
            ("invalid_credentials", BlockReason::InvalidCredentials),
            ("token_required", BlockReason::TokenRequired),
            ("unconfirmed_link", BlockReason::Unconfirmed),
            ("openfinance_consent_expired", BlockReason::ConsentExpired),
        ] {
            assert_eq!(BlockReason::of_code(code), Some(reason), "{code}");
        }
        assert_eq!(BlockReason::of_code("login_error"), None);
    }

    #[test]
    fn every_status_of_a_link_that_needs_a_person_names_its_reason() {
        for (status, reason) in [
            ("invalid", Some(BlockReason::InvalidCredentials)),
            ("token_required", Some(BlockReason::TokenRequired)),
            ("unconfirmed", Some(BlockReason::Unconfirmed)),
            ("valid", None),
        ] {
            assert_eq!(BlockReason::of_status(status), reason, "{status}");
        }
    }

    #[test]
    fn every_remedy_is_a_widget() {
        for reason in [
            BlockReason::InvalidCredentials,
            BlockReason::TokenRequired,
            BlockReason::Unconfirmed,
            BlockReason::ConsentExpired,
            BlockReason::Deleting,
            BlockReason::Deleted,
        ] {
            assert!(
                reason.remedy().contains("POST /connect/token"),
                "{reason:?}"
            );
        }
    }
}
