//! Encrypted tokens (RFC 7516): for clients (OpenID Connect Core §10.2, §16.14), and from them (RFC 9101 §6.1).

use std::time::{Duration, Instant};

use auth_core::Secret;
use auth_core::keys::{
    CompactJwe, CompactJws, ContentEncryption, DecryptionKey, Encryption, KeyManagement, Recipient,
    SigningAlgorithm, SigningKey,
};
use auth_oidc::client::{Client, ResponseType};
use auth_oidc::provider::ResponseTypePolicy;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::authz::settled_browser;
use crate::back_channel::deliver;
use crate::caut_assertion::new_key;
use crate::flow::*;
use crate::jars::{object, sign, sign_as, with};
use crate::logout::{logout_url, signed_in};
use crate::response_types::answer_of;
use crate::rp::{RelyingParty, outgoing};
use crate::world::{SECRET, Setup, World, web};

const ECDH: KeyManagement = KeyManagement::EcdhEs;
const OAEP: KeyManagement = KeyManagement::RsaOaep256;
const GCM: ContentEncryption = ContentEncryption::A256Gcm;

fn new(alg: KeyManagement) -> DecryptionKey {
    DecryptionKey::generate(alg).unwrap()
}

fn key_set(keys: &[&DecryptionKey]) -> JwkSet {
    JwkSet { keys: keys.iter().map(|key| key.jwk().clone()).collect() }
}

/// What a token holds that is encrypted to `key` so, and the header of the JWE.
fn opened(key: &DecryptionKey, encryption: Encryption, token: &str) -> (String, Value) {
    let jwe = CompactJwe::parse(token).unwrap();
    assert_eq!(jwe.encryption(), encryption);
    assert_eq!(jwe.kid(), Some(key.kid().as_str()), "the header names the key");
    let text = String::from_utf8(key.decrypt(&jwe).unwrap().to_vec()).unwrap();
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    (text, serde_json::from_slice(&header).unwrap())
}

async fn published(world: &World) -> JwkSet {
    let keys = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap().json();
    serde_json::from_value(keys).unwrap()
}

/// The claims of a JWS of the provider's.
async fn verified(world: &World, jws: &str) -> Value {
    let keys = published(world).await;
    let jws = CompactJws::parse(jws).unwrap();
    let key = keys.find(jws.header().kid.as_deref().unwrap()).unwrap();
    Value::Object(jws.verify(key).unwrap())
}

/// A world that encrypts, with this client.
async fn with_client(setup: Setup, client: Client) -> World {
    World::with(setup, |builder| {
        builder.encryption().response_types(ResponseTypePolicy::IdTokens).client(client)
    })
    .await
}

/// A world that takes encrypted requests of `web`, who signs them with the key.
async fn with_requests(setup: Setup) -> (World, SigningKey) {
    let key = new_key();
    let client = web().jwks(crate::caut_assertion::jwks(&key));
    (with_client(setup, client).await, key)
}

/// To the provider's key.
async fn recipient(world: &World, encryption: Encryption) -> Recipient {
    Recipient::choose(encryption, &published(world).await.keys).unwrap()
}

