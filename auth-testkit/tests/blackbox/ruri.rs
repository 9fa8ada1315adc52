//! Redirect URIs under attack: at registration, in requests, in responses and after a logout.

use auth_oidc::client::{Client, ClientError, InvalidClient};
use auth_testkit::Browser;
use url::Url;

use crate::authz::settled_browser;
use crate::flow::*;
use crate::world::{WEB_BYE, WEB_CALLBACK, World, web};

/// Where a logout leads that wants to go on to `uri`.
fn logout(world: &World, uri: &str) -> String {
    let query =
        [("client_id", "web"), ("post_logout_redirect_uri", uri), ("state", "state-1234567890")];
    Url::parse_with_params(&world.url("/oauth2/sessions/logout"), query).unwrap().into()
}

/// Tries redirect URIs made from the registered one, at the authorization endpoint and after a logout,
/// with a session and without one. First the registered ones pass.
async fn all_refused<U: AsRef<str>>(setup: crate::world::Setup, made: impl Fn(&str) -> Vec<U>) {
    let world = World::start(setup).await;
    let signed_in = settled_browser(&world, "web").await;
    let stranger = Browser::new();
    let bye = stranger.get(&logout(&world, WEB_BYE)).await.unwrap().location().unwrap();
    assert_eq!(bye.as_str(), format!("{WEB_BYE}?state=state-1234567890"));
    let asked = open(&world, &signed_in, &logout(&world, WEB_BYE)).await.page();
    assert!(asked.hidden("logout_challenge").is_some());

    let before = world.store.snapshot();
    for uri in made(WEB_CALLBACK) {
        let bad = request("web").set("redirect_uri", uri.as_ref());
        for browser in [&signed_in, &stranger] {
            for bad in
                [&bad, &bad.clone().set("prompt", "none"), &bad.clone().set("scope", "admin")]
            {
                assert_page(&browser.get(&bad.url(&world)).await.unwrap(), 400);
            }
        }
    }
    // An empty parameter is an absent one, and a logout needs none.
    for uri in made(WEB_BYE).into_iter().filter(|uri| !uri.as_ref().is_empty()) {
        for browser in [&signed_in, &stranger] {
            assert_page(&browser.get(&logout(&world, uri.as_ref())).await.unwrap(), 400);
        }
    }
    assert_eq!(world.store.since(before).commits, 0);
    open(&world, &signed_in, &request("web").url(&world)).await.callback().code();
}

/// Tries to register redirect URIs, after one that passes.
async fn none_registered(world: &World, uris: &[&str]) {
    let client = |uri: &str| Client::public("new").redirect_uri(uri).scope("openid");
    world.provider.clients().put(client("https://new.example/cb")).await.unwrap();
    let before = world.store.snapshot();
    for uri in uris {
        let good = client("https://new.example/cb");
        for client in
            [client(uri), good.clone().redirect_uri(*uri), good.post_logout_redirect_uri(*uri)]
        {
            let refused = world.provider.clients().put(client).await;
            let known =
                matches!(refused, Err(ClientError::Invalid(InvalidClient::RedirectUri { .. })));
            assert!(known, "{uri:?}: {refused:?}");
        }
    }
    assert_eq!(world.store.since(before).commits, 0);
}

/// Ways to write somebody else's address so that a lenient comparison takes it for ours.
const OPEN_REDIRECTS: [&str; 70] = [
    "",
    " ",
    "/",
    "//",
    "/cb",
    "//evil.example",
    "///evil.example",
    "////evil.example/%2e%2e",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\\evil.example",
    "/\u{b}/evil.example",
    "/ /evil.example",
    "/./\\evil.example",
    "/../../\\evil.example",
    "/%09/evil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "//%5cevil.example",
    "//evil.example@app.example",
    "//app.example@evil.example/cb",
    "///app.example@evil.example/%2f..",
    "///\\;@evil.example",
    "//evil.example\\@app.example/cb",
    "http:evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "https:/\\evil.example",
    "http://;@evil.example",
    "http://app.example:80#@evil.example/",
    "http://app.example:80?@evil.example/",
    "http://3H6k7lIAiqjfNeN@app.example+@evil.example/",
    "http://XY>.7d8T\\205pZM@app.example@evil.example/",
    "http://0xd8.0x3a.0xd6.0xce",
    "http://3627734734",
    "http://[::216.58.214.206]",
    "http://00330.072.0326.00316",
    "http:0xd8.0x3a.0xd6.0xce",
    "http://evil.example:80%40app.example/",
    "http://app.example@3627734734/",
    "https://app.example@evil.example",
    "https://app.example.evil.example",
    "https://app.example\u{3002}evil.example",
    "https://evil\u{3002}example/cb",
    "https://www.app.example/cb",
    "https://app.example%2eevil.example/cb",
    "https://app.example%00.evil.example/cb",
    "https://evil.example/app.example/cb",
    "https://evil.example?https://app.example/cb",
    "https://evil.example#https://app.example/cb",
    "https://evil.example/https://app.example/cb",
    "https://app.example/cb https://evil.example",
    "https://app.example/cb,https://evil.example",
    "%68%74%74%70%73%3a%2f%2f%65%76%69%6c",
    "https://%65vil.example",
    "ja\nva\tscript\r:alert(1)",
    "javascript:alert(1)//https://app.example/cb",
    "javascript://app.example/%0aalert(1)",
    "j%0Aavascript:alert(1)",
    "data:text/html,https://app.example/cb",
    "\u{1}javascript:alert(1)",
    "\u{feff}https://app.example/cb",
    "https://app.example/cb\0",
    "blob:https://app.example/cb",
    "view-source:https://app.example/cb",
    "ftp://app.example/cb",
];

