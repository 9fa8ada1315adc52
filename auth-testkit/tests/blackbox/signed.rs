//! Answers that are JWTs: userinfo (OpenID Connect Core §5.3.2) and introspection (RFC 9701).

use auth_core::keys::{CompactJws, SigningAlgorithm};
use auth_oidc::client::{AccessTokenFormat, Client};
use auth_testkit::{Browser, Reply};
use http::StatusCode;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::flow::*;
use crate::world::{SECRET, Setup, World, web};

const INTROSPECTION: &str = "application/token-introspection+jwt";

async fn world(setup: Setup) -> World {
    World::with(setup, |builder| {
        let mut rs = Client::service("rs", SECRET).scope("openid").introspect_any();
        rs.introspection_signed_response_alg = Some(SigningAlgorithm::Rs256);
        builder.client(web().userinfo_alg(SigningAlgorithm::Rs256)).client(rs)
    })
    .await
}

/// The header's type and the claims, once the signature has been verified with the published keys.
async fn verified(world: &World, jwt: &str) -> (String, Value) {
    let keys = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap().json();
    let keys: JwkSet = serde_json::from_value(keys).unwrap();
    let jws = CompactJws::parse(jwt).unwrap();
    let key = keys.find(jws.header().kid.as_deref().unwrap()).unwrap();
    (jws.header().typ.clone().unwrap(), Value::Object(jws.verify(key).unwrap()))
}

/// Introspection by a client that accepts `types`.
async fn introspect_for(world: &World, id: &str, token: &str, types: &str) -> Reply {
    let browser = Browser::new();
    let request = browser.http().post(world.url("/oauth2/introspect")).header("accept", types);
    let request = request.basic_auth(id, Some(SECRET)).form(&[("token", token)]);
    browser.send(request).await.unwrap()
}

blackbox! {
    async fn o_06_userinfo_is_signed_for_a_client_that_registered_it(setup: Setup) {
        let world = world(setup).await;
        let asked = request("web").set("scope", "openid email");
        let code = authorize(&world, &Browser::new(), &ALICE, &asked).await.callback().code();
        let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
        let reply = userinfo(&world, &tokens.access).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        assert_eq!(reply.header("content-type"), "application/jwt");
        assert_eq!(reply.header("cache-control"), "no-store");
        let (_, claims) = verified(&world, &reply.text()).await;
        assert_eq!(
            claims,
            json!({
                "iss": world.issuer, "aud": "web", "sub": "u-alice",
                "email": "alice@example.com", "email_verified": true,
            })
        );
        // Others get what they always got.
        let code = authorize(&world, &Browser::new(), &ALICE, &request("spa")).await.callback().code();
        let spa = Tokens::of(&redeem(&world, SPA, &code).await);
        assert_eq!(userinfo(&world, &spa.access).await.json()["sub"], "u-alice");
        // A refusal is a refusal.
        assert_eq!(userinfo(&world, "at_x").await.status, StatusCode::UNAUTHORIZED);
        let document = Browser::new().get(&world.url("/.well-known/openid-configuration")).await.unwrap();
        for name in ["userinfo", "introspection"] {
            let values = &document.json()[format!("{name}_signing_alg_values_supported")];
            assert_eq!(*values, json!(["ES256", "RS256"]), "{name}");
        }
    }

    async fn introspection_is_signed_for_whoever_accepts_that(setup: Setup) {
        let world = world(setup).await;
        let tokens = tokens(&world).await;
        let plain = introspect(&world, &tokens.access).await;
        for types in [INTROSPECTION, &format!("application/json;q=0.5, {INTROSPECTION}; q=1")] {
            let reply = introspect_for(&world, "rs", &tokens.access, types).await;
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
            assert_eq!(reply.header("content-type"), INTROSPECTION);
            assert_eq!(reply.header("cache-control"), "no-store");
            let (typ, claims) = verified(&world, &reply.text()).await;
            assert_eq!(typ, "token-introspection+jwt");
            assert_eq!((&claims["iss"], &claims["aud"]), (&json!(world.issuer), &json!("rs")));
            assert!(claims["iat"].is_u64() && claims.get("sub").is_none() && claims.get("exp").is_none());
            assert_eq!(claims["token_introspection"], plain);
        }
        // Of what is not good it says so, under signature; and of another's token.
        for (id, token) in [("rs", "nonsense"), ("svc", &*tokens.access)] {
            let reply = introspect_for(&world, id, token, INTROSPECTION).await;
            let (_, claims) = verified(&world, &reply.text()).await;
            assert_eq!(claims["token_introspection"], json!({"active": false}));
        }
        let loud = introspect_for(&world, "rs", &tokens.access, &INTROSPECTION.to_uppercase()).await;
        assert_eq!(loud.header("content-type"), INTROSPECTION);
        let never = format!("{INTROSPECTION};q=0, application/json");
        for types in ["application/json", "*/*", "application/jwt", "", &*never] {
            let reply = introspect_for(&world, "rs", &tokens.access, types).await;
            assert_eq!(reply.json(), plain, "{types}");
        }
        // Whoever does not authenticate gets no JWT.
        let browser = Browser::new();
        let request = browser.http().post(world.url("/oauth2/introspect")).header("accept", INTROSPECTION);
        let reply = browser.send(request.form(&[("token", &tokens.access)])).await.unwrap();
        assert_refused(&reply, 401, "invalid_client");
    }

    async fn a_165_a_signed_answer_is_no_token(setup: Setup) {
        let world = World::with(setup, |builder| {
            let client = web().userinfo_alg(SigningAlgorithm::Rs256);
            builder.client(client.access_token_format(AccessTokenFormat::Jwt))
        })
        .await;
        let browser = crate::authz::settled_browser(&world, "web").await;
        let tokens = tokens(&world).await;
        let answers = [
            userinfo(&world, &tokens.access).await.text(),
            introspect_for(&world, "rs", &tokens.access, INTROSPECTION).await.text(),
        ];
        assert!(is_active(&world, &tokens.access).await);
        for answer in &answers {
            verified(&world, answer).await;
            assert!(!is_active(&world, answer).await);
            assert_eq!(userinfo(&world, answer).await.status, StatusCode::UNAUTHORIZED);
            // Nor is it an id token.
            let asked = request("web").set("prompt", "none").set("id_token_hint", answer);
            let callback = open(&world, &browser, &asked.url(&world)).await.callback();
            assert_redirected(&world, &callback, "invalid_request");
        }
    }
}
