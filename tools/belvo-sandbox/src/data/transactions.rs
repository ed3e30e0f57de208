//! The rows of a link, in the shape of `TransactionOpenFinanceBrazil`. Three rows in four are plain
//! movements of the checking account, so that the median row is a realistic one; the rest carry
//! what is rarer.

use serde_json::{Value, json};
use time::Date;

use super::{
    accounts::Account,
    dice::{Dice, booking_day, days_after},
    loan::instalment,
    vocabulary::{CATEGORIES, MCC, MERCHANTS, OPERATIONS, PURCHASES},
};

/// What a bank still calls pending happened at most so many days ago.
const PENDING_DAYS: i64 = 4;

/// One row that happened on `date`, as seen on `today`.
pub(crate) fn transaction(dice: &mut Dice, accounts: &[Account], date: Date, today: Date) -> Value {
    let account = &accounts[which_account(dice, accounts.len())];
    let mut row = common(dice, date, today);
    match account.category {
        "CREDIT_CARD" => card_purchase(dice, &mut row, account, today),
        "LOAN_ACCOUNT" => loan_payment(dice, &mut row),
        _ => movement(dice, &mut row),
    }
    oddities(dice, &mut row);
    // The account is nullable in the specification; once in 500 it is.
    row["account"] = if dice.one_in(500) {
        Value::Null
    } else {
        json!({ "id": account.id })
    };
    row
}

/// Of 100 rows 76 are checking, 7 savings and 17 card; a loan account, if there is one, takes 2 of
/// the card's.
fn which_account(dice: &mut Dice, accounts: usize) -> usize {
    match dice.below(100) {
        0..=75 => 0,
        76..=82 => 1,
        83..=84 if accounts > 3 => 3,
        _ => 2,
    }
}

fn common(dice: &mut Dice, date: Date, today: Date) -> Value {
    let pending = date >= days_after(today, -PENDING_DAYS) && dice.one_in(2);
    let amount = dice.money();
    json!({
        "id": dice.uuid(),
        "internal_identification": dice.identification(31),
        "collected_at": dice.timestamp(today),
        "created_at": dice.timestamp(date),
        "value_date": date.to_string(),
        "transacted_at": dice.timestamp_millis(date),
        "accounting_date": if pending { Value::Null } else { json!(booking_day(date).to_string()) },
        "inferred_accounting_date": booking_day(date).to_string(),
        "amount": amount,
        "local_currency_amount": amount,
        "balance": null,
        "currency": "BRL",
        "description": null,
        "observations": null,
        "merchant": null,
        "category": null,
        "subcategory": null,
        "reference": null,
        "type": if dice.one_in(3) { "INFLOW" } else { "OUTFLOW" },
        "status": if pending { "PENDING" } else { "PROCESSED" },
        "credit_card_data": null,
        "counterparty": null,
        "loan_data": null,
        "payment_type": "FULL",
        "operation_type": null,
        "operation_type_additional_info": null,
        "mcc": null,
    })
}

fn movement(dice: &mut Dice, row: &mut Value) {
    let (operation, description) = dice.pick(&OPERATIONS);
    row["operation_type"] = json!(operation);
    row["description"] = json!(description);
    row["operation_type_additional_info"] = if dice.one_in(3) {
        json!("Informação complementar da operação.")
    } else {
        Value::Null
    };
    if !dice.one_in(6) {
        row["counterparty"] = counterparty(dice);
    }
    if dice.one_in(4) {
        categorise(dice, row);
    }
    if dice.one_in(100) {
        row["loan_data"] = instalment(dice);
    }
}

