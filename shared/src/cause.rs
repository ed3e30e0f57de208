//! An error with its causes, for the log.

use std::{error::Error, fmt};

/// Shows an error and everything that caused it, as one line.
#[must_use]
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + 'a {
    Chain(error)
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_chain_names_every_cause() {
        let cause = std::io::Error::other("connection refused");
        let error = StoreError::Unavailable("GetItem", Box::new(cause));
        assert_eq!(
            chain(&error).to_string(),
            "DynamoDB did not answer GetItem: connection refused"
        );
    }
}
