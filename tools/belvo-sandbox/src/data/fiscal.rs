//! Documents of Mexico's tax authority, in the shapes of `InvoiceWithIdSat` and
//! `FinancialStatement`. All names are invented.

use serde_json::{Map, Value, json};
use time::Date;

use super::dice::{Dice, days_after, decimal};
use crate::merge::merge;

const COMPANIES: [&str; 4] = [
    "Ficticia Comercio, S.A. de C.V.",
    "Ñandú y Compañía",
    "Café del Águila",
    "PAN & SAL SC",
];
const SERVICES: [(&str, &str); 3] = [
    ("Honorarios contables", "84101600"),
    ("Diseño de página", "82141504"),
    ("Café tostado – 10 kg", "50201706"),
];

const CURRENT_ASSETS: [&str; 11] = [
    "cash_and_equivalents",
    "short_term_investments",
    "accounts_receivable",
    "notes_receivable",
    "other_debtors",
    "bad_debt_provision",
    "tax_recoverable",
    "inventory",
    "prepaid_expenses",
    "assets_available_for_sale",
    "total",
];
const NON_CURRENT_ASSETS: [&str; 9] = [
    "property_plant_and_equipment",
    "accumulated_depreciation_and_amortization",
    "long_term_accounts_receivable",
    "prepayment_to_suppliers",
    "goodwill",
    "intangible_assets",
    "investments_in_associates",
    "long_term_financial_instruments",
    "total",
];
const CURRENT_LIABILITIES: [&str; 10] = [
    "bank_loans",
    "accounts_payable",
    "notes_payable",
    "financial_instruments",
    "other_creditors",
    "income_tax_payable",
    "customer_advances",
    "provisions",
    "taxes_payable",
    "total",
];
const INCOME: [&str; 23] = [
    "net_revenue",
    "domestic_sales",
    "foreign_sales",
    "materials_used",
    "cost_of_goods_sold",
    "cost_of_services_sold",
    "gross_profit",
    "gross_loss",
    "operating_expenses",
    "operating_income",
    "operating_loss",
    "financial_result",
    "income_statement_financial_gains",
    "income_statement_financial_costs",
    "equity_in_earnings_of_affiliates",
    "income_before_taxes",
    "loss_before_taxes",
    "income_taxes",
    "income_from_continuing_operations",
    "loss_from_continuing_operations",
    "discontinued_operations",
    "net_income",
    "net_loss",
];

/// An invoice of `date`.
pub(crate) fn invoice(dice: &mut Dice, link: &str, date: Date, today: Date) -> Value {
    let is_sent = dice.one_in(2);
    let is_cancelled = dice.one_in(20);
    let amount = dice.money();
    let details: Vec<Value> = (0..=dice.below(3)).map(|_| detail(dice, today)).collect();

    let mut invoice = json!({
        "id": dice.uuid(),
        "link": link,
        "collected_at": dice.timestamp(today),
        "created_at": dice.timestamp(today),
        "invoice_identification": dice.uuid().to_uppercase(),
        // The specification allows a null date, so one invoice in 500 has none.
        "invoice_date": (!dice.one_in(500)).then(|| date.to_string()),
        "status": if is_cancelled { "Cancelado" } else { "Vigente" },
        "invoice_type": if is_sent { "Ingreso" } else { dice.pick(&["Egreso", "Nómina", "Pago"]) },
        "type": if is_sent { "OUTFLOW" } else { "INFLOW" },
        "invoice_details": details,
        "version": "4.0",
        "payroll": null,
        "xml": null,
    });
    merge(&mut invoice, &parties(dice));
    let cancelled_on = is_cancelled.then(|| days_after(date, 3));
    merge(&mut invoice, &certificate(dice, date, cancelled_on));
    merge(&mut invoice, &terms(dice));
    merge(&mut invoice, &amounts(dice, &amount));
    invoice["folio"] = json!(dice.digits(4));
    invoice
}

