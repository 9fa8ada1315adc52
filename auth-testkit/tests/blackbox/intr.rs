//! Introspection and revocation under attack.

use std::time::Duration;

use auth_core::keys::SigningAlgorithm;
use auth_oidc::client::AccessTokenFormat;
use auth_testkit::store::CommitFault;
use auth_testkit::{Browser, Reply};
use http::{Method, StatusCode};
use serde_json::json;

use crate::flow::*;
use crate::world::{Setup, World, web};

const FORMATS: [AccessTokenFormat; 2] = [AccessTokenFormat::Opaque, AccessTokenFormat::Jwt];

async fn world_of(setup: Setup, format: AccessTokenFormat) -> World {
    let client = web().access_token_format(format);
    World::with(setup, |builder| builder.client(client)).await
}

async fn introspect_as(world: &World, by: By<'_>, form: &[(&str, &str)]) -> Reply {
    post_as(world, "/oauth2/introspect", by, form).await
}

async fn revoke(world: &World, by: By<'_>, form: &[(&str, &str)]) -> Reply {
    post_as(world, "/oauth2/revoke", by, form).await
}

async fn tokens_of_spa(world: &World) -> Tokens {
    let code = authorize(world, &Browser::new(), &ALICE, &request("spa")).await.callback().code();
    Tokens::of(&redeem(world, SPA, &code).await)
}

fn assert_inactive(reply: &Reply) {
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.json(), json!({"active": false}));
}

