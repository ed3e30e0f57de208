//! Opaque cursors: where a listing continues.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{NO_DATE, Timestamp, parse_date};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use thiserror::Error;

/// A place in a listing, written in base64 to discourage callers from building their own. It holds
/// a day or an instant and an id, never the link: that comes from the path, so a cursor of one link
/// reads nothing of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor(String);

/// A cursor that none of our answers contained.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be a next_cursor of an earlier answer")]
pub struct CursorError;

impl TryFrom<String> for Cursor {
    type Error = CursorError;

    fn try_from(text: String) -> Result<Self, CursorError> {
        Self::parse(&text)
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.encode()
    }
}

/// Where a reader goes on, as text to give to the reader.
#[must_use]
pub fn opaque(place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(json!(place).to_string())
}

/// Reads what [`opaque`] has written.
pub fn read_opaque<T: DeserializeOwned>(text: &str) -> Result<T, CursorError> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
    serde_json::from_slice(&json).map_err(|_| CursorError)
}

impl Cursor {
    pub(super) fn at(order: &str, id: &str) -> Self {
        Self(format!("{order}#{id}"))
    }

    /// Reads a cursor from a query parameter.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let place = String::from_utf8(bytes).map_err(|_| CursorError)?;
        let whole = place
            .split_once('#')
            .is_some_and(|(order, id)| !order.is_empty() && !id.is_empty());
        let plain = place.len() <= 256 && place.chars().all(|c| c.is_ascii_graphic());
        if whole && plain {
            Ok(Self(place))
        } else {
            Err(CursorError)
        }
    }

    /// The text to give to a caller.
    #[must_use]
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }

    /// Whether the place lies between two days, where given, so that a listing of them could have
    /// reached it.
    #[must_use]
    pub fn is_within(&self, from: Option<&str>, to: Option<&str>) -> bool {
        let (day, _) = self.parts();
        from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to)
    }

    /// The cursor, if it is of this kind of listing.
    pub fn of(self, is_of_this_kind: fn(&Self) -> bool) -> Result<Self, CursorError> {
        Some(self).filter(is_of_this_kind).ok_or(CursorError)
    }

    /// Whether this is a cursor of a listing by day.
    #[must_use]
    pub fn is_of_a_day(&self) -> bool {
        let (day, _) = self.parts();
        day == NO_DATE || parse_date(day).is_some()
    }

    /// Whether this is a cursor of a listing by time.
    #[must_use]
    pub fn is_of_an_instant(&self) -> bool {
        Timestamp::parse(self.parts().0).is_some()
    }

    /// Whether this is a cursor of the history of a row, or of an account.
    #[must_use]
    pub fn is_about(&self, id: &str) -> bool {
        self.parts().1 == id
    }

    /// What the listing is ordered by, and the id within it.
    pub(super) fn parts(&self) -> (&str, &str) {
        self.0.split_once('#').unwrap_or((&self.0, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        let cursor = Cursor::at("2026-03-01", "0d3ffb69");
        assert_eq!(Cursor::parse(&cursor.encode()), Ok(cursor.clone()));
        assert_eq!(cursor.parts(), ("2026-03-01", "0d3ffb69"));
    }

    #[test]
    fn a_cursor_belongs_to_listings_that_reach_its_place() {
        let cursor = Cursor::at("2026-03-01", "id");
        assert!(
            cursor.is_within(None, None)
                && cursor.is_within(Some("2026-03-01"), Some("2026-03-01"))
        );
        assert!(
            !cursor.is_within(Some("2026-03-02"), None)
                && !cursor.is_within(None, Some("2026-02-28"))
        );
    }

    #[test]
    fn a_cursor_is_of_a_day_or_of_an_instant() {
        let kind = |order: &str| {
            let cursor = Cursor::at(order, "id");
            (cursor.is_of_a_day(), cursor.is_of_an_instant())
        };
        assert_eq!(kind("2026-03-01"), (true, false));
        assert_eq!(kind(NO_DATE), (true, false));
        assert_eq!(kind("2026-03-01T00:00:00.000Z"), (false, true));
        assert_eq!(kind("2026-13-99"), (false, false));
    }

    #[test]
    fn anything_but_a_cursor_is_refused() {
        for text in ["", "!", "bm8taGFzaA", "MjAyNi0wMy0wMSM", "I2lk"] {
            assert_eq!(Cursor::parse(text), Err(CursorError), "{text}");
        }
    }
}
