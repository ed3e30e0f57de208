//! Rows as Belvo sends them, in the text of their page. One pass over a page finds where each row
//! is and where the fields are that are needed first; nothing is copied.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use thiserror::Error;

/// A row as Belvo sent it: its JSON text, and that of some of its fields.
#[derive(Clone, Copy)]
pub struct SentRow<'a> {
    pub(crate) text: &'a str,
    pub(crate) fields: FirstFields<&'a str>,
}

/// The fields of a row that are needed before the rest is read.
#[derive(Clone, Copy)]
pub(crate) struct FirstFields<T> {
    pub(crate) id: Option<T>,
    pub(crate) account: Option<T>,
    pub(crate) collected_at: Option<T>,
}

/// A row that cannot be stored. Belvo promises only `id`; everything else may be null (Belvo's
/// OpenAPI, "required and nullable fields").
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowError {
    /// The row is not a JSON object, or one of its names is not Unicode. The parser's message is
    /// left out, because it quotes the row.
    #[error("a row cannot be read")]
    Unreadable,
    /// The row has no usable `id`.
    #[error("a row has no usable id")]
    NoId,
}

/// One page of a listing.
pub struct SentPage {
    /// How many rows the whole listing holds, by Belvo's count.
    pub count: u64,
    /// The address of the next page.
    pub next: Option<String>,
    pub rows: SentRows,
}

/// The rows of a page, in the order in which they were sent.
pub struct SentRows {
    page: String,
    places: Vec<RowPlace>,
}

/// The JSON of a page, its rows read in one of two ways.
#[derive(Deserialize)]
struct PageBody<R> {
    count: u64,
    next: Option<String>,
    results: Vec<R>,
}

/// Where a part of a page is in it, in bytes.
#[derive(Clone, Copy)]
struct Place {
    start: u32,
    end: u32,
}

/// Where a row is in its page.
struct RowPlace {
    row: Place,
    /// `None` if its fields are still to be found.
    fields: Option<FirstFields<Place>>,
}

impl<T> FirstFields<T> {
    const NONE: Self = Self {
        id: None,
        account: None,
        collected_at: None,
    };

    fn map<U>(self, with: impl Fn(T) -> U) -> FirstFields<U> {
        FirstFields {
            id: self.id.map(&with),
            account: self.account.map(&with),
            collected_at: self.collected_at.map(&with),
        }
    }
}

impl<'a> SentRow<'a> {
    /// Finds the fields of a row, however their names are spelled.
    pub fn of(text: &'a str) -> Result<Self, RowError> {
        let found: FirstFields<&RawValue> =
            serde_json::from_str(text).map_err(|_| RowError::Unreadable)?;
        Ok(Self {
            text,
            fields: found.map(RawValue::get),
        })
    }
}

impl SentPage {
    /// Reads a page. Its rows may be anything: an odd one takes another pass over each of them.
    pub fn parse(text: String) -> serde_json::Result<Self> {
        if u32::try_from(text.len()).is_err() {
            return Err(serde_json::Error::custom("longer than any page"));
        }
        let ordinary = serde_json::from_str::<PageBody<OrdinaryRow<'_>>>(&text);
        let page = if let Ok(page) = ordinary {
            page.map(|row| RowPlace::of_ordinary(&row, &text))
        } else {
            // Some row is not ordinary, or this is no page.
            let page: PageBody<&RawValue> = serde_json::from_str(&text)?;
            page.map(|row| RowPlace::unread(Place::of(row, &text)))
        };
        Ok(Self {
            count: page.count,
            next: page.next,
            rows: SentRows {
                page: text,
                places: page.results,
            },
        })
    }
}

impl<R> PageBody<R> {
    fn map(self, place: impl Fn(R) -> RowPlace) -> PageBody<RowPlace> {
        PageBody {
            count: self.count,
            next: self.next,
            results: self.results.into_iter().map(place).collect(),
        }
    }
}

impl SentRows {
    /// One row that was sent by itself, shorter than any page.
    #[must_use]
    pub fn one(text: String) -> Self {
        let place = Place::from(0..text.len());
        Self {
            page: text,
            places: vec![RowPlace::unread(place)],
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The JSON text of each row.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| self.text(place.row))
    }

