//! Which claims reach whom: scopes, mappers, hook, userinfo.

use std::time::Duration;

use async_trait::async_trait;
use auth_core::decision::Unavailable;
use auth_core::store::TenantId;
use auth_core::{Hook, HookCall};
use auth_oidc::client::{AccessTokenFormat, ClaimMapper, ClaimTarget, Client};
use auth_testkit::{Browser, Reply};
use http::StatusCode;
use serde_json::{Value, json};

use crate::flow::*;
use crate::scenarios::{MINUTE, names, sign_in, tokens_for, userinfo_claims};
use crate::world::{World, web};

/// Adds who asks and for what.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl Hook for Echo {
    async fn call(&self, _: TenantId, call: &HookCall) -> Result<Value, Unavailable> {
        let asked: Value = serde_json::from_str(&call.input).unwrap();
        // It tries to set a claim of the protocol, too.
        Ok(json!({"asked": asked, "call": call.name, "sub": "u-mallory", "aud": "evil"}))
    }
}

blackbox! {
    async fn o_02_standard_scopes_release_their_claims(setup: Setup) {
        let world = World::start(setup).await;
        let cases: [(&str, &[&str]); 5] = [
            ("openid", &["sub"]),
            ("openid profile", &[
                "birthdate", "family_name", "gender", "given_name", "locale", "middle_name",
                "name", "nickname", "picture", "preferred_username", "profile", "sub",
                "updated_at", "website", "zoneinfo",
            ]),
            ("openid email", &["email", "email_verified", "sub"]),
            ("openid address", &["address", "sub"]),
            ("openid phone", &["phone_number", "phone_number_verified", "sub"]),
        ];
        for (scope, expected) in cases {
            let tokens = tokens_for(&world, scope).await;
            assert_eq!(tokens.answer["scope"], scope);
            let mut released = userinfo_claims(&world, &tokens.access).await;
            assert_eq!(names(&released), expected);
            assert_eq!(released["sub"].take(), "u-alice");
        }
        let all = tokens_for(&world, "openid profile email address phone").await;
        let all = userinfo_claims(&world, &all.access).await;
        assert_eq!(all["name"], "Alice Anders");
        assert_eq!(all["updated_at"], 1_700_000_000);
        assert_eq!(all["email_verified"], true);
        assert_eq!(all["address"], json!({"locality": "Seoul", "country": "KR"}));
        assert_eq!(all["phone_number"], "+82 2 1234 5678");
        // What the directory does not know of somebody is left out, not null.
        let request = request("web").set("scope", "openid profile email");
        let bob = sign_in(&world, &Browser::new(), &BOB, &request).await;
        let bob = userinfo_claims(&world, &bob.access).await;
        assert_eq!(bob, json!({"sub": "u-bob", "email": "bob@example.com"}));
    }

    async fn o_02_a_custom_scope_releases_its_claims_when_it_is_asked_for(setup: Setup) {
        let world = World::start(setup).await;
        let without = tokens_for(&world, "openid").await;
        assert_eq!(userinfo_claims(&world, &without.access).await, json!({"sub": "u-alice"}));
        let with = tokens_for(&world, "openid orders:read").await;
        assert_eq!(with.answer["scope"], "openid orders:read");
        let expected = json!({"sub": "u-alice", "orders": ["o-1", "o-2"]});
        assert_eq!(userinfo_claims(&world, &with.access).await, expected);
    }

    async fn o_02_a_default_scope_applies_always(setup: Setup) {
        let world = World::with(setup, |builder| {
            builder.client(web().default_scope("orders:read"))
        }).await;
        let tokens = tokens_for(&world, "openid").await;
        assert_eq!(tokens.answer["scope"], "openid orders:read");
        let expected = json!({"sub": "u-alice", "orders": ["o-1", "o-2"]});
        assert_eq!(userinfo_claims(&world, &tokens.access).await, expected);
        assert_eq!(introspect(&world, &tokens.access).await["scope"], "openid orders:read");
    }

    async fn o_02_an_unticked_scope_is_missing_from_what_was_granted(setup: Setup) {
        let world = World::with(setup, |builder| {
            builder.client(web().optional_scope("email phone"))
        }).await;
        let asked = request("web").set("scope", "openid profile email phone");
        let all = sign_in(&world, &Browser::new(), &ALICE, &asked).await;
        assert_eq!(all.answer["scope"], "openid profile email phone");

        // `profile` is not optional and stays, although its box comes back unticked.
        let picky = Person { scopes: Some(vec!["phone"]), ..ALICE };
        let tokens = sign_in(&world, &Browser::new(), &picky, &asked).await;
        assert_eq!(tokens.answer["scope"], "openid profile phone");
        assert_eq!(introspect(&world, &tokens.access).await["scope"], "openid profile phone");
        let released = userinfo_claims(&world, &tokens.access).await;
        assert_eq!(released["phone_number"], "+82 2 1234 5678");
        assert_eq!(released["name"], "Alice Anders");
        assert_eq!(released["email"], Value::Null);
        // What was not on the page cannot be granted by adding a box.
        let greedy = Person { scopes: Some(vec!["email", "phone", "address"]), ..ALICE };
        let tokens = sign_in(&world, &Browser::new(), &greedy, &asked).await;
        assert_eq!(tokens.answer["scope"], "openid profile email phone");
    }

    async fn o_02_mappers_put_attributes_and_nested_claims_where_they_are_told(setup: Setup) {
        let roles = ClaimMapper::attribute("realm_access.roles", "roles").to(ClaimTarget::IdToken);
        let city = ClaimMapper::attribute("home", "address").to(ClaimTarget::UserInfo);
        let tier = ClaimMapper::constant("tier", "gold").to(ClaimTarget::AccessToken);
        let orders = ClaimMapper::attribute("orders", "orders")
            .to(ClaimTarget::IdToken)
            .for_scope("orders:read");
        let absent = ClaimMapper::attribute("shoe_size", "shoe_size").to(ClaimTarget::IdToken);
        let client = [roles, city, tier, orders, absent].into_iter().fold(web(), Client::claim);
        let world = World::with(setup, |builder| builder.client(client)).await;
        let tokens = tokens_for(&world, "openid").await;
        let id = claims(&tokens.id);
        assert_eq!(id["realm_access"], json!({"roles": ["admin", "buyer"]}));
        for elsewhere in ["home", "tier", "orders", "shoe_size"] {
            assert_eq!(id.get(elsewhere), None, "{id}");
        }
        let userinfo = userinfo_claims(&world, &tokens.access).await;
        assert_eq!(names(&userinfo), ["home", "sub"]);
        assert_eq!(userinfo["home"]["locality"], "Seoul");
        let introspected = introspect(&world, &tokens.access).await;
        assert_eq!(introspected["tier"], "gold");
        assert_eq!(introspected.get("realm_access"), None);
        let tokens = tokens_for(&world, "openid orders:read").await;
        assert_eq!(claims(&tokens.id)["orders"], json!(["o-1", "o-2"]));

        // Another client of the same provider gets none of it.
        let request = request("spa").set("scope", "openid");
        let callback = authorize(&world, &Browser::new(), &ALICE, &request).await.callback();
        let spa = Tokens::of(&redeem(&world, SPA, &callback.code()).await);
        assert_eq!(claims(&spa.id).get("realm_access"), None);
        assert_eq!(userinfo_claims(&world, &spa.access).await, json!({"sub": "u-alice"}));
        assert_eq!(introspect(&world, &spa.access).await.get("tier"), None);
    }

    async fn o_02_a_mapper_adds_audiences_to_access_tokens(setup: Setup) {
        for format in [AccessTokenFormat::Opaque, AccessTokenFormat::Jwt] {
            let client = web()
                .access_token_format(format)
                .claim(ClaimMapper::audience("https://api.example"))
                .claim(ClaimMapper::audience("rs"));
            let world = World::with(setup, |builder| builder.client(client)).await;
            let tokens = tokens_for(&world, "openid").await;
            let both = json!(["https://api.example", "rs"]);
            assert_eq!(introspect(&world, &tokens.access).await["aud"], both);
            if format == AccessTokenFormat::Jwt {
                assert_eq!(claims(&tokens.access)["aud"], both);
            }
            // The id token is for the client and for nobody else.
            assert_eq!(claims(&tokens.id)["aud"], "web");
        }
    }

    async fn a_172_a_hook_adds_claims_and_none_of_the_protocol(setup: Setup) {
        let client = web().access_token_format(AccessTokenFormat::Jwt);
        let world = World::with(setup, |builder| builder.claims_hook(Echo).client(client)).await;
        let tokens = tokens_for(&world, "openid email").await;
        let (id, access) = (claims(&tokens.id), claims(&tokens.access));
        let userinfo = userinfo_claims(&world, &tokens.access).await;
        let asked = [(&id, "id_token"), (&access, "access_token"), (&userinfo, "user_info")];
        for (claims, target) in asked {
            assert_eq!(claims["call"], "claims");
            let question = json!({
                "client_id": "web",
                "subject": "u-alice",
                "scope": "openid email",
                "target": target,
            });
            assert_eq!(claims["asked"], question);
            assert_eq!(claims["sub"], "u-alice");
        }
        assert_eq!(id["aud"], "web");
        assert_eq!(access["aud"], world.issuer);
        assert_eq!(userinfo.get("aud"), None);
    }

    async fn o_02_a_refresh_adds_no_scope_but_a_new_authorization_does(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let narrow = request("web").set("scope", "openid offline_access");
        let tokens = sign_in(&world, &browser, &ALICE, &narrow).await;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh.as_str()),
            ("scope", "openid offline_access email"),
        ];
        assert_refused(&token(&world, WEB, &form).await, 400, "invalid_scope");
        let refreshed = Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        assert_eq!(refreshed.answer["scope"], "openid offline_access");
        assert_eq!(userinfo_claims(&world, &refreshed.access).await, json!({"sub": "u-alice"}));

        let wide = narrow.set("scope", "openid offline_access email");
        let wide = sign_in(&world, &browser, &ALICE, &wide).await;
        let refreshed = Tokens::of(&refresh(&world, WEB, &wide.refresh).await);
        let released = userinfo_claims(&world, &refreshed.access).await;
        assert_eq!(released["email"], "alice@example.com");
    }

    async fn o_06_userinfo_takes_the_token_in_three_ways(setup: Setup) {
        let world = World::start(setup).await;
        let tokens = tokens_for(&world, "openid email").await;
        let browser = Browser::new();
        let url = world.url("/userinfo");
        let bearer = format!("Bearer {}", tokens.access);
        let form = [("access_token", tokens.access.as_str())];
        let expected =
            json!({"sub": "u-alice", "email": "alice@example.com", "email_verified": true});
        let http = browser.http();
        for request in [
            http.get(&url).header("authorization", &bearer),
            http.post(&url).header("authorization", &bearer),
            http.post(&url).form(&form),
        ] {
            let reply = browser.send(request).await.unwrap();
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
            assert!(reply.header("content-type").starts_with("application/json"));
            assert_eq!(reply.header("cache-control"), "no-store");
            assert_eq!(reply.json(), expected);
        }
        let assert_error = |reply: &Reply, status: u16| {
            assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
            assert!(!reply.text().contains("alice"));
        };
        let twice = http.post(&url).header("authorization", &bearer).form(&form);
        assert_error(&browser.send(twice).await.unwrap(), 400);
        let in_query = format!("{url}?access_token={}", tokens.access);
        assert_error(&browser.get(&in_query).await.unwrap(), 401);
        let reply = userinfo(&world, &tokens.id).await;
        assert_error(&reply, 401);
        assert!(reply.header("www-authenticate").contains("invalid_token"));
        world.clock.advance(15 * MINUTE);
        let reply = userinfo(&world, &tokens.access).await;
        assert_error(&reply, 401);
        assert!(reply.header("www-authenticate").contains("invalid_token"));
    }

    async fn o_06_userinfo_has_claims_of_its_own(setup: Setup) {
        let mapper = ClaimMapper::attribute("groups", "roles").to(ClaimTarget::UserInfo);
        let world = World::with(setup, |builder| builder.client(web().claim(mapper))).await;
        let tokens = tokens_for(&world, "openid email").await;
        let released = userinfo_claims(&world, &tokens.access).await;
        assert_eq!(released["groups"], json!(["admin", "buyer"]));
        for elsewhere in [claims(&tokens.id), introspect(&world, &tokens.access).await] {
            for name in ["groups", "email", "email_verified", "name"] {
                assert_eq!(elsewhere.get(name), None, "{elsewhere}");
            }
        }
        // Without openid there is nobody to tell about.
        let tokens = tokens_for(&world, "email").await;
        let reply = userinfo(&world, &tokens.access).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
        assert!(reply.header("www-authenticate").contains("insufficient_scope"));
    }

    async fn b_04_access_tokens_are_lean_and_short_lived(setup: Setup) {
        let client = web().access_token_format(AccessTokenFormat::Jwt);
        let world = World::with(setup, |builder| builder.client(client)).await;
        let issued = tokens_for(&world, "openid profile email address phone orders:read").await;
        let access = claims(&issued.access);
        // Who may do what, and until when; nothing about the person.
        assert_eq!(
            names(&access),
            [
                "aud", "auth_time", "client_id", "exp", "gen", "gid", "iat", "iss", "jti", "scope",
                "sid", "sub"
            ]
        );
        let life = access["exp"].as_u64().unwrap() - access["iat"].as_u64().unwrap();
        assert!(life <= 900, "{life}");
        assert_eq!(issued.answer["expires_in"], life);
        // A JWT tells whole seconds, so that it may end within the one before.
        world.clock.advance(Duration::from_secs(life - 1));
        assert!(is_active(&world, &issued.access).await);
        world.clock.advance(Duration::from_secs(1));
        assert!(!is_active(&world, &issued.access).await);
    }
}
