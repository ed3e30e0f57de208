//! The resources that can be retrieved asynchronously, as Belvo's OpenAPI describes them for Brazil
//! and Mexico.

/// One resource. To add another, add a line to [`RESOURCES`] and a generator of its rows.
pub(crate) struct Resource {
    /// The name in the control API.
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    /// Documented for transactions, invoices and employment records. The others are a guess: the
    /// name that `fetch_resources` uses.
    pub(crate) webhook_type: &'static str,
    /// The field whose day the listing filters by.
    pub(crate) date_field: Option<&'static str>,
    /// Fields that the body of a POST must have.
    pub(crate) required: &'static [&'static str],
    /// Whether a retrieval may ask for a one-time password, and be resumed by a PATCH.
    pub(crate) has_sessions: bool,
    /// How many days the first requested one may be before the last, if Belvo limits them.
    pub(crate) longest_days: Option<i64>,
    /// Whether a row belongs to an account, and whether retrievals count against monthly limits.
    pub(crate) is_banking: bool,
}

/// The filters, beside those by day, that need no look into a row.
const FAST: [&str; 8] = [
    "link",
    "link__in",
    "account",
    "account__in",
    "status",
    "status__in",
    "type",
    "type__in",
];

/// All resources, transactions first.
pub(crate) static RESOURCES: [Resource; 5] = [
    Resource {
        name: "transactions",
        path: "/api/transactions/",
        webhook_type: "TRANSACTIONS",
        date_field: Some("value_date"),
        required: &["link", "date_from", "date_to"],
        has_sessions: true,
        longest_days: Some(365),
        is_banking: true,
    },
    Resource {
        name: "invoices",
        path: "/api/invoices/",
        webhook_type: "INVOICES",
        date_field: Some("invoice_date"),
        required: &["link", "date_from", "date_to", "type"],
        has_sessions: true,
        longest_days: Some(365),
        is_banking: false,
    },
    Resource {
        name: "employments",
        path: "/api/br/employments/",
        webhook_type: "EMPLOYMENTS",
        date_field: Some("start_date"),
        required: &["link"],
        has_sessions: false,
        longest_days: None,
        is_banking: false,
    },
    Resource {
        name: "employment-records",
        path: "/api/employment-records/",
        webhook_type: "EMPLOYMENT_RECORDS",
        date_field: None,
        required: &["link"],
        has_sessions: false,
        longest_days: None,
        is_banking: false,
    },
    Resource {
        name: "financial-statements",
        path: "/api/financial-statements/",
        webhook_type: "FINANCIAL_STATEMENTS",
        date_field: None,
        required: &["link"],
        has_sessions: false,
        longest_days: None,
        is_banking: false,
    },
];

impl Resource {
    /// Transactions of Brazilian accounts.
    pub(crate) fn transactions() -> &'static Self {
        &RESOURCES[0]
    }

    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| resource.name == name)
    }

    /// The resource whose listing, or one of whose rows, is at this path.
    pub(crate) fn at(path: &str) -> Option<&'static Self> {
        let mut resources = RESOURCES.iter();
        resources.find(|resource| path.starts_with(resource.path))
    }

    /// Whether this is the path of a listing and not of a single row.
    pub(crate) fn is_listing(path: &str) -> bool {
        RESOURCES.iter().any(|resource| resource.path == path)
    }

    /// Whether the fields beside a row's text answer this filter.
    pub(crate) fn filters_by(&self, name: &str) -> bool {
        FAST.contains(&name) || self.date_parameters().iter().any(|known| known == name)
    }

    /// The filters by date.
    pub(crate) fn date_parameters(&self) -> Vec<String> {
        let comparisons = ["", "__gt", "__gte", "__lt", "__lte", "__range"];
        self.date_field
            .iter()
            .flat_map(|field| comparisons.map(|comparison| format!("{field}{comparison}")))
            .collect()
    }
}
