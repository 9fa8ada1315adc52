//! Client authentication by secret: Basic, body, rotation, guessing.

use std::num::NonZeroU32;
use std::time::Duration;

use auth_core::{MemoryRateLimiter, Secret, SystemEntropy};
use auth_oidc::client::{
    AccessTokenFormat, Client, GrantType, TokenEndpointAuthMethod, generate_client_secret,
};
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use url::form_urlencoded::byte_serialize;

use crate::flow::*;
use crate::world::{SECRET, SPA_CALLBACK, WEB_CALLBACK, World};

/// A form that any client may send which has `client_credentials`.
pub const CREDENTIALS_GRANT: [(&str, &str); 2] =
    [("grant_type", "client_credentials"), ("scope", "orders:read")];

/// Whatever is refused below, it is not because there were too many attempts.
pub fn without_limits() -> MemoryRateLimiter {
    let many = NonZeroU32::new(100_000).unwrap();
    MemoryRateLimiter::new(many, many)
}

/// The token endpoint, with these `Authorization` headers, byte for byte.
async fn with_headers(world: &World, headers: &[&[u8]]) -> Reply {
    let browser = Browser::new();
    let mut request = browser.http().post(world.url("/oauth2/token")).form(&CREDENTIALS_GRANT);
    for header in headers {
        request = request.header("authorization", *header);
    }
    browser.send(request).await.unwrap()
}

async fn with_basic(world: &World, credentials: &[u8]) -> Reply {
    let header = format!("Basic {}", STANDARD.encode(credentials));
    with_headers(world, &[header.as_bytes()]).await
}

fn assert_challenged(reply: &Reply) {
    assert_refused(reply, 401, "invalid_client");
    assert!(reply.header("www-authenticate").starts_with("Basic "), "{:?}", reply.headers);
}

fn service(id: &str, secret: &str) -> Client {
    Client::service(id, secret).scope("openid orders:read")
}

