//! What is printed in place of a person's data.

use std::fmt;

/// Stands for a text that no log line and no panic may show.
pub struct Hidden {
    bytes: usize,
}

impl Hidden {
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self { bytes: text.len() }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Account, Balance, Failure, Fields, Row, RowId, Timestamp};

    const CANARY: &str = "Maria Plantada";

    #[test]
    fn nothing_of_a_person_is_printed() {
        let text = json!({"id": "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e", "name": CANARY});
        let text = text.to_string();
        let row = Row::from_text(RowId::parse("row").unwrap(), &text);
        let account = Account::parse(&text);
        let fields = Fields::of(&text);
        let balance = Balance {
            collected_at: Some(CANARY.to_owned()),
            observed_at: Timestamp::now(),
            request: None,
            balance: json!({"current": CANARY}),
        };
        let failure = Failure {
            code: "login_error".to_owned(),
            message: CANARY.to_owned(),
        };
        assert!(row.is_some() && account.is_some() && fields.is_some());
        let printed = format!("{row:?} {account:?} {fields:?} {balance:?} {failure:?}");
        assert!(!printed.contains(CANARY), "{printed}");
        assert!(printed.contains("<14 bytes>"), "{printed}");
    }
}
