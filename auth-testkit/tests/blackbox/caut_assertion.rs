//! Client authentication by a signed assertion (RFC 7523).

use std::net::TcpListener;
use std::time::Duration;

use auth_core::Clock;
use auth_core::keys::{SigningAlgorithm, SigningKey};
use auth_core::store::{Store, Sweep};
use auth_oidc::client::{Client, GrantType};
use auth_testkit::Reply;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet};
use ring::hmac;
use serde_json::{Value, json};

use crate::caut::{CREDENTIALS_GRANT, without_limits};
use crate::flow::*;
use crate::world::{WEB_CALLBACK, World};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub fn new_key() -> SigningKey {
    SigningKey::generate(SigningAlgorithm::Es256).unwrap()
}

pub fn jwks(key: &SigningKey) -> JwkSet {
    JwkSet { keys: vec![key.jwk().clone()] }
}

/// A client that signs assertions.
pub fn keyed(id: &str, key: &SigningKey) -> Client {
    Client::private_key_jwt(id, jwks(key))
        .redirect_uri(WEB_CALLBACK)
        .scope("openid orders:read")
        .grant_type(GrantType::ClientCredentials)
}

/// A world with the clients `keyed` and `other`, and their keys.
async fn start(setup: crate::world::Setup) -> (World, SigningKey, SigningKey) {
    let (key, other) = (new_key(), new_key());
    let world = World::with(setup, |builder| {
        let builder = builder.rate_limiter(without_limits());
        builder.client(keyed("keyed", &key)).client(keyed("other", &other))
    })
    .await;
    (world, key, other)
}

/// The claims of a good assertion of the client `id`.
pub fn claims_of(world: &World, id: &str, jti: &str) -> Value {
    let now = world.clock.now().as_secs();
    json!({
        "iss": id, "sub": id, "aud": world.issuer, "jti": jti, "iat": now, "exp": now + 300,
    })
}

pub fn input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn header_of(key: &SigningKey) -> Value {
    json!({"alg": "ES256", "kid": key.kid().as_str()})
}

