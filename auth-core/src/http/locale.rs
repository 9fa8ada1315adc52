//! Which languages a person wants.

use http::{HeaderMap, header};

/// Wanted languages, best first: `ui_locales` (OpenID Connect Core §3.1.2.1), then `Accept-Language` by
/// its weights (RFC 9110 §12.5.4). At most 16.
#[must_use]
pub fn preferred_locales(ui_locales: Option<&str>, headers: &HeaderMap) -> Vec<String> {
    let asked = ui_locales.unwrap_or_default().split(' ').map(str::to_owned);
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let mut weighted: Vec<(f32, &str)> = accepted
        .unwrap_or_default()
        .split(',')
        .map(|item| {
            let (tag, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse().ok());
            (weight.unwrap_or(0.0), tag.trim())
        })
        .filter(|(weight, _)| *weight > 0.0)
        .collect();
    weighted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let well_formed = |tag: &String| {
        (2..=35).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    asked
        .chain(weighted.into_iter().map(|(_, tag)| tag.to_owned()))
        .filter(well_formed)
        .take(16)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_comes_before_what_the_browser_prefers() {
        let mut headers = HeaderMap::new();
        let accept = http::HeaderValue::from_static("en;q=0.5, ko-KR, *;q=0.1, fr;q=0");
        headers.insert(header::ACCEPT_LANGUAGE, accept);
        assert_eq!(preferred_locales(Some("de <b>"), &headers), ["de", "ko-KR", "en"]);
    }
}
