//! Redemption of authorization codes: once, by its client, as it was issued, or not at all.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_core::outbox::{Deliver, DeliveryError, Message};
use auth_core::store::TenantId;
use auth_oidc::client::Client;
use auth_testkit::store::CommitFault;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use http::StatusCode;

use crate::flow::*;
use crate::world::{SECRET, SPA_CALLBACK, WEB_CALLBACK, World, web};

/// Every event that the provider told of.
#[derive(Debug, Clone, Default)]
pub struct Events(Arc<Mutex<Vec<Message>>>);

impl Events {
    /// Empties the provider's outbox, and gives all that came out of it so far.
    pub async fn delivered(&self, world: &World) -> Vec<Message> {
        world.provider.worker().run_once().await.unwrap();
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Deliver for Events {
    async fn deliver(&self, _: TenantId, _: &str, message: &Message) -> Result<(), DeliveryError> {
        self.0.lock().unwrap().push(message.clone());
        Ok(())
    }
}

/// Nobody is asked for consent to `web` and `spa` any more.
pub async fn ask_no_consent(world: &World) {
    let clients = world.provider.clients();
    for id in ["web", "spa"] {
        let client = clients.get(&id.into()).await.unwrap().unwrap();
        clients.put(client.skip_consent()).await.unwrap();
    }
}

/// A provider and a browser in which alice is signed in: a code costs one request.
pub async fn signed_in(setup: crate::world::Setup) -> (World, Browser) {
    // Failures are not counted in the store here.
    let world = World::with(setup, |b| b.rate_limiter(crate::caut::without_limits())).await;
    ask_no_consent(&world).await;
    let browser = Browser::new();
    authorize(&world, &browser, &ALICE, &request("web")).await.callback().code();
    (world, browser)
}

/// A new code for `web` in a browser that is signed in.
async fn next_code(world: &World, browser: &Browser) -> String {
    open(world, browser, &request("web").url(world)).await.callback().code()
}

/// A redemption that is right but for one parameter, which is changed or left out.
pub async fn redeem_with(
    world: &World,
    by: By<'_>,
    code: &str,
    name: &str,
    value: Option<&str>,
) -> Reply {
    let callback = if matches!(by, By::None("spa")) { SPA_CALLBACK } else { WEB_CALLBACK };
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    form.retain(|(known, _)| *known != name);
    form.extend(value.map(|value| (name, value)));
    token(world, by, &form).await
}

/// FAMILY-DEAD: nothing of the grant is good any more.
async fn assert_dead(world: &World, tokens: &Tokens) {
    for token in [&tokens.access, &tokens.refresh] {
        let answer = introspect(world, token).await;
        assert_eq!(answer, serde_json::json!({"active": false}));
    }
    assert_refused(&refresh(world, WEB, &tokens.refresh).await, 400, "invalid_grant");
    assert_eq!(userinfo(world, &tokens.access).await.status, StatusCode::UNAUTHORIZED);
}

/// Redeems a code by `times` requests at once, in turn at each of `bases`.
async fn race(bases: &[&str], code: &str, times: usize) -> Vec<Reply> {
    let redeem = |base: &str| {
        let browser = Browser::new();
        let credentials = STANDARD.encode(format!("web:{SECRET}"));
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", WEB_CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let request = browser.http().post(format!("{base}/oauth2/token")).form(&form);
        let request = request.header("authorization", format!("Basic {credentials}"));
        async move { browser.send(request).await.unwrap() }
    };
    let bases = bases.iter().cycle().take(times);
    join_all(bases.map(|base| redeem(base))).await
}

/// The tokens of those that succeeded.
fn winners(replies: &[Reply]) -> Vec<Tokens> {
    replies.iter().filter(|reply| reply.status == StatusCode::OK).map(Tokens::of).collect()
}

/// Uses up the faults that were not met, so that they do not hit what follows.
async fn use_up_faults(world: &World, browser: &Browser) {
    while world.faults.waiting() > 0 {
        let _ = open(world, browser, &request("web").url(world)).await;
    }
}

blackbox! {
    async fn a_052_a_code_is_replayed(setup: Setup) {
        let events = Events::default();
        let world = World::with(setup, |b| b.events(events.clone())).await;
        ask_no_consent(&world).await;
        let browser = Browser::new();
        let code = authorize(&world, &browser, &ALICE, &request("web")).await.callback().code();
        let first = Tokens::of(&redeem(&world, WEB, &code).await);
        let newer = Tokens::of(&refresh(&world, WEB, &first.refresh).await);
        assert!(is_active(&world, &newer.access).await);
        // A neighbour of the same person and client, to be left alone.
        let neighbour = Tokens::of(&redeem(&world, WEB, &next_code(&world, &browser).await).await);
        assert!(events.delivered(&world).await.is_empty());

        for _ in 0..2 {
            assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        }
        assert_dead(&world, &first).await;
        assert_dead(&world, &newer).await;
        assert!(is_active(&world, &neighbour.access).await);
        let told = events.delivered(&world).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].name, "authorization_code_reused");

        // A code that has expired meanwhile is still known as one that was used.
        let code = next_code(&world, &browser).await;
        let late = Tokens::of(&redeem(&world, WEB, &code).await);
        world.clock.advance(std::time::Duration::from_secs(600));
        assert!(is_active(&world, &late.access).await);
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        assert_dead(&world, &late).await;
    }

