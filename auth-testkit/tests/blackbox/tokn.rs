//! Userinfo and the use of access tokens under attack.

use auth_core::{Identity, Secret};
use auth_oidc::client::AccessTokenFormat;
use auth_testkit::Browser;
use http::StatusCode;
use serde_json::json;

use crate::flow::*;
use crate::scenarios::{sign_in, userinfo_claims};
use crate::world::{PASSWORD, World, web};

blackbox! {
    async fn a_168_userinfo_is_for_tokens_of_people_with_openid(setup: Setup) {
        for format in [AccessTokenFormat::Opaque, AccessTokenFormat::Jwt] {
            let world = World::with(setup, |builder| {
                builder.tokens(|tokens| tokens.access_token_format = format)
            })
            .await;
            let good = tokens(&world).await;
            assert_eq!(userinfo_claims(&world, &good.access).await["sub"], "u-alice");

            let narrow = request("web").set("scope", "email");
            let narrow = sign_in(&world, &Browser::new(), &ALICE, &narrow).await;
            let form = [("grant_type", "client_credentials"), ("scope", "openid")];
            let service = Tokens::of(&token(&world, SVC, &form).await);
            for token in [&narrow.access, &service.access] {
                assert!(is_active(&world, token).await);
                let reply = userinfo(&world, token).await;
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
                let challenge = reply.header("www-authenticate");
                assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
                assert!(challenge.contains("scope=\"openid\""), "{challenge}");
                assert!(!reply.text().contains("alice"));
            }
            // A refresh token is nothing to be presented at an API.
            assert_eq!(userinfo(&world, &good.refresh).await.status, StatusCode::UNAUTHORIZED);
        }
    }

    async fn a_171_claims_that_no_scope_releases_stay_inside(setup: Setup) {
        let world = World::with(setup, |builder| builder.client(web().skip_consent())).await;
        let carol = Identity::new("u-carol", "Carol")
            .claim("email", "carol@example.com")
            .claim("upstream_access_token", "gho_secret-of-carol")
            .claim("is_admin", true)
            .claim("password_hash", "$argon2id$of-carol")
            .claim("metadata_admin", json!({"risk": "of-carol"}));
        world.people.insert("carol", &Secret::from(PASSWORD), carol).await.unwrap();
        let person = Person { identifier: "carol", ..ALICE };
        let wide = "openid profile email address phone offline_access orders:read";
        let wide = request("web").set("scope", wide);
        let tokens = sign_in(&world, &Browser::new(), &person, &wide).await;
        let released = userinfo_claims(&world, &tokens.access).await;
        assert_eq!(released, json!({"sub": "u-carol", "email": "carol@example.com"}));
        for said in [claims(&tokens.id), introspect(&world, &tokens.access).await, tokens.answer] {
            let said = said.to_string();
            for secret in ["of-carol", "is_admin", "upstream", "password", "metadata"] {
                assert!(!said.contains(secret), "{secret} in {said}");
            }
        }
    }
}