fn card_purchase(dice: &mut Dice, row: &mut Value, account: &Account, today: Date) {
    let in_instalments = dice.one_in(4);
    let has_bill = !dice.one_in(4);
    let bill = dice.uuid();
    row["operation_type"] = json!("CARTAO");
    row["description"] = json!(dice.pick(&PURCHASES));
    row["payment_type"] = json!(if in_instalments {
        "INSTALLMENT"
    } else {
        "FULL"
    });
    row["mcc"] = json!(dice.pick(&MCC));
    row["credit_card_data"] = json!({
        "collected_at": dice.timestamp(today),
        "bill_name": if has_bill { json!(format!("bill-{}", &today.to_string()[..7])) } else { Value::Null },
        "bill_due_date": if has_bill { json!(days_after(today, 15).to_string()) } else { Value::Null },
        "bill_internal_identification": if has_bill { json!(dice.identification(41)) } else { Value::Null },
        "bill_status": null,
        "previous_bill_total": null,
        "bill_amount": if has_bill { dice.money() } else { Value::Null },
        "card_number": account.card_number,
        "fee_type": if dice.one_in(20) { json!("ANNUAL_FEE") } else { Value::Null },
        "fee_type_additional_info": if dice.one_in(20) { json!("") } else { Value::Null },
        "credits_type": if dice.one_in(20) { json!("REVOLVING_CREDIT") } else { Value::Null },
        "credits_type_additional_info": if dice.one_in(20) { json!("Crédito rotativo") } else { Value::Null },
        "installment_identifier": if in_instalments { json!(format!("PARCELA_{}", dice.digits(3))) } else { json!("") },
        "number_of_installments": if in_instalments { json!(10) } else { Value::Null },
        "credit_card_bill": if has_bill {
            json!({ "id": bill, "internal_identification": dice.identification(41) })
        } else {
            Value::Null
        },
    });
    if !dice.one_in(3) {
        let (merchant_name, logo, website) = dice.pick(&MERCHANTS);
        row["merchant"] =
            json!({ "merchant_name": merchant_name, "logo": logo, "website": website });
    }
    if dice.one_in(12) {
        row["currency"] = json!("USD");
        row["local_currency_amount"] = dice.money();
    }
    categorise(dice, row);
}

fn loan_payment(dice: &mut Dice, row: &mut Value) {
    // Non-null for non-loan transactions only, says the specification.
    row["operation_type"] = Value::Null;
    row["description"] = json!("PRESTAÇÃO EMPRÉSTIMO PESSOAL");
    row["type"] = json!("OUTFLOW");
    row["loan_data"] = instalment(dice);
}

fn counterparty(dice: &mut Dice) -> Value {
    let company = dice.one_in(3);
    json!({
        "type": if company { "COMPANY" } else { "INDIVIDUAL" },
        // A CNPJ has 14 digits and the specification allows 11, so companies have none here.
        "document_number": if company { Value::Null } else { json!(dice.impossible_cpf()) },
        "clearing_code": dice.digits(3),
        "agency": if dice.one_in(10) { Value::Null } else { json!(dice.digits(4)) },
        "check_digit": dice.digits(1),
        "number": dice.digits(8),
    })
}

fn categorise(dice: &mut Dice, row: &mut Value) {
    let (category, subcategory) = dice.pick(&CATEGORIES);
    row["category"] = json!(category);
    row["subcategory"] = json!(subcategory);
}

/// What the specification allows and integrators forget: nulls, empty strings, absent fields.
fn oddities(dice: &mut Dice, row: &mut Value) {
    match dice.below(500) {
        0..=4 => row["description"] = json!(""),
        5..=7 => row["description"] = Value::Null,
        8 => row["type"] = Value::Null,
        9 => row["status"] = Value::Null,
        10 => row["status"] = json!("UNCATEGORIZED"),
        11..=13 => row["payment_type"] = Value::Null,
        14..=16 => row["local_currency_amount"] = Value::Null,
        17..=18 => row["currency"] = Value::Null,
        19..=28 => {
            if let Some(fields) = row.as_object_mut() {
                fields.remove("inferred_accounting_date");
                fields.remove("transacted_at");
            }
        }
        _ => {}
    }
}
