//! [`Lookup`]: names become the addresses that are connected to, and no others.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use auth_core::Forbidden;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::rule::Rule;

/// What knows the addresses of a name.
pub(crate) type Resolve = fn(Name) -> Resolved;
type Resolved = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The system.
pub(crate) fn by_system(name: Name) -> Resolved {
    // The port is that of the URL.
    Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
}

/// Resolves names, and leaves out what the rule forbids.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    pub(crate) rule: Rule,
    pub(crate) resolve: Resolve,
}

impl Service<Name> for Lookup {
    type Response = IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<IntoIter<SocketAddr>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (rule, found) = (self.rule, (self.resolve)(name));
        Box::pin(async move { permitted(rule, found.await?.into_iter()).map_err(io::Error::other) })
    }
}

fn permitted(
    rule: Rule,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<IntoIter<SocketAddr>, Forbidden> {
    let mut refused = Forbidden("its host has no address");
    let mut permitted = Vec::new();
    for address in found {
        match rule.check_address(address.ip()) {
            Ok(()) => permitted.push(address),
            Err(why) => refused = why,
        }
    }
    if permitted.is_empty() { Err(refused) } else { Ok(permitted.into_iter()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(of: &[&str]) -> Vec<SocketAddr> {
        of.iter().map(|one| one.parse().unwrap()).collect()
    }

    #[test]
    fn only_public_addresses_of_a_name_are_connected_to() {
        let left = |of: &[&str]| {
            permitted(Rule::default(), addresses(of).into_iter()).map(Iterator::collect::<Vec<_>>)
        };
        let mixed = left(&["127.0.0.1:0", "8.8.8.8:0", "[::1]:0"]).unwrap();
        assert_eq!(mixed, addresses(&["8.8.8.8:0"]));
        assert!(left(&["10.0.0.1:0", "[fd00::1]:0"]).is_err());
        assert!(left(&[]).is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_when_it_is_resolved() {
        let name = || "localhost".parse::<Name>().unwrap();
        let open = Rule { private_networks: true, plaintext: true };
        let lookup = |rule| Lookup { rule, resolve: by_system };
        assert!(lookup(open).call(name()).await.unwrap().all(|address| address.ip().is_loopback()));
        let refused = lookup(Rule::default()).call(name()).await.unwrap_err();
        assert!(refused.get_ref().unwrap().is::<Forbidden>());
        assert!(!refused.to_string().contains("127.0.0.1"), "{refused}");
    }
}
