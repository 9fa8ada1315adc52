//! Modules about when a person is asked, and how.

use std::time::Duration;

use auth_core::Clock as _;

use auth_testkit::Browser;

use super::pass::each_pass;
use crate::flow::*;

/// The errors by which a client learns that somebody would have to do something.
const NEEDS_A_PERSON: [&str; 4] =
    ["login_required", "interaction_required", "account_selection_required", "consent_required"];

blackbox! {
    async fn oidcc_display_page_and_popup(setup: Setup) {
        each_pass(setup, async |pass| {
            for display in ["page", "popup"] {
                pass.complete(&Browser::new(), &pass.request().set("display", display)).await;
            }
        })
        .await;
    }

    async fn oidcc_prompt_login(setup: Setup) {
        each_pass(setup, async |pass| {
            let browser = Browser::new();
            let first = pass.complete(&browser, &pass.request()).await;
            pass.world.clock.advance(Duration::from_secs(1));
            let request = pass.request().set("prompt", "login");
            let page = open(pass.world, &browser, &request.url(pass.world)).await.page();
            assert!(page.hidden("login_challenge").is_some(), "asked again");
            let second = pass.complete(&browser, &request).await;
            assert!(second.id["auth_time"].as_u64() > first.id["auth_time"].as_u64());
            assert_eq!(second.id["sub"], first.id["sub"]);
        })
        .await;
    }

    async fn oidcc_prompt_none_not_logged_in(setup: Setup) {
        each_pass(setup, async |pass| {
            let request = pass.request().set("prompt", "none").set("state", &"s".repeat(128));
            let answer = pass.send_silently(&Browser::new(), &request).await;
            let error = pass.refused(&answer);
            assert!(NEEDS_A_PERSON.contains(&&*error), "{error}");
        })
        .await;
    }

    async fn oidcc_prompt_none_logged_in(setup: Setup) {
        each_pass(setup, async |pass| {
            let browser = Browser::new();
            let first = pass.complete(&browser, &pass.request()).await;
            let request = pass.request().set("prompt", "none");
            let answer = pass.send_silently(&browser, &request).await;
            let second = pass.outcome(answer, &request).await;
            for name in ["sub", "auth_time"] {
                assert_eq!(second.id[name], first.id[name], "{name}");
            }
        })
        .await;
    }

    async fn oidcc_max_age_1(setup: Setup) {
        each_pass(setup, async |pass| {
            let browser = Browser::new();
            let first = pass.complete(&browser, &pass.request()).await;
            pass.world.clock.advance(Duration::from_secs(2));
            let request = pass.request().set("max_age", "1");
            let page = open(pass.world, &browser, &request.url(pass.world)).await.page();
            assert!(page.hidden("login_challenge").is_some(), "asked again");
            let second = pass.complete(&browser, &request).await;
            assert!(second.id["auth_time"].as_u64() > first.id["auth_time"].as_u64());
            let now = pass.world.clock.now().as_secs();
            assert!(second.id["auth_time"].as_u64().is_some_and(|at| now - at <= 1), "just now");
        })
        .await;
    }

    async fn oidcc_max_age_10000(setup: Setup) {
        each_pass(setup, async |pass| {
            let browser = Browser::new();
            let first = pass.complete(&browser, &pass.request().set("max_age", "15000")).await;
            let request = pass.request().set("max_age", "10000");
            let answer = pass.send_silently(&browser, &request).await;
            let second = pass.outcome(answer, &request).await;
            for name in ["sub", "auth_time"] {
                assert_eq!(second.id[name], first.id[name], "{name}");
            }
        })
        .await;
    }

    async fn oidcc_id_token_hint(setup: Setup) {
        each_pass(setup, async |pass| {
            let browser = Browser::new();
            let first = pass.complete(&browser, &pass.request()).await;
            let request = pass.request().set("prompt", "none").set("id_token_hint", &first.id_token);
            let answer = pass.send_silently(&browser, &request).await;
            let second = pass.outcome(answer, &request).await;
            assert_eq!(second.id["sub"], first.id["sub"]);
        })
        .await;
    }

    async fn oidcc_login_hint_ui_locales_and_claims_locales(setup: Setup) {
        each_pass(setup, async |pass| {
            for (name, value) in
                [("login_hint", "buffy@id.example"), ("ui_locales", "se"), ("claims_locales", "se")]
            {
                pass.complete(&Browser::new(), &pass.request().set(name, value)).await;
            }
        })
        .await;
    }

    async fn oidcc_ensure_request_with_acr_values_succeeds(setup: Setup) {
        each_pass(setup, async |pass| {
            let request = pass.request().set("acr_values", "1 2");
            let outcome = pass.complete(&Browser::new(), &request).await;
            // One that was asked for: the built-in sign-in reaches the weakest.
            assert_eq!(outcome.id["acr"], "1");
        })
        .await;
    }
}
