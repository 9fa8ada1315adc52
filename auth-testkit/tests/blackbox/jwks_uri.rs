//! Clients that publish their keys (OpenID Connect Dynamic Client Registration §2, Core §10.1.1).

use std::time::{Duration, Instant};

use auth_core::keys::SigningKey;
use auth_fetch::SafeHttpClient;
use auth_oidc::client::{Client, ClientError, GrantType};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::caut::without_limits;
use crate::caut_assertion::{by_assertion, claims_of, input, new_key, sign};
use crate::flow::assert_refused;
use crate::rp::{Answers, RelyingParty, outgoing};
use crate::world::{Setup, WEB_CALLBACK, World};

const KEYS: &str = "/keys.json";
/// For so long every address is asked once.
const PAUSE: Duration = Duration::from_secs(11);

fn key_set(keys: &[&SigningKey]) -> String {
    let set = JwkSet { keys: keys.iter().map(|key| key.jwk().clone()).collect() };
    serde_json::to_string(&set).unwrap()
}

fn keyed(jwks_uri: String) -> Client {
    Client::private_key_jwt("keyed", jwks_uri)
        .redirect_uri(WEB_CALLBACK)
        .scope("openid orders:read")
        .grant_type(GrantType::ClientCredentials)
}

/// A world with the client `keyed`, its server, and the key that is published there for an hour.
async fn start(setup: Setup) -> (World, RelyingParty, SigningKey) {
    let (server, key) = (RelyingParty::start().await, new_key());
    server.publish(KEYS, "max-age=3600", key_set(&[&key]));
    let world = World::with(setup, |builder| {
        let builder = builder.rate_limiter(without_limits()).http_client(outgoing());
        builder.client(keyed(server.url(KEYS)))
    })
    .await;
    (world, server, key)
}

/// An assertion by `key`.
fn by(key: &SigningKey, world: &World) -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let jti = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    sign(key, &claims_of(world, "keyed", &format!("jti-{jti}")))
}

async fn accepted(world: &World, key: &SigningKey) -> bool {
    let reply = by_assertion(world, &by(key, world)).await;
    match reply.status.as_u16() {
        200 => true,
        401 => false,
        _ => panic!("{}", reply.text()),
    }
}

