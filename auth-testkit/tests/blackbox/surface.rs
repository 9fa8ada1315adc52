//! What stands where: methods, metadata, issuers with a path, scripts of other origins.

use auth_testkit::{Browser, Reply};
use http::Method;
use serde_json::Value;

use crate::flow::*;
use crate::world::World;

const APP: &str = "https://app.example";

/// A request with any method and headers.
async fn send(world: &World, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let browser = Browser::new();
    let mut request = browser.http().request(method, path_url(world, path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    browser.send(request).await.unwrap()
}

/// A path counts from the root of the host, not from the issuer.
fn path_url(world: &World, path: &str) -> String {
    let issuer = url::Url::parse(&world.issuer).unwrap();
    format!("{}{path}", issuer.origin().ascii_serialization())
}

async fn preflight(world: &World, path: &str, origin: &str, method: &str) -> Reply {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "authorization, content-type"),
    ];
    send(world, Method::OPTIONS, path, &headers).await
}

blackbox! {
    async fn a_156_introspection_is_for_clients_that_authenticate(setup: Setup) {
        // Failures are not counted in the store here.
        let world = World::with(setup, |b| b.rate_limiter(crate::caut::without_limits())).await;
        let access = tokens(&world).await.access;
        assert!(is_active(&world, &access).await);
        let before = world.store.snapshot();
        for by in [By::Nothing, By::None("rs"), By::None("spa"), By::Basic("rs", "wrong")] {
            for token in [&*access, "nonsense"] {
                let reply = post_as(&world, "/oauth2/introspect", by, &[("token", token)]).await;
                assert_refused(&reply, 401, "invalid_client");
                assert!(reply.json().get("active").is_none());
            }
        }
        let form = [("token", &*access)];
        let reply = post_as(&world, "/oauth2/introspect", By::Nothing, &form).await;
        assert!(reply.header("www-authenticate").starts_with("Basic "));
        // A bearer token is no client's authentication.
        let browser = Browser::new();
        let request = browser.http().post(world.url("/oauth2/introspect")).bearer_auth(&access);
        let reply = browser.send(request.form(&form)).await.unwrap();
        assert_refused(&reply, 401, "invalid_client");
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn other_methods_are_refused_with_those_that_are_not(setup: Setup) {
        let world = World::start(setup).await;
        for (method, path, allow) in [
            (Method::GET, "/oauth2/token", "POST"),
            (Method::PUT, "/oauth2/token", "POST"),
            (Method::OPTIONS, "/oauth2/token", "POST"),
            (Method::GET, "/oauth2/introspect", "POST"),
            (Method::HEAD, "/oauth2/revoke", "POST"),
            (Method::DELETE, "/userinfo", "GET, POST"),
            (Method::PUT, "/oauth2/auth", "GET, POST"),
            (Method::POST, "/.well-known/openid-configuration", "GET"),
            (Method::POST, "/.well-known/jwks.json", "GET"),
            (Method::TRACE, "/oauth2/login", "GET, POST"),
        ] {
            let reply = send(&world, method.clone(), path, &[]).await;
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), allow, "{method} {path}");
        }
        for path in ["/", "/oauth2", "/oauth2/auth/", "/oauth2//auth", "/OAUTH2/auth", "/userinfo/x"]
        {
            assert_eq!(send(&world, Method::GET, path, &[]).await.status, 404, "{path}");
        }
        let path = "/.well-known/openid-configuration";
        let (head, get) = (
            send(&world, Method::HEAD, path, &[]).await,
            send(&world, Method::GET, path, &[]).await,
        );
        assert_eq!((head.status, head.body.len()), (get.status, 0));
        assert_eq!(head.header("content-length"), get.body.len().to_string());
    }

    async fn a_174_scripts_of_listed_origins_may_call_some_endpoints(setup: Setup) {
        let world = World::with(setup, |builder| builder.cors_origins([APP])).await;
        let origin = |reply: &Reply| reply.header("access-control-allow-origin").to_owned();
        let closed =
            ["https://evil.example", "https://app.example.evil.tld", "http://app.example", "null"];
        for (path, method, methods) in [
            ("/oauth2/token", "POST", "POST"),
            ("/oauth2/revoke", "POST", "POST"),
            ("/userinfo", "GET", "GET, POST"),
        ] {
            let reply = preflight(&world, path, APP, method).await;
            assert_eq!((reply.status.as_u16(), &*origin(&reply)), (204, APP), "{path}");
            assert_eq!(reply.header("access-control-allow-methods"), methods);
            let headers = reply.header("access-control-allow-headers");
            assert!(headers.contains("authorization") && headers.contains("content-type"));
            assert!(reply.body.is_empty());
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            // The answer itself can be read, even where it is a refusal.
            let answer = send(&world, method.clone(), path, &[("origin", APP)]).await;
            assert!(answer.status.is_client_error());
            assert_eq!(origin(&answer), APP, "{path}");
            for evil in closed {
                let reply = preflight(&world, path, evil, method.as_str()).await;
                assert_eq!(origin(&reply), "", "{path} {evil}");
                assert_eq!(reply.header("access-control-allow-methods"), "");
                let answer = send(&world, method.clone(), path, &[("origin", evil)]).await;
                assert_eq!(origin(&answer), "", "{path} {evil}");
                // Whoever caches one of the two must not give it to the other.
                for reply in [reply, answer] {
                    assert!(reply.header("vary").to_lowercase().contains("origin"), "{path}");
                }
            }
        }
        // What is public anyway may be read by everybody.
        for path in ["/.well-known/openid-configuration", "/.well-known/jwks.json"] {
            for anyone in ["https://evil.example", APP] {
                assert_eq!(preflight(&world, path, anyone, "GET").await.status, 204);
                let answer = send(&world, Method::GET, path, &[("origin", anyone)]).await;
                assert_eq!((answer.status.as_u16(), &*origin(&answer)), (200, "*"));
            }
        }
        // Pages and back channels are no script's business, nor is anything with cookies.
        let others =
            ["/oauth2/auth", "/oauth2/login", "/oauth2/introspect", "/oauth2/sessions/logout"];
        for path in others {
            for method in [Method::GET, Method::POST, Method::OPTIONS] {
                let headers = [("origin", APP), ("access-control-request-method", "POST")];
                let reply = send(&world, method, path, &headers).await;
                assert_eq!(origin(&reply), "", "{path}");
                assert_eq!(reply.header("access-control-allow-credentials"), "");
            }
        }
        let reply = preflight(&world, "/oauth2/token", APP, "POST").await;
        assert_eq!(reply.header("access-control-allow-credentials"), "");
    }

    async fn metadata_stands_at_both_places(setup: Setup) {
        let world = World::start(setup).await;
        let openid = send(&world, Method::GET, "/.well-known/openid-configuration", &[]).await;
        let oauth = send(&world, Method::GET, "/.well-known/oauth-authorization-server", &[]).await;
        assert_eq!(openid.status, 200);
        assert_eq!(openid.json(), oauth.json());
        assert_eq!(openid.json()["issuer"], world.issuer);
        assert!(openid.header("cache-control").contains("max-age"));
    }

    async fn an_issuer_with_a_path(setup: Setup) {
        let world = World::below(setup, "/tenant1", |builder| builder).await;
        let places = [
            "/tenant1/.well-known/openid-configuration",
            "/tenant1/.well-known/oauth-authorization-server",
            // RFC 8414 §3.1 puts the path of the issuer last.
            "/.well-known/oauth-authorization-server/tenant1",
            "/.well-known/openid-configuration/tenant1",
        ];
        let mut documents = Vec::new();
        for place in places {
            let reply = send(&world, Method::GET, place, &[]).await;
            assert_eq!(reply.status, 200, "{place}");
            documents.push(reply.json());
        }
        assert!(documents.iter().all(|document| *document == documents[0]));
        let document = &documents[0];
        assert_eq!(document["issuer"], world.issuer);
        let endpoints: Vec<&Value> = document
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri")
            .map(|(_, url)| url)
            .collect();
        assert_eq!(endpoints.len(), 8);
        for url in endpoints {
            assert!(url.as_str().unwrap().starts_with(&format!("{}/", world.issuer)), "{url}");
        }
        // Nothing of it stands at the root of the host.
        for path in ["/.well-known/openid-configuration", "/oauth2/auth", "/userinfo", "/tenant1"] {
            assert_eq!(send(&world, Method::GET, path, &[]).await.status, 404, "{path}");
        }

        // The whole way works there, pages and all.
        let browser = Browser::new();
        let callback = authorize(&world, &browser, &ALICE, &request("web")).await.callback();
        assert_eq!(callback.get("iss"), world.issuer);
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&tokens.id)["iss"], world.issuer);
        assert_eq!(userinfo(&world, &tokens.access).await.json()["sub"], "u-alice");
        assert_eq!(introspect(&world, &tokens.access).await["iss"], world.issuer);
        let hint = format!("/oauth2/sessions/logout?id_token_hint={}", tokens.id);
        let reply = browser.get(&world.url(&hint)).await.unwrap();
        assert_eq!(reply.status, 200);
        assert!(browser.cookie("auth_session").is_none());
    }
}
