//! `NumericDate` (RFC 7519 §2): seconds since 1970, which may have a fraction.

use auth_core::Timestamp;
use serde_json::Value;

/// The moment that a claim names; `None` if it is no number, or one that nobody can mean.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just before")]
pub(crate) fn numeric_date(claim: &Value) -> Option<Timestamp> {
    let seconds = claim.as_f64().filter(|seconds| (0.0..1e12).contains(seconds))?;
    Timestamp::from_secs(seconds as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn seconds_may_have_a_fraction_and_are_no_text() {
        let at = Timestamp::from_secs(1_800_000_000);
        for same in [json!(1_800_000_000_u64), json!(1_800_000_000.0), json!(1_800_000_000.9)] {
            assert_eq!(numeric_date(&same), at, "{same}");
        }
        for other in [json!("1800000000"), json!(-1), json!(1e12), json!(null), json!([1])] {
            assert_eq!(numeric_date(&other), None, "{other}");
        }
    }
}
