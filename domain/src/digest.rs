//! A digest of a document's text, by which an unchanged row is recognised without reading it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The version of the rule that makes the digest. A new rule gets a new byte, so that every stored
/// row is then compared once.
const VERSION: u8 = 3;

/// The first 96 bits of a SHA-256 over the version of the rule and the text. They only have to tell
/// apart what one link has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest([u8; 12]);

impl Digest {
    /// The digest of no document, as far as anybody will ever see.
    pub const NONE: Self = Self([0; 12]);

    #[must_use]
    pub fn of(text: &str) -> Self {
        let hash = Sha256::new_with_prefix([VERSION]).chain_update(text);
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&hash.finalize()[..12]);
        Self(bytes)
    }

    /// Reads a stored digest.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The stored form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_text_never_changes() {
        let digests = [r#"{"amount": 10.00}"#, r#"{"amount": 10.0}"#].map(Digest::of);
        let digests = digests.map(|digest| hex::encode(digest.as_bytes()));
        assert_eq!(
            digests,
            ["4c0033ae172e540efef1f77c", "99db5eb4aabad3dbe88d6b69"]
        );
    }

    #[test]
    fn a_stored_digest_is_read_back() {
        let digest = Digest::of("{}");
        assert_eq!(Digest::from_bytes(digest.as_bytes()), Some(digest));
        assert_eq!(Digest::from_bytes(b"short"), None);
    }
}
