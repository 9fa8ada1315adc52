//! Sign-in and consent on pages of the embedder's own, settled at the desk.

use auth_core::Scopes;
use auth_core::challenge::{
    Accept, AcceptConsent, AcceptLogin, Display, HeadlessUrls, Pending, Reject,
};
use auth_testkit::Browser;

use crate::flow::*;
use crate::world::World;

const LOGIN: &str = "https://accounts.example/sign-in?theme=dark";
const CONSENT: &str = "https://accounts.example/allow";
const LOGOUT: &str = "https://accounts.example/leave";

async fn headless(setup: crate::world::Setup) -> World {
    World::with(setup, |b| b.challenges(HeadlessUrls::new(LOGIN, CONSENT, LOGOUT))).await
}

/// Opens a URL that must lead to one of the embedder's pages; gives the challenge.
async fn challenge(world: &World, browser: &Browser, url: &str, page: &str, name: &str) -> String {
    let callback = open(world, browser, url).await.callback();
    assert!(callback.url.as_str().starts_with(page), "{}", callback.url);
    callback.get(name).to_owned()
}

blackbox! {
    async fn who_has_no_account_is_sent_to_make_one(setup: Setup) {
        const REGISTER: &str = "https://accounts.example/join";
        let pages = HeadlessUrls::new(LOGIN, CONSENT, LOGOUT).registration(REGISTER);
        let world = World::with(setup, |b| b.challenges(pages)).await;
        let (browser, desk) = (Browser::new(), world.provider.desk());
        let create = request("web").set("prompt", "create").set("display", "popup");
        for signed_in in [false, true] {
            let login = challenge(&world, &browser, &create.url(&world), REGISTER, "login_challenge").await;
            let Pending::Login(asked) = desk.open(&login).await.unwrap() else { panic!("not a login") };
            assert!(asked.create && !asked.skip, "signed in: {signed_in}");
            assert_eq!(asked.display, Some(Display::Popup));
            // A session of before is no new account.
            if signed_in {
                assert!(desk.accept(&login, Accept::Login(AcceptLogin::continued("u-alice"))).await.is_err());
            }
            let to = desk.accept(&login, Accept::Login(AcceptLogin::new("u-alice").remember(true))).await.unwrap();
            let consent = challenge(&world, &browser, &to.url, CONSENT, "consent_challenge").await;
            let accept = AcceptConsent::new(Scopes::parse("openid").unwrap());
            let to = desk.accept(&consent, Accept::Consent(accept)).await.unwrap();
            open(&world, &browser, &to.url).await.callback().code();
        }
        // Others go to sign in, and what display nobody knows means nothing.
        let usual = request("web").set("prompt", "login").set("display", "wap");
        let login = challenge(&world, &browser, &usual.url(&world), LOGIN, "login_challenge").await;
        let Pending::Login(asked) = desk.open(&login).await.unwrap() else { panic!("not a login") };
        assert!(!asked.create && asked.display.is_none());
        let both = open(&world, &browser, &request("web").set("prompt", "none create").url(&world)).await;
        assert_redirected(&world, &both.callback(), "invalid_request");
        let document = browser.get(&world.url("/.well-known/openid-configuration")).await.unwrap().json();
        assert!(document["prompt_values_supported"].as_array().unwrap().contains(&"create".into()));
    }

    async fn where_nobody_can_make_an_account_nobody_is_sent_to(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        open(&world, &browser, &request("web").set("prompt", "login").url(&world)).await.page();
        let end = open(&world, &browser, &request("web").set("prompt", "create").url(&world)).await;
        assert_redirected(&world, &end.callback(), "invalid_request");
        let document = browser.get(&world.url("/.well-known/openid-configuration")).await.unwrap().json();
        assert!(!document["prompt_values_supported"].as_array().unwrap().contains(&"create".into()));
    }

    async fn own_pages_settle_what_they_are_asked(setup: Setup) {
        let world = headless(setup).await;
        let (browser, desk) = (Browser::new(), world.provider.desk());
        let request = request("web").set("login_hint", "al").set("ui_locales", "ko en");

        let login = challenge(&world, &browser, &request.url(&world), LOGIN, "login_challenge").await;
        let Pending::Login(asked) = desk.open(&login).await.unwrap() else { panic!("not a login") };
        assert_eq!(asked.client_id.as_str(), "web");
        assert_eq!(asked.client.name, "Web Shop");
        assert_eq!(asked.login_hint.as_deref(), Some("al"));
        assert_eq!(asked.ui_locales, ["ko", "en"]);
        assert!(!asked.skip);

        let accept = AcceptLogin::new("u-alice").amr(["pwd", "otp"]).acr("aal2").remember(true);
        let first = desk.accept(&login, Accept::Login(accept.clone())).await.unwrap();
        let again = desk.accept(&login, Accept::Login(accept)).await.unwrap();
        assert_eq!(first, again, "the answer may be repeated until the browser has used it");
        let consent = challenge(&world, &browser, &first.url, CONSENT, "consent_challenge").await;
        let Pending::Consent(asked) = desk.open(&consent).await.unwrap() else { panic!("not a consent") };
        assert_eq!(asked.subject.as_str(), "u-alice");
        assert_eq!(asked.requested_scope.to_string(), "openid offline_access");

        // More than was asked for cannot be granted, and a login cannot answer a consent.
        let more = AcceptConsent::new(Scopes::parse("openid email").unwrap());
        assert!(desk.accept(&consent, Accept::Consent(more)).await.is_err());
        assert!(desk.accept(&consent, Accept::Login(AcceptLogin::new("u-bob"))).await.is_err());

        let mut accept = AcceptConsent::new(Scopes::parse("openid").unwrap());
        accept.id_token.insert("team".to_owned(), "blue".into());
        accept.id_token.insert("sub".to_owned(), "u-mallory".into());
        let to = desk.accept(&consent, Accept::Consent(accept)).await.unwrap();
        let callback = open(&world, &browser, &to.url).await.callback();
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        let id = claims(&tokens.id);
        assert_eq!(id["sub"], "u-alice", "a claim of the protocol is not the page's to set");
        assert_eq!((&id["team"], &id["acr"]), (&"blue".into(), &"aal2".into()));
        assert_eq!(id["amr"], serde_json::json!(["pwd", "otp"]));
        assert_eq!(tokens.answer["scope"], "openid");
        assert!(tokens.refresh.is_empty(), "offline_access was not granted");

        let asked = [("client_id", "web"), ("logout_hint", "al"), ("ui_locales", "ko en")];
        let url = crate::logout::logout_url(&world, &asked);
        let logout = challenge(&world, &browser, &url, LOGOUT, "logout_challenge").await;
        let Pending::Logout(asked) = desk.open(&logout).await.unwrap() else { panic!("not a logout") };
        assert_eq!(asked.subject.as_str(), "u-alice");
        assert_eq!((asked.logout_hint.as_deref(), &*asked.ui_locales), (Some("al"), &["ko".to_owned(), "en".to_owned()][..]));
    }

    async fn the_built_in_pages_are_not_there_beside_own_ones(setup: Setup) {
        let usual = World::start(setup).await;
        let page = open(&usual, &Browser::new(), &request("web").url(&usual)).await.page();
        assert!(page.url.path().starts_with("/oauth2/login"), "{}", page.url);

        // Whoever has a password only must not get past a page that demands more.
        let world = headless(setup).await;
        let browser = Browser::new();
        let url = request("web").url(&world);
        let login = challenge(&world, &browser, &url, LOGIN, "login_challenge").await;
        let form = [
            ("login_challenge", login.as_str()),
            ("identifier", "alice"),
            ("password", crate::world::PASSWORD),
            ("action", "login"),
        ];
        for path in ["/oauth2/login", "/oauth2/consent", "/oauth2/logout"] {
            assert_eq!(browser.post(&world.url(path), &form).await.unwrap().status, 404);
            assert_eq!(browser.get(&world.url(path)).await.unwrap().status, 404);
        }
    }

    async fn a_refusal_reaches_the_client(setup: Setup) {
        let world = headless(setup).await;
        let (browser, desk) = (Browser::new(), world.provider.desk());
        let url = request("web").url(&world);
        let login = challenge(&world, &browser, &url, LOGIN, "login_challenge").await;
        let to = desk.reject(&login, Reject::access_denied("not today\r\n\"ok\"")).await.unwrap();
        let callback = open(&world, &browser, &to.url).await.callback();
        assert_redirected(&world, &callback, "access_denied");
        assert_eq!(callback.get("error_description"), "not todayok");
        assert_eq!(callback.get("state"), "state-1234567890");
    }

    async fn a_used_or_expired_challenge_says_so(setup: Setup) {
        let world = headless(setup).await;
        let (browser, desk) = (Browser::new(), world.provider.desk());
        let url = request("web").url(&world);
        let login = challenge(&world, &browser, &url, LOGIN, "login_challenge").await;
        let accept = Accept::Login(AcceptLogin::new("u-alice"));
        let to = desk.accept(&login, accept.clone()).await.unwrap();
        challenge(&world, &browser, &to.url, CONSENT, "consent_challenge").await;
        let used = desk.accept(&login, accept.clone()).await.unwrap_err();
        assert!(matches!(used, auth_core::challenge::DeskError::Used), "{used}");

        let late = challenge(&world, &Browser::new(), &url, LOGIN, "login_challenge").await;
        world.clock.advance(std::time::Duration::from_secs(3600));
        let expired = desk.accept(&late, accept).await.unwrap_err();
        assert!(matches!(expired, auth_core::challenge::DeskError::Expired), "{expired}");
    }
}
