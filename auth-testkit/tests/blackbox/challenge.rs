//! Challenges and verifiers under attack: changed, guessed, put into another browser, used twice.

use auth_core::TenantId;
use auth_core::challenge::DeskError;
use auth_core::keys::SigningAlgorithm;
use auth_oidc::Provider;
use auth_oidc::client::Client;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use url::Url;

use crate::flow::*;
use crate::world::{PASSWORD, SPA_CALLBACK, World};

/// What the page asks.
async fn login_challenge(world: &World, browser: &Browser) -> String {
    let page = open(world, browser, &request("web").url(world)).await.page();
    page.hidden("login_challenge").expect("a login page")
}

/// Answers the login page; the URL has the verifier.
async fn sign_in(world: &World, browser: &Browser, challenge: &str, person: &Person<'_>) -> Url {
    let form = [
        ("login_challenge", challenge),
        ("identifier", person.identifier),
        ("password", person.password),
    ];
    let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
    reply.location().unwrap_or_else(|| panic!("{}", reply.text()))
}

async fn consent_challenge(world: &World, browser: &Browser, person: &Person<'_>) -> String {
    let login = login_challenge(world, browser).await;
    let resume = sign_in(world, browser, &login, person).await;
    let page = open(world, browser, resume.as_str()).await.page();
    page.hidden("consent_challenge").expect("a consent page")
}

/// Answers the consent page; the URL has the verifier.
async fn consent(world: &World, browser: &Browser, challenge: &str) -> Url {
    let form = [("consent_challenge", challenge), ("action", "accept")];
    let reply = browser.post(&world.url("/oauth2/consent"), &form).await.unwrap();
    reply.location().unwrap_or_else(|| panic!("{}", reply.text()))
}

/// Answers the page that asks whether to sign out; the URL has the verifier.
async fn sign_out(world: &World, browser: &Browser) -> Url {
    let page = open(world, browser, &world.url("/oauth2/sessions/logout")).await.page();
    let challenge = page.hidden("logout_challenge").expect("a logout page");
    let form = [("logout_challenge", challenge.as_str()), ("action", "accept")];
    browser.post(&world.url("/oauth2/logout"), &form).await.unwrap().location().unwrap()
}

/// Signs alice in, whoever was there before.
async fn sign_in_again(world: &World, browser: &Browser) {
    let again = request("web").set("prompt", "login");
    authorize(world, browser, &ALICE, &again).await.callback().code();
}

/// The value of the one parameter of a URL.
fn value(url: &Url) -> String {
    url.query_pairs().next().unwrap().1.into_owned()
}

/// A text with one character changed at each of many places, and cut or lengthened.
fn changed(text: &str) -> Vec<String> {
    let places = (0..text.len()).step_by(text.len() / 12 + 1);
    let mut all: Vec<String> = places
        .map(|at| {
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            format!("{}{other}{}", &text[..at], &text[at + 1..])
        })
        .collect();
    all.extend([
        text[..text.len() - 4].to_owned(),
        format!("{text}AAAA"),
        "A".repeat(text.len()),
        String::new(),
    ]);
    all
}

/// Another provider on the store of `world`, with its issuer.
async fn sibling(world: &World, tenant: TenantId) -> Provider {
    Provider::builder(&world.issuer)
        .development()
        .tenant(tenant)
        .shared_store(world.faults.clone())
        .pages(auth_ui::DefaultPages::new())
        .directory(world.people.clone())
        .clock(world.clock.clone())
        .signing_keys(|keys| keys.algorithms = vec![SigningAlgorithm::Es256])
        .build()
        .await
        .unwrap()
}

fn is_code(reply: &Reply) -> bool {
    reply.location().is_some_and(|to| !Callback::of(to).get("code").is_empty())
}

