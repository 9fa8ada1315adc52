//! Client authentication (RFC 6749 §2.3, RFC 7523, OpenID Connect Core §9).

mod assertion;
mod credentials;
mod secret;

use std::sync::Arc;

use auth_core::ClientId;
use auth_core::decision::{Asks, Cx, Facts};
use auth_core::record::Found;

pub(crate) use credentials::{Credential, Presented};

use crate::client::{Client, ClientRecord, TokenEndpointAuthMethod};
use crate::explain::Explained;
use crate::refusal::{ErrorCode, Refusal};
use crate::stop::Stop;

/// A client that proved who it is; only [`authenticate`] makes one.
#[derive(Debug, Clone)]
pub(crate) struct AuthenticatedClient {
    record: Arc<Found<ClientRecord>>,
}

impl AuthenticatedClient {
    pub(crate) fn client(&self) -> &Client {
        &self.record.value.client
    }

    pub(crate) fn id(&self) -> &ClientId {
        &self.client().client_id
    }

    /// The generation that what it gets for itself is issued in.
    pub(crate) fn generation(&self) -> u64 {
        self.record.value.generation
    }
}

/// The facts that authentication needs.
pub(crate) fn asks(presented: &Presented) -> Asks {
    Asks::none().read_cached(&ClientRecord::at(&presented.client_id))
}

/// Establishes who the client is.
pub(crate) fn authenticate(
    presented: &Presented,
    facts: &Facts,
    cx: &Cx<'_>,
) -> Result<AuthenticatedClient, Stop<Refusal>> {
    let refuse = |description: &str| {
        let refusal = Refusal::new(ErrorCode::InvalidClient, description);
        let refusal = refusal.by(match presented.credential {
            Credential::Assertion(_) => "RFC 7523 §3, OpenID Connect Core §9",
            _ => "RFC 6749 §2.3, §5.2",
        });
        Refusal { basic: presented.basic, ..refusal }
    };
    let record = facts.read(&ClientRecord::at(&presented.client_id))?;
    let Some(record) = record.filter(|record| !record.value.disabled) else {
        return Err(refuse("the client is unknown, or its authentication failed").into());
    };
    let method = record.value.client.token_endpoint_auth_method;
    let good = match (&presented.credential, method) {
        (Credential::None, TokenEndpointAuthMethod::None) => true,
        (Credential::Basic(secret), TokenEndpointAuthMethod::ClientSecretBasic)
        | (Credential::Post(secret), TokenEndpointAuthMethod::ClientSecretPost) => {
            secret::verify(&record.value, secret, facts, cx)?
        }
        (
            Credential::Assertion(assertion),
            TokenEndpointAuthMethod::PrivateKeyJwt | TokenEndpointAuthMethod::ClientSecretJwt,
        ) => {
            if let Err(reason) = assertion::verify(&record.value, assertion.expose(), facts, cx)? {
                return Err(
                    refuse(&format!("the client assertion is not accepted: {reason}")).into()
                );
            }
            true
        }
        (Credential::None, _) => {
            let registered = method.as_str();
            let text = format!("the client must authenticate by {registered}");
            return Err(refuse(&text).into());
        }
        _ => {
            let registered = method.as_str();
            let text = format!("the client is registered to authenticate by {registered}");
            return Err(refuse(&text).into());
        }
    };
    if !good {
        return Err(refuse("the client is unknown, or its authentication failed").into());
    }
    Ok(AuthenticatedClient { record })
}
