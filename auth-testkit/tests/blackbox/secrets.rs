//! The operator's secrets: which are none, and how they are changed while everything runs.

use std::sync::Arc;

use auth_core::Secret;
use auth_core::seal::{DeploymentSecrets, LoadDataKeys, WeakSecret, secret_usage};
use auth_core::store::{MemoryStore, TenantId, Timestamp};
use auth_oidc::Provider;
use auth_testkit::store::CommitFault;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::flow::*;
use crate::world::{PASSWORD, SECRET, WEB_CALLBACK, World};

const OLD: &str = "c8TnUZ1mGkq3yVtW0oJr5xHdB7sPfLe2AiNw9RzQ4Yg=";
const NEW: &str = "5f1d0c9b8e7a63427190aebdc4f3d2e16b58074f9c2d3a1e0b7f6e5d8c4a9310";

#[tokio::test]
async fn a_471_secrets_that_can_be_guessed_are_refused() {
    let build = async |secret: &str| {
        let builder = Provider::builder("https://id.example")
            .store(MemoryStore::new())
            .pages(auth_ui::DefaultPages::new())
            .directory(auth_core::MemoryDirectory::new(auth_core::PasswordHasher::default()))
            .signing_keys(|keys| keys.algorithms = vec![auth_core::keys::SigningAlgorithm::Es256])
            .secrets([secret]);
        builder.build().await.map(drop).map_err(|error| error.to_string())
    };
    let random: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 7 + 3).unwrap());
    for good in [OLD, NEW, &URL_SAFE_NO_PAD.encode(random), &STANDARD.encode(random)] {
        assert_eq!(build(good).await, Ok(()), "{good}");
    }
    for known in [
        "development only: everybody knows this",
        "PLEASE-CHANGE-ME-I-AM-VERY-INSECURE",
        "32-LONG-SECRET-NOT-SECURE-AT-ALL",
        "this-is-the-primary-secret-of-production",
        "a-string-secret-at-least-256-bits-long",
        "changeme changeme changeme changeme changeme",
    ] {
        let told = build(known).await.unwrap_err();
        assert!(told.contains("secret number 1 is known to everybody"), "{told}");
        assert!(!told.contains(known), "a secret is shown: {told}");
    }
    for weak in [
        // 16 random bytes in hexadecimal have the length, and half of the bits.
        "5f1d0c9b8e7a63427190aebdc4f3d2e1".to_owned(),
        // A quarter of a good one, four times.
        NEW[..16].repeat(4),
        "x".repeat(200),
        "0".repeat(64),
        "correcthorsebatterystaplecorrect".to_owned(),
        "12345678901234567890123456789012345678901234567890".to_owned(),
    ] {
        let told = build(&weak).await.unwrap_err();
        assert!(told.contains("256 are needed") && told.contains("openssl rand"), "{weak}: {told}");
        assert!(!told.contains(&weak), "a secret is shown: {told}");
    }
    // Each of a list counts: one that opens only can be guessed as well.
    let second = DeploymentSecrets::new([OLD, "x".repeat(64).as_str()].map(Secret::from));
    assert!(matches!(second.unwrap_err(), WeakSecret::Guessable { at: 2, .. }));
}

/// Redirects, forms and the token request each go to another process of the list in turn.
async fn walk(world: &World, bases: &[&str]) -> Tokens {
    let browser = Browser::new();
    let turn = std::cell::Cell::new(0);
    let at = |url: &str| {
        turn.set(turn.get() + 1);
        url.replacen(&world.issuer, bases[turn.get() % bases.len()], 1)
    };
    let mut reply: Reply = browser.get(&at(&request("web").url(world))).await.unwrap();
    let code = loop {
        assert!(turn.get() < 20, "{} {}", reply.status, reply.text());
        if let Some(location) = reply.location() {
            if location.as_str().starts_with(WEB_CALLBACK) {
                break Callback::of(location).code();
            }
            reply = browser.get(&at(location.as_str())).await.unwrap();
        } else if let Some(challenge) = reply.hidden("login_challenge") {
            let form = [
                ("login_challenge", &*challenge),
                ("identifier", "alice"),
                ("password", PASSWORD),
                ("action", "login"),
            ];
            reply = browser.post(&at(&world.url("/oauth2/login")), &form).await.unwrap();
        } else {
            let challenge = reply.hidden("consent_challenge").unwrap_or_else(|| {
                panic!("{} {}", reply.status, reply.text());
            });
            let form = [
                ("consent_challenge", &*challenge),
                ("grant_scope", "openid"),
                ("grant_scope", "offline_access"),
                ("action", "accept"),
            ];
            reply = browser.post(&at(&world.url("/oauth2/consent")), &form).await.unwrap();
        }
    };
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", WEB_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let token = at(&world.url("/oauth2/token"));
    let request = browser.http().post(token).basic_auth("web", Some(SECRET)).form(&form);
    let tokens = Tokens::of(&browser.send(request).await.unwrap());
    for base in bases {
        let request = browser.http().get(format!("{base}/userinfo")).bearer_auth(&tokens.access);
        assert_eq!(browser.send(request).await.unwrap().status, 200, "{base}");
    }
    tokens
}