fn sign_with(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let input = input(header, claims);
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub fn sign(key: &SigningKey, claims: &Value) -> String {
    sign_with(key, &header_of(key), claims)
}

/// A changed value; `null` leaves the member out.
pub fn with(mut value: Value, name: &str, member: Value) -> Value {
    match member {
        Value::Null => value.as_object_mut().unwrap().remove(name),
        member => value.as_object_mut().unwrap().insert(name.to_owned(), member),
    };
    value
}

/// Asks for a token by an assertion.
pub async fn by_assertion(world: &World, assertion: &str) -> Reply {
    let proof = [("client_assertion", assertion), ("client_assertion_type", TYPE)];
    token(world, By::Nothing, &[&CREDENTIALS_GRANT[..], &proof].concat()).await
}

pub async fn assert_accepted(world: &World, assertion: &str) {
    Tokens::of(&by_assertion(world, assertion).await);
}

pub async fn assert_rejected(world: &World, assertion: &str) {
    assert_refused(&by_assertion(world, assertion).await, 401, "invalid_client");
}

blackbox! {
    async fn a_084_an_assertion_is_used_twice(setup: Setup) {
        let (world, key, _) = start(setup).await;
        let claims = claims_of(&world, "keyed", "j-1");
        let assertion = sign(&key, &claims);
        assert_accepted(&world, &assertion).await;
        assert_rejected(&world, &assertion).await;
        // Another signature over the same identifier is the same assertion, at every endpoint.
        let anew = sign(&key, &with(claims.clone(), "iat", Value::Null));
        assert_rejected(&world, &anew).await;
        let form = [("token", "x"), ("client_assertion", &*anew), ("client_assertion_type", TYPE)];
        for path in ["/oauth2/introspect", "/oauth2/revoke"] {
            let reply = post_as(&world, path, By::Nothing, &form).await;
            assert_refused(&reply, 401, "invalid_client");
        }
        // It stays used for as long as it could be accepted, whatever is swept away until then.
        world.clock.advance(Duration::from_secs(300 + 59));
        let now = world.clock.now();
        world.store.sweep(Sweep::Expired { now }, 1000).await.unwrap();
        assert_rejected(&world, &assertion).await;
        let late = with(with(claims, "jti", json!("j-2")), "iat", Value::Null);
        assert_accepted(&world, &sign(&key, &late)).await;
    }

    async fn a_084_an_assertion_is_used_many_times_at_once(setup: Setup) {
        let (world, key, _) = start(setup).await;
        let assertion = sign(&key, &claims_of(&world, "keyed", "j-1"));
        let answers = join_all((0..16).map(|_| by_assertion(&world, &assertion))).await;
        let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|reply| reply.status == 200);
        assert_eq!(good.len(), 1);
        bad.iter().for_each(|reply| assert_refused(reply, 401, "invalid_client"));
    }

    async fn a_085_forgeries_do_not_burn_identifiers(setup: Setup) {
        let (world, key, other) = start(setup).await;
        let now = world.clock.now().as_secs();
        let good = claims_of(&world, "keyed", "j-1");
        let before = world.store.snapshot();
        for forged in [
            sign_with(&other, &header_of(&key), &good),
            sign(&key, &with(good.clone(), "aud", json!("https://other.example"))),
            sign(&key, &with(good.clone(), "exp", json!(now - 3600))),
            sign(&key, &with(good.clone(), "sub", json!("other"))),
            format!("{}AAAA", sign(&key, &good)),
        ] {
            assert_rejected(&world, &forged).await;
        }
        assert_eq!(world.store.since(before).commits, 0);
        // What another client uses is its own.
        assert_accepted(&world, &sign(&other, &claims_of(&world, "other", "j-1"))).await;
        assert_accepted(&world, &sign(&key, &good)).await;
    }

    async fn a_086_an_assertion_for_somebody_else(setup: Setup) {
        let (world, key, _) = start(setup).await;
        assert_accepted(&world, &sign(&key, &claims_of(&world, "keyed", "j-0"))).await;
        let issuer = &world.issuer;
        let before = world.store.snapshot();
        for (i, audience) in [
            Value::Null,
            json!(""),
            json!([]),
            json!(7),
            json!({"0": issuer}),
            json!([issuer]),
            json!([issuer, "https://other.example/token"]),
            json!([issuer, issuer]),
            json!(world.url("/oauth2/token")),
            json!([world.url("/oauth2/token")]),
            json!("https://other.example/oauth2/token"),
            json!(format!("{issuer}/")),
            json!(issuer.to_uppercase()),
            json!(format!("{issuer}.evil.example")),
            json!(issuer.replace("http://", "https://")),
        ]
        .into_iter()
        .enumerate()
        {
            let claims = claims_of(&world, "keyed", &format!("j-{i}-a"));
            assert_rejected(&world, &sign(&key, &with(claims, "aud", audience))).await;
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_client_may_be_permitted_to_address_the_token_endpoint(setup: Setup) {
        let (world, key, other) = start(setup).await;
        let for_endpoint = |id: &str, jti: &str, audience: Value| {
            with(claims_of(&world, id, jti), "aud", audience)
        };
        let endpoint = json!(world.url("/oauth2/token"));
        let early = sign(&key, &for_endpoint("keyed", "e-0", endpoint.clone()));
        assert_rejected(&world, &early).await;
        let permitted = keyed("keyed", &key).insecure_token_endpoint_audience();
        world.provider.clients().put(permitted).await.unwrap();
        world.clock.advance(Duration::from_secs(6));
        assert_accepted(&world, &sign(&key, &for_endpoint("keyed", "e-1", endpoint.clone()))).await;
        assert_accepted(&world, &sign(&key, &claims_of(&world, "keyed", "e-2"))).await;
        // Nor are the endpoints of RFC 9126 §2 and RFC 7523 §3 told apart.
        let pushed = json!(world.url("/oauth2/par"));
        assert_accepted(&world, &sign(&key, &for_endpoint("keyed", "e-4", pushed))).await;
        // Alone, and no other address; and nobody else may.
        let issuer = &world.issuer;
        for (i, audience) in [
            json!([endpoint]), json!([issuer]), json!(world.url("/oauth2/introspect")), json!(world.url("/oauth2/par/")),
            json!("https://other.example/oauth2/token"), json!(world.url("/oauth2/token/")),
        ]
        .into_iter()
        .enumerate()
        {
            let claims = for_endpoint("keyed", &format!("e-{i}-b"), audience);
            assert_rejected(&world, &sign(&key, &claims)).await;
        }
        assert_rejected(&world, &sign(&other, &for_endpoint("other", "e-3", endpoint))).await;
    }

    async fn claims_of_an_assertion_that_are_missing_or_out_of_time(setup: Setup) {
        let (world, key, _) = start(setup).await;
        let now = world.clock.now().as_secs();
        // Clocks may differ by a minute, and times may have fractions.
        for (i, (name, value)) in [
            ("iat", Value::Null),
            ("iat", json!(now + 59)),
            ("nbf", json!(now + 59)),
            ("exp", json!(now - 59)),
            ("exp", json!(now as f64 + 60.5)),
        ]
        .into_iter()
        .enumerate()
        {
            let claims = with(claims_of(&world, "keyed", &format!("good-{i}")), name, value);
            assert_accepted(&world, &sign(&key, &claims)).await;
        }
        let before = world.store.snapshot();
        for (i, (name, value)) in [
            ("iss", Value::Null),
            ("iss", json!(["keyed"])),
            ("sub", Value::Null),
            ("sub", json!("other")),
            ("sub", json!("")),
            ("exp", Value::Null),
            ("exp", json!((now + 300).to_string())),
            ("exp", json!(-1)),
            ("exp", json!(1e300)),
            ("exp", json!(now - 61)),
            ("exp", json!(now + 3601)),
            ("nbf", json!(now + 120)),
            ("nbf", json!("now")),
            ("iat", json!(now + 120)),
            ("iat", json!({})),
            ("jti", Value::Null),
            ("jti", json!("")),
            ("jti", json!(1)),
        ]
        .into_iter()
        .enumerate()
        {
            let claims = with(claims_of(&world, "keyed", &format!("bad-{i}")), name, value.clone());
            let reply = by_assertion(&world, &sign(&key, &claims)).await;
            assert!(reply.status == 401, "{name}: {value}: {}", reply.text());
            assert_refused(&reply, 401, "invalid_client");
        }
        // The type must be said, and said right.
        let assertion = sign(&key, &claims_of(&world, "keyed", "j"));
        for typed in ["", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"] {
            let proof = [("client_assertion", &*assertion), ("client_assertion_type", typed)];
            let form = [&CREDENTIALS_GRANT[..], &proof].concat();
            assert_refused(&token(&world, By::Nothing, &form).await, 400, "invalid_request");
        }
        assert_eq!(world.store.since(before).commits, 0);
        assert_accepted(&world, &assertion).await;
    }

    async fn a_088_the_header_chooses_a_key(setup: Setup) {
        let (world, key, other) = start(setup).await;
        let canary = TcpListener::bind("127.0.0.1:0").unwrap();
        canary.set_nonblocking(true).unwrap();
        let url = format!("http://{}/jwks.json", canary.local_addr().unwrap());
        let attacker = new_key();
        let good = claims_of(&world, "keyed", "j");
        let named = |name: &str, value: Value| with(json!({"alg": "ES256"}), name, value);
        let before = world.store.snapshot();
        for header in [
            named("jwk", json!(attacker.jwk())),
            named("jku", json!(url)),
            named("x5u", json!(url)),
            named("x5c", json!(["MIIB"])),
            with(named("jwk", json!(attacker.jwk())), "kid", json!(key.kid().as_str())),
            with(named("jku", json!(url)), "kid", json!(attacker.kid().as_str())),
            named("kid", json!(key.kid().as_str())),
            named("kid", json!(url)),
        ] {
            assert_rejected(&world, &sign_with(&attacker, &header, &good)).await;
        }
        // The right key under a name that is not its own, or with what has to be understood.
        for header in [
            named("kid", json!("../../../../dev/null")),
            named("kid", json!("' OR 1=1 --")),
            named("kid", json!("")),
            named("kid", json!(other.kid().as_str())),
            named("kid", json!([key.kid().as_str()])),
            named("kid", json!(7)),
            named("crit", json!(["exp"])),
            named("b64", json!(false)),
            named("zip", json!("DEF")),
        ] {
            assert_rejected(&world, &sign_with(&key, &header, &good)).await;
        }
        // The key of another client is that client's.
        assert_rejected(&world, &sign(&other, &good)).await;
        assert_eq!(world.store.since(before).commits, 0);
        let fetched = canary.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(fetched, Err(std::io::ErrorKind::WouldBlock), "somebody fetched a key");
        // What the header says besides does not matter with the right key.
        let header = with(with(header_of(&key), "jku", json!(url)), "jwk", json!(attacker.jwk()));
        assert_accepted(&world, &sign_with(&key, &header, &good)).await;
        assert!(canary.accept().is_err());
    }

    async fn a_089_another_algorithm_than_the_keys(setup: Setup) {
        let (world, key, _) = start(setup).await;
        assert_accepted(&world, &sign(&key, &claims_of(&world, "keyed", "j-0"))).await;
        let AlgorithmParameters::EllipticCurve(ec) = &key.jwk().algorithm else { unreachable!() };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let point = [vec![4], decode(&ec.x), decode(&ec.y)].concat();
        // SubjectPublicKeyInfo of a P-256 key: a constant prefix, then the point (RFC 5480 §2).
        let prefix = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
        let mut spki = STANDARD.decode(prefix).unwrap();
        spki.extend(&point[1..]);
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(&spki)
        );
        let jwk = serde_json::to_string(key.jwk()).unwrap();
        let claims = claims_of(&world, "keyed", "j-1");
        let before = world.store.snapshot();
        let forms = [pem.as_bytes(), pem.trim_end().as_bytes(), &spki, &point, jwk.as_bytes(), b""];
        let hashes = [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
        ];
        for secret in forms {
            for (alg, hash) in hashes {
                let header = json!({"alg": alg, "kid": key.kid().as_str()});
                let input = input(&header, &claims);
                let tag = hmac::sign(&hmac::Key::new(hash, secret), input.as_bytes());
                let forged = format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag));
                assert_rejected(&world, &forged).await;
            }
        }
        for alg in ["none", "None", "NONE", "nOnE", "", "es256", "ES384", "EdDSA", "RS256"] {
            let header = json!({"alg": alg, "kid": key.kid().as_str()});
            assert_rejected(&world, &format!("{}.", input(&header, &claims))).await;
            assert_rejected(&world, &sign_with(&key, &header, &claims)).await;
        }
        let without_alg = json!({"kid": key.kid().as_str()});
        assert_rejected(&world, &sign_with(&key, &without_alg, &claims)).await;
        // A signature of nothing, of zeros, and in DER where the fixed form is due.
        let input = input(&header_of(&key), &claims);
        let der = [&[0x30, 0x44, 2, 32][..], &[1; 32], &[2, 32], &[1; 32]].concat();
        for signature in [vec![], vec![0; 64], vec![0xFF; 64], der] {
            let forged = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
            assert_rejected(&world, &forged).await;
        }
        assert_eq!(world.store.since(before).commits, 0);
        assert_accepted(&world, &sign(&key, &claims)).await;
    }

    async fn a_090_a_forged_assertion_names_a_client(setup: Setup) {
        let (world, key, _) = start(setup).await;
        assert_accepted(&world, &sign(&key, &claims_of(&world, "keyed", "j-0"))).await;
        let before = world.store.snapshot();
        // Public clients and those with a secret have no key, which does not mean that any will do.
        let attacker = new_key();
        for id in ["spa", "svc", "web", "rs", "keyed", "nobody"] {
            let claims = claims_of(&world, id, "j-1");
            assert_rejected(&world, &sign(&attacker, &claims)).await;
            assert_rejected(&world, &format!("{}.", input(&json!({"alg": "none"}), &claims))).await;
        }
        // Nor may a client that signs for itself become another by the name beside its assertion.
        let assertion = sign(&key, &claims_of(&world, "keyed", "j-2"));
        for id in ["spa", "svc", "other"] {
            let proof = [
                ("client_id", id),
                ("client_assertion", &*assertion),
                ("client_assertion_type", TYPE),
            ];
            let form = [&CREDENTIALS_GRANT[..], &proof].concat();
            assert_refused(&token(&world, By::Nothing, &form).await, 400, "invalid_request");
        }
        assert_eq!(world.store.since(before).commits, 0);
        let proof = [
            ("client_id", "keyed"),
            ("client_assertion", &*assertion),
            ("client_assertion_type", TYPE),
        ];
        let form = [&CREDENTIALS_GRANT[..], &proof].concat();
        let access = Tokens::of(&token(&world, By::Nothing, &form).await).access;
        assert_eq!(introspect(&world, &access).await["client_id"], "keyed");
    }
}
