//! Request objects that are fetched (RFC 9101 §5.2, OpenID Connect Core §6.2).

use std::time::Duration;

use auth_core::keys::SigningKey;
use auth_fetch::SafeHttpClient;
use auth_oidc::client::{Client, ClientError};
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::json;
use url::Url;

use crate::authz::settled_browser;
use crate::caut_assertion::{jwks, new_key};
use crate::flow::*;
use crate::jars::{object, sign, sign_as, with};
use crate::rp::{Answers, RelyingParty, outgoing};
use crate::world::{Setup, WEB_CALLBACK, World, web};

const REQUEST: &str = "/request.jwt";

/// A world in which `web` publishes its requests, its server, and its key.
async fn start(setup: Setup) -> (World, RelyingParty, SigningKey) {
    let (server, key) = (RelyingParty::start().await, new_key());
    let world = World::with(setup, |builder| {
        let client = web().jwks(jwks(&key)).request_uri(server.url(REQUEST));
        let other =
            Client::public("other").redirect_uri("https://other.example/cb").scope("openid");
        builder.http_client(outgoing()).client(client).client(other)
    })
    .await;
    (world, server, key)
}

fn url(world: &World, client: &str, request_uri: &str) -> String {
    let mut url = Url::parse(&world.url("/oauth2/auth")).unwrap();
    url.query_pairs_mut().append_pair("client_id", client).append_pair("request_uri", request_uri);
    url.into()
}

async fn get(world: &World, request_uri: &str) -> Reply {
    Browser::new().get(&url(world, "web", request_uri)).await.unwrap()
}

fn assert_bad(reply: &Reply, code: &str) {
    assert_page(reply, 400);
    assert!(reply.text().contains(code), "{}", reply.text());
    assert!(!reply.text().contains("127.0.0.1"), "{}", reply.text());
}

