//! The authorization endpoint under attack: parameters, answers, scopes and targets.

use auth_testkit::Browser;
use http::StatusCode;
use url::form_urlencoded;

use crate::flow::*;
use crate::world::{World, web};

/// A browser in which alice is signed in and `client` need not ask her again.
pub async fn settled_browser(world: &World, client: &str) -> Browser {
    let browser = Browser::new();
    let alice = Person { remember_consent: true, ..ALICE };
    let wide = request(client).set("scope", "openid profile email offline_access");
    authorize(world, &browser, &alice, &wide).await.callback().code();
    // The positive control of every test that begins so: nothing more is asked.
    open(world, &browser, &request(client).url(world)).await.callback().code();
    browser
}

/// What stands in the fragment of a URL.
fn in_fragment(callback: &Callback, name: &str) -> Option<String> {
    let fragment = callback.url.fragment().unwrap_or_default().as_bytes();
    let mut pairs = form_urlencoded::parse(fragment).into_owned();
    pairs.find(|(known, _)| known == name).map(|(_, value)| value)
}

blackbox! {
    async fn a_001_an_unknown_client_is_never_answered_by_redirect(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let evil = "https://evil.example/cb";
        let before = world.store.snapshot();
        for client in ["unknown", "WEB", "web ", ""] {
            for request in [
                request("web").set("client_id", client),
                request("web").set("client_id", client).set("redirect_uri", evil),
                request("web").set("client_id", client).set("prompt", "none"),
            ] {
                assert_page(&browser.get(&request.url(&world)).await.unwrap(), 400);
            }
        }
        let none = request("web").without("client_id");
        assert_page(&browser.get(&none.url(&world)).await.unwrap(), 400);
        assert_eq!(world.store.since(before).commits, 0);

        world.provider.clients().disable(&"web".into()).await.unwrap();
        let before = world.store.snapshot();
        let reply = browser.get(&request("web").url(&world)).await.unwrap();
        assert_page(&reply, 400);
        assert!(reply.text().contains("invalid_client"));
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_002_a_parameter_that_stands_twice_is_refused(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let good = request("web");
        let before = world.store.snapshot();
        for (name, value) in [
            ("client_id", "spa"),
            ("client_id", "web"),
            ("redirect_uri", "https://evil.example/cb"),
            ("state", "another-state-1"),
            ("scope", "email"),
            ("response_type", "token"),
            ("code_challenge", "x"),
            ("prompt", "none"),
            ("prompt", ""),
        ] {
            let twice = good.clone().and(name, value).and(name, value);
            assert_page(&browser.get(&twice.url(&world)).await.unwrap(), 400);
            // The same between query and body, in both orders.
            let rest = good.clone().without(name);
            for (query, body) in [(&good, &rest.clone().and(name, value)), (&rest.and(name, value), &good)] {
                let post = browser.http().post(query.url(&world)).body(body.query());
                let post = post.header("content-type", "application/x-www-form-urlencoded");
                assert_page(&browser.send(post).await.unwrap(), 400);
            }
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_003_only_codes_are_given_by_the_front_channel(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let before = world.store.snapshot();
        for kind in ["token", "id_token", "id_token token", "code token", "code id_token", "none", "CODE", "code code"] {
            for mode in ["query", "fragment"] {
                let asked = request("web").set("response_type", kind).set("response_mode", mode);
                let callback = open(&world, &browser, &asked.url(&world)).await.callback();
                let get = |name: &str| match mode {
                    "query" => callback.parameters.get(name).cloned(),
                    _ => in_fragment(&callback, name),
                };
                assert_eq!(get("error").as_deref(), Some("unsupported_response_type"), "{kind} {mode}");
                assert_eq!(get("state").as_deref(), Some("state-1234567890"));
                assert_eq!(get("iss").as_deref(), Some(world.issuer.as_str()));
                let url = callback.url.as_str();
                assert!(!url.contains("token=") && !url.contains("code="), "{url}");
            }
        }
        let missing = request("web").without("response_type");
        let callback = open(&world, &browser, &missing.url(&world)).await.callback();
        assert_redirected(&world, &callback, "invalid_request");
        assert_eq!(world.store.since(before).commits, 0);

        let document = Browser::new().get(&world.url("/.well-known/openid-configuration")).await.unwrap();
        assert_eq!(document.json()["response_types_supported"], serde_json::json!(["code"]));
        assert!(!document.json()["grant_types_supported"].to_string().contains("implicit"));
    }

    async fn a_013_scopes_cannot_be_smuggled(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let before = world.store.snapshot();
        let long = "openid ".repeat(700);
        for scope in [
            "openid\tadmin", "openid\nadmin", "openid  email", " openid", "openid ", "\"openid\"", "openid\\",
            "openid,email", "openid+email", "admin", "openid admin", "OPENID", "öpenid", "*", "", " ", long.trim(),
        ] {
            let asked = request("web").set("scope", scope);
            let callback = open(&world, &browser, &asked.url(&world)).await.callback();
            assert_redirected(&world, &callback, "invalid_scope");
            assert_eq!(callback.get("state"), "state-1234567890");
        }
        let none = request("web").without("scope");
        let callback = open(&world, &browser, &none.url(&world)).await.callback();
        assert_redirected(&world, &callback, "invalid_scope");

        let many = request("web").set("scope", &"a ".repeat(10_000));
        assert_page(&browser.get(&many.url(&world)).await.unwrap(), 400);
        let huge = request("web").set("scope", &"a ".repeat(100_000));
        let post = browser.http().post(world.url("/oauth2/auth")).body(huge.query());
        let post = post.header("content-type", "application/x-www-form-urlencoded");
        let reply = browser.send(post).await.unwrap();
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(reply.location().is_none());
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_014_a_scope_that_restricts_to_an_organisation_is_not_taken_and_ignored(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let before = world.store.snapshot();
        let asked = request("web").set("scope", "openid urn:example:org:id:42");
        for asked in [asked.clone(), asked.set("prompt", "none")] {
            let callback = open(&world, &browser, &asked.url(&world)).await.callback();
            assert_redirected(&world, &callback, "invalid_scope");
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_015_every_answer_names_its_issuer(setup: Setup) {
        let world = World::start(setup).await;
        let document = Browser::new().get(&world.url("/.well-known/openid-configuration")).await.unwrap();
        assert_eq!(document.json()["issuer"], world.issuer);
        assert_eq!(document.json()["authorization_response_iss_parameter_supported"], true);
        let browser = settled_browser(&world, "web").await;
        for (name, value) in [
            ("prompt", ""), ("prompt", "none"), ("prompt", "nonsense"), ("scope", "admin"),
            ("response_type", "token"), ("state", "1"), ("max_age", "x"), ("resource", "x"),
            ("code_challenge", "x"), ("request", "eyJhbGciOiJub25lIn0.e30."), ("id_token_hint", "x"),
            // A client cannot choose it.
            ("iss", "https://evil.example"),
        ] {
            for mode in ["query", "fragment", "form_post"] {
                let asked = request("web").set(name, value).set("response_mode", mode);
                let reply = browser.get(&asked.url(&world)).await.unwrap();
                let iss = match mode {
                    "form_post" => reply.hidden("iss"),
                    "query" => Some(Callback::of(reply.location().unwrap()).get("iss").to_owned()),
                    _ => in_fragment(&Callback::of(reply.location().unwrap()), "iss"),
                };
                assert_eq!(iss.as_deref(), Some(world.issuer.as_str()), "{name}={value} {mode}");
            }
        }
        // Those that come after a question, too.
        let page = open(&world, &Browser::new(), &request("web").url(&world)).await.page();
        assert!(page.hidden("login_challenge").is_some());
        let none = request("web").set("prompt", "none");
        let callback = open(&world, &Browser::new(), &none.url(&world)).await.callback();
        assert_redirected(&world, &callback, "login_required");
    }

    async fn a_016_a_redirect_never_repeats_a_post(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let page = open(&world, &browser, &request("web").url(&world)).await.page();
        let challenge = page.hidden("login_challenge").unwrap();
        let form = [
            ("login_challenge", challenge.as_str()),
            ("identifier", "alice"),
            ("password", crate::world::PASSWORD),
        ];
        let mut reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        let mut statuses = Vec::new();
        while let Some(location) = reply.location() {
            statuses.push(reply.status);
            assert!(!location.as_str().contains("password") && !location.as_str().contains("battery"));
            if !location.as_str().starts_with(&world.issuer) {
                break;
            }
            reply = browser.get(location.as_str()).await.unwrap();
            if let Some(challenge) = reply.hidden("consent_challenge") {
                let form = [("consent_challenge", challenge.as_str()), ("action", "accept")];
                reply = browser.post(&world.url("/oauth2/consent"), &form).await.unwrap();
            }
        }
        assert_eq!(statuses, [StatusCode::SEE_OTHER; 4]);
        let post = browser.post(&world.url("/oauth2/auth"), &[("client_id", "web")]).await.unwrap();
        assert_page(&post, 400);
    }

    async fn a_021_values_that_can_be_guessed_are_refused(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let eight = request("web").set("state", "12345678").set("nonce", "12345678");
        open(&world, &browser, &eight.url(&world)).await.callback().code();
        let before = world.store.snapshot();
        for (name, value, error) in [
            ("state", "1", "invalid_state"),
            ("state", "1234567", "invalid_state"),
            ("state", "ééé한글", "invalid_state"),
            ("nonce", "1", "invalid_request"),
            ("nonce", "1234567", "invalid_request"),
        ] {
            let weak = request("web").set(name, value);
            let callback = open(&world, &browser, &weak.url(&world)).await.callback();
            assert_redirected(&world, &callback, error);
            assert!(callback.get("error_description").contains("insufficient entropy"));
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_022_a_post_is_a_form_and_from_another_site_brings_no_session(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let endpoint = world.url("/oauth2/auth");
        let form = request("web").query();
        let post = |browser: &Browser, kind: &str, body: String| {
            browser.http().post(&endpoint).header("content-type", kind).body(body)
        };
        const FORM: &str = "application/x-www-form-urlencoded";
        let reply = browser.send(post(&browser, FORM, form.clone())).await.unwrap();
        follow(&world, &browser, reply).await.callback().code();

        // Lax cookies stay at home when another site posts; the GET that follows brings them. The
        // cookies of the browser are not replaced meanwhile.
        let elsewhere = Browser::new();
        let before = world.store.snapshot();
        let reply = elsewhere.send(post(&elsewhere, FORM, form.clone())).await.unwrap();
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        assert!(reply.headers.get("set-cookie").is_none(), "{:?}", reply.headers);
        assert_eq!(world.store.since(before).round_trips(), 0);
        let location = reply.location().unwrap();
        assert!(location.as_str().starts_with(&format!("{endpoint}?")), "{location}");
        open(&world, &browser, location.as_str()).await.callback().code();

        let before = world.store.snapshot();
        let json = serde_json::json!({"client_id": "web", "response_type": "code"}).to_string();
        for (kind, body) in [
            ("text/plain", form.clone()),
            ("application/json", json),
            ("application/json", form.clone()),
            ("multipart/form-data; boundary=x", form.clone()),
            ("application/x-www-form-urlencoded-not", form.clone()),
        ] {
            let reply = browser.send(post(&browser, kind, body)).await.unwrap();
            assert_page(&reply, 415);
        }
        let untyped = browser.http().post(&endpoint).body(form);
        assert_page(&browser.send(untyped).await.unwrap(), 415);
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_023_a_token_is_for_the_resources_that_were_granted(setup: Setup) {
        const A: &str = "https://api-a.example";
        const B: &str = "https://api-b.example";
        let world = World::with(setup, |builder| builder.client(web().audience(A))).await;
        let browser = settled_browser(&world, "web").await;
        let asked = request("web").set("resource", A);
        // A resource is a question of its own, once.
        let remember = Person { remember_consent: true, ..ALICE };
        let callback = authorize(&world, &browser, &remember, &asked).await.callback();
        let good = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(introspect(&world, &good.access).await["aud"], serde_json::json!([A]));

        let before = world.store.snapshot();
        for bad in [B, "https://api-a.example/", "HTTPS://api-a.example", "api-a", "/api", "https://api-a.example#x"] {
            for asked in [request("web").set("resource", bad), asked.clone().and("resource", bad)] {
                let callback = open(&world, &browser, &asked.url(&world)).await.callback();
                assert_redirected(&world, &callback, "invalid_target");
            }
        }
        assert_eq!(world.store.since(before).commits, 0);

        // At the token endpoint nothing is added to what was granted.
        let callback = open(&world, &browser, &asked.url(&world)).await.callback();
        let redemption = |resource| {
            [
                ("grant_type", "authorization_code"),
                ("code", callback.get("code")),
                ("redirect_uri", crate::world::WEB_CALLBACK),
                ("code_verifier", VERIFIER),
                ("resource", resource),
            ]
        };
        assert_refused(&token(&world, WEB, &redemption(B)).await, 400, "invalid_target");
        let tokens = Tokens::of(&token(&world, WEB, &redemption(A)).await);
        assert_eq!(introspect(&world, &tokens.access).await["aud"], serde_json::json!([A]));
        let refresh = |resource| {
            [("grant_type", "refresh_token"), ("refresh_token", good.refresh.as_str()), ("resource", resource)]
        };
        assert_refused(&token(&world, WEB, &refresh(B)).await, 400, "invalid_target");
        let tokens = Tokens::of(&token(&world, WEB, &refresh(A)).await);
        assert_eq!(introspect(&world, &tokens.access).await["aud"], serde_json::json!([A]));

        // What the client may not have any more is not given again.
        world.provider.clients().put(web()).await.unwrap();
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
        // A token without a resource would be good at more places.
        assert_refused(&token(&world, WEB, &form).await, 400, "invalid_target");
        world.provider.clients().put(web().audience(A)).await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(6));
        let later = Tokens::of(&token(&world, WEB, &form).await);
        assert_eq!(introspect(&world, &later.access).await["aud"], serde_json::json!([A]));
    }
}
