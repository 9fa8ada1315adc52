//! Building a provider: what is refused and why, tenants beside each other, rotated secrets.

use std::sync::Arc;
use std::time::Duration;

use auth_core::keys::{SigningAlgorithm, SigningKey};
use auth_core::store::{MemoryStore, TenantId};
use auth_core::{MemoryDirectory, PasswordHasher, Secret};
use auth_oidc::client::{AccessTokenFormat, Client};
use auth_oidc::{Provider, ProviderBuilder};
use auth_testkit::Browser;
use auth_testkit::store::{CommitFault, CountingStore, FaultyStore};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use crate::flow::*;
use crate::world::{SECRET, WEB_CALLBACK, World, web};

const GOOD_SECRET: &str = "c8TnUZ1mGkq3yVtW0oJr5xHdB7sPfLe2AiNw9RzQ4Yg=";
const LOOPBACK: &str = "http://127.0.0.1:4444";

/// A builder that lacks nothing.
fn complete(issuer: &str) -> ProviderBuilder {
    Provider::builder(issuer)
        .store(MemoryStore::new())
        .pages(auth_ui::DefaultPages::new())
        .directory(MemoryDirectory::new(PasswordHasher::default()))
        .signing_keys(|keys| keys.algorithms = vec![SigningAlgorithm::Es256])
}