blackbox! {
    async fn a_004_a_changed_challenge_is_no_challenge(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let login = login_challenge(&world, &browser).await;
        let get = async |path: &str, name: &str, challenge: &str| {
            let url = Url::parse_with_params(&world.url(path), [(name, challenge)]).unwrap();
            browser.get(url.as_str()).await.unwrap()
        };
        let post = async |path: &str, name: &str, challenge: &str| {
            let form = [
                (name, challenge),
                ("identifier", "alice"),
                ("password", PASSWORD),
                ("action", if name == "login_challenge" { "login" } else { "accept" }),
            ];
            browser.post(&world.url(path), &form).await.unwrap()
        };
        assert_eq!(get("/oauth2/login", "login_challenge", &login).await.status, StatusCode::OK);
        let before = world.store.snapshot();
        for bad in changed(&login) {
            assert_page(&get("/oauth2/login", "login_challenge", &bad).await, 400);
            assert_page(&post("/oauth2/login", "login_challenge", &bad).await, 400);
        }
        assert_eq!(world.store.since(before).commits, 0);

        let consent = consent_challenge(&world, &browser, &ALICE).await;
        assert_eq!(get("/oauth2/consent", "consent_challenge", &consent).await.status, StatusCode::OK);
        let before = world.store.snapshot();
        for bad in changed(&consent) {
            assert_page(&get("/oauth2/consent", "consent_challenge", &bad).await, 400);
            assert_page(&post("/oauth2/consent", "consent_challenge", &bad).await, 400);
        }
        // A challenge of one purpose is none of another.
        for (path, name, other) in [
            ("/oauth2/login", "login_challenge", &consent),
            ("/oauth2/consent", "consent_challenge", &login),
            ("/oauth2/logout", "logout_challenge", &consent),
            ("/oauth2/logout", "logout_challenge", &login),
        ] {
            assert_page(&get(path, name, other).await, 400);
            assert_page(&post(path, name, other).await, 400);
        }
        assert_eq!(world.store.since(before).commits, 0);
        // What was refused has spoiled nothing.
        let reply = post("/oauth2/consent", "consent_challenge", &consent).await;
        follow(&world, &browser, reply).await.callback().code();
    }

    async fn a_004_a_challenge_belongs_to_one_tenant_and_issuer(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let login = login_challenge(&world, &browser).await;
        let other = TenantId::new("other").unwrap();

        // A replica of the same tenant and issuer opens it, another tenant does not.
        let replica = sibling(&world, TenantId::DEFAULT).await;
        replica.desk().open(&login).await.unwrap();
        let stranger = sibling(&world, other).await.desk().open(&login).await;
        assert!(matches!(stranger, Err(DeskError::NotFound | DeskError::UnknownKey)), "{stranger:?}");

        for tenant in [TenantId::DEFAULT, other] {
            let second = World::with(setup, |builder| {
                builder.shared_store(world.faults.clone()).tenant(tenant).clock(world.clock.clone())
            })
            .await;
            let own = login_challenge(&second, &browser).await;
            let resume = sign_in(&second, &browser, &own, &ALICE).await;
            let before = world.store.snapshot();
            let form = [("login_challenge", login.as_str()), ("identifier", "alice"), ("password", PASSWORD)];
            assert_page(&browser.post(&second.url("/oauth2/login"), &form).await.unwrap(), 400);
            // Neither does the verifier of one lead on at the other.
            if tenant == other {
                let moved = world.url(&format!("/oauth2/auth?login_verifier={}", value(&resume)));
                assert_page(&browser.get(&moved).await.unwrap(), 400);
            }
            assert_eq!(world.store.since(before).commits, 0);
            assert!(open(&second, &browser, resume.as_str()).await.page().hidden("consent_challenge").is_some());
        }
    }

    async fn a_005_a_verifier_leads_on_only_in_the_browser_that_was_asked(setup: Setup) {
        let world = World::start(setup).await;
        let (alices, bobs, fresh) = (Browser::new(), Browser::new(), Browser::new());
        login_challenge(&world, &alices).await;
        let login = login_challenge(&world, &bobs).await;
        let forbidden = async |url: &Url| {
            let before = world.store.snapshot();
            for browser in [&alices, &fresh] {
                let session = browser.cookie("auth_session");
                let reply = browser.get(url.as_str()).await.unwrap();
                assert_page(&reply, 403);
                assert!(reply.text().contains("request_forbidden"), "{}", reply.text());
                assert_eq!(browser.cookie("auth_session"), session);
            }
            assert_eq!(world.store.since(before).commits, 0);
        };
        // Bob's login page is not answered in another browser, nor does its answer count there.
        for browser in [&alices, &fresh] {
            let form = [("login_challenge", login.as_str()), ("identifier", "bob"), ("password", PASSWORD)];
            assert_page(&browser.post(&world.url("/oauth2/login"), &form).await.unwrap(), 403);
        }
        let resume = sign_in(&world, &bobs, &login, &BOB).await;
        forbidden(&resume).await;
        let page = open(&world, &bobs, resume.as_str()).await.page();

        // The same with consent, also when alice is signed in meanwhile.
        sign_in_again(&world, &alices).await;
        forbidden(&resume).await;
        let challenge = page.hidden("consent_challenge").unwrap();
        for browser in [&alices, &fresh] {
            let form = [("consent_challenge", challenge.as_str()), ("action", "accept")];
            assert_page(&browser.post(&world.url("/oauth2/consent"), &form).await.unwrap(), 403);
        }
        let resume = consent(&world, &bobs, &challenge).await;
        forbidden(&resume).await;
        let callback = open(&world, &bobs, resume.as_str()).await.callback();
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&tokens.id)["sub"], "u-bob");
    }

    async fn a_005_consent_counts_only_for_the_session_that_gave_it(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let challenge = consent_challenge(&world, &browser, &BOB).await;
        let resume = consent(&world, &browser, &challenge).await;
        // Alice signs in over bob's session, and then bob's answer comes.
        sign_in_again(&world, &browser).await;
        let before = world.store.snapshot();
        assert_page(&browser.get(resume.as_str()).await.unwrap(), 403);
        browser.forget_cookie("auth_session");
        assert_page(&browser.get(resume.as_str()).await.unwrap(), 403);
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_006_a_verifier_that_comes_twice_at_once_is_used_once(setup: Setup) {
        let first_party = Client::public("spa").redirect_uri(SPA_CALLBACK).scope("openid offline_access");
        let world = World::with(setup, |builder| builder.client(first_party.skip_consent())).await;
        let twice = async |browser: &Browser, url: &Url| {
            let (first, second) = tokio::join!(browser.get(url.as_str()), browser.get(url.as_str()));
            let third = browser.get(url.as_str()).await.unwrap();
            [first.unwrap(), second.unwrap(), third]
        };
        for _ in 0..4 {
            let browser = Browser::new();
            let challenge = consent_challenge(&world, &browser, &ALICE).await;
            let resume = consent(&world, &browser, &challenge).await;
            let replies = twice(&browser, &resume).await;
            assert_eq!(replies.iter().filter(|reply| is_code(reply)).count(), 1, "{replies:?}");
            replies.iter().filter(|reply| !is_code(reply)).for_each(|reply| assert_page(reply, 403));
            // Its answer cannot be changed any more.
            let form = [("consent_challenge", challenge.as_str()), ("action", "accept")];
            let reply = browser.post(&world.url("/oauth2/consent"), &form).await.unwrap();
            assert_page(&reply, 410);

            // A login verifier that leads straight to a code.
            let browser = Browser::new();
            let page = open(&world, &browser, &request("spa").url(&world)).await.page();
            let challenge = page.hidden("login_challenge").unwrap();
            let resume = sign_in(&world, &browser, &challenge, &ALICE).await;
            let replies = twice(&browser, &resume).await;
            assert_eq!(replies.iter().filter(|reply| is_code(reply)).count(), 1, "{replies:?}");
            replies.iter().filter(|reply| !is_code(reply)).for_each(|reply| assert_page(reply, 403));

            let resume = sign_out(&world, &browser).await;
            let replies = twice(&browser, &resume).await;
            let done = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
            assert_eq!(done, 1, "{replies:?}");
            let refused = replies.iter().filter(|reply| reply.status != StatusCode::OK);
            refused.for_each(|reply| assert_page(reply, 400));
        }
    }

    async fn a_006_a_login_page_that_is_reloaded_begins_one_session(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let challenge = login_challenge(&world, &browser).await;
        let resume = sign_in(&world, &browser, &challenge, &ALICE).await;
        // A reload may repeat the redirect: it leads to the same question of the same session.
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let page = open(&world, &browser, resume.as_str()).await;
            let callback = answer(&world, &browser, &ALICE, page).await.callback();
            let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
            sessions.push(claims(&tokens.id)["sid"].clone());
        }
        assert_eq!(sessions[0], sessions[1]);
        // It does not revive the session once that was ended.
        let bye = sign_out(&world, &browser).await;
        open(&world, &browser, bye.as_str()).await.page();
        let before = world.store.snapshot();
        assert_page(&browser.get(resume.as_str()).await.unwrap(), 403);
        assert_eq!(world.store.since(before).commits, 0);
        assert!(browser.cookie("auth_session").is_none());
    }

    async fn a_007_handles_cannot_be_guessed_or_picked_up(setup: Setup) {
        let world = World::start(setup).await;
        let (victim, attacker) = (Browser::new(), Browser::new());
        login_challenge(&world, &attacker).await;
        let challenge = consent_challenge(&world, &victim, &ALICE).await;
        let resume = consent(&world, &victim, &challenge).await;
        let handle = value(&resume);
        // 128 random bits and a MAC of as many at least, anew each time.
        assert!(URL_SAFE_NO_PAD.decode(&handle).unwrap().len() >= 32);
        let again = consent_challenge(&world, &Browser::new(), &ALICE).await;
        assert_ne!(again, challenge);

        let before = world.store.snapshot();
        for name in ["consent_verifier", "login_verifier"] {
            let mut guesses = changed(&handle);
            guesses.retain(|guess| !guess.is_empty());
            if name == "login_verifier" {
                // The genuine one of another question.
                guesses.push(handle.clone());
            }
            for guess in guesses {
                let url = world.url(&format!("/oauth2/auth?{name}={guess}"));
                for browser in [&victim, &attacker] {
                    assert_page(&browser.get(&url).await.unwrap(), 400);
                }
            }
        }
        let moved = world.url(&format!("/oauth2/sessions/logout?logout_verifier={handle}"));
        assert_page(&victim.get(&moved).await.unwrap(), 400);
        // The genuine one, as seen in a link.
        assert_page(&attacker.get(resume.as_str()).await.unwrap(), 403);
        assert_eq!(world.store.since(before).commits, 0);
        open(&world, &victim, resume.as_str()).await.callback().code();
    }
}
