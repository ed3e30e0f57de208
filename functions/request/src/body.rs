//! The body of `POST /requests`, and what other bodies share with it.

use domain::{AccountId, Dates, Days, Direction, Resource, Retrieval, Window};
use shared::problem::Problem;
use time::Date;

use crate::fields::{Fields, link_id};

const SHAPE: &str = "The body must be a JSON object such as \
    {\"link\": \"bcca0da9-a4c6-4830-9676-1d54682851d9\", \
    \"date_from\": \"2026-01-01\", \"date_to\": \"2026-01-31\"}.";

/// Reads and validates the body. Unknown fields are refused: a misspelt `account` would use up a
/// retrieval for all accounts.
pub(crate) fn parse(body: &[u8], today: Date) -> Result<Retrieval, Problem> {
    let mut fields = Fields::parse(body, SHAPE)?;
    let link = fields.required("link")?;
    let resource = resource(&mut fields)?;
    let window = window(&mut fields, resource, today)?;
    let account = account(&mut fields, resource)?;
    let direction = direction(&mut fields, resource)?;
    fields.end("link, resource, date_from, date_to, account and type")?;
    let link = link_id(&link)?;
    Ok(Retrieval {
        resource,
        link,
        window,
        account,
        direction,
    })
}

pub(crate) fn resource(fields: &mut Fields) -> Result<Resource, Problem> {
    let Some(name) = fields.optional("resource")? else {
        return Ok(Resource::TRANSACTIONS);
    };
    Resource::by_name(&name).ok_or_else(|| {
        let known = Resource::names();
        Problem::field(
            "resource",
            format!("resource must be one of {known}, or be left out"),
        )
    })
}

/// The days, if the resource takes them.
fn window(fields: &mut Fields, resource: Resource, today: Date) -> Result<Option<Window>, Problem> {
    let given = given_day(fields);
    match (resource.dates(), given) {
        (Dates::None, Some(name)) => return Err(not_taken(name, resource)),
        (Dates::None | Dates::Optional, None) => return Ok(None),
        (Dates::Required, _) | (Dates::Optional, Some(_)) => {}
    }
    both_days(fields, resource.longest_days(), today).map(Some)
}

/// The days of which rows are listed: all, unless some are named.
pub(crate) fn listed_days(
    fields: &mut Fields,
    resource: Resource,
    today: Date,
) -> Result<Days, Problem> {
    let given = given_day(fields);
    match (resource.date_field(), given) {
        (None, Some(name)) => Err(not_taken(name, resource)),
        (_, None) => Ok(Days::ALL),
        (Some(_), Some(_)) => both_days(fields, None, today).map(Days::from),
    }
}

/// The name of a day that is given.
fn given_day(fields: &mut Fields) -> Option<&'static str> {
    ["date_from", "date_to"]
        .into_iter()
        .find(|name| fields.has(name))
}

fn both_days(fields: &mut Fields, most: Option<u16>, today: Date) -> Result<Window, Problem> {
    let (from, to) = (fields.required("date_from")?, fields.required("date_to")?);
    let window = Window::parse(&from, &to, today);
    window
        .and_then(|window| window.at_most(most))
        .map_err(|error| Problem::field(error.field(), error.to_string()))
}

/// The account, if one is named.
fn account(fields: &mut Fields, resource: Resource) -> Result<Option<AccountId>, Problem> {
    let Some(id) = fields.optional("account")? else {
        return Ok(None);
    };
    if !resource.has_accounts() {
        return Err(not_taken("account", resource));
    }
    Problem::named("account", AccountId::parse(&id)).map(Some)
}

/// The type, if the resource needs one.
fn direction(fields: &mut Fields, resource: Resource) -> Result<Option<Direction>, Problem> {
    if !resource.has_type() {
        return if fields.has("type") {
            Err(not_taken("type", resource))
        } else {
            Ok(None)
        };
    }
    match fields.required("type")?.as_str() {
        "INFLOW" => Ok(Some(Direction::Inflow)),
        "OUTFLOW" => Ok(Some(Direction::Outflow)),
        _ => Err(Problem::field(
            "type",
            "type must be INFLOW (received) or OUTFLOW (sent)",
        )),
    }
}

