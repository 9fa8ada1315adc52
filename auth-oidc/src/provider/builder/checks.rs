//! What is checked before a provider is built: each check adds its problems to the list.

use std::time::Duration;

use auth_core::keys::{InvalidSigningKey, Recipient, SigningAlgorithm, SigningKey};
use auth_core::seal::DeploymentSecrets;
use auth_core::{Issuer, Secret};

use crate::client::Client;
use crate::endpoint::jwks;
use crate::provider::{Config, Problem, ProviderBuilder};

impl ProviderBuilder {
    pub(super) fn check_issuer(&self, problems: &mut Vec<Problem>) -> Option<Issuer> {
        let issuer = match Issuer::parse(&self.issuer) {
            Ok(issuer) => issuer,
            Err(reason) => {
                problems.push(Problem::Issuer { issuer: self.issuer.clone(), reason });
                return None;
            }
        };
        match (self.development, issuer.is_secure(), issuer.is_loopback()) {
            (false, false, _) => problems.push(Problem::InsecureIssuer(self.issuer.clone())),
            (true, _, false) => problems.push(Problem::DevelopmentIssuer(self.issuer.clone())),
            _ => {}
        }
        Some(issuer)
    }

    pub(super) fn check_secrets(&self, problems: &mut Vec<Problem>) -> Option<DeploymentSecrets> {
        if self.secrets.is_empty() && self.development {
            return Some(DeploymentSecrets::insecure_development());
        }
        DeploymentSecrets::new(self.secrets.clone())
            .map_err(|error| problems.push(Problem::Secret(error)))
            .ok()
    }

    pub(super) fn check_keys(&self, problems: &mut Vec<Problem>) -> Vec<SigningKey> {
        let wanted = &self.keys.algorithms;
        for algorithm in [self.config.tokens.signing_algorithm]
            .into_iter()
            .chain(self.clients.iter().flat_map(Client::signed_by).map(|(_, algorithm)| algorithm))
        {
            if !wanted.contains(&algorithm) {
                problems.push(Problem::NoKeyFor(algorithm));
            }
        }
        for algorithm in wanted.iter().filter(|algorithm| algorithm.is_rsa()) {
            let supplied = self.pems.iter().any(|(known, _)| known == algorithm);
            if !supplied && !cfg!(feature = "aws-lc") {
                let reason = InvalidSigningKey::NoGenerator;
                problems.push(Problem::SigningKey { algorithm: *algorithm, reason });
            }
        }
        if self.config.encryption && !Recipient::AVAILABLE {
            problems.push(Problem::NoEncryption);
        }
        let read = |(algorithm, pem): &(SigningAlgorithm, Secret)| {
            SigningKey::from_pem(*algorithm, pem)
                .map_err(|reason| {
                    problems.push(Problem::SigningKey { algorithm: *algorithm, reason });
                })
                .ok()
        };
        let keys: Vec<SigningKey> = self.pems.iter().filter_map(read).collect();
        for (at, key) in keys.iter().enumerate() {
            let same = |other: &&SigningKey| {
                other.kid() == key.kid() && other.algorithm() != key.algorithm()
            };
            if let Some(other) = keys[..at].iter().find(same) {
                problems.push(Problem::SharedKey(other.algorithm(), key.algorithm()));
            }
        }
        keys
    }

    /// Lifetimes that nobody can mean, or that would let a key go before what it signed.
    pub(super) fn check_lifetimes(&self, problems: &mut Vec<Problem>) {
        let Config { tokens, refresh, sessions, .. } = &self.config;
        let of_clients = self.clients.iter().filter_map(|client| client.signed_for(tokens));
        let of_all = tokens.id_token_lifetime.max(tokens.access_token_lifetime);
        let longest_signed = of_clients.fold(of_all, Duration::max);
        let longest_session = sessions.lifetime.max(sessions.remembered_lifetime);
        let zero = Duration::ZERO;
        let rules = [
            (tokens.access_token_lifetime > zero, "access tokens live for no time at all"),
            (tokens.id_token_lifetime > zero, "id tokens live for no time at all"),
            (tokens.authorization_code_lifetime > zero, "codes live for no time at all"),
            (refresh.idle_lifetime > zero, "refresh tokens live for no time at all"),
            (refresh.absolute_lifetime > zero, "refresh families live for no time at all"),
            (sessions.lifetime > zero, "login sessions live for no time at all"),
            (sessions.challenge_lifetime > zero, "nobody has time to answer a challenge"),
            (
                self.config.deadline > zero,
                "no request has time to be answered: raise `.deadline(…)`",
            ),
            (
                self.keys.keep_after >= longest_signed,
                "signing keys leave before the tokens that they signed: raise `keep_after` in \
                 `.signing_keys(|keys| …)`",
            ),
            (
                self.keys.keep_after >= longest_session,
                "signing keys leave before the sessions that an id token of theirs may ask to end: raise \
                 `keep_after` in `.signing_keys(|keys| …)`, or have shorter sessions",
            ),
            (
                self.keys.publish_before
                    >= jwks::MAX_AGE.saturating_add(self.keys.reload_every.saturating_mul(2)),
                "new signing keys would sign before those know them who keep the JWK set for as long as they may, \
                 300 seconds: raise `publish_before` in `.signing_keys(|keys| …)`",
            ),
            (
                self.keys.reload_every <= self.keys.publish_before / 2,
                "new signing keys would sign before every process knows them: `reload_every` is at \
                 most half of `publish_before` in `.signing_keys(|keys| …)`",
            ),
        ];
        let broken = rules.into_iter().filter(|(holds, _)| !holds);
        problems.extend(broken.map(|(_, text)| Problem::Lifetime(text)));
    }

    pub(super) fn check_clients(&self, problems: &mut Vec<Problem>) {
        let known = self.config.known_scopes();
        for client in &self.clients {
            let checks = [
                client.validate(),
                client.check_outgoing(self.http.as_deref()),
                client.check_subjects(self.config.pairwise_subjects.as_ref()),
                client.check_encryption(self.config.encryption),
            ];
            let failed = checks.into_iter().filter_map(Result::err);
            problems.extend(failed.map(|error| Problem::Client(error.into())));
            for scope in client.scope.iter().filter(|scope| !known.contains(scope)) {
                let (client, scope) = (client.client_id.to_string(), scope.to_owned());
                problems.push(Problem::UnknownScope { client, scope });
            }
        }
    }
}
