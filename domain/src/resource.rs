//! What can be retrieved asynchronously: the POSTs for Brazil and Mexico on which Belvo accepts the
//! header `X-Belvo-Request-Mode` (Belvo's OpenAPI), and whose GET is a listing of the same shape.
//! Another resource is an entry in [`RESOURCES`] (docs/decisions/0013).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{Days, Window};

/// A Belvo resource that answers an asynchronous POST with a webhook and is then read by GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    name: &'static str,
    path: &'static str,
    webhook_type: &'static str,
    date_field: Option<&'static str>,
    dates: Dates,
    longest_days: Option<u16>,
    features: &'static [Feature],
}

/// What a resource has that others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feature {
    /// The POST takes, and needs, a `type`.
    Type,
    /// Rows carry the account that they belong to.
    Accounts,
    /// Retrievals are limited by customer and month.
    Metered,
    /// The meaning of the totals in webhooks is documented.
    Totals,
    /// A row may carry whole documents, such as an invoice its XML.
    LargeRows,
}

/// What the POST takes as `date_from` and `date_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// Both, and the GET of these days returns what the POST asked for.
    Required,
    /// Both or neither. Belvo does not say which date of a row they then filter by.
    Optional,
    /// Neither.
    None,
}

/// Whose documents a retrieval asks for: received or sent (`EnumInvoiceType` in Belvo's OpenAPI).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Direction {
    /// Received.
    Inflow,
    /// Sent.
    Outflow,
}

/// What Belvo retrieves at once ("one year (365 days)": the invoices of its OpenAPI; "up to 365
/// days": the transactions of its page on retrieval limits).
const A_YEAR: u16 = 365;

/// Every resource the pipeline retrieves. `date_field` is what the GET filters days by, and what
/// rows are listed by.
pub const RESOURCES: &[Resource] = &[
    Resource {
        name: "transactions",
        path: "api/transactions/",
        webhook_type: "TRANSACTIONS",
        date_field: Some("value_date"),
        dates: Dates::Required,
        longest_days: Some(A_YEAR),
        features: &[Feature::Accounts, Feature::Metered, Feature::Totals],
    },
    // Mexico. The webhook type is documented.
    Resource {
        name: "invoices",
        path: "api/invoices/",
        webhook_type: "INVOICES",
        date_field: Some("invoice_date"),
        dates: Dates::Required,
        longest_days: Some(A_YEAR),
        features: &[Feature::Type, Feature::LargeRows],
    },
    // Brazil. The webhook type is a guess: what `fetch_resources` calls it.
    Resource {
        name: "employments",
        path: "api/br/employments/",
        webhook_type: "EMPLOYMENTS",
        date_field: Some("start_date"),
        dates: Dates::Optional,
        longest_days: None,
        features: &[],
    },
    // Mexico. The webhook type is documented.
    Resource {
        name: "employment-records",
        path: "api/employment-records/",
        webhook_type: "EMPLOYMENT_RECORDS",
        date_field: None,
        dates: Dates::None,
        longest_days: None,
        features: &[],
    },
    // Mexico. The webhook type is a guess: what `fetch_resources` calls it.
    Resource {
        name: "financial-statements",
        path: "api/financial-statements/",
        webhook_type: "FINANCIAL_STATEMENTS",
        date_field: None,
        dates: Dates::None,
        longest_days: None,
        features: &[Feature::LargeRows],
    },
];

impl Resource {
    /// The resource of Brazilian bank transactions, and the one meant when a request names none.
    pub const TRANSACTIONS: Self = RESOURCES[0];

