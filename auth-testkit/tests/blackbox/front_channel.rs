//! Front-channel logout (OpenID Connect Front-Channel Logout 1.0).

use auth_testkit::Browser;
use url::Url;

use crate::flow::*;
use crate::logout::{answer_with, ask, logout_url, sign_in};
use crate::world::{Setup, WEB_BYE, World, web};

const FRAME: &str = "https://app.example/out?from=op";

async fn framed(setup: Setup) -> World {
    World::with(setup, |builder| builder.client(web().frontchannel_logout_uri(FRAME))).await
}

/// The addresses of a page's frames.
fn frames(html: &str) -> Vec<Url> {
    let part =
        |part: &str| Url::parse(&part.split('"').next().unwrap().replace("&amp;", "&")).unwrap();
    html.split("<iframe src=\"").skip(1).map(part).collect()
}

blackbox! {
    async fn o_07_the_page_after_a_logout_loads_the_clients_and_goes_on(setup: Setup) {
        let world = framed(setup).await;
        let browser = Browser::new();
        let tokens = sign_in(&world, &browser, &ALICE).await;
        let url = logout_url(&world, &[
            ("id_token_hint", &tokens.id),
            ("post_logout_redirect_uri", WEB_BYE),
            ("state", "a b&c"),
        ]);
        let page = open(&world, &browser, &url).await.page();
        assert_page(&page, 200);
        let html = page.text();
        let [frame] = <[Url; 1]>::try_from(frames(&html)).unwrap();
        let query: Vec<(String, String)> = frame.query_pairs().into_owned().collect();
        let sid = claims(&tokens.id)["sid"].as_str().unwrap().to_owned();
        let wanted = [("from", "op"), ("iss", world.issuer.as_str()), ("sid", &sid)];
        assert_eq!(query, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(frame.as_str().starts_with("https://app.example/out?"), "{frame}");
        // A 186: no other origin may be in a frame.
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("; frame-src https://app.example"), "{policy}");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let next = format!("{WEB_BYE}?state=a%20b%26c");
        assert!(html.contains(&format!("content=\"5;url={next}\"")), "{html}");
        assert!(html.contains(&format!("href=\"{next}\"")), "{html}");
        // Again there is nothing to end, and nothing to wait for.
        let again = open(&world, &browser, &url).await.callback();
        assert_eq!(again.get("state"), "a b&c");
    }

    async fn o_07_a_logout_that_is_confirmed_loads_them_too(setup: Setup) {
        let world = framed(setup).await;
        let browser = Browser::new();
        sign_in(&world, &browser, &ALICE).await;
        let page = ask(&world, &browser, &[]).await;
        let accepted = answer_with(&world, &browser, &page, "accept").await;
        let page = follow(&world, &browser, accepted).await.page();
        assert_page(&page, 200);
        assert_eq!(frames(&page.text()).len(), 1);
        assert!(!page.text().contains("http-equiv=\"refresh\""), "there is nowhere to go");

        // Who stays signed in stays so at the clients.
        sign_in(&world, &browser, &ALICE).await;
        let page = ask(&world, &browser, &[]).await;
        let declined = answer_with(&world, &browser, &page, "reject").await;
        let page = follow(&world, &browser, declined).await.page();
        assert_eq!(frames(&page.text()).len(), 0);
        assert!(!page.headers["content-security-policy"].to_str().unwrap().contains("frame-src"));
    }

    async fn a_186_a_frame_belongs_to_whom_codes_are_sent_to(setup: Setup) {
        let world = framed(setup).await;
        let clients = world.provider.clients();
        for uri in [
            "https://evil.example/out",
            "http://app.example/out",
            "https://app.example:8443/out",
            "https://app.example/out#fragment",
            "javascript:alert(1)",
            "blob:https://app.example/out",
            "https://app.example;sandbox/out",
            "/out",
        ] {
            let refused = clients.put(web().frontchannel_logout_uri(uri)).await.unwrap_err();
            assert!(refused.to_string().contains("frontchannel_logout_uri"), "{uri}: {refused}");
        }
        clients.put(web().frontchannel_logout_uri("https://app.example/elsewhere")).await.unwrap();
    }

    async fn o_07_a_client_that_the_session_does_not_know_is_not_loaded(setup: Setup) {
        let world = World::with(setup, |builder| {
            let spa = auth_oidc::client::Client::public("spa");
            let spa = spa.redirect_uri(crate::world::SPA_CALLBACK).scope("openid");
            builder.client(spa.frontchannel_logout_uri("https://spa.example/out"))
        })
        .await;
        let browser = Browser::new();
        let tokens = sign_in(&world, &browser, &ALICE).await;
        let url = logout_url(&world, &[("id_token_hint", &tokens.id)]);
        let page = open(&world, &browser, &url).await.page();
        assert_eq!(frames(&page.text()).len(), 0, "{}", page.text());
    }
}