fn not_taken(field: &str, resource: Resource) -> Problem {
    Problem::field(
        field,
        format!("{field} is not accepted for {}", resource.name()),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use shared::problem::ProblemKind;
    use time::macros::date;

    use super::*;

    const LINK: &str = "bcca0da9-a4c6-4830-9676-1d54682851d9";

    fn parse_json(body: &Value) -> Result<Retrieval, Value> {
        parse(body.to_string().as_bytes(), date!(2026 - 03 - 01))
            .map_err(|problem| serde_json::to_value(problem).unwrap())
    }

    #[test]
    fn the_documented_body_is_a_retrieval_of_transactions() {
        let retrieval =
            parse_json(&json!({"link": LINK, "date_from": "2026-01-01", "date_to": "2026-01-31"}))
                .unwrap();
        assert_eq!(
            (retrieval.link.as_str(), retrieval.resource),
            (LINK, Resource::TRANSACTIONS)
        );
        assert_eq!(
            retrieval.window.unwrap().to_string(),
            "2026-01-01..2026-01-31"
        );
        assert_eq!((retrieval.account, retrieval.direction), (None, None));
    }

    #[test]
    fn a_mistake_names_its_field() {
        let good = json!({"link": LINK, "date_from": "2026-01-01", "date_to": "2026-01-31"});
        let cases = [
            ("link", json!("1")),
            ("link", json!(null)),
            ("date_from", json!(20_260_101)),
            ("date_from", json!("2026-02-01")),
            ("date_from", json!("2025-01-30")),
            ("date_to", json!("2026-03-02")),
            ("account", json!("a1")),
            ("resource", json!("owners")),
            ("acount", json!("a")),
        ];
        for (field, value) in cases {
            let mut body = good.clone();
            body[field] = value;
            assert_eq!(parse_json(&body).unwrap_err()["field"], field, "{body}");
        }
    }

    #[test]
    fn each_resource_takes_what_its_post_takes() {
        let dates = json!({"date_from": "2026-01-01", "date_to": "2026-01-31"});
        let cases = [
            ("invoices", json!({"type": "INFLOW"}), Err("date_from")),
            ("invoices", dates.clone(), Err("type")),
            ("employments", json!({}), Ok(())),
            ("employments", dates.clone(), Ok(())),
            (
                "employments",
                json!({"date_to": "2026-01-31"}),
                Err("date_from"),
            ),
            ("employment-records", json!({}), Ok(())),
            ("employment-records", dates, Err("date_from")),
            (
                "financial-statements",
                json!({"date_to": "2026-01-31"}),
                Err("date_to"),
            ),
            (
                "financial-statements",
                json!({"type": "INFLOW"}),
                Err("type"),
            ),
            (
                "financial-statements",
                json!({"account": "a"}),
                Err("account"),
            ),
        ];
        for (resource, mut body, expected) in cases {
            body["link"] = json!(LINK);
            body["resource"] = json!(resource);
            let outcome =
                parse_json(&body).map_err(|problem| problem["field"].as_str().unwrap().to_owned());
            assert_eq!(
                outcome.as_ref().map(|_| ()).map_err(String::as_str),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn a_null_counts_as_absent_where_nothing_is_taken() {
        for resource in ["employments", "employment-records"] {
            let mut body = json!({"link": LINK, "resource": resource});
            for field in ["date_from", "date_to", "account", "type"] {
                body[field] = json!(null);
            }
            assert_eq!(parse_json(&body).unwrap().window, None, "{body}");
        }
    }

    #[test]
    fn a_window_may_have_a_year_where_belvo_limits_it() {
        let mut body = json!({"link": LINK, "date_from": "2025-01-31", "date_to": "2026-01-31"});
        assert!(parse_json(&body).is_ok());
        body["date_from"] = json!("2025-01-30");
        let problem = parse_json(&body).unwrap_err();
        assert_eq!(problem["field"], "date_from");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("365 days"), "{detail}");
        assert!(detail.contains("several requests"), "{detail}");

        body["resource"] = json!("employments");
        assert!(parse_json(&body).is_ok());
    }

    #[test]
    fn an_account_is_sent_in_one_spelling() {
        let body = json!({
            "link": LINK, "date_from": "2026-01-01", "date_to": "2026-01-31",
            "account": "1C83F1F54B594C0BA1A53A9D1A6A5B0E",
        });
        let account = parse_json(&body).unwrap().account.unwrap();
        assert_eq!(account.as_str(), "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e");
    }

    #[test]
    fn an_invoice_is_requested_by_its_type() {
        let body = |kind| json!({"link": LINK, "resource": "invoices", "date_from": "2026-01-01", "date_to": "2026-01-31", "type": kind});
        assert_eq!(
            parse_json(&body("OUTFLOW")).unwrap().direction,
            Some(Direction::Outflow)
        );
        assert_eq!(parse_json(&body("both")).unwrap_err()["field"], "type");
    }

    #[test]
    fn a_body_that_is_not_an_object_is_refused_with_the_expected_shape() {
        for body in ["", "[]", "{", "null"] {
            let problem = parse(body.as_bytes(), date!(2026 - 03 - 01)).unwrap_err();
            assert_eq!(problem.kind(), ProblemKind::InvalidBody, "{body}");
            assert_eq!(json!(problem)["detail"], SHAPE, "{body}");
        }
    }
}
