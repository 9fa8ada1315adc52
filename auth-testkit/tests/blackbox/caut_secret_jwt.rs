//! Client authentication by an assertion with a MAC by the secret (`client_secret_jwt`, RFC 7523).

use std::time::Duration;

use auth_core::SystemEntropy;
use auth_core::keys::SecretJws;
use auth_core::store::{Class, Key, Store, TenantId};
use auth_oidc::client::{Client, GrantType, TokenEndpointAuthMethod, generate_client_secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

use crate::caut::{CREDENTIALS_GRANT, without_limits};
use crate::caut_assertion::{
    assert_accepted, assert_rejected, by_assertion, claims_of, input, jwks, keyed, new_key, sign,
    with,
};
use crate::flow::*;
use crate::world::{SECRET, Setup, WEB_CALLBACK, World};

fn client(id: &str, secret: &str) -> Client {
    Client::client_secret_jwt(id, secret)
        .redirect_uri(WEB_CALLBACK)
        .scope("openid orders:read")
        .grant_type(GrantType::ClientCredentials)
}

async fn start(setup: Setup) -> World {
    World::with(setup, |builder| {
        builder.rate_limiter(without_limits()).client(client("mac", SECRET))
    })
    .await
}

fn mac_by(algorithm: hmac::Algorithm, alg: &str, secret: &[u8], claims: &Value) -> String {
    let input = input(&json!({"alg": alg, "typ": "JWT"}), claims);
    let mac = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac))
}

fn mac(secret: &str, claims: &Value) -> String {
    mac_by(hmac::HMAC_SHA256, "HS256", secret.as_bytes(), claims)
}

/// Of texts as they are, with the right MAC.
fn mac_of(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|text| URL_SAFE_NO_PAD.encode(text));
    let input = format!("{header}.{claims}");
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac))
}

fn new_secret() -> String {
    generate_client_secret(&SystemEntropy::default()).unwrap().expose().to_owned()
}

/// What the store holds of a client.
async fn stored(world: &World, id: &str) -> String {
    let key = Key::builder(Class::Main, "client").bytes(id.as_bytes()).build().unwrap();
    let record = world.store.get(TenantId::DEFAULT, &[key]).await.unwrap().remove(0);
    record.unwrap().value.to_string()
}

