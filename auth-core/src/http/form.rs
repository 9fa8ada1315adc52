//! [`Form`]: the parameters of a request, each at most once.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, header};
use url::form_urlencoded;

/// The media type of a form's body.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Parameters of a query or of an `application/x-www-form-urlencoded` body.
///
/// A parameter that stands twice is refused (RFC 6749 §3.1), unless it is one of those that may be
/// repeated. An empty value counts as absent, as RFC 6749 §3.1 says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form {
    fields: Vec<(String, String)>,
}

impl fmt::Debug for Form {
    /// The names alone: values are passwords, codes and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.iter().map(|(name, _)| name)).finish()
    }
}

/// Parameters cannot be read. Each error names what is wrong, for an `error_description`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A parameter stands twice.
    #[error("the parameter '{0}' stands more than once")]
    Repeated(String),
    /// Not UTF-8.
    #[error("the parameters are not UTF-8")]
    Encoding,
    /// A body of another type (415).
    #[error("the body must be application/x-www-form-urlencoded")]
    ContentType,
    /// More than 100 parameters.
    #[error("there are more than {} parameters", Form::MAX_FIELDS)]
    TooMany,
}

impl Form {
    /// The most parameters of one request.
    pub const MAX_FIELDS: usize = 100;

    /// Parameters that may be repeated: RFC 8707 §2 and the check boxes of our own pages.
    const REPEATABLE: [&str; 2] = ["resource", "grant_scope"];

    /// Reads a query, without its question mark.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn from_query(query: Option<&str>) -> Result<Self, FormError> {
        let mut form = Self::default();
        form.extend(query.unwrap_or_default().as_bytes())?;
        Ok(form)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn from_body(headers: &HeaderMap, body: &Bytes) -> Result<Self, FormError> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let mime = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !mime.eq_ignore_ascii_case(FORM) {
            return Err(FormError::ContentType);
        }
        let mut form = Self::default();
        form.extend(body)?;
        Ok(form)
    }

    /// Adds the parameters of `other`; none may stand in both.
    ///
    /// # Errors
    /// [`FormError::Repeated`].
    pub fn merge(mut self, other: Self) -> Result<Self, FormError> {
        for (name, value) in other.fields {
            self.insert(name, value)?;
        }
        Ok(self)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), FormError> {
        let text = std::str::from_utf8(bytes).map_err(|_| FormError::Encoding)?;
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = decode(pair)?;
            self.insert(name, value)?;
        }
        Ok(())
    }

    fn insert(&mut self, name: String, value: String) -> Result<(), FormError> {
        if self.fields.len() >= Self::MAX_FIELDS {
            return Err(FormError::TooMany);
        }
        if !Self::REPEATABLE.contains(&name.as_str()) && self.fields.iter().any(|(n, _)| *n == name)
        {
            let plain = name.len() <= 64
                && name.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b));
            return Err(FormError::Repeated(if plain { name } else { "…".to_owned() }));
        }
        self.fields.push((name, value));
        Ok(())
    }

    /// The value of a parameter; `None` if it is absent or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.fields.iter().find(|(n, value)| n == name && !value.is_empty());
        value.map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(n, value): &'a (String, String)| (n == name).then_some(value.as_str());
        self.fields.iter().filter_map(named).filter(|value| !value.is_empty())
    }

    /// Whether a parameter is there, even if it is empty.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.fields.iter().any(|(n, _)| n == name)
    }

    /// All parameters in order, the empty ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// One parameter: its name, and its value if it has one.
fn decode(pair: &str) -> Result<(String, String), FormError> {
    // Most are tokens and identifiers, which stand for themselves.
    if !pair.contains('%') && !pair.contains('+') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        return Ok((name.to_owned(), value.to_owned()));
    }
    let (name, value) = form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_default();
    // The parser puts this character in place of what is not UTF-8; nobody sends it on purpose.
    let replaced = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    if replaced(&name) || replaced(&value) {
        return Err(FormError::Encoding);
    }
    Ok((name.into_owned(), value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_once() {
        let form = Form::from_query(Some("a=1&b=&c=%20x+y")).unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1"), None, Some(" x y")));
        let twice = Form::from_query(Some("a=1&a=1"));
        assert_eq!(twice, Err(FormError::Repeated("a".to_owned())));
        let empty = Form::from_query(Some("a=&a=1"));
        assert_eq!(empty, Err(FormError::Repeated("a".to_owned())));
        let both = Form::from_query(Some("resource=a&resource=b")).unwrap();
        assert_eq!(both.all("resource").count(), 2);
        assert!(form.merge(Form::from_query(Some("c=1")).unwrap()).is_err());
    }

    #[test]
    fn what_needs_no_decoding_reads_the_same() {
        let text = "a=b=c&plain&=x&&z=&+p=%2B&\u{e9}=\u{e9}";
        let read = Form::from_query(Some(text)).unwrap();
        assert_eq!(read.fields.len(), 6);
        let parsed: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        assert_eq!(read.fields, parsed);
    }

    #[test]
    fn other_input_is_refused() {
        assert_eq!(Form::from_query(Some("a=%ff")), Err(FormError::Encoding));
        let plain =
            HeaderMap::from_iter([(header::CONTENT_TYPE, header::HeaderValue::from_static(FORM))]);
        assert!(Form::from_body(&plain, &Bytes::from("a=b")).is_ok());
        let broken = Form::from_body(&plain, &Bytes::from_static(b"a=\xff"));
        assert_eq!(broken, Err(FormError::Encoding));
        let many = "a&".repeat(200);
        assert!(Form::from_query(Some(&many)).is_err());
        let json = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/json"),
        )]);
        assert_eq!(Form::from_body(&json, &Bytes::from("{}")), Err(FormError::ContentType));
    }
}
