//! Request objects (RFC 9101).

use std::time::Duration;

use auth_core::Clock;
use auth_core::keys::{SigningAlgorithm, SigningKey};
use auth_oidc::client::Client;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::authz::settled_browser;
use crate::caut_assertion::{jwks, new_key};
use crate::flow::*;
use crate::world::{Setup, WEB_CALLBACK, World, web};

/// A world in which `web` and `other` sign their requests, and their keys.
async fn start(setup: Setup) -> (World, SigningKey, SigningKey) {
    let (key, other) = (new_key(), new_key());
    let world = World::with(setup, |builder| {
        let another =
            Client::public("other").redirect_uri("https://other.example/cb").scope("openid");
        builder.client(web().jwks(jwks(&key))).client(another.jwks(jwks(&other)))
    })
    .await;
    (world, key, other)
}

/// The claims of a good object of `web`: the request of [`request`].
pub fn object(world: &World) -> Value {
    let now = world.clock.now().as_secs();
    json!({
        "iss": "web", "aud": world.issuer, "iat": now, "exp": now + 300, "jti": "r-1",
        "client_id": "web", "redirect_uri": WEB_CALLBACK, "response_type": "code",
        "scope": "openid offline_access", "state": "state-1234567890", "nonce": "nonce-1234567890",
        "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256",
    })
}

pub fn with(mut claims: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => claims.as_object_mut().unwrap().remove(name),
        value => claims.as_object_mut().unwrap().insert(name.to_owned(), value),
    };
    claims
}

pub fn sign_as(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(header), part(claims));
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()).unwrap()))
}

pub fn sign(key: &SigningKey, claims: &Value) -> String {
    let header = json!({"alg": "ES256", "typ": "oauth-authz-req+jwt", "kid": key.kid().as_str()});
    sign_as(key, &header, claims)
}

fn url(world: &World, object: &str) -> String {
    format!("{}?client_id=web&request={object}", world.url("/oauth2/auth"))
}

async fn get(world: &World, browser: &Browser, object: &str) -> Reply {
    browser.get(&url(world, object)).await.unwrap()
}

fn assert_bad(reply: &Reply) {
    assert_page(reply, 400);
    assert!(reply.text().contains("invalid_request_object"), "{}", reply.text());
}

