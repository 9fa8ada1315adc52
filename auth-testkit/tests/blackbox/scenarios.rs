//! What people build on a provider: prompts, refreshing, first-party clients, introspection.

use std::time::Duration;

use auth_oidc::client::{
    AccessTokenFormat, ClaimMapper, ClaimTarget, Client, TokenEndpointAuthMethod,
};
use auth_testkit::Browser;
use http::StatusCode;
use serde_json::{Value, json};

use crate::flow::*;
use crate::world::{SECRET, WEB_CALLBACK, World, web};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// A person who does not want to be asked again.
const LASTING: Person<'static> = Person { remember_consent: true, ..ALICE };

/// Tokens for these scopes, by alice in a new browser.
pub async fn tokens_for(world: &World, scope: &str) -> Tokens {
    let request = request("web").set("scope", scope);
    sign_in(world, &Browser::new(), &ALICE, &request).await
}

pub async fn sign_in(
    world: &World,
    browser: &Browser,
    person: &Person<'_>,
    request: &AuthorizationRequest,
) -> Tokens {
    let callback = authorize(world, browser, person, request).await.callback();
    Tokens::of(&redeem(world, WEB, &callback.code()).await)
}

pub async fn userinfo_claims(world: &World, access_token: &str) -> Value {
    let reply = userinfo(world, access_token).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

pub fn names(claims: &Value) -> Vec<&str> {
    claims.as_object().unwrap().keys().map(String::as_str).collect()
}

fn auth_time(tokens: &Tokens) -> u64 {
    claims(&tokens.id)["auth_time"].as_u64().unwrap()
}

/// Goes where the request leads and expects the sign-in page there.
async fn assert_asks_to_sign_in(world: &World, browser: &Browser, request: &AuthorizationRequest) {
    let page = open(world, browser, &request.url(world)).await.page();
    assert_page(&page, 200);
    assert!(page.hidden("login_challenge").is_some(), "{}", page.text());
}

async fn assert_silent(world: &World, browser: &Browser, request: &AuthorizationRequest) {
    open(world, browser, &request.url(world)).await.callback().code();
}

async fn refused_silently(
    world: &World,
    browser: &Browser,
    request: &AuthorizationRequest,
    error: &str,
) {
    let silent = request.clone().set("prompt", "none");
    assert_redirected(world, &open(world, browser, &silent.url(world)).await.callback(), error);
}

blackbox! {
    async fn o_03_prompt_none(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let plain = request("web").set("scope", "openid");
        refused_silently(&world, &browser, &plain, "login_required").await;
        sign_in(&world, &browser, &ALICE, &plain).await;
        refused_silently(&world, &browser, &plain, "consent_required").await;
        sign_in(&world, &browser, &LASTING, &plain).await;
        assert_silent(&world, &browser, &plain.clone().set("prompt", "none")).await;
        // What was granted is remembered, and nothing beyond it.
        let more = plain.clone().set("scope", "openid email");
        refused_silently(&world, &browser, &more, "consent_required").await;
        // A second browser knows nothing of the session.
        refused_silently(&world, &Browser::new(), &plain, "login_required").await;
        for others in ["none login", "none consent", "none select_account", "unknown"] {
            let odd = plain.clone().set("prompt", others);
            let callback = open(&world, &browser, &odd.url(&world)).await.callback();
            assert_redirected(&world, &callback, "invalid_request");
        }
    }

    async fn o_03_prompt_login_asks_again_and_renews_auth_time(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let plain = request("web");
        let first = sign_in(&world, &browser, &LASTING, &plain).await;
        world.clock.advance(HOUR);
        let silent = sign_in(&world, &browser, &LASTING, &plain).await;
        assert_eq!(auth_time(&silent), auth_time(&first));

        let login = plain.clone().set("prompt", "login");
        let end = open(&world, &browser, &login.url(&world)).await;
        let End::Page(page) = &end else { panic!("not asked: {end:?}") };
        assert!(page.hidden("login_challenge").is_some(), "{}", page.text());
        let callback = answer(&world, &browser, &ALICE, end).await.callback();
        let again = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(auth_time(&again), auth_time(&first) + 3600);
        assert_eq!(claims(&again.id)["sid"], claims(&first.id)["sid"]);
        // The session goes on with the newer sign-in.
        assert_eq!(auth_time(&sign_in(&world, &browser, &LASTING, &plain).await), auth_time(&again));
    }

    async fn o_03_prompt_login_as_somebody_else_ends_the_session(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let online = request("web").set("scope", "openid");
        let alice = sign_in(&world, &browser, &LASTING, &online).await;
        assert!(is_active(&world, &alice.access).await);
        let login = online.clone().set("prompt", "login");
        let bob = sign_in(&world, &browser, &BOB, &login).await;
        assert_eq!(claims(&bob.id)["sub"], "u-bob");
        assert_ne!(claims(&bob.id)["sid"], claims(&alice.id)["sid"]);
        assert!(!is_active(&world, &alice.access).await);
    }

    async fn o_03_prompt_consent_asks_although_consent_is_remembered(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let plain = request("web");
        sign_in(&world, &browser, &LASTING, &plain).await;
        assert_silent(&world, &browser, &plain).await;
        let consent = plain.clone().set("prompt", "consent");
        let page = open(&world, &browser, &consent.url(&world)).await.page();
        let challenge = page.hidden("consent_challenge").unwrap();
        let form = [("consent_challenge", challenge.as_str()), ("action", "deny")];
        let denied = browser.post(&world.url("/oauth2/consent"), &form).await.unwrap();
        let callback = follow(&world, &browser, denied).await.callback();
        assert_redirected(&world, &callback, "access_denied");
        sign_in(&world, &browser, &ALICE, &consent).await;
    }

    async fn o_03_prompt_select_account(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let choose = request("web").set("prompt", "select_account");
        assert_asks_to_sign_in(&world, &browser, &choose).await;
        let first = sign_in(&world, &browser, &LASTING, &request("web")).await;
        world.clock.advance(MINUTE);

        // The one who is signed in goes on without a password …
        let page = open(&world, &browser, &choose.url(&world)).await.page();
        assert!(page.text().contains("Alice Anders"), "{}", page.text());
        let challenge = page.hidden("login_challenge").unwrap();
        let form = [("login_challenge", challenge.as_str()), ("action", "continue")];
        let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        let callback = follow(&world, &browser, reply).await.callback();
        let same = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&same.id)["sub"], "u-alice");
        assert_eq!(auth_time(&same), auth_time(&first));

        // … and another one with theirs.
        let bob = sign_in(&world, &browser, &BOB, &choose).await;
        assert_eq!(claims(&bob.id)["sub"], "u-bob");
        // Whoever must prove themselves again is not let through by a click.
        let fresh = choose.clone().set("max_age", "0");
        world.clock.advance(MINUTE);
        let page = open(&world, &browser, &fresh.url(&world)).await.page();
        let challenge = page.hidden("login_challenge").unwrap();
        let form = [("login_challenge", challenge.as_str()), ("action", "continue")];
        let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        assert_page(&reply, 400);
    }

    async fn o_03_max_age(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let plain = request("web");
        let first = sign_in(&world, &browser, &LASTING, &plain).await;
        let max_age = |seconds: &str| plain.clone().set("max_age", seconds);
        world.clock.advance(Duration::from_secs(1));
        assert_silent(&world, &browser, &max_age("1")).await;
        world.clock.advance(Duration::from_secs(1));
        for too_old in ["0", "1"] {
            assert_asks_to_sign_in(&world, &browser, &max_age(too_old)).await;
            refused_silently(&world, &browser, &max_age(too_old), "login_required").await;
        }
        let silent = sign_in(&world, &browser, &LASTING, &max_age("10000")).await;
        assert_eq!(auth_time(&silent), auth_time(&first));
        world.clock.advance(Duration::from_secs(9_998));
        assert_silent(&world, &browser, &max_age("10000")).await;
        world.clock.advance(Duration::from_secs(1));
        refused_silently(&world, &browser, &max_age("10000"), "login_required").await;
        let again = sign_in(&world, &browser, &LASTING, &max_age("10000")).await;
        assert_eq!(auth_time(&again), auth_time(&first) + 10_001);
        for odd in ["-1", "1.5", "ten", "+1", "99999999999999999999999"] {
            let callback = open(&world, &browser, &max_age(odd).url(&world)).await.callback();
            assert_redirected(&world, &callback, "invalid_request");
        }
    }

    async fn o_03_a_code_older_than_its_life_is_refused(setup: Setup) {
        let world = World::start(setup).await;
        let late = code(&world).await;
        let in_time = code(&world).await;
        world.clock.advance(Duration::from_secs(59));
        Tokens::of(&redeem(&world, WEB, &in_time).await);
        world.clock.advance(Duration::from_secs(1));
        assert_refused(&redeem(&world, WEB, &late).await, 400, "invalid_grant");
    }

    async fn o_03_a_code_used_twice_revokes_what_it_gave(setup: Setup) {
        let world = World::start(setup).await;
        let code = code(&world).await;
        let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
        let second = Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        assert!(is_active(&world, &second.access).await);
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        for token in [&tokens.access, &tokens.refresh, &second.access, &second.refresh] {
            assert_eq!(introspect(&world, token).await, json!({"active": false}));
        }
        let reply = refresh(&world, WEB, &second.refresh).await;
        assert_refused(&reply, 400, "invalid_grant");
    }

    async fn o_04_a_refresh_renews_every_token(setup: Setup) {
        let email = ClaimMapper::attribute("email", "email").to(ClaimTarget::IdToken);
        let name = ClaimMapper::attribute("name", "name").to(ClaimTarget::AccessToken);
        let client = web().access_token_format(AccessTokenFormat::Jwt).claim(email).claim(name);
        let world = World::with(setup, |builder| builder.client(client)).await;
        let first = tokens_for(&world, "openid profile email offline_access").await;
        world.people.update("alice", |alice| {
            alice.claims.insert("email".to_owned(), json!("alice@new.example"));
            alice.claims.insert("name".to_owned(), json!("Alice Bauer"));
        });
        world.clock.advance(5 * MINUTE);
        let second = Tokens::of(&refresh(&world, WEB, &first.refresh).await);
        assert_ne!(second.refresh, first.refresh);
        assert_eq!(second.answer["scope"], first.answer["scope"]);
        assert_eq!(second.answer["expires_in"], 900);
        for (old, new) in [(&first.access, &second.access), (&first.id, &second.id)] {
            let (old, new) = (claims(old), claims(new));
            assert!(old["jti"].is_string());
            assert_ne!(new["jti"], old["jti"]);
            for time in ["iat", "exp"] {
                assert_eq!(new[time].as_u64(), old[time].as_u64().map(|at| at + 300), "{time}");
            }
            // The same sign-in of the same person (OpenID Connect Core §12.2).
            for same in ["iss", "sub", "aud", "auth_time", "sid"] {
                assert_eq!(new[same], old[same], "{same}");
            }
        }
        assert_eq!(claims(&first.id)["azp"], claims(&second.id)["azp"]);
        assert_eq!(claims(&second.id).get("nonce"), None);
        assert_eq!(claims(&first.id)["email"], "alice@example.com");
        assert_eq!(claims(&second.id)["email"], "alice@new.example");
        assert_eq!(claims(&second.access)["name"], "Alice Bauer");
        let released = userinfo_claims(&world, &second.access).await;
        assert_eq!(released["email"], "alice@new.example");
        assert_eq!(released["name"], "Alice Bauer");
    }

    async fn o_04_reuse_kills_the_family(setup: Setup) {
        let world = World::start(setup).await;
        let bystander = tokens(&world).await;
        let first = tokens(&world).await;
        let second = Tokens::of(&refresh(&world, WEB, &first.refresh).await);
        // In the first seconds it is a lost answer or a race, and gives the same successor.
        let repeated = Tokens::of(&refresh(&world, WEB, &first.refresh).await);
        assert_eq!(repeated.refresh, second.refresh);
        let third = Tokens::of(&refresh(&world, WEB, &second.refresh).await);
        world.clock.advance(Duration::from_secs(10));
        assert!(is_active(&world, &third.access).await);
        assert_refused(&refresh(&world, WEB, &first.refresh).await, 400, "invalid_grant");
        let family = [&first, &second, &repeated, &third];
        for token in family.iter().flat_map(|tokens| [&tokens.access, &tokens.refresh]) {
            assert_eq!(introspect(&world, token).await, json!({"active": false}));
        }
        for tokens in family {
            let reply = refresh(&world, WEB, &tokens.refresh).await;
            assert_refused(&reply, 400, "invalid_grant");
        }
        assert!(is_active(&world, &bystander.access).await);
    }

    async fn o_04_a_family_ends_unused(setup: Setup) {
        let world = World::start(setup).await;
        let unused = tokens(&world).await;
        let mut used = tokens(&world).await;
        world.clock.advance(13 * DAY);
        used = Tokens::of(&refresh(&world, WEB, &used.refresh).await);
        world.clock.advance(DAY);
        assert!(!is_active(&world, &unused.refresh).await);
        assert_refused(&refresh(&world, WEB, &unused.refresh).await, 400, "invalid_grant");
        Tokens::of(&refresh(&world, WEB, &used.refresh).await);
    }

    async fn o_04_a_family_ends_however_often_it_is_used(setup: Setup) {
        let world = World::start(setup).await;
        let mut tokens = tokens(&world).await;
        for _ in 0..5 {
            world.clock.advance(5 * DAY);
            tokens = Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        }
        world.clock.advance(5 * DAY - MINUTE);
        tokens = Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        world.clock.advance(MINUTE);
        assert!(!is_active(&world, &tokens.refresh).await);
        assert_refused(&refresh(&world, WEB, &tokens.refresh).await, 400, "invalid_grant");
    }

    async fn o_04_a_session_bound_family_ends_with_the_session(setup: Setup) {
        let world = World::with(setup, |builder| {
            builder.refresh(|policy| policy.session_bound = true)
        }).await;
        let bound = tokens_for(&world, "openid").await;
        let offline = tokens_for(&world, "openid offline_access").await;
        world.clock.advance(DAY - MINUTE);
        let bound = Tokens::of(&refresh(&world, WEB, &bound.refresh).await);
        assert!(is_active(&world, &bound.access).await);
        world.clock.advance(MINUTE);
        assert!(!is_active(&world, &bound.access).await);
        assert_refused(&refresh(&world, WEB, &bound.refresh).await, 400, "invalid_grant");
        Tokens::of(&refresh(&world, WEB, &offline.refresh).await);
    }

    async fn h_05_first_party_clients_and_remembered_consent_skip_the_question(setup: Setup) {
        let own = Client::confidential("own", SECRET)
            .redirect_uri(WEB_CALLBACK)
            .scope("openid email")
            .skip_consent();
        let native = Client::public("native")
            .redirect_uri("com.example.native:/cb")
            .scope("openid")
            .skip_consent();
        let world = World::with(setup, |builder| builder.client(own).client(native)).await;
        let browser = Browser::new();
        let plain = request("web").set("scope", "openid email");
        sign_in(&world, &browser, &LASTING, &plain).await;
        assert_silent(&world, &browser, &plain).await;
        assert_silent(&world, &browser, &plain.clone().set("scope", "openid")).await;
        // Another session of the same person, and not another person.
        let (again, bob) = (Browser::new(), Browser::new());
        for (browser, person, asked) in [(&again, &ALICE, false), (&bob, &BOB, true)] {
            let page = open(&world, browser, &plain.url(&world)).await.page();
            let challenge = page.hidden("login_challenge").unwrap();
            let form = [
                ("login_challenge", challenge.as_str()),
                ("identifier", person.identifier),
                ("password", person.password),
                ("action", "login"),
            ];
            let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
            match follow(&world, browser, reply).await {
                End::Callback(callback) => assert!(!asked, "{}", callback.url),
                End::Page(page) => assert!(asked && page.hidden("consent_challenge").is_some()),
            }
        }
        let first_party = plain.clone().set("client_id", "own");
        assert_silent(&world, &bob, &first_party).await;
        // Any application on a device can take a scheme of its own: whoever uses it is asked each time.
        let native = request("native").set("redirect_uri", "com.example.native:/cb");
        let native = native.set("scope", "openid");
        for _ in 0..2 {
            let page = open(&world, &bob, &native.url(&world)).await.page();
            assert!(page.hidden("consent_challenge").is_some(), "{}", page.text());
            let lasting = Person { remember_consent: true, ..BOB };
            answer(&world, &bob, &lasting, End::Page(page)).await.callback().code();
        }
    }

    async fn h_06_client_credentials_by_post_with_openid(setup: Setup) {
        let batch = Client::service("batch", SECRET)
            .auth_method(TokenEndpointAuthMethod::ClientSecretPost)
            .scope("openid orders:read");
        let world = World::with(setup, |builder| builder.client(batch)).await;
        let form = [("grant_type", "client_credentials"), ("scope", "openid")];
        let reply = token(&world, By::Post("batch", SECRET), &form).await;
        let issued = Tokens::of(&reply);
        assert_eq!(names(&issued.answer), ["access_token", "expires_in", "scope", "token_type"]);
        assert_eq!(issued.answer["scope"], "openid");
        assert_eq!(issued.answer["token_type"].as_str().map(str::to_lowercase).unwrap(), "bearer");
        assert_eq!(introspect(&world, &issued.access).await["sub"], "batch");
        // There is nobody whom userinfo could be about.
        assert_eq!(userinfo(&world, &issued.access).await.status, StatusCode::FORBIDDEN);
        let code = tokens(&world).await;
        assert_eq!(
            names(&code.answer),
            ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]
        );
    }

    async fn h_07_introspection_says_all_that_is_known(setup: Setup) {
        for format in [AccessTokenFormat::Opaque, AccessTokenFormat::Jwt] {
            let client = web()
                .access_token_format(format)
                .claim(ClaimMapper::audience("https://api.example"));
            let world = World::with(setup, |builder| builder.client(client)).await;
            let issued = tokens(&world).await;
            let iat = claims(&issued.id)["iat"].as_u64().unwrap();
            let expected = json!({
                "active": true,
                "sub": "u-alice",
                "client_id": "web",
                "scope": "openid offline_access",
                "aud": ["https://api.example"],
                "iss": world.issuer,
                "iat": iat,
                "exp": iat + 900,
                "token_type": "Bearer",
                "token_use": "access_token",
            });
            let answer = introspect(&world, &issued.access).await;
            for (name, value) in expected.as_object().unwrap() {
                assert_eq!(answer[name], *value, "{name}");
            }
            let refresh = introspect(&world, &issued.refresh).await;
            assert_eq!(refresh["token_use"], "refresh_token");
            assert_eq!(refresh["sub"], "u-alice");
            assert_eq!(refresh["exp"], iat + 14 * 86_400);
            // A client sees its own tokens; one that it is not for says nothing to others.
            let form = [("token", issued.access.as_str())];
            let own = post_as(&world, "/oauth2/introspect", WEB, &form).await;
            assert_eq!(own.json(), answer);
            let other = post_as(&world, "/oauth2/introspect", SVC, &form).await;
            assert_eq!(other.json(), json!({"active": false}));
        }
    }
}
