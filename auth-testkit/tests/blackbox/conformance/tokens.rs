//! Modules about what is issued and said of the person.

use std::time::Duration;

use auth_oidc::client::ResponseType;
use auth_testkit::Browser;
use serde_json::{Value, json};

use super::pass::{POSTING, Pass, each_pass};
use crate::flow::*;
use crate::world::World;

/// What each scope releases (OpenID Connect Core §5.4).
const SCOPES: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "given_name",
            "family_name",
            "middle_name",
            "nickname",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
            "preferred_username",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

/// Asks for some scopes: their claims are said, those of others are not, and none stands in the id token if there is
/// a userinfo endpoint to ask.
async fn assert_scopes(pass: &Pass<'_>, request: &AuthorizationRequest, scopes: &[&str]) {
    let outcome = pass.complete(&Browser::new(), request).await;
    let said = pass.said(&outcome).await;
    for (scope, names) in SCOPES {
        for name in names {
            assert_eq!(said.get(*name).is_some(), scopes.contains(&scope), "{name} of {scope}");
            if outcome.access.is_some() {
                assert_eq!(outcome.id.get(*name), None, "{name} in the id token");
            }
        }
    }
    if scopes.contains(&"profile") {
        assert!(said["updated_at"].is_u64());
        assert!(
            SCOPES[0].1.iter().filter(|it| **it != "updated_at").all(|it| said[it].is_string())
        );
    }
    if scopes.contains(&"email") {
        assert!(said["email"].is_string() && said["email_verified"].is_boolean());
    }
}