blackbox! {
    async fn a_signed_request_is_answered(setup: Setup) {
        let (world, key, _) = start(setup).await;
        let browser = Browser::new();
        let end = open(&world, &browser, &url(&world, &sign(&key, &object(&world)))).await;
        let callback = answer(&world, &browser, &ALICE, end).await.callback();
        assert_eq!(callback.get("state"), "state-1234567890");
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&tokens.id)["nonce"], "nonce-1234567890");
        // Parameters of every type.
        let typed = with(object(&world), "max_age", json!(86_400));
        let typed = with(typed, "claims", json!({"userinfo": {"email": null}}));
        let typed = with(typed, "prompt", json!("consent"));
        let end = open(&world, &browser, &url(&world, &sign(&key, &typed))).await;
        let callback = answer(&world, &browser, &ALICE, end).await.callback();
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(userinfo(&world, &tokens.access).await.json()["email"], "alice@example.com");
        let document = browser.get(&world.url("/.well-known/openid-configuration")).await.unwrap().json();
        assert_eq!(document["request_parameter_supported"], true);
        assert_eq!(document["request_uri_parameter_supported"], false);
        assert_eq!(document["require_signed_request_object"], false);
    }

    async fn what_stands_beside_an_object_counts_for_nothing(setup: Setup) {
        let (world, key, _) = start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let narrow = with(object(&world), "scope", json!("openid"));
        let evil = "&redirect_uri=https%3A%2F%2Fevil.example%2F&state=evil-state-1&scope=openid+email\
                    &response_mode=fragment&prompt=login&nonce=evil-nonce-1";
        let asked = format!("{}{evil}", url(&world, &sign(&key, &narrow)));
        let callback = open(&world, &browser, &asked).await.callback();
        assert!(callback.url.as_str().starts_with(WEB_CALLBACK), "{}", callback.url);
        assert_eq!(callback.get("state"), "state-1234567890");
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(tokens.answer["scope"], "openid");
        // Nor does it lend what the object lacks.
        let bare = with(object(&world), "redirect_uri", Value::Null);
        let lent = format!("{}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb", url(&world, &sign(&key, &bare)));
        assert_page(&browser.get(&lent).await.unwrap(), 400);
    }

    async fn a_138_an_object_for_somebody_else(setup: Setup) {
        let (world, key, other) = start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let good = object(&world);
        open(&world, &browser, &url(&world, &sign(&key, &good))).await.callback().code();
        let now = world.clock.now().as_secs();
        let issuer = world.issuer.clone();
        let before = world.store.snapshot();
        for (name, value) in [
            ("client_id", json!("other")), ("client_id", json!("")), ("client_id", json!(["web"])), ("client_id", Value::Null),
            ("sub", json!("web")), ("iss", json!("other")), ("iss", json!(issuer)), ("iss", Value::Null),
            ("aud", json!("https://other.example")), ("aud", json!([])), ("aud", json!(format!("{issuer}/"))), ("aud", Value::Null),
            ("exp", json!(now - 61)), ("exp", json!(now + 3_601)), ("exp", json!("9999999999")), ("exp", json!(-1)), ("exp", json!(1.5e300)), ("exp", Value::Null),
            ("nbf", json!(now + 62)), ("nbf", json!("x")), ("iat", json!(now + 62)), ("iat", json!({})),
        ] {
            assert_bad(&get(&world, &browser, &sign(&key, &with(good.clone(), name, value.clone()))).await);
        }
        // Signed by another client, by nobody, for another purpose, or changed on the way.
        let signed = sign(&key, &good);
        let (input, signature) = signed.rsplit_once('.').unwrap();
        let (header, _) = input.split_once('.').unwrap();
        let evil = URL_SAFE_NO_PAD.encode(with(good.clone(), "scope", json!("openid email")).to_string());
        let typed = |typ: &str| json!({"alg": "ES256", "typ": typ, "kid": key.kid().as_str()});
        for forged in [
            sign(&other, &good),
            sign_as(&other, &json!({"alg": "ES256", "kid": key.kid().as_str()}), &good),
            sign_as(&other, &json!({"alg": "ES256"}), &good),
            sign_as(&key, &typed("at+jwt"), &good),
            sign_as(&key, &typed("logout+jwt"), &good),
            sign_as(&key, &typed(""), &good),
            sign_as(&key, &json!({"alg": "ES256", "kid": "x"}), &good),
            sign_as(&key, &json!({"alg": "ES256", "kid": key.kid().as_str(), "crit": ["exp"]}), &good),
            format!("{header}.{evil}.{signature}"),
            format!("{input}."),
            format!("{input}.{signature}A"),
            input.to_owned(),
            "x".to_owned(),
            "..".to_owned(),
        ] {
            assert_bad(&get(&world, &browser, &forged).await);
        }
        assert_eq!(world.store.since(before).commits, 0);
        // In time, and for us among others.
        let listed = with(good, "aud", json!(["https://other.example", issuer]));
        open(&world, &browser, &url(&world, &sign(&key, &listed))).await.callback().code();
        world.clock.advance(Duration::from_secs(361));
        assert_bad(&get(&world, &browser, &sign(&key, &listed)).await);
    }

    async fn a_139_who_must_sign_signs(setup: Setup) {
        let key = new_key();
        let client = || web().jwks(jwks(&key));
        let worlds = [
            World::with(setup, |b| b.client(client().require_signed_request_object())).await,
            World::with(setup, |b| b.client(client()).require_signed_request_object()).await,
        ];
        for world in worlds {
            let browser = Browser::new();
            let before = world.store.snapshot();
            let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
            let unsigned = format!("{none}.{}.", URL_SAFE_NO_PAD.encode(object(&world).to_string()));
            assert_bad(&browser.get(&request("web").url(&world)).await.unwrap());
            assert_bad(&get(&world, &browser, &unsigned).await);
            let both = request("web").set("request", &unsigned).url(&world);
            assert_bad(&browser.get(&both).await.unwrap());
            assert_eq!(world.store.since(before).commits, 0);
            let end = open(&world, &browser, &url(&world, &sign(&key, &object(&world)))).await;
            answer(&world, &browser, &ALICE, end).await.callback().code();
        }
        // Where nobody must, an unsigned object is a form that is not supported.
        let world = World::with(setup, |b| b.client(client())).await;
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let unsigned = format!("{none}.{}.", URL_SAFE_NO_PAD.encode(object(&world).to_string()));
        let asked = request("web").set("request", &unsigned).url(&world);
        let refused = open(&world, &Browser::new(), &asked).await.callback();
        assert_redirected(&world, &refused, "request_not_supported");
    }

    async fn a_140_an_object_permits_no_more_than_parameters_do(setup: Setup) {
        let (world, key, _) = start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let good = object(&world);
        let before = world.store.snapshot();
        for (name, value) in [("request", json!("x.y.z")), ("request_uri", json!("urn:ietf:params:oauth:request_uri:x")), ("request", json!(""))] {
            assert_bad(&get(&world, &browser, &sign(&key, &with(good.clone(), name, value))).await);
        }
        for (name, value, error) in [
            ("scope", json!("openid admin"), "invalid_scope"),
            ("response_type", json!("code id_token"), "unsupported_response_type"),
            ("code_challenge", Value::Null, "invalid_request"),
            ("prompt", json!("none login"), "invalid_request"),
            ("max_age", json!(-1), "invalid_request"),
            ("state", json!("x"), "invalid_state"),
            ("resource", json!(["https://api.example"]), "invalid_target"),
            ("registration", json!({"client_name": "x"}), "registration_not_supported"),
        ] {
            let asked = url(&world, &sign(&key, &with(good.clone(), name, value)));
            let callback = open(&world, &browser, &asked).await.callback();
            let error_of = callback.parameters.get("error").cloned().or_else(|| {
                let fragment = callback.url.fragment().unwrap_or_default().as_bytes();
                url::form_urlencoded::parse(fragment).into_owned().find(|(n, _)| n == "error").map(|(_, e)| e)
            });
            assert_eq!(error_of.as_deref(), Some(error), "{name}");
        }
        let elsewhere = with(good.clone(), "redirect_uri", json!("https://evil.example/cb"));
        assert_page(&get(&world, &browser, &sign(&key, &elsewhere)).await, 400);
        assert_eq!(world.store.since(before).commits, 0);
        open(&world, &browser, &url(&world, &sign(&key, &good))).await.callback().code();
    }

    async fn an_object_can_be_pushed(setup: Setup) {
        let (world, key, other) = start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let push = async |object: &str| post_as(&world, "/oauth2/par", WEB, &[("request", object)]).await;
        let reply = push(&sign(&key, &object(&world))).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let request_uri = reply.json()["request_uri"].as_str().unwrap().to_owned();
        let url = crate::par::with(&world, "web", &request_uri);
        open(&world, &browser, &url).await.callback().code();
        for bad in [sign(&other, &object(&world)), sign(&key, &with(object(&world), "aud", json!("x")))] {
            assert_refused(&push(&bad).await, 400, "invalid_request_object");
        }
    }

    async fn an_algorithm_that_is_registered_is_the_only_one(setup: Setup) {
        let (ec, ed) = (new_key(), SigningKey::generate(SigningAlgorithm::EdDsa).unwrap());
        let mut keys = jwks(&ec);
        keys.keys.push(ed.jwk().clone());
        let mut client = web().jwks(keys);
        client.request_object_signing_alg = Some(SigningAlgorithm::EdDsa);
        let world = World::with(setup, |builder| builder.client(client)).await;
        let browser = settled_browser(&world, "web").await;
        let by_ed = sign_as(&ed, &json!({"alg": "EdDSA", "kid": ed.kid().as_str()}), &object(&world));
        open(&world, &browser, &url(&world, &by_ed)).await.callback().code();
        assert_bad(&get(&world, &browser, &sign(&ec, &object(&world))).await);
    }
}
