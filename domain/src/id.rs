//! Identifiers. Each is parsed once, where it enters, into the one spelling that keys and
//! comparisons use.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::Timestamp;

/// An identifier that Belvo would not have written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct IdError(&'static str);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The canonical spelling.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id! {
    /// A Belvo link: one user's connection to one institution. A UUID, in lower case with dashes.
    LinkId
}

id! {
    /// One retrieval at Belvo. A UUID is kept in lower case without dashes: the 202 answer prints
    /// 32 hexadecimal digits, the webhook prints the same id with dashes. Any other text is kept as
    /// Belvo writes it.
    RequestId
}

id! {
    /// A row of a resource, as Belvo identifies it. Kept as Belvo writes it.
    RowId
}

id! {
    /// A Belvo account, unique within Belvo. A UUID, in lower case with dashes.
    AccountId
}

id! {
    /// A webhook as it is archived: the SHA-256 of its bytes, by which every delivery of it is one.
    /// Of a webhook that names no request, the same bytes may be news again (docs/decisions/0003),
    /// so that its id also has the time of the delivery.
    WebhookId
}

impl LinkId {
    /// Accepts a UUID in any case, with or without dashes.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        hyphenated(text).map(Self)
    }
}

impl RequestId {
    /// Accepts a UUID, or up to 128 characters that a URL path carries unchanged (RFC 3986,
    /// "unreserved"): Belvo documents the id as a string.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if let Some(uuid) = uuid(text) {
            return Ok(Self(uuid.simple().to_string()));
        }
        let unreserved = text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c));
        if unreserved && (1..=128).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError(
                "must be 1 to 128 letters, digits, or any of - . _ ~",
            ))
        }
    }

    /// An id for a retrieval that got none from Belvo, because it answered with the data at once.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }
}

impl RowId {
    /// Accepts what fits into a sort key beside its prefix and date.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        if plain && (1..=128).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError(
                "must be 1 to 128 printable ASCII characters without spaces and without #",
            ))
        }
    }
}

impl AccountId {
    /// Accepts a UUID in any case, with or without dashes.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        hyphenated(text).map(Self)
    }

    /// What Belvo sent as an account's id, in our spelling if it is one.
    #[must_use]
    pub fn spelled(text: &str) -> String {
        hyphenated(text).unwrap_or_else(|_| text.to_owned())
    }
}

impl WebhookId {
    /// The id of a webhook that names a request, made of its SHA-256 in hexadecimal.
    #[must_use]
    pub fn of(sha_256: &str) -> Self {
        Self(sha_256.to_owned())
    }

    /// The id of one delivery of a webhook that names no request.
    #[must_use]
    pub fn at(sha_256: &str, received_at: Timestamp) -> Self {
        Self(format!("{sha_256}-{}", received_at.unix_millis()))
    }

    /// The SHA-256 in it.
    #[must_use]
    pub fn sha_256(&self) -> &str {
        let (digest, _) = self.0.split_once('-').unwrap_or((&self.0, ""));
        digest
    }

    /// Accepts what the API shows.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let (digest, millis) = text.split_once('-').unwrap_or((text, "0"));
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_digest = digest.len() == 64 && digest.bytes().all(is_hex);
        let is_time =
            (1..=16).contains(&millis.len()) && millis.bytes().all(|byte| byte.is_ascii_digit());
        if is_digest && is_time {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError("must be the id of an archived webhook"))
        }
    }
}

fn hyphenated(text: &str) -> Result<String, IdError> {
    uuid(text)
        .map(|uuid| uuid.hyphenated().to_string())
        .ok_or(IdError(
            "must be a UUID such as bcca0da9-a4c6-4830-9676-1d54682851d9",
        ))
}

/// A UUID with or without dashes. In braces or as a URN it would be longer: Belvo writes neither,
/// and docs/openapi.json has neither.
fn uuid(text: &str) -> Option<Uuid> {
    let is_plain = matches!(text.len(), 32 | 36);
    Uuid::parse_str(text).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_spellings_of_a_request_id_are_one_id() {
        let accepted = RequestId::parse("4363b08b51eb43509c745df5ac92a7f6").unwrap();
        let notified = RequestId::parse("4363B08B-51EB-4350-9C74-5DF5AC92A7F6").unwrap();
        assert_eq!(accepted, notified);
        assert_eq!(
            RequestId::parse("Not_a-UUID").unwrap().as_str(),
            "Not_a-UUID"
        );
    }

    #[test]
    fn the_id_of_a_link_or_an_account_is_spelled_one_way() {
        let (ours, theirs) = (
            "bcca0da9-a4c6-4830-9676-1d54682851d9",
            "BCCA0DA9A4C6483096761D54682851D9",
        );
        assert_eq!(LinkId::parse(theirs).unwrap().as_str(), ours);
        assert_eq!(AccountId::parse(theirs).unwrap().as_str(), ours);
    }

    #[test]
    fn a_uuid_in_braces_or_as_a_urn_is_no_id() {
        let ours = "bcca0da9-a4c6-4830-9676-1d54682851d9";
        let simple = ours.replace('-', "");
        for other in [
            format!("{{{ours}}}"),
            format!("{{{simple}}}"),
            format!("urn:uuid:{ours}"),
        ] {
            assert!(LinkId::parse(&other).is_err(), "{other}");
            assert!(AccountId::parse(&other).is_err(), "{other}");
            assert!(RequestId::parse(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_id_of_a_webhook_without_a_request_has_the_time_of_its_delivery() {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let at = Timestamp::parse("2026-03-01T12:00:00.125Z").unwrap();
        let (named, unnamed) = (WebhookId::of(digest), WebhookId::at(digest, at));
        assert_eq!(unnamed.as_str(), format!("{digest}-{}", at.unix_millis()));
        for id in [named, unnamed] {
            assert_eq!(id.sha_256(), digest);
            assert_eq!(WebhookId::parse(id.as_str()), Ok(id));
        }
        for wrong in [
            "",
            "9f86",
            &digest.to_uppercase(),
            &format!("{digest}-"),
            &format!("{digest}-1x"),
            &format!("{digest}#"),
        ] {
            assert!(WebhookId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_id_of_a_row_has_no_space_and_no_separator() {
        for wrong in ["a#b", "two words", "é", "a\n"] {
            assert!(RowId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_id_of_a_row_has_up_to_128_characters() {
        let longest = "x".repeat(128);
        assert_eq!(RowId::parse(&longest).unwrap().as_str(), longest);
    }

    #[test]
    fn ids_that_could_not_be_keys_are_refused() {
        assert!(LinkId::parse("../../admin").is_err());
        assert!(RequestId::parse("").is_err());
        assert!(RequestId::parse("../requests").is_err());
        assert!(RequestId::parse("a#b").is_err());
        assert!(RowId::parse("").is_err());
        assert!(RowId::parse(&"x".repeat(129)).is_err());
        assert!(AccountId::parse("two words").is_err());
        assert!(AccountId::parse("a1").is_err());
    }
}
