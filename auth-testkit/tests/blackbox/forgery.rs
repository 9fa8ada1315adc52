//! Values that we did not make, or made for something else, and requests that are none.

use auth_oidc::client::{AccessTokenFormat, Client, GrantType};
use auth_testkit::store::CommitFault;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use serde_json::json;
use url::form_urlencoded::Serializer;

use crate::code::signed_in;
use crate::flow::*;
use crate::world::{SECRET, WEB_CALLBACK, World, web};

/// Every way to change `text` by one bit, to cut it, to lengthen it or to spell it otherwise.
fn mutations(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for at in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            all.push(String::from_utf8(bytes).unwrap());
        }
        all.push(text[..at].to_owned());
        all.push(text[at + 1..].to_owned());
    }
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for tail in alphabet.chars() {
        // The last character may have bits that do not count: another spelling of the same bytes.
        all.push(format!("{}{tail}", &text[..text.len() - 1]));
        all.push(format!("{text}{tail}"));
    }
    for addition in ["=", "==", ".", " ", "\n", "\0", "%00", "+", "/", "é", "AAAA"] {
        all.extend([format!("{text}{addition}"), format!("{addition}{text}")]);
    }
    all.extend([text.to_uppercase(), text.to_lowercase(), text.repeat(2)]);
    if let Some((prefix, payload)) = text.split_once('_')
        && let Ok(raw) = URL_SAFE_NO_PAD.decode(payload)
    {
        for bit in 0..raw.len() * 8 {
            let mut raw = raw.clone();
            raw[bit / 8] ^= 1 << (bit % 8);
            all.push(format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(raw)));
        }
        all.push(format!("{prefix}_{}", STANDARD.encode(&raw)));
        all.push(payload.to_owned());
    }
    // In the standard alphabet a value without `-` and `_` is spelt the same.
    all.retain(|mutation| mutation != text && !mutation.is_empty());
    all
}

/// Posts a form for each of `values` and gives those whose answer is not `expected`.
async fn accepted(
    world: &World,
    path: &str,
    client: &str,
    form: &[(&str, &str)],
    name: &str,
    values: Vec<String>,
    expected: impl Fn(&Reply) -> bool,
) -> Vec<String> {
    let browser = Browser::new();
    let credentials = format!("Basic {}", STANDARD.encode(format!("{client}:{SECRET}")));
    let post = |value: String| {
        let (browser, mut form) = (browser.clone(), form.to_vec());
        form.push((name, &value));
        let request = browser.http().post(world.url(path)).form(&form);
        let request = request.header("authorization", &credentials);
        async move { (browser.send(request).await.unwrap(), value) }
    };
    let mut answers = stream::iter(values.into_iter().map(post)).buffer_unordered(16);
    let mut bad = Vec::new();
    while let Some((reply, value)) = answers.next().await {
        if !expected(&reply) {
            bad.push(format!("{value:?}: {} {}", reply.status, reply.text()));
        }
    }
    bad
}

const REDEMPTION: [(&str, &str); 3] = [
    ("grant_type", "authorization_code"),
    ("redirect_uri", WEB_CALLBACK),
    ("code_verifier", VERIFIER),
];

fn is_invalid_grant(reply: &Reply) -> bool {
    reply.status == StatusCode::BAD_REQUEST && reply.json()["error"] == "invalid_grant"
}

fn is_inactive(reply: &Reply) -> bool {
    reply.status == StatusCode::OK && reply.json() == json!({"active": false})
}

/// Posts a body of any type to the token endpoint, as `web`.
async fn post_raw(world: &World, query: &str, content_type: &str, body: String) -> Reply {
    let browser = Browser::new();
    let credentials = format!("Basic {}", STANDARD.encode(format!("web:{SECRET}")));
    let request = browser.http().post(world.url(&format!("/oauth2/token{query}")));
    let request = request.header("authorization", credentials);
    browser.send(request.header("content-type", content_type).body(body)).await.unwrap()
}

fn encoded(form: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(form).finish()
}