/// Who sends an invoice to whom.
fn parties(dice: &mut Dice) -> Value {
    json!({
        "sender_id": rfc(dice),
        "sender_name": dice.pick(&COMPANIES),
        "receiver_id": rfc(dice),
        "receiver_name": if dice.one_in(30) { "" } else { dice.pick(&COMPANIES) },
    })
}

fn certificate(dice: &mut Dice, date: Date, cancelled_on: Option<Date>) -> Value {
    json!({
        "cancelation_status": null,
        "cancelation_update_date": cancelled_on.map(|day| day.to_string()),
        "certification_date": date.to_string(),
        "certification_authority": rfc(dice),
    })
}

/// How an invoice is to be paid.
fn terms(dice: &mut Dice) -> Value {
    json!({
        "payment_type": "99",
        "payment_type_description": dice.one_in(2).then_some("Por definir"),
        "payment_method": dice.pick(&["PUE", "PPD"]),
        "usage": "G03",
        "place_of_issue": dice.digits(5),
    })
}

fn amounts(dice: &mut Dice, amount: &Value) -> Value {
    json!({
        "currency": "MXN",
        "subtotal_amount": amount,
        "exchange_rate": dice.one_in(10).then(|| dice.money()),
        "tax_amount": dice.money(),
        "discount_amount": dice.one_in(3).then(|| dice.money()),
        "total_amount": amount,
        "payments": [],
    })
}

/// One position of an invoice.
fn detail(dice: &mut Dice, today: Date) -> Value {
    let (description, product) = dice.pick(&SERVICES);
    json!({
        "collected_at": dice.timestamp(today),
        "description": description,
        "product_identification": product,
        "quantity": 1 + dice.below(10),
        "unit_code": "E48",
        "unit_description": "Unidad de servicio",
        "unit_amount": dice.money(),
        "pre_tax_amount": dice.money(),
        "tax_percentage": 16,
        "tax_amount": dice.money(),
        "total_amount": dice.money(),
        "retained_taxes": [],
        "transferred_taxes": [{
            "collected_at": dice.timestamp(today),
            "tax": "IVA",
            "tax_percentage": 16,
            "transferred_tax_amount": dice.money(),
        }],
    })
}

/// The financial statement of one of the last five full years.
pub(crate) fn statement(dice: &mut Dice, link: &str, today: Date) -> Value {
    let years_ago = 1 + i32::try_from(dice.below(5)).unwrap_or_default();
    json!({
        "id": dice.uuid(),
        "link": link,
        "collected_at": dice.timestamp(today),
        "created_at": dice.timestamp(today),
        "error": null,
        "year": format!("{:04}", today.year() - years_ago),
        "currency": "MXN",
        "balance_sheet": {
            "current_assets": figures(dice, &CURRENT_ASSETS),
            "non_current_assets": figures(dice, &NON_CURRENT_ASSETS),
            "current_liabilities": figures(dice, &CURRENT_LIABILITIES),
        },
        "income_statement": figures(dice, &INCOME),
    })
}

/// An amount, or at times null, under each name.
fn figures(dice: &mut Dice, names: &[&str]) -> Map<String, Value> {
    let figures = names
        .iter()
        .map(|name| ((*name).to_owned(), figure(dice, name)));
    figures.collect()
}

fn figure(dice: &mut Dice, name: &str) -> Value {
    let amount = dice.money();
    if dice.one_in(8) {
        return Value::Null;
    }
    // The only figure that the specification wants to be negative.
    if name == "income_statement_financial_costs" {
        return decimal(&format!("-{amount}"));
    }
    amount
}

/// A tax number that cannot exist, because its month of birth is 13.
fn rfc(dice: &mut Dice) -> String {
    let (year, day, check) = (dice.digits(2), dice.digits(2), dice.digits(1));
    format!("XXX{year}13{day}XX{check}")
}