blackbox! {
    async fn a_024_prefix_and_suffix_of_a_registered_uri(setup: Setup) {
        all_refused(setup, |registered| {
            let mut all: Vec<String> =
                ["/../x", "2", "/", "/x", "?x=1", "?", "#f", "#", "%20", " ", ";x", "&x", ".html", "/..", "/."]
                    .map(|suffix| format!("{registered}{suffix}"))
                    .to_vec();
            all.extend([
                registered[..registered.len() - 1].to_owned(),
                format!(" {registered}"),
                format!("{registered}\n"),
                registered.replace("app.example", "app.example.evil.tld"),
                registered.replace("app.example", "evil-app.example"),
                registered.replace("app.example/", "app.example/x/../"),
                registered.replace("app.example/", "app.example//"),
                registered.replace("app.example/", "app.example:443/"),
                registered.replace("app.example/", "app.example:8443/"),
                "https://app.example".to_owned(),
                "https://app.example/".to_owned(),
            ]);
            all
        })
        .await;
    }

    async fn a_025_case_is_part_of_the_text(setup: Setup) {
        all_refused(setup, |registered| {
            vec![
                registered.to_uppercase(),
                registered.replace("https", "HTTPS"),
                registered.replace("https", "Https"),
                registered.replace("app.example", "APP.EXAMPLE"),
                registered.replace("app.example", "app.examplE"),
                registered.replace("/cb", "/CB").replace("/bye", "/BYE"),
                registered.replace("/cb", "/%63b").replace("/bye", "/%62ye"),
            ]
        })
        .await;
    }

    async fn a_026_user_information_is_refused_and_not_registered(setup: Setup) {
        all_refused(setup, |registered| {
            let path = registered.strip_prefix("https://app.example").unwrap();
            vec![
                format!("https://app.example@evil.tld{path}"),
                format!("https://app.example:443@evil.tld{path}"),
                format!("https://app.example%40evil.tld{path}"),
                "http://localhost:80@evil.tld/".to_owned(),
                "https://good@evil@app.example/".to_owned(),
                format!("https://user@app.example{path}"),
                format!("https://user:password@app.example{path}"),
                format!("https://@app.example{path}"),
            ]
        })
        .await;
        let world = World::start(setup).await;
        none_registered(&world, &[
            "https://app.example@evil.tld/cb",
            "http://localhost:80@evil.tld/",
            "https://good@evil@app.example/",
            "https://@app.example/cb",
            "https://:@app.example/cb",
            "http://127.0.0.1@evil.tld/cb",
            "com.example.app://user@host/cb",
        ])
        .await;
    }

    async fn a_028_patterns_are_neither_registered_nor_applied(setup: Setup) {
        let world = World::start(setup).await;
        none_registered(&world, &[
            "*",
            "https://*",
            "https://*.com",
            "https://*.com/cb",
            "https://*foo.com/",
            "https://*.app.example/cb",
            "https://app.example/*",
            "https://app.example:*/cb",
            "https://[a-z]+.example/cb",
            "^https://app.example/.*$",
            "https://app.example/cb|https://evil.example",
            "https://{tenant}.example/cb",
        ])
        .await;
        // A dot is a dot.
        all_refused(setup, |registered| {
            vec![
                registered.replace("app.example", "appXexample"),
                registered.replace("app.example", "app-example"),
                registered.replace("app.example", "app.exampleX"),
            ]
        })
        .await;
    }

    async fn a_029_schemes_that_run_are_refused_everywhere(setup: Setup) {
        let world = World::start(setup).await;
        let bad = [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "javascript://app.example/%0aalert(1)",
            "java\rscript:alert(1)",
            "java%0dscript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "DATA:text/html;base64,eA==",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:https://app.example/x",
            "about:blank",
            "ftp://app.example/cb",
            "ws://app.example/cb",
            "http://app.example/cb",
            "myapp:/cb",
            "urn:ietf:wg:oauth:2.0:oob",
            "/cb",
            "app.example/cb",
            "",
        ];
        none_registered(&world, &bad).await;
        all_refused(setup, |_| bad.to_vec()).await;
    }

    async fn a_030_only_the_port_of_a_loopback_address_may_differ(setup: Setup) {
        let native = Client::public("native").redirect_uri("http://127.0.0.1/cb").scope("openid");
        let sixth = Client::public("sixth").redirect_uri("http://[::1]/cb").scope("openid");
        let named = Client::public("named").redirect_uri("http://localhost:3000/cb").scope("openid");
        let world =
            World::with(setup, |builder| builder.client(native).client(sixth).client(named)).await;
        let browser = Browser::new();
        let asked = |client: &str, uri: &str| {
            request(client).set("redirect_uri", uri).set("scope", "openid")
        };
        for (client, uri) in [
            ("native", "http://127.0.0.1/cb"),
            ("native", "http://127.0.0.1:49152/cb"),
            ("sixth", "http://[::1]:49152/cb"),
            ("named", "http://localhost:3000/cb"),
        ] {
            let end = authorize(&world, &browser, &ALICE, &asked(client, uri)).await;
            let callback = end.callback();
            assert!(callback.url.as_str().starts_with(&format!("{uri}?")), "{}", callback.url);
            let form = [
                ("grant_type", "authorization_code"),
                ("code", callback.get("code")),
                ("redirect_uri", uri),
                ("code_verifier", VERIFIER),
            ];
            Tokens::of(&token(&world, By::None(client), &form).await);
        }
        let before = world.store.snapshot();
        for (client, uri) in [
            ("native", "http://127.0.0.1:1/other"),
            ("native", "http://127.0.0.1.evil.tld/cb"),
            ("native", "http://127.0.0.1:49152.evil.tld/cb"),
            ("native", "http://127.0.0.1:80@evil.tld/cb"),
            ("native", "http://127.0.0.1@evil.tld/cb"),
            ("native", "http://testlocalhost/cb"),
            ("native", "http://localhost/cb"),
            ("native", "http://localhost:49152/cb"),
            ("native", "http://[::1]/cb"),
            ("native", "http://[::ffff:127.0.0.1]/cb"),
            ("native", "http://127.0.0.2/cb"),
            ("native", "http://127.1/cb"),
            ("native", "http://2130706433/cb"),
            ("native", "http://0x7f.0.0.1/cb"),
            ("native", "https://127.0.0.1/cb"),
            ("native", "https://127.0.0.1:49152/cb"),
            ("native", "http://127.0.0.1:/cb"),
            ("native", "http://127.0.0.1:0/cb"),
            ("native", "http://127.0.0.1:080/cb"),
            ("native", "http://127.0.0.1:65536/cb"),
            ("native", "http://127.0.0.1:+80/cb"),
            ("native", "http://127.0.0.1:80 /cb"),
            ("sixth", "http://127.0.0.1/cb"),
            ("sixth", "http://[::1%25eth0]/cb"),
            ("sixth", "http://[::1].evil.tld/cb"),
            ("named", "http://localhost/cb"),
            ("named", "http://localhost:3001/cb"),
            ("named", "http://127.0.0.1:3000/cb"),
        ] {
            let reply = browser.get(&asked(client, uri).url(&world)).await.unwrap();
            assert_page(&reply, 400);
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_031_nothing_else_of_a_loopback_request_is_taken_over(setup: Setup) {
        let native = Client::public("native")
            .redirect_uri("http://127.0.0.1:7000/cb?app=1")
            .scope("openid");
        let world = World::with(setup, |builder| builder.client(native)).await;
        let browser = Browser::new();
        let asked = |uri: &str| request("native").set("redirect_uri", uri).set("scope", "openid");
        let moved = asked("http://127.0.0.1:9000/cb?app=1");
        let callback = authorize(&world, &browser, &ALICE, &moved).await.callback();
        assert!(callback.url.as_str().starts_with("http://127.0.0.1:9000/cb?app=1&code="), "{}", callback.url);
        let before = world.store.snapshot();
        for uri in [
            "http://127.0.0.1:9000/cb",
            "http://127.0.0.1:9000/cb?app=2",
            "http://127.0.0.1:9000/cb?app=1&x=2",
            "http://127.0.0.1:9000/cb?app=1#f",
            "http://127.0.0.1:9000/CB?app=1",
            "http://127.0.0.1:9000/cb/?app=1",
            "http://127.0.0.1:9000/../cb?app=1",
            "http://127.0.0.1:9000//evil.tld/cb?app=1",
            "http://127.0.0.1:9000\\evil.tld/cb?app=1",
            "http://evil.tld:9000/cb?app=1",
        ] {
            assert_page(&browser.get(&asked(uri).url(&world)).await.unwrap(), 400);
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_032_another_path_of_the_same_host_is_another_uri(setup: Setup) {
        all_refused(setup, |_| {
            vec![
                "https://app.example/",
                "https://app.example/users/mallory",
                "https://app.example/redirect?to=https://evil.example",
                "https://app.example/cb/users/mallory",
                "https://app.example:8443/cb",
                "https://app.example/x",
            ]
        })
        .await;
        // Nor does the one list stand for the other.
        let world = World::start(setup).await;
        let browser = Browser::new();
        let swapped = request("web").set("redirect_uri", WEB_BYE);
        assert_page(&browser.get(&swapped.url(&world)).await.unwrap(), 400);
        assert_page(&browser.get(&logout(&world, WEB_CALLBACK)).await.unwrap(), 400);
    }

    async fn a_033_whatever_was_not_registered_is_refused(setup: Setup) {
        all_refused(setup, |_| OPEN_REDIRECTS.to_vec()).await;
    }

    async fn a_033_one_clients_uri_is_not_anothers(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let before = world.store.snapshot();
        for (client, uri) in [("web", "https://spa.example/cb"), ("spa", WEB_CALLBACK), ("svc", WEB_CALLBACK)] {
            let bad = request(client).set("redirect_uri", uri);
            assert_page(&browser.get(&bad.url(&world)).await.unwrap(), 400);
            let form = [("client_id", client), ("redirect_uri", uri)];
            let post = browser.post(&world.url("/oauth2/auth"), &form).await.unwrap();
            assert_page(&post, 400);
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_034_response_parameters_cannot_be_planted(setup: Setup) {
        let world = World::start(setup).await;
        let mut planted = vec!["https://app.example/cb#code=x".to_owned(), "https://app.example/cb#".to_owned()];
        for name in ["code", "state", "iss", "error", "id_token", "access_token", "response"] {
            planted.push(format!("https://app.example/cb?{name}=x"));
            planted.push(format!("https://app.example/cb?a=1&{name}"));
        }
        planted.push("https://app.example/cb?c%6Fde=x".to_owned());
        let texts: Vec<&str> = planted.iter().map(String::as_str).collect();
        none_registered(&world, &texts).await;
        all_refused(setup, |_| planted.clone()).await;
    }

    async fn a_035_a_redirect_uri_is_always_named(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let none = |client: &str| request(client).without("redirect_uri");
        let before = world.store.snapshot();
        for bad in [
            none("web"),
            none("web").set("scope", "profile"),
            none("web").set("redirect_uri", ""),
            none("spa"),
            none("web").set("prompt", "none"),
        ] {
            let reply = browser.get(&bad.url(&world)).await.unwrap();
            assert_page(&reply, 400);
            assert!(reply.text().contains("invalid_request"));
        }
        assert_eq!(world.store.since(before).commits, 0);
        world.provider.clients().put(web().redirect_uri("https://app.example/2")).await.unwrap();
        assert_page(&browser.get(&none("web").url(&world)).await.unwrap(), 400);
    }

    async fn a_036_what_parsers_read_differently_is_not_registered(setup: Setup) {
        let bad = [
            "https://app.example\\@evil.example/cb",
            "https://app.example\\.evil.example/cb",
            "https://evil.example\\app.example/cb",
            "https:\\\\app.example/cb",
            "https:/app.example/cb",
            "https:app.example/cb",
            "https:///app.example/cb",
            "https://app.example\t/cb",
            "https://app.exa\nmple/cb",
            "https://app.example/cb\r\nLocation: https://evil.example",
            "https://app.example/cb\0",
            "https://app\u{ff0e}example/cb",
            "https://app\u{3002}example/cb",
            "https://\u{430}pp.example/cb",
            "https://app.example./cb",
            "https://app%2eexample/cb",
            "https://%61pp.example/cb",
            "https://app.example:0443/cb",
            "https://app.example:443/cb",
            "https://app.example:/cb",
            "https://[fe80::1%25eth0]/cb",
            "https://0x7f.1/cb",
            "https://APP.example/cb",
            "HTTPS://app.example/cb",
            "https://app.example/a/../cb",
            "https://app.example/./cb",
            "https://app.example/%2e%2e/cb",
            "https://app.example/a%2f..%2fcb",
            "https://app.example/a%5ccb",
            "https://app.example/cb%00",
            "https://app.example/cb%0d%0a",
            "https://app.example/cb\u{7f}",
            "https://app.example/\u{e9}",
            " https://app.example/cb",
            "https://app.example/cb ",
            "https://app.example/c b",
        ];
        let world = World::start(setup).await;
        none_registered(&world, &bad).await;
        all_refused(setup, |_| bad.to_vec()).await;
    }
}