blackbox! {
    async fn a_157_a_client_asks_about_the_token_of_another(setup: Setup) {
        for format in FORMATS {
            let world = world_of(setup, format).await;
            let theirs = tokens(&world).await;
            for token in [&theirs.access, &theirs.refresh] {
                let own = introspect_as(&world, WEB, &[("token", token)]).await;
                assert_eq!(own.json()["active"], true);
                let foreign = introspect_as(&world, SVC, &[("token", token)]).await;
                assert_inactive(&foreign);
                let unknown = introspect_as(&world, SVC, &[("token", "at_unknown")]).await;
                assert_eq!(foreign.body, unknown.body);
                assert_eq!(names(&foreign), names(&unknown));
            }
        }
    }

    async fn a_158_what_is_not_good_is_inactive(setup: Setup) {
        const LIFE: Duration = Duration::from_secs(900);
        for format in FORMATS {
            let world = world_of(setup, format).await;
            let other = world_of(setup, format).await;
            let good = tokens(&world).await;
            assert!(is_active(&world, &good.access).await);
            let gone = async |token: &str| {
                assert_inactive(&introspect_as(&world, RS, &[("token", token)]).await);
            };

            // Of another issuer, cut off, changed, empty, of another kind.
            gone(&tokens(&other).await.access).await;
            gone(&good.access[..good.access.len() - 1]).await;
            gone(&format!("{}x", good.access)).await;
            gone(&good.access.replacen("at_", "rt_", 1).replacen("ey", "ez", 1)).await;
            gone(&good.id).await;
            gone(&code(&world).await).await;

            // Revoked; the others are not.
            let revoked = tokens(&world).await;
            assert_eq!(revoke(&world, WEB, &[("token", &revoked.access)]).await.status, 200);
            gone(&revoked.access).await;
            assert!(is_active(&world, &good.access).await);

            // Expired.
            world.clock.advance(LIFE - Duration::from_secs(1));
            assert!(is_active(&world, &good.access).await);
            world.clock.advance(Duration::from_secs(1));
            gone(&good.access).await;

            // Of somebody who is deleted.
            let deleted = tokens(&world).await;
            assert!(is_active(&world, &deleted.access).await);
            world.provider.delete_subject(&"u-alice".into()).await.unwrap();
            gone(&deleted.access).await;
            gone(&deleted.refresh).await;

            // Of a client that is disabled.
            let bob = authorize(&world, &Browser::new(), &BOB, &request("web")).await;
            let bob = Tokens::of(&redeem(&world, WEB, &bob.callback().code()).await);
            assert!(is_active(&world, &bob.access).await);
            world.provider.clients().disable(&"web".into()).await.unwrap();
            gone(&bob.access).await;
            gone(&bob.refresh).await;
        }
    }

    async fn a_159_no_process_remembers_that_a_token_was_good(setup: Setup) {
        for format in FORMATS {
            let world = world_of(setup, format).await;
            let node = world.another_node().await;
            let there = async |token: &str| {
                let browser = Browser::new();
                let request = browser.http().post(format!("{}/oauth2/introspect", node.base));
                let request = request.basic_auth("rs", Some(crate::world::SECRET));
                browser.send(request.form(&[("token", token)])).await.unwrap().json()
            };
            let tokens = tokens(&world).await;
            assert_eq!(there(&tokens.access).await["active"], true);
            assert_eq!(there(&tokens.access).await["active"], true);
            assert_eq!(revoke(&world, WEB, &[("token", &tokens.access)]).await.status, 200);
            assert_eq!(there(&tokens.access).await, json!({"active": false}));
            assert!(!is_active(&world, &tokens.access).await);
        }
    }

    async fn a_160_a_revocation_that_could_not_be_stored_says_so(setup: Setup) {
        for format in FORMATS {
            let world = world_of(setup, format).await;
            let tokens = tokens(&world).await;
            for token in [&tokens.access, &tokens.refresh] {
                let form = [("token", token.as_str())];
                world.faults.fail_commit(CommitFault::Unavailable);
                let reply = revoke(&world, WEB, &form).await;
                assert_eq!(world.faults.waiting(), 0, "it was tried");
                assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
                assert!(!reply.header("retry-after").is_empty());
                assert!(is_active(&world, token).await);
                assert_eq!(revoke(&world, WEB, &form).await.status, StatusCode::OK);
                assert!(!is_active(&world, token).await);
            }
        }
    }

    async fn a_161_a_token_is_revoked_by_its_client_alone(setup: Setup) {
        let world = World::start(setup).await;
        let web = tokens(&world).await;
        let before = world.store.snapshot();
        for by in [SPA, SVC] {
            for token in [&web.access, &web.refresh] {
                let reply = revoke(&world, by, &[("token", token)]).await;
                assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, 0));
                assert!(is_active(&world, token).await);
            }
        }
        assert_eq!(world.store.since(before).commits, 0);
        // A public client revokes its own.
        let spa = tokens_of_spa(&world).await;
        for token in [&spa.access, &spa.refresh] {
            assert!(is_active(&world, token).await);
            assert_eq!(revoke(&world, SPA, &[("token", token)]).await.status, StatusCode::OK);
            assert!(!is_active(&world, token).await);
        }
        assert_refused(&refresh(&world, SPA, &spa.refresh).await, 400, "invalid_grant");
    }

    async fn a_162_access_tokens_end_with_the_refresh_token(setup: Setup) {
        for format in FORMATS {
            let world = world_of(setup, format).await;
            let first = tokens(&world).await;
            let second = Tokens::of(&refresh(&world, WEB, &first.refresh).await);
            let form = [("token", second.refresh.as_str())];
            assert!(is_active(&world, &first.access).await && is_active(&world, &second.access).await);
            assert_eq!(revoke(&world, WEB, &form).await.status, StatusCode::OK);
            for token in [&first.access, &second.access, &second.refresh] {
                assert!(!is_active(&world, token).await);
            }
            assert_eq!(userinfo(&world, &second.access).await.status, StatusCode::UNAUTHORIZED);
        }
    }

    async fn a_163_a_token_in_a_query_is_not_looked_at(setup: Setup) {
        let world = World::start(setup).await;
        let tokens = tokens(&world).await;
        for path in ["/oauth2/introspect", "/oauth2/revoke"] {
            let url = format!("{}?token={}", world.url(path), tokens.access);
            let browser = Browser::new();
            let send = async |method: Method| {
                let request = browser.http().request(method, &url);
                let request = request.basic_auth("web", Some(crate::world::SECRET));
                browser.send(request.form(&[("x", "y")])).await.unwrap()
            };
            assert_eq!(send(Method::GET).await.status, StatusCode::METHOD_NOT_ALLOWED);
            let reply = send(Method::POST).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST);
            assert!(!reply.text().contains(&tokens.access) && !reply.text().contains("active"));
        }
        assert!(is_active(&world, &tokens.access).await);
    }

    async fn a_164_a_hint_is_a_hint(setup: Setup) {
        for format in FORMATS {
            let world = world_of(setup, format).await;
            for hint in ["refresh_token", "access_token", "id_token", "nonsense", ""] {
                let tokens = tokens(&world).await;
                for token in [&tokens.access, &tokens.refresh] {
                    let form = [("token", token.as_str()), ("token_type_hint", hint)];
                    assert_eq!(introspect_as(&world, RS, &form).await.json()["active"], true, "{hint}");
                    assert_eq!(revoke(&world, WEB, &form).await.status, StatusCode::OK);
                    assert_inactive(&introspect_as(&world, RS, &form).await);
                }
            }
        }
    }

    async fn a_166_nothing_goes_on_for_somebody_who_is_deleted(setup: Setup) {
        for format in FORMATS {
            let world = world_of(setup, format).await;
            let browser = Browser::new();
            let person = Person { remember: true, remember_consent: true, ..ALICE };
            let code = authorize(&world, &browser, &person, &request("web")).await.callback().code();
            let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
            let silent = request("web").set("prompt", "none").url(&world);
            let pending = open(&world, &browser, &silent).await.callback().code();
            world.provider.delete_subject(&"u-alice".into()).await.unwrap();

            let callback = open(&world, &browser, &silent).await.callback();
            assert_redirected(&world, &callback, "login_required");
            assert_refused(&redeem(&world, WEB, &pending).await, 400, "invalid_grant");
            assert_refused(&refresh(&world, WEB, &tokens.refresh).await, 400, "invalid_grant");
            assert_eq!(userinfo(&world, &tokens.access).await.status, StatusCode::UNAUTHORIZED);
            for token in [&tokens.access, &tokens.refresh] {
                assert_inactive(&introspect_as(&world, RS, &[("token", token)]).await);
            }
        }
    }
}

fn names(reply: &Reply) -> Vec<String> {
    let mut names: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
    names.sort_unstable();
    names
}

blackbox! {
    async fn an_id_token_is_no_access_token_whatever_signs_it(setup: Setup) {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
            let client = web().access_token_format(AccessTokenFormat::Jwt).id_token_alg(algorithm);
            let world = World::with(setup, |builder| builder.client(client)).await;
            let tokens = tokens(&world).await;
            assert_eq!(userinfo(&world, &tokens.access).await.status, StatusCode::OK);
            assert_eq!(userinfo(&world, &tokens.id).await.status, StatusCode::UNAUTHORIZED);
            assert!(!is_active(&world, &tokens.id).await);
        }
    }
}
