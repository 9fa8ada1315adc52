//! Values that are made to break whatever reads them: JSON, JOSE, cookies, hashes.

use std::time::Duration;

use auth_core::challenge::{Accept, AcceptConsent, AcceptLogin, HeadlessUrls};
use auth_core::keys::{CompactJws, SigningKey};
use auth_core::store::{Class, Key, Scan, Store, Sweep, TenantId};
use auth_core::{Clock, Scopes};
use auth_oidc::client::{Client, GrantType};
use auth_testkit::store::Outage;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::caut::without_limits;
use crate::caut_assertion::{jwks, new_key};
use crate::flow::*;
use crate::world::{Setup, World};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

async fn keyed(setup: Setup) -> (World, SigningKey) {
    let key = new_key();
    let client = Client::private_key_jwt("keyed", jwks(&key))
        .scope("openid orders:read")
        .redirect_uri(crate::world::WEB_CALLBACK)
        .grant_type(GrantType::ClientCredentials);
    let world =
        World::with(setup, move |builder| builder.client(client).rate_limiter(without_limits()))
            .await;
    (world, key)
}

/// A signed assertion of these texts, whatever they are.
fn signed(key: &SigningKey, header: &str, claims: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The claims of a good assertion, with more members before the closing brace.
fn claims(world: &World, jti: &str, more: &str) -> String {
    let (issuer, exp) = (&world.issuer, world.clock.now().as_secs() + 300);
    format!(r#"{{"iss":"keyed","sub":"keyed","aud":"{issuer}","jti":"{jti}","exp":{exp}{more}}}"#)
}

async fn by(world: &World, assertion: &str) -> Reply {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "orders:read"),
        ("client_assertion", assertion),
        ("client_assertion_type", TYPE),
    ];
    token(world, By::Nothing, &form).await
}

const HEADER: &str = r#"{"alg":"ES256"}"#;

