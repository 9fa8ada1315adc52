//! The `claims` parameter (OpenID Connect Core §5.5).

use auth_oidc::client::ResponseType;
use auth_oidc::provider::ResponseTypePolicy;
use auth_testkit::Browser;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::authz::settled_browser;
use crate::flow::*;
use crate::scenarios::{names, sign_in, userinfo_claims};
use crate::world::{World, web};

fn asked(claims: &Value) -> AuthorizationRequest {
    request("web").set("scope", "openid offline_access").set("claims", &claims.to_string())
}

blackbox! {
    async fn claims_reach_where_they_were_asked_for(setup: Setup) {
        let world = World::start(setup).await;
        let request = asked(&json!({
            "userinfo": {"name": {"essential": true}, "email": null, "nickname": {"value": "al"}},
            "id_token": {"given_name": null, "auth_time": {"essential": true}},
        }));
        let tokens = sign_in(&world, &Browser::new(), &ALICE, &request).await;
        assert_eq!(tokens.answer["scope"], "openid offline_access", "claims widen no scope");
        let said = userinfo_claims(&world, &tokens.access).await;
        assert_eq!(names(&said), ["email", "name", "nickname", "sub"]);
        let id = claims(&tokens.id);
        assert_eq!(id["given_name"], "Alice");
        assert!(id["auth_time"].is_u64());
        for elsewhere in ["name", "email", "family_name"] {
            assert_eq!(id.get(elsewhere), None, "{elsewhere}");
        }
        // As long as the grant lives.
        let again = Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        assert_eq!(userinfo_claims(&world, &again.access).await, said);
        assert_eq!(claims(&again.id)["given_name"], "Alice");
        let document = Browser::new().get(&world.url("/.well-known/openid-configuration")).await.unwrap();
        assert_eq!(document.json()["claims_parameter_supported"], true);
    }

    async fn a_173_nothing_is_said_beyond_scope_and_consent(setup: Setup) {
        // It may ask for profile, not for email.
        let client = web().scope("openid profile").optional_scope("profile");
        let world = World::with(setup, |builder| builder.client(client)).await;
        let all = json!({"name": null, "email": {"essential": true}, "orders": null, "roles": null, "scope": null, "iss": {"value": "x"}});
        let request = request("web").set("scope", "openid").set("claims", &json!({"userinfo": all, "id_token": all}).to_string());
        // The person is told, and says no to it.
        let browser = Browser::new();
        let refuses = Person { scopes: Some(vec!["openid"]), ..ALICE };
        let tokens = sign_in(&world, &browser, &refuses, &request).await;
        assert_eq!(userinfo_claims(&world, &tokens.access).await, json!({"sub": "u-alice"}));
        assert_eq!(claims(&tokens.id).get("name"), None);
        assert_eq!(claims(&tokens.id)["iss"], world.issuer);
        // The person says yes: what the client may not ask for is not said even so.
        let tokens = sign_in(&world, &browser, &ALICE, &request).await;
        assert_eq!(tokens.answer["scope"], "openid");
        let said = userinfo_claims(&world, &tokens.access).await;
        assert_eq!(said, json!({"sub": "u-alice", "name": "Alice Anders"}));
        assert_eq!(claims(&tokens.id)["name"], "Alice Anders");
        assert_eq!(claims(&tokens.id).get("email"), None);
    }

    async fn a_claim_that_was_not_consented_to_is_asked_about(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let alice = Person { remember_consent: true, ..ALICE };
        let plain = request("web").set("scope", "openid");
        authorize(&world, &browser, &alice, &plain).await.callback().code();
        open(&world, &browser, &plain.url(&world)).await.callback().code();
        let wide = plain.clone().set("claims", r#"{"userinfo":{"email":null}}"#);
        let page = open(&world, &browser, &wide.url(&world)).await.page();
        assert_eq!(page.values("grant_scope"), ["openid", "email"]);
        let silent = wide.clone().set("prompt", "none").url(&world);
        let refused = open(&world, &browser, &silent).await.callback();
        assert_redirected(&world, &refused, "consent_required");
        // Once that is remembered, nobody is asked again, and the email alone is released.
        answer(&world, &browser, &alice, End::Page(page)).await.callback().code();
        let code = open(&world, &browser, &silent).await.callback().code();
        let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
        let said = userinfo_claims(&world, &tokens.access).await;
        assert_eq!(said, json!({"sub": "u-alice", "email": "alice@example.com"}));
    }

    async fn a_claim_ends_with_the_scope_that_releases_it(setup: Setup) {
        let world = World::start(setup).await;
        let request = asked(&json!({"userinfo": {"email": null}, "id_token": {"email": null}}));
        let tokens = sign_in(&world, &Browser::new(), &ALICE, &request).await;
        assert_eq!(claims(&tokens.id)["email"], "alice@example.com");
        let narrow = web().scope("openid offline_access");
        world.provider.clients().put(narrow).await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(6));
        let again = Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        assert_eq!(claims(&again.id).get("email"), None);
        let said = userinfo_claims(&world, &again.access).await;
        assert_eq!(said, json!({"sub": "u-alice"}));
    }

    async fn a_value_that_is_wanted_is_the_value_or_nothing(setup: Setup) {
        let world = World::start(setup).await;
        for (wanted, there) in [
            (json!({"value": "alice@example.com"}), true),
            (json!({"values": ["x", "alice@example.com"]}), true),
            (json!({"value": "bob@example.com"}), false),
            (json!({"values": ["x"], "essential": true}), false),
        ] {
            let request = asked(&json!({"userinfo": {"email": wanted}}));
            let tokens = sign_in(&world, &Browser::new(), &ALICE, &request).await;
            let said = userinfo_claims(&world, &tokens.access).await;
            assert_eq!(said.get("email").is_some(), there, "{wanted}");
        }
    }

    async fn a_subject_that_is_wanted_is_the_one_who_is_signed_in(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let of = |subject: &str| {
            asked(&json!({"id_token": {"sub": {"value": subject}}})).set("prompt", "none").url(&world)
        };
        open(&world, &browser, &of("u-alice")).await.callback().code();
        let refused = open(&world, &browser, &of("u-bob")).await.callback();
        assert_redirected(&world, &refused, "login_required");
        // Who signs in must be that person, too.
        let bob = asked(&json!({"id_token": {"sub": {"value": "u-bob"}}}));
        let refused = authorize(&world, &Browser::new(), &ALICE, &bob).await.callback();
        assert_redirected(&world, &refused, "login_required");
        authorize(&world, &Browser::new(), &BOB, &bob).await.callback().code();
    }

    async fn a_level_that_is_essential_is_reached_or_refused(setup: Setup) {
        let world = World::with(setup, |builder| builder.acr_values(["aal1", "aal2"])).await;
        let of = |essential: bool, level: &str| {
            asked(&json!({"id_token": {"acr": {"essential": essential, "values": [level]}}}))
        };
        // A password reaches the weakest level, and no other.
        let callback = authorize(&world, &Browser::new(), &ALICE, &of(true, "aal1")).await.callback();
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&tokens.id)["acr"], "aal1");
        for level in ["aal2", "urn:unknown"] {
            authorize(&world, &Browser::new(), &ALICE, &of(false, level)).await.callback().code();
            let refused = authorize(&world, &Browser::new(), &ALICE, &of(true, level)).await.callback();
            assert_redirected(&world, &refused, "unmet_authentication_requirements");
        }
    }

    async fn an_id_token_alone_brings_the_claims_that_were_asked_for(setup: Setup) {
        let world = World::with(setup, |builder| {
            let client = web().response_type(ResponseType::IdToken);
            builder.response_types(ResponseTypePolicy::IdTokens).client(client)
        })
        .await;
        let request = request("web")
            .set("response_type", "id_token")
            .set("scope", "openid")
            .set("claims", r#"{"id_token":{"name":{"essential":true}}}"#);
        let end = authorize(&world, &Browser::new(), &ALICE, &request).await.callback();
        let fragment = end.url.fragment().unwrap_or_default().as_bytes();
        let (_, id_token) = form_urlencoded::parse(fragment).find(|(name, _)| name == "id_token").unwrap();
        assert_eq!(claims(&id_token)["name"], "Alice Anders");
        assert_eq!(claims(&id_token).get("email"), None);
    }

    async fn claims_that_cannot_be_read_are_refused(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let good = [
            "{}",
            r#"{"userinfo":null}"#,
            r#"{"verified_claims":{},"userinfo":{"no_such_claim":null}}"#,
            r#"{"userinfo":{"nickname#ko":null,"":null}}"#,
        ];
        for text in good {
            let url = request("web").set("claims", text).url(&world);
            open(&world, &browser, &url).await.callback().code();
        }
        let before = world.store.snapshot();
        let many: Vec<String> = (0..101).map(|n| format!("\"c{n}\":null")).collect();
        let many = format!("{{\"userinfo\":{{{}}}}}", many.join(","));
        let deep = format!("{{\"userinfo\":{{\"name\":{{\"value\":{}1{}}}}}}}", "[".repeat(40), "]".repeat(40));
        for text in [
            "x", "[]", "null", "1", "\"x\"", "{", "{}{}", r#"{"userinfo":[]}"#, r#"{"id_token":"name"}"#,
            r#"{"userinfo":{"name":true}}"#, r#"{"userinfo":{"name":{"essential":"yes"}}}"#,
            r#"{"userinfo":{"name":{"values":"x"}}}"#, r#"{"userinfo":{"name":{"value":1,"values":[1]}}}"#,
            r#"{"userinfo":{"name":null},"userinfo":{}}"#, r#"{"userinfo":{"name":null,"name":null}}"#,
            &many, &deep,
        ] {
            let url = request("web").set("claims", text).url(&world);
            let refused = open(&world, &browser, &url).await.callback();
            assert_redirected(&world, &refused, "invalid_request");
        }
        assert_eq!(world.store.since(before).commits, 0);
    }
}