async fn post_userinfo(world: &World, bearer: Option<&str>, form: &[(&str, &str)]) -> Value {
    let browser = Browser::new();
    let mut request = browser.http().post(world.url("/userinfo"));
    if let Some(token) = bearer {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if !form.is_empty() {
        request = request.form(form);
    }
    let reply = browser.send(request).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

blackbox! {
    async fn oidcc_server(setup: Setup) {
        each_pass(setup, async |pass| {
            let outcome = pass.complete(&Browser::new(), &pass.request()).await;
            let known = ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash",
                "c_hash", "nbf", "jti", "sid"];
            for name in outcome.id.as_object().unwrap().keys() {
                assert!(known.contains(&&**name), "{name} in the id token is a warning");
            }
            assert_ne!(outcome.id["acr"], "");
            assert_eq!(pass.said(&outcome).await["sub"], outcome.id["sub"]);
        })
        .await;
    }

    /// The algorithm and the key's name are looked at with every id token.
    async fn oidcc_idtoken_signature(setup: Setup) {
        each_pass(setup, async |pass| {
            pass.complete(&Browser::new(), &pass.request()).await;
        })
        .await;
    }

    async fn oidcc_userinfo_get_post_header_and_post_body(setup: Setup) {
        each_pass(setup, async |pass| {
            let outcome = pass.complete(&Browser::new(), &pass.request()).await;
            let Some(token) = &outcome.access else { return };
            assert_eq!(pass.userinfo(token).await["sub"], "u-alice");
            assert_eq!(post_userinfo(pass.world, Some(token), &[]).await["sub"], "u-alice");
            let form = [("access_token", token.as_str())];
            assert_eq!(post_userinfo(pass.world, None, &form).await["sub"], "u-alice");
        })
        .await;
    }

    async fn oidcc_scope_profile_email_address_and_phone(setup: Setup) {
        each_pass(setup, async |pass| {
            for (scope, _) in SCOPES {
                let request = pass.request().set("scope", &format!("openid {scope}"));
                assert_scopes(pass, &request, &[scope]).await;
            }
        })
        .await;
    }

    async fn oidcc_scope_all(setup: Setup) {
        each_pass(setup, async |pass| {
            let request = pass.request().set("scope", "openid profile email address phone");
            assert_scopes(pass, &request, &SCOPES.map(|(scope, _)| scope)).await;
        })
        .await;
    }

    async fn oidcc_alternate_happy_flow(setup: Setup) {
        each_pass(setup, async |pass| {
            let request = pass.request().set("scope", "email openid").reversed();
            assert_scopes(pass, &request, &["email"]).await;
        })
        .await;
    }

    async fn oidcc_claims_essential(setup: Setup) {
        each_pass(setup, async |pass| {
            let alone = pass.is(&[ResponseType::IdToken]);
            let member = if alone { "id_token" } else { "userinfo" };
            let claims = json!({member: {"name": {"essential": true}}});
            let request = pass.request().set("claims", &claims.to_string());
            let outcome = pass.complete(&Browser::new(), &request).await;
            assert_eq!(pass.said(&outcome).await["name"], "Alice Anders");
            assert_eq!(outcome.id.get("name").is_some(), alone);
        })
        .await;
    }

    async fn oidcc_codereuse(setup: Setup) {
        each_pass(setup, async |pass| {
            let answer = pass.send(&Browser::new(), &pass.request()).await;
            let Some(code) = answer.get("code") else { return };
            Tokens::of(&pass.redeem(WEB, code, false).await);
            assert_refused(&pass.redeem(WEB, code, false).await, 400, "invalid_grant");
        })
        .await;
    }

    async fn oidcc_codereuse_30seconds(setup: Setup) {
        each_pass(setup, async |pass| {
            let answer = pass.send(&Browser::new(), &pass.request()).await;
            let Some(code) = answer.get("code") else { return };
            let tokens = Tokens::of(&pass.redeem(WEB, code, false).await);
            pass.world.clock.advance(Duration::from_secs(30));
            assert_refused(&pass.redeem(WEB, code, false).await, 400, "invalid_grant");
            assert_eq!(userinfo(pass.world, &tokens.access).await.status, 401, "else a warning");
        })
        .await;
    }

    async fn oidcc_server_client_secret_post(setup: Setup) {
        each_pass(setup, async |pass| {
            let request = pass.request().set("client_id", "posting");
            let answer = pass.send(&Browser::new(), &request).await;
            pass.outcome_by(answer, &request, POSTING).await;
        })
        .await;
    }

    async fn oidcc_refresh_token(setup: Setup) {
        each_pass(setup, async |pass| {
            if !pass.response_type.has_code() {
                return;
            }
            let request = pass.request().set("scope", "openid offline_access").set("prompt", "consent");
            let first = pass.complete(&Browser::new(), &request).await;
            let nonce = "n".repeat(43);
            let request = request.set("client_id", "posting").set("nonce", &nonce);
            let answer = pass.send(&Browser::new(), &request).await;
            let second = pass.outcome_by(answer, &request, POSTING).await;
            pass.world.clock.advance(Duration::from_secs(2));
            let mut newest = String::new();
            for (by, outcome, scope) in [(WEB, &first, true), (POSTING, &second, false)] {
                let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", &*outcome.refresh)];
                if scope {
                    form.push(("scope", "openid offline_access"));
                }
                let reply = token(pass.world, by, &form).await;
                assert_eq!(reply.header("cache-control"), "no-store");
                let tokens = Tokens::of(&reply);
                assert_eq!(tokens.answer["token_type"], "Bearer");
                assert!(tokens.answer["expires_in"].as_u64().is_some_and(|seconds| seconds > 0));
                for value in [&tokens.access, &tokens.refresh] {
                    // RFC 6749 Appendix A.12, A.17, §10.10: of 128 bits and more.
                    assert!(value.bytes().all(|b| (0x20..=0x7E).contains(&b)) && value.len() > 40);
                    let kinds: std::collections::BTreeSet<u8> = value.bytes().collect();
                    assert!(kinds.len() > 16, "{value}");
                }
                assert_ne!(Some(&tokens.access), outcome.access.as_ref());
                assert_eq!(pass.userinfo(&tokens.access).await["sub"], "u-alice");
                let fresh = claims(&tokens.id);
                for name in ["iss", "sub", "aud", "auth_time", "azp"] {
                    assert_eq!(fresh[name], outcome.id[name], "{name}");
                }
                assert!(fresh["iat"].as_u64() > outcome.id["iat"].as_u64());
                newest = tokens.refresh;
            }
            let metadata = pass.world.url("/.well-known/openid-configuration");
            let metadata = Browser::new().get(&metadata).await.unwrap().json();
            let grant_types = metadata["grant_types_supported"].as_array().unwrap();
            assert!(grant_types.contains(&"refresh_token".into()), "{grant_types:?}");
            // The token of one is worth nothing to the other.
            assert_refused(&refresh(pass.world, WEB, &newest).await, 400, "invalid_grant");
        })
        .await;
    }
}
