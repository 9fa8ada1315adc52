//! Requests that are made to exhaust something, by whoever may send one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth_core::{Identity, MemoryDirectory, PasswordCost, PasswordHasher, Secret};
use auth_testkit::Browser;
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};

use crate::flow::*;
use crate::world::{PASSWORD, World};

const SERVICE_FORM: [(&str, &str); 2] =
    [("grant_type", "client_credentials"), ("scope", "orders:read")];

/// Sends a head and 72 KiB of a body, reads the answer, then goes on until nobody takes it any more; says
/// whether that was before long.
fn pour(address: &str, head: &str, chunked: bool) -> (String, bool) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let line = format!("POST /oauth2/token HTTP/1.1\r\nhost: {address}\r\n{head}\r\n\r\n");
    stream.write_all(line.as_bytes()).unwrap();
    let payload = [b'a'; 8 * 1024];
    let piece = match chunked {
        true => [b"2000\r\n".as_slice(), &payload, b"\r\n"].concat(),
        false => payload.to_vec(),
    };
    for _ in 0..9 {
        stream.write_all(&piece).unwrap();
    }
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    let pieces = if chunked { 100 } else { 1_500 };
    let closed = (0..pieces).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        stream.write_all(&piece).is_err()
    });
    (answer, closed)
}

blackbox! {
    async fn a_483_a_body_without_end(setup: Setup) {
        let world = World::start(setup).await;
        let before = world.store.snapshot();
        let address = world.issuer.strip_prefix("http://").unwrap().to_owned();
        let kind = "content-type: application/x-www-form-urlencoded";
        for (length, chunked) in
            [("transfer-encoding: chunked", true), ("content-length: 10000000000", false)]
        {
            let (address, head) = (address.clone(), format!("{kind}\r\n{length}"));
            let poured = tokio::task::spawn_blocking(move || pour(&address, &head, chunked));
            let (answer, closed) = poured.await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 413 "), "{length}: {answer}");
            assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
            // actix-web reads on what comes in chunks, and drops it, for as long as it comes.
            assert!(chunked || closed, "the connection is closed");
        }
        assert_eq!(world.store.since(before).round_trips(), 0);
        Tokens::of(&token(&world, SVC, &SERVICE_FORM).await);
    }

    async fn a_486_hashes_are_bounded_and_hold_up_nobody_else(setup: Setup) {
        let pool = PasswordHasher::new(PasswordCost::DEFAULT, 1);
        let people = MemoryDirectory::new(pool.clone());
        let alice = Identity::new("u-alice", "Alice");
        people.insert("alice", &Secret::from(PASSWORD), alice).await.unwrap();
        let directory = people.clone();
        let world = World::with(setup, move |builder| builder.directory(directory)).await;
        let tokens = tokens(&world).await;
        let browser = Browser::new();
        let page = open(&world, &browser, &request("web").url(&world)).await.page();
        let challenge = page.hidden("login_challenge").unwrap();

        // Somebody keeps every place of the queue taken, as thousands of sign-ins do.
        let flood = Arc::new(AtomicBool::new(true));
        let floods: Vec<_> = (0..48)
            .map(|n: u8| {
                let (flood, pool) = (flood.clone(), pool.clone());
                tokio::spawn(async move {
                    while flood.load(Ordering::SeqCst) {
                        if pool.hash(&Secret::from("x"), [n; 16]).await.is_err() {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    }
                })
            })
            .collect();
        let mut refused = 0;
        for n in 0..40 {
            let form = [
                ("login_challenge", &*challenge),
                ("identifier", &*format!("nobody-{n}")),
                ("password", "x"),
                ("action", "login"),
            ];
            let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
            // Whoever waits in the queue is told that nobody has this password; the others to wait.
            if reply.status == 503 {
                assert_page(&reply, 503);
                assert!(reply.header("retry-after").parse::<u32>().unwrap() >= 1);
                refused += 1;
            } else {
                assert_eq!(reply.status, 400, "{}", reply.text());
            }
            // Whatever needs no password goes on.
            let jwks = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap();
            assert_eq!(jwks.status, 200);
            Tokens::of(&token(&world, SVC, &SERVICE_FORM).await);
            assert_eq!(userinfo(&world, &tokens.access).await.status, 200);
            if refused >= 3 {
                break;
            }
        }
        assert!(refused >= 3, "the queue has a bound");
        flood.store(false, Ordering::SeqCst);
        join_all(floods).await;
        authorize(&world, &browser, &ALICE, &request("web")).await.callback().code();
    }

    async fn a_488_long_lists_are_answered(setup: Setup) {
        let world = World::start(setup).await;
        let before = world.store.snapshot();
        let scopes: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
        let all = scopes.join(" ");
        for (scope, status) in [(&all[..60_000], 400), (&all[..], 413)] {
            let reply = token(&world, SVC, &[SERVICE_FORM[0], ("scope", scope)]).await;
            assert_eq!(reply.status, status, "{}", reply.text());
        }
        assert_eq!(world.store.since(before).commits, 0);
        let list = "a,".repeat(3_000);
        for (name, value) in [
            ("accept-language", list.clone()),
            ("accept-language", ",".repeat(6_000)),
            ("accept-language", "en;q=0.".to_owned() + &"9".repeat(6_000)),
            ("x-forwarded-for", "1.1.1.1,".repeat(800)),
            ("x-forwarded-for", list),
            ("cookie", "a=b; ".repeat(1_200)),
        ] {
            let browser = Browser::new();
            let ask = browser.http().get(request("web").url(&world)).header(name, value);
            let reply = browser.send(ask).await.unwrap();
            assert!(reply.status.is_redirection(), "{name}: {}", reply.status);
        }
    }

    async fn a_498_forgeries_cost_the_store_nothing(setup: Setup) {
        let world = World::start(setup).await;
        let tokens = tokens(&world).await;
        // Configuration is cached, by each process.
        for _ in 0..12 {
            assert!(is_active(&world, &tokens.access).await);
        }
        let mut forged: Vec<String> = Vec::new();
        for real in [&tokens.access, &tokens.refresh, &tokens.id] {
            for at in (4..real.len() - 2).step_by(3) {
                let mut bytes = real.clone().into_bytes();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                forged.push(String::from_utf8(bytes).unwrap());
            }
        }
        forged.extend(["at_", "rt_", "x", "eyJhbGciOiJub25lIn0.e30.", "a.b.c"].map(str::to_owned));
        assert!(forged.len() > 200);
        let (world, before) = (&world, world.store.snapshot());
        stream::iter(&forged).for_each_concurrent(8, async |token| {
            assert_eq!(userinfo(world, token).await.status, 401);
            assert!(!is_active(world, token).await);
            let bearer = Secret::new(token.clone());
            assert!(world.provider.authority().bearer(&bearer).await.is_err());
        })
        .await;
        assert_eq!(world.store.since(before).round_trips(), 0, "{} forgeries", forged.len());
        assert!(is_active(world, &tokens.access).await);
    }

    async fn a_499_a_family_is_not_killed_by_forgeries(setup: Setup) {
        let world = World::start(setup).await;
        let first = tokens(&world).await.refresh;
        let second = Tokens::of(&refresh(&world, WEB, &first).await).refresh;
        // Past the grace for a client that raced against itself.
        world.clock.advance(Duration::from_secs(60));
        let before = world.store.snapshot();
        for at in (3..first.len()).step_by(5) {
            let mut bytes = first.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).unwrap();
            assert_refused(&refresh(&world, WEB, &forged).await, 400, "invalid_grant");
        }
        assert_eq!(world.store.since(before).commits, 0);
        let third = Tokens::of(&refresh(&world, WEB, &second).await).refresh;
        // A real one that was used says that somebody has a copy: that ends the family.
        world.clock.advance(Duration::from_secs(60));
        assert_refused(&refresh(&world, WEB, &first).await, 400, "invalid_grant");
        assert_refused(&refresh(&world, WEB, &third).await, 400, "invalid_grant");
    }

    async fn a_502_a_body_that_is_packed(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let before = world.store.snapshot();
        for encoding in ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"] {
            let ask = browser.http().post(world.url("/oauth2/token"));
            let ask = ask.basic_auth("svc", Some(crate::world::SECRET)).form(&SERVICE_FORM);
            let reply = browser.send(ask.header("content-encoding", encoding)).await.unwrap();
            assert_eq!(reply.status, 415, "{encoding}");
            assert_eq!(reply.header("accept-encoding"), "identity");
        }
        assert_eq!(world.store.since(before).round_trips(), 0);
        let ask = browser.http().post(world.url("/oauth2/token"));
        let ask = ask.basic_auth("svc", Some(crate::world::SECRET)).form(&SERVICE_FORM);
        Tokens::of(&browser.send(ask.header("content-encoding", "identity")).await.unwrap());
    }
}

