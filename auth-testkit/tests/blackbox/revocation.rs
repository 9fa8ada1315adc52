//! Revoking all that a person has, or all that they gave one client.

use auth_testkit::Browser;

use crate::flow::*;
use crate::world::World;

/// Tokens for `web` and for `spa`, and the browser that they came through.
async fn two_grants(world: &World) -> (Browser, Tokens, Tokens) {
    let browser = Browser::new();
    let person = Person { remember_consent: true, ..ALICE };
    let code = authorize(world, &browser, &person, &request("web")).await.callback().code();
    let web = Tokens::of(&redeem(world, WEB, &code).await);
    let code = authorize(world, &browser, &person, &request("spa")).await.callback().code();
    let spa = Tokens::of(&redeem(world, SPA, &code).await);
    (browser, web, spa)
}

blackbox! {
    async fn a_071_a_person_who_is_revoked_has_nothing_left(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, web, spa) = two_grants(&world).await;
        let bob = authorize(&world, &Browser::new(), &BOB, &request("web")).await.callback().code();
        let bob = Tokens::of(&redeem(&world, WEB, &bob).await);
        for token in [&web.access, &web.refresh, &spa.access, &bob.access] {
            assert!(is_active(&world, token).await);
        }
        world.provider.revoke_subject(&"u-alice".into()).await.unwrap();
        for token in [&web.access, &web.refresh, &spa.access, &spa.refresh] {
            assert!(!is_active(&world, token).await);
        }
        assert_refused(&refresh(&world, WEB, &web.refresh).await, 400, "invalid_grant");
        let silent = request("web").set("prompt", "none").url(&world);
        let callback = open(&world, &browser, &silent).await.callback();
        assert_redirected(&world, &callback, "login_required");
        assert!(is_active(&world, &bob.access).await, "somebody else's");

        // Whoever may sign in again begins anew.
        let again = authorize(&world, &browser, &ALICE, &request("web")).await.callback().code();
        let again = Tokens::of(&redeem(&world, WEB, &again).await);
        assert!(is_active(&world, &again.access).await);
    }

    async fn a_060_a_consent_that_is_taken_back_takes_its_codes_and_tokens_along(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, web, spa) = two_grants(&world).await;
        // Remembered, so that a code comes without a question.
        let url = request("web").url(&world);
        let pending = open(&world, &browser, &url).await.callback().code();
        world.provider.revoke_consent(&"u-alice".into(), &"web".into()).await.unwrap();

        assert_refused(&redeem(&world, WEB, &pending).await, 400, "invalid_grant");
        assert_refused(&refresh(&world, WEB, &web.refresh).await, 400, "invalid_grant");
        assert!(!is_active(&world, &web.access).await);
        assert!(is_active(&world, &spa.access).await, "another client's");
        let page = open(&world, &browser, &url).await.page();
        assert!(page.hidden("consent_challenge").is_some(), "the person is asked again");
    }
}
