//! The accounts of a link, in the shape of `AccountOpenFinanceBrazil`: checking, savings, card, and
//! on request a loan. An account is written once and repeated word for word in each of its rows.

use serde_json::{Value, json};
use time::Date;

use super::dice::{Dice, days_after, decimal};
use crate::merge::merge;

/// One account, and what the rows of it need to know.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) category: &'static str,
    /// The last four digits of the card; empty where there is none.
    pub(crate) card_number: String,
    /// The whole object.
    pub(crate) value: Value,
    /// The whole object as the text that is spliced into rows.
    pub(crate) json: String,
}

impl Account {
    /// The account with other fields.
    pub(crate) fn with(self, changes: &Value) -> Self {
        let mut value = self.value;
        merge(&mut value, changes);
        finish(self.category, self.card_number, value)
    }
}

/// Which link the accounts belong to.
pub(crate) struct Owner<'a> {
    pub(crate) link: &'a str,
    pub(crate) institution: &'a str,
    pub(crate) today: Date,
}

/// The three accounts that every link has, and a loan as fourth if `with_loan`.
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

fn deposit(dice: &mut Dice, owner: &Owner<'_>, category: &'static str) -> Account {
    let mut value = common(dice, owner, category);
    let number = format!("{}/{}", text(&value["agency"]), text(&value["number"]));
    value["public_identification_name"] = json!("AGENCY/NUMBER");
    value["public_identification_value"] = json!(number);
    value["subtype"] = json!("INDIVIDUAL");
    if category == "CHECKING_ACCOUNT" {
        value["type"] = json!("CONTA_DEPOSITO_A_VISTA");
        value["overdraft"] = json!({ "arranged": dice.money(), "used": dice.money(), "unarranged": decimal("0.00") });
    } else {
        value["type"] = json!("CONTA_POUPANCA");
        value["name"] = json!("Poupança de João");
        value["check_digit"] = json!("");
    }
    finish(category, String::new(), value)
}

fn card(dice: &mut Dice, owner: &Owner<'_>) -> Account {
    let mut value = common(dice, owner, "CREDIT_CARD");
    let number = dice.digits(4);
    for (key, content) in [
        ("balance_type", json!("LIABILITY")),
        ("type", json!("GRAFITE")),
        ("subtype", json!("Cartão múltiplo grafite")),
        ("name", json!("Cartão Grafite Internacional")),
        ("public_identification_name", json!("CREDIT_CARD_NUMBER")),
        ("public_identification_value", json!(number)),
        ("agency", Value::Null),
        ("check_digit", Value::Null),
        ("number", Value::Null),
    ] {
        value[key] = content;
    }
    value["credit_data"] = json!({
        "collected_at": dice.timestamp(owner.today),
        "credit_limit": decimal("23000.98"),
        "limits": [{
            "identification_number": number,
            "credit_limit": decimal("23000.98"),
            "used_amount": dice.money(),
            "available_amount": dice.money(),
            "is_limit_flexible": true,
            "type": "TOTAL_LIMIT",
            "consolidation_type": "CONSOLIDADO",
            "line_name": "CREDITO_A_VISTA",
            "line_name_additional_info": "Informações adicionais e complementares",
        }],
        "cutting_date": days_after(owner.today, 9).to_string(),
        "minimum_payment": decimal("0.00"),
        "network": dice.pick(&["VISA", "MASTERCARD", "ELO", "HIPERCARD"]),
        "network_additional_info": null,
        "cards": [{ "is_multiple": false, "identification_number": number }],
        "next_payment_date": null,
        "no_interest_payment": null,
        "interest_rate": null,
        "monthly_payment": null,
        "last_payment_date": null,
    });
    finish("CREDIT_CARD", number, value)
}

fn loan(dice: &mut Dice, owner: &Owner<'_>) -> Account {
    let mut value = common(dice, owner, "LOAN_ACCOUNT");
    let contract = dice.digits(11);
    for (key, content) in [
        ("balance_type", json!("LIABILITY")),
        ("type", json!("EMPRESTIMOS")),
        ("subtype", json!("CREDITO_PESSOAL_SEM_CONSIGNACAO")),
        ("name", json!("Aquisição de equipamentos")),
        ("public_identification_name", json!("NUMBER")),
        ("public_identification_value", json!(contract)),
    ] {
        value[key] = content;
    }
    value["loan_data"] = super::loan::loan_data(dice, owner.today, &contract);
    finish("LOAN_ACCOUNT", String::new(), value)
}

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

fn finish(category: &'static str, card_number: String, value: Value) -> Account {
    Account {
        id: text(&value["id"]).to_owned(),
        category,
        card_number,
        json: value.to_string(),
        value,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
