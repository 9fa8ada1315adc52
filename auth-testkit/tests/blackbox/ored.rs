//! Open redirects: where a browser can be sent, at sign-in and at sign-out.

use auth_testkit::Browser;
use http::header;
use url::form_urlencoded::Serializer;

use crate::authz::settled_browser;
use crate::flow::*;
use crate::world::{Setup, WEB_BYE, WEB_CALLBACK, World};

/// Texts that some validator took for a place of its own, by row.
const ELSEWHERE: [(&str, &[&str]); 6] = [
    (
        "A-362",
        &[
            "//evil.tld",
            "/\\evil.tld",
            "\\/\\/evil.tld",
            "/./\\evil.com",
            "///evil.tld",
            "////evil.tld",
            "\\\\evil.tld",
            "https:/\\evil.tld",
        ],
    ),
    (
        "A-363",
        &[
            "/\t/evil.tld",
            "/\n/evil.tld",
            "/\r\n/evil.tld",
            "/\u{b}/evil.tld",
            "/%09/evil.tld",
            "/%0d%0a/evil.tld",
            " //evil.tld",
            "\u{a0}//evil.tld",
            "https:// evil.tld",
        ],
    ),
    (
        "A-364",
        &[
            "https://evilapp.example/cb",
            "https://app.example.evil.tld/cb",
            "https://app.exampleevil.tld/cb",
            "https://evil.tld/app.example/cb",
            "https://evil.tld?https://app.example/cb",
            "https://evil.tld#https://app.example/cb",
        ],
    ),
    (
        "A-365",
        &[
            "https://app.example@evil.tld/cb",
            "https://app.example:443@evil.tld/cb",
            "https://app.example%40evil.tld/cb",
            "https://[::1]/cb",
            "https://[::ffff:7f00:1]/cb",
            "https://app。example/cb",
            "https://〱evil.tld/cb",
            "https://app.example\\@evil.tld/cb",
            "https://xn--app-.example/cb",
        ],
    ),
    (
        "A-366",
        &[
            "javascript:alert(1)",
            "java\rscript:alert(1)",
            "JaVaScRiPt:alert(1)//https://app.example/cb",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "about:blank",
            "blob:https://app.example/x",
        ],
    ),
    (
        "A-371",
        &[
            "https://app.example/cb/../evil",
            "https://app.example/cb/..%2fevil",
            "https://app.example/cb//evil",
            "https://app.example//cb",
            "https://app.example/cb/",
            "https://app.example/cb;evil",
            "https://app.example/cb%00",
            "https://app.example/cb?next=https://evil.tld",
            "https://app.example/cb#https://evil.tld",
        ],
    ),
];

fn logout_url(world: &World, parameters: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{}?{query}", world.url("/oauth2/sessions/logout"))
}

/// A browser is sent to none of the places of a row, and to the right ones at the end.
async fn sent_to_registered_places_alone(setup: Setup, row: &str) {
    let world = World::start(setup).await;
    let browser = settled_browser(&world, "web").await;
    let code = open(&world, &browser, &request("web").url(&world)).await.callback().code();
    let hint = Tokens::of(&redeem(&world, WEB, &code).await).id;
    let before = world.store.snapshot();
    let (_, places) = ELSEWHERE.iter().find(|(known, _)| *known == row).unwrap();
    for place in *places {
        let asked = request("web").set("redirect_uri", place).url(&world);
        assert_page(&browser.get(&asked).await.unwrap(), 400);
        let bye = place.replace("/cb", "/bye");
        let parameters = [("id_token_hint", &*hint), ("post_logout_redirect_uri", &*bye)];
        let reply = browser.get(&logout_url(&world, &parameters)).await.unwrap();
        assert_page(&reply, 400);
        assert!(!reply.text().contains("evil"), "{place}: {}", reply.text());
    }
    assert_eq!(world.store.since(before).commits, 0);
    let callback = open(&world, &browser, &request("web").url(&world)).await.callback();
    assert!(callback.url.as_str().starts_with(WEB_CALLBACK));
    let good = [("id_token_hint", &*hint), ("post_logout_redirect_uri", WEB_BYE)];
    let callback = open(&world, &browser, &logout_url(&world, &good)).await.callback();
    assert_eq!(callback.url.as_str(), WEB_BYE);
}

