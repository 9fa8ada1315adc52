//! Modules about what a request may look like.

use auth_oidc::client::ResponseType;
use auth_testkit::Browser;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::pass::each_pass;
use crate::flow::*;
use crate::world::WEB_CALLBACK;

/// A request object that nobody signed.
fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none"})), part(claims))
}

blackbox! {
    async fn oidcc_response_type_missing(setup: Setup) {
        each_pass(setup, async |pass| {
            let errors = ["invalid_request", "unsupported_response_type"];
            if pass.form_post {
                pass.assert_refused(&pass.request().without("response_type"), &errors).await;
            }
            // Without a mode, and without a type that says which is meant, the answer is in the query.
            let request = pass.request().without("response_type").without("response_mode");
            match open(pass.world, &Browser::new(), &request.url(pass.world)).await {
                End::Page(page) => assert_page(&page, 400),
                End::Callback(callback) => {
                    assert!(errors.contains(&callback.get("error")));
                    assert!(!callback.get("state").is_empty());
                }
            }
        })
        .await;
    }

    async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow(setup: Setup) {
        each_pass(setup, async |pass| {
            if !pass.is(&[ResponseType::Code, ResponseType::CodeToken]) {
                return;
            }
            pass.complete(&Browser::new(), &pass.request().without("nonce")).await;
        })
        .await;
    }

    async fn oidcc_ensure_request_without_nonce_fails(setup: Setup) {
        each_pass(setup, async |pass| {
            if pass.response_type.has_id_token() {
                pass.complete(&Browser::new(), &pass.request()).await;
                pass.assert_refused(&pass.request().without("nonce"), &["invalid_request"]).await;
            }
        })
        .await;
    }

    async fn oidcc_ensure_request_with_unknown_parameter_succeeds(setup: Setup) {
        each_pass(setup, async |pass| {
            pass.complete(&Browser::new(), &pass.request().set("extra", "foobar")).await;
        })
        .await;
    }

    async fn oidcc_ensure_registered_redirect_uri(setup: Setup) {
        each_pass(setup, async |pass| {
            let request = pass.request().set("redirect_uri", &format!("{WEB_CALLBACK}/elsewhere"));
            let page = open(pass.world, &Browser::new(), &request.url(pass.world)).await.page();
            assert_page(&page, 400);
        })
        .await;
    }

    async fn oidcc_ensure_post_request_succeeds(setup: Setup) {
        each_pass(setup, async |pass| {
            let (browser, request) = (Browser::new(), pass.request());
            let query = request.query();
            let form: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let form: Vec<_> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
            let reply = browser.post(&pass.world.url("/oauth2/auth"), &form).await.unwrap();
            let end = follow(pass.world, &browser, reply).await;
            let end = answer(pass.world, &browser, &ALICE, end).await;
            pass.outcome(pass.arrived(end, &request), &request).await;
        })
        .await;
    }

    async fn oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(setup: Setup) {
        each_pass(setup, async |pass| {
            let object = unsigned(&json!({"nonce": "inside", "client_id": "web", "iss": "web"}));
            let answer = pass.send_silently(&Browser::new(), &pass.request().set("request", &object)).await;
            assert_eq!(pass.refused(&answer), "request_not_supported");
        })
        .await;
    }

    async fn oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(setup: Setup) {
        each_pass(setup, async |pass| {
            let uri = "https://app.example/request.jwt#0c0d";
            let answer = pass.send_silently(&Browser::new(), &pass.request().set("request_uri", uri)).await;
            assert_eq!(pass.refused(&answer), "request_uri_not_supported");
        })
        .await;
    }

    async fn oidcc_ensure_request_object_with_redirect_uri(setup: Setup) {
        each_pass(setup, async |pass| {
            let object = unsigned(&json!({"redirect_uri": WEB_CALLBACK, "client_id": "web"}));
            let outside = pass.request().set("redirect_uri", &format!("{WEB_CALLBACK}/elsewhere"));
            let url = outside.set("request", &object).url(pass.world);
            assert_page(&open(pass.world, &Browser::new(), &url).await.page(), 400);
        })
        .await;
    }

    async fn oidcc_ensure_request_with_valid_pkce_succeeds(setup: Setup) {
        each_pass(setup, async |pass| {
            let request = pass.request().set("code_challenge", &challenge_of(VERIFIER));
            let request = request.set("code_challenge_method", "S256");
            if pass.response_type.has_code() {
                pass.complete(&Browser::new(), &request).await;
            }
        })
        .await;
    }
}
