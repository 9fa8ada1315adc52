//! Request objects that are encrypted to the provider (RFC 9101 §6.1), and what else comes as a JWE.

use std::time::{Duration, Instant};

use auth_core::Secret;
use auth_core::keys::{
    CompactJwe, ContentEncryption, Encryption, KeyManagement, Recipient, SigningKey,
};
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::authz::settled_browser;
use crate::caut_assertion::new_key;
use crate::encryption::{ECDH, GCM, OAEP, encrypted, published, recipient, with_client};
use crate::flow::*;
use crate::jars::{object, sign, sign_as, with};
use crate::world::{Setup, World, web};

/// A world that takes encrypted requests of `web`, who signs them with the key.
async fn with_requests(setup: Setup) -> (World, SigningKey) {
    let key = new_key();
    let client = web().jwks(crate::caut_assertion::jwks(&key));
    (with_client(setup, client).await, key)
}

async fn ask(world: &World, browser: &Browser, object: &str) -> Reply {
    let url = format!("{}?client_id=web&request={object}", world.url("/oauth2/auth"));
    browser.get(&url).await.unwrap()
}

/// That `browser`, which is signed in, is sent back with a code.
async fn assert_answered(world: &World, browser: &Browser, object: &str) {
    let reply = ask(world, browser, object).await;
    follow(world, browser, reply).await.callback().code();
}

/// What the page says about an object that is not taken.
async fn refusal(world: &World, browser: &Browser, object: &str) -> String {
    let reply = ask(world, browser, object).await;
    assert_page(&reply, 400);
    assert!(reply.text().contains("invalid_request_object"), "{}", reply.text());
    let text = reply.text();
    let at = text.find("the request object is not accepted").unwrap();
    text[at..].lines().next().unwrap().to_owned()
}