/// How much more work four times the input is, at the best of several runs, by the processor's time.
pub fn four_times(work: impl Fn(usize)) -> f64 {
    let best = |size: usize| {
        let run = || {
            let begun = cpu_time::ThreadTime::now();
            work(size);
            begun.elapsed()
        };
        (0..9).map(|_| run()).min().unwrap_or_default().as_secs_f64()
    };
    best(256 * 1024) / best(64 * 1024)
}

#[test]
fn a_488_the_time_grows_with_the_input_and_no_faster() {
    use auth_core::Scopes;
    use auth_core::http::{Form, TrustedProxies, preferred_locales};
    use http::{HeaderMap, HeaderName, HeaderValue, header};

    let headers = |name: HeaderName, item: &str, size: usize| {
        let text = item.repeat(size / item.len());
        HeaderMap::from_iter([(name, HeaderValue::from_str(&text).unwrap())])
    };
    let forwarded = HeaderName::from_static("x-forwarded-for");
    let everybody = TrustedProxies::parse(["0.0.0.0/0"]).unwrap();
    let peer = "10.0.0.1".parse().unwrap();
    type Work<'a> = Box<dyn Fn(usize) + 'a>;
    let works: [(&str, Work<'_>); 5] = [
        (
            "locales",
            Box::new(|size| {
                drop(preferred_locales(None, &headers(header::ACCEPT_LANGUAGE, "x;q=0.1,", size)));
            }),
        ),
        (
            "blanks",
            Box::new(|size| drop(preferred_locales(Some(&" ".repeat(size)), &HeaderMap::new()))),
        ),
        (
            "proxies",
            Box::new(|size| {
                let headers = headers(forwarded.clone(), "1.1.1.1,1.1.1.1", size);
                assert!(everybody.client(peer, &headers).is_ipv4());
            }),
        ),
        (
            "one long value",
            Box::new(|size| drop(Form::from_query(Some(&format!("a={}", "%41".repeat(size / 3)))))),
        ),
        (
            "many parameters",
            Box::new(|size| drop(Form::from_query(Some(&"a=1&".repeat(size / 4))))),
        ),
    ];
    for (name, work) in works {
        // A square would be 16.
        let ratio = four_times(work);
        assert!(ratio < 9.0, "{name}: {ratio}");
    }
    // A scope is never longer than 4096 bytes.
    let values: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    assert!(Scopes::parse(&values.join(" ")).is_err());
    assert!(Scopes::parse(&values[..700].join(" ")).is_ok());
}
