//! What a key signs verifies elsewhere, and nothing else verifies here.

use auth_core::Secret;
use auth_core::keys::{CompactJws, InvalidSigningKey, JwsError, SigningAlgorithm, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use ring::hmac;
use serde_json::json;

use crate::{
    ES256, RS256, RSA, RSA_OF_RFC, claims, encode, key, signed, token, verified_elsewhere, verify,
};

#[test]
fn a_token_verifies_here_and_elsewhere() {
    for algorithm in SigningAlgorithm::ALL {
        let (key, other) = (key(algorithm), SigningKey::generate(ES256).unwrap());
        let token = token(&key);
        assert_eq!(verify(&token, key.jwk()).unwrap(), claims());
        assert!(verified_elsewhere(&token, key.jwk(), algorithm), "{algorithm}");
        assert!(verify(&token, other.jwk()).is_err());
        let header = CompactJws::parse(&token).unwrap().header().clone();
        assert_eq!((header.alg, header.kid.as_deref()), (algorithm, Some(key.kid().as_str())));
        assert_eq!(header.typ.as_deref(), Some("JWT"));
        // Nothing private is published.
        let jwk = serde_json::to_value(key.jwk()).unwrap();
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(jwk.get(private), None);
        }
    }
}

#[test]
fn a_changed_token_does_not_verify() {
    for algorithm in SigningAlgorithm::ALL {
        let key = key(algorithm);
        let token = token(&key);
        for at in 0..token.len() {
            for bit in 0..7 {
                let mut changed = token.clone().into_bytes();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).unwrap();
                assert!(verify(&changed, key.jwk()).is_err(), "{changed}");
            }
        }
        for end in 0..token.len() {
            assert!(verify(&token[..end], key.jwk()).is_err());
        }
        for tail in ["A", "AAAA", "=", ".", " ", "\n", ".AAAA"] {
            assert!(verify(&format!("{token}{tail}"), key.jwk()).is_err());
        }
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    for algorithm in SigningAlgorithm::ALL {
        let key = key(algorithm);
        let jwk = serde_json::to_vec(key.jwk()).unwrap();
        for name in ["HS256", "HS384", "HS512", "none", "None", "NONE", "", "RS1", "ES256K"] {
            let header = json!({"alg": name, "typ": "JWT", "kid": key.kid().as_str()});
            let input = format!("{}.{}", encode(header.to_string()), encode("{}"));
            for secret in [jwk.as_slice(), RSA.as_bytes(), b""] {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
                let mac = encode(hmac::sign(&secret, input.as_bytes()));
                let error = verify(&format!("{input}.{mac}"), key.jwk()).unwrap_err();
                assert_eq!(error, JwsError::Algorithm);
            }
            assert_eq!(verify(&format!("{input}."), key.jwk()), Err(JwsError::Algorithm));
        }
    }
}

#[test]
fn an_algorithm_is_not_taken_for_another() {
    for ours in SigningAlgorithm::ALL {
        let (key, token) = (key(ours), token(&key(ours)));
        let payload = token.split('.').nth(1).unwrap();
        for named in SigningAlgorithm::ALL.into_iter().filter(|named| *named != ours) {
            let header = encode(json!({"alg": named.name()}).to_string());
            let input = format!("{header}.{payload}");
            let forged = format!("{input}.{}", encode(key.sign(input.as_bytes()).unwrap()));
            assert_eq!(verify(&forged, key.jwk()), Err(JwsError::Key));
            // Nor if the key does not say what it is for.
            let mut silent = key.jwk().clone();
            silent.common.key_algorithm = None;
            assert!(verify(&forged, &silent).is_err());
        }
    }
}

#[test]
fn a_key_for_something_else_verifies_nothing() {
    let key = key(ES256);
    let token = token(&key);
    let with = |change: fn(&mut Jwk)| {
        let mut jwk = key.jwk().clone();
        change(&mut jwk);
        verify(&token, &jwk).map(drop)
    };
    assert_eq!(with(|jwk| jwk.common.public_key_use = None), Ok(()));
    assert_eq!(with(|jwk| jwk.common.key_algorithm = None), Ok(()));
    for wrong in [
        |jwk: &mut Jwk| jwk.common.public_key_use = Some(PublicKeyUse::Encryption),
        |jwk: &mut Jwk| jwk.common.public_key_use = Some(PublicKeyUse::Other("tls".into())),
        |jwk: &mut Jwk| jwk.common.key_algorithm = Some(KeyAlgorithm::ES384),
        |jwk: &mut Jwk| jwk.common.key_algorithm = Some(KeyAlgorithm::HS256),
        |jwk: &mut Jwk| jwk.common.key_algorithm = Some(KeyAlgorithm::RSA_OAEP),
    ] {
        assert_eq!(with(wrong), Err(JwsError::Key));
    }
}