blackbox! {
    async fn a_489_json_that_is_deep_double_or_huge(setup: Setup) {
        let (world, key) = keyed(setup).await;
        let good = claims(&world, "j-1", r#","x":[[[[1e2]]]],"y":{"z":{"z":1}}"#);
        Tokens::of(&by(&world, &signed(&key, HEADER, &good)).await);
        let before = world.store.snapshot();
        let deep = |n: usize| format!(r#","x":{}{}"#, "[".repeat(n), "]".repeat(n));
        let maps = format!(r#","x":{}1{}"#, r#"{"a":"#.repeat(40), "}".repeat(40));
        for more in [
            deep(33),
            deep(10_000),
            maps,
            r#","sub":"keyed""#.to_owned(),
            r#","x":{"a":1,"a":2}"#.to_owned(),
            r#","nbf":1e300"#.to_owned(),
            r#","iat":99999999999999999999999999999999"#.to_owned(),
            format!(r#","iat":{}"#, "9".repeat(10_000)),
            r#","x":1e99999"#.to_owned(),
            r#","x":"\ud800""#.to_owned(),
        ] {
            let refused = by(&world, &signed(&key, HEADER, &claims(&world, "j-2", &more))).await;
            assert_refused(&refused, 401, "invalid_client");
        }
        assert_eq!(world.store.since(before).commits, 0, "the identifier was not taken");
        Tokens::of(&by(&world, &signed(&key, HEADER, &claims(&world, "j-2", ""))).await);
    }

    async fn a_492_signed_values_that_ask_for_work(setup: Setup) {
        let (world, key) = keyed(setup).await;
        Tokens::of(&by(&world, &signed(&key, HEADER, &claims(&world, "j-1", ""))).await);
        let good = claims(&world, "j-2", "");
        let zeroes = "A".repeat(25_000);
        let bombs = [
            signed(&key, r#"{"alg":"ES256","zip":"DEF"}"#, &good),
            signed(&key, r#"{"alg":"ES256","crit":["zip"],"zip":"DEF"}"#, &good),
            signed(&key, r#"{"alg":"ES256","b64":false,"crit":["b64"]}"#, &good),
            signed(&key, r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647}"#, &good),
            signed(&key, r#"{"alg":"none"}"#, &good),
            ".".repeat(50_000),
            format!("{}.a.a.a", signed(&key, HEADER, &good)),
            format!("{zeroes}.{zeroes}"),
            format!("e30.{zeroes}.{zeroes}").chars().take(60_000).collect(),
            format!("eyJhbGciOiJFUzI1NiJ9.{zeroes}."),
        ];
        for bomb in &bombs {
            assert_refused(&by(&world, bomb).await, 401, "invalid_client");
            assert!(!is_active(&world, bomb).await);
        }
        Tokens::of(&by(&world, &signed(&key, HEADER, &good)).await);
    }

    async fn a_493_without_a_place_to_remember_nothing_is_accepted(setup: Setup) {
        let (world, key) = keyed(setup).await;
        let assertion = signed(&key, HEADER, &claims(&world, "j-1", ""));
        for outage in [Outage::Commits, Outage::Answers, Outage::All] {
            world.faults.outage(outage);
            assert_refused(&by(&world, &assertion).await, 503, "temporarily_unavailable");
        }
        world.faults.outage(Outage::None);
        // The answer that was lost may have taken the identifier: that refuses, and never admits twice.
        assert_refused(&by(&world, &assertion).await, 401, "invalid_client");
        for n in 0..40 {
            let fresh = signed(&key, HEADER, &claims(&world, &format!("k-{n}"), ""));
            Tokens::of(&by(&world, &fresh).await);
            assert_refused(&by(&world, &fresh).await, 401, "invalid_client");
        }
        // What is remembered is bounded by time: it goes when the assertion could not be used any more.
        let range = Key::builder(Class::Main, "client_assertion").range();
        let scan = [Scan::records(range, 100)];
        let held = async || {
            world.store.scan(TenantId::DEFAULT, &scan).await.unwrap()[0].records.len()
        };
        assert_eq!(held().await, 41);
        world.clock.advance(Duration::from_secs(300 + 61));
        let now = world.clock.now();
        world.store.sweep(Sweep::Expired { now }, 1000).await.unwrap();
        assert_eq!(held().await, 0);
    }

    async fn a_490_lives_without_end_and_cookies_that_are_none(setup: Setup) {
        let pages = HeadlessUrls::new(
            "https://a.example/in", "https://a.example/allow", "https://a.example/out",
        );
        let world = World::with(setup, move |builder| builder.challenges(pages)).await;
        let (browser, desk) = (Browser::new(), world.provider.desk());
        let asked = open(&world, &browser, &request("web").url(&world)).await.callback();
        let mut accept = AcceptLogin::new("u-alice").remember(true);
        accept.remember_for = Some(Duration::MAX);
        let to = desk.accept(asked.get("login_challenge"), Accept::Login(accept)).await.unwrap();
        let asked = open(&world, &browser, &to.url).await.callback();
        let mut accept = AcceptConsent::new(Scopes::parse("openid").unwrap());
        (accept.remember, accept.remember_for) = (true, Some(Duration::MAX));
        let to = desk.accept(asked.get("consent_challenge"), Accept::Consent(accept)).await.unwrap();
        let code = open(&world, &browser, &to.url).await.callback().code();
        Tokens::of(&redeem(&world, WEB, &code).await);
        let session = browser.cookie("auth_session").unwrap();

        let silent = request("web").set("prompt", "none").set("scope", "openid").url(&world);
        let ask = async |cookie: &str| {
            let browser = Browser::new();
            let request = browser.http().get(&silent).header("cookie", cookie);
            let reply = browser.send(request).await.unwrap();
            follow(&world, &browser, reply).await.callback()
        };
        ask(&format!("auth_session={session}")).await.code();
        for odd in [
            "auth_session=x; Max-Age=99999999999999999999999999999999999999".to_owned(),
            "auth_session=x; Expires=Fri, 31-Dec-999999999 23:59:59 GMT".to_owned(),
            "auth_session".to_owned(),
            "=; ;;==;auth_session==".to_owned(),
            format!("auth_session={}", "%".repeat(4_000)),
        ] {
            assert_redirected(&world, &ask(&odd).await, "login_required");
        }
    }

    async fn a_491_a_stored_hash_that_is_none(setup: Setup) {
        let secret = "a-secret-that-a-person-chose";
        let client = Client::service("human", secret).scope("openid orders:read");
        let world = World::with(setup, move |builder| builder.client(client)).await;
        let form = [("grant_type", "client_credentials"), ("scope", "orders:read")];
        let human = By::Basic("human", secret);
        Tokens::of(&token(&world, human, &form).await);
        let scan = [Scan::records(Key::builder(Class::Main, "client").range(), 100)];
        let pages = world.store.scan(TenantId::DEFAULT, &scan).await.unwrap();
        let records = &pages[0].records;
        let record = records.iter().find(|record| record.value.contains("$argon2id$")).unwrap();
        let start = record.value.find("$argon2id$").unwrap();
        let end = start + record.value[start..].find('"').unwrap();
        for garbage in ["", "$", "$argon2id$", "$argon2id$v=19$m=99999999999,t=1,p=1$AAAA$AAAA", "é\u{0}"] {
            let garbage = garbage.replace('\u{0}', "\\u0000");
            let value = format!("{}{garbage}{}", &record.value[..start], &record.value[end..]);
            crate::stor::write(&*world.store, TenantId::DEFAULT, &record.key, &value).await;
            // What was known of the client is known no more.
            world.clock.advance(Duration::from_secs(6));
            let refused = token(&world, human, &form).await;
            assert!([401, 500].contains(&refused.status.as_u16()), "{}", refused.text());
            assert!(!refused.text().contains("argon2") && !refused.text().contains("access_token"));
            Tokens::of(&token(&world, SVC, &form).await);
        }
        crate::stor::write(&*world.store, TenantId::DEFAULT, &record.key, &record.value).await;
        world.clock.advance(Duration::from_secs(6));
        Tokens::of(&token(&world, human, &form).await);
    }
}

#[test]
fn a_492_the_time_grows_with_the_value_and_no_faster() {
    assert!(CompactJws::parse(&"a".repeat(CompactJws::MAX_LEN + 1)).is_err());
    // Below that: each half stands for 64 times its length.
    let texts = [64, 256].map(|kib: usize| {
        let header = URL_SAFE_NO_PAD.encode(HEADER);
        let long = "A".repeat(kib * 1024 / 64);
        let whole = format!("{header}.{long}.{long}");
        assert!(CompactJws::parse(&whole).is_ok());
        (kib * 1024, [whole, ".".repeat(kib * 32), long])
    });
    let ratio = crate::dosr::four_times(|size| {
        let (_, texts) = texts.iter().find(|(known, _)| *known == size).unwrap();
        // Several times, so that there is something to measure.
        for text in texts.iter().cycle().take(300) {
            std::hint::black_box(CompactJws::parse(std::hint::black_box(text)).is_ok());
        }
    });
    assert!(ratio < 9.0, "{ratio}");
}
