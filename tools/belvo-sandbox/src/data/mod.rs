//! Generated data: links, accounts and rows that follow from a seed alone. Nothing in here reads
//! the clock; all dates follow from the `today` that a link is created with. The order in which a
//! generator rolls its dice is part of the result: changing it changes the data of every seed.

pub(crate) mod accounts;
mod dice;
mod employment;
mod fiscal;
mod loan;
pub(crate) mod owner;
mod transactions;
mod vocabulary;

use serde_json::{Value, json};
use time::Date;

use self::{
    accounts::{Account, Owner},
    dice::{Dice, days_after},
};
use crate::resource::Resource;

/// What a link is generated from.
pub(crate) struct LinkSpec {
    pub(crate) seed: u64,
    /// How many links this seed has created before.
    pub(crate) sequence: u64,
    pub(crate) recurrent: bool,
    pub(crate) external_id: Option<String>,
    pub(crate) institution: String,
    pub(crate) today: Date,
    /// Length of the window that ends with `today`.
    pub(crate) days: u32,
    pub(crate) with_loan: bool,
}

/// Generates the rows of one link, one after the other.
pub(crate) struct Generator {
    dice: Dice,
    link: String,
    pub(crate) today: Date,
    days: u32,
}

impl Generator {
    /// Returns the link as Belvo shows it, its accounts, and the generator of its rows.
    pub(crate) fn new(spec: &LinkSpec) -> (Value, Vec<Account>, Self) {
        let mut dice = Dice::new(spec.seed, spec.sequence);
        let id = dice.uuid();
        let link = link(&mut dice, &id, spec);

        let owner = Owner {
            link: &id,
            institution: &spec.institution,
            today: spec.today,
        };
        let accounts = accounts::accounts(&mut dice, &owner, spec.with_loan);

        let generator = Self {
            dice,
            link: id,
            today: spec.today,
            days: spec.days.max(1),
        };
        (link, accounts, generator)
    }

    /// A new id, as Belvo assigns them.
    pub(crate) fn id(&mut self) -> String {
        self.dice.uuid()
    }

    /// An account without a movement.
    pub(crate) fn idle_account(&mut self, institution: &str) -> Account {
        let owner = Owner {
            link: &self.link,
            institution,
            today: self.today,
        };
        accounts::idle(&mut self.dice, &owner)
    }

    /// A row of a resource, on `date` or on any day of the window.
    pub(crate) fn row(
        &mut self,
        resource: &Resource,
        accounts: &[Account],
        date: Option<Date>,
    ) -> Value {
        let date = date.unwrap_or_else(|| self.any_day());
        let (dice, link, today) = (&mut self.dice, &self.link, self.today);
        match resource.name {
            "invoices" => fiscal::invoice(dice, link, date, today),
            "financial-statements" => fiscal::statement(dice, link, today),
            "employments" => employment::employment(dice, link, date, today),
            "employment-records" => employment::record(dice, link, date, today),
            _ => transactions::transaction(dice, accounts, date, today),
        }
    }

    fn any_day(&mut self) -> Date {
        let days_ago = self.dice.below(self.days);
        days_after(self.today, -i64::from(days_ago))
    }
}

fn link(dice: &mut Dice, id: &str, spec: &LinkSpec) -> Value {
    json!({
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
    })
}
