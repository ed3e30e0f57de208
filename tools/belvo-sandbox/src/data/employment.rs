//! What social security knows about a person, in the shapes of `EmploymentBrazil` and
//! `EmploymentRecord`. All names are invented.

use serde_json::{Value, json};
use time::Date;

use super::dice::{Dice, days_after};

const EMPLOYERS_BR: [&str; 3] = [
    "AÇÚCAR & CAFÉ INDÚSTRIA LTDA",
    "PADARIA SÃO JOSÉ",
    "FICTÍCIA COMÉRCIO S.A.",
];
const EMPLOYERS_MX: [&str; 3] = [
    "Ñandú y Compañía",
    "Ficticia Comercio, S.A. de C.V.",
    "Café del Águila",
];
const OCCUPATIONS: [&str; 3] = ["ANALISTA DE SISTEMAS", "PADEIRO", "AUXILIAR DE ESCRITÓRIO"];

/// An employment in Brazil that started on `date`.
pub(crate) fn employment(dice: &mut Dice, link: &str, date: Date, today: Date) -> Value {
    let has_ended = !dice.one_in(3);
    let end = has_ended.then(|| days_after(date, 200).to_string());
    let occupation = dice.pick(&OCCUPATIONS);
    let salaries: Vec<Value> = (0..=dice.below(3))
        .map(|month| salary(dice, days_after(date, 30 * i64::from(month))))
        .collect();

    json!({
        "id": dice.uuid(),
        "link": link,
        "created_at": dice.timestamp(today),
        "collected_at": dice.timestamp(today),
        "start_date": date.to_string(),
        "end_date": end,
        "employer_data": {
            "name": dice.pick(&EMPLOYERS_BR),
            "code": dice.digits(8),
            "economic_activity": "1091-1 - FABRICAÇÃO DE PRODUTOS DE PANIFICAÇÃO",
        },
        "occupations": [{
            "start_date": date.to_string(),
            "end_date": end,
            "description": occupation,
            "name": format!("{occupation} - {}", dice.digits(4)),
            "locale": "Urbana",
        }],
        "salaries": salaries,
    })
}

fn salary(dice: &mut Dice, date: Date) -> Value {
    json!({
        "base_amount": dice.money(),
        "retained_amount": dice.money(),
        "type": (!dice.one_in(10)).then_some("REGULAR"),
        "month": &date.to_string()[..7],
        "currency": "BRL",
    })
}

/// A report on a person's employments in Mexico, the last of which started on `date`.
pub(crate) fn record(dice: &mut Dice, link: &str, date: Date, today: Date) -> Value {
    json!({
        "id": dice.uuid(),
        "link": link,
        "created_at": dice.timestamp(today),
        "collected_at": dice.timestamp(today),
        "report_date": today.to_string(),
        "internal_identification": dice.identification(18),
        "personal_data": person(dice),
        "social_security_summary": {
            "weeks_redeemed": 0,
            "weeks_reinstated": null,
            "weeks_contributed": dice.below(1_000),
        },
        "employment_records": [job(dice, date, today)],
        "files": null,
    })
}

fn person(dice: &mut Dice) -> Value {
    json!({
        "official_name": "PERSONA INVENTADA",
        "first_name": "Persona",
        "last_name": null,
        "birth_date": null,
        "entitlements": {
            "entitled_to_health_insurance": dice.one_in(2),
            "entitled_to_company_benefits": dice.one_in(2),
            "valid_until": null,
            "status": "EMPLOYED",
        },
        "document_ids": [{ "document_type": "NSS", "document_number": dice.digits(11) }],
        "email": null,
    })
}

fn job(dice: &mut Dice, date: Date, today: Date) -> Value {
    json!({
        "collected_at": dice.timestamp(today),
        "employer": dice.pick(&EMPLOYERS_MX),
        "employer_id": dice.identification(11),
        "start_date": date.to_string(),
        "end_date": null,
        "weeks_employed": dice.below(100),
        "state": "CIUDAD DE MÉXICO",
        "most_recent_base_salary": dice.money(),
        "monthly_salary": dice.money(),
        "currency": "MXN",
        "employment_status_updates": [{
            "event": "HIRED",
            "base_salary": dice.money(),
            "update_date": date.to_string(),
        }],
    })
}
