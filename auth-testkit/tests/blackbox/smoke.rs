//! The main way, from one end to the other.

use auth_testkit::{Browser, RelyingParty};
use http::StatusCode;

use crate::flow::*;
use crate::world::{PASSWORD, SECRET, WEB_CALLBACK, World};

blackbox! {
    async fn the_kits_relying_party_signs_somebody_in(setup: Setup) {
        let world = World::start(setup).await;
        let app = RelyingParty::discover(&world.issuer, "web", WEB_CALLBACK).await.unwrap();
        let browser = Browser::new();
        let refused = app.sign_in(&browser, "alice", PASSWORD, "openid").await.unwrap_err();
        assert!(refused.to_string().contains("invalid_client"), "{refused}");

        let app = app.with_secret(SECRET);
        let scope = "openid email offline_access";
        let wrong = app.sign_in(&Browser::new(), "alice", "nonsense", scope).await.unwrap_err();
        assert!(wrong.to_string().starts_with("sign in"), "{wrong}");
        let tokens = app.sign_in(&Browser::new(), "alice", PASSWORD, scope).await.unwrap();
        let fresh = app.refresh(&tokens).await.unwrap();
        assert_eq!(app.userinfo(&fresh).await.unwrap()["email"], "alice@example.com");
    }


    async fn a_person_signs_in_and_everything_follows(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let callback = authorize(&world, &browser, &ALICE, &request("web")).await.callback();
        assert_eq!(callback.get("state"), "state-1234567890");
        assert_eq!(callback.get("iss"), world.issuer);

        let first = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&first.id)["nonce"], "nonce-1234567890");
        assert_eq!(userinfo(&world, &first.access).await.json()["sub"], "u-alice");
        assert!(is_active(&world, &first.access).await);

        let second = Tokens::of(&refresh(&world, WEB, &first.refresh).await);
        assert_ne!(second.refresh, first.refresh);
        assert_ne!(second.access, first.access);

        let form = [("token", second.refresh.as_str())];
        let revoked = post_as(&world, "/oauth2/revoke", WEB, &form).await;
        assert_eq!(revoked.status, StatusCode::OK);
        for token in [&first.access, &second.access, &second.refresh] {
            assert!(!is_active(&world, token).await);
        }
    }
}
