//! Implicit and hybrid flows: id tokens and access tokens from the authorization endpoint.

use std::collections::BTreeMap;

use auth_core::keys::CompactJws;
use auth_oidc::client::{AccessTokenFormat, Client, ResponseType};
use auth_oidc::provider::ResponseTypePolicy;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jsonwebtoken::jwk::JwkSet;
use ring::digest;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::authz::settled_browser;
use crate::flow::*;
use crate::world::{Setup, WEB_CALLBACK, World, web};

fn every_type(client: Client) -> Client {
    ResponseType::ALL.into_iter().fold(client, Client::response_type)
}

async fn world(setup: Setup) -> World {
    World::with(setup, |builder| {
        let policy = ResponseTypePolicy::InsecureAccessTokens;
        builder.response_types(policy).client(every_type(web()))
    })
    .await
}

/// What the answer brought, wherever it stands, and that it stands in one place.
pub fn answer_of(callback: &Callback) -> BTreeMap<String, String> {
    assert_eq!(callback.url.query(), None, "nothing is in the query: {}", callback.url);
    let fragment = callback.url.fragment().unwrap_or_default();
    form_urlencoded::parse(fragment.as_bytes()).into_owned().collect()
}

async fn keys(world: &World) -> JwkSet {
    let reply = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap();
    serde_json::from_value(reply.json()).unwrap()
}

/// The claims of an id token for `web` whose signature holds.
async fn verified(world: &World, id_token: &str) -> Value {
    let jws = CompactJws::parse(id_token).unwrap();
    let keys = keys(world).await;
    let claims = jws.verify(keys.find(jws.header().kid.as_deref().unwrap()).unwrap()).unwrap();
    assert_eq!(claims["iss"], world.issuer.as_str());
    assert_eq!(claims["aud"], "web");
    Value::Object(claims)
}

