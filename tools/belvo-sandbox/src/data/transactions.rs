//! The transactions of a link, in the shape of `TransactionOpenFinanceBrazil`. Three in four are
//! plain ones of the checking account, so the median row has a realistic size; the others carry
//! what is rarer.

use serde_json::{Value, json};
use time::Date;

use super::{
    accounts::Account,
    dice::{Dice, booking_day, days_after},
    loan::instalment,
    vocabulary::{CATEGORIES, MCC, MERCHANTS, OPERATIONS, PURCHASES},
};
use crate::merge::merge;

/// A pending transaction is at most this many days old.
const PENDING_DAYS: i64 = 4;

/// What is decided about a card purchase before its fields are generated.
struct Purchase {
    in_instalments: bool,
    /// The id of the bill, if there is one yet.
    bill: Option<String>,
}

/// A transaction of `date`, as seen on `today`.
pub(crate) fn transaction(dice: &mut Dice, accounts: &[Account], date: Date, today: Date) -> Value {
    let moving = accounts.iter().filter(|account| !account.is_idle).count();
    let account = &accounts[which_account(dice, moving)];
    let mut row = common(dice, date, today);
    match account.category {
        "CREDIT_CARD" => card_purchase(dice, &mut row, account, today),
        "LOAN_ACCOUNT" => loan_payment(dice, &mut row),
        _ => movement(dice, &mut row),
    }
    oddities(dice, &mut row);

    // The specification allows a null account, so one transaction in 500 has none.
    row["account"] = if dice.one_in(500) {
        Value::Null
    } else {
        json!({ "id": account.id })
    };
    row
}

/// Of 100 transactions 76 are of the checking account, 7 of savings and 17 of the card. A loan
/// account, if there is one, takes two from the card.
fn which_account(dice: &mut Dice, accounts: usize) -> usize {
    match dice.below(100) {
        0..=75 => 0,
        76..=82 => 1,
        83..=84 if accounts > 3 => 3,
        _ => 2,
    }
}

/// The fields that every transaction has.
fn common(dice: &mut Dice, date: Date, today: Date) -> Value {
    let pending = date >= days_after(today, -PENDING_DAYS) && dice.one_in(2);
    let booked = booking_day(date).to_string();
    let amount = dice.money();
    json!({
        "id": dice.uuid(),
        "internal_identification": dice.identification(31),
        "collected_at": dice.timestamp(today),
        "created_at": dice.timestamp(date),
        "value_date": date.to_string(),
        "transacted_at": dice.timestamp_millis(date),
        "accounting_date": if pending { None } else { Some(&booked) },
        "inferred_accounting_date": booked,
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

/// A payment into or out of a deposit account.
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
    let bill = Some(dice.uuid()).filter(|_| has_bill);
    let purchase = Purchase {
        in_instalments,
        bill,
    };

    row["operation_type"] = json!("CARTAO");
    row["description"] = json!(dice.pick(&PURCHASES));
    row["payment_type"] = json!(if in_instalments {
        "INSTALLMENT"
    } else {
        "FULL"
    });
    row["mcc"] = json!(dice.pick(&MCC));
    row["credit_card_data"] = card_data(dice, &account.card_number, &purchase, today);
    if !dice.one_in(3) {
        let (name, logo, website) = dice.pick(&MERCHANTS);
        row["merchant"] = json!({ "merchant_name": name, "logo": logo, "website": website });
    }
    if dice.one_in(12) {
        row["currency"] = json!("USD");
        row["local_currency_amount"] = dice.money();
    }
    categorise(dice, row);
}

fn card_data(dice: &mut Dice, card_number: &str, purchase: &Purchase, today: Date) -> Value {
    let mut data = json!({ "collected_at": dice.timestamp(today), "card_number": card_number });
    merge(&mut data, &bill(dice, purchase, today));
    merge(&mut data, &fees(dice));
    merge(&mut data, &instalments(dice, purchase));
    data["credit_card_bill"] = match &purchase.bill {
        Some(id) => json!({ "id": id, "internal_identification": dice.identification(41) }),
        None => Value::Null,
    };
    data
}

fn bill(dice: &mut Dice, purchase: &Purchase, today: Date) -> Value {
    let mut bill = json!({
        "bill_name": null,
        "bill_due_date": null,
        "bill_internal_identification": null,
        "bill_status": null,
        "previous_bill_total": null,
        "bill_amount": null,
    });
    if purchase.bill.is_some() {
        bill["bill_name"] = json!(format!("bill-{}", &today.to_string()[..7]));
        bill["bill_due_date"] = json!(days_after(today, 15).to_string());
        bill["bill_internal_identification"] = json!(dice.identification(41));
        bill["bill_amount"] = dice.money();
    }
    bill
}

fn fees(dice: &mut Dice) -> Value {
    let mut rarely = |text: &'static str| dice.one_in(20).then_some(text);
    json!({
        "fee_type": rarely("ANNUAL_FEE"),
        "fee_type_additional_info": rarely(""),
        "credits_type": rarely("REVOLVING_CREDIT"),
        "credits_type_additional_info": rarely("Crédito rotativo"),
    })
}

fn instalments(dice: &mut Dice, purchase: &Purchase) -> Value {
    if !purchase.in_instalments {
        return json!({ "installment_identifier": "", "number_of_installments": null });
    }
    let identifier = format!("PARCELA_{}", dice.digits(3));
    json!({ "installment_identifier": identifier, "number_of_installments": 10 })
}

fn loan_payment(dice: &mut Dice, row: &mut Value) {
    // The specification allows a value only in transactions that are not loan payments.
    row["operation_type"] = Value::Null;
    row["description"] = json!("PRESTAÇÃO EMPRÉSTIMO PESSOAL");
    row["type"] = json!("OUTFLOW");
    row["loan_data"] = instalment(dice);
}

fn counterparty(dice: &mut Dice) -> Value {
    let is_company = dice.one_in(3);
    json!({
        "type": if is_company { "COMPANY" } else { "INDIVIDUAL" },
        // A CNPJ has 14 digits and the specification allows 11: companies have no number here.
        "document_number": (!is_company).then(|| dice.impossible_cpf()),
        "clearing_code": dice.digits(3),
        "agency": (!dice.one_in(10)).then(|| dice.digits(4)),
        "check_digit": dice.digits(1),
        "number": dice.digits(8),
    })
}

fn categorise(dice: &mut Dice, row: &mut Value) {
    let (category, subcategory) = dice.pick(&CATEGORIES);
    row["category"] = json!(category);
    row["subcategory"] = json!(subcategory);
}

/// What the specification allows and integrators overlook: nulls, empty strings, absent fields.
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
