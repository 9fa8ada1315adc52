//! Refresh tokens: rotation, reuse, races, and everything that must end a family.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::outbox::{Deliver, DeliveryError, Message};
use auth_core::store::TenantId;
use auth_oidc::client::Client;
use auth_testkit::{Browser, Reply};
use futures_util::future::join_all;

use crate::flow::*;
use crate::world::{SECRET, SPA_CALLBACK, WEB_CALLBACK, World, web};

const DAY: Duration = Duration::from_secs(86_400);
/// A little more than the grace window.
const AFTER_GRACE: Duration = Duration::from_secs(11);

/// Keeps the names of the events that a world delivers.
#[derive(Debug, Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Deliver for Events {
    async fn deliver(&self, _: TenantId, _: &str, message: &Message) -> Result<(), DeliveryError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.name.clone());
        Ok(())
    }
}

impl Events {
    /// What happened so far, delivered now.
    async fn of(&self, world: &World) -> Vec<String> {
        world.provider.worker().run_once().await.unwrap();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn assert_inactive(world: &World, tokens: &[&str]) {
    for token in tokens {
        assert_eq!(introspect(world, token).await, serde_json::json!({"active": false}));
    }
}

/// FAMILY-DEAD: no refresh token of the grant gives anything, no token of it is active.
async fn assert_family_dead(world: &World, by: By<'_>, refresh_tokens: &[&str], access: &[&str]) {
    assert_inactive(world, access).await;
    assert_inactive(world, refresh_tokens).await;
    for token in refresh_tokens {
        assert_refused(&refresh(world, by, token).await, 400, "invalid_grant");
    }
}

/// Asserts that a family lives by using its head; gives the next tokens.
async fn assert_alive(world: &World, by: By<'_>, refresh_token: &str) -> Tokens {
    Tokens::of(&refresh(world, by, refresh_token).await)
}

async fn refresh_with_scope(world: &World, refresh_token: &str, scope: &str) -> Reply {
    let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    token(world, WEB, &[&grant[..], &[("scope", scope)]].concat()).await
}

/// Tokens of alice for the public client.
async fn spa_tokens(world: &World) -> Tokens {
    let end = authorize(world, &Browser::new(), &ALICE, &request("spa")).await;
    Tokens::of(&redeem(world, SPA, &end.callback().code()).await)
}

blackbox! {
    async fn a_067_a_used_token_comes_again_after_the_grace_window(setup: Setup) {
        let events = Events::default();
        let world = World::with(setup, |builder| builder.events(events.clone())).await;
        let first = tokens(&world).await;
        let second = assert_alive(&world, WEB, &first.refresh).await;
        let third = assert_alive(&world, WEB, &second.refresh).await;

        world.clock.advance(AFTER_GRACE);
        assert_refused(&refresh(&world, WEB, &first.refresh).await, 400, "invalid_grant");
        let refresh_tokens = [&*first.refresh, &second.refresh, &third.refresh];
        let access = [&*first.access, &second.access, &third.access];
        assert_family_dead(&world, WEB, &refresh_tokens, &access).await;
        assert_eq!(userinfo(&world, &third.access).await.status, 401);
        assert_eq!(events.of(&world).await, ["refresh_token_reused"]);
    }

    async fn a_067_the_same_for_a_public_client(setup: Setup) {
        let world = World::start(setup).await;
        let first = spa_tokens(&world).await;
        let second = assert_alive(&world, SPA, &first.refresh).await;
        world.clock.advance(AFTER_GRACE);
        assert_refused(&refresh(&world, SPA, &first.refresh).await, 400, "invalid_grant");
        let access = [&*first.access, &second.access];
        assert_family_dead(&world, SPA, &[&first.refresh, &second.refresh], &access).await;
    }

    async fn a_068_many_refreshes_of_one_token_at_once(setup: Setup) {
        let world = World::start(setup).await;
        let first = tokens(&world).await;
        let race = (0..32).map(|_| refresh(&world, WEB, &first.refresh));
        let answers: Vec<Tokens> = join_all(race).await.iter().map(Tokens::of).collect();
        let second = &answers[0];
        assert_ne!(second.refresh, first.refresh);
        for answer in &answers {
            assert_eq!(answer.refresh, second.refresh, "two heads");
            assert!(is_active(&world, &answer.access).await);
        }
        // A client that lost the answer gets it again until the window is over.
        world.clock.advance(Duration::from_secs(9));
        assert_eq!(assert_alive(&world, WEB, &first.refresh).await.refresh, second.refresh);
        let third = assert_alive(&world, WEB, &second.refresh).await;

        world.clock.advance(Duration::from_secs(2));
        assert_refused(&refresh(&world, WEB, &first.refresh).await, 400, "invalid_grant");
        let access: Vec<&str> = answers.iter().map(|answer| &*answer.access).collect();
        assert_family_dead(&world, WEB, &[&second.refresh, &third.refresh], &access).await;
    }

    async fn a_068_reuse_in_parallel_after_the_window(setup: Setup) {
        let world = World::start(setup).await;
        let first = tokens(&world).await;
        let second = assert_alive(&world, WEB, &first.refresh).await;
        world.clock.advance(AFTER_GRACE);
        // The thief and the owner race: whatever the order, the family is dead in the end.
        let race = (0..16).map(|i| {
            let token = if i % 2 == 0 { &first.refresh } else { &second.refresh };
            refresh(&world, WEB, token)
        });
        let answers = join_all(race).await;
        let mut refresh_tokens = vec![first.refresh.clone(), second.refresh.clone()];
        let mut access = vec![first.access.clone(), second.access.clone()];
        for (i, answer) in answers.iter().enumerate() {
            if i % 2 == 0 || answer.status != 200 {
                assert_refused(answer, 400, "invalid_grant");
            } else {
                let won = Tokens::of(answer);
                refresh_tokens.push(won.refresh);
                access.push(won.access);
            }
        }
        let refresh_tokens: Vec<&str> = refresh_tokens.iter().map(String::as_str).collect();
        let access: Vec<&str> = access.iter().map(String::as_str).collect();
        assert_family_dead(&world, WEB, &refresh_tokens, &access).await;
    }

    async fn a_069_a_token_of_another_client(setup: Setup) {
        let events = Events::default();
        let world = World::with(setup, |builder| {
            let other = Client::confidential("other", SECRET).redirect_uri(WEB_CALLBACK);
            builder.events(events.clone()).client(other.scope("openid offline_access"))
        })
        .await;
        // By a confidential client and a public one; of a confidential client and a public one.
        let other = By::Basic("other", SECRET);
        for (victim, attacker) in [(WEB, other), (WEB, SPA), (SPA, other)] {
            let tokens = match victim {
                By::None(_) => spa_tokens(&world).await,
                _ => tokens(&world).await,
            };
            let next = assert_alive(&world, victim, &tokens.refresh).await;
            assert_refused(&refresh(&world, attacker, &next.refresh).await, 400, "invalid_grant");
            let access = [&*tokens.access, &next.access];
            assert_family_dead(&world, victim, &[&next.refresh], &access).await;
        }
        assert_eq!(events.of(&world).await, ["refresh_token_of_another_client"; 3]);

        // Without any client nothing is even looked up.
        let tokens = spa_tokens(&world).await;
        let before = world.store.snapshot();
        let reply = refresh(&world, By::Nothing, &tokens.refresh).await;
        assert_refused(&reply, 400, "invalid_request");
        assert_eq!(world.store.since(before).round_trips(), 0);
        assert_alive(&world, SPA, &tokens.refresh).await;
    }

    async fn a_070_a_confidential_clients_token_without_its_secret(setup: Setup) {
        // Failures are not counted in the store here.
        let world = World::with(setup, |b| b.rate_limiter(crate::caut::without_limits())).await;
        let tokens = assert_alive(&world, WEB, &tokens(&world).await.refresh).await;
        let before = world.store.snapshot();
        let unauthenticated = [
            By::None("web"),
            By::Post("web", SECRET),
            By::Post("web", ""),
            By::Basic("web", ""),
            By::Basic("web", "wrong"),
            By::Basic("unknown", SECRET),
            By::None("unknown"),
        ];
        for by in unauthenticated {
            let reply = refresh(&world, by, &tokens.refresh).await;
            assert_refused(&reply, 401, "invalid_client");
            let challenged = reply.header("www-authenticate").starts_with("Basic ");
            assert_eq!(challenged, matches!(by, By::Basic(..)), "{by:?}");
        }
        assert_eq!(world.store.since(before).commits, 0);
        assert_alive(&world, WEB, &tokens.refresh).await;
    }

    async fn a_071_a_refresh_after_the_account_was_disabled(setup: Setup) {
        let world = World::start(setup).await;
        let (first, other) = (tokens(&world).await, spa_tokens(&world).await);
        let second = assert_alive(&world, WEB, &first.refresh).await;
        world.people.update("alice", |alice| alice.active = false);
        assert_refused(&refresh(&world, WEB, &second.refresh).await, 400, "invalid_grant");
        // Enabling the account again does not bring the family back.
        world.people.update("alice", |alice| alice.active = true);
        let access = [&*first.access, &second.access];
        assert_family_dead(&world, WEB, &[&first.refresh, &second.refresh], &access).await;
        // A family that was not used in the meantime had no reason to end.
        assert_alive(&world, SPA, &other.refresh).await;
    }

    async fn a_071_a_refresh_in_the_grace_window_after_the_account_was_disabled(setup: Setup) {
        let world = World::start(setup).await;
        let first = tokens(&world).await;
        let second = assert_alive(&world, WEB, &first.refresh).await;
        world.people.update("alice", |alice| alice.active = false);
        assert_refused(&refresh(&world, WEB, &first.refresh).await, 400, "invalid_grant");
        let access = [&*first.access, &second.access];
        assert_family_dead(&world, WEB, &[&first.refresh, &second.refresh], &access).await;
    }

    async fn a_071_a_refresh_after_the_account_was_deleted(setup: Setup) {
        let world = World::start(setup).await;
        let first = tokens(&world).await;
        let second = assert_alive(&world, WEB, &first.refresh).await;
        world.people.remove("alice");
        assert_eq!(userinfo(&world, &second.access).await.status, 401);
        assert_refused(&refresh(&world, WEB, &second.refresh).await, 400, "invalid_grant");
        let access = [&*first.access, &second.access];
        assert_family_dead(&world, WEB, &[&first.refresh, &second.refresh], &access).await;
    }

    async fn a_071_a_refresh_after_the_client_was_disabled(setup: Setup) {
        let world = World::start(setup).await;
        let first = tokens(&world).await;
        let second = assert_alive(&world, WEB, &first.refresh).await;
        world.provider.clients().disable(&"web".into()).await.unwrap();
        // It cannot even authenticate, which is said before its token is looked at.
        for token in [&first.refresh, &second.refresh] {
            assert_refused(&refresh(&world, WEB, token).await, 401, "invalid_client");
        }
        let all = [&*first.refresh, &first.access, &second.refresh, &second.access];
        assert_inactive(&world, &all).await;
        assert_eq!(userinfo(&world, &second.access).await.status, 401);
        // Registering the client again does not enable it.
        world.provider.clients().put(web()).await.unwrap();
        assert_refused(&refresh(&world, WEB, &second.refresh).await, 401, "invalid_client");
        assert_inactive(&world, &all).await;
    }

    async fn a_072_more_scope_than_was_granted(setup: Setup) {
        let world = World::start(setup).await;
        let wanted = request("web").set("scope", "openid profile email offline_access");
        let end = authorize(&world, &Browser::new(), &ALICE, &wanted).await;
        let mut tokens = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
        let before = world.store.snapshot();
        for scope in ["openid phone", "orders:read", "openid admin", "profile\topenid", "\"a\""] {
            let reply = refresh_with_scope(&world, &tokens.refresh, scope).await;
            assert_refused(&reply, 400, "invalid_scope");
        }
        assert_eq!(world.store.since(before).commits, 0, "refused, and not rotated");

        // Less than was granted is fine, and the grant keeps the rest.
        tokens = Tokens::of(&refresh_with_scope(&world, &tokens.refresh, "openid").await);
        assert_eq!(tokens.answer["scope"], "openid");
        assert_eq!(introspect(&world, &tokens.access).await["scope"], "openid");
        assert!(userinfo(&world, &tokens.access).await.json().get("email").is_none());
        tokens = assert_alive(&world, WEB, &tokens.refresh).await;
        assert_eq!(tokens.answer["scope"], "openid profile email offline_access");

        // What the client may no longer have does not come back by asking for nothing.
        let smaller = web().scope("openid profile offline_access");
        world.provider.clients().put(smaller).await.unwrap();
        let reply = refresh_with_scope(&world, &tokens.refresh, "email").await;
        assert_refused(&reply, 400, "invalid_scope");
        tokens = assert_alive(&world, WEB, &tokens.refresh).await;
        assert_eq!(tokens.answer["scope"], "openid profile offline_access");
        // And what was never granted does not come with a client that may have more.
        world.provider.clients().put(web()).await.unwrap();
        tokens = assert_alive(&world, WEB, &tokens.refresh).await;
        assert_eq!(tokens.answer["scope"], "openid profile email offline_access");
    }

    async fn a_073_a_family_has_an_end(setup: Setup) {
        let world = World::start(setup).await;
        let (busy, idle) = (tokens(&world).await, spa_tokens(&world).await);
        // Used every ten days it lives through the idle limit of 14, and ends after 30 all the same.
        let mut head = busy.refresh;
        for _ in 0..2 {
            world.clock.advance(DAY * 10);
            head = assert_alive(&world, WEB, &head).await.refresh;
        }
        assert_refused(&refresh(&world, SPA, &idle.refresh).await, 400, "invalid_grant");
        world.clock.advance(DAY * 10 - Duration::from_secs(1));
        let last = assert_alive(&world, WEB, &head).await;
        world.clock.advance(Duration::from_secs(1));
        assert_refused(&refresh(&world, WEB, &last.refresh).await, 400, "invalid_grant");
        assert_inactive(&world, &[&last.refresh, &idle.refresh]).await;
    }

    async fn a_074_a_logout_ends_what_is_bound_to_the_session(setup: Setup) {
        let world = World::with(setup, |b| b.refresh(|refresh| refresh.session_bound = true)).await;
        let browser = Browser::new();
        let bound_request = request("web").set("scope", "openid profile");
        let end = authorize(&world, &browser, &ALICE, &bound_request).await;
        let bound = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
        let bound = assert_alive(&world, WEB, &bound.refresh).await;
        let end = authorize(&world, &browser, &ALICE, &request("web")).await;
        let offline = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
        assert_eq!(claims(&bound.id)["sid"], claims(&offline.id)["sid"]);

        let before = world.store.snapshot();
        let url = world.url(&format!("/oauth2/sessions/logout?id_token_hint={}", bound.id));
        let reply = browser.get(&url).await.unwrap();
        assert!(reply.status.is_success() || reply.status.is_redirection(), "{}", reply.text());
        // One commit: there is no moment at which the session is over and a token of it is not.
        assert_eq!(world.store.since(before).commits, 1);
        assert_family_dead(&world, WEB, &[&bound.refresh], &[&bound.access]).await;
        assert_eq!(userinfo(&world, &bound.access).await.status, 401);

        assert!(is_active(&world, &offline.access).await);
        let offline = assert_alive(&world, WEB, &offline.refresh).await;
        // Nor are they bound by asking for less.
        let reply = refresh_with_scope(&world, &offline.refresh, "openid").await;
        let narrowed = Tokens::of(&reply);
        assert_eq!(narrowed.answer["scope"], "openid");
        assert!(is_active(&world, &narrowed.access).await);
        // They end by an explicit revocation.
        post_as(&world, "/oauth2/revoke", WEB, &[("token", &narrowed.refresh)]).await;
        let issued = [&*offline.access, &narrowed.access];
        assert_family_dead(&world, WEB, &[&narrowed.refresh], &issued).await;
    }

    async fn a_074_bound_tokens_end_when_the_session_expires(setup: Setup) {
        let world = World::with(setup, |b| b.refresh(|refresh| refresh.session_bound = true)).await;
        let wanted = request("web").set("scope", "openid");
        let end = authorize(&world, &Browser::new(), &ALICE, &wanted).await;
        let bound = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
        world.clock.advance(DAY - Duration::from_secs(1));
        let bound = assert_alive(&world, WEB, &bound.refresh).await;
        world.clock.advance(Duration::from_secs(1));
        assert_family_dead(&world, WEB, &[&bound.refresh], &[&bound.access]).await;
    }

    async fn a_075_a_restart_forgets_no_used_token(setup: Setup) {
        let database = setup.database().await;
        let store = database.open().await;
        let first = World::with(setup, |builder| builder.shared_store(store)).await;
        let (clock, tokens) = (first.clock.clone(), tokens(&first).await);
        let head = assert_alive(&first, WEB, &tokens.refresh).await;
        drop(first);

        let (store, time) = (database.open().await, clock.clone());
        let second = World::with(setup, |b| b.shared_store(store).clock(time)).await;
        // The grace window outlives the restart, too.
        assert_eq!(assert_alive(&second, WEB, &tokens.refresh).await.refresh, head.refresh);
        clock.advance(AFTER_GRACE);
        assert_refused(&refresh(&second, WEB, &tokens.refresh).await, 400, "invalid_grant");
        assert_family_dead(&second, WEB, &[&head.refresh], &[&tokens.access, &head.access]).await;
    }

    async fn a_076_no_refresh_token_in_the_front_channel(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let mut reply = browser.get(&request("web").url(&world)).await.unwrap();
        let mut seen = Vec::new();
        let code = loop {
            seen.push(format!("{:?} {}", reply.headers, reply.text()));
            if let Some(to) = reply.location() {
                if to.as_str().starts_with(WEB_CALLBACK) {
                    break Callback::of(to).code();
                }
                reply = browser.get(to.as_str()).await.unwrap();
            } else if let Some(challenge) = reply.hidden("login_challenge") {
                let form = [
                    ("login_challenge", challenge.as_str()),
                    ("identifier", ALICE.identifier),
                    ("password", ALICE.password),
                    ("action", "login"),
                ];
                reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
            } else {
                let challenge = reply.hidden("consent_challenge").unwrap();
                let form = [
                    ("consent_challenge", challenge.as_str()),
                    ("action", "accept"),
                    ("grant_scope", "openid"),
                    ("grant_scope", "offline_access"),
                ];
                reply = browser.post(&world.url("/oauth2/consent"), &form).await.unwrap();
            }
        };
        let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
        assert!(tokens.refresh.starts_with("rt_"), "the prefix that is looked for below");
        // Nor does the provider take one from a URL.
        let query = format!("grant_type=refresh_token&refresh_token={}", tokens.refresh);
        let url = world.url(&format!("/oauth2/token?{query}"));
        let reply = browser.post(&url, &[("client_id", "web")]).await.unwrap();
        assert_refused(&reply, 400, "invalid_request");
        seen.push(reply.text());
        seen.push(browser.get(&url).await.unwrap().text());
        seen.push(userinfo(&world, &tokens.access).await.text());
        seen.push(introspect(&world, &tokens.access).await.to_string());
        seen.push(introspect(&world, &tokens.refresh).await.to_string());
        assert!(seen.len() >= 9, "the walk has pages, redirects and answers");
        // Where a value begins: in the middle of a random one these letters may stand, too.
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        for text in seen {
            let begins = |(at, _): (usize, _)| !text[..at].ends_with(inside);
            assert!(!text.match_indices("rt_").any(begins), "{text}");
        }
        assert_alive(&world, WEB, &tokens.refresh).await;
    }

    async fn a_078_a_public_clients_tokens_always_rotate(setup: Setup) {
        let world = World::start(setup).await;
        // There is no switch that turns rotation off, so a token works once, whoever has it.
        let mut seen = vec![spa_tokens(&world).await.refresh];
        for _ in 0..3 {
            let next = assert_alive(&world, SPA, seen.last().unwrap()).await.refresh;
            assert!(!seen.contains(&next));
            seen.push(next);
            world.clock.advance(AFTER_GRACE);
        }
        assert_refused(&refresh(&world, SPA, &seen[2]).await, 400, "invalid_grant");
        assert_refused(&refresh(&world, SPA, &seen[3]).await, 400, "invalid_grant");
        // Nor can a public client be registered for a grant that is not bound to a person.
        let greedy = Client::public("greedy").redirect_uri(SPA_CALLBACK);
        let greedy = greedy.grant_type(auth_oidc::client::GrantType::ClientCredentials);
        assert!(world.provider.clients().put(greedy).await.is_err());
    }

    async fn a_080_a_token_of_another_tenant(setup: Setup) {
        let here = World::start(setup).await;
        let (store, clock) = (here.faults.clone(), here.clock.clone());
        let there = World::with(setup, |builder| {
            let tenant = TenantId::new("other").unwrap();
            builder.shared_store(store).clock(clock).tenant(tenant)
        })
        .await;
        // The same client and account, with the same secret, at both.
        let (ours, theirs) = (tokens(&here).await, tokens(&there).await);
        let ours = assert_alive(&here, WEB, &ours.refresh).await;
        let before = here.store.snapshot();
        for by in [WEB, SPA] {
            assert_refused(&refresh(&there, by, &ours.refresh).await, 400, "invalid_grant");
            assert_refused(&refresh(&here, by, &theirs.refresh).await, 400, "invalid_grant");
        }
        assert_eq!(here.store.since(before).commits, 0);
        assert_inactive(&there, &[&ours.refresh, &ours.access]).await;
        assert_alive(&here, WEB, &ours.refresh).await;
        assert_alive(&there, WEB, &theirs.refresh).await;
    }
}
