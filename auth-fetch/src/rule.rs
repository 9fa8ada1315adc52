//! [`Rule`]: where requests may go.

use std::net::IpAddr;

use auth_core::Forbidden;
use url::{Host, Url};

use crate::global::is_global;

/// Where requests may go.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rule {
    /// Into networks that are not public, too.
    pub(crate) private_networks: bool,
    /// By http, too.
    pub(crate) plaintext: bool,
}

/// Names under which nobody on the public internet can be reached (RFC 6761, RFC 6762, RFC 8375, RFC 9476).
const PRIVATE_NAMES: &[&str] = &[
    "alt",
    "example",
    "home.arpa",
    "internal",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "test",
];

impl Rule {
    /// What the text of a URL tells.
    pub(crate) fn check(self, url: &Url) -> Result<(), Forbidden> {
        match url.scheme() {
            "https" => {}
            "http" if self.plaintext => {}
            _ => return Err(Forbidden("it is not https")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden("it has a user or a password in it"));
        }
        match url.host() {
            None => Err(Forbidden("it names no host")),
            Some(Host::Ipv4(address)) => self.check_address(address.into()),
            Some(Host::Ipv6(address)) => self.check_address(address.into()),
            Some(Host::Domain(name)) => self.check_name(name),
        }
    }

    pub(crate) fn check_address(self, address: IpAddr) -> Result<(), Forbidden> {
        match self.private_networks || is_global(address) {
            true => Ok(()),
            false => Err(Forbidden("its host is not on the public internet")),
        }
    }

    fn check_name(self, name: &str) -> Result<(), Forbidden> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let under = |domain: &&str| {
            name.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let private = !name.contains('.') || PRIVATE_NAMES.iter().any(under);
        match private && !self.private_networks {
            true => Err(Forbidden("its host is not on the public internet")),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: Rule, url: &str) -> Result<(), Forbidden> {
        rule.check(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_132_a_url_tells_whether_it_leads_to_the_public_internet() {
        for good in [
            "https://rp.example.com/logout",
            "https://rp.example.com:8443/",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
            "https://internal.example.com/",
            "https://localhost.example.com/",
        ] {
            assert_eq!(check(Rule::default(), good), Ok(()), "{good}");
        }
        for bad in [
            "http://rp.example.com/",
            "ftp://rp.example.com/",
            "file:///etc/passwd",
            "gopher://rp.example.com/",
            "https://user@rp.example.com/",
            "https://:secret@rp.example.com/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://169.254.169.254/latest/",
            "https://10.0.0.1/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://app.localhost/",
            "https://redis/",
            "https://redis./",
            "https://db.internal/",
            "https://printer.local./",
            "https://0/",
            "https://127.0.0.1./",
        ] {
            assert!(check(Rule::default(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_insecure_is_permitted_one_by_one() {
        let private = Rule { private_networks: true, plaintext: false };
        assert_eq!(check(private, "https://10.0.0.1/"), Ok(()));
        assert_eq!(check(private, "https://redis/"), Ok(()));
        assert!(check(private, "http://10.0.0.1/").is_err());
        let plain = Rule { private_networks: false, plaintext: true };
        assert_eq!(check(plain, "http://rp.example.com/"), Ok(()));
        assert!(check(plain, "http://10.0.0.1/").is_err());
        assert!(check(plain, "ftp://rp.example.com/").is_err());
    }
}
