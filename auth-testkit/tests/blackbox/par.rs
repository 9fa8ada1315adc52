//! Pushed authorization requests (RFC 9126).

use std::net::TcpListener;
use std::time::Duration;

use auth_oidc::ProviderBuilder;
use auth_oidc::client::Client;
use auth_testkit::{Browser, Reply};
use http::StatusCode;

use crate::authz::settled_browser;
use crate::flow::*;
use crate::rp::outgoing;
use crate::world::{SECRET, WEB_CALLBACK, World, web};

/// Pushes a request, as the client that `by` says.
pub async fn push(world: &World, by: By<'_>, request: &AuthorizationRequest) -> Reply {
    let query = request.query();
    let form: Vec<(String, String)> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        // Which a public client names itself by.
        .filter(|(name, _)| !matches!(by, By::None(_)) || *name != "client_id")
        .collect();
    post_as(world, "/oauth2/par", by, &form).await
}

/// The `request_uri` of a request that was taken.
pub async fn pushed(world: &World, by: By<'_>, request: &AuthorizationRequest) -> String {
    let reply = push(world, by, request).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.json()["expires_in"], 60);
    let request_uri = reply.json()["request_uri"].as_str().unwrap().to_owned();
    assert!(request_uri.starts_with("urn:ietf:params:oauth:request_uri:"), "{request_uri}");
    request_uri
}

/// What the browser is sent with.
pub fn with(world: &World, client: &str, request_uri: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", client)
        .append_pair("request_uri", request_uri)
        .finish();
    format!("{}?{query}", world.url("/oauth2/auth"))
}

