//! Code of the embedder's that hangs, panics or lies: it harms its own requests and no others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::decision::Unavailable;
use auth_core::outbox::{Deliver, DeliveryError, Message};
use auth_core::page::RenderError;
use auth_core::store::TenantId;
use auth_core::{
    Authentication, Clock, Hook, HookCall, Identity, IdentityDirectory, MemoryDirectory,
    PageRenderer, PageView, PasswordCost, PasswordHasher, Secret, Subject, Timestamp,
};
use auth_testkit::{Browser, TestClock};
use futures_util::future::join_all;
use serde_json::Value;

use crate::flow::*;
use crate::world::{PASSWORD, World};

/// Works, until it is told not to.
#[derive(Debug, Clone, Default)]
struct Moody(Arc<AtomicBool>);

impl Moody {
    fn is_bad(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn set(&self, bad: bool) {
        self.0.store(bad, Ordering::SeqCst);
    }

    fn panic_if_bad(&self) {
        assert!(!self.is_bad(), "a panic with a secret: {PASSWORD}");
    }
}

/// Never answers while its mood is bad.
#[derive(Debug, Clone, Default)]
struct Hanging(Moody);

#[async_trait]
impl Hook for Hanging {
    async fn call(&self, _: TenantId, _: &HookCall) -> Result<Value, Unavailable> {
        if self.0.is_bad() {
            std::future::pending::<()>().await;
        }
        Ok(Value::Null)
    }
}

/// Panics while its mood is bad.
#[derive(Debug, Clone, Default)]
struct Panicking(Moody);

#[async_trait]
impl Hook for Panicking {
    async fn call(&self, _: TenantId, _: &HookCall) -> Result<Value, Unavailable> {
        self.0.panic_if_bad();
        Ok(Value::Null)
    }
}

#[derive(Debug)]
struct PanickingPages(Moody, auth_ui::DefaultPages);

impl PageRenderer for PanickingPages {
    fn render(&self, view: &PageView<'_>) -> Result<String, RenderError> {
        self.0.panic_if_bad();
        self.1.render(view)
    }
}

#[derive(Debug, Clone)]
struct PanickingPeople(Moody, MemoryDirectory);

#[async_trait]
impl IdentityDirectory for PanickingPeople {
    async fn authenticate(
        &self,
        tenant: TenantId,
        identifier: &str,
        password: &Secret,
    ) -> Result<Authentication, Unavailable> {
        self.0.panic_if_bad();
        self.1.authenticate(tenant, identifier, password).await
    }

    async fn find(
        &self,
        tenant: TenantId,
        subject: &Subject,
    ) -> Result<Option<Identity>, Unavailable> {
        self.0.panic_if_bad();
        self.1.find(tenant, subject).await
    }
}

#[derive(Debug, Clone, Default)]
struct PanickingReceiver(Moody);

#[async_trait]
impl Deliver for PanickingReceiver {
    async fn deliver(&self, _: TenantId, _: &str, _: &Message) -> Result<(), DeliveryError> {
        self.0.panic_if_bad();
        Ok(())
    }
}

/// A clock that somebody sets.
#[derive(Debug, Clone)]
struct Jumping(TestClock, Arc<AtomicI64>);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        let millis = self.0.now().as_millis().saturating_add_signed(self.1.load(Ordering::SeqCst));
        Timestamp::from_millis(millis).unwrap()
    }
}

const SERVICE_FORM: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("scope", "openid")];

