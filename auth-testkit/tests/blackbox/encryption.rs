//! Encrypted tokens (RFC 7516) for clients (OpenID Connect Core §10.2, §16.14).

use std::time::Duration;

use auth_core::Secret;
use auth_core::keys::{
    CompactJwe, CompactJws, ContentEncryption, DecryptionKey, Encryption, KeyManagement, Recipient,
    SigningAlgorithm,
};
use auth_oidc::client::{Client, ResponseType};
use auth_oidc::provider::ResponseTypePolicy;
use auth_testkit::Browser;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::back_channel::deliver;
use crate::caut_assertion::new_key;
use crate::flow::*;
use crate::logout::{logout_url, signed_in};
use crate::response_types::answer_of;
use crate::rp::{RelyingParty, outgoing};
use crate::world::{SECRET, Setup, World, web};

pub const ECDH: KeyManagement = KeyManagement::EcdhEs;
pub const OAEP: KeyManagement = KeyManagement::RsaOaep256;
pub const GCM: ContentEncryption = ContentEncryption::A256Gcm;

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

pub async fn published(world: &World) -> JwkSet {
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
pub async fn with_client(setup: Setup, client: Client) -> World {
    World::with(setup, |builder| {
        builder.encryption().response_types(ResponseTypePolicy::IdTokens).client(client)
    })
    .await
}

/// To the provider's key.
pub async fn recipient(world: &World, encryption: Encryption) -> Recipient {
    Recipient::choose(encryption, &published(world).await.keys).unwrap()
}

pub async fn encrypted(world: &World, encryption: Encryption, text: &str) -> String {
    let recipient = recipient(world, encryption).await;
    recipient.encrypt(&Secret::new(text)).unwrap().expose().to_owned()
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
}
