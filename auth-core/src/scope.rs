//! [`Scopes`]: a set of scope values (RFC 6749 §3.3).

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of scope values in the order in which they were asked for.
///
/// An empty set grants nothing; it never means "all".
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// The longest `scope` parameter, in bytes.
    pub const MAX_LEN: usize = 4096;

    /// Reads a `scope` parameter: values separated by single blanks, each of the characters that RFC
    /// 6749 §3.3 permits. A value that stands twice counts once.
    ///
    /// # Errors
    /// [`InvalidScope`] for another character, an empty value, or over 4096 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidScope);
        }
        let permitted = |b: u8| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        let (mut scopes, mut seen) = (Vec::new(), HashSet::new());
        for value in text.split(' ').filter(|_| !text.is_empty()) {
            if value.is_empty() || !value.bytes().all(permitted) {
                return Err(InvalidScope);
            }
            if seen.insert(value) {
                scopes.push(value.to_owned());
            }
        }
        Ok(Self(scopes))
    }

    /// Adds a value if it is not there yet.
    pub fn insert(&mut self, value: &str) {
        if !self.contains(value) {
            self.0.push(value.to_owned());
        }
    }

    /// Whether the set has `value`.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        self.0.iter().any(|scope| scope == value)
    }

    /// Whether every value of this set is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|scope| other.contains(scope))
    }

    /// The values that are in both sets, in the order of this one.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.0.iter().filter(|scope| other.contains(scope)).cloned().collect()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromIterator<String> for Scopes {
    fn from_iter<I: IntoIterator<Item = String>>(values: I) -> Self {
        let mut scopes = Self::default();
        values.into_iter().for_each(|value| scopes.insert(&value));
        scopes
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl TryFrom<String> for Scopes {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.0.join(" ")
    }
}

/// A `scope` parameter is not of the form of RFC 6749 §3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("scope is a list of printable values separated by single blanks, at most 4096 bytes long")]
#[non_exhaustive]
pub struct InvalidScope;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_order_and_once() {
        let scopes = Scopes::parse("openid email openid").unwrap();
        assert_eq!(scopes.to_string(), "openid email");
        assert!(Scopes::parse("").unwrap().is_empty());
    }

    #[test]
    fn other_characters_are_refused() {
        for text in ["a\tb", "a  b", " a", "a ", "a\"", "a\\b", "é", "a\nb"] {
            assert_eq!(Scopes::parse(text), Err(InvalidScope), "{text:?}");
        }
        assert_eq!(Scopes::parse(&"a ".repeat(3000)), Err(InvalidScope));
    }
}