fn half_of_hash(value: &str) -> String {
    let hash = digest::digest(&digest::SHA256, value.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}

/// What the userinfo endpoint says to whoever has this token.
async fn works(world: &World, access_token: &str) -> Value {
    let reply = userinfo(world, access_token).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

fn asked(response_type: ResponseType) -> AuthorizationRequest {
    request("web").set("response_type", response_type.as_str()).set("scope", "openid email")
}

blackbox! {
    async fn each_response_type_brings_what_it_names_and_nothing_else(setup: Setup) {
        let world = world(setup).await;
        for response_type in ResponseType::ALL.into_iter().filter(|t| *t != ResponseType::Code) {
            let browser = Browser::new();
            let end = authorize(&world, &browser, &ALICE, &asked(response_type)).await;
            let answer = answer_of(&end.callback());
            let has = |name: &str| answer.contains_key(name);
            assert_eq!(has("code"), response_type.has_code(), "{response_type}");
            assert_eq!(has("id_token"), response_type.has_id_token(), "{response_type}");
            for name in ["access_token", "token_type", "expires_in", "scope"] {
                assert_eq!(has(name), response_type.has_token(), "{response_type} {name}");
            }
            assert!(!has("refresh_token"));
            assert_eq!(answer["state"], "state-1234567890");
            assert_eq!(answer["iss"], world.issuer);

            if let Some(id_token) = answer.get("id_token") {
                let claims = verified(&world, id_token).await;
                assert_eq!(claims["sub"], "u-alice");
                assert_eq!(claims["nonce"], "nonce-1234567890");
                let hash = |name: &str| answer.get(name).map(|value| json!(half_of_hash(value)));
                assert_eq!(claims.get("c_hash").cloned(), hash("code"), "{response_type}");
                assert_eq!(claims.get("at_hash").cloned(), hash("access_token"), "{response_type}");
                // Whoever can ask the userinfo endpoint is told there.
                let alone = response_type == ResponseType::IdToken;
                assert_eq!(claims.get("email").is_some(), alone, "{response_type}");
            }
            if let Some(access_token) = answer.get("access_token") {
                assert_eq!(answer["token_type"], "Bearer");
                assert_eq!(answer["expires_in"], "900");
                assert_eq!(answer["scope"], "openid email");
                assert_eq!(works(&world, access_token).await["email"], "alice@example.com");
            }
            if let Some(code) = answer.get("code") {
                let tokens = Tokens::of(&redeem(&world, WEB, code).await);
                assert_eq!(works(&world, &tokens.access).await["sub"], "u-alice");
                let late = claims(&tokens.id);
                assert_eq!((&late["iss"], &late["sub"]), (&json!(world.issuer), &json!("u-alice")));
                // Both access tokens are good.
                if let Some(first) = answer.get("access_token") {
                    works(&world, first).await;
                }
            }
        }
    }

    async fn words_of_a_response_type_come_in_any_order(setup: Setup) {
        let world = world(setup).await;
        let browser = settled_browser(&world, "web").await;
        let asked = asked(ResponseType::Code).set("response_type", "token id_token code");
        let answer = answer_of(&open(&world, &browser, &asked.url(&world)).await.callback());
        for name in ["code", "id_token", "access_token"] {
            assert!(answer.contains_key(name), "{name}");
        }
    }

    async fn form_post_carries_tokens_in_the_body_alone(setup: Setup) {
        let world = world(setup).await;
        let browser = settled_browser(&world, "web").await;
        for response_type in ResponseType::ALL {
            let asked = asked(response_type).set("response_mode", "form_post");
            let page = open(&world, &browser, &asked.url(&world)).await.page();
            assert_eq!(page.status, StatusCode::OK);
            assert!(page.text().contains(&format!("action=\"{WEB_CALLBACK}\"")), "{}", page.text());
            assert_eq!(page.hidden("code").is_some(), response_type.has_code());
            assert_eq!(page.hidden("access_token").is_some(), response_type.has_token());
            assert_eq!(page.hidden("id_token").is_some(), response_type.has_id_token());
            assert_eq!(page.hidden("state").as_deref(), Some("state-1234567890"));
            // Errors are posted as well.
            let failed = asked.set("prompt", "none").set("max_age", "0");
            let page = open(&world, &browser, &failed.url(&world)).await.page();
            assert_eq!(page.hidden("error").as_deref(), Some("login_required"));
        }
    }

    async fn no_token_travels_in_a_query(setup: Setup) {
        let world = world(setup).await;
        let browser = settled_browser(&world, "web").await;
        for response_type in ResponseType::ALL.into_iter().filter(|t| *t != ResponseType::Code) {
            let good = open(&world, &browser, &asked(response_type).url(&world)).await.callback();
            answer_of(&good);
            let before = world.store.snapshot();
            let asked = asked(response_type).set("response_mode", "query");
            let answer = answer_of(&open(&world, &browser, &asked.url(&world)).await.callback());
            assert_eq!(answer["error"], "invalid_request", "{response_type}");
            assert_eq!(answer["state"], "state-1234567890");
            assert_eq!(world.store.since(before).commits, 0);
        }
    }

    async fn an_id_token_from_the_front_channel_needs_a_nonce_and_openid(setup: Setup) {
        let world = world(setup).await;
        let browser = settled_browser(&world, "web").await;
        for response_type in ResponseType::ALL {
            let needed = response_type.has_id_token();
            let bare = asked(response_type).without("nonce");
            let callback = open(&world, &browser, &bare.url(&world)).await.callback();
            let error = match response_type {
                ResponseType::Code => callback.parameters.get("error").cloned(),
                _ => answer_of(&callback).get("error").cloned(),
            };
            assert_eq!(error.as_deref(), needed.then_some("invalid_request"), "{response_type}");

            let narrow = asked(response_type).set("scope", "email");
            let callback = open(&world, &browser, &narrow.url(&world)).await.callback();
            let error = match response_type {
                ResponseType::Code => callback.parameters.get("error").cloned(),
                _ => answer_of(&callback).get("error").cloned(),
            };
            assert_eq!(error.as_deref(), needed.then_some("invalid_scope"), "{response_type}");
        }
    }

    async fn errors_travel_as_the_answer_would(setup: Setup) {
        let world = world(setup).await;
        for response_type in ResponseType::ALL.into_iter().filter(|t| *t != ResponseType::Code) {
            for (name, value, error) in [
                ("prompt", "none", "login_required"),
                ("scope", "openid admin", "invalid_scope"),
                ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
            ] {
                let asked = asked(response_type).set(name, value);
                let callback = open(&world, &Browser::new(), &asked.url(&world)).await.callback();
                let answer = answer_of(&callback);
                assert_eq!(answer["error"], error, "{response_type}");
                assert_eq!(answer["iss"], world.issuer);
            }
        }
    }

    async fn a_client_gets_what_it_is_registered_for(setup: Setup) {
        let world = World::with(setup, |builder| {
            let policy = ResponseTypePolicy::IdTokens;
            builder.response_types(policy).client(web().response_type(ResponseType::IdToken))
        })
        .await;
        let browser = settled_browser(&world, "web").await;
        let ask = async |response_type: ResponseType| {
            let asked = asked(response_type).url(&world);
            answer_of(&open(&world, &browser, &asked).await.callback())
        };
        assert!(ask(ResponseType::IdToken).await.contains_key("id_token"));
        let before = world.store.snapshot();
        assert_eq!(ask(ResponseType::CodeIdToken).await["error"], "unauthorized_client");
        // The provider permits no tokens, whatever a client is registered for.
        world.provider.clients().put(every_type(web())).await.unwrap();
        let set_up = world.store.since(before).commits;
        for refused in ResponseType::ALL.into_iter().filter(|known| known.has_token()) {
            assert_eq!(ask(refused).await["error"], "unsupported_response_type", "{refused}");
        }
        assert_eq!(world.store.since(before).commits, set_up, "nothing was issued");
        assert!(ask(ResponseType::CodeIdToken).await.contains_key("code"));

        let document = Browser::new().get(&world.url("/.well-known/openid-configuration")).await.unwrap();
        let supported = json!(["code", "id_token", "code id_token"]);
        assert_eq!(document.json()["response_types_supported"], supported);
        assert!(document.json()["grant_types_supported"].to_string().contains("\"implicit\""));
        let reply = token(&world, WEB, &[("grant_type", "implicit")]).await;
        assert_refused(&reply, 400, "unsupported_grant_type");
    }

    async fn what_came_by_the_browser_ends_with_its_grant(setup: Setup) {
        let world = world(setup).await;
        let hybrid = asked(ResponseType::CodeIdTokenToken);
        let sign_in = async || {
            let end = authorize(&world, &Browser::new(), &ALICE, &hybrid).await;
            answer_of(&end.callback())
        };
        // A code that comes twice ends the grant, and with it both access tokens.
        let answer = sign_in().await;
        let tokens = Tokens::of(&redeem(&world, WEB, &answer["code"]).await);
        assert!(is_active(&world, &answer["access_token"]).await);
        assert!(is_active(&world, &tokens.access).await);
        assert_refused(&redeem(&world, WEB, &answer["code"]).await, 400, "invalid_grant");
        assert!(!is_active(&world, &answer["access_token"]).await);
        assert!(!is_active(&world, &tokens.access).await);

        // A code whose grant was revoked in between is worth nothing.
        let answer = sign_in().await;
        let token = [("token", answer["access_token"].as_str())];
        assert_eq!(post_as(&world, "/oauth2/revoke", WEB, &token).await.status, StatusCode::OK);
        assert!(!is_active(&world, &answer["access_token"]).await);
        let late: Reply = redeem(&world, WEB, &answer["code"]).await;
        let alone = Tokens::of(&late);
        assert!(is_active(&world, &alone.access).await, "only that token was revoked");

        let answer = sign_in().await;
        world.provider.revoke_subject(&"u-alice".into()).await.unwrap();
        assert!(!is_active(&world, &answer["access_token"]).await);
        assert_refused(&redeem(&world, WEB, &answer["code"]).await, 400, "invalid_grant");
    }

    async fn access_tokens_that_are_jwts_come_by_the_browser_too(setup: Setup) {
        let world = World::with(setup, |builder| {
            let client = every_type(web()).access_token_format(AccessTokenFormat::Jwt);
            builder.response_types(ResponseTypePolicy::InsecureAccessTokens).client(client)
        })
        .await;
        let browser = settled_browser(&world, "web").await;
        for response_type in [ResponseType::CodeToken, ResponseType::IdTokenToken] {
            let answer = answer_of(&open(&world, &browser, &asked(response_type).url(&world)).await.callback());
            assert_eq!(works(&world, &answer["access_token"]).await["sub"], "u-alice");
            assert!(is_active(&world, &answer["access_token"]).await);
        }
    }

    async fn offline_access_means_nothing_without_a_code(setup: Setup) {
        let world = world(setup).await;
        let wide = |response_type| asked(response_type).set("scope", "openid offline_access");
        let end = authorize(&world, &Browser::new(), &ALICE, &wide(ResponseType::IdTokenToken)).await;
        assert_eq!(answer_of(&end.callback())["scope"], "openid");
        let end = authorize(&world, &Browser::new(), &ALICE, &wide(ResponseType::CodeIdToken)).await;
        let answer = answer_of(&end.callback());
        let tokens = Tokens::of(&redeem(&world, WEB, &answer["code"]).await);
        assert!(!tokens.refresh.is_empty());
        let again = Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        assert!(is_active(&world, &again.access).await);
    }

    async fn no_id_token_without_openid_being_granted(setup: Setup) {
        let world = World::with(setup, |builder| {
            let client = every_type(web()).optional_scope("openid");
            builder.response_types(ResponseTypePolicy::InsecureAccessTokens).client(client)
        })
        .await;
        for response_type in [ResponseType::IdToken, ResponseType::CodeIdToken, ResponseType::CodeIdTokenToken] {
            let refuses = Person { scopes: Some(vec!["email"]), ..ALICE };
            let end = authorize(&world, &Browser::new(), &refuses, &asked(response_type)).await;
            let answer = answer_of(&end.callback());
            assert_eq!(answer["error"], "access_denied", "{response_type}");
            assert!(!answer.contains_key("id_token") && !answer.contains_key("access_token"));
            let end = authorize(&world, &Browser::new(), &ALICE, &asked(response_type)).await;
            assert!(answer_of(&end.callback()).contains_key("id_token"));
        }
    }

    async fn what_a_client_lost_meanwhile_is_not_given(setup: Setup) {
        let world = world(setup).await;
        const API: &str = "https://api.example";
        let wide = every_type(web()).audience(API);
        for (lost, error) in [
            (every_type(web()).scope("openid").audience(API), None),
            // Without a resource it would be good at more places.
            (every_type(web()), Some("invalid_target")),
            (web().audience(API), Some("unauthorized_client")),
        ] {
            world.provider.clients().put(wide.clone()).await.unwrap();
            world.clock.advance(std::time::Duration::from_secs(6));
            let browser = Browser::new();
            let asked = asked(ResponseType::CodeToken).set("resource", API);
            let page = open(&world, &browser, &asked.url(&world)).await;
            assert!(matches!(page, End::Page(_)));
            world.provider.clients().put(lost).await.unwrap();
            world.clock.advance(std::time::Duration::from_secs(6));
            let answer = answer_of(&answer(&world, &browser, &ALICE, page).await.callback());
            assert_eq!(answer.get("error").map(String::as_str), error);
            if error.is_none() {
                assert_eq!(answer["scope"], "openid");
                let said = introspect(&world, &answer["access_token"]).await;
                assert_eq!((&said["active"], &said["aud"]), (&json!(true), &json!([API])));
            }
        }
    }

    async fn a_private_scheme_shows_nobody_in_the_front_channel(setup: Setup) {
        let client = every_type(web()).redirect_uri("com.example.app:/cb").skip_consent();
        let world = World::with(setup, |builder| {
            builder.response_types(ResponseTypePolicy::InsecureAccessTokens).client(client)
        })
        .await;
        let browser = settled_browser(&world, "web").await;
        let asked = |response_type: ResponseType| {
            asked(response_type).set("redirect_uri", "com.example.app:/cb").set("prompt", "none")
        };
        // A code is redeemed with the client's secret; a token is whose the scheme is.
        open(&world, &browser, &asked(ResponseType::Code).url(&world)).await.callback().code();
        for response_type in ResponseType::ALL.into_iter().filter(|t| *t != ResponseType::Code) {
            let end = open(&world, &browser, &asked(response_type).url(&world)).await.callback();
            assert_eq!(answer_of(&end)["error"], "consent_required", "{response_type}");
        }
    }

    async fn a_code_that_is_burnt_takes_its_access_token_along(setup: Setup) {
        let world = world(setup).await;
        let end = authorize(&world, &Browser::new(), &ALICE, &asked(ResponseType::CodeToken)).await;
        let answer = answer_of(&end.callback());
        assert!(is_active(&world, &answer["access_token"]).await);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer["code"].as_str()),
            ("redirect_uri", WEB_CALLBACK),
            ("code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong"),
        ];
        assert_refused(&token(&world, WEB, &form).await, 400, "invalid_grant");
        assert!(!is_active(&world, &answer["access_token"]).await);
    }
}