    /// Looks a resource up by the name used in requests, such as `transactions`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        RESOURCES
            .iter()
            .copied()
            .find(|resource| resource.name == name)
    }

    /// Looks a resource up by the `webhook_type` that announces it, such as `TRANSACTIONS`.
    #[must_use]
    pub fn by_webhook_type(webhook_type: &str) -> Option<Self> {
        RESOURCES
            .iter()
            .copied()
            .find(|resource| resource.webhook_type == webhook_type)
    }

    /// Every name, to answer a request for an unknown one.
    #[must_use]
    pub fn names() -> String {
        RESOURCES
            .iter()
            .map(|resource| format!("`{}`", resource.name))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// How many days `date_from` may be before `date_to`, if Belvo limits them.
    #[must_use]
    pub fn longest_days(self) -> Option<u16> {
        self.longest_days
    }

    /// The name used in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The `webhook_type` that announces it.
    #[must_use]
    pub fn webhook_type(self) -> &'static str {
        self.webhook_type
    }

    /// The path below Belvo's base URL, without a leading slash.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.path
    }

    /// The field whose day a row is listed under, and by which the GET filters days; none if the
    /// GET has no such filter.
    #[must_use]
    pub fn date_field(self) -> Option<&'static str> {
        self.date_field
    }

    /// What the POST takes as dates.
    #[must_use]
    pub fn dates(self) -> Dates {
        self.dates
    }

    /// Whether the POST takes, and needs, a `type`.
    #[must_use]
    pub fn has_type(self) -> bool {
        self.has(Feature::Type)
    }

    /// How many rows are read at once, from Belvo and from the store: a thousand, the most that
    /// Belvo serves (larger values become 1000, Belvo's OpenAPI), or few where rows may be large,
    /// because what is held in memory grows with them.
    #[must_use]
    pub fn rows_at_once(self) -> usize {
        if self.has(Feature::LargeRows) {
            50
        } else {
            1_000
        }
    }

    /// Whether its rows carry the account that they belong to.
    #[must_use]
    pub fn has_accounts(self) -> bool {
        self.has(Feature::Accounts)
    }

    /// Whether its retrievals are limited by customer and month.
    #[must_use]
    pub fn is_metered(self) -> bool {
        self.has(Feature::Metered)
    }

    /// Whether the meaning of the totals in its webhooks is documented.
    #[must_use]
    pub fn declares_totals(self) -> bool {
        self.has(Feature::Totals)
    }

    fn has(self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// The days to fetch for a retrieval: those it asked for if the GET is known to filter by the
    /// same date; otherwise all.
    #[must_use]
    pub fn days(self, requested: Option<Window>) -> Days {
        requested
            .filter(|_| self.dates == Dates::Required)
            .map_or(Days::ALL, Days::from)
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::by_name(&name).ok_or_else(|| D::Error::custom("no resource of this pipeline"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use time::macros::date;

    use super::*;

    #[test]
    fn a_resource_is_found_by_its_name_and_by_its_webhook() {
        assert_eq!(
            Resource::by_name("transactions"),
            Some(Resource::TRANSACTIONS)
        );
        assert_eq!(
            Resource::by_webhook_type("TRANSACTIONS"),
            Some(Resource::TRANSACTIONS)
        );
        assert_eq!(Resource::by_name("TRANSACTIONS"), None);
        assert_eq!(Resource::by_webhook_type("ACCOUNTS"), None);
        for resource in RESOURCES {
            assert_eq!(Resource::by_name(resource.name()), Some(*resource));
            assert_eq!(
                Resource::by_webhook_type(resource.webhook_type()),
                Some(*resource)
            );
        }
    }

    #[test]
    fn transactions_have_accounts_and_totals_and_a_limit_by_month() {
        let transactions = Resource::TRANSACTIONS;
        assert_eq!(transactions.path(), "api/transactions/");
        assert_eq!(transactions.webhook_type(), "TRANSACTIONS");
        assert_eq!(transactions.date_field(), Some("value_date"));
        assert_eq!(transactions.dates(), Dates::Required);
        assert_eq!(transactions.longest_days(), Some(365));
        assert_eq!(transactions.rows_at_once(), 1_000);
        assert!(transactions.has_accounts() && transactions.is_metered());
        assert!(transactions.declares_totals() && !transactions.has_type());
    }

    #[test]
    fn invoices_are_received_or_sent_and_so_large_that_few_are_read_at_once() {
        let invoices = Resource::by_name("invoices").unwrap();
        assert_eq!(invoices.date_field(), Some("invoice_date"));
        assert_eq!(invoices.rows_at_once(), 50);
        assert!(invoices.has_type() && !invoices.has_accounts());
        assert!(!invoices.is_metered() && !invoices.declares_totals());
    }

    #[test]
    fn employments_are_asked_for_with_days_or_without_and_however_many() {
        let employments = Resource::by_name("employments").unwrap();
        assert_eq!(employments.dates(), Dates::Optional);
        assert_eq!(employments.longest_days(), None);
        let records = Resource::by_name("employment-records").unwrap();
        assert_eq!((records.dates(), records.date_field()), (Dates::None, None));
    }

    #[test]
    fn who_asks_for_an_unknown_resource_is_told_every_name() {
        let expected = "`transactions`, `invoices`, `employments`, `employment-records`, \
                        `financial-statements`";
        assert_eq!(Resource::names(), expected);
    }

    #[test]
    fn a_resource_is_stored_by_its_name() {
        for resource in RESOURCES {
            let json = serde_json::to_string(resource).unwrap();
            assert_eq!(json, format!("\"{}\"", resource.name()));
            assert_eq!(serde_json::from_str::<Resource>(&json).unwrap(), *resource);
        }
        assert!(serde_json::from_str::<Resource>("\"loans\"").is_err());
    }

    #[test]
    fn no_two_resources_share_a_path() {
        let paths: HashSet<_> = RESOURCES.iter().map(|resource| resource.path()).collect();
        assert_eq!(paths.len(), RESOURCES.len());
    }

    #[test]
    fn only_days_that_the_listing_filters_by_narrow_a_fetch() {
        let window = Window::parse("2026-01-01", "2026-01-31", date!(2026 - 03 - 01)).unwrap();
        let days = |name| Resource::by_name(name).unwrap().days(Some(window));
        assert_eq!(
            (days("transactions"), days("invoices")),
            (window.into(), window.into())
        );
        assert_eq!(
            (days("employments"), Resource::TRANSACTIONS.days(None)),
            (Days::ALL, Days::ALL)
        );
    }
}