blackbox! {
    async fn a_362_places_that_begin_with_slashes(setup: Setup) {
        sent_to_registered_places_alone(setup, "A-362").await;
    }

    async fn a_363_places_with_blanks_and_controls(setup: Setup) {
        sent_to_registered_places_alone(setup, "A-363").await;
    }

    async fn a_364_places_that_look_like_the_registered_one(setup: Setup) {
        sent_to_registered_places_alone(setup, "A-364").await;
    }

    async fn a_365_places_whose_host_is_read_in_two_ways(setup: Setup) {
        sent_to_registered_places_alone(setup, "A-365").await;
    }

    async fn a_366_places_that_are_no_web(setup: Setup) {
        sent_to_registered_places_alone(setup, "A-366").await;
    }

    async fn a_371_places_beside_the_registered_one(setup: Setup) {
        sent_to_registered_places_alone(setup, "A-371").await;
    }

    async fn a_368_the_request_does_not_say_where_we_are(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let spoof = |request: reqwest::RequestBuilder| {
            request
                .header("x-forwarded-host", "evil.tld")
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-prefix", "//evil.tld")
                .header("x-original-url", "https://evil.tld/")
                .header("forwarded", "host=evil.tld;proto=https")
        };
        for path in ["/.well-known/openid-configuration", "/oauth2/auth", "/oauth2/sessions/logout"] {
            let url = match path {
                "/oauth2/auth" => request("web").url(&world),
                _ => world.url(path),
            };
            let plain = browser.send(browser.http().get(&url)).await.unwrap();
            for host in [None, Some("evil.tld")] {
                // Not behind nginx, which goes by it itself.
                let host = host.filter(|_| world.nginx.is_none());
                let request = spoof(browser.http().get(&url));
                let request = host.into_iter().fold(request, |r, host| r.header(header::HOST, host));
                let reply = browser.send(request).await.unwrap();
                assert_eq!(reply.status, plain.status, "{path}");
                assert!(!reply.text().contains("evil.tld"), "{path}: {}", reply.text());
                if let Some(location) = reply.headers.get(header::LOCATION) {
                    let location = location.to_str().unwrap();
                    assert!(location.starts_with(&world.issuer), "{path}: {location}");
                }
            }
        }
    }

    async fn a_372_a_redirector_at_the_client_gets_nothing(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        for chain in ["https://app.example/out?to=https://evil.tld", "https://app.example/cb?to=https://evil.tld", "https://app.example/"] {
            let asked = request("web").set("redirect_uri", chain).url(&world);
            assert_page(&browser.get(&asked).await.unwrap(), 400);
        }
        // What comes to the right place is a code, which needs a secret and a verifier.
        let callback = open(&world, &browser, &request("web").url(&world)).await.callback();
        let names: Vec<&str> = callback.parameters.keys().map(String::as_str).collect();
        assert_eq!(names, ["code", "iss", "state"]);
    }

    async fn a_373_a_state_cannot_split_a_header(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let code = open(&world, &browser, &request("web").url(&world)).await.callback().code();
        let hint = Tokens::of(&redeem(&world, WEB, &code).await).id;
        for (number, evil) in ["x\r\nset-cookie: evil=1", "x\nlocation: https://evil.tld", "\r\n\r\n<script>", "x\u{0}y\u{7f}"].iter().enumerate() {
            let state = format!("state-{number}-{evil}");
            let asked = request("web").set("state", &state).url(&world);
            let reply = browser.get(&asked).await.unwrap();
            assert!(reply.headers.get("set-cookie").is_none_or(|cookie| !cookie.to_str().unwrap().contains("evil")));
            let callback = Callback::of(reply.location().unwrap());
            assert_eq!(callback.get("state"), state, "it comes back as it was");
            let parameters = [("id_token_hint", &*hint), ("post_logout_redirect_uri", WEB_BYE), ("state", &*state)];
            // Whoever is signed out already goes straight on.
            let reply = Browser::new().get(&logout_url(&world, &parameters)).await.unwrap();
            assert!(reply.headers.get("set-cookie").is_none_or(|cookie| !cookie.to_str().unwrap().contains("evil")));
            let end = follow(&world, &Browser::new(), reply).await.callback();
            assert_eq!(end.get("state"), state);
            assert!(end.url.as_str().starts_with(WEB_BYE));
        }
    }
}