    async fn a_053_a_code_is_redeemed_by_many_at_once(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        Tokens::of(&redeem(&world, WEB, &next_code(&world, &browser).await).await);
        let node = world.another_node().await;
        for bases in [&[world.issuer.as_str()][..], &[&world.issuer, &node.base]] {
            let code = next_code(&world, &browser).await;
            let replies = race(bases, &code, 32).await;
            let won = winners(&replies);
            assert_eq!(won.len(), 1);
            for lost in replies.iter().filter(|reply| reply.status != StatusCode::OK) {
                assert_refused(lost, 400, "invalid_grant");
            }
            assert_dead(&world, &won[0]).await;
        }
    }

    async fn a_054_a_code_of_another_client(setup: Setup) {
        // The thief is a client in good standing, to the point of sharing the redirect URI.
        let thief = |client: Client| client.redirect_uri(WEB_CALLBACK).scope("openid");
        let public = thief(Client::public("public-thief"));
        let thief = thief(Client::confidential("thief", SECRET));
        let world = World::with(setup, |b| b.client(thief).client(public)).await;
        ask_no_consent(&world).await;
        let browser = Browser::new();
        let own = request("thief").set("redirect_uri", WEB_CALLBACK).set("scope", "openid");
        for by in [By::Basic("thief", SECRET), By::None("public-thief")] {
            let (By::Basic(id, _) | By::None(id)) = by else { unreachable!() };
            let own = own.clone().set("client_id", id);
            let code = authorize(&world, &browser, &ALICE, &own).await.callback().code();
            Tokens::of(&redeem(&world, by, &code).await);

            let code = authorize(&world, &browser, &ALICE, &request("web")).await.callback().code();
            assert_refused(&redeem(&world, by, &code).await, 400, "invalid_grant");
            assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        }
        // Who cannot even say who they are burns nothing.
        let code = next_code(&world, &browser).await;
        let failed = redeem(&world, By::Basic("thief", "wrong"), &code).await;
        assert_refused(&failed, 401, "invalid_client");
        Tokens::of(&redeem(&world, WEB, &code).await);
    }

    async fn a_055_nobody_says_whose_request_it_is(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        let url = request("spa").url(&world);
        let code = open(&world, &browser, &url).await.callback().code();
        let before = world.store.snapshot();
        for nobody in [By::Nothing, By::None("")] {
            let uri = Some(SPA_CALLBACK);
            let refused = redeem_with(&world, nobody, &code, "redirect_uri", uri).await;
            assert_refused(&refused, 400, "invalid_request");
        }
        assert_eq!(world.store.since(before).commits, 0);
        Tokens::of(&redeem(&world, SPA, &code).await);

        let code = next_code(&world, &browser).await;
        let before = world.store.snapshot();
        for other in ["spa", "svc", "WEB", "web "] {
            let two = redeem_with(&world, WEB, &code, "client_id", Some(other)).await;
            assert_refused(&two, 400, "invalid_request");
        }
        assert_refused(&redeem(&world, By::None("web"), &code).await, 401, "invalid_client");
        assert_eq!(world.store.since(before).commits, 0);
        Tokens::of(&redeem_with(&world, WEB, &code, "client_id", Some("web")).await);
    }

    async fn a_056_another_redirect_uri_than_the_one_that_was_asked_for(setup: Setup) {
        let other = "https://app.example/other";
        let world = World::with(setup, |b| b.client(web().redirect_uri(other))).await;
        ask_no_consent(&world).await;
        let browser = Browser::new();
        authorize(&world, &browser, &ALICE, &request("web")).await.callback().code();
        Tokens::of(&redeem(&world, WEB, &next_code(&world, &browser).await).await);
        let wrong = [
            None,
            Some(""),
            Some(other),
            Some("https://app.example/cb/"),
            Some("https://app.example/CB"),
            Some("https://app.example/cb?x=1"),
            Some("https://app.example/cb/../cb"),
            Some("https://app.example:443/cb"),
            Some("https://evil.example/cb"),
        ];
        for uri in wrong {
            let code = next_code(&world, &browser).await;
            let refused = redeem_with(&world, WEB, &code, "redirect_uri", uri).await;
            assert_refused(&refused, 400, "invalid_grant");
            assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        }
    }