/// A JWE with another header, and everything else as it was.
fn headed(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

blackbox! {
    async fn a_request_is_read_by_the_provider_alone(setup: Setup) {
        let (world, key) = with_requests(setup).await;
        let browser = settled_browser(&world, "web").await;
        for alg in KeyManagement::ALL {
            for enc in ContentEncryption::ALL {
                let signed = sign(&key, &object(&world));
                let encryption = Encryption::new(alg, enc);
                assert_answered(&world, &browser, &encrypted(&world, encryption, &signed).await).await;
                // Who names no key means the one that is published.
                let mut keys = published(&world).await.keys;
                keys.iter_mut().for_each(|key| key.common.key_id = None);
                let unnamed = Recipient::choose(encryption, &keys).unwrap();
                let unnamed = unnamed.encrypt(&Secret::new(signed)).unwrap();
                assert_eq!(CompactJwe::parse(unnamed.expose()).unwrap().kid(), None);
                let form = [("request", unnamed.expose())];
                let pushed = post_as(&world, "/oauth2/par", WEB, &form).await;
                assert_eq!(pushed.status, 201, "{}", pushed.text());
            }
        }
        // A key that is withdrawn opens nothing any more, and there is another one.
        let encryption = Encryption::new(ECDH, GCM);
        let old = encrypted(&world, encryption, &sign(&key, &object(&world))).await;
        assert_answered(&world, &browser, &old).await;
        let kid = CompactJwe::parse(&old).unwrap().kid().unwrap().to_owned();
        world.provider.revoke_key(&kid.as_str().into()).await.unwrap();
        world.clock.advance(Duration::from_secs(2));
        refusal(&world, &browser, &old).await;
        let new = encrypted(&world, encryption, &sign(&key, &object(&world))).await;
        assert_ne!(CompactJwe::parse(&new).unwrap().kid(), Some(kid.as_str()));
        assert_answered(&world, &browser, &new).await;
        assert_eq!(published(&world).await.keys.len(), 4);
    }

    async fn a_key_is_exchanged_while_requests_are_under_way(setup: Setup) {
        let (world, key) = with_requests(setup).await;
        let encryption = Encryption::new(ECDH, GCM);
        let early = recipient(&world, encryption).await;
        world.clock.advance(Duration::from_secs(60));
        world.provider.rotate_encryption_key(ECDH).await.unwrap();
        // Another process may not know it yet.
        assert_eq!(recipient(&world, encryption).await, early);
        world.clock.advance(Duration::from_secs(3));
        let late = recipient(&world, encryption).await;
        assert_ne!(early, late);
        let browser = settled_browser(&world, "web").await;
        for recipient in [&early, &late] {
            let signed = Secret::new(sign(&key, &object(&world)));
            assert_answered(&world, &browser, recipient.encrypt(&signed).unwrap().expose()).await;
        }
        world.clock.advance(Duration::from_secs(32 * 86_400));
        published(&world).await;
        world.clock.advance(Duration::from_secs(2));
        let browser = settled_browser(&world, "web").await;
        let signed = Secret::new(sign(&key, &object(&world)));
        assert_answered(&world, &browser, late.encrypt(&signed).unwrap().expose()).await;
        refusal(&world, &browser, early.encrypt(&signed).unwrap().expose()).await;
        // By itself, after 90 days.
        world.clock.advance(Duration::from_secs(60 * 86_400));
        published(&world).await;
        world.clock.advance(Duration::from_secs(3));
        assert_ne!(recipient(&world, encryption).await, late);
    }

    async fn what_is_switched_off_is_neither_published_nor_read(setup: Setup) {
        let (world, key) = with_requests(setup).await;
        let browser = settled_browser(&world, "web").await;
        let encryption = Encryption::new(ECDH, GCM);
        let good = encrypted(&world, encryption, &sign(&key, &object(&world))).await;
        assert_answered(&world, &browser, &good).await;
        let off = world.another_node().await;
        let keys = Browser::new().get(&format!("{}/.well-known/jwks.json", off.base)).await.unwrap();
        assert!(!keys.text().contains(r#""enc""#), "{}", keys.text());
        let url = format!("{}/oauth2/auth?client_id=web&request={good}", off.base);
        assert_page(&Browser::new().get(&url).await.unwrap(), 400);
        // To withdraw a key there makes no other.
        let kid = CompactJwe::parse(&good).unwrap().kid().unwrap().to_owned();
        off.provider.revoke_key(&kid.as_str().into()).await.unwrap();
        assert!(off.provider.revoke_key(&"another".into()).await.is_err());
        world.clock.advance(Duration::from_secs(2));
        refusal(&world, &browser, &good).await;
    }

    async fn a_140_an_encrypted_object_permits_no_more(setup: Setup) {
        let (world, key) = with_requests(setup).await;
        let browser = settled_browser(&world, "web").await;
        let encryption = Encryption::new(ECDH, GCM);
        let good = sign(&key, &object(&world));
        assert_answered(&world, &browser, &encrypted(&world, encryption, &good).await).await;
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let claims = object(&world).to_string();
        let nested = encrypted(&world, encryption, &good).await;
        let stranger = new_key();
        let forged = [
            // Whoever knows our key can encrypt: that says nothing of who it is.
            claims.clone(),
            format!("{none}.{}.", URL_SAFE_NO_PAD.encode(&claims)),
            sign(&stranger, &object(&world)),
            sign_as(&stranger, &json!({"alg": "ES256", "kid": key.kid().as_str()}), &object(&world)),
            sign(&key, &with(object(&world), "request", json!(good.clone()))),
            nested,
            String::new(),
        ];
        for text in forged {
            refusal(&world, &browser, &encrypted(&world, encryption, &text).await).await;
        }
        let wide = sign(&key, &with(object(&world), "scope", json!("openid admin")));
        let asked = ask(&world, &browser, &encrypted(&world, encryption, &wide).await).await;
        let callback = follow(&world, &browser, asked).await.callback();
        assert_redirected(&world, &callback, "invalid_scope");
    }

    async fn a_113_nothing_is_decompressed(setup: Setup) {
        let (world, key) = with_requests(setup).await;
        let browser = settled_browser(&world, "web").await;
        let good = encrypted(&world, Encryption::new(ECDH, GCM), &sign(&key, &object(&world))).await;
        assert_answered(&world, &browser, &good).await;
        for zip in [json!("DEF"), json!("def"), json!(""), Value::Null, json!(1)] {
            let bomb = headed(&good, |header| header["zip"] = zip.clone());
            let told = refusal(&world, &browser, &bomb).await;
            assert!(told.contains("compressed"), "{told}");
        }
    }

    async fn a_114_a_password_is_never_hashed_for_a_token(setup: Setup) {
        let (world, key) = with_requests(setup).await;
        let browser = settled_browser(&world, "web").await;
        let good = encrypted(&world, Encryption::new(OAEP, GCM), &sign(&key, &object(&world))).await;
        assert_answered(&world, &browser, &good).await;
        for alg in ["PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"] {
            let slow = headed(&good, |header| {
                header["alg"] = json!(alg);
                header["p2c"] = json!(i32::MAX);
                header["p2s"] = json!("c2FsdHNhbHRzYWx0");
            });
            let begun = Instant::now();
            let told = refusal(&world, &browser, &slow).await;
            assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
            assert!(told.contains("encryption is not accepted"), "{told}");
        }
    }

    async fn a_115_nor_is_it_hashed_once(setup: Setup) {
        let (world, key) = with_requests(setup).await;
        let browser = settled_browser(&world, "web").await;
        let good = encrypted(&world, Encryption::new(OAEP, GCM), &sign(&key, &object(&world))).await;
        assert_answered(&world, &browser, &good).await;
        let weak = headed(&good, |header| {
            header["alg"] = json!("PBES2-HS256+A128KW");
            header["p2c"] = json!(1);
            header["p2s"] = json!("");
        });
        let told = refusal(&world, &browser, &weak).await;
        assert!(told.contains("encryption is not accepted"), "{told}");
    }

    async fn a_116_a_failure_says_nothing_about_the_padding(setup: Setup) {
        let (world, key) = with_requests(setup).await;
        let browser = settled_browser(&world, "web").await;
        let cbc = Encryption::new(OAEP, ContentEncryption::A128CbcHs256);
        let good = encrypted(&world, cbc, &sign(&key, &object(&world))).await;
        assert_answered(&world, &browser, &good).await;
        for alg in ["RSA1_5", "RSA-OAEP", "dir", "A128KW", "ECDH-ES+A128KW", "none", ""] {
            let told = refusal(&world, &browser, &headed(&good, |header| header["alg"] = json!(alg))).await;
            assert!(told.contains("encryption is not accepted"), "{alg}: {told}");
        }
        // In the wrapped key, in the last block, in the one before, in the tag: one text for all.
        let parts: Vec<Vec<u8>> = good.split('.').skip(1).map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        let mut told = Vec::new();
        for (segment, from_the_end) in [(0, 1), (0, 200), (2, 1), (2, 16), (2, 17), (2, 32), (3, 1)] {
            let mut parts = parts.clone();
            let place = parts[segment].len() - from_the_end;
            parts[segment][place] ^= 1;
            let header = good.split('.').next().unwrap();
            let parts: Vec<String> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
            told.push(refusal(&world, &browser, &format!("{header}.{}", parts.join("."))).await);
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("cannot be decrypted"), "{told:?}");
    }

    async fn a_118_a_jwe_that_lacks_something(setup: Setup) {
        let (world, key) = with_requests(setup).await;
        let browser = settled_browser(&world, "web").await;
        for alg in KeyManagement::ALL {
            let good = encrypted(&world, Encryption::new(alg, GCM), &sign(&key, &object(&world))).await;
            assert_answered(&world, &browser, &good).await;
            let parts: Vec<&str> = good.split('.').collect();
            let with = |place: usize, part: &str| {
                let mut parts = parts.clone();
                parts[place] = part;
                parts.join(".")
            };
            let bytes = |length: usize| URL_SAFE_NO_PAD.encode(vec![7; length]);
            let tag = URL_SAFE_NO_PAD.decode(parts[4]).unwrap();
            let mut bad = vec![
                format!("{good}."), format!("{good}.{}", parts[4]), format!(".{good}"),
                with(0, ""), with(0, "e30"), with(3, ""), with(4, ""), format!("{good}="),
            ];
            bad.extend([0, 1, 4, 8, 12, 15].map(|length| with(4, &URL_SAFE_NO_PAD.encode(&tag[..length]))));
            bad.push(with(4, &URL_SAFE_NO_PAD.encode([&tag[..], &[0]].concat())));
            bad.extend([0, 11, 13, 16].map(|length| with(2, &bytes(length))));
            bad.extend([0, 1, 255, 256, 257].map(|length| with(1, &bytes(length))).into_iter().filter(|bad| *bad != good));
            bad.push(headed(&good, |header| header["kid"] = json!("another")));
            bad.push(headed(&good, |header| header["crit"] = json!(["exp"])));
            bad.push(headed(&good, |header| header["epk"] = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})));
            bad.push(headed(&good, |header| header["epk"] = json!("x")));
            for bad in bad {
                refusal(&world, &browser, &bad).await;
            }
            assert_answered(&world, &browser, &good).await;
        }
    }
}