/// The problems of a builder, one a line.
async fn problems(builder: ProviderBuilder) -> String {
    match builder.build().await {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn every_problem_is_told_at_once_with_what_mends_it() {
    let client = Client::public("app").redirect_uri("javascript:alert(1)").scope("openid orders");
    let builder = Provider::builder("http://id.example")
        .secrets(["short"])
        .client(client)
        .client(Client::confidential("two words", SECRET).redirect_uri(WEB_CALLBACK))
        .signing_keys(|keys| keys.algorithms = vec![SigningAlgorithm::EdDsa])
        .signing_key_pem(SigningAlgorithm::EdDsa, "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n");
    let text = problems(builder).await;
    for (problem, mend) in [
        ("`http://id.example` is not https", "use an https URL, or `.development()`"),
        ("secret number 1 has 5 bytes", "`openssl rand -base64 32`"),
        ("no store is given", "add `.store("),
        ("no pages is given", "add `.pages("),
        ("no directory is given", "add `.directory("),
        ("`javascript:alert(1)` cannot be registered", "scheme"),
        ("the client `app` has the scope `orders`", "add `.scope(ScopeDefinition::new(\"orders\""),
        ("`client_id` of the client `two words`", "1 to 255 printable ASCII characters"),
        ("ES256 is to sign tokens", "add it to the algorithms in `.signing_keys("),
        ("no key for EdDSA", "`openssl pkcs8 -topk8 -nocrypt"),
    ] {
        let line = text.lines().find(|line| line.contains(problem));
        let line = line.unwrap_or_else(|| panic!("{problem:?} is missing in:\n{text}"));
        assert!(line.contains(mend), "{line:?} does not say {mend:?}");
    }
    assert_eq!(text.lines().count(), 11, "one line each, and the first:\n{text}");
    assert!(!text.contains("short\""), "a secret is shown: {text}");
}

#[tokio::test]
async fn what_is_complete_is_built() {
    for (issuer, development) in [("https://id.example", false), (LOOPBACK, true)] {
        let builder = complete(issuer).secrets([GOOD_SECRET]);
        let builder = if development { builder.development() } else { builder };
        assert_eq!(problems(builder).await, "");
    }
    // The secret is optional on loopback only.
    assert_eq!(problems(complete("http://localhost:4444").development()).await, "");
    assert_eq!(problems(complete("http://[::1]:4444").development()).await, "");
    let text = problems(complete("https://id.example")).await;
    assert!(text.contains("no secret is given"), "{text}");
}

#[tokio::test]
async fn an_issuer_must_fit_its_mode() {
    for issuer in
        ["http://id.example", "http://192.168.1.2", "http://localhost.evil.example", LOOPBACK]
    {
        let text = problems(complete(issuer).secrets([GOOD_SECRET])).await;
        assert!(text.contains("is not https"), "{issuer}: {text}");
    }
    for issuer in ["http://id.example", "https://id.example", "http://127.0.0.1.evil.example"] {
        let text = problems(complete(issuer).development()).await;
        assert!(text.contains("remove `.development()`"), "{issuer}: {text}");
    }
    for issuer in
        ["", "id.example", "ftp://id.example", "https://id.example?a", "https://a@id.example"]
    {
        let text = problems(complete(issuer).secrets([GOOD_SECRET])).await;
        assert!(text.contains(&format!("the issuer `{issuer}` cannot be used")), "{text}");
    }
}

#[tokio::test]
async fn a_signing_key_must_fit_its_algorithm() {
    let rsa_pem = include_str!("../../fixtures/rsa-2048.pem");
    let both = vec![SigningAlgorithm::Es256, SigningAlgorithm::Rs256];
    let builder = || {
        let algorithms = both.clone();
        let builder = complete("https://id.example").secrets([GOOD_SECRET]);
        builder.signing_keys(|keys| keys.algorithms = algorithms)
    };
    assert_eq!(problems(builder().signing_key_pem(SigningAlgorithm::Rs256, rsa_pem)).await, "");
    // Without a key of the operator's it depends on whether one can be made.
    let text = problems(builder()).await;
    match SigningKey::generate(SigningAlgorithm::Rs256) {
        Ok(_) => assert_eq!(text, ""),
        Err(_) => {
            assert!(text.contains("no key for RS256"), "{text}");
            assert!(
                text.contains("feature `aws-lc`") && text.contains("openssl genpkey"),
                "{text}"
            );
        }
    }
    let cut = rsa_pem.replacen("MII", "MIJ", 1);
    for (pem, reason) in [
        ("", "not PKCS#8 PEM"),
        ("-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----", "not PKCS#8 PEM"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "not a private key"),
        (&cut, "not a private key"),
    ] {
        let text = problems(builder().signing_key_pem(SigningAlgorithm::Rs256, pem)).await;
        assert!(text.contains("no key for RS256") && text.contains(reason), "{text}");
    }
    let text = problems(builder().signing_key_pem(SigningAlgorithm::Es256, rsa_pem)).await;
    assert!(text.contains("no key for ES256: this is not a private key"), "{text}");
    // A client whose id tokens nobody can sign.
    let eddsa = web().id_token_alg(SigningAlgorithm::EdDsa);
    let text = problems(complete("https://id.example").secrets([GOOD_SECRET]).client(eddsa)).await;
    assert!(text.contains("EdDSA is to sign tokens, but no key is kept for it"), "{text}");
}

/// Whose tokens outlive the keys.
fn with_long_tokens() -> Client {
    let mut client = web().access_token_format(AccessTokenFormat::Jwt);
    client.access_token_lifespan = Some(60 * 86_400);
    client
}

#[tokio::test]
async fn a_client_is_registered_only_if_its_tokens_can_be_signed() {
    let provider = complete(LOOPBACK).development().build().await.unwrap();
    provider.clients().put(web()).await.unwrap();
    // No key signs these.
    let opaque = with_long_tokens().access_token_format(AccessTokenFormat::Opaque);
    provider.clients().put(opaque).await.unwrap();
    for (client, member) in [
        (web().id_token_alg(SigningAlgorithm::Ps256), "id_token_signed_response_alg"),
        (web().userinfo_alg(SigningAlgorithm::EdDsa), "userinfo_signed_response_alg"),
        (with_long_tokens(), "access_token_lifespan"),
    ] {
        let refused = provider.clients().put(client).await.unwrap_err().to_string();
        assert!(refused.contains(member) && refused.contains("signing_keys"), "{refused}");
    }
}

#[tokio::test]
async fn lifetimes_must_fit_together() {
    let good = || complete(LOOPBACK).development();
    assert_eq!(problems(good()).await, "");
    let zero = Duration::ZERO;
    for (builder, problem) in [
        (good().tokens(|t| t.access_token_lifetime = zero), "access tokens live for no time"),
        (good().refresh(|r| r.idle_lifetime = zero), "refresh tokens live for no time"),
        (good().sessions(|s| s.challenge_lifetime = zero), "nobody has time to answer"),
        (good().signing_keys(|k| k.keep_after = Duration::from_secs(60)), "raise `keep_after`"),
        (good().signing_keys(|k| k.reload_every = k.publish_before), "`reload_every` is at most"),
        (
            good().signing_keys(|k| k.publish_before = Duration::from_secs(301)),
            "raise `publish_before`",
        ),
        (
            good().sessions(|s| s.remembered_lifetime = Duration::from_secs(90 * 86_400)),
            "have shorter sessions",
        ),
        (good().client(with_long_tokens()), "signing keys leave before the tokens"),
    ] {
        let text = problems(builder).await;
        assert!(text.contains(problem), "{text}");
    }
    // The longest of all lifetimes overflows nothing.
    let eternal = good().refresh(|r| r.absolute_lifetime = Duration::MAX);
    assert_eq!(problems(eternal).await, "");
}

#[tokio::test]
async fn one_key_serves_one_algorithm() {
    let pem = include_str!("../../fixtures/rsa-2048.pem");
    let builder = complete(LOOPBACK).development().signing_keys(|keys| {
        keys.algorithms =
            vec![SigningAlgorithm::Es256, SigningAlgorithm::Rs256, SigningAlgorithm::Ps256];
    });
    let builder = builder
        .signing_key_pem(SigningAlgorithm::Rs256, pem)
        .signing_key_pem(SigningAlgorithm::Ps256, pem);
    let text = problems(builder).await;
    assert!(text.contains("one PEM is given for RS256 and PS256"), "{text}");
}

#[tokio::test]
async fn nothing_is_written_where_there_is_a_problem() {
    let store = Arc::new(CountingStore::new(Arc::new(MemoryStore::new())));
    let bad = complete("https://id.example").shared_store(store.clone()).secrets(["short"]);
    assert!(bad.build().await.is_err());
    assert_eq!(store.snapshot().round_trips(), 0);
}

#[tokio::test]
async fn a_store_that_fails_while_a_provider_is_built() {
    let faulty = || Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let builder = |store: &Arc<FaultyStore>| {
        complete("https://id.example").shared_store(store.clone()).secrets([GOOD_SECRET])
    };
    let store = faulty();
    store.fail_read();
    let text = problems(builder(&store)).await;
    assert!(text.contains("the data keys cannot be loaded: the store is unavailable"), "{text}");
    store.fail_commit(CommitFault::Unavailable);
    assert!(problems(builder(&store)).await.contains("the data keys cannot be loaded"));
    // Where the answer to a write is lost it is found out what became of it.
    for fault in
        [CommitFault::UnknownApplied, CommitFault::UnknownNotApplied, CommitFault::Conflict]
    {
        let store = faulty();
        store.fail_commits(fault, 1);
        assert_eq!(problems(builder(&store)).await, "", "{fault:?}");
        assert_eq!(store.waiting(), 0);
        assert_eq!(problems(builder(&store)).await, "", "what was stored can be read again");
    }
}

/// Another tenant with an issuer of its own on the store of a world: same clients, same people.
async fn neighbour(world: &World) -> World {
    let (store, clock) = (world.faults.clone(), world.clock.clone());
    World::with(world.setup, |builder| {
        builder.tenant(TenantId::new("neighbour").unwrap()).shared_store(store).clock(clock)
    })
    .await
}

blackbox! {
    async fn tenants_on_one_store_do_not_know_each_other(setup: Setup) {
        let here = World::start(setup).await;
        let there = neighbour(&here).await;
        // Both work.
        let browser = Browser::new();
        let end = authorize(&here, &browser, &ALICE, &request("web")).await;
        let ours = Tokens::of(&redeem(&here, WEB, &end.callback().code()).await);
        let theirs = tokens(&there).await;

        // Clients.
        let only_here = Client::confidential("only-here", SECRET).redirect_uri(WEB_CALLBACK);
        here.provider.clients().put(only_here.scope("openid")).await.unwrap();
        let wanted = request("only-here").set("scope", "openid");
        assert!(open(&here, &Browser::new(), &wanted.url(&here)).await.page().status == 200);
        assert_page(&open(&there, &Browser::new(), &wanted.url(&there)).await.page(), 400);
        assert!(there.provider.clients().get(&"only-here".into()).await.unwrap().is_none());
        // Disabling a client at one leaves the other's alone.
        there.provider.clients().disable(&"spa".into()).await.unwrap();
        let end = authorize(&here, &Browser::new(), &ALICE, &request("spa")).await;
        Tokens::of(&redeem(&here, SPA, &end.callback().code()).await);

        // Codes: a foreign one is not even known, so it stays good where it belongs.
        let code = code(&here).await;
        assert_refused(&redeem(&there, WEB, &code).await, 400, "invalid_grant");
        Tokens::of(&redeem(&here, WEB, &code).await);

        // Tokens.
        for token in [&ours.access, &ours.refresh] {
            assert!(is_active(&here, token).await && !is_active(&there, token).await);
            let revoked = post_as(&there, "/oauth2/revoke", WEB, &[("token", token)]).await;
            assert_eq!(revoked.status, 200);
            assert!(is_active(&here, token).await);
        }
        assert_eq!(userinfo(&there, &ours.access).await.status, 401);
        assert_eq!(userinfo(&here, &theirs.access).await.status, 401);
        let foreign = Secret::new(ours.access.clone());
        assert!(there.provider.authority().bearer(&foreign).await.is_err());
        assert!(here.provider.authority().bearer(&foreign).await.is_ok());
        assert_refused(&refresh(&there, WEB, &ours.refresh).await, 400, "invalid_grant");

        // Sessions: both are on one host, so a browser sends its cookies to both.
        let cookie = format!("auth_session={}", browser.cookie("auth_session").unwrap());
        let headers =
            HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&cookie).unwrap())]);
        let session = here.provider.authority().session(&headers).await.unwrap();
        assert_eq!(session.unwrap().subject.as_str(), "u-alice");
        assert!(there.provider.authority().session(&headers).await.unwrap().is_none());
        let silent = request("web").set("prompt", "none");
        let answer = open(&there, &browser, &silent.url(&there)).await.callback();
        assert_redirected(&there, &answer, "login_required");
        // An id token is a hint at its own issuer only.
        let hint = format!("/oauth2/sessions/logout?id_token_hint={}", ours.id);
        assert_page(&browser.get(&there.url(&hint)).await.unwrap(), 400);
    }

    async fn jwts_of_a_tenant_are_nothing_at_another(setup: Setup) {
        let jwt = || web().access_token_format(AccessTokenFormat::Jwt);
        let here = World::with(setup, |builder| builder.client(jwt())).await;
        let there = neighbour(&here).await;
        there.provider.clients().put(jwt()).await.unwrap();
        let (ours, theirs) = (tokens(&here).await, tokens(&there).await);
        assert_eq!(userinfo(&here, &ours.access).await.status, 200);
        assert_eq!(userinfo(&there, &theirs.access).await.status, 200);
        assert_eq!(userinfo(&there, &ours.access).await.status, 401);
        assert!(!is_active(&there, &ours.access).await);
        // The RSA key is the one that both were given; what they made themselves is their own.
        let made = async |world: &World| {
            let set = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap().json();
            let keys = set["keys"].as_array().unwrap();
            keys.iter().find(|key| key["kty"] == "EC").unwrap()["kid"].clone()
        };
        assert_ne!(made(&here).await, made(&there).await);
    }

    async fn secrets_are_rotated_and_old_ones_forgotten(setup: Setup) {
        let database = setup.database().await;
        let (old, new) = (GOOD_SECRET, "5f1d0c9b8e7a63427190aebdc4f3d2e16b58074f9c2d3a1e0b7f6e5d8c4a9310");
        let start = async |secrets: &[&str]| {
            let (store, secrets) = (database.open().await, secrets.to_vec());
            World::with(setup, |builder| builder.shared_store(store).secrets(secrets)).await
        };
        let refused = async |secrets: &[&str]| {
            let builder = complete(LOOPBACK).development().shared_store(database.open().await);
            problems(builder.secrets(secrets.to_vec())).await
        };
        let first = start(&[old]).await;
        let tokens = tokens(&first).await;
        // Who gives another secret is told what is missing, and nothing is overwritten.
        let text = refused(&[new]).await;
        assert!(text.contains("sealed under another secret: give that secret, too"), "{text}");
        assert!(is_active(&start(&[old]).await, &tokens.access).await);

        // The new secret first and the old one after it: everything goes on, and is sealed anew, …
        let second = start(&[new, old]).await;
        assert!(is_active(&second, &tokens.access).await);
        let tokens = Tokens::of(&refresh(&second, WEB, &tokens.refresh).await);
        // … so that the old one is not needed any more, nor worth anything.
        let third = start(&[new]).await;
        assert!(is_active(&third, &tokens.access).await);
        let tokens = Tokens::of(&refresh(&third, WEB, &tokens.refresh).await);
        assert!(refused(&[old]).await.contains("sealed under another secret"));
        // A process that still runs with the old list is not disturbed.
        assert!(is_active(&first, &tokens.access).await);
        assert!(is_active(&start(&[old, new]).await, &tokens.access).await);
    }

    async fn a_key_of_the_operators_outlives_every_rotation(setup: Setup) {
        let with_rsa = || web().id_token_alg(SigningAlgorithm::Rs256);
        let world = World::with(setup, |builder| builder.client(with_rsa())).await;
        let kid = async |world: &World| {
            let token = tokens(world).await.id;
            let header = token.split('.').next().unwrap().to_owned();
            let header: Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
            assert_eq!(header["alg"], "RS256");
            header["kid"].clone()
        };
        let before = kid(&world).await;
        for _ in 0..8 {
            world.clock.advance(Duration::from_secs(86_400 * 25));
            assert_eq!(kid(&world).await, before);
        }
        // Nor does an old key keep a new process from its start, or make each request read it.
        world.another_node().await;
        let snapshot = world.store.snapshot();
        Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap();
        assert_eq!(world.store.since(snapshot).round_trips(), 0);
    }
}
