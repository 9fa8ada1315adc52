//! `client_secret_basic` and `client_secret_post`.

use auth_core::Secret;
use auth_core::decision::{Cx, Done, Facts, Work};
use subtle::ConstantTimeEq;

use crate::client::ClientRecord;
use crate::client::record::{SecretAtRest, sha256};
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
    for stored in record.live_secrets(cx.now) {
        let good = match stored {
            SecretAtRest::Sha256(hash) => {
                let digest = sha256(cx.tenant.id, &record.client.client_id, presented);
                bool::from(digest.as_bytes().ct_eq(hash.as_bytes()))
            }
            SecretAtRest::Phc(hash) => {
                let work = Work::VerifyPassword { hash: hash.clone(), password: presented.clone() };
                matches!(facts.done(&work)?, Done::Verified(true))
            }
            // Of a client that came by assertions before.
            SecretAtRest::Sealed(_) => {
                let secret = stored.open(&cx.tenant.keys, &record.client.client_id);
                secret.is_some_and(|it| bool::from(presented.expose().as_bytes().ct_eq(&it)))
            }
        };
        if good {
            return Ok(true);
        }
    }
    Ok(false)
}
