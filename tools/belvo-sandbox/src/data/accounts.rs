//! The accounts of a link, in the shape of `AccountOpenFinanceBrazil`: checking, savings and card,
//! and a loan on request. An account is serialized once and repeated word for word in each of its
//! rows.

use serde_json::{Value, json};
use time::Date;

use super::{
    dice::{Dice, days_after, decimal},
    loan::loan_data,
};
use crate::merge::merge;

/// One account, with the fields that its rows use.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) category: &'static str,
    /// Whether no movement is ever generated in it. Such accounts come after all others.
    pub(crate) is_idle: bool,
    /// Whether it was deleted at Belvo and not fetched since.
    pub(crate) is_deleted: bool,
    /// The last four digits of the card; empty for other accounts.
    pub(crate) card_number: String,
    /// The account as Belvo shows it.
    pub(crate) value: Value,
    /// The same as text, to be spliced into rows.
    pub(crate) json: String,
}

impl Account {
    fn new(category: &'static str, card_number: String, value: Value) -> Self {
        Self {
            id: text(&value["id"]).to_owned(),
            category,
            is_idle: false,
            is_deleted: false,
            card_number,
            json: value.to_string(),
            value,
        }
    }

    /// The account with `changes` merged in.
    pub(crate) fn with(self, changes: &Value) -> Self {
        let mut value = self.value;
        merge(&mut value, changes);
        Self {
            is_idle: self.is_idle,
            is_deleted: self.is_deleted,
            ..Self::new(self.category, self.card_number, value)
        }
    }
}

/// The link that the accounts belong to.
pub(crate) struct Owner<'a> {
    pub(crate) link: &'a str,
    pub(crate) institution: &'a str,
    pub(crate) today: Date,
}

/// The three accounts that every link has, followed by a loan if `with_loan`.
pub(crate) fn accounts(dice: &mut Dice, owner: &Owner<'_>, with_loan: bool) -> Vec<Account> {
    let mut accounts = vec![
        deposit(dice, owner, "CHECKING_ACCOUNT"),
        deposit(dice, owner, "SAVINGS_ACCOUNT"),
        card(dice, owner),
    ];
    if with_loan {
        accounts.push(loan(dice, owner));
    }
    accounts
}

/// One more savings account, which has no movement.
pub(crate) fn idle(dice: &mut Dice, owner: &Owner<'_>) -> Account {
    Account {
        is_idle: true,
        ..deposit(dice, owner, "SAVINGS_ACCOUNT")
    }
}

fn deposit(dice: &mut Dice, owner: &Owner<'_>, category: &'static str) -> Account {
    let mut value = common(dice, owner, category);
    let number = format!("{}/{}", text(&value["agency"]), text(&value["number"]));
    value["public_identification_name"] = json!("AGENCY/NUMBER");
    value["public_identification_value"] = json!(number);
    value["subtype"] = json!("INDIVIDUAL");

    if category == "CHECKING_ACCOUNT" {
        value["type"] = json!("CONTA_DEPOSITO_A_VISTA");
        value["overdraft"] = json!({
            "arranged": dice.money(),
            "used": dice.money(),
            "unarranged": decimal("0.00"),
        });
    } else {
        value["type"] = json!("CONTA_POUPANCA");
        value["name"] = json!("Poupança de João");
        value["check_digit"] = json!("");
    }
    Account::new(category, String::new(), value)
}

fn card(dice: &mut Dice, owner: &Owner<'_>) -> Account {
    let mut value = common(dice, owner, "CREDIT_CARD");
    let number = dice.digits(4);
    let fields = json!({
        "balance_type": "LIABILITY",
        "type": "GRAFITE",
        "subtype": "Cartão múltiplo grafite",
        "name": "Cartão Grafite Internacional",
        "public_identification_name": "CREDIT_CARD_NUMBER",
        "public_identification_value": number,
        "agency": null,
        "check_digit": null,
        "number": null,
        "credit_data": credit_data(dice, owner.today, &number),
    });
    merge(&mut value, &fields);
    Account::new("CREDIT_CARD", number, value)
}

fn credit_data(dice: &mut Dice, today: Date, card_number: &str) -> Value {
    json!({
        "collected_at": dice.timestamp(today),
        "credit_limit": decimal("23000.98"),
        "limits": [credit_limit(dice, card_number)],
        "cutting_date": days_after(today, 9).to_string(),
        "minimum_payment": decimal("0.00"),
        "network": dice.pick(&["VISA", "MASTERCARD", "ELO", "HIPERCARD"]),
        "network_additional_info": null,
        "cards": [{ "is_multiple": false, "identification_number": card_number }],
        "next_payment_date": null,
        "no_interest_payment": null,
        "interest_rate": null,
        "monthly_payment": null,
        "last_payment_date": null,
    })
}

fn credit_limit(dice: &mut Dice, card_number: &str) -> Value {
    json!({
        "identification_number": card_number,
        "credit_limit": decimal("23000.98"),
        "used_amount": dice.money(),
        "available_amount": dice.money(),
        "is_limit_flexible": true,
        "type": "TOTAL_LIMIT",
        "consolidation_type": "CONSOLIDADO",
        "line_name": "CREDITO_A_VISTA",
        "line_name_additional_info": "Informações adicionais e complementares",
    })
}

fn loan(dice: &mut Dice, owner: &Owner<'_>) -> Account {
    let mut value = common(dice, owner, "LOAN_ACCOUNT");
    let contract = dice.digits(11);
    let fields = json!({
        "balance_type": "LIABILITY",
        "type": "EMPRESTIMOS",
        "subtype": "CREDITO_PESSOAL_SEM_CONSIGNACAO",
        "name": "Aquisição de equipamentos",
        "public_identification_name": "NUMBER",
        "public_identification_value": contract,
        "loan_data": loan_data(dice, owner.today, &contract),
    });
    merge(&mut value, &fields);
    Account::new("LOAN_ACCOUNT", String::new(), value)
}

/// The fields that every account has, with the values of a deposit account.
fn common(dice: &mut Dice, owner: &Owner<'_>, category: &str) -> Value {
    json!({
        "id": dice.uuid(),
        "link": owner.link,
        "institution": { "name": owner.institution, "type": "bank" },
        "collected_at": dice.timestamp(owner.today),
        "created_at": dice.timestamp(days_after(owner.today, -1)),
        "last_accessed_at": dice.timestamp(owner.today),
        "category": category,
        "balance_type": "ASSET",
        "overdraft": null,
        "type": "",
        "subtype": "",
        "name": null,
        "number": dice.digits(8),
        "agency": dice.digits(4),
        "check_digit": dice.digits(1),
        "balance": {
            "current": dice.money(),
            "available": dice.money(),
            "blocked": dice.money(),
            "automatically_invested": decimal("0.00"),
        },
        "currency": "BRL",
        "public_identification_name": null,
        "public_identification_value": null,
        "internal_identification": dice.digits(41),
        "credit_data": null,
        "loan_data": null,
        "funds_data": null,
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