    /// Each row; an error for one that is no JSON object, or of which a name is not Unicode.
    pub fn iter(&self) -> impl Iterator<Item = Result<SentRow<'_>, RowError>> {
        self.places.iter().map(|place| {
            let text = self.text(place.row);
            let Some(fields) = place.fields else {
                return SentRow::of(text);
            };
            Ok(SentRow {
                text,
                fields: fields.map(|field| self.text(field)),
            })
        })
    }

    fn text(&self, Place { start, end }: Place) -> &str {
        &self.page[start as usize..end as usize]
    }
}

/// Shows how many rows there are only: they are a person's.
impl fmt::Debug for SentRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentRows")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Place {
    fn of(part: &RawValue, page: &str) -> Self {
        let start = part.get().as_ptr().addr() - page.as_ptr().addr();
        Self::from(start..start + part.get().len())
    }

    /// Of an object, given the start of its first name and the end of its last value: between them
    /// and its braces, JSON allows white space only.
    fn around(first: Self, last: Self, page: &str) -> Self {
        let (before, after) = (&page[..first.start as usize], &page[last.end as usize..]);
        let opening = before.len() - before.trim_ascii_end().len() + 1;
        let closing = after.len() - after.trim_ascii_start().len() + 1;
        Self::from(before.len() - opening..last.end as usize + closing)
    }
}

impl From<Range<usize>> for Place {
    #[expect(clippy::cast_possible_truncation, reason = "no page is that long")]
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start as u32,
            end: range.end as u32,
        }
    }
}

impl RowPlace {
    fn unread(row: Place) -> Self {
        Self { row, fields: None }
    }

    fn of_ordinary(row: &OrdinaryRow<'_>, page: &str) -> Self {
        let place = |field: &RawValue| Place::of(field, page);
        Self {
            row: Place::around(place(row.first_name), place(row.last_value), page),
            fields: Some(row.fields.map(place)),
        }
    }
}

/// A row of a page that is an object and has fields, without escapes in their names: the only ones
/// that Belvo is known to send.
struct OrdinaryRow<'a> {
    first_name: &'a RawValue,
    last_value: &'a RawValue,
    fields: FirstFields<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for OrdinaryRow<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OrdinaryVisitor)
    }
}

struct OrdinaryVisitor;

