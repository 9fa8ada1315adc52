//! [`Scopes`]: a set of scope values (RFC 6749 §3.3).

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A set of scope values in the order in which they were asked for.
///
/// An empty set grants nothing; it never means "all".
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Scopes {
    /// As a parameter has them: separated by single blanks, each once.
    text: String,
}

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
        let mut scopes = Self { text: String::with_capacity(text.len()) };
        let mut seen = HashSet::new();
        for (number, value) in text.split(' ').filter(|_| !text.is_empty()).enumerate() {
            if value.is_empty() || !value.bytes().all(permitted) {
                return Err(InvalidScope);
            }
            // A few are compared faster than they are hashed; many come from whoever wants it to take long.
            if number == Self::FEW {
                seen.extend(text.split(' ').take(number));
            }
            let known = match number < Self::FEW {
                true => scopes.contains(value),
                false => !seen.insert(value),
            };
            if !known {
                scopes.push(value);
            }
        }
        Ok(scopes)
    }

    /// How many values are looked through one by one.
    const FEW: usize = 16;

    fn push(&mut self, value: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(value);
    }

    /// Adds a value if it is not there yet; with blanks in it, it is several.
    pub fn insert(&mut self, value: &str) {
        for value in value.split(' ').filter(|value| !value.is_empty()) {
            if !self.contains(value) {
                self.push(value);
            }
        }
    }

    /// Whether the set has `value`.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        self.iter().any(|scope| scope == value)
    }

    /// Whether every value of this set is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope))
    }

    /// The values that are in both sets, in the order of this one.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        self.iter().filter(|scope| other.contains(scope)).for_each(|scope| both.push(scope));
        both
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split(' ').filter(|value| !value.is_empty())
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
        f.write_str(&self.text)
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
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
        scopes.text
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
        let many: Vec<String> = (0..100).map(|number| (number % 40).to_string()).collect();
        assert_eq!(Scopes::parse(&many.join(" ")).unwrap().iter().count(), 40);
        assert_eq!(Scopes::from_iter(many).iter().count(), 40);
    }

    #[test]
    fn a_blank_is_in_no_value() {
        let scopes = Scopes::from_iter(["a b".to_owned(), "b".to_owned(), String::new()]);
        assert_eq!(scopes, Scopes::parse("a b").unwrap());
        assert!(!scopes.contains("a b") && !scopes.contains(""));
    }

    #[test]
    fn other_characters_are_refused() {
        for text in ["a\tb", "a  b", " a", "a ", "a\"", "a\\b", "é", "a\nb"] {
            assert_eq!(Scopes::parse(text), Err(InvalidScope), "{text:?}");
        }
        assert_eq!(Scopes::parse(&"a ".repeat(3000)), Err(InvalidScope));
    }
}