    async fn a_060_the_sign_in_ends_before_the_redemption(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        let first = Tokens::of(&redeem(&world, WEB, &next_code(&world, &browser).await).await);

        let code = next_code(&world, &browser).await;
        world.people.update("alice", |alice| alice.active = false);
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        world.people.update("alice", |alice| alice.active = true);

        let code = next_code(&world, &browser).await;
        let logout = world.url(&format!("/oauth2/sessions/logout?id_token_hint={}", first.id));
        assert!(browser.get(&logout).await.unwrap().status.is_success());
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");

        let removed = Browser::new();
        let code = authorize(&world, &removed, &BOB, &request("web")).await.callback().code();
        world.people.remove("bob");
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");

        let code = authorize(&world, &browser, &ALICE, &request("web")).await.callback().code();
        world.provider.clients().disable(&"web".into()).await.unwrap();
        assert_refused(&redeem(&world, WEB, &code).await, 401, "invalid_client");
    }

    async fn a_061_the_outcome_of_the_commit_is_unknown(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        let faults = [
            (CommitFault::UnknownApplied, 1),
            (CommitFault::UnknownApplied, 4),
            (CommitFault::UnknownNotApplied, 1),
            (CommitFault::UnknownNotApplied, 3),
            (CommitFault::UnknownNotApplied, 4),
            (CommitFault::Unavailable, 1),
        ];
        for (fault, times) in faults {
            let code = next_code(&world, &browser).await;
            world.faults.fail_commits(fault, times);
            let mut first = redeem(&world, WEB, &code).await;
            assert!(world.faults.waiting() < times);
            use_up_faults(&world, &browser).await;
            if first.status != StatusCode::OK {
                // It was not applied and nobody was told otherwise, so the code is as it was.
                assert_refused(&first, 503, "temporarily_unavailable");
                assert!(!first.header("retry-after").is_empty());
                first = redeem(&world, WEB, &code).await;
            }
            let tokens = Tokens::of(&first);
            assert!(is_active(&world, &tokens.access).await, "{fault:?} × {times}");
            assert!(is_active(&world, &tokens.refresh).await, "{fault:?} × {times}");
            assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
            assert_dead(&world, &tokens).await;
        }
    }

    async fn a_062_the_store_reports_conflicts(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        for conflicts in 0..=4 {
            let code = next_code(&world, &browser).await;
            world.faults.fail_commits(CommitFault::Conflict, conflicts);
            let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
            assert_eq!(world.faults.waiting(), 0);
            assert!(is_active(&world, &tokens.access).await);
            assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        }

        let code = next_code(&world, &browser).await;
        world.faults.fail_commits(CommitFault::Conflict, 5);
        let busy = redeem(&world, WEB, &code).await;
        assert_refused(&busy, 503, "temporarily_unavailable");
        assert!(busy.header("retry-after").parse::<u32>().unwrap() > 0);
        assert_eq!(world.faults.waiting(), 0);
        Tokens::of(&redeem(&world, WEB, &code).await);
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");

        // Conflicts in the midst of a race: nobody wins twice, and who gives up says so.
        for conflicts in [3, 12, 40] {
            let code = next_code(&world, &browser).await;
            world.faults.fail_commits(CommitFault::Conflict, conflicts);
            let replies = race(&[&world.issuer], &code, 8).await;
            let won = winners(&replies);
            assert!(won.len() <= 1, "{replies:?}");
            for lost in replies.iter().filter(|reply| reply.status != StatusCode::OK) {
                match lost.status.as_u16() {
                    503 => assert_refused(lost, 503, "temporarily_unavailable"),
                    _ => assert_refused(lost, 400, "invalid_grant"),
                }
            }
            use_up_faults(&world, &browser).await;
            let later = redeem(&world, WEB, &code).await;
            match won.first() {
                Some(tokens) => {
                    assert_refused(&later, 400, "invalid_grant");
                    assert_dead(&world, tokens).await;
                }
                None => drop(Tokens::of(&later)),
            }
        }
    }

    async fn a_065_the_nonce_is_not_that_of_the_request(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        let nonces = [
            "nonce-1234567890",
            "a+b c%20&d=e/",
            "\"quoted\\and\u{e9}\u{1f511}",
            "00000000000000001",
        ];
        for nonce in nonces {
            let request = request("web").set("nonce", nonce);
            let code = open(&world, &browser, &request.url(&world)).await.callback().code();
            // What the redeemer says of a nonce is not asked for and changes nothing.
            let reply = redeem_with(&world, WEB, &code, "nonce", Some("nonce-of-another")).await;
            assert_eq!(claims(&Tokens::of(&reply).id)["nonce"], nonce);
        }
        let request = request("web").without("nonce");
        let code = open(&world, &browser, &request.url(&world)).await.callback().code();
        let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
        assert!(claims(&tokens.id).get("nonce").is_none());
    }
}
