//! What keeps a link from being used, and what a person can do about it.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What keeps a link from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Why.
    pub reason: BlockReason,
    /// Since when.
    pub(crate) since: Timestamp,
}

/// Why nothing is sent to Belvo for a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockReason {
    /// The bank no longer takes the credentials.
    InvalidCredentials,
    /// The bank asks the user for a token.
    TokenRequired,
    /// The user never finished connecting.
    Unconfirmed,
    /// The user's consent has ended.
    ConsentExpired,
    /// Its deletion was asked for.
    Deleting,
    /// It is no longer there.
    Deleted,
}

impl BlockReason {
    /// What a code of Belvo's, in a webhook or in an error, says of a link. Belvo's pages disagree
    /// on the name of an ended consent. Not `login_error`: institutions in trouble answer so, too.
    pub(super) fn of_code(code: &str) -> Option<Self> {
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

    /// What Belvo's status of a link keeps from being done; an unknown one nothing.
    pub(super) fn of_status(status: &str) -> Option<Self> {
        match status {
            "invalid" => Some(Self::InvalidCredentials),
            "token_required" => Some(Self::TokenRequired),
            "unconfirmed" => Some(Self::Unconfirmed),
            _ => None,
        }
    }

    /// What a person can do about it.
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