blackbox! {
    async fn a_081_two_ways_at_once(setup: Setup) {
        let world = World::start(setup).await;
        let assertion = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJzdmMifQ.c2ln";
        let typed = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let body_secret = [("client_id", "svc"), ("client_secret", SECRET)];
        let body_assertion = [("client_assertion", assertion), ("client_assertion_type", typed)];
        let empty_secret = [("client_id", "svc"), ("client_secret", "")];
        let both = [body_secret, body_assertion].concat();
        let cases: [(By<'_>, &[(&str, &str)]); 5] = [
            (SVC, &body_secret),
            (SVC, &body_assertion),
            (SVC, &empty_secret),
            (By::Nothing, &both),
            (SVC, &both),
        ];
        Tokens::of(&token(&world, SVC, &CREDENTIALS_GRANT).await);
        let before = world.store.snapshot();
        for (by, more) in cases {
            let form = [&CREDENTIALS_GRANT[..], more].concat();
            assert_refused(&token(&world, by, &form).await, 400, "invalid_request");
            let form = [&[("token", "x")], more].concat();
            let reply = post_as(&world, "/oauth2/revoke", by, &form).await;
            assert_refused(&reply, 400, "invalid_request");
            // Whoever is nobody learns nothing from introspection, not even what is wrong.
            let reply = post_as(&world, "/oauth2/introspect", by, &form).await;
            assert_challenged(&reply);
        }
        // Nor may two ways name two clients.
        let form = [&CREDENTIALS_GRANT[..], &[("client_id", "rs")]].concat();
        assert_refused(&token(&world, SVC, &form).await, 400, "invalid_request");
        assert_eq!(world.store.since(before).round_trips(), 0);
        // The name alone is no second way.
        let form = [&CREDENTIALS_GRANT[..], &[("client_id", "svc")]].concat();
        Tokens::of(&token(&world, SVC, &form).await);
    }

    async fn a_083_basic_that_is_loosely_encoded(setup: Setup) {
        let secret = "?>?>?>?>?>?>?>?";
        let world = World::with(setup, |b| {
            b.client(service("odd", secret)).rate_limiter(without_limits())
        })
        .await;
        let credentials = format!("odd:{secret}");
        let good = STANDARD.encode(&credentials);
        assert!(good.contains('/') && good.ends_with('='), "the cases below need both: {good}");
        for scheme in ["Basic", "basic", "BASIC"] {
            let header = format!("{scheme} {good}");
            Tokens::of(&with_headers(&world, &[header.as_bytes()]).await);
        }
        let before = world.store.snapshot();
        let mut headers: Vec<Vec<u8>> = [
            format!("Basic {}", URL_SAFE.encode(&credentials)),
            format!("Basic {}", STANDARD_NO_PAD.encode(&credentials)),
            format!("Basic {good}="),
            format!("Basic {good}===="),
            format!("Basic  {good}"),
            format!("Basic\t{good}"),
            format!("Basic {} {}", &good[..8], &good[8..]),
            format!("Basic {good},{good}"),
            format!("Basic {good} realm=x"),
            format!("Basic{good}"),
            good.clone(),
            "Basic".to_owned(),
            "Basic ====".to_owned(),
            format!("Bearer {good}"),
            format!("Digest {good}"),
            format!("Basic {}", STANDARD.encode("odd")),
            format!("Basic {}", STANDARD.encode(format!("odd%3A{secret}"))),
            format!("Basic {}", STANDARD.encode(b"odd:\xFF\xFE")),
            format!("Basic {}", STANDARD.encode(b"odd:%FF%FE")),
            format!("Basic {}", STANDARD.encode(b"%C0%AF:x")),
        ]
        .map(String::into_bytes)
        .into();
        // One character stands for the same bytes with other bits that are not looked at.
        let at = good.trim_end_matches('=').len() - 1;
        let mut slack = good.clone().into_bytes();
        slack[at] += 1;
        headers.push([b"Basic ".as_slice(), &slack].concat());
        headers.push([b"Basic ".as_slice(), b"\xFF\xFE"].concat());
        for header in &headers {
            let reply = with_headers(&world, &[header]).await;
            assert!(reply.status == 401, "{} to {}", reply.status, String::from_utf8_lossy(header));
            assert_challenged(&reply);
        }
        let header = format!("Basic {good}");
        assert_challenged(&with_headers(&world, &[header.as_bytes(), header.as_bytes()]).await);
        assert_eq!(world.store.since(before).round_trips(), 0, "refused before anything is read");
    }

    async fn a_083_basic_is_decoded_once(setup: Setup) {
        let world = World::with(setup, |b| {
            let clients = [service("literal", "se%41cret"), service("decoded", "seAcret")];
            clients.into_iter().fold(b, auth_oidc::ProviderBuilder::client)
        })
        .await;
        Tokens::of(&with_basic(&world, b"literal:se%2541cret").await);
        Tokens::of(&with_basic(&world, b"decoded:se%41cret").await);
        Tokens::of(&with_basic(&world, b"decoded:seAcret").await);
        for twice in ["literal:se%252541cret", "decoded:se%2541cret", "literal:seAcret"] {
            assert_challenged(&with_basic(&world, twice.as_bytes()).await);
        }
        // The id is encoded, too.
        Tokens::of(&with_basic(&world, b"%64ecoded:seAcret").await);
        assert_challenged(&with_basic(&world, b"%2564ecoded:seAcret").await);
    }

    async fn a_083_secrets_of_every_character_in_both_forms(setup: Setup) {
        // Some libraries encode id and secret as forms, as RFC 6749 §2.3.1 says, and some do not. Then
        // a `+` is read as a blank and `%41` as an A, unless something else shows that it is not
        // encoded.
        let both = [
            "colons:and/slashes?",
            "blank and 100%",
            "+/base64+/==",
            "a&b=c",
            "Geheimnis-ß-비밀",
            "~!*'()-._",
        ];
        let encoded_only = ["plus+plus", "percent%41"];
        let world = World::with(setup, |builder| {
            let clients = both.iter().chain(&encoded_only).enumerate();
            clients.fold(builder.rate_limiter(without_limits()), |builder, (i, secret)| {
                builder.client(service(&format!("urn:client:{i}"), secret))
            })
        })
        .await;
        let form_encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        // What JavaScript's libraries do: every byte but letters and digits.
        let encode_all = |text: &str| {
            let one = |byte: u8| match char::from(byte) {
                plain if plain.is_ascii_alphanumeric() => plain.to_string(),
                _ => format!("%{byte:02X}"),
            };
            text.bytes().map(one).collect::<String>()
        };
        for (i, secret) in both.iter().chain(&encoded_only).enumerate() {
            let id = format!("urn:client:{i}");
            for encode in [&form_encode as &dyn Fn(&str) -> String, &encode_all] {
                let credentials = format!("{}:{}", encode(&id), encode(secret));
                let reply = with_basic(&world, credentials.as_bytes()).await;
                assert_eq!(reply.status, 200, "{credentials} for {secret}: {}", reply.text());
            }
        }
        // An id with a colon cannot be sent as it is; names without one can.
        let world = World::with(setup, |builder| {
            let clients = both.iter().chain(&encoded_only).enumerate();
            clients.fold(builder.rate_limiter(without_limits()), |builder, (i, secret)| {
                builder.client(service(&format!("client-{i}"), secret))
            })
        })
        .await;
        for (i, secret) in both.iter().chain(&encoded_only).enumerate() {
            let reply = with_basic(&world, format!("client-{i}:{secret}").as_bytes()).await;
            let expected = if i < both.len() { 200 } else { 401 };
            assert_eq!(reply.status, expected, "{secret}: {}", reply.text());
        }
    }

    async fn a_091_secrets_are_guessed(setup: Setup) {
        let world = World::start(setup).await;
        Tokens::of(&token(&world, SVC, &CREDENTIALS_GRANT).await);
        let mut refused = 0;
        let blocked = loop {
            let reply = token(&world, By::Basic("svc", "guess"), &CREDENTIALS_GRANT).await;
            if reply.status == 429 {
                break reply;
            }
            assert_challenged(&reply);
            refused += 1;
            assert!(refused < 40, "guessing is never stopped");
        };
        let wait = |reply: &Reply| reply.header("retry-after").parse::<u64>().unwrap();
        assert!((1..=60).contains(&wait(&blocked)), "{:?}", blocked.headers);
        assert_refused(&blocked, 429, "invalid_client");
        // The right secret does not help now, nor another endpoint, nor a header that anyone sets.
        let form = [("token", "x")];
        for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
            let form: &[_] = if path == "/oauth2/token" { &CREDENTIALS_GRANT } else { &form };
            assert!(wait(&post_as(&world, path, SVC, form).await) >= 1, "{path}");
        }
        let browser = Browser::new();
        let spoofed = browser.http().post(world.url("/oauth2/token")).form(&CREDENTIALS_GRANT);
        let spoofed = spoofed.basic_auth("svc", Some(SECRET)).header("x-forwarded-for", "192.0.2.1");
        assert_eq!(browser.send(spoofed).await.unwrap().status, 429);
        // Another client from the same place is served.
        assert_eq!(post_as(&world, "/oauth2/introspect", RS, &form).await.status, 200);
    }

    async fn a_091_whoever_guesses_elsewhere_locks_nobody_out(setup: Setup) {
        let world = World::start(setup).await;
        let guess = async || token(&world, By::Basic("svc", "guess"), &CREDENTIALS_GRANT).await;
        for _ in 0..40 {
            if guess().await.status == 429 {
                break;
            }
        }
        assert_refused(&token(&world, SVC, &CREDENTIALS_GRANT).await, 429, "invalid_client");
        let elsewhere = reqwest::Client::builder().local_address("127.0.0.2".parse().ok()).build();
        let request = elsewhere.unwrap().post(world.url("/oauth2/token"));
        let request = request.basic_auth("svc", Some(SECRET)).form(&CREDENTIALS_GRANT);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    async fn a_091_a_busy_client_is_not_limited(setup: Setup) {
        let world = World::start(setup).await;
        for _ in 0..60 {
            Tokens::of(&token(&world, SVC, &CREDENTIALS_GRANT).await);
        }
        // What we generate has 256 bits, which nobody guesses at any rate.
        let generated = || generate_client_secret(&SystemEntropy::default()).unwrap();
        let (one, other) = (generated(), generated());
        assert!(one != other && one.expose().len() == "cs_".len() + 43, "32 bytes in base64url");
    }

    async fn a_092_an_absent_secret_is_no_secret(setup: Setup) {
        // Failures are not counted in the store here.
        let world = World::with(setup, |b| b.rate_limiter(without_limits())).await;
        Tokens::of(&token(&world, SVC, &CREDENTIALS_GRANT).await);
        let before = world.store.snapshot();
        // A public client has no tokens of its own, however it says who it is.
        let reply = token(&world, By::None("spa"), &CREDENTIALS_GRANT).await;
        assert_refused(&reply, 400, "unauthorized_client");
        // Absence is never equal to absence.
        for by in ["svc", "web"].into_iter().flat_map(|id| [By::Basic(id, ""), By::Post(id, "")]) {
            assert_refused(&token(&world, by, &CREDENTIALS_GRANT).await, 401, "invalid_client");
        }
        let reply = token(&world, By::Basic("spa", ""), &CREDENTIALS_GRANT).await;
        assert_refused(&reply, 401, "invalid_client");
        // An empty parameter is one that was left out (RFC 6749 §3.2): a public client, as it is.
        let reply = token(&world, By::Post("spa", ""), &CREDENTIALS_GRANT).await;
        assert_refused(&reply, 400, "unauthorized_client");
        let reply = token(&world, By::None("svc"), &CREDENTIALS_GRANT).await;
        assert_refused(&reply, 401, "invalid_client");
        assert_eq!(world.store.since(before).commits, 0);

        // And no client can be registered into that state.
        let clients = world.provider.clients();
        let public_service = Client::public("p").redirect_uri(SPA_CALLBACK);
        let no_secret = Client::public("p").redirect_uri(SPA_CALLBACK);
        let no_keys = Client::confidential("p", SECRET).redirect_uri(SPA_CALLBACK);
        for bad in [
            Client::service("p", ""),
            Client::confidential("p", "").redirect_uri(SPA_CALLBACK),
            public_service.grant_type(GrantType::ClientCredentials),
            no_secret.auth_method(TokenEndpointAuthMethod::ClientSecretBasic),
            no_keys.auth_method(TokenEndpointAuthMethod::PrivateKeyJwt),
        ] {
            assert!(clients.put(bad.clone()).await.is_err(), "{bad:?}");
        }
        assert!(clients.get(&"p".into()).await.unwrap().is_none());
    }

    async fn a_092_what_is_stored_is_what_counts(setup: Setup) {
        let world = World::start(setup).await;
        // A client that becomes public loses its secret's power, and gets no tokens of its own.
        let public = Client::public("svc").redirect_uri(SPA_CALLBACK).scope("openid orders:read");
        world.provider.clients().put(public).await.unwrap();
        assert_refused(&token(&world, SVC, &CREDENTIALS_GRANT).await, 401, "invalid_client");
        let reply = token(&world, By::None("svc"), &CREDENTIALS_GRANT).await;
        assert_refused(&reply, 400, "unauthorized_client");
    }

    async fn a_093_a_client_with_the_name_of_a_person(setup: Setup) {
        let world = World::with(setup, |b| {
            let jwt = service("u-alice", SECRET).access_token_format(AccessTokenFormat::Jwt);
            b.client(jwt).client(service("u-bob", SECRET))
        })
        .await;
        let form = [("grant_type", "client_credentials"), ("scope", "openid orders:read")];
        let person = tokens(&world).await;
        assert_eq!(userinfo(&world, &person.access).await.json()["sub"], "u-alice");
        for id in ["u-alice", "u-bob"] {
            let reply = token(&world, By::Basic(id, SECRET), &form).await;
            let access = Tokens::of(&reply).access;
            assert!(is_active(&world, &access).await);
            // It is good, but it is nobody's.
            assert_eq!(userinfo(&world, &access).await.status, 403);
            let bearer = Secret::new(access);
            let principal = world.provider.authority().bearer(&bearer).await.unwrap();
            assert_eq!(principal.subject, None);
            assert_eq!(principal.client_id.unwrap().as_str(), id);
            // Nor does it come with anything that only a person has.
            assert!(reply.json().get("id_token").is_none());
            assert!(reply.json().get("refresh_token").is_none());
        }
        let bearer = Secret::new(person.access);
        let principal = world.provider.authority().bearer(&bearer).await.unwrap();
        assert_eq!(principal.subject.unwrap().as_str(), "u-alice");
    }

    async fn a_094_the_old_secret_after_a_rotation(setup: Setup) {
        let world = World::with(setup, |b| b.rate_limiter(without_limits())).await;
        let clients = world.provider.clients();
        let id = "svc".into();
        let new = generate_client_secret(&SystemEntropy::default()).unwrap();
        let overlap = Duration::from_secs(3600);
        clients.rotate_secret(&id, &new, overlap).await.unwrap();
        let new = By::Basic("svc", new.expose());
        for _ in 0..2 {
            for by in [SVC, new] {
                Tokens::of(&token(&world, by, &CREDENTIALS_GRANT).await);
            }
            world.clock.advance(overlap / 2 - Duration::from_secs(1));
        }
        world.clock.advance(Duration::from_secs(2));
        for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"] {
            let form = [&CREDENTIALS_GRANT[..], &[("token", "x")]].concat();
            assert_eq!(post_as(&world, path, new, &form).await.status, 200);
            assert_challenged(&post_as(&world, path, SVC, &form).await);
        }
        // A second rotation does not bring an old one back, and without an overlap it is at once.
        let newest = "a secret of their own choice";
        clients.rotate_secret(&id, &Secret::from(newest), Duration::ZERO).await.unwrap();
        Tokens::of(&token(&world, By::Basic("svc", newest), &CREDENTIALS_GRANT).await);
        for by in [SVC, new] {
            assert_challenged(&token(&world, by, &CREDENTIALS_GRANT).await);
        }
        // So is a secret that comes with new metadata.
        clients.put(service("svc", SECRET)).await.unwrap();
        Tokens::of(&token(&world, SVC, &CREDENTIALS_GRANT).await);
        for by in [new, By::Basic("svc", newest)] {
            assert_challenged(&token(&world, by, &CREDENTIALS_GRANT).await);
        }
    }

    async fn a_094_an_overlap_is_not_prolonged_by_the_next_rotation(setup: Setup) {
        let world = World::start(setup).await;
        let (clients, id) = (world.provider.clients(), "svc".into());
        let hour = Duration::from_secs(3600);
        clients.rotate_secret(&id, &Secret::from("the second secret"), hour).await.unwrap();
        world.clock.advance(hour / 2);
        clients.rotate_secret(&id, &Secret::from("the third secret"), hour * 24).await.unwrap();
        Tokens::of(&token(&world, SVC, &CREDENTIALS_GRANT).await);
        world.clock.advance(hour / 2);
        assert_challenged(&token(&world, SVC, &CREDENTIALS_GRANT).await);
        for secret in ["the second secret", "the third secret"] {
            Tokens::of(&token(&world, By::Basic("svc", secret), &CREDENTIALS_GRANT).await);
        }
    }

    async fn a_082_another_way_than_the_registered_one(setup: Setup) {
        let world = World::with(setup, |builder| {
            let in_body = TokenEndpointAuthMethod::ClientSecretPost;
            let key = crate::caut_assertion::new_key();
            let keyed = Client::private_key_jwt("keyed", crate::caut_assertion::jwks(&key));
            let keyed = keyed.redirect_uri(WEB_CALLBACK).grant_type(GrantType::ClientCredentials);
            let builder = builder.rate_limiter(without_limits());
            builder.client(service("posting", SECRET).auth_method(in_body)).client(keyed)
        })
        .await;
        Tokens::of(&token(&world, SVC, &CREDENTIALS_GRANT).await);
        Tokens::of(&token(&world, By::Post("posting", SECRET), &CREDENTIALS_GRANT).await);
        let before = world.store.snapshot();
        let wrong = [
            By::Post("svc", SECRET),
            By::None("svc"),
            By::Basic("posting", SECRET),
            By::None("posting"),
            By::Basic("keyed", SECRET),
            By::Basic("keyed", ""),
            By::Post("keyed", SECRET),
            By::None("keyed"),
            By::Basic("spa", SECRET),
            By::Post("spa", SECRET),
        ];
        for by in wrong {
            assert_refused(&token(&world, by, &CREDENTIALS_GRANT).await, 401, "invalid_client");
            for path in ["/oauth2/revoke", "/oauth2/introspect"] {
                let reply = post_as(&world, path, by, &[("token", "x")]).await;
                assert_refused(&reply, 401, "invalid_client");
            }
        }
        assert_eq!(world.store.since(before).commits, 0);
    }
}