#[test]
fn what_must_be_understood_and_is_not_is_refused() {
    let key = key(ES256);
    let header = |extra: &str| format!(r#"{{"alg":"ES256"{extra}}}"#);
    assert!(verify(&signed(&key, &header(""), "{}"), key.jwk()).is_ok());
    for critical in [r#","crit":["exp"]"#, r#","crit":[]"#, r#","b64":false"#, r#","zip":"DEF""#] {
        let token = signed(&key, &header(critical), "{}");
        assert_eq!(verify(&token, key.jwk()), Err(JwsError::Critical));
    }
    // A key that the token brings along is not looked at.
    let stranger = SigningKey::generate(ES256).unwrap();
    let jwk = serde_json::to_string(stranger.jwk()).unwrap();
    let token = signed(&stranger, &header(&format!(r#","jwk":{jwk}"#)), "{}");
    assert_eq!(verify(&token, key.jwk()), Err(JwsError::Signature));
}

#[test]
fn two_readers_cannot_see_two_tokens() {
    let key = key(ES256);
    let good = r#"{"alg":"ES256"}"#;
    for header in [
        r#"{"alg":"none","alg":"ES256"}"#,
        r#"{"alg":"ES256","\u0061lg":"none"}"#,
        r#"{"alg":"ES256","kid":"a","kid":"b"}"#,
        r#"{"alg":["ES256"]}"#,
        r#"{"alg":"ES256","kid":1}"#,
        r#"{"kid":"a"}"#,
        r#"["ES256"]"#,
        r#"{"alg":"ES256"}{}"#,
        "",
    ] {
        let error = verify(&signed(&key, header, "{}"), key.jwk()).unwrap_err();
        assert_eq!(error, JwsError::Malformed, "{header}");
    }
    for payload in [r#"{"sub":"a","sub":"b"}"#, r#"{"x":{"a":1,"a":2}}"#, "[]", "1", "", "{}}"] {
        let token = signed(&key, good, payload);
        assert_eq!(verify(&token, key.jwk()), Err(JwsError::Malformed), "{payload}");
        assert_eq!(CompactJws::parse(&token).unwrap().unverified_text("sub"), None);
    }
}

#[test]
fn a_token_has_three_segments_and_an_end() {
    let key = key(ES256);
    for malformed in ["", ".", "..", "a.b", "a.b.c.d", "....", "{}.{}.{}"] {
        assert_eq!(verify(malformed, key.jwk()), Err(JwsError::Malformed), "{malformed}");
    }
    let long = json!({"x": "x".repeat(CompactJws::MAX_LEN)}).to_string();
    let token = signed(&key, r#"{"alg":"ES256"}"#, &long);
    assert_eq!(verify(&token, key.jwk()), Err(JwsError::TooLong));
    let nested = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let token = signed(&key, r#"{"alg":"ES256"}"#, &format!(r#"{{"a":{nested}}}"#));
    assert_eq!(verify(&token, key.jwk()), Err(JwsError::Malformed));
}

#[test]
fn a_key_is_named_by_its_thumbprint() {
    let key = SigningKey::from_pem(RS256, &RSA_OF_RFC.into()).unwrap();
    assert_eq!(key.kid().as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // RFC 8037 §A.1 and §A.3, in the PKCS#8 of RFC 8410.
    let d = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let key = SigningKey::from_pkcs8(SigningAlgorithm::EdDsa, &[&head[..], &d].concat()).unwrap();
    assert_eq!(key.kid().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let rsa = Secret::from(RSA);
    for algorithm in [ES256, SigningAlgorithm::EdDsa] {
        let error = SigningKey::from_pem(algorithm, &rsa).unwrap_err();
        assert_eq!(error, InvalidSigningKey::Unreadable);
    }
    let pkcs1 = Secret::new(RSA.replace("PRIVATE KEY", "RSA PRIVATE KEY"));
    for pem in
        [pkcs1, Secret::from(""), Secret::new(RSA.replacen('M', "!", 1)), Secret::new(&RSA[..90])]
    {
        let error = SigningKey::from_pem(RS256, &pem).unwrap_err();
        assert_eq!(error, InvalidSigningKey::NotPkcs8Pem);
    }
}
