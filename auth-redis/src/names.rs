//! [`Names`]: the keys of Redis under which a namespace keeps its data.

use auth_store::TenantId;

/// The names of one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    namespace: String,
}

impl Names {
    /// The names of `namespace`, if it is 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`:
    /// none that could end a hash tag.
    pub(crate) fn new(namespace: &str) -> Option<Self> {
        let permitted = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let fits = (1..=64).contains(&namespace.len()) && namespace.bytes().all(permitted);
        fits.then(|| Self { namespace: namespace.to_owned() })
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The set of all tenants that may have records.
    pub(crate) fn tenants(&self) -> String {
        format!("{{{}}}:tenants", self.namespace)
    }

    /// The version of this layout.
    pub(crate) fn layout(&self) -> String {
        format!("{{{}}}:layout", self.namespace)
    }

    /// One of a tenant's keys. They share a hash tag, and with it a slot of a cluster.
    fn of(&self, tenant: TenantId, part: &str) -> String {
        format!("{{{}:{tenant}}}:{part}", self.namespace)
    }

    /// The hash of the tenant's records.
    pub(crate) fn records(&self, tenant: TenantId) -> String {
        self.of(tenant, "records")
    }

    /// The set of its keys, in their order.
    pub(crate) fn order(&self, tenant: TenantId) -> String {
        self.of(tenant, "order")
    }

    /// The set of its index entries, in their order.
    pub(crate) fn index(&self, tenant: TenantId) -> String {
        self.of(tenant, "index")
    }

    /// The set of the keys in `queue`, by due time.
    pub(crate) fn queue(&self, tenant: TenantId, queue: &str) -> String {
        self.of(tenant, queue)
    }

    /// What the scripts that write are given, in the order in which `record.lua` takes them.
    pub(crate) fn all(&self, tenant: TenantId) -> [String; 7] {
        [
            self.records(tenant),
            self.order(tenant),
            self.index(tenant),
            self.of(tenant, "kept"),
            self.queue(tenant, "outbox"),
            self.queue(tenant, "jobs"),
            self.of(tenant, "registered"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::slot;

    #[test]
    fn a_tenant_s_keys_share_a_slot() {
        let names = Names::new("auth").unwrap();
        let slots = names.all(TenantId::DEFAULT).map(|key| slot(key.as_bytes()));
        assert!(slots.iter().all(|other| *other == slots[0]), "{slots:?}");
        let other = names.records(TenantId::new("other").unwrap());
        assert_ne!(slot(other.as_bytes()), slots[0]);
    }

    #[test]
    fn a_namespace_that_would_end_the_hash_tag_is_refused() {
        assert!(Names::new("a-B_9.x").is_some());
        for odd in ["", "a}b", "{", "a:b", "ä", &"n".repeat(65)] {
            assert!(Names::new(odd).is_none(), "{odd}");
        }
    }
}
