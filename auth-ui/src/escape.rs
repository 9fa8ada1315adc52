//! Making values from outside fit for a page.

use std::borrow::Cow;

use minijinja::{AutoEscape, Error, Output, State, Value};

/// Text as HTML, for elements and quoted attributes.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    let special = |byte: u8| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'');
    if !text.bytes().any(special) {
        return Cow::Borrowed(text);
    }
    let mut html = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    Cow::Owned(html)
}

/// Writes a value into a template. The engine's own way also turns `/` into an entity, which makes
/// every address on the page unreadable and is of no use in quoted attributes.
pub(crate) fn write(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    match (state.auto_escape(), value.as_str()) {
        (AutoEscape::Html, Some(text)) if !value.is_safe() => {
            out.write_str(&escaped(text)).map_err(Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// A name as it is shown: without the characters that change the direction of text, by which
/// `moc.knab` would pass itself off as `bank.com`, and without control characters.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
    let hidden = |character: char| {
        character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if name.contains(hidden) {
        Cow::Owned(name.chars().filter(|&character| !hidden(character)).collect())
    } else {
        Cow::Borrowed(name)
    }
}

/// What stands for a name where there is no picture.
pub(crate) fn initial(name: &str) -> String {
    let first = name.chars().find(|character| character.is_alphanumeric());
    first.map_or_else(|| "•".to_owned(), |character| character.to_uppercase().collect())
}

/// The address if it may be loaded as an image: the content security policy allows https only.
pub(crate) fn image(url: &str) -> Option<&str> {
    has_scheme(url, "https://").then_some(url)
}

/// The address if it may be a link: not `javascript:` and the like.
pub(crate) fn link(url: &str) -> Option<&str> {
    (has_scheme(url, "https://") || has_scheme(url, "http://")).then_some(url)
}

/// Whether a form may post to the address. A native app's own scheme is fine; one that the browser
/// would run in this page is not.
pub(crate) fn is_form_target(url: &str) -> bool {
    // Browsers skip these when they look for the scheme.
    let url = url.trim_start_matches(|character: char| character <= ' ');
    let scheme: String = url
        .chars()
        .take_while(|&character| character != ':')
        .filter(|character| !matches!(character, '\t' | '\n' | '\r'))
        .collect();
    !["javascript", "data", "vbscript"].iter().any(|bad| scheme.eq_ignore_ascii_case(bad))
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        && url.len() > scheme.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escaped("a/b 한글"), "a/b 한글");
        assert_eq!(escaped("<a href=\"'&"), "&lt;a href=&quot;&#39;&amp;");
    }

    #[test]
    fn names_lose_what_would_disguise_them() {
        assert_eq!(shown("\u{202e}moc.knab\u{2069}\n"), "moc.knab");
        // A person's name may need these marks.
        assert_eq!(shown("a\u{200f}b"), "a\u{200f}b");
    }

    #[test]
    fn initials() {
        assert_eq!(initial("  (acme)"), "A");
        assert_eq!(initial("한글 노트"), "한");
        assert_eq!(initial("ß"), "SS");
        assert_eq!(initial("<>"), "•");
    }

    #[test]
    fn addresses_are_what_they_are_used_for() {
        assert_eq!(image("HTTPS://a.example/x"), Some("HTTPS://a.example/x"));
        for wrong in ["http://a.example/x", "//a.example", "https://", "data:image/png,", "ht"] {
            assert_eq!(image(wrong), None, "{wrong}");
        }
        assert!(link("http://localhost/").is_some());
        assert!(link("javascript:alert(1)").is_none());
        assert!(is_form_target("https://a.example/cb") && is_form_target("com.example.app:/cb"));
        for wrong in
            ["javascript:alert(1)", " \u{1}JavaScript:x", "java\nscript:x", "DATA:text/html,"]
        {
            assert!(!is_form_target(wrong), "{wrong:?}");
        }
    }
}
