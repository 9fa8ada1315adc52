//! Every route of the table while the store is away, cannot be written, loses its answers or hangs.

use std::collections::BTreeSet;
use std::time::Duration;

use auth_core::http::Listener;
use auth_testkit::store::Outage;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use http::Method;

use crate::flow::*;
use crate::world::{PASSWORD, SECRET, WEB_BYE, WEB_CALLBACK, World};

/// How an operation answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// From memory: whatever the store does.
    Document,
    /// As JSON, to programs.
    Json,
    /// As a page, to people.
    Page,
    /// The probe of readiness, which has tests of its own.
    Probe,
}

/// A request that is good, and what it takes of the store.
#[derive(Debug)]
struct Errand {
    operation: &'static str,
    method: Method,
    manner: Manner,
    path: String,
    form: Vec<(&'static str, String)>,
    authorization: Option<String>,
    commits: bool,
}

impl Errand {
    fn new(method: Method, operation: &'static str, manner: Manner, path: &str) -> Self {
        let (form, authorization) = (Vec::new(), None);
        Self { operation, method, manner, path: path.into(), form, authorization, commits: false }
    }

    fn form(mut self, form: &[(&'static str, &str)]) -> Self {
        self.form = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self
    }

    fn by(mut self, client: &str) -> Self {
        let credentials = STANDARD.encode(format!("{client}:{SECRET}"));
        self.authorization = Some(format!("Basic {credentials}"));
        self
    }

    fn commits(mut self) -> Self {
        self.commits = true;
        self
    }

    async fn run(&self, world: &World, browser: &Browser) -> Reply {
        let mut request = browser.http().request(self.method.clone(), world.url(&self.path));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        if self.method == Method::POST {
            request = request.form(&self.form);
        }
        browser.send(request).await.unwrap()
    }

    /// Whether the answer is the one of a provider that cannot do its work now.
    fn assert_unavailable(&self, reply: &Reply) {
        match self.manner {
            Manner::Json => {
                assert_refused(reply, 503, "temporarily_unavailable");
                assert_eq!(reply.header("www-authenticate"), "");
            }
            _ => assert_page(reply, 503),
        }
        let seconds: u32 = reply.header("retry-after").parse().unwrap();
        assert!(seconds >= 1);
        assert!(reply.headers.get("set-cookie").is_none(), "cookies are left alone: {self:?}");
        assert!(!reply.text().contains("asked for this fault"), "the cause is for the log");
    }

    fn assert_done(&self, reply: &Reply) {
        assert!(reply.status.as_u16() < 400, "{self:?}: {} {}", reply.status, reply.text());
    }
}

/// Somebody signed in, who has remembered the consent of `web`; and a request for each route.
async fn errands(world: &World) -> (Browser, Vec<Errand>) {
    use Manner::*;
    let (get, post) = (|| Method::GET, || Method::POST);
    let browser = Browser::new();
    let person = Person { remember_consent: true, ..ALICE };
    let end = authorize(world, &browser, &person, &request("web")).await;
    let tokens = Tokens::of(&redeem(world, WEB, &end.callback().code()).await);
    let code = code(world).await;

    let page = async |request: &AuthorizationRequest, name: &str| {
        let page = open(world, &browser, &request.url(world)).await.page();
        page.hidden(name).unwrap_or_else(|| panic!("no {name} in {}", page.text()))
    };
    let login = page(&request("web").set("prompt", "login"), "login_challenge").await;
    let consent = page(&request("web").set("prompt", "consent"), "consent_challenge").await;
    let ask = format!("/oauth2/sessions/logout?client_id=web&post_logout_redirect_uri={WEB_BYE}");
    let logout = open(world, &browser, &world.url(&ask)).await.page();
    let logout = logout.hidden("logout_challenge").unwrap();

    let authorization = request("web").query();
    let authorization = format!("/oauth2/auth?{authorization}");
    let bearer = |mut errand: Errand| {
        errand.authorization = Some(format!("Bearer {}", tokens.access));
        errand
    };
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(authorization.split_once('?').unwrap().1.as_bytes())
            .into_owned()
            .collect();
    // The names live as long as the suite.
    let pairs: Vec<(&'static str, String)> =
        pairs.into_iter().map(|(name, value)| (&*name.leak(), value)).collect();
    let with_request = |errand: Errand| Errand { form: pairs.clone(), ..errand };
    let posted = with_request(Errand::new(post(), "authorize", Page, "/oauth2/auth").commits());
    let pushed = with_request(Errand::new(post(), "par", Json, "/oauth2/par").by("web").commits());
    let with = |path: &str, name: &str, challenge: &str| format!("{path}?{name}={challenge}");
    let errands = vec![
        Errand::new(get(), "alive", Document, "/health/alive"),
        Errand::new(get(), "ready", Probe, "/health/ready"),
        Errand::new(get(), "jwks", Document, "/.well-known/jwks.json"),
        Errand::new(get(), "discovery", Document, "/.well-known/openid-configuration"),
        bearer(Errand::new(get(), "userinfo", Json, "/userinfo")),
        bearer(Errand::new(post(), "userinfo", Json, "/userinfo")),
        Errand::new(post(), "introspect", Json, "/oauth2/introspect")
            .by("rs")
            .form(&[("token", &tokens.access)]),
        Errand::new(get(), "login", Page, &with("/oauth2/login", "login_challenge", &login)),
        Errand::new(
            get(),
            "consent",
            Page,
            &with("/oauth2/consent", "consent_challenge", &consent),
        ),
        Errand::new(get(), "logout", Page, &with("/oauth2/logout", "logout_challenge", &logout)),
        Errand::new(get(), "end_session", Page, &ask),
        Errand::new(post(), "end_session", Page, "/oauth2/sessions/logout")
            .form(&[("client_id", "web"), ("post_logout_redirect_uri", WEB_BYE)]),
        Errand::new(get(), "authorize", Page, &authorization).commits(),
        posted,
        pushed,
        Errand::new(post(), "token", Json, "/oauth2/token")
            .by("svc")
            .commits()
            .form(&[("grant_type", "client_credentials"), ("scope", "orders:read")]),
        Errand::new(post(), "token", Json, "/oauth2/token").by("web").commits().form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", WEB_CALLBACK),
            ("code_verifier", VERIFIER),
        ]),
        Errand::new(post(), "token", Json, "/oauth2/token")
            .by("web")
            .commits()
            .form(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)]),
        Errand::new(post(), "consent", Page, "/oauth2/consent").commits().form(&[
            ("consent_challenge", &consent),
            ("grant_scope", "openid"),
            ("action", "accept"),
        ]),
        Errand::new(post(), "login", Page, "/oauth2/login").commits().form(&[
            ("login_challenge", &login),
            ("identifier", "alice"),
            ("password", PASSWORD),
            ("action", "login"),
        ]),
        // What ends something comes last.
        Errand::new(post(), "revoke", Json, "/oauth2/revoke")
            .by("web")
            .commits()
            .form(&[("token", &tokens.access)]),
        Errand::new(post(), "logout", Page, "/oauth2/logout")
            .commits()
            .form(&[("logout_challenge", &logout), ("action", "accept")]),
    ];
    (browser, errands)
}