blackbox! {
    async fn a_pushed_request_is_answered_as_another(setup: Setup) {
        let world = World::start(setup).await;
        for (by, client) in [(WEB, "web"), (SPA, "spa")] {
            let request_uri = pushed(&world, by, &request(client)).await;
            let browser = Browser::new();
            let end = open(&world, &browser, &with(&world, client, &request_uri)).await;
            let callback = answer(&world, &browser, &ALICE, end).await.callback();
            assert_eq!(callback.get("state"), "state-1234567890");
            let tokens = Tokens::of(&redeem(&world, by, &callback.code()).await);
            assert_eq!(claims(&tokens.id)["nonce"], "nonce-1234567890");
        }
        let document = Browser::new().get(&world.url("/.well-known/openid-configuration")).await.unwrap();
        let endpoint = &document.json()["pushed_authorization_request_endpoint"];
        assert_eq!(*endpoint, world.url("/oauth2/par"));
        assert_eq!(document.json()["require_pushed_authorization_requests"], false);
    }

    async fn nothing_that_comes_with_the_browser_changes_a_pushed_request(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let request_uri = pushed(&world, WEB, &request("web").set("scope", "openid")).await;
        let url = with(&world, "web", &request_uri);
        let evil = "&scope=openid+email&state=evil-state-1&redirect_uri=https%3A%2F%2Fevil.example%2Fcb\
                    &response_mode=fragment&nonce=evil-nonce-1&prompt=login";
        let callback = open(&world, &browser, &format!("{url}{evil}")).await.callback();
        assert!(callback.url.as_str().starts_with(WEB_CALLBACK), "{}", callback.url);
        assert_eq!(callback.get("state"), "state-1234567890");
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(tokens.answer["scope"], "openid");
        assert_eq!(claims(&tokens.id)["nonce"], "nonce-1234567890");
    }

    async fn a_135_who_may_push_what(setup: Setup) {
        let world = World::with(setup, |b| b.rate_limiter(crate::caut::without_limits())).await;
        let good = request("web");
        let request_uri = pushed(&world, WEB, &good).await;
        let before = world.store.snapshot();
        // Without authentication, by a wrong one, and for somebody else.
        for by in [By::Nothing, By::None("web"), By::Basic("web", "wrong"), By::Post("web", SECRET)] {
            let reply = push(&world, by, &good.clone().without("client_id")).await;
            assert!(reply.status.is_client_error(), "{by:?}: {}", reply.text());
            assert!(reply.json().get("request_uri").is_none());
        }
        assert_refused(&push(&world, By::Basic("web", "wrong"), &good).await, 401, "invalid_client");
        assert_refused(&push(&world, By::Basic("rs", SECRET), &good).await, 400, "invalid_request");
        // A request by reference cannot be pushed, ours or another's.
        for inner in [&*request_uri, "https://app.example/request.jwt", ""] {
            let nested = good.clone().and("request_uri", inner);
            assert_refused(&push(&world, WEB, &nested).await, 400, "invalid_request");
        }
        // What the authorization endpoint would refuse is refused here.
        for (name, value, error) in [
            ("redirect_uri", "https://evil.example/cb", "invalid_request"),
            ("response_type", "token", "unsupported_response_type"),
            ("response_mode", "x", "invalid_request"),
            ("scope", "openid admin", "invalid_scope"),
            ("code_challenge", "x", "invalid_request"),
            ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
            ("id_token_hint", "x", "invalid_request"),
            ("resource", "x", "invalid_target"),
            ("state", "1", "invalid_state"),
        ] {
            let reply = push(&world, WEB, &good.clone().set(name, value)).await;
            assert_refused(&reply, 400, error);
            assert!(reply.json().get("request_uri").is_none());
        }
        assert_eq!(world.store.since(before).commits, 0);
        // By another client it is not found.
        let browser = Browser::new();
        for other in ["spa", "rs", "unknown"] {
            let reply = browser.get(&with(&world, other, &request_uri)).await.unwrap();
            assert_page(&reply, 400);
        }
        open(&world, &browser, &with(&world, "web", &request_uri)).await.page();
    }

    async fn a_136_a_pushed_request_is_answered_once_and_soon(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let gone = async |request_uri: &str| {
            let before = world.store.snapshot();
            let reply = browser.get(&with(&world, "web", request_uri)).await.unwrap();
            assert_page(&reply, 400);
            assert!(reply.text().contains("invalid_request_uri"), "{}", reply.text());
            assert_eq!(world.store.since(before).commits, 0);
        };
        let once = pushed(&world, WEB, &request("web")).await;
        open(&world, &browser, &with(&world, "web", &once)).await.callback().code();
        gone(&once).await;
        // An error is an answer that gives nothing: the person may try again.
        let silent = pushed(&world, WEB, &request("web").set("prompt", "none")).await;
        let callback = open(&world, &Browser::new(), &with(&world, "web", &silent)).await.callback();
        assert_redirected(&world, &callback, "login_required");
        open(&world, &browser, &with(&world, "web", &silent)).await.callback().code();
        gone(&silent).await;

        // In time is before a minute is over.
        let (early, late) = (pushed(&world, WEB, &request("web")).await, pushed(&world, WEB, &request("web")).await);
        world.clock.advance(Duration::from_secs(59));
        open(&world, &browser, &with(&world, "web", &early)).await.callback().code();
        world.clock.advance(Duration::from_secs(1));
        gone(&late).await;

        // Nobody guesses one.
        let prefix = "urn:ietf:params:oauth:request_uri:";
        let known = pushed(&world, WEB, &request("web")).await;
        let name = known.strip_prefix(prefix).unwrap();
        assert!(name.len() >= 43, "{name}");
        for guess in [&name[1..], &name[..name.len() - 1], "", &name.to_uppercase(), &format!("{name}=")] {
            gone(&format!("{prefix}{guess}")).await;
        }
        open(&world, &browser, &with(&world, "web", &known)).await.callback().code();
    }

    async fn a_person_may_take_longer_than_the_browser(setup: Setup) {
        let world = World::start(setup).await;
        let request_uri = pushed(&world, WEB, &request("web")).await;
        let (browser, other) = (Browser::new(), Browser::new());
        let page = open(&world, &browser, &with(&world, "web", &request_uri)).await;
        let second = open(&world, &other, &with(&world, "web", &request_uri)).await;
        world.clock.advance(Duration::from_secs(600));
        let sweeper = world.provider.sweeper();
        sweeper.run_once().await.unwrap();
        answer(&world, &browser, &ALICE, page).await.callback().code();
        // Whoever comes second gets nothing: it was answered.
        let end = answer(&world, &other, &ALICE, second).await.page();
        assert_page(&end, 400);
        assert!(end.text().contains("invalid_request_uri"));
    }

    async fn a_person_may_take_long_for_each_of_two_pages(setup: Setup) {
        let world = World::start(setup).await;
        let request_uri = pushed(&world, WEB, &request("web")).await;
        let browser = Browser::new();
        let login = open(&world, &browser, &with(&world, "web", &request_uri)).await.page();
        world.clock.advance(Duration::from_secs(29 * 60));
        let form = [
            ("login_challenge", &*login.hidden("login_challenge").unwrap()),
            ("identifier", ALICE.identifier),
            ("password", ALICE.password),
            ("action", "login"),
        ];
        let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        let consent = follow(&world, &browser, reply).await;
        world.clock.advance(Duration::from_secs(29 * 60));
        world.provider.sweeper().run_once().await.unwrap();
        answer(&world, &browser, &ALICE, consent).await.callback().code();
    }

    async fn a_request_over_16_kib_is_not_kept(setup: Setup) {
        let world = World::start(setup).await;
        let long = |length: usize| request("web").set("login_hint", &"a".repeat(length));
        pushed(&world, WEB, &long(15_000)).await;
        let before = world.store.snapshot();
        assert_refused(&push(&world, WEB, &long(17_000)).await, 400, "invalid_request");
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn clients_can_be_held_to_push(setup: Setup) {
        let world = World::with(setup, |builder| {
            builder.client(web().require_pushed_authorization_requests())
        })
        .await;
        let browser = Browser::new();
        let plain = open(&world, &browser, &request("web").url(&world)).await.callback();
        assert_redirected(&world, &plain, "invalid_request");
        let request_uri = pushed(&world, WEB, &request("web")).await;
        let end = open(&world, &browser, &with(&world, "web", &request_uri)).await;
        answer(&world, &browser, &ALICE, end).await.callback().code();
        open(&world, &browser, &request("spa").url(&world)).await.page();

        let world = World::with(setup, ProviderBuilder::require_pushed_authorization_requests).await;
        let plain = open(&world, &browser, &request("spa").url(&world)).await.callback();
        assert_redirected(&world, &plain, "invalid_request");
        let document = browser.get(&world.url("/.well-known/openid-configuration")).await.unwrap();
        assert_eq!(document.json()["require_pushed_authorization_requests"], true);
    }

    async fn a_128_no_request_is_fetched(setup: Setup) {
        let canary = TcpListener::bind("127.0.0.1:0").unwrap();
        canary.set_nonblocking(true).unwrap();
        let ours = canary.local_addr().unwrap();
        // Who cannot fetch, and who could: a request that the client has registered.
        let registered = crate::world::web().request_uri(format!("http://{ours}/registered.jwt"));
        let able = World::with(setup, |b| b.client(registered).http_client(outgoing())).await;
        for (world, error) in
            [(World::start(setup).await, "request_uri_not_supported"), (able, "invalid_request_uri")]
        {
            let browser = settled_browser(&world, "web").await;
            let before = world.store.snapshot();
            for request_uri in [
                &*format!("http://{ours}/request.jwt"),
                &*format!("http://{ours}/registered.jwt/"),
                "http://169.254.169.254/latest/meta-data/",
                "file:///etc/passwd",
                "gopher://127.0.0.1:25/",
                "data:,x",
                "urn:ietf:params:oauth:request_uri",
                "URN:ietf:params:oauth:request_uri:x",
                "urn:ietf:params:oauth:request_uri:x",
                "urn:ietf:params:oauth:request_uri:../x",
            ] {
                for bare in [true, false] {
                    let url = match bare {
                        true => with(&world, "web", request_uri),
                        false => request("web").set("request_uri", request_uri).url(&world),
                    };
                    let reply = browser.get(&url).await.unwrap();
                    match reply.location() {
                        None => assert_page(&reply, 400),
                        Some(location) => {
                            assert_redirected(&world, &Callback::of(location), error);
                        }
                    }
                }
            }
            assert_eq!(world.store.since(before).commits, 0);
            let fetched = canary.accept().map(drop).map_err(|error| error.kind());
            assert_eq!(fetched, Err(std::io::ErrorKind::WouldBlock), "somebody fetched a request");
            open(&world, &browser, &request("web").url(&world)).await.callback().code();
            if error == "invalid_request_uri" {
                // Nobody answers there, but somebody comes.
                let asked = with(&world, "web", &format!("http://{ours}/registered.jwt"));
                assert_page(&browser.get(&asked).await.unwrap(), 400);
                assert!(canary.accept().is_ok(), "what is registered is fetched");
            }
        }
    }
}

blackbox! {
    async fn public_clients_push_so_much_and_no_more(setup: Setup) {
        let world = World::start(setup).await;
        for _ in 0..30 {
            pushed(&world, SPA, &request("spa")).await;
        }
        let before = world.store.snapshot();
        let reply = push(&world, SPA, &request("spa")).await;
        assert_refused(&reply, 503, "temporarily_unavailable");
        assert!(world.store.since(before).commits <= 1, "a place was asked for, and nothing stored");
        // Who authenticates is not limited by it.
        pushed(&world, WEB, &request("web")).await;
        world.clock.advance(Duration::from_secs(60));
        pushed(&world, SPA, &request("spa")).await;
    }

    async fn credentials_are_not_kept_with_the_request(setup: Setup) {
        let client = Client::confidential("poster", SECRET)
            .auth_method(auth_oidc::client::TokenEndpointAuthMethod::ClientSecretPost)
            .redirect_uri(WEB_CALLBACK)
            .scope("openid");
        let world = World::with(setup, |builder| builder.client(client)).await;
        let asked = request("poster").set("scope", "openid").without("client_id");
        let request_uri = pushed(&world, By::Post("poster", SECRET), &asked).await;
        let browser = Browser::new();
        let end = open(&world, &browser, &with(&world, "poster", &request_uri)).await;
        answer(&world, &browser, &ALICE, end).await.callback().code();
        for record in crate::deletion::records(&world).await {
            assert!(!record.value.contains(SECRET), "{}", record.value);
        }
    }
}
