//! The tenants that may have records.

use auth_store::{StoreError, TenantId};

use crate::packed::Damage;
use crate::reply;
use crate::store::RedisStore;

/// How many tenants are asked at once, on one connection.
pub(crate) const AT_ONCE: usize = 32;

impl RedisStore {
    /// All of them in their order, from `from` on.
    pub(crate) async fn tenants(
        &self,
        from: Option<TenantId>,
    ) -> Result<Vec<TenantId>, StoreError> {
        let key = self.names.tenants();
        let low = from.map_or_else(|| "-".to_owned(), |tenant| format!("[{tenant}"));
        let mut command = redis::cmd("ZRANGEBYLEX");
        command.arg(&key).arg(low).arg("+");
        let list = reply::list(self.server.read(key.as_bytes(), &command).await?)?;
        let tenant = |value| reply::text(value)?.parse().map_err(|_| Damage::Member);
        Ok(list.into_iter().map(tenant).collect::<Result<_, Damage>>()?)
    }
}
