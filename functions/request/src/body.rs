//! The body of `POST /requests`.

use shared::{
    belvo::Retrieval,
    domain::{AccountId, LinkId, Resource, Window},
    problem::Problem,
};
use time::Date;

use crate::fields::Fields;

const SHAPE: &str = r#"the body must be a JSON object such as {"link": "bcca0da9-a4c6-4830-9676-1d54682851d9", "date_from": "2026-01-01", "date_to": "2026-01-31"}"#;

/// Reads and validates the body. Unknown fields are refused: a misspelt `account` would spend a retrieval on all
/// accounts.
pub(crate) fn parse(body: &[u8], today: Date) -> Result<Retrieval, Problem> {
    let mut fields = Fields::parse(body, SHAPE)?;
    let link = fields.required("link")?;
    let from = fields.required("date_from")?;
    let to = fields.required("date_to")?;
    let account = fields.optional("account")?;
    let resource = fields.optional("resource")?;
    fields.end("link, date_from, date_to, account and resource")?;
    let resource = match resource {
        None => Resource::TRANSACTIONS,
        Some(name) => Resource::by_name(&name)
            .ok_or_else(|| Problem::field("resource", "resource must be `transactions`, or be left out"))?,
    };
    Ok(Retrieval {
        resource,
        link: LinkId::parse(&link).map_err(|error| Problem::field("link", format!("link {error}")))?,
        window: Window::parse(&from, &to, today).map_err(|error| Problem::field(error.field(), error.to_string()))?,
        account: account
            .map(|id| AccountId::parse(&id))
            .transpose()
            .map_err(|error| Problem::field("account", format!("account {error}")))?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::date;

    use super::*;

    const LINK: &str = "bcca0da9-a4c6-4830-9676-1d54682851d9";

    fn parse_json(body: &Value) -> Result<Retrieval, Value> {
        parse(body.to_string().as_bytes(), date!(2026 - 03 - 01))
            .map_err(|problem| serde_json::to_value(problem).unwrap())
    }

    #[test]
    fn the_documented_body_is_a_retrieval_of_transactions() {
        let retrieval = parse_json(&json!({"link": LINK, "date_from": "2026-01-01", "date_to": "2026-01-31"})).unwrap();
        assert_eq!((retrieval.link.as_str(), retrieval.resource), (LINK, Resource::TRANSACTIONS));
        assert_eq!((retrieval.window.to_string().as_str(), retrieval.account), ("2026-01-01..2026-01-31", None));
    }

    #[test]
    fn a_mistake_names_its_field() {
        let good = json!({"link": LINK, "date_from": "2026-01-01", "date_to": "2026-01-31"});
        let cases = [
            ("link", json!("1")),
            ("link", json!(null)),
            ("date_from", json!(20_260_101)),
            ("date_from", json!("2026-02-01")),
            ("date_to", json!("2026-03-02")),
            ("account", json!("two words")),
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
    fn what_is_no_object_is_told_what_it_should_be() {
        for body in ["", "[]", "{", "null"] {
            let problem = parse(body.as_bytes(), date!(2026 - 03 - 01)).unwrap_err();
            assert_eq!(problem.status(), 400);
        }
    }
}
