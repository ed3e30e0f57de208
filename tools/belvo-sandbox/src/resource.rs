//! The resources whose POST takes the asynchronous header, as Belvo's OpenAPI describes them for
//! Brazil and Mexico.

/// One of them. A line in [`RESOURCES`] and a generator of its rows make another.
pub(crate) struct Resource {
    /// What the control API calls it.
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    /// Documented for transactions, invoices and employment records; otherwise a guess: what
    /// `fetch_resources` calls it.
    pub(crate) webhook_type: &'static str,
    /// The field whose day the listing filters by.
    pub(crate) date_field: Option<&'static str>,
    /// Further filters of the listing.
    pub(crate) filters: &'static [&'static str],
    /// What the body of the POST must have.
    pub(crate) required: &'static [&'static str],
    /// Whether rows carry their account, and the monthly limits count its retrievals.
    pub(crate) is_banking: bool,
}

/// All of them, the transactions first.
pub(crate) static RESOURCES: [Resource; 5] = [
    Resource {
        name: "transactions",
        path: "/api/transactions/",
        webhook_type: "TRANSACTIONS",
        date_field: Some("value_date"),
        filters: &[
            "account",
            "account__in",
            "status",
            "status__in",
            "type",
            "type__in",
        ],
        required: &["link", "date_from", "date_to"],
        is_banking: true,
    },
    Resource {
        name: "invoices",
        path: "/api/invoices/",
        webhook_type: "INVOICES",
        date_field: Some("invoice_date"),
        filters: &["status", "status__in", "type", "type__in"],
        required: &["link", "date_from", "date_to", "type"],
        is_banking: false,
    },
    Resource {
        name: "employments",
        path: "/api/br/employments/",
        webhook_type: "EMPLOYMENTS",
        date_field: Some("start_date"),
        filters: &[],
        required: &["link"],
        is_banking: false,
    },
    Resource {
        name: "employment-records",
        path: "/api/employment-records/",
        webhook_type: "EMPLOYMENT_RECORDS",
        date_field: None,
        filters: &[],
        required: &["link"],
        is_banking: false,
    },
    Resource {
        name: "financial-statements",
        path: "/api/financial-statements/",
        webhook_type: "FINANCIAL_STATEMENTS",
        date_field: None,
        filters: &[],
        required: &["link"],
        is_banking: false,
    },
];

impl Resource {
    /// Brazilian bank movements.
    pub(crate) fn transactions() -> &'static Self {
        &RESOURCES[0]
    }

    /// The resource with this name.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| resource.name == name)
    }

    /// The resource whose listing, or one of whose rows, is at this path.
    pub(crate) fn at(path: &str) -> Option<&'static Self> {
        RESOURCES
            .iter()
            .find(|resource| path.starts_with(resource.path))
    }

    /// Every filter of the listing, those by date included.
    pub(crate) fn parameters(&self) -> Vec<String> {
        let own = ["link"]
            .iter()
            .chain(self.filters)
            .map(|name| (*name).to_owned());
        own.chain(self.date_parameters()).collect()
    }

    /// The filters by date.
    pub(crate) fn date_parameters(&self) -> Vec<String> {
        let sides = ["", "__gt", "__gte", "__lt", "__lte", "__range"];
        self.date_field
            .iter()
            .flat_map(|field| sides.map(|side| format!("{field}{side}")))
            .collect()
    }
}