async fn encrypted(world: &World, encryption: Encryption, text: &str) -> String {
    let recipient = recipient(world, encryption).await;
    recipient.encrypt(&Secret::new(text)).unwrap().expose().to_owned()
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
    async fn an_id_token_is_for_its_client_alone(setup: Setup) {
        for alg in KeyManagement::ALL {
            let key = new(alg);
            let keyed = |enc| web().jwks(key_set(&[&key])).encrypted_id_token(alg, enc);
            let world = with_client(setup, keyed(GCM)).await;
            for enc in ContentEncryption::ALL {
                world.provider.clients().put(keyed(enc)).await.unwrap();
                world.clock.advance(Duration::from_secs(6));
                let tokens = tokens(&world).await;
                let (id_token, header) = opened(&key, Encryption::new(alg, enc), &tokens.id);
                assert_eq!(header["cty"], "JWT");
                let claims = verified(&world, &id_token).await;
                assert_eq!((&claims["aud"], &claims["sub"]), (&json!("web"), &json!("u-alice")));
                assert!(claims["at_hash"].is_string());
                let refreshed = Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
                let (id_token, _) = opened(&key, Encryption::new(alg, enc), &refreshed.id);
                assert_eq!(verified(&world, &id_token).await["sub"], "u-alice");
            }
            // Others get what they always got.
            let code = authorize(&world, &Browser::new(), &ALICE, &request("spa")).await.callback().code();
            verified(&world, &Tokens::of(&redeem(&world, SPA, &code).await).id).await;
        }
    }

    async fn an_id_token_of_the_front_channel_is_encrypted_too(setup: Setup) {
        let key = new(ECDH);
        let client = web().jwks(key_set(&[&key])).encrypted_id_token(ECDH, GCM);
        let world = with_client(setup, client.response_type(ResponseType::CodeIdToken)).await;
        let asked = request("web").set("response_type", "code id_token");
        let callback = authorize(&world, &Browser::new(), &ALICE, &asked).await.callback();
        let (id_token, _) = opened(&key, Encryption::new(ECDH, GCM), &answer_of(&callback)["id_token"]);
        let claims = verified(&world, &id_token).await;
        assert!(claims["c_hash"].is_string());
        assert_eq!(claims["nonce"], "nonce-1234567890");
    }

    async fn userinfo_is_encrypted_whether_it_is_signed_or_not(setup: Setup) {
        let (rsa, ec) = (new(OAEP), new(ECDH));
        let client = web().jwks(key_set(&[&rsa, &ec])).encrypted_userinfo(ECDH, GCM);
        let world = with_client(setup, client.clone()).await;
        let tokens = tokens(&world).await;
        assert_eq!(claims(&tokens.id)["sub"], "u-alice", "its id token is not encrypted");
        let reply = userinfo(&world, &tokens.access).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("content-type"), "application/jwt");
        assert_eq!(reply.header("cache-control"), "no-store");
        let (text, header) = opened(&ec, Encryption::new(ECDH, GCM), &reply.text());
        assert_eq!(header.get("cty"), None);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["sub"], "u-alice");

        let signed = client.userinfo_alg(SigningAlgorithm::Rs256);
        world.provider.clients().put(signed).await.unwrap();
        world.clock.advance(Duration::from_secs(6));
        let reply = userinfo(&world, &tokens.access).await;
        let (text, header) = opened(&ec, Encryption::new(ECDH, GCM), &reply.text());
        assert_eq!(header["cty"], "JWT");
        let claims = verified(&world, &text).await;
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!("u-alice"), &json!("web")));
        // A refusal is a refusal.
        assert_eq!(userinfo(&world, "at_x").await.status, 401);
    }

    async fn an_introspection_is_encrypted_for_who_asks(setup: Setup) {
        const TYPE: &str = "application/token-introspection+jwt";
        let key = new(OAEP);
        let rs = Client::service("rs", SECRET).scope("openid").introspect_any();
        let world = with_client(setup, rs.jwks(key_set(&[&key])).encrypted_introspection(OAEP, GCM)).await;
        let tokens = tokens(&world).await;
        let browser = Browser::new();
        let request = browser.http().post(world.url("/oauth2/introspect")).header("accept", TYPE);
        let request = request.basic_auth("rs", Some(SECRET)).form(&[("token", &tokens.access)]);
        let reply = browser.send(request).await.unwrap();
        assert_eq!(reply.header("content-type"), TYPE);
        let (text, _) = opened(&key, Encryption::new(OAEP, GCM), &reply.text());
        let claims = verified(&world, &text).await;
        assert_eq!(claims["token_introspection"]["active"], true);
        assert!(is_active(&world, &tokens.access).await, "JSON for who accepts that");
    }

    async fn a_client_changes_its_key_by_itself(setup: Setup) {
        let (server, old, next) = (RelyingParty::start().await, new(ECDH), new(ECDH));
        let publish = |key: &DecryptionKey| {
            server.publish("/keys", "max-age=3600", serde_json::to_string(&key_set(&[key])).unwrap());
        };
        publish(&old);
        let client = web().jwks_uri(server.url("/keys")).encrypted_id_token(ECDH, GCM);
        let world = World::with(setup, |builder| builder.encryption().http_client(outgoing()).client(client)).await;
        let encryption = Encryption::new(ECDH, GCM);
        opened(&old, encryption, &tokens(&world).await.id);
        publish(&next);
        world.clock.advance(Duration::from_secs(3601));
        opened(&next, encryption, &tokens(&world).await.id);
        // As long as it has no key, it gets nothing, and loses nothing.
        server.publish("/keys", "", r#"{"keys":[]}"#);
        world.clock.advance(Duration::from_secs(3601));
        let code = code(&world).await;
        let refused = redeem(&world, WEB, &code).await;
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert!(!refused.text().contains("127.0.0.1"), "{}", refused.text());
        publish(&next);
        world.clock.advance(Duration::from_secs(11));
        opened(&next, encryption, &Tokens::of(&redeem(&world, WEB, &code).await).id);
    }

    async fn what_is_encrypted_needs_a_key_and_a_provider_that_does(setup: Setup) {
        let key = new(ECDH);
        let good = web().jwks(key_set(&[&key])).encrypted_id_token(ECDH, GCM);
        let world = with_client(setup, good.clone()).await;
        let refused = async |client: Client| world.provider.clients().put(client).await.unwrap_err().to_string();
        let unkeyed = web().encrypted_id_token(ECDH, GCM);
        assert!(refused(unkeyed).await.contains("id_token_encrypted_response_alg"));
        let other = web().jwks(key_set(&[&key])).encrypted_userinfo(OAEP, GCM);
        assert!(refused(other).await.contains("userinfo_encrypted_response_alg"));
        let signing = web().jwks(crate::caut_assertion::jwks(&new_key())).encrypted_introspection(ECDH, GCM);
        assert!(refused(signing).await.contains("introspection_encrypted_response_alg"));
        let mut half = good.clone();
        half.id_token_encrypted_response_alg = None;
        assert!(refused(half).await.contains("id_token_encrypted_response_alg"));
        world.provider.clients().put(good.clone()).await.unwrap();

        let without = World::start(setup).await;
        let told = without.provider.clients().put(good).await.unwrap_err().to_string();
        assert!(told.contains(".encryption()"), "{told}");
        for (world, ours) in [(&world, 2), (&without, 0)] {
            let document = Browser::new().get(&world.url("/.well-known/openid-configuration")).await.unwrap().json();
            for name in ["id_token", "userinfo", "introspection", "request_object"] {
                let values = |what: &str| document[format!("{name}_encryption_{what}_values_supported")].clone();
                let [alg, enc] = match ours {
                    0 => [Value::Null, Value::Null],
                    _ => [
                        json!(["RSA-OAEP-256", "ECDH-ES"]),
                        json!(["A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"]),
                    ],
                };
                assert_eq!((values("alg"), values("enc")), (alg, enc), "{name}");
            }
            let keys = serde_json::to_value(published(world).await).unwrap();
            let to_encrypt = keys["keys"].as_array().unwrap().iter().filter(|key| key["use"] == "enc");
            assert_eq!(to_encrypt.count(), ours);
        }
    }

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

    async fn a_hint_may_be_encrypted_to_the_provider(setup: Setup) {
        let key = new(ECDH);
        let client = web().jwks(key_set(&[&key])).encrypted_id_token(ECDH, GCM);
        let world = with_client(setup, client).await;
        let (browser, tokens) = signed_in(&world).await;
        let (id_token, _) = opened(&key, Encryption::new(ECDH, GCM), &tokens.id);
        let quiet = request("web").set("prompt", "none");
        let hinted = async |hint: &str| {
            let asked = quiet.clone().set("id_token_hint", hint).url(&world);
            open(&world, &browser, &asked).await.callback()
        };
        let good = encrypted(&world, Encryption::new(OAEP, GCM), &id_token).await;
        hinted(&good).await.code();
        // What came is encrypted to the client, and we cannot read it.
        assert_redirected(&world, &hinted(&tokens.id).await, "invalid_request");
        for bad in ["{}", "a.b.c"] {
            let bad = encrypted(&world, Encryption::new(OAEP, GCM), bad).await;
            assert_redirected(&world, &hinted(&bad).await, "invalid_request");
        }
        let url = logout_url(&world, &[("id_token_hint", &good)]);
        assert_page(&open(&world, &browser, &url).await.page(), 200);
        assert_eq!(hinted(&good).await.get("error"), "login_required");
    }

    async fn a_logout_token_is_encrypted_where_id_tokens_are(setup: Setup) {
        let (server, key) = (RelyingParty::start().await, new(ECDH));
        let client = web().jwks(key_set(&[&key])).encrypted_id_token(ECDH, GCM);
        let client = client.backchannel_logout_uri(server.url("/out"));
        let world = World::with(setup, |builder| {
            builder.encryption().http_client(outgoing()).client(client)
        })
        .await;
        let (browser, tokens) = signed_in(&world).await;
        let (id_token, _) = opened(&key, Encryption::new(ECDH, GCM), &tokens.id);
        let url = logout_url(&world, &[("id_token_hint", &id_token)]);
        assert_page(&open(&world, &browser, &url).await.page(), 200);
        assert_eq!(deliver(&world).await.delivered, 1);
        let [told] = server.logout_tokens().try_into().unwrap();
        let (told, _) = opened(&key, Encryption::new(ECDH, GCM), &told);
        let told = verified(&world, &told).await;
        assert_eq!(told["sid"], claims(&id_token)["sid"]);
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
