//! The loan contract of a loan account, and the loan part of a transaction.

use serde_json::{Value, json};
use time::Date;

use super::dice::{Dice, days_after, decimal};
use crate::merge::merge;

/// `AccountLoanDataOpenFinanceBrazil` with every property present.
pub(crate) fn loan_data(dice: &mut Dice, today: Date, contract: &str) -> Value {
    let mut loan = json!({
        "collected_at": dice.timestamp(today),
        "loan_code": dice.digits(41),
        "contract_number": contract,
        "contract_amount": decimal("12070.60"),
        "total_effective_cost": decimal("0.0150"),
        "loan_type": "CREDITO_PESSOAL_SEM_CONSIGNACAO",
        "outstanding_balance": decimal("14402.379"),
        "amortization_schedule": "PRICE",
        "amortization_schedule_info": null,
        "consignee_id": null,
    });
    merge(&mut loan, &costs());
    merge(&mut loan, &securities(today));
    merge(&mut loan, &schedule(today));
    merge(&mut loan, &unused());
    loan
}

/// Interest, fees and charges.
fn costs() -> Value {
    json!({
        "interest_rates": [{
            "name": "NOMINAL",
            "type": "YEARLY",
            "value": decimal("0.015"),
            "interest_rate_data": interest_rate(),
        }],
        "fees": [{
            "type": null,
            "value": decimal("200.50"),
            "name": "Taxa de administração",
            "code": "ADMINISTRACAO",
            "fee_charge_type": "SINGLE",
            "fee_charge": "FIXED",
            "rate": decimal("0.062000"),
        }],
        "contracted_charges": [{
            "type": "LATE_PAYMENT_PENALTY_FEE",
            "info": "NA",
            "rate": decimal("0.060000"),
        }],
    })
}

fn interest_rate() -> Value {
    json!({
        "tax_type": "NOMINAL",
        "rate_type": "SIMPLE",
        "type": "YEARLY",
        "calculation_base": "21/252",
        "reference_index_type": "PRE_FIXED",
        "reference_index_subtype": "PRE_FIXADO",
        "reference_index_info": null,
        "pre_fixed_rate": decimal("0.015000"),
        "post_fixed_rate": decimal("0.000000"),
        "additional_info": "Não há informações adicionais",
    })
}

/// Collaterals and balloon payments.
fn securities(today: Date) -> Value {
    json!({
        "collaterals": [{
            "type": "CESSAO_DIREITOS_CREDITORIOS",
            "subtype": "ACOES_DEBENTURES",
            "currency": "BRL",
            "amount": decimal("15000.31"),
        }],
        "balloon_payments": [{
            "due_date": days_after(today, 90).to_string(),
            "currency": "BRL",
            "amount": decimal("0.00"),
        }],
    })
}

/// Dates and instalments.
fn schedule(today: Date) -> Value {
    let start = days_after(today, -200).to_string();
    json!({
        "installments_contract_term_frequency": "MONTH",
        "installment_frequency": "MONTHLY",
        "installment_frequency_info": "",
        "first_installment_due_date": start,
        "number_of_installments_total": 48,
        "number_of_installments_outstanding": 41,
        "number_of_installments_paid": 6,
        "number_of_installments_past_due": 1,
        "disbursement_dates": [start],
        "settlement_date": null,
        "contract_start_date": start,
        "contract_end_date": days_after(today, 1_260).to_string(),
        "contract_remaining_frequency": "MONTH",
        "contract_remaining_total": 42,
    })
}

/// Properties that the specification deprecates, or that this loan does not use.
fn unused() -> Value {
    json!({
        "monthly_payment": null,
        "principal": null,
        "payment_day": null,
        "outstanding_principal": null,
        "credit_limit": null,
        "last_period_balance": null,
        "interest_rate": null,
        "limit_day": null,
        "cutting_day": null,
        "cutting_date": null,
        "last_payment_date": null,
        "no_interest_payment": null,
    })
}

/// `TransactionLoanDataOpenFinanceBrazil`: an instalment with fees and charges, or a payment
/// outside the schedule.
pub(crate) fn instalment(dice: &mut Dice) -> Value {
    if dice.one_in(3) {
        return json!({ "is_detached": true, "installment_id": null, "fees": [], "charges": [] });
    }
    json!({
        "is_detached": false,
        "installment_id": dice.identification(48),
        "fees": [
            { "name": "Reavaliação periódica do bem", "code": "aval_bem", "amount": dice.money() },
            { "name": "Tarifa não informada", "code": "", "amount": null },
        ],
        "charges": [{
            "type": "MULTA_ATRASO_PAGAMENTO",
            "info": "Multa por atraso",
            "amount": dice.money(),
        }],
    })
}
