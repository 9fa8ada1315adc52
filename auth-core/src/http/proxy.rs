//! [`Peer`]: where a request comes from, and whose word on it counts.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The address of the other end of the connection. Adapters put it into the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "adapters make it")]
pub struct Peer(pub IpAddr);

/// Proxies whose `X-Forwarded-For` is believed; from anyone else the header is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<(IpAddr, u8)>);

impl TrustedProxies {
    /// Nobody.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a list of addresses and networks, such as `10.0.0.0/8` and `::1`.
    ///
    /// # Errors
    /// [`InvalidNetwork`] names the entry.
    pub fn parse<'a>(list: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidNetwork> {
        let parse = |entry: &str| {
            let (address, bits) = match entry.split_once('/') {
                Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
                None => (entry, None),
            };
            let address: IpAddr = address.parse().ok()?;
            let all = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.unwrap_or(all);
            (bits <= all).then_some((address, bits))
        };
        list.into_iter()
            .map(|entry| parse(entry).ok_or_else(|| InvalidNetwork(entry.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The client's address: the last one of `X-Forwarded-For` that is not a trusted proxy itself, if
    /// the peer is one; else the peer.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let mut client = peer;
        let lines: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .collect();
        for hop in lines.iter().rev() {
            let hop = hop.trim();
            // Some load balancers add the port.
            let with_port = || hop.parse().map(|peer: SocketAddr| peer.ip());
            let Ok(address) = hop.parse().or_else(|_| with_port()) else { break };
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|(network, bits)| match (network, address) {
            (IpAddr::V4(n), IpAddr::V4(a)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0);
                n.to_bits() & mask == a.to_bits() & mask
            }
            (IpAddr::V6(n), IpAddr::V6(a)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or(0);
                n.to_bits() & mask == a.to_bits() & mask
            }
            _ => false,
        })
    }
}

/// An entry of a list of trusted proxies is not an address or network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address or network such as 10.0.0.0/8")]
#[non_exhaustive]
pub struct InvalidNetwork(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &'static str) -> String {
        let proxies = TrustedProxies::parse(["10.0.0.0/8", "::1"]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", http::HeaderValue::from_static(forwarded));
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("192.0.2.1", "198.51.100.7"), "192.0.2.1");
        assert_eq!(client("10.1.2.3", "198.51.100.7"), "198.51.100.7");
        assert_eq!(client("10.1.2.3", "1.1.1.1, 198.51.100.7, 10.9.9.9"), "198.51.100.7");
        assert_eq!(client("10.1.2.3", "198.51.100.7:4711"), "198.51.100.7");
        assert_eq!(client("::1", "garbage"), "::1");
    }

    #[test]
    fn entries_that_are_no_networks_are_named() {
        for entry in ["10.0.0.0/33", "example.com", "", "::/129"] {
            assert!(TrustedProxies::parse([entry]).is_err(), "{entry}");
        }
    }
}
