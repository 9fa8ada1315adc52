//! `client_secret_basic` and `client_secret_post`.

use auth_core::Secret;
use auth_core::decision::{Cx, Done, Facts, Work};
use subtle::ConstantTimeEq;

use crate::client::ClientRecord;
use crate::client::record::{SecretHash, sha256};
use crate::refusal::Refusal;
use crate::stop::Stop;

/// Whether `presented` is one of the client's secrets that work now.
pub(crate) fn verify(
    record: &ClientRecord,
    presented: &Secret,
    facts: &Facts,
    cx: &Cx<'_>,
) -> Result<bool, Stop<Refusal>> {
    if presented.is_empty() {
        return Ok(false);
    }
    let live = |until: Option<auth_core::Timestamp>| until.is_none_or(|until| cx.now < until);
    for stored in record.secrets.iter().filter(|stored| live(stored.until)) {
        let good = match &stored.hash {
            SecretHash::Sha256(hash) => {
                let digest = sha256(cx.tenant.id, &record.client.client_id, presented);
                bool::from(digest.as_bytes().ct_eq(hash.as_bytes()))
            }
            SecretHash::Phc(hash) => {
                let work = Work::VerifyPassword { hash: hash.clone(), password: presented.clone() };
                matches!(facts.done(&work)?, Done::Verified(true))
            }
        };
        if good {
            return Ok(true);
        }
    }
    Ok(false)
}