fn digest_of(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

blackbox! {
    async fn a_request_is_fetched_and_answered(setup: Setup) {
        let (world, server, key) = start(setup).await;
        server.publish(REQUEST, "", sign(&key, &object(&world)));
        let browser = Browser::new();
        // What stands beside it counts for nothing.
        let asked = format!("{}&redirect_uri=https%3A%2F%2Fevil.example%2F&state=evil-state-1", url(&world, "web", &server.url(REQUEST)));
        let end = open(&world, &browser, &asked).await;
        let callback = answer(&world, &browser, &ALICE, end).await.callback();
        assert!(callback.url.as_str().starts_with(WEB_CALLBACK), "{}", callback.url);
        assert_eq!(callback.get("state"), "state-1234567890");
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&tokens.id)["nonce"], "nonce-1234567890");
        assert_eq!(server.asked(), 1, "once, however often the person is asked something");
        let document = browser.get(&world.url("/.well-known/openid-configuration")).await.unwrap().json();
        assert_eq!(document["request_uri_parameter_supported"], true);
        assert_eq!(document["require_request_uri_registration"], true);
    }

    async fn a_fragment_is_the_digest_of_the_request(setup: Setup) {
        let (world, server, key) = start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let answered = async |request_uri: &str| {
            let end = open(&world, &browser, &url(&world, "web", request_uri)).await;
            end.callback().get("state").to_owned()
        };
        let first = sign(&key, &with(object(&world), "state", json!("first-state-1")));
        let second = sign(&key, &with(object(&world), "state", json!("second-state-2")));
        let at = |text: &str| format!("{}#{}", server.url(REQUEST), digest_of(text));
        server.publish(REQUEST, "max-age=3600", &*first);
        assert_eq!(answered(&at(&first)).await, "first-state-1");
        assert_eq!(answered(&at(&first)).await, "first-state-1");
        assert_eq!(server.asked(), 1);
        server.publish(REQUEST, "max-age=3600", &*second);
        world.clock.advance(Duration::from_secs(11));
        assert_eq!(answered(&at(&second)).await, "second-state-2", "it is fetched anew");
        assert_eq!(server.asked(), 1);
        for wrong in [at(&first), format!("{}#", server.url(REQUEST)), format!("{}#x", server.url(REQUEST))] {
            assert_bad(&get(&world, &wrong).await, "invalid_request_uri");
        }
        assert_eq!(answered(&server.url(REQUEST)).await, "second-state-2");
        assert_eq!(server.asked(), 0, "nobody makes us ask all the time");
    }

    async fn only_what_the_client_registered_is_fetched(setup: Setup) {
        let (world, server, key) = start(setup).await;
        let good = sign(&key, &object(&world));
        for path in [REQUEST, "/other.jwt"] {
            server.publish(path, "", &*good);
        }
        let uri = server.url(REQUEST);
        open(&world, &Browser::new(), &url(&world, "web", &uri)).await.page();
        assert_eq!(server.asked(), 1);
        let wrong = [
            server.url("/other.jwt"), format!("{uri}?x=1"), format!("{uri}/"), format!("{uri}/../other.jwt"), server.url("//request.jwt"),
            uri.replace("http://", "HTTP://"), uri.replace("127.0.0.1", "localhost"), "urn:example:request".into(),
            "urn:ietf:params:oauth:request_uri:AAAA".into(), "x".into(),
        ];
        for wrong in &wrong {
            assert_bad(&get(&world, wrong).await, "invalid_request_uri");
        }
        // Nor is that of another client, or one beside a request by value.
        let callback = request("other").set("redirect_uri", "https://other.example/cb").set("scope", "openid")
            .and("request_uri", &uri).url(&world);
        assert_redirected_to(&callback, "request_uri_not_supported").await;
        let both = format!("{}&request={good}", url(&world, "web", &uri));
        assert_bad(&Browser::new().get(&both).await.unwrap(), "invalid_request");
        assert_eq!(server.asked(), 0);
    }

    async fn what_is_fetched_is_a_request_object_like_any_other(setup: Setup) {
        let (world, server, key) = start(setup).await;
        let uri = server.url(REQUEST);
        let next = |text: String| {
            server.publish(REQUEST, "no-store", text);
            world.clock.advance(Duration::from_secs(11));
        };
        let good = object(&world);
        next(format!("{}\n", sign(&key, &good)));
        open(&world, &Browser::new(), &url(&world, "web", &uri)).await.page();
        let header = json!({"alg": "ES256", "typ": "oauth-authz-req+jwt"});
        for bad in [
            sign(&new_key(), &good),
            sign(&key, &with(object(&world), "client_id", json!("other"))),
            sign(&key, &with(object(&world), "aud", json!("https://evil.example"))),
            sign(&key, &with(object(&world), "request_uri", json!(uri))),
            sign_as(&key, &header, &with(object(&world), "exp", json!(1))),
            String::new(), "<html>".into(), "\u{fffd}".into(),
        ] {
            next(bad.clone());
            assert_bad(&get(&world, &uri).await, "invalid_request_object");
        }
        // One that nobody signed is a form of request that is not supported, as by value.
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        next(format!("{}.{}.", part(&json!({"alg": "none"})), part(&good)));
        let asked = format!("{}&redirect_uri={WEB_CALLBACK}&response_type=code", url(&world, "web", &uri));
        assert_redirected_to(&asked, "request_uri_not_supported").await;
    }

    async fn a_129_a_request_that_cannot_be_fetched_is_refused(setup: Setup) {
        let (world, server, key) = start(setup).await;
        let canary = RelyingParty::start().await;
        let good = sign(&key, &object(&world));
        canary.publish(REQUEST, "", &*good);
        server.publish(REQUEST, "no-store", &*good);
        open(&world, &Browser::new(), &url(&world, "web", &server.url(REQUEST))).await.page();
        for failure in [Answers::RedirectTo(canary.url(REQUEST)), Answers::Status(404), Answers::Late(Duration::from_secs(60))] {
            world.clock.advance(Duration::from_secs(11));
            server.asked();
            server.answers([failure]);
            for expected in [1, 0, 0] {
                assert_bad(&get(&world, &server.url(REQUEST)).await, "invalid_request_uri");
                assert_eq!(server.asked(), expected);
            }
        }
        assert_eq!(canary.asked(), 0);
        world.clock.advance(Duration::from_secs(11));
        open(&world, &Browser::new(), &url(&world, "web", &server.url(REQUEST))).await.page();
    }

    async fn a_130_requests_inside_of_the_network_are_not_registered(setup: Setup) {
        let world = World::with(setup, |builder| builder.http_client(SafeHttpClient::new().unwrap())).await;
        let clients = world.provider.clients();
        let with_keys = || web().jwks(jwks(&new_key()));
        clients.put(with_keys().request_uri("https://rp.example.com/r#digest")).await.unwrap();
        let long = format!("https://rp.example.com/{}", "r".repeat(500));
        for uri in ["https://127.0.0.1/r", "https://[::1]/r", "http://rp.example.com/r", "file:///etc/passwd", "/r", "", &long] {
            let refused = clients.put(with_keys().request_uri(uri)).await;
            let Err(ClientError::Invalid(error)) = refused else { panic!("{uri}: {refused:?}") };
            assert!(error.to_string().contains("request_uris"), "{error}");
        }
        let many = (0..21).fold(with_keys(), |client, n| client.request_uri(format!("https://rp.example.com/{n}")));
        clients.put(many).await.unwrap_err();
    }
}

/// Follows an authorization request that is refused at the client.
async fn assert_redirected_to(url: &str, code: &str) {
    let reply = Browser::new().get(url).await.unwrap();
    let to = Url::parse(reply.header("location")).unwrap();
    let error = to.query_pairs().find(|(name, _)| name == "error").unwrap().1.into_owned();
    assert_eq!(error, code, "{to}");
}