blackbox! {
    async fn a_494_a_hook_that_hangs_holds_up_nobody_else(setup: Setup) {
        let hook = Hanging::default();
        let asked = hook.clone();
        let world = World::with(setup, move |builder| {
            builder.claims_hook(asked).deadline(Duration::from_millis(1500))
        })
        .await;
        let tokens = tokens(&world).await;
        let mut codes = Vec::new();
        for _ in 0..3 {
            codes.push(code(&world).await);
        }
        hook.0.set(true);
        let held_up = join_all(codes.iter().map(|code| redeem(&world, WEB, code)));
        let others = async {
            let begun = std::time::Instant::now();
            for _ in 0..10 {
                assert!(is_active(&world, &tokens.access).await);
                let jwks = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap();
                assert_eq!(jwks.status, 200);
            }
            begun.elapsed()
        };
        let (held_up, _) = futures_util::future::join(held_up, others).await;
        for reply in &held_up {
            assert_refused(reply, 503, "temporarily_unavailable");
            assert!(reply.header("retry-after").parse::<u32>().unwrap() >= 1);
        }
        hook.0.set(false);
        for code in &codes {
            Tokens::of(&redeem(&world, WEB, code).await);
        }
    }

    async fn a_496_a_panic_in_a_hook_is_a_generic_500(setup: Setup) {
        let hook = Panicking::default();
        let asked = hook.clone();
        let world = World::with(setup, move |builder| builder.claims_hook(asked)).await;
        let (tokens, code) = (tokens(&world).await, code(&world).await);
        hook.0.set(true);
        for _ in 0..8 {
            for reply in [redeem(&world, WEB, &code).await, refresh(&world, WEB, &tokens.refresh).await] {
                assert_refused(&reply, 500, "server_error");
                assert!(!reply.text().contains(PASSWORD) && !reply.text().contains("panic"));
            }
            assert!(is_active(&world, &tokens.access).await, "others go on");
        }
        hook.0.set(false);
        Tokens::of(&redeem(&world, WEB, &code).await);
        Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
    }

    async fn a_496_a_panic_in_the_directory_or_the_pages(setup: Setup) {
        let passwords = PasswordHasher::new(PasswordCost::INSECURE_FOR_TESTS, 1);
        let people = MemoryDirectory::new(passwords);
        let alice = Identity::new("u-alice", "Alice");
        people.insert("alice", &Secret::from(PASSWORD), alice).await.unwrap();
        let (bad_people, bad_pages) = (Moody::default(), Moody::default());
        let directory = PanickingPeople(bad_people.clone(), people);
        let mood = bad_pages.clone();
        let world = World::with(setup, move |builder| {
            let pages = PanickingPages(mood, auth_ui::DefaultPages::new());
            builder.directory(directory).pages(pages)
        })
        .await;
        let browser = Browser::new();
        let page = open(&world, &browser, &request("web").url(&world)).await.page();
        let challenge = page.hidden("login_challenge").unwrap();
        let form = [
            ("login_challenge", &*challenge),
            ("identifier", "alice"),
            ("password", PASSWORD),
            ("action", "login"),
        ];
        bad_people.set(true);
        let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        assert_page(&reply, 500);
        assert!(!reply.text().contains(PASSWORD) && reply.headers.get("set-cookie").is_none());
        bad_people.set(false);
        bad_pages.set(true);
        // Not even the page that says so can be shown.
        let url = world.url(&format!("/oauth2/login?login_challenge={challenge}"));
        let reply = browser.get(&url).await.unwrap();
        assert_eq!(reply.status, 500);
        assert!(reply.header("content-type").starts_with("text/plain"));
        assert!(!reply.text().contains(PASSWORD));
        Tokens::of(&token(&world, SVC, &SERVICE_FORM).await);
        bad_pages.set(false);
        let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        let end = follow(&world, &browser, reply).await;
        answer(&world, &browser, &ALICE, end).await.callback().code();
    }

    async fn a_496_a_panic_in_a_delivery_does_not_end_the_worker(setup: Setup) {
        let receiver = PanickingReceiver::default();
        let events = receiver.clone();
        let world = World::with(setup, move |builder| builder.events(events)).await;
        receiver.0.set(true);
        for _ in 0..2 {
            // A verifier that does not match burns the code, which is an event.
            let form = [
                ("grant_type", "authorization_code"),
                ("code", &*code(&world).await),
                ("redirect_uri", crate::world::WEB_CALLBACK),
                ("code_verifier", &*"x".repeat(43)),
            ];
            assert_refused(&token(&world, WEB, &form).await, 400, "invalid_grant");
        }
        let worked = world.provider.worker().run_once().await.unwrap();
        assert_eq!((worked.delivered, worked.failed), (0, 2), "each was tried");
        receiver.0.set(false);
        world.clock.advance(Duration::from_secs(60));
        let worked = world.provider.worker().run_once().await.unwrap();
        assert_eq!((worked.delivered, worked.failed), (2, 0));
    }

    async fn a_495_a_clock_that_jumps_an_hour(setup: Setup) {
        let offset = Arc::new(AtomicI64::new(0));
        let jump = offset.clone();
        let base = TestClock::at_present();
        let world = World::with(setup, move |builder| builder.clock(Jumping(base, jump))).await;
        let tokens = tokens(&world).await;
        assert!(is_active(&world, &tokens.access).await);
        const HOUR: i64 = 3_600_000;
        for jumped in [-HOUR, HOUR, -HOUR, 0] {
            offset.store(jumped, Ordering::SeqCst);
            // Nothing breaks, and nothing lives on after its end.
            let active = is_active(&world, &tokens.access).await;
            assert!(!active || jumped <= 0, "{jumped}");
            assert!(userinfo(&world, &tokens.access).await.status.as_u16() < 500);
            Tokens::of(&token(&world, SVC, &SERVICE_FORM).await);
            code(&world).await;
        }
        assert!(is_active(&world, &tokens.access).await);
        Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
    }
}
