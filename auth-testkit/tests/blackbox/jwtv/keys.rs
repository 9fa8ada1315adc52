//! Which key verifies what.

use std::time::Duration;

use auth_core::keys::{CompactJws, SigningAlgorithm, SigningKey};
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::AlgorithmParameters;
use ring::hmac;
use serde_json::json;

use super::*;
use crate::world::SECRET;

/// Everything that a library ever took for an HMAC key: forms of a public key, and nothing.
fn confused(key: &SigningKey) -> Vec<Vec<u8>> {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let pem = |name: &str, der: &[u8]| {
        let lines = STANDARD.encode(der);
        let lines: Vec<&str> =
            lines.as_bytes().chunks(64).map(|l| str::from_utf8(l).unwrap()).collect();
        format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", lines.join("\n")).into_bytes()
    };
    let mut forms = vec![Vec::new(), serde_json::to_vec(key.jwk()).unwrap()];
    match &key.jwk().algorithm {
        AlgorithmParameters::EllipticCurve(ec) => {
            // SubjectPublicKeyInfo of a P-256 key: a constant prefix, then the point (RFC 5480 §2).
            let mut spki = STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE").unwrap();
            spki.extend([decode(&ec.x), decode(&ec.y)].concat());
            forms.extend([pem("PUBLIC KEY", &spki), spki.clone(), spki[26..].to_vec()]);
        }
        AlgorithmParameters::RSA(rsa) => {
            let number = |bytes: Vec<u8>| tlv(2, &[&[0][..], &bytes].concat());
            let pkcs1 = tlv(0x30, &[number(decode(&rsa.n)), tlv(2, &decode(&rsa.e))].concat());
            let algorithm = [0x30, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];
            let bits = tlv(3, &[&[0][..], &pkcs1].concat());
            let spki = tlv(0x30, &[&algorithm[..], &bits].concat());
            let forms_of = [pem("RSA PUBLIC KEY", &pkcs1), pem("PUBLIC KEY", &spki), pkcs1, spki];
            forms.extend(forms_of);
            forms.extend([decode(&rsa.n), decode(&rsa.e)]);
        }
        other => panic!("{other:?}"),
    }
    let trimmed: Vec<Vec<u8>> = forms.iter().map(|form| form.trim_ascii_end().to_vec()).collect();
    forms.extend(trimmed);
    forms
}

/// DER: tag, length, content.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 128 => der.push(short),
        _ => der.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend(content);
    der
}

fn by_hmac(door: &Door, claims: &Value, secrets: &[Vec<u8>]) -> Vec<String> {
    let hashes =
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)];
    let mut forged = Vec::new();
    for secret in secrets {
        for (alg, hash) in hashes {
            for header in [
                with(&door.header, "alg", json!(alg)),
                json!({"alg": alg, "typ": door.header["typ"]}),
            ] {
                let input = input(&header.to_string(), &claims.to_string());
                let tag = hmac::sign(&hmac::Key::new(hash, secret), input.as_bytes());
                forged.push(format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag)));
            }
        }
    }
    forged
}