/// One round: nothing works that needs the store, then all of it does.
async fn an_outage_passes(world: &World, outage: Outage) {
    let (browser, errands) = errands(world).await;
    // Caches of configuration are no help for long.
    world.clock.advance(Duration::from_secs(6));
    world.faults.outage(outage);
    let replies = join_all(errands.iter().map(|errand| errand.run(world, &browser))).await;
    for (errand, reply) in errands.iter().zip(&replies) {
        let stands_still = match outage {
            Outage::Commits => errand.commits,
            _ => true,
        };
        match errand.manner {
            Manner::Probe => {}
            Manner::Document => errand.assert_done(reply),
            _ if stands_still => errand.assert_unavailable(reply),
            _ => errand.assert_done(reply),
        }
    }
    world.faults.outage(Outage::None);
    assert!(browser.cookie("auth_session").is_some(), "nobody was signed out");
    for errand in errands.iter().filter(|errand| errand.manner != Manner::Probe) {
        // Nothing was half done, so each of them can be done now: no code, token or answer is used up.
        let reply = errand.run(world, &browser).await;
        errand.assert_done(&reply);
    }
}

blackbox! {
    async fn every_route_is_looked_at(setup: Setup) {
        let world = World::start(setup).await;
        let (_, errands) = errands(&world).await;
        let seen: BTreeSet<_> =
            errands.iter().map(|errand| (errand.operation, errand.method.to_string())).collect();
        let engine = world.provider.engine();
        let routes = engine.routes().iter().filter(|route| route.listener == Listener::Public);
        let there: BTreeSet<_> =
            routes.map(|route| (route.operation, route.method.to_string())).collect();
        assert_eq!(seen, there, "a new route needs an errand here");
    }

    async fn no_route_works_without_the_store_and_all_do_afterwards(setup: Setup) {
        let world = World::start(setup).await;
        an_outage_passes(&world, Outage::All).await;
        an_outage_passes(&world, Outage::Reads).await;
    }

    async fn nothing_is_given_out_that_could_not_be_written(setup: Setup) {
        let world = World::start(setup).await;
        an_outage_passes(&world, Outage::Commits).await;
    }

    async fn a_store_that_hangs_is_not_waited_for(setup: Setup) {
        let world =
            World::with(setup, |builder| builder.deadline(Duration::from_millis(1500))).await;
        an_outage_passes(&world, Outage::Stall).await;
    }

    async fn answers_of_the_store_that_are_lost_are_found_out(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, errands) = errands(&world).await;
        world.faults.outage(Outage::Answers);
        for errand in errands.iter().filter(|errand| errand.manner != Manner::Probe) {
            let reply = errand.run(&world, &browser).await;
            // A sign-in whose attempt cannot be counted for certain is refused.
            if errand.operation == "login" && errand.commits && reply.status == 503 {
                errand.assert_unavailable(&reply);
                continue;
            }
            errand.assert_done(&reply);
        }
        world.faults.outage(Outage::None);
        // What was done was done once: the code and the token are used up.
        let again = |grant: &str| {
            let is = |errand: &&Errand| errand.form.iter().any(|(_, value)| value == grant);
            errands.iter().find(is).unwrap()
        };
        let code = again("authorization_code").run(&world, &browser).await;
        assert_refused(&code, 400, "invalid_grant");
    }
}