blackbox! {
    async fn a_mac_by_the_secret_authenticates_a_client_once(setup: Setup) {
        let world = start(setup).await;
        let claims = claims_of(&world, "mac", "j-1");
        let assertion = mac(SECRET, &claims);
        assert_accepted(&world, &assertion).await;
        assert_rejected(&world, &assertion).await;
        // Neither the secret itself, nor anybody else's assertion.
        assert_refused(&token(&world, By::Basic("mac", SECRET), &CREDENTIALS_GRANT).await, 401, "invalid_client");
        let in_body = [&CREDENTIALS_GRANT[..], &[("client_id", "mac"), ("client_secret", SECRET)]].concat();
        assert_refused(&token(&world, By::Nothing, &in_body).await, 401, "invalid_client");
        assert_rejected(&world, &mac(&new_secret(), &claims_of(&world, "mac", "j-2"))).await;
        for (name, value) in [
            ("aud", json!("https://elsewhere.example")), ("aud", Value::Null), ("sub", json!("svc")),
            ("exp", json!(1)), ("exp", Value::Null), ("jti", Value::Null), ("iat", json!(99_999_999_999_u64)),
        ] {
            let changed = with(claims_of(&world, "mac", "j-3"), name, value.clone());
            assert_rejected(&world, &mac(SECRET, &changed)).await;
        }
        assert_accepted(&world, &mac(SECRET, &claims_of(&world, "mac", "j-3"))).await;
    }

    async fn a_089_an_assertion_of_the_other_kind_is_refused(setup: Setup) {
        let world = start(setup).await;
        let key = new_key();
        let clients = world.provider.clients();
        clients.put(keyed("keyed", &key)).await.unwrap();
        // A client may have keys for its requests: they do not authenticate it.
        clients.put(client("mac", SECRET).jwks(jwks(&key))).await.unwrap();
        assert_rejected(&world, &sign(&key, &claims_of(&world, "mac", "j-1"))).await;
        // A public key is no secret, in whichever form it is taken for one.
        let jwk = serde_json::to_string(key.jwk()).unwrap();
        let point = serde_json::to_value(key.jwk()).unwrap()["x"].as_str().unwrap().to_owned();
        for secret in [jwk.as_bytes(), point.as_bytes(), &URL_SAFE_NO_PAD.decode(&point).unwrap(), b""] {
            let forged = mac_by(hmac::HMAC_SHA256, "HS256", secret, &claims_of(&world, "keyed", "j-1"));
            assert_rejected(&world, &forged).await;
        }
        assert_accepted(&world, &sign(&key, &claims_of(&world, "keyed", "j-1"))).await;
        let claims = claims_of(&world, "mac", "j-1");
        for (algorithm, alg) in [
            (hmac::HMAC_SHA256, "none"), (hmac::HMAC_SHA256, "hs256"), (hmac::HMAC_SHA256, "ES256"),
            (hmac::HMAC_SHA384, "HS384"), (hmac::HMAC_SHA512, "HS512"), (hmac::HMAC_SHA512, "HS256"),
        ] {
            assert_rejected(&world, &mac_by(algorithm, alg, SECRET.as_bytes(), &claims)).await;
        }
        let short = mac(SECRET, &claims);
        let (start, end) = short.rsplit_once('.').unwrap();
        for end in ["", &end[..20]] {
            assert_rejected(&world, &format!("{start}.{end}")).await;
        }
        assert_accepted(&world, &mac(SECRET, &claims)).await;
    }

    async fn a_105_a_mac_is_read_as_strictly_as_a_signature(setup: Setup) {
        const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
        let world = start(setup).await;
        let fresh = |jti: &str| claims_of(&world, "mac", jti).to_string();
        assert_accepted(&world, &mac_of(HEADER, &fresh("j-1"))).await;
        let claims = fresh("j-2");
        let before = world.store.snapshot();
        for header in [
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, r#"{"alg":"HS256","crit":["exp"]}"#,
            r#"{"alg":"HS256","crit":[]}"#, r#"{"alg":"HS256","b64":false}"#,
            r#"{"alg":"none","alg":"HS256"}"#, r#"{"alg":"HS256","alg":"none"}"#, r#"{"alg":["HS256"]}"#,
            r#"{"typ":"JWT"}"#, r#"["HS256"]"#, "HS256", "",
        ] {
            assert_rejected(&world, &mac_of(header, &claims)).await;
        }
        let end = |text: &str| claims.replacen('{', &format!("{{{text},"), 1);
        for claims in [
            &*end(r#""iss":"svc""#), &end(r#""jti":"j-1""#), &end(r#""aud":"https://elsewhere.example""#),
            &format!("[{claims}]"), &format!("{claims}{claims}"), &claims[..claims.len() - 1], "{}", "null", "",
        ] {
            assert_rejected(&world, &mac_of(HEADER, claims)).await;
        }
        for (name, value) in [
            ("exp", json!("9999999999")), ("exp", json!(-1)), ("exp", json!(1e300)), ("exp", json!([1])), ("exp", json!(true)),
            ("nbf", json!("0")), ("nbf", json!(-1)), ("iat", json!({})), ("jti", json!(7)), ("jti", json!("")),
            ("sub", json!(["mac"])), ("iss", json!(null)), ("aud", json!([])),
        ] {
            let changed = with(claims_of(&world, "mac", "j-2"), name, value.clone()).to_string();
            assert_rejected(&world, &mac_of(HEADER, &changed)).await;
        }
        let good = mac_of(HEADER, &claims);
        let parts: Vec<&str> = good.split('.').collect();
        let [header, payload, tag] = parts[..] else { panic!("three parts") };
        let inner = mac_of(r#"{"alg":"HS256","cty":"JWT"}"#, &good);
        for other in [
            format!("{good}="), format!("{header}=.{payload}.{tag}"), format!(" {good}"), format!("{good}\n"),
            format!("{good}."), format!("{header}.{payload}"), format!("{header}.{payload}.{tag}.x"), inner,
            format!("{header}.{payload}.{}", tag.replace(['-', '_'], "+")),
            json!({"protected": header, "payload": payload, "signature": tag}).to_string(),
            json!({"payload": payload, "signatures": [{"protected": header, "signature": tag}]}).to_string(),
        ] {
            if other != good {
                assert_rejected(&world, &other).await;
            }
        }
        assert_eq!(world.store.since(before).commits, 0, "no jti was taken");
        assert_accepted(&world, &good).await;
    }

    async fn a_secret_that_is_rotated_works_for_a_while(setup: Setup) {
        let world = start(setup).await;
        let clients = world.provider.clients();
        let (id, fresh) = ("mac".into(), new_secret());
        clients.rotate_secret(&id, &fresh.as_str().into(), Duration::from_secs(600)).await.unwrap();
        world.clock.advance(Duration::from_secs(6));
        assert_accepted(&world, &mac(SECRET, &claims_of(&world, "mac", "j-1"))).await;
        assert_accepted(&world, &mac(&fresh, &claims_of(&world, "mac", "j-2"))).await;
        world.clock.advance(Duration::from_secs(600));
        assert_rejected(&world, &mac(SECRET, &claims_of(&world, "mac", "j-3"))).await;
        assert_accepted(&world, &mac(&fresh, &claims_of(&world, "mac", "j-4"))).await;
        let short = "x".repeat(SecretJws::MIN_SECRET - 1);
        let refused = clients.rotate_secret(&id, &short.as_str().into(), Duration::ZERO).await.unwrap_err();
        assert!(refused.to_string().contains("32 bytes"), "{refused}");
    }

    async fn a_secret_is_kept_sealed_and_only_where_it_is_needed(setup: Setup) {
        let world = start(setup).await;
        let clients = world.provider.clients();
        let sealed = stored(&world, "mac").await;
        assert!(sealed.contains("sealed") && !sealed.contains(SECRET), "{sealed}");
        // The same again is the same.
        clients.put(client("mac", SECRET)).await.unwrap();
        assert_eq!(stored(&world, "mac").await, sealed);
        assert!(clients.put(client("short", &"x".repeat(31))).await.is_err());
        // The seal of one client opens nothing for another.
        clients.put(client("other", SECRET)).await.unwrap();
        let other: Value = serde_json::from_str(&stored(&world, "other").await).unwrap();
        assert_ne!(other.to_string(), sealed);

        // By hash until now: the provider does not know the secret, and has to be told.
        let by_hash = client("basic", SECRET).auth_method(TokenEndpointAuthMethod::ClientSecretBasic);
        clients.put(by_hash.clone()).await.unwrap();
        assert!(!stored(&world, "basic").await.contains("sealed"));
        let mut silent = clients.get(&"basic".into()).await.unwrap().unwrap();
        silent.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretJwt;
        let refused = clients.put(silent).await.unwrap_err();
        assert!(refused.to_string().contains("client_secret"), "{refused}");
        clients.put(client("basic", SECRET)).await.unwrap();
        world.clock.advance(Duration::from_secs(6));
        assert_accepted(&world, &mac(SECRET, &claims_of(&world, "basic", "j-1"))).await;
        // And back, with the secret that is there.
        let mut silent = clients.get(&"basic".into()).await.unwrap().unwrap();
        silent.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretBasic;
        clients.put(silent).await.unwrap();
        world.clock.advance(Duration::from_secs(6));
        Tokens::of(&token(&world, By::Basic("basic", SECRET), &CREDENTIALS_GRANT).await);
        let wrong = By::Basic("basic", "cs_wrong");
        assert_refused(&token(&world, wrong, &CREDENTIALS_GRANT).await, 401, "invalid_client");
        assert_rejected(&world, &mac(SECRET, &claims_of(&world, "basic", "j-2"))).await;
        let reply = by_assertion(&world, "x.y.z").await;
        assert_refused(&reply, 401, "invalid_client");
    }
}