blackbox! {
    async fn a_096_a_public_key_is_no_secret(setup: Setup) {
        let house = House::open(setup).await;
        house.refuses(|door, claims| by_hmac(door, claims, &confused(&door.key))).await;
    }

    async fn a_097_a_weak_secret_makes_no_mac(setup: Setup) {
        let house = House::open(setup).await;
        // Nothing here is verified by a MAC: not by nothing, not by a client's own secret.
        let secrets: Vec<Vec<u8>> =
            ["", "0", "secret", "null", "undefined", SECRET].map(Into::into).to_vec();
        house.refuses(|door, claims| by_hmac(door, claims, &secrets)).await;
    }

    async fn a_103_signatures_of_zeros(setup: Setup) {
        let house = House::open(setup).await;
        // The order of P-256.
        let n = [
            0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC,
            0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
        ];
        let one = {
            let mut one = [0; 32];
            one[31] = 1;
            one
        };
        let zero = [0; 32];
        let signatures: Vec<Vec<u8>> = vec![
            [zero, zero].concat(),
            [n, n].concat(),
            [zero, one].concat(),
            [one, zero].concat(),
            [n, one].concat(),
            [one, n].concat(),
            [[0xFF; 32], [0xFF; 32]].concat(),
            vec![0x30, 6, 2, 1, 0, 2, 1, 0],
        ];
        // The provider has a key for ES256, too, by which hints and access tokens could be signed.
        let keys = Browser::new().get(&house.world.url("/.well-known/jwks.json")).await.unwrap().json();
        let keys = keys["keys"].as_array().unwrap().clone();
        let es = keys.iter().find(|key| key["alg"] == "ES256").unwrap()["kid"].clone();
        house
            .refuses(|door, claims| {
                let mut header = with(&door.header, "alg", json!("ES256"));
                if matches!(door.entry, Entry::Hint | Entry::Access) {
                    header = with(&header, "kid", es.clone());
                }
                let input = input(&header.to_string(), &claims.to_string());
                let forged = |signature: &Vec<u8>| format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
                signatures.iter().map(forged).collect()
            })
            .await;
    }

    async fn a_122_weak_keys_are_not_taken(setup: Setup) {
        let world = World::start(setup).await;
        let strong = SigningKey::from_pem(SigningAlgorithm::Rs256, &Secret::from(RSA_KEY)).unwrap();
        let strong = serde_json::to_value(strong.jwk()).unwrap();
        let put = async |key: Value| {
            let jwks: JwkSet = serde_json::from_value(json!({"keys": [key]})).unwrap();
            let client = Client::private_key_jwt("keyed", jwks).redirect_uri(WEB_CALLBACK);
            world.provider.clients().put(client).await
        };
        put(strong.clone()).await.unwrap();
        let long = strong["n"].as_str().unwrap();
        let before = world.store.snapshot();
        for weak in [
            // 1024 bits, 2047 bits, nothing, and not Base64.
            with(&strong, "n", json!(&long[..171])),
            with(&strong, "n", json!(&long[..341])),
            with(&strong, "n", json!("")),
            with(&strong, "n", json!("***")),
            with(&strong, "e", json!("AQ")),
            with(&strong, "e", json!("")),
            // The key of one algorithm under the name of another.
            with(&strong, "alg", json!("ES256")),
            with(&strong, "alg", json!("HS256")),
            json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            json!({"kty": "oct", "k": "c2VjcmV0"}),
        ] {
            let refused = put(weak.clone()).await;
            assert!(refused.is_err(), "{weak}");
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_126_a_key_is_for_what_it_says(setup: Setup) {
        let house = House::open(setup).await;
        let (first, second) = (
            SigningKey::generate(SigningAlgorithm::Es256).unwrap(),
            SigningKey::generate(SigningAlgorithm::EdDsa).unwrap(),
        );
        let jwk = |key: &SigningKey, change: &[(&str, Value)]| {
            let mut jwk = serde_json::to_value(key.jwk()).unwrap();
            for (name, value) in change {
                jwk = with(&jwk, name, value.clone());
            }
            jwk
        };
        let same = [("kid", json!("same"))];
        let put = async |keys: Vec<Value>| {
            let jwks: JwkSet = serde_json::from_value(json!({"keys": keys})).unwrap();
            let client = Client::private_key_jwt("keyed", jwks)
                .redirect_uri(WEB_CALLBACK)
                .scope("openid orders:read")
                .grant_type(GrantType::ClientCredentials);
            let stored = house.world.provider.clients().put(client).await;
            // Other processes go by what they remember of a client for a few seconds.
            house.world.clock.advance(Duration::from_secs(6));
            stored
        };
        let door = &house.doors[0];
        let signed = |key: &SigningKey, alg: &str| {
            let header = json!({"alg": alg, "kid": "same"}).to_string();
            sign_with(key, &header, &house.claims(door).to_string())
        };
        // Two keys of one name: each verifies by its own algorithm, and by no other.
        put(vec![jwk(&first, &same), jwk(&second, &same)]).await.unwrap();
        house.assert_admitted(door, &signed(&first, "ES256")).await;
        house.assert_admitted(door, &signed(&second, "EdDSA")).await;
        house.assert_refused(door, &signed(&first, "EdDSA")).await;
        house.assert_refused(door, &signed(&second, "ES256")).await;
        // A key for something else verifies nothing.
        let elsewhere = [("kid", json!("same")), ("use", json!("enc"))];
        put(vec![jwk(&first, &elsewhere), jwk(&second, &same)]).await.unwrap();
        house.assert_refused(door, &signed(&first, "ES256")).await;
        house.assert_admitted(door, &signed(&second, "EdDSA")).await;
    }

    async fn a_120_claims_come_out_of_verification_alone(setup: Setup) {
        let house = House::open(setup).await;
        for door in &house.doors {
            let jwt = house.good(door);
            let jws = CompactJws::parse(&jwt).unwrap();
            assert_eq!(Value::Object(jws.verify(door.key.jwk()).unwrap())["iss"], door.claims["iss"]);
            let other = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
            assert!(jws.verify(other.jwk()).is_err());
            let forged = format!("{}.{}", door.input(&with(&door.claims, "sub", json!("u-bob"))), jwt.rsplit('.').next().unwrap());
            assert!(CompactJws::parse(&forged).unwrap().verify(door.key.jwk()).is_err());
            house.assert_refused(door, &forged).await;
        }
    }
}
