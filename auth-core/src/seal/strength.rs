//! How hard a secret of the operator is to guess, at the very best.

/// What is printed in manuals and templates, in lower case; whoever attacks tries these first.
const KNOWN: [&str; 11] = [
    "development only: everybody knows this",
    "youreallyneedtochangethis",
    "this-is-the-primary-secret",
    "this-is-an-old-secret",
    "please-change-me-i-am-very-insecure",
    "32-long-secret-not-secure-at-all",
    "very-insecure",
    "changeme",
    "change-me",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
];

/// Whether it holds a text that is known to everybody.
pub(super) fn is_known(secret: &str) -> bool {
    let lower = secret.to_lowercase();
    KNOWN.iter().any(|known| lower.contains(known))
}

/// The most bits of entropy that a text of this form can have: its length times what one character of
/// its alphabet holds, where what repeats counts once. Nobody can measure what is really in it.
pub(super) fn most_bits(secret: &str) -> u32 {
    let text = secret.trim_end_matches('=').as_bytes();
    let text = &text[..period(text)];
    let of = |class: fn(&u8) -> bool| text.iter().any(class);
    let (upper, lower) = (of(u8::is_ascii_uppercase), of(u8::is_ascii_lowercase));
    let symbol = |b: &u8| !b.is_ascii_alphanumeric() && !b"+/-_".contains(b);
    let alphabet: f64 = if of(|b| !b.is_ascii()) {
        256.0
    } else if text.iter().any(symbol) {
        95.0
    } else if text.iter().all(u8::is_ascii_digit) {
        10.0
    } else if text.iter().all(u8::is_ascii_hexdigit) && !(upper && lower) {
        16.0
    } else if upper && lower || of(|b| b"+/-_".contains(b)) {
        64.0
    } else {
        36.0
    };
    // A text of few characters is worth no more than those, whatever else its alphabet has.
    let mut seen = [false; 256];
    text.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let distinct = u32::try_from(seen.iter().filter(|seen| **seen).count()).unwrap_or(0);
    let alphabet = if distinct < 10 { alphabet.min(f64::from(distinct)) } else { alphabet };
    let bits = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX)) * alphabet.max(1.0).log2();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, positive")]
    let bits = bits.round() as u32;
    bits
}

/// The length of the shortest beginning of which the text is a repetition, twice at least.
fn period(text: &[u8]) -> usize {
    let mut borders = vec![0; text.len()];
    for at in 1..text.len() {
        let mut border: usize = borders[at - 1];
        while border > 0 && text[at] != text[border] {
            border = borders[border - 1];
        }
        borders[at] = border + usize::from(text[at] == text[border]);
    }
    let period = text.len() - borders.last().copied().unwrap_or(0);
    if period <= text.len() / 2 { period } else { text.len() }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use ring::digest;

    use super::*;

    /// Bytes that look random.
    fn bytes(seed: u32, len: usize) -> Vec<u8> {
        let hash =
            |n: u32| digest::digest(&digest::SHA256, &[seed, n].map(u32::to_be_bytes).concat());
        let all: Vec<u8> = (0..3).flat_map(|n| hash(n).as_ref().to_vec()).collect();
        all[..len].to_vec()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn thirty_two_random_bytes_are_enough_in_every_form() {
        for seed in 0..20_000 {
            let random = bytes(seed, 32);
            for text in [hex(&random), STANDARD.encode(&random), URL_SAFE_NO_PAD.encode(&random)] {
                assert!(most_bits(&text) >= 256, "{text}: {}", most_bits(&text));
                assert!(!is_known(&text));
            }
        }
    }

    #[test]
    fn fewer_are_not() {
        for seed in 0..2_000 {
            let random = bytes(seed, 24);
            for text in [hex(&random), STANDARD.encode(&random)] {
                assert!(most_bits(&text) < 256, "{text}: {}", most_bits(&text));
            }
        }
        let repeated = hex(&bytes(1, 16)).repeat(9);
        for text in ["a".repeat(500), "0123456789".repeat(50), "ab".repeat(90), repeated] {
            assert!(most_bits(&text) < 256, "{text}: {}", most_bits(&text));
        }
    }
}