impl<'de> Visitor<'de> for OrdinaryVisitor {
    type Value = OrdinaryRow<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an ordinary row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut found = FirstFields::NONE;
        let mut ends = None;
        while let Some((name, value)) = fields.next_entry::<&RawValue, &RawValue>()? {
            match name.get() {
                r#""id""# => found.id = Some(value),
                r#""account""# => found.account = Some(value),
                r#""collected_at""# => found.collected_at = Some(value),
                name if name.contains('\\') => return Err(A::Error::custom("an escape")),
                _ => {}
            }
            let (first_name, _) = ends.unwrap_or((name, value));
            ends = Some((first_name, value));
        }
        let (first_name, last_value) = ends.ok_or_else(|| A::Error::custom("no fields"))?;
        Ok(OrdinaryRow {
            first_name,
            last_value,
            fields: found,
        })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum KnownName {
    Id,
    Account,
    CollectedAt,
    #[serde(other)]
    Other,
}

/// Of any row.
impl<'de: 'a, 'a> Deserialize<'de> for FirstFields<&'a RawValue> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = FirstFields<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut found = FirstFields::NONE;
        while let Some(name) = fields.next_key()? {
            match name {
                KnownName::Id => found.id = Some(fields.next_value()?),
                KnownName::Account => found.account = Some(fields.next_value()?),
                KnownName::CollectedAt => found.collected_at = Some(fields.next_value()?),
                KnownName::Other => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn page(rows: &str) -> serde_json::Result<SentPage> {
        SentPage::parse(format!(
            r#"{{"count": 7, "next": "https://belvo.test/?page=2", "results": {rows}, "x": 1}}"#
        ))
    }

    /// The texts of each row's parts, as one pass over the page finds them.
    fn found(rows: &str) -> Vec<[String; 4]> {
        let page = page(rows).unwrap();
        assert!(page.rows.places.iter().all(|place| place.fields.is_some()));
        page.rows.iter().map(|sent| parts(sent.unwrap())).collect()
    }

    /// The same, by a pass of its own over each row.
    fn found_apart(rows: &str) -> Vec<[String; 4]> {
        let rows: Vec<&RawValue> = serde_json::from_str(rows).unwrap();
        let rows = rows.into_iter().map(RawValue::get);
        rows.map(|row| parts(SentRow::of(row).unwrap())).collect()
    }

    fn parts(row: SentRow<'_>) -> [String; 4] {
        let field = |field: Option<&str>| field.unwrap_or("none").to_owned();
        let [id, account, at] =
            [row.fields.id, row.fields.account, row.fields.collected_at].map(field);
        [row.text.to_owned(), id, account, at]
    }

    #[test]
    fn one_pass_finds_what_a_pass_over_each_row_finds() {
        let rows = "[ {\t\"id\" : \"a}{\" , \"n\":{\"id\": {\"}\":1}} }\n,\
                    {\"account\":{\"id\":\"b\"},\"x\":[{}],\"id\":7,\"id\":\"é\"},\
                    {\"z\":\"\\\"}\"  }]";
        let rows = (found(rows), found_apart(rows));
        assert_eq!(rows.0, rows.1);
        assert_eq!(
            rows.0[0][0],
            "{\t\"id\" : \"a}{\" , \"n\":{\"id\": {\"}\":1}} }"
        );
        assert_eq!(rows.0[1][1..], ["\"é\"", r#"{"id":"b"}"#, "none"]);
        assert_eq!(rows.0[2][0], r#"{"z":"\"}"  }"#);
    }

    /// Any JSON, with the names and the characters that matter here.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            r#"[a"\\{}\[\],: é]{0,8}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            let name = prop_oneof!["id", "account", "collected_at", r"[a{} é]{0,4}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name, inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_page_has_the_same_rows_in_one_pass_as_in_two(
            rows in prop::collection::vec(any_value(), 0..6),
            is_pretty: bool,
        ) {
            let rows: Vec<_> = rows.into_iter().filter(|row| !row["id"].is_null()).collect();
            let text = if is_pretty {
                serde_json::to_string_pretty(&rows).unwrap()
            } else {
                serde_json::to_string(&rows).unwrap()
            };
            prop_assert_eq!(found(&text), found_apart(&text));
        }

        #[test]
        fn whatever_a_page_has_each_value_of_it_is_a_row(
            rows in prop::collection::vec(any_value(), 0..6),
        ) {
            let page = page(&json!(rows).to_string()).unwrap();
            let read: Vec<Value> =
                page.rows.texts().map(|text| serde_json::from_str(text).unwrap()).collect();
            prop_assert_eq!(&read, &rows);
            let readable: Vec<_> = page.rows.iter().map(|row| row.is_ok()).collect();
            let objects: Vec<_> = rows.iter().map(Value::is_object).collect();
            prop_assert_eq!(readable, objects);
        }
    }

    #[test]
    fn one_odd_row_leaves_the_others_of_its_page_readable() {
        let page = page(r#"[{"id": "a"}, 7, {"\ud800": 1}, {}, {"\u0069d": "b"}]"#).unwrap();
        let ids: Vec<_> = page
            .rows
            .iter()
            .map(|row| row.map(|row| row.fields.id))
            .collect();
        let odd = Err(RowError::Unreadable);
        let a_and_b = [Ok(Some(r#""a""#)), Ok(Some(r#""b""#))];
        assert_eq!(
            ids,
            [
                a_and_b[0].clone(),
                odd.clone(),
                odd,
                Ok(None),
                a_and_b[1].clone()
            ]
        );
        assert_eq!(page.count, 7);
        assert_eq!(page.next.as_deref(), Some("https://belvo.test/?page=2"));
    }

    #[test]
    fn a_name_may_be_written_with_escapes() {
        let page = page(r#"[{"\u0069d": "b"}]"#).unwrap();
        let ids = page.rows.iter().map(|row| row.unwrap().fields.id);
        assert_eq!(ids.collect::<Vec<_>>(), [Some(r#""b""#)]);
    }

    #[test]
    fn a_body_that_is_no_page_is_an_error() {
        for rows in ["{}", "null", "[{]", r#"[{"id": "a"}"#] {
            assert!(page(rows).is_err(), "{rows}");
        }
        assert!(SentPage::parse("[]".to_owned()).is_err());
    }

    #[test]
    fn rows_are_counted_and_not_shown() {
        let row = json!({"id": "a", "description": "Maria Plantada"}).to_string();
        let rows = SentRows::one(row.clone());
        assert_eq!(rows.texts().collect::<Vec<_>>(), [row]);
        assert_eq!(format!("{rows:?}"), "SentRows { len: 1, .. }");
        let counts = ["[]", "[{}, {}]"].map(|rows| page(rows).unwrap().rows);
        assert_eq!(counts.each_ref().map(SentRows::len), [0, 2]);
        assert_eq!(counts.each_ref().map(SentRows::is_empty), [true, false]);
    }
}
