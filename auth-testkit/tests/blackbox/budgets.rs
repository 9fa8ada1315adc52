//! What an operation may cost: round trips to the store, and password work.

use std::time::Duration;

use auth_core::{Identity, MemoryDirectory, PasswordCost, PasswordHasher, Secret};
use auth_oidc::client::{AccessTokenFormat, Client};
use auth_testkit::store::Counts;
use auth_testkit::{Browser, Reply};
use http::{HeaderMap, HeaderValue};

use crate::flow::*;
use crate::world::{PASSWORD, SECRET, World, web};

/// What the store was asked for while `work` ran.
async fn cost<T>(world: &World, work: impl Future<Output = T>) -> (T, Counts) {
    let before = world.store.snapshot();
    let done = work.await;
    (done, world.store.since(before))
}

fn assert_cost(counts: Counts, gets: u64, commits: u64) {
    assert_eq!((counts.gets, counts.commits), (gets, commits));
    assert_eq!(counts.round_trips(), gets + commits, "nothing else was asked for");
}

/// A world that issues JWT access tokens to `web`, and to the service `jwt`.
async fn with_jwts(setup: crate::world::Setup) -> World {
    World::with(setup, |builder| {
        let service = Client::service("jwt", SECRET).scope("orders:read");
        builder
            .client(web().access_token_format(AccessTokenFormat::Jwt))
            .client(service.access_token_format(AccessTokenFormat::Jwt))
    })
    .await
}

/// A sign-in that was filled in and not sent yet.
struct SignIn {
    browser: Browser,
    form: Vec<(&'static str, String)>,
}

impl SignIn {
    async fn fill_in(world: &World, identifier: &str, password: &str) -> Self {
        let browser = Browser::new();
        let page = open(world, &browser, &request("web").url(world)).await.page();
        let form = vec![
            ("login_challenge", page.hidden("login_challenge").unwrap()),
            ("identifier", identifier.to_owned()),
            ("password", password.to_owned()),
            ("action", "login".to_owned()),
        ];
        Self { browser, form }
    }