blackbox! {
    async fn a_key_set_is_fetched_once_for_everybody_and_as_long_as_it_says(setup: Setup) {
        let (world, server, key) = start(setup).await;
        let many = join_all((0..8).map(|_| accepted(&world, &key))).await;
        assert_eq!(many, [true; 8]);
        assert_eq!(server.asked(), 1);
        // Withdrawn: known until the hour is over.
        let next = new_key();
        server.publish(KEYS, "max-age=3600", key_set(&[&next]));
        world.clock.advance(Duration::from_secs(3590));
        assert!(accepted(&world, &key).await);
        assert_eq!(server.asked(), 0);
        world.clock.advance(Duration::from_secs(20));
        assert!(!accepted(&world, &key).await);
        assert!(accepted(&world, &next).await);
        assert_eq!(server.asked(), 1);
    }

    async fn a_client_changes_its_key_by_itself(setup: Setup) {
        let (world, server, key) = start(setup).await;
        assert!(accepted(&world, &key).await);
        assert_eq!(server.asked(), 1);
        let next = new_key();
        server.publish(KEYS, "max-age=3600", key_set(&[&key, &next]));
        world.clock.advance(PAUSE);
        assert!(accepted(&world, &next).await, "the set is read again for a key that it lacks");
        assert_eq!(server.asked(), 1);
        assert!(accepted(&world, &key).await && accepted(&world, &next).await);
        // Keys that are nowhere: asked for once in a while, however many they are.
        let strangers = [(); 20].map(|()| new_key());
        assert!(!join_all(strangers.iter().map(|key| accepted(&world, key))).await.contains(&true));
        assert!(server.asked() <= 1);
        for expected in [1, 0] {
            if expected == 1 {
                world.clock.advance(PAUSE);
            }
            assert!(!accepted(&world, &strangers[0]).await);
            assert_eq!(server.asked(), expected);
        }
        // Nor does a bad signature by a key that is there make it ask.
        world.clock.advance(PAUSE);
        let [text, other] = [by(&next, &world), by(&next, &world)];
        let part = |text: &str, n: usize| text.split('.').nth(n).unwrap().to_owned();
        let forged = format!("{}.{}.{}", part(&text, 0), part(&text, 1), part(&other, 2));
        assert_eq!(by_assertion(&world, &forged).await.status, 401);
        assert_eq!(server.asked(), 0);
    }

    async fn a_set_that_says_nothing_is_good_for_a_minute(setup: Setup) {
        let (world, server, key) = start(setup).await;
        for (says, seconds) in [("", 60), ("no-store", 10), ("max-age=0", 10), ("max-age=1200", 1200), ("max-age=999999999", 86_400)] {
            let path = format!("/{}.json", says.replace('=', "-"));
            server.publish(&path, says, key_set(&[&key]));
            world.provider.clients().put(keyed(server.url(&path))).await.unwrap();
            world.clock.advance(Duration::from_secs(6));
            assert!(accepted(&world, &key).await);
            assert_eq!(server.asked(), 1, "{says}");
            world.clock.advance(Duration::from_secs(seconds - 1));
            assert!(accepted(&world, &key).await);
            assert_eq!(server.asked(), 0, "{says}");
            world.clock.advance(Duration::from_secs(2));
            assert!(accepted(&world, &key).await);
            assert_eq!(server.asked(), 1, "{says}");
        }
    }

    async fn what_else_is_in_a_set_harms_no_key(setup: Setup) {
        let (world, server, key) = start(setup).await;
        let mut set: Value = serde_json::from_str(&key_set(&[&key])).unwrap();
        let others = [
            json!({"kty": "future", "kid": "a"}), json!({"kty": "oct", "k": "c2VjcmV0", "kid": "b"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": key.kid().as_str()}), json!(7), json!({}),
        ];
        set["keys"].as_array_mut().unwrap().splice(0..0, others);
        server.publish(KEYS, "", set.to_string());
        assert!(accepted(&world, &key).await);
        // A MAC by what is public is no signature.
        let header = json!({"alg": "HS256", "kid": "b"});
        let text = input(&header, &claims_of(&world, "keyed", "mac"));
        assert_eq!(by_assertion(&world, &format!("{text}.AAAA")).await.status, 401);
    }

    async fn a_102_what_cannot_be_read_verifies_nothing(setup: Setup) {
        let (world, server, key) = start(setup).await;
        assert!(accepted(&world, &key).await);
        let canary = RelyingParty::start().await;
        canary.publish(KEYS, "", key_set(&[&key]));
        let failures = [
            Answers::RedirectTo(canary.url(KEYS)), Answers::Status(404), Answers::Status(500), Answers::Status(206),
            Answers::Late(Duration::from_secs(60)),
        ];
        for failure in failures {
            world.clock.advance(Duration::from_secs(3601));
            server.asked();
            server.answers([failure.clone()]);
            let begun = Instant::now();
            let reply = by_assertion(&world, &by(&key, &world)).await;
            assert!(begun.elapsed() < Duration::from_secs(5), "{failure:?}");
            // No guess that failed: it counts against nobody.
            assert_eq!(reply.status, 503, "{failure:?}: {}", reply.text());
            let told = reply.json()["error_description"].as_str().unwrap().to_owned();
            assert!(told.contains("jwks_uri") && !told.contains("127.0.0.1"), "{told}");
            assert_eq!(server.asked(), 1);
            // Asked again after a while, and not at every attempt.
            assert_eq!(by_assertion(&world, &by(&key, &world)).await.status, 503);
            assert_eq!(server.asked(), 0);
            world.clock.advance(PAUSE);
            assert!(accepted(&world, &key).await, "{failure:?}");
        }
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>", &" ".repeat(200 * 1024)] {
            world.clock.advance(Duration::from_secs(3601));
            server.publish(KEYS, "max-age=14400", text);
            let reply = by_assertion(&world, &by(&key, &world)).await;
            assert!([401, 503].contains(&reply.status.as_u16()), "{text}: {}", reply.text());
            // However long it says that it is good.
            server.publish(KEYS, "max-age=60", key_set(&[&key]));
            world.clock.advance(PAUSE);
            assert!(accepted(&world, &key).await, "{text}");
        }
        assert_eq!(canary.asked(), 0);
    }

    async fn who_asks_for_a_key_that_is_not_there_takes_none_away(setup: Setup) {
        let (world, server, key) = start(setup).await;
        assert!(accepted(&world, &key).await);
        world.clock.advance(PAUSE);
        server.answers([Answers::Status(500)]);
        assert!(!accepted(&world, &new_key()).await);
        assert_eq!(server.asked(), 2);
        assert!(accepted(&world, &key).await, "the set that is known is good for an hour");
        assert_eq!(server.asked(), 0);
    }

    async fn who_goes_away_makes_nobody_ask_again(setup: Setup) {
        let (world, server, key) = start(setup).await;
        server.answers([Answers::Late(Duration::from_millis(400))]);
        for _ in 0..5 {
            let assertion = by(&key, &world);
            let gone = by_assertion(&world, &assertion);
            assert!(tokio::time::timeout(Duration::from_millis(50), gone).await.is_err());
        }
        let reply = by_assertion(&world, &by(&key, &world)).await;
        // What came late is no key set, which everybody is told now.
        assert_refused(&reply, 401, "invalid_client");
        assert_eq!(server.asked(), 1);
    }

    async fn a_101_nothing_in_a_token_is_an_address(setup: Setup) {
        let (world, server, key) = start(setup).await;
        assert!(accepted(&world, &key).await);
        let (canary, evil) = (RelyingParty::start().await, new_key());
        canary.publish(KEYS, "", key_set(&[&evil]));
        server.asked();
        for header in [
            json!({"alg": "ES256", "jku": canary.url(KEYS)}),
            json!({"alg": "ES256", "kid": canary.url(KEYS)}),
            json!({"alg": "ES256", "x5u": canary.url(KEYS), "jwks_uri": canary.url(KEYS)}),
        ] {
            let claims = claims_of(&world, "keyed", "jku");
            let mut claims = claims.as_object().unwrap().clone();
            claims.insert("jwks_uri".into(), canary.url(KEYS).into());
            let text = input(&header, &Value::from(claims));
            let signature = evil.sign(text.as_bytes()).unwrap();
            let signature = URL_SAFE_NO_PAD.encode(signature);
            assert_eq!(by_assertion(&world, &format!("{text}.{signature}")).await.status, 401);
        }
        // Of a client that is not known nothing is fetched at all.
        let stranger = sign(&evil, &claims_of(&world, &canary.url(KEYS), "jti"));
        assert_eq!(by_assertion(&world, &stranger).await.status, 401);
        assert_eq!(canary.asked(), 0);
    }

    async fn a_130_keys_inside_of_the_network_are_neither_registered_nor_fetched(setup: Setup) {
        let (world, server, key) = start(setup).await;
        assert!(accepted(&world, &key).await);
        server.asked();
        // Another process that goes by the rule: what was registered before is refused when it is fetched.
        let node = world
            .another_node_with(|builder| builder.http_client(SafeHttpClient::new().unwrap()))
            .await;
        let clients = node.provider.clients();
        clients.put(keyed("https://rp.example.com/keys".into())).await.unwrap();
        for uri in ["https://127.0.0.1/keys", "https://[::1]/keys", "https://169.254.169.254/latest", "https://0x7f.1/",
            "http://rp.example.com/keys", "file:///etc/passwd", "/keys", "https://rp.example.com/#keys"]
        {
            let refused = clients.put(keyed(uri.into())).await;
            let Err(ClientError::Invalid(error)) = refused else { panic!("{uri}: {refused:?}") };
            assert!(error.to_string().contains("jwks_uri"), "{error}");
        }
        clients.put(keyed("https://rp.example.com/keys".into())).await.unwrap();
        world.provider.clients().put(keyed(server.url(KEYS))).await.unwrap();
        let form = [
            ("grant_type", "client_credentials"), ("client_assertion", &by(&key, &world)),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ];
        let reply = auth_testkit::Browser::new().post(&format!("{}/oauth2/token", node.base), &form).await.unwrap();
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert_eq!(server.asked(), 0);
        assert!(accepted(&world, &key).await);
    }

    async fn there_is_one_key_set_and_somebody_to_fetch_it(setup: Setup) {
        let world = World::start(setup).await;
        let refused = |client: Client| {
            let clients = world.provider.clients();
            async move { clients.put(client).await.unwrap_err().to_string() }
        };
        let told = refused(keyed("https://rp.example.com/keys".into())).await;
        assert!(told.contains(".http_client("), "{told}");
        let mut both = keyed("https://rp.example.com/keys".into());
        both.jwks = Some(crate::caut_assertion::jwks(&new_key()));
        assert!(refused(both).await.contains("jwks_uri"));
        let mut neither = keyed(String::new());
        neither.jwks_uri = None;
        assert!(refused(neither).await.contains("jwks_uri"));
    }
}
