//! [`Operation`]: what is measured.

use auth_core::keys::SigningAlgorithm;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    ClientCredentials,
    Jwt(SigningAlgorithm),
    Introspection,
    Refresh,
    /// From a browser without cookies, through the pages for sign-in and consent, to tokens.
    Flow,
    /// Of somebody who is signed in and has consented.
    FlowWithSession,
    Discovery,
    Jwks,
}

impl Operation {
    pub(crate) const ALL: [Self; 10] = [
        Self::ClientCredentials,
        Self::Jwt(SigningAlgorithm::Es256),
        Self::Jwt(SigningAlgorithm::EdDsa),
        Self::Jwt(SigningAlgorithm::Rs256),
        Self::Introspection,
        Self::Refresh,
        Self::Flow,
        Self::FlowWithSession,
        Self::Discovery,
        Self::Jwks,
    ];

    /// By which a command line chooses it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ClientCredentials => "opaque",
            Self::Jwt(SigningAlgorithm::Es256) => "es256",
            Self::Jwt(SigningAlgorithm::EdDsa) => "eddsa",
            Self::Jwt(_) => "rs256",
            Self::Introspection => "introspection",
            Self::Refresh => "refresh",
            Self::Flow => "flow",
            Self::FlowWithSession => "session",
            Self::Discovery => "discovery",
            Self::Jwks => "jwks",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials, opaque",
            Self::Jwt(SigningAlgorithm::Es256) => "client_credentials, JWT by ES256",
            Self::Jwt(SigningAlgorithm::EdDsa) => "client_credentials, JWT by EdDSA",
            Self::Jwt(_) => "client_credentials, JWT by RS256",
            Self::Introspection => "introspection, opaque",
            Self::Refresh => "refresh, with an id token",
            Self::Flow => "sign-in, consent, code, tokens",
            Self::FlowWithSession => "code, tokens with a session",
            Self::Discovery => "discovery",
            Self::Jwks => "JWKS",
        }
    }

    /// How many are a batch.
    pub(crate) fn calls(self) -> usize {
        match self {
            Self::Flow => 128,
            Self::Jwt(_) | Self::FlowWithSession | Self::Refresh => 256,
            _ => 512,
        }
    }

    /// How often the peer is to cost what ours does, at least; 0 if nothing is said.
    pub(crate) fn wanted(self) -> f64 {
        match self {
            Self::ClientCredentials | Self::Jwks => 8.0,
            Self::Introspection | Self::Discovery => 10.0,
            Self::Jwt(SigningAlgorithm::Es256) => 6.0,
            Self::FlowWithSession => 15.0,
            _ => 0.0,
        }
    }

    /// How often its floor it is to cost at most.
    pub(crate) fn bound(self) -> f64 {
        match self {
            Self::Jwt(SigningAlgorithm::Rs256) => 1.2,
            _ => 1.5,
        }
    }
}