    async fn send(&self, world: &World) -> Reply {
        let form: Vec<_> = self.form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.browser.post(&world.url("/oauth2/login"), &form).await.unwrap()
    }
}

/// Puts one more job into a pool; says whether there was no place for it.
async fn pool_is_full(pool: &PasswordHasher, hash: &str) -> bool {
    let (pool, hash) = (pool.clone(), hash.to_owned());
    let job = tokio::spawn(async move { pool.verify(&hash, &Secret::from("nothing")).await });
    // A job that finds no place ends at once; the others wait.
    tokio::time::timeout(Duration::from_millis(5), job)
        .await
        .is_ok_and(|done| done.unwrap().is_err())
}

blackbox! {
    async fn a_request_of_nobody_writes_nothing(setup: Setup) {
        let world = World::start(setup).await;
        let url = request("web").url(&world);
        for reads in [1, 0] {
            let browser = Browser::new();
            let (reply, counts) = cost(&world, browser.get(&url)).await;
            assert_cost(counts, reads, 0);
            let (end, counts) = cost(&world, follow(&world, &browser, reply.unwrap())).await;
            assert!(end.page().hidden("login_challenge").is_some());
            assert_cost(counts, 1, 0);
        }
        // Nor do requests that lead nowhere. What is remembered of a client may be old for a moment,
        // but only where it says yes: before a refusal it is read again.
        let elsewhere = request("web").set("redirect_uri", "https://evil.example/");
        for request in [request("nobody"), elsewhere] {
            let browser = Browser::new();
            let (reply, counts) = cost(&world, browser.get(&request.url(&world))).await;
            assert_page(&reply.unwrap(), 400);
            assert_cost(counts, 1, 0);
        }
    }

    async fn a_pushed_request_costs_a_commit_and_its_answer_no_more_than_another(setup: Setup) {
        let world = World::start(setup).await;
        let browser = crate::authz::settled_browser(&world, "web").await;
        for _ in 0..2 {
            let (request_uri, counts) = cost(&world, crate::par::pushed(&world, WEB, &request("web"))).await;
            assert_cost(counts, 0, 1);
            let url = crate::par::with(&world, "web", &request_uri);
            let (end, counts) = cost(&world, open(&world, &browser, &url)).await;
            end.callback().code();
            assert_cost(counts, 1, 1);
        }
    }

    async fn a_code_costs_a_read_and_a_commit(setup: Setup) {
        for world in [World::start(setup).await, with_jwts(setup).await] {
            for _ in 0..2 {
                let code = code(&world).await;
                let (reply, counts) = cost(&world, redeem(&world, WEB, &code)).await;
                assert!(!Tokens::of(&reply).id.is_empty());
                assert_cost(counts, 1, 1);
            }
        }
    }

    async fn a_refresh_costs_a_read_and_a_commit(setup: Setup) {
        for world in [World::start(setup).await, with_jwts(setup).await] {
            let mut head = tokens(&world).await.refresh;
            for _ in 0..2 {
                let (reply, counts) = cost(&world, refresh(&world, WEB, &head)).await;
                head = Tokens::of(&reply).refresh;
                assert_cost(counts, 1, 1);
            }
        }
    }

    async fn an_introspection_costs_a_read(setup: Setup) {
        for world in [World::start(setup).await, with_jwts(setup).await] {
            let tokens = tokens(&world).await;
            for token in [&tokens.access, &tokens.refresh, &tokens.access] {
                let (answer, counts) = cost(&world, introspect(&world, token)).await;
                assert_eq!(answer["active"], true);
                assert_cost(counts, 1, 0);
            }
            // A forgery costs nothing once the caller is known.
            let forged = format!("{}A", &tokens.access[..tokens.access.len() - 2]);
            for forged in [&*forged, "at_AAAA", "rt_AAAA", "nonsense"] {
                let (answer, counts) = cost(&world, introspect(&world, forged)).await;
                assert_eq!(answer["active"], false);
                assert_cost(counts, 0, 0);
            }
        }
    }

    async fn userinfo_costs_a_read(setup: Setup) {
        for world in [World::start(setup).await, with_jwts(setup).await] {
            let access = tokens(&world).await.access;
            let (reply, counts) = cost(&world, userinfo(&world, &access)).await;
            assert_eq!(reply.json()["sub"], "u-alice");
            assert_cost(counts, 1, 0);
            // One more if nothing is known of the client; the keys are looked at each second by whoever
            // comes first.
            world.clock.advance(Duration::from_secs(6));
            Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap();
            let (reply, counts) = cost(&world, userinfo(&world, &access)).await;
            assert_eq!(reply.status, 200);
            assert_cost(counts, 2, 0);
        }
    }

    async fn a_bearer_token_costs_a_read(setup: Setup) {
        for world in [World::start(setup).await, with_jwts(setup).await] {
            let access = Secret::new(tokens(&world).await.access);
            let authority = world.provider.authority();
            let (principal, counts) = cost(&world, authority.bearer(&access)).await;
            assert_eq!(principal.unwrap().subject.unwrap().as_str(), "u-alice");
            assert_cost(counts, 1, 0);
            let forged = Secret::new("at_AAAA");
            let (principal, counts) = cost(&world, authority.bearer(&forged)).await;
            assert!(principal.is_err());
            assert_cost(counts, 0, 0);
        }
    }

    async fn a_session_costs_a_read(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        authorize(&world, &browser, &ALICE, &request("web")).await.callback();
        let cookie = browser.cookie("auth_session").unwrap();
        let headers = |cookie: &str| {
            let line = HeaderValue::from_str(&format!("auth_session={cookie}")).unwrap();
            HeaderMap::from_iter([(http::header::COOKIE, line)])
        };
        let authority = world.provider.authority();
        let good = headers(&cookie);
        let (session, counts) = cost(&world, authority.session(&good)).await;
        assert_eq!(session.unwrap().unwrap().subject.as_str(), "u-alice");
        assert_cost(counts, 1, 0);
        for worthless in [HeaderMap::new(), headers("se_AAAA"), headers(&cookie.to_lowercase())] {
            let (session, counts) = cost(&world, authority.session(&worthless)).await;
            assert!(session.unwrap().is_none());
            assert_cost(counts, 0, 0);
        }
    }

    async fn a_service_costs_a_commit_or_nothing(setup: Setup) {
        let world = with_jwts(setup).await;
        let form = [("grant_type", "client_credentials"), ("scope", "orders:read")];
        let jwt = By::Basic("jwt", SECRET);
        for (by, commits) in [(jwt, 0), (SVC, 1)] {
            for gets in [1, 0, 0] {
                let (reply, counts) = cost(&world, token(&world, by, &form)).await;
                Tokens::of(&reply);
                assert_cost(counts, gets, commits);
            }
        }
        // A disabled client is refused at once all the same.
        world.provider.clients().disable(&"jwt".into()).await.unwrap();
        assert_refused(&token(&world, jwt, &form).await, 401, "invalid_client");
    }

    async fn a_sign_in_costs_the_same_for_nobody_and_somebody(setup: Setup) {
        let world = World::start(setup).await;
        let mut replies = Vec::new();
        for identifier in ["alice", "nobody"] {
            let sign_in = SignIn::fill_in(&world, identifier, "wrong").await;
            let (reply, counts) = cost(&world, sign_in.send(&world)).await;
            assert_eq!(reply.status, 400);
            // The page without what is random, and without what was typed.
            let challenge = reply.hidden("login_challenge").unwrap();
            let mut page = reply.text().replace(&challenge, "…").replace(identifier, "…");
            let nonce = page.split_once("nonce=\"").and_then(|(_, rest)| rest.split_once('"'));
            if let Some(nonce) = nonce.map(|(nonce, _)| nonce.to_owned()) {
                page = page.replace(&nonce, "…");
            }
            let headers: Vec<_> = reply.headers.keys().cloned().collect();
            replies.push((counts, page, headers));
        }
        assert_eq!(replies[0], replies[1]);
    }

    async fn a_sign_in_hashes_for_nobody_as_for_somebody(setup: Setup) {
        let pool = PasswordHasher::new(PasswordCost::INSECURE_FOR_TESTS, 1);
        let people = MemoryDirectory::new(pool.clone());
        let alice = Identity::new("u-alice", "Alice");
        people.insert("alice", &Secret::from(PASSWORD), alice).await.unwrap();
        let world = World::with(setup, |builder| builder.directory(people)).await;
        for identifier in ["alice", "nobody"] {
            let sign_in = SignIn::fill_in(&world, identifier, "wrong").await;
            assert_eq!(sign_in.send(&world).await.status, 400, "{identifier}");
        }
        let known = SignIn::fill_in(&world, "alice", "wrong").await;
        let unknown = SignIn::fill_in(&world, "nobody", "wrong").await;
        // The only thread is busy for a second, and its queue is full: whoever needs a hash now is
        // told to come again.
        let quick = pool.hash(&Secret::from(PASSWORD), [7; 16]).await.unwrap();
        let slow = quick.replace("m=8,t=1", "m=19456,t=200");
        assert_ne!(quick, slow);
        let (busy, nothing) = (pool.clone(), Secret::from("nothing"));
        let long = tokio::spawn(async move { busy.verify(&slow, &nothing).await });
        while !pool_is_full(&pool, &quick).await {}
        let replies = [known.send(&world).await, unknown.send(&world).await];
        assert!(!long.is_finished(), "the thread was free too early");
        for reply in replies {
            assert_page(&reply, 503);
            assert_eq!(reply.header("retry-after"), "1");
        }
    }
}