blackbox! {
    async fn a_058_a_value_that_was_made_for_something_else(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        let tokens = tokens(&world).await;
        let url = request("web").url(&world);
        let code = open(&world, &browser, &url).await.callback().code();
        let session = browser.cookie("auth_session").unwrap();
        let asked = open(&world, &Browser::new(), &url).await.page();
        let challenge = asked.hidden("login_challenge").unwrap();
        let values = [
            ("ac_", &code),
            ("at_", &tokens.access),
            ("rt_", &tokens.refresh),
            ("se_", &session),
            ("", &tokens.id),
            ("", &challenge),
        ];

        for (own, value) in values {
            let payload = value.strip_prefix(own).unwrap();
            for prefix in ["ac_", "at_", "rt_", "se_", ""] {
                if prefix == own && !own.is_empty() {
                    continue;
                }
                let forged = format!("{prefix}{payload}");
                let before = world.store.snapshot();
                assert_refused(&redeem(&world, WEB, &forged).await, 400, "invalid_grant");
                assert_refused(&refresh(&world, WEB, &forged).await, 400, "invalid_grant");
                assert!(!is_active(&world, &forged).await, "{own} as {prefix}");
                let person = userinfo(&world, &forged).await;
                assert_eq!(person.status, StatusCode::UNAUTHORIZED, "{own} as {prefix}");
                assert_eq!(world.store.since(before).commits, 0);

                let thief = Browser::new();
                thief.set_cookie("auth_session", &forged);
                let page = open(&world, &thief, &url).await.page();
                assert!(page.hidden("login_challenge").is_some(), "{own} as {prefix}");
            }
            if own != "ac_" {
                assert_refused(&redeem(&world, WEB, value).await, 400, "invalid_grant");
            }
        }
        for token in [&tokens.access, &tokens.refresh] {
            assert!(is_active(&world, token).await);
        }
        Tokens::of(&redeem(&world, WEB, &code).await);
    }

    async fn a_059_no_mutation_of_a_code_or_token_is_accepted(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        let code = open(&world, &browser, &request("web").url(&world)).await.callback().code();
        let tokens = tokens(&world).await;
        let with_jwts = web().access_token_format(AccessTokenFormat::Jwt);
        world.provider.clients().put(with_jwts).await.unwrap();
        let jwt = Tokens::of(&redeem(&world, WEB, &crate::flow::code(&world).await).await).access;
        assert!(jwt.split('.').count() == 3 && is_active(&world, &jwt).await);

        let before = world.store.snapshot();
        let redeemed = accepted(
            &world, "/oauth2/token", "web", &REDEMPTION, "code", mutations(&code), is_invalid_grant,
        );
        assert_eq!(redeemed.await, Vec::<String>::new());
        let form = [("grant_type", "refresh_token")];
        let refreshed = accepted(
            &world, "/oauth2/token", "web", &form, "refresh_token", mutations(&tokens.refresh),
            is_invalid_grant,
        );
        assert_eq!(refreshed.await, Vec::<String>::new());
        for token in [&tokens.access, &tokens.refresh, &jwt] {
            let active = accepted(
                &world, "/oauth2/introspect", "rs", &[], "token", mutations(token), is_inactive,
            );
            assert_eq!(active.await, Vec::<String>::new());
        }
        assert_eq!(world.store.since(before).commits, 0);

        // The values themselves are as good as before.
        for token in [&tokens.access, &tokens.refresh, &jwt] {
            assert!(is_active(&world, token).await);
        }
        Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        Tokens::of(&redeem(&world, WEB, &code).await);
    }

    async fn a_063_a_value_in_the_wrong_grant(setup: Setup) {
        let no_refresh = |mut client: Client| {
            client.grant_types.retain(|grant| *grant != GrantType::RefreshToken);
            client
        };
        let (world, browser) = signed_in(setup).await;
        let code = open(&world, &browser, &request("web").url(&world)).await.callback().code();
        let tokens = tokens(&world).await;

        let before = world.store.snapshot();
        assert_refused(&refresh(&world, WEB, &code).await, 400, "invalid_grant");
        for token in [&tokens.refresh, &tokens.access, &tokens.id] {
            assert_refused(&redeem(&world, WEB, token).await, 400, "invalid_grant");
        }
        for token in [&tokens.access, &tokens.id] {
            assert_refused(&refresh(&world, WEB, token).await, 400, "invalid_grant");
        }
        // A client may use the grants that it is registered for, and there are no others.
        assert_refused(&redeem(&world, SVC, &code).await, 400, "unauthorized_client");
        assert_refused(&refresh(&world, SVC, &tokens.refresh).await, 400, "unauthorized_client");
        let own = token(&world, WEB, &[("grant_type", "client_credentials")]).await;
        assert_refused(&own, 400, "unauthorized_client");
        let own = token(&world, SPA, &[("grant_type", "client_credentials")]).await;
        assert_refused(&own, 400, "unauthorized_client");
        for grant in ["password", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "x"] {
            let reply = token(&world, WEB, &[("grant_type", grant), ("code", &code)]).await;
            assert_refused(&reply, 400, "unsupported_grant_type");
        }
        let none = token(&world, WEB, &[("code", &code)]).await;
        assert_refused(&none, 400, "invalid_request");
        let none = token(&world, WEB, &[("grant_type", "authorization_code")]).await;
        assert_refused(&none, 400, "invalid_request");
        let none = token(&world, WEB, &[("grant_type", "refresh_token")]).await;
        assert_refused(&none, 400, "invalid_request");
        assert_eq!(world.store.since(before).commits, 0);
        Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        Tokens::of(&redeem(&world, WEB, &code).await);

        // A client whose grant is taken away can neither refresh nor get new refresh tokens.
        let code = open(&world, &browser, &request("web").url(&world)).await.callback().code();
        world.provider.clients().put(no_refresh(web())).await.unwrap();
        let without = Tokens::of(&redeem(&world, WEB, &code).await);
        assert_eq!(without.refresh, "");
        assert_refused(&refresh(&world, WEB, &tokens.refresh).await, 400, "unauthorized_client");
    }

    async fn a_064_a_token_request_of_another_form(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        let code = open(&world, &browser, &request("web").url(&world)).await.callback().code();
        let mut form = REDEMPTION.to_vec();
        form.push(("code", &code));
        let query = encoded(&form);
        const FORM: &str = "application/x-www-form-urlencoded";

        let before = world.store.snapshot();
        for method in [http::Method::GET, http::Method::PUT, http::Method::DELETE] {
            let url = world.url(&format!("/oauth2/token?{query}"));
            let reply = browser.send(browser.http().request(method, url)).await.unwrap();
            assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{}", reply.text());
            assert_eq!(reply.header("allow"), "POST");
            assert_eq!(reply.header("cache-control"), "no-store");
        }
        let in_query = post_raw(&world, &format!("?{query}"), FORM, String::new()).await;
        assert_refused(&in_query, 400, "invalid_request");
        let split = post_raw(&world, "?code=x", FORM, query.clone()).await;
        assert_refused(&split, 400, "invalid_request");
        let object: serde_json::Map<_, _> =
            form.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let others = ["application/json", "text/plain", "multipart/form-data; boundary=x", ""];
        for content_type in others {
            for body in [serde_json::to_string(&object).unwrap(), query.clone()] {
                let reply = post_raw(&world, "", content_type, body).await;
                assert_refused(&reply, 415, "invalid_request");
            }
        }
        for (name, value) in &form {
            for other in [value, "other", ""] {
                let twice = format!("{query}&{}", encoded(&[(name, other)]));
                let reply = post_raw(&world, "", FORM, twice).await;
                assert_refused(&reply, 400, "invalid_request");
            }
        }
        let not_utf8 = post_raw(&world, "", FORM, format!("{query}&x=%ff")).await;
        assert_refused(&not_utf8, 400, "invalid_request");
        let many = post_raw(&world, "", FORM, format!("{query}{}", "&x=1".repeat(200))).await;
        assert_refused(&many, 400, "invalid_request");
        let long = post_raw(&world, "", FORM, format!("{query}&x={}", "x".repeat(1 << 20))).await;
        assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(world.store.since(before).commits, 0);

        let charset = format!("{FORM}; charset=UTF-8");
        Tokens::of(&post_raw(&world, "", &charset, query).await);
    }

    async fn a_066_no_answer_with_a_token_is_cached(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        let url = request("web").url(&world);
        let code = open(&world, &browser, &url).await.callback().code();
        let redeemed = redeem(&world, WEB, &code).await;
        let tokens = Tokens::of(&redeemed);
        let again = refresh(&world, WEB, &tokens.refresh).await;
        let newer = Tokens::of(&again);
        let grant = [("grant_type", "client_credentials"), ("scope", "orders:read")];
        let own = token(&world, SVC, &grant).await;
        assert_eq!(own.status, StatusCode::OK, "{}", own.text());
        let active = post_as(&world, "/oauth2/introspect", RS, &[("token", &newer.access)]).await;
        let person = userinfo(&world, &newer.access).await;
        assert_eq!((active.status, person.status), (StatusCode::OK, StatusCode::OK));
        let mut replies = vec![redeemed, again, own, active, person];

        replies.push(redeem(&world, WEB, &code).await);
        replies.push(redeem(&world, By::Basic("web", "wrong"), &code).await);
        replies.push(token(&world, WEB, &[("grant_type", "x")]).await);
        replies.push(post_raw(&world, "", "application/json", "{}".to_owned()).await);
        replies.push(post_as(&world, "/oauth2/introspect", By::Nothing, &[("token", "x")]).await);
        replies.push(userinfo(&world, "x").await);
        replies.push(browser.get(&world.url("/oauth2/token")).await.unwrap());
        let code = open(&world, &browser, &url).await.callback().code();
        world.faults.fail_commit(CommitFault::Unavailable);
        replies.push(redeem(&world, WEB, &code).await);
        let statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 400, 401, 400, 415, 401, 401, 405, 503]);
        for reply in &replies {
            let shown = format!("{} {:?}", reply.url, reply.headers);
            assert_eq!(reply.header("cache-control"), "no-store", "{shown}");
            if reply.url.path() == "/oauth2/token" {
                // RFC 6749 §5.1 asks for both.
                assert_eq!(reply.header("pragma"), "no-cache", "{shown}");
            }
            assert!(reply.location().is_none(), "{shown}");
            assert!(!reply.headers.contains_key("set-cookie"), "{shown}");
        }
    }
}