blackbox! {
    async fn a_479_secrets_are_changed_while_everything_runs(setup: Setup) {
        let world = World::with(setup, |builder| builder.secrets([OLD])).await;
        let issuer = world.issuer.as_str();
        let before = walk(&world, &[issuer]).await;
        assert!(world.provider.secret_usage().await.unwrap().is_first());

        // First the new secret is appended everywhere, process by process.
        let appended = world.another_node_with(|builder| builder.secrets([OLD, NEW])).await;
        walk(&world, &[issuer, &appended.base]).await;
        let usage = appended.provider.secret_usage().await.unwrap();
        assert_eq!(usage.place, Some(1), "the old one still seals: {usage:?}");

        // Then it is moved to the front.
        let moved = world.another_node_with(|builder| builder.secrets([NEW, OLD])).await;
        walk(&world, &[&appended.base, &moved.base]).await;
        assert_eq!(appended.provider.secret_usage().await.unwrap().place, Some(2));
        // A process with the list of before that starts late seals under the old one again.
        let late = world.another_node_with(|builder| builder.secrets([OLD, NEW])).await;
        let usage = moved.provider.secret_usage().await.unwrap();
        assert_eq!((usage.place, usage.is_first()), (Some(2), false), "{usage:?}");
        moved.provider.reseal().await.unwrap();
        assert!(moved.provider.secret_usage().await.unwrap().is_first());

        // Now the old one can go. What was made under it is good everywhere.
        let done = world.another_node_with(|builder| builder.secrets([NEW])).await;
        walk(&world, &[&late.base, &moved.base, &done.base]).await;
        let (browser, userinfo) = (Browser::new(), format!("{}/userinfo", done.base));
        let request = browser.http().get(userinfo).bearer_auth(&before.access);
        assert_eq!(browser.send(request).await.unwrap().status, 200);
        Tokens::of(&refresh(&world, WEB, &before.refresh).await);
    }

    async fn a_479_a_process_starts_even_if_nothing_can_be_sealed_anew(setup: Setup) {
        let world = World::with(setup, |builder| builder.secrets([OLD])).await;
        let tokens = tokens(&world).await;
        let faults = [
            CommitFault::Unavailable, CommitFault::UnknownNotApplied, CommitFault::UnknownApplied,
        ];
        for fault in faults {
            world.faults.fail_commit(fault);
            let node = world.another_node_with(|builder| builder.secrets([NEW, OLD])).await;
            assert_eq!(world.faults.waiting(), 0, "it was tried");
            let request = Browser::new().http().get(format!("{}/userinfo", node.base));
            let request = request.bearer_auth(&tokens.access);
            assert_eq!(Browser::new().send(request).await.unwrap().status, 200);
            // The report says so, and who drops the old secret too early is told.
            let usage = node.provider.secret_usage().await.unwrap();
            assert_eq!(usage.is_first(), fault == CommitFault::UnknownApplied, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_479_the_report_names_every_tenant_that_needs_an_old_secret() {
    let store = Arc::new(MemoryStore::new());
    let entropy = auth_core::SystemEntropy::default();
    let secrets =
        |list: &[&str]| DeploymentSecrets::new(list.iter().copied().map(Secret::from)).unwrap();
    let (old, new) = (secrets(&[OLD]), secrets(&[NEW, OLD]));
    let tenants = ["a", "b", "c"].map(|name| TenantId::new(name).unwrap());
    for tenant in tenants {
        let loader = LoadDataKeys::new(&*store, &old, &entropy);
        loader.load(tenant, Timestamp::EPOCH).await.unwrap();
    }
    let loader = LoadDataKeys::new(&*store, &new, &entropy);
    loader.load(tenants[1], Timestamp::EPOCH).await.unwrap();
    let usage = secret_usage(&*store, &new).await.unwrap();
    let report: Vec<_> = usage.iter().map(|used| (used.tenant, used.place)).collect();
    let [a, b, c] = tenants;
    assert_eq!(report, [(a, Some(2)), (b, Some(1)), (c, Some(2))]);
    assert_eq!(usage[0].name, new.names()[1]);
    assert!(!usage[0].is_first() && usage[1].is_first());
    // Without the old one nobody knows whose it is, but its name is the same.
    let usage = secret_usage(&*store, &secrets(&[NEW])).await.unwrap();
    assert_eq!((usage[0].place, &usage[0].name), (None, &new.names()[1]));
}
