//! Generated data: links, accounts and rows that come from a seed alone. The clock is read nowhere
//! in here; the dates follow from the `today` a link is made with.

mod accounts;
mod dice;
mod employment;
mod fiscal;
mod loan;
mod transactions;
mod vocabulary;

use serde_json::{Value, json};
use time::Date;

use self::{accounts::Owner, dice::Dice};
use crate::resource::Resource;

pub(crate) use self::{accounts::Account, dice::days_after};

/// What a link is made of.
pub(crate) struct LinkSpec {
    pub(crate) seed: u64,
    /// How many links this seed has made before.
    pub(crate) sequence: u64,
    pub(crate) recurrent: bool,
    pub(crate) external_id: Option<String>,
    pub(crate) institution: String,
    pub(crate) today: Date,
    /// Length of the window that ends with `today`.
    pub(crate) days: u32,
    pub(crate) with_loan: bool,
}

/// Makes the rows of one link, one after the other.
pub(crate) struct Generator {
    dice: Dice,
    pub(crate) today: Date,
    days: u32,
}

impl Generator {
    /// The link object, its accounts, and the generator of its rows.
    pub(crate) fn new(spec: &LinkSpec) -> (Value, Vec<Account>, Self) {
        let mut dice = Dice::new(spec.seed, spec.sequence);
        let id = dice.uuid();
        let link = json!({
            "id": id,
            "institution": spec.institution,
            "access_mode": if spec.recurrent { "recurrent" } else { "single" },
            "last_accessed_at": dice.timestamp(spec.today),
            "created_at": dice.timestamp(spec.today),
            "external_id": spec.external_id,
            "institution_user_id": format!("{}=", dice.identification(43)),
            "status": "valid",
            "created_by": dice.uuid(),
            "refresh_rate": if spec.recurrent { Some("7d") } else { None },
            "credentials_storage": if spec.recurrent { "store" } else { "365d" },
            "fetch_resources": ["ACCOUNTS", "TRANSACTIONS"],
            "stale_in": "365d",
        });
        let owner = Owner {
            link: &id,
            institution: &spec.institution,
            today: spec.today,
        };
        let accounts = accounts::accounts(&mut dice, &owner, spec.with_loan);
        (
            link,
            accounts,
            Self {
                dice,
                today: spec.today,
                days: spec.days.max(1),
            },
        )
    }

    /// A new id of Belvo's.
    pub(crate) fn id(&mut self) -> String {
        self.dice.uuid()
    }

    /// A row of a resource on `date`, or on any day of the window.
    pub(crate) fn row(
        &mut self,
        resource: &Resource,
        owner: &str,
        accounts: &[Account],
        date: Option<Date>,
    ) -> Value {
        let date =
            date.unwrap_or_else(|| days_after(self.today, -i64::from(self.dice.below(self.days))));
        let (dice, today) = (&mut self.dice, self.today);
        match resource.name {
            "invoices" => fiscal::invoice(dice, owner, date, today),
            "financial-statements" => fiscal::statement(dice, owner, today),
            "employments" => employment::employment(dice, owner, date, today),
            "employment-records" => employment::record(dice, owner, date, today),
            _ => transactions::transaction(dice, accounts, date, today),
        }
    }
}
