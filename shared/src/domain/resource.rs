//! What can be retrieved asynchronously. Belvo takes the same header on more POSTs than transactions
//! (`X-Belvo-Request-Mode` in Belvo's OpenAPI). Issuing, recording and announcing another one is a line in [`RESOURCES`];
//! its rows are stored as they are if they look like transactions to a reader: an `id`, a `value_date`, an `account`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A Belvo resource that answers an asynchronous POST with a webhook and is then read by GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    name: &'static str,
    path: &'static str,
    webhook_type: &'static str,
}

/// Every resource the pipeline retrieves.
pub const RESOURCES: &[Resource] =
    &[Resource { name: "transactions", path: "api/transactions/", webhook_type: "TRANSACTIONS" }];

impl Resource {
    /// The resource of Brazilian bank movements, and the one meant when a request names none.
    pub const TRANSACTIONS: Self = RESOURCES[0];

    /// Looks a resource up by the name used in requests, such as `transactions`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        RESOURCES.iter().copied().find(|resource| resource.name == name)
    }

    /// Looks a resource up by the `webhook_type` that announces it, such as `TRANSACTIONS`.
    #[must_use]
    pub fn by_webhook_type(webhook_type: &str) -> Option<Self> {
        RESOURCES.iter().copied().find(|resource| resource.webhook_type == webhook_type)
    }

    /// The name used in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The `webhook_type` that announces it.
    #[must_use]
    pub fn webhook_type(self) -> &'static str {
        self.webhook_type
    }

    /// The path below Belvo's base URL, without a leading slash.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.path
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::by_name(&name).ok_or_else(|| D::Error::custom("no resource of this pipeline"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_found_by_its_name_and_by_its_webhook() {
        assert_eq!(Resource::by_name("transactions"), Some(Resource::TRANSACTIONS));
        assert_eq!(Resource::by_webhook_type("TRANSACTIONS"), Some(Resource::TRANSACTIONS));
        assert_eq!(Resource::by_name("TRANSACTIONS"), None);
        assert_eq!(Resource::by_webhook_type("ACCOUNTS"), None);
    }
}
