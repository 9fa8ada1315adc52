//! Encrypted tokens, whatever comes.

use std::sync::LazyLock;

use auth_core::Secret;
use auth_core::keys::{
    CompactJwe, ContentEncryption, DecryptionKey, Encryption, JweError, KeyManagement, Recipient,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

static KEYS: LazyLock<[DecryptionKey; 2]> =
    LazyLock::new(|| KeyManagement::ALL.map(|alg| DecryptionKey::generate(alg).unwrap()));

/// A good token of each kind.
static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let all = KeyManagement::ALL.into_iter().zip(&*KEYS);
    let each = all.flat_map(|(alg, key)| ContentEncryption::ALL.map(|enc| (alg, enc, key)));
    let encrypt = |(alg, enc, key): (_, _, &DecryptionKey)| {
        let recipient = Recipient::choose(Encryption::new(alg, enc), [key.jwk()]).unwrap();
        recipient.encrypt(&Secret::new("a.b.c")).unwrap().expose().to_owned()
    };
    each.map(encrypt).collect()
});

/// Whether one of our keys opens it.
fn opens(token: &str) -> Result<bool, JweError> {
    let jwe = CompactJwe::parse(token)?;
    Ok(KEYS.iter().any(|key| key.decrypt(&jwe).is_ok()))
}

fn header() -> impl Strategy<Value = String> {
    let name = |known: &'static [&'static str]| prop::sample::select(known);
    let alg = name(&["RSA-OAEP-256", "ECDH-ES", "RSA1_5", "dir", "PBES2-HS256+A128KW"]);
    let enc = name(&["A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512", "A192GCM"]);
    let curve = name(&["P-256", "P-384", "P-521", "Ed25519", "secp256k1"]);
    let part = || vec(any::<u8>(), 0..70).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    (alg, enc, curve, part(), part(), part()).prop_map(|(alg, enc, crv, x, y, apu)| {
        let epk = json!({"kty": "EC", "crv": crv, "x": x, "y": y});
        json!({"alg": alg, "enc": enc, "epk": epk, "apu": apu, "p2c": u32::MAX}).to_string()
    })
}

#[test]
fn good_tokens_are_opened() {
    assert_eq!(TOKENS.len(), 8);
    for token in &*TOKENS {
        assert_eq!(opens(token), Ok(true), "{token}");
    }
}

proptest! {
    #[test]
    fn a_118_no_text_makes_it_panic(text in "[A-Za-z0-9_.=-]{0,400}") {
        prop_assert_ne!(opens(&text), Ok(true));
    }

    #[test]
    fn a_118_no_header_and_no_bytes_make_it_panic(
        header in header(),
        parts in vec(vec(any::<u8>(), 0..300), 4),
    ) {
        let parts: Vec<String> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), parts.join("."));
        prop_assert_ne!(opens(&token), Ok(true));
    }

    #[test]
    fn a_118_what_was_changed_is_not_opened(
        which in 0..8_usize,
        place in any::<prop::sample::Index>(),
        put in "[A-Za-z0-9_.-]{0,4}",
        cut in 0..4_usize,
    ) {
        let good = &TOKENS[which];
        let at = place.index(good.len());
        let changed = format!("{}{put}{}", &good[..at], &good[(at + cut).min(good.len())..]);
        if changed != *good {
            prop_assert_ne!(opens(&changed), Ok(true));
        }
    }
}
