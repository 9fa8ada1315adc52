//! Redirect URIs under attack while a sign-in is under way: other URIs of the client, other response
//! modes, URIs that are removed meanwhile, clients of other tenants.

use auth_core::TenantId;
use auth_oidc::client::Client;
use auth_testkit::Browser;

use crate::authz::settled_browser;
use crate::flow::*;
use crate::world::{PASSWORD, SECRET, WEB_CALLBACK, World, web};

/// A redemption that names this redirect URI, or none.
fn redemption<'a>(code: &'a str, uri: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut form =
        vec![("grant_type", "authorization_code"), ("code", code), ("code_verifier", VERIFIER)];
    form.extend(uri.map(|uri| ("redirect_uri", uri)));
    form
}

blackbox! {
    async fn a_038_a_code_is_redeemed_with_the_uri_it_was_sent_to(setup: Setup) {
        const STAGING: &str = "https://staging.app.example/cb";
        let world = World::with(setup, |builder| builder.client(web().redirect_uri(STAGING))).await;
        Tokens::of(&redeem(&world, WEB, &code(&world).await).await);
        let staged = request("web").set("redirect_uri", STAGING);
        for uri in [Some(WEB_CALLBACK), Some("https://staging.app.example/cb/"), Some(""), None] {
            let end = authorize(&world, &Browser::new(), &ALICE, &staged).await;
            let code = end.callback().code();
            assert_refused(&token(&world, WEB, &redemption(&code, uri)).await, 400, "invalid_grant");
            // Whoever tried has it from somewhere: it is worth nothing any more.
            assert_refused(&token(&world, WEB, &redemption(&code, Some(STAGING))).await, 400, "invalid_grant");
        }
        let code = authorize(&world, &Browser::new(), &ALICE, &staged).await.callback().code();
        Tokens::of(&token(&world, WEB, &redemption(&code, Some(STAGING))).await);
    }

    async fn a_040_no_response_mode_comes_before_the_redirect_uri(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let page = request("web").set("response_mode", "form_post");
        assert_page(&browser.get(&page.url(&world)).await.unwrap(), 200);
        let before = world.store.snapshot();
        for mode in [
            "query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt",
            "web_message", "direct_post", "FORM_POST", "form_post ", "x",
        ] {
            for uri in ["https://evil.example/cb", "javascript:alert(1)", "https://app.example/cb/"] {
                let bad = request("web").set("response_mode", mode).set("redirect_uri", uri);
                for bad in [bad.clone(), bad.set("response_type", "code token")] {
                    let reply = browser.get(&bad.url(&world)).await.unwrap();
                    assert_page(&reply, 400);
                    assert!(!reply.text().contains("<form"), "{}", reply.text());
                }
            }
            // A mode that does not exist is not answered in another one.
            if !["query", "fragment", "form_post"].contains(&mode) {
                let unknown = request("web").set("response_mode", mode);
                assert_page(&browser.get(&unknown.url(&world)).await.unwrap(), 400);
            }
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_041_a_uri_that_was_removed_meanwhile_gets_no_code(setup: Setup) {
        let world = World::start(setup).await;
        let moved = || {
            Client::confidential("web", SECRET)
                .redirect_uri("https://app.example/new")
                .scope("openid profile email offline_access")
        };
        let clients = world.provider.clients();
        // Neither a yes nor a no is sent there.
        let steps = [("login_challenge", "/oauth2/login"), ("consent_challenge", "/oauth2/consent")];
        for (left_at, path) in steps {
            for no in [false, true] {
                clients.put(web()).await.unwrap();
                let browser = Browser::new();
                let mut page = open(&world, &browser, &request("web").url(&world)).await.page();
                if left_at == "consent_challenge" {
                    let challenge = page.hidden("login_challenge").unwrap();
                    let form = [
                        ("login_challenge", challenge.as_str()),
                        ("identifier", "alice"),
                        ("password", PASSWORD),
                    ];
                    let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
                    page = follow(&world, &browser, reply).await.page();
                }
                let challenge = page.hidden(left_at).expect("the page that was left open");
                clients.put(moved()).await.unwrap();
                let end = if no {
                    let form = [(left_at, challenge.as_str()), ("action", "cancel")];
                    let reply = browser.post(&world.url(path), &form).await.unwrap();
                    follow(&world, &browser, reply).await
                } else {
                    answer(&world, &browser, &ALICE, End::Page(page)).await
                };
                assert_page(&end.page(), 400);
            }
        }

        clients.put(web()).await.unwrap();
        let code = code(&world).await;
        clients.put(moved()).await.unwrap();
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        clients.put(web()).await.unwrap();
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        clients.put(web()).await.unwrap();
        Tokens::of(&redeem(&world, WEB, &crate::flow::code(&world).await).await);
    }

    async fn a_042_a_client_belongs_to_one_tenant(setup: Setup) {
        const URI: &str = "https://mine.example/cb";
        let mine = Client::public("mine").redirect_uri(URI).scope("openid");
        let first = World::with(setup, |builder| builder.client(mine)).await;
        let other = TenantId::new("other").unwrap();
        let second = World::with(setup, |builder| {
            builder.shared_store(first.faults.clone()).tenant(other).clock(first.clock.clone())
        })
        .await;
        let asked = request("mine").set("redirect_uri", URI).set("scope", "openid");
        let browser = Browser::new();
        authorize(&first, &browser, &ALICE, &asked).await.callback().code();
        authorize(&second, &Browser::new(), &ALICE, &request("web")).await.callback().code();

        let host = first.issuer.strip_prefix("http://").unwrap();
        let before = first.store.snapshot();
        let mut requests = vec![browser.http().get(asked.url(&second))];
        for name in ["host", "x-forwarded-host", "x-original-host", "x-tenant"] {
            requests.push(browser.http().get(asked.url(&second)).header(name, host));
        }
        requests.push(browser.http().get(asked.url(&second)).header("forwarded", format!("host={host}")));
        for request in requests {
            let reply = browser.send(request).await.unwrap();
            assert_page(&reply, 400);
            assert!(reply.text().contains("invalid_client"), "{}", reply.text());
        }
        // Neither does the session of one tenant count at the other.
        let end = open(&second, &browser, &request("web").url(&second)).await.page();
        assert!(end.hidden("login_challenge").is_some());
        assert_eq!(first.store.since(before).commits, 0);
    }
}
