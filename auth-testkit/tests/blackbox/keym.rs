//! Keys: what is published, what is revoked, and what each is for.

use std::collections::BTreeMap;
use std::time::Duration;

use auth_core::KeyId;
use auth_core::http::Request;
use auth_core::keys::{KeysUnusable, SigningAlgorithm, SigningKey};
use auth_core::store::TenantId;
use auth_oidc::client::AccessTokenFormat;
use auth_testkit::{Browser, Reply};
use serde_json::{Map, Value};

use crate::flow::*;
use crate::rotation::{key_set, kid, kids};
use crate::scenarios::{DAY, HOUR};
use crate::world::{Node, World, web};

async fn jwt_world(setup: crate::world::Setup) -> World {
    let web = web().access_token_format(AccessTokenFormat::Jwt);
    World::with(setup, move |builder| builder.client(web)).await
}

async fn key_set_at(node: &Node) -> Value {
    let url = format!("{}/.well-known/jwks.json", node.base);
    Browser::new().get(&url).await.unwrap().json()
}

async fn userinfo_at(node: &Node, token: &str) -> Reply {
    let browser = Browser::new();
    let request = browser.http().get(format!("{}/userinfo", node.base)).bearer_auth(token);
    browser.send(request).await.unwrap()
}

blackbox! {
    async fn a_472_public_keys_have_public_members_only(setup: Setup) {
        let world = World::with(setup, |builder| {
            builder.signing_keys(|keys| keys.algorithms.push(SigningAlgorithm::EdDsa))
        })
        .await;
        world.provider.rotate_key(SigningAlgorithm::Es256).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        let set = key_set(&world).await;
        assert_eq!(set.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
        let common = ["alg", "kid", "kty", "use"];
        let mut seen = BTreeMap::new();
        for key in set["keys"].as_array().unwrap() {
            let members: &Map<String, Value> = key.as_object().unwrap();
            let kind = key["kty"].as_str().unwrap();
            let own: &[&str] = match kind {
                "EC" => &["crv", "x", "y"],
                "OKP" => &["crv", "x"],
                "RSA" => &["e", "n"],
                other => panic!("a key of the kind {other}"),
            };
            for member in members.keys() {
                let known = common.contains(&&**member) || own.contains(&&**member);
                assert!(known, "{member} of {kind}");
            }
            assert!(own.iter().all(|member| members.contains_key(*member)), "{key}");
            *seen.entry(kind.to_owned()).or_insert(0) += 1;
        }
        assert_eq!(Vec::from_iter(seen), [("EC".into(), 2), ("OKP".into(), 1), ("RSA".into(), 1)]);
    }

    async fn a_473_a_key_signs_after_it_is_published_and_leaves_after_its_tokens(setup: Setup) {
        let world = jwt_world(setup).await;
        let first = tokens(&world).await;
        let old = kid(&first.access);
        world.provider.rotate_key(SigningAlgorithm::Es256).await.unwrap();
        let published = kids(&key_set(&world).await);
        assert_eq!(published.len(), 2);
        world.clock.advance(HOUR - Duration::from_secs(1));
        let last = tokens(&world).await;
        assert_eq!(kid(&last.access), old, "the new one is published and does not sign yet");
        world.clock.advance(Duration::from_secs(1));
        let next = tokens(&world).await;
        assert!(kid(&next.access) != old && published.contains(&kid(&next.access)));
        // What the old one signed is good for as long as it was made for, and no longer.
        assert_eq!(userinfo(&world, &last.access).await.status, 200);
        world.clock.advance(HOUR);
        assert_eq!(userinfo(&world, &last.access).await.status, 401);
        assert!(kids(&key_set(&world).await).contains(&old));
        world.clock.advance(31 * DAY);
        assert!(!kids(&key_set(&world).await).contains(&old));
    }

    async fn a_474_a_key_in_the_wrong_hands_is_worth_nothing_within_a_second(setup: Setup) {
        let world = jwt_world(setup).await;
        let node = world.another_node().await;
        let browser = Browser::new();
        let end = authorize(&world, &browser, &ALICE, &request("web")).await;
        let signed = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
        let end = authorize(&world, &Browser::new(), &ALICE, &request("spa")).await;
        let opaque = Tokens::of(&redeem(&world, SPA, &end.callback().code()).await);
        let stolen = kid(&signed.access);
        assert_eq!(kids(&key_set_at(&node).await), std::slice::from_ref(&stolen));
        assert_eq!(userinfo_at(&node, &signed.access).await.status, 200);
        assert!(is_active(&world, &signed.access).await);

        let stolen_id = KeyId::from(stolen.as_str());
        world.provider.revoke_key(&stolen_id).await.unwrap();
        // Here at once, at every other process within a second.
        let bearer = auth_core::Secret::new(signed.access.clone());
        assert!(world.provider.authority().bearer(&bearer).await.is_err());
        let set = world.provider.engine().call("jwks", Request::default()).await;
        assert!(!kids(&serde_json::from_slice(set.body()).unwrap()).contains(&stolen));
        world.clock.advance(Duration::from_secs(1));
        assert!(!kids(&key_set(&world).await).contains(&stolen));
        assert!(!is_active(&world, &signed.access).await);
        assert_eq!(userinfo(&world, &signed.access).await.status, 401);
        assert_eq!(userinfo_at(&node, &signed.access).await.status, 401);
        let there = kids(&key_set_at(&node).await);
        assert_eq!((there.len(), there.contains(&stolen)), (1, false), "{there:?}");
        assert!(node.provider.authority().bearer(&bearer).await.is_err());

        // An id token of that key says no more who is signed in.
        let hint = format!("/oauth2/sessions/logout?id_token_hint={}", signed.id);
        assert_page(&browser.get(&world.url(&hint)).await.unwrap(), 400);
        // What is not signed stays good, and another key signs.
        assert!(is_active(&world, &opaque.access).await);
        let anew = Tokens::of(&refresh(&world, WEB, &signed.refresh).await);
        assert_eq!(kids(&key_set(&world).await), [kid(&anew.access)]);
        assert_eq!(kid(&anew.id), kid(&anew.access));
        assert_eq!(userinfo(&world, &anew.access).await.status, 200);
        assert_eq!(userinfo_at(&node, &anew.access).await.status, 200);
        let page = open(&world, &browser, &request("web").url(&world)).await;
        let page = page.page();
        assert!(page.hidden("consent_challenge").is_some(), "still signed in: {}", page.text());

        // To do it again is harmless; a name that there is not is told.
        world.provider.revoke_key(&stolen_id).await.unwrap();
        assert_eq!(kids(&key_set(&world).await), [kid(&anew.access)]);
        let unknown = world.provider.revoke_key(&KeyId::from("another")).await.unwrap_err();
        assert!(matches!(unknown, KeysUnusable::Unknown(_)), "{unknown}");
    }

    async fn a_474_a_key_that_was_supplied_does_not_come_back(setup: Setup) {
        let rsa = web().id_token_alg(SigningAlgorithm::Rs256);
        let world = World::with(setup, |builder| builder.client(rsa)).await;
        let first = tokens(&world).await;
        let stolen = kid(&first.id);
        // The operator supplies it still: revoked it is all the same.
        let told = world.provider.revoke_key(&KeyId::from(stolen.as_str())).await;
        world.clock.advance(Duration::from_secs(1));
        let is_there = async || key_set(&world).await.to_string().contains(&stolen);
        assert!(!is_there().await);
        let code = code(&world).await;
        let redeemed = redeem(&world, WEB, &code).await;
        // Whether a successor can be made is a feature of the build.
        let makes_rsa = SigningKey::generate(SigningAlgorithm::Rs256).is_ok();
        if makes_rsa {
            told.unwrap();
            let successor = kid(&Tokens::of(&redeemed).id);
            assert_ne!(successor, stolen);
            assert!(key_set(&world).await.to_string().contains(&successor));
        } else {
            assert!(matches!(told, Err(KeysUnusable::Revoked(_))), "{told:?}");
            assert_refused(&redeemed, 503, "temporarily_unavailable");
        }
        // Other keys are not touched, and another process does not bring it back either.
        assert_eq!(kids(&key_set(&world).await).len(), 1);
        for _ in 0..3 {
            world.clock.advance(DAY);
            assert!(!is_there().await);
        }
        let again = auth_oidc::Provider::builder(&world.issuer)
            .development()
            .shared_store(world.faults.clone())
            .pages(auth_ui::DefaultPages::new())
            .directory(world.people.clone())
            .clock(world.clock.clone())
            .signing_key_pem(SigningAlgorithm::Rs256, crate::world::RSA_KEY);
        let again = again.build().await;
        assert!(!is_there().await);
        if makes_rsa {
            again.unwrap();
        } else {
            let told = again.unwrap_err().to_string();
            assert!(told.contains("was revoked: supply another one"), "{told}");
        }
    }

    async fn a_475_what_one_key_made_is_nothing_to_another(setup: Setup) {
        let world = World::with(setup, |builder| {
            builder.rate_limiter(crate::caut::without_limits())
        })
        .await;
        let browser = Browser::new();
        let page = open(&world, &browser, &request("web").url(&world)).await;
        let challenge = page.clone().page().hidden("login_challenge").unwrap();
        let end = answer(&world, &browser, &ALICE, page).await;
        let tokens = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
        let code = code(&world).await;
        let session = browser.cookie("auth_session").unwrap();
        let all = [&code, &tokens.access, &tokens.refresh, &tokens.id, &session, &challenge];
        for value in all {
            if *value != tokens.access {
                assert_eq!(userinfo(&world, value).await.status, 401);
            }
            if *value != tokens.access && *value != tokens.refresh {
                assert!(!is_active(&world, value).await);
            }
            if *value != code {
                assert_refused(&redeem(&world, WEB, value).await, 400, "invalid_grant");
            }
            if *value != tokens.refresh {
                assert_refused(&refresh(&world, WEB, value).await, 400, "invalid_grant");
            }
            if *value != session {
                let stranger = Browser::new();
                stranger.set_cookie("auth_session", value);
                let silent = request("web").set("prompt", "none").url(&world);
                let callback = open(&world, &stranger, &silent).await.callback();
                assert_redirected(&world, &callback, "login_required");
            }
            for path in ["login", "consent", "logout"] {
                let url = world.url(&format!("/oauth2/{path}?{path}_challenge={value}"));
                if *value != challenge || path != "login" {
                    assert!(browser.get(&url).await.unwrap().status.is_client_error(), "{path}");
                }
            }
        }
        // Each is good for its own.
        assert_eq!(userinfo(&world, &tokens.access).await.status, 200);
        Tokens::of(&redeem(&world, WEB, &code).await);
        Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        open(&world, &browser, &request("web").url(&world)).await.page().hidden("consent_challenge").unwrap();
    }

    async fn a_476_each_issuer_has_keys_of_its_own(setup: Setup) {
        let here = jwt_world(setup).await;
        let (store, clock) = (here.faults.clone(), here.clock.clone());
        let there = World::with(setup, |builder| {
            let web = web().access_token_format(AccessTokenFormat::Jwt);
            let tenant = TenantId::new("there").unwrap();
            builder.tenant(tenant).shared_store(store).clock(clock).client(web)
        })
        .await;
        let (ours, theirs) = (tokens(&here).await, tokens(&there).await);
        for (world, own, foreign) in [(&here, &ours, &theirs), (&there, &theirs, &ours)] {
            assert_eq!(userinfo(world, &own.access).await.status, 200);
            assert_eq!(userinfo(world, &foreign.access).await.status, 401);
            assert!(!is_active(world, &foreign.access).await);
            assert_refused(&refresh(world, WEB, &foreign.refresh).await, 400, "invalid_grant");
        }
        let (a, b) = (kids(&key_set(&here).await), kids(&key_set(&there).await));
        assert!(a.iter().all(|kid| !b.contains(kid)), "{a:?} and {b:?}");
    }
}
