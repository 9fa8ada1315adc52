//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use auth_core::keys::{CompactJws, SigningAlgorithm};
use auth_core::store::limits::DUE_SHARDS;
use auth_core::store::{Queue, Store};
use auth_core::{Clock, Subject, Timestamp};
use auth_fetch::SafeHttpClient;
use auth_oidc::client::ClientError;
use auth_testkit::Browser;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::flow::*;
use crate::logout::logout_url;
use crate::rp::{Answers, RelyingParty, outgoing, web_told_at};
use crate::world::{SECRET, Setup, WEB_CALLBACK, World, web};

/// A provider whose client `web` and one called `other` belong to a server that is told of logouts.
async fn told(setup: Setup) -> (World, RelyingParty) {
    let server = RelyingParty::start().await;
    let clients = [web_told_at(&server, "/web/out"), server.client("other", "/other/out")];
    let world = World::with(setup, |builder| {
        clients
            .into_iter()
            .fold(builder, auth_oidc::ProviderBuilder::client)
            .http_client(outgoing())
    })
    .await;
    (world, server)
}

/// The tokens of somebody who signs in at a client, by the session of the browser if there is one.
pub async fn at(world: &World, browser: &Browser, client: &str, callback: &str) -> Tokens {
    let request = request(client).set("redirect_uri", callback).set("scope", "openid");
    let callback_with = authorize(world, browser, &ALICE, &request).await.callback();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &callback_with.code()),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    Tokens::of(&token(world, By::Basic(client, SECRET), &form).await)
}

pub async fn sign_out(world: &World, browser: &Browser, tokens: &Tokens) {
    let url = logout_url(world, &[("id_token_hint", &tokens.id)]);
    assert_page(&open(world, browser, &url).await.page(), 200);
}

/// Delivers what is due.
pub async fn deliver(world: &World) -> auth_core::outbox::Worked {
    world.provider.worker().run_once().await.unwrap()
}

/// The claims of a logout token, after all that §2.6 has a client check.
async fn verified(world: &World, token: &str, client: &str) -> Value {
    let jwks = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap();
    let jwks: JwkSet = serde_json::from_str(&jwks.text()).unwrap();
    let jws = CompactJws::parse(token).unwrap();
    assert_eq!(jws.header().typ.as_deref(), Some("logout+jwt"));
    let key = jwks.find(jws.header().kid.as_deref().unwrap()).unwrap();
    let claims = Value::Object(jws.verify(key).unwrap());
    let members: BTreeSet<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"];
    assert_eq!(members, wanted.into(), "and no nonce");
    assert_eq!(claims["iss"], world.issuer.as_str());
    assert_eq!(claims["aud"], client);
    assert_eq!(claims["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    let now = world.clock.now().as_secs();
    assert_eq!(claims["iat"], now);
    assert_eq!(claims["exp"], now + 120);
    claims
}

blackbox! {
    async fn o_07_each_client_of_a_session_is_told_of_its_end(setup: Setup) {
        let (world, server) = told(setup).await;
        let browser = Browser::new();
        let first = at(&world, &browser, "web", WEB_CALLBACK).await;
        let second = at(&world, &browser, "other", &server.url("/cb")).await;
        assert_eq!(claims(&first.id)["sid"], claims(&second.id)["sid"]);
        // The same again, and somebody else's session at the same client.
        at(&world, &browser, "web", WEB_CALLBACK).await;
        let elsewhere = at(&world, &Browser::new(), "web", WEB_CALLBACK).await;
        assert_ne!(claims(&first.id)["sid"], claims(&elsewhere.id)["sid"]);
        assert_eq!(deliver(&world).await.delivered, 0);

        sign_out(&world, &browser, &first).await;
        assert_eq!(server.received().len(), 0, "nobody waits for the clients");
        assert_eq!(deliver(&world).await.delivered, 2);
        let tokens = server.logout_tokens();
        let mut ids = BTreeSet::new();
        let mut told = BTreeSet::new();
        for token in &tokens {
            let client = claims(token)["aud"].as_str().unwrap().to_owned();
            let said = verified(&world, token, &client).await;
            assert_eq!(said["sid"], claims(&first.id)["sid"]);
            assert_eq!(said["sub"], claims(&first.id)["sub"]);
            ids.insert(said["jti"].to_string());
            told.insert(client);
        }
        assert_eq!((ids.len(), told), (2, ["other".to_owned(), "web".to_owned()].into()));
        assert_eq!(deliver(&world).await.delivered, 0);
        assert!(!is_active(&world, &first.access).await && is_active(&world, &elsewhere.access).await);
    }

    async fn o_07_the_metadata_say_that_clients_are_told(setup: Setup) {
        let (world, _server) = told(setup).await;
        let silent = World::start(setup).await;
        for (world, supported) in [(&world, true), (&silent, false)] {
            let url = world.url("/.well-known/openid-configuration");
            let metadata = Browser::new().get(&url).await.unwrap().json();
            assert_eq!(metadata["backchannel_logout_supported"], supported);
            assert_eq!(metadata["backchannel_logout_session_supported"], supported);
            assert_eq!(metadata["frontchannel_logout_supported"], true);
            assert_eq!(metadata["frontchannel_logout_session_supported"], true);
        }
    }

    async fn o_07_a_logout_token_is_signed_as_id_tokens_are(setup: Setup) {
        let server = RelyingParty::start().await;
        let client = web_told_at(&server, "/out").id_token_alg(SigningAlgorithm::Rs256);
        let world = World::with(setup, |builder| builder.client(client).http_client(outgoing())).await;
        let browser = Browser::new();
        let tokens = at(&world, &browser, "web", WEB_CALLBACK).await;
        sign_out(&world, &browser, &tokens).await;
        deliver(&world).await;
        let told = server.logout_tokens().remove(0);
        verified(&world, &told, "web").await;
        let header = |jwt: &str| serde_json::to_value(CompactJws::parse(jwt).unwrap().header().alg).unwrap();
        assert_eq!(header(&told), "RS256");
        assert_eq!(header(&told), header(&tokens.id));
    }

    async fn o_07_what_a_client_does_not_take_is_sent_again_under_the_same_jti(setup: Setup) {
        let (world, server) = told(setup).await;
        let browser = Browser::new();
        let tokens = at(&world, &browser, "web", WEB_CALLBACK).await;
        server.answers([Answers::Status(500), Answers::Status(400), Answers::Status(204)]);
        sign_out(&world, &browser, &tokens).await;
        let mut ids = BTreeSet::new();
        for (delivered, failed) in [(0, 1), (0, 1), (1, 0), (0, 0)] {
            let worked = deliver(&world).await;
            assert_eq!((worked.delivered, worked.failed), (delivered, failed));
            for token in server.logout_tokens() {
                // Each is as fresh as the first one was.
                ids.insert(verified(&world, &token, "web").await["jti"].to_string());
            }
            world.clock.advance(Duration::from_secs(120));
        }
        assert_eq!(ids.len(), 1);
    }

    async fn a_183_a_client_that_hangs_or_redirects_delays_nobody(setup: Setup) {
        let (world, server) = told(setup).await;
        let inside = RelyingParty::start().await;
        let browser = Browser::new();
        let tokens = at(&world, &browser, "web", WEB_CALLBACK).await;
        server.answers([Answers::Late(Duration::from_secs(60)), Answers::RedirectTo(inside.url("/admin"))]);
        let begun = Instant::now();
        sign_out(&world, &browser, &tokens).await;
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        let begun = Instant::now();
        assert_eq!(deliver(&world).await.failed, 1);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        world.clock.advance(Duration::from_secs(3600));
        assert_eq!(deliver(&world).await.failed, 1);
        assert_eq!((server.received().len(), inside.received().len()), (2, 0));
        world.clock.advance(Duration::from_secs(3600));
        assert_eq!(deliver(&world).await.delivered, 1);
        assert_eq!(server.logout_tokens().len(), 1);
    }

    async fn a_130_a_client_inside_of_the_network_is_neither_registered_nor_asked(setup: Setup) {
        let (world, server) = told(setup).await;
        let browser = Browser::new();
        let tokens = at(&world, &browser, "web", WEB_CALLBACK).await;
        sign_out(&world, &browser, &tokens).await;
        // Another process that goes by the rule: what was registered before is refused when it is sent.
        let safe = |builder: auth_oidc::ProviderBuilder| builder.http_client(SafeHttpClient::new().unwrap());
        let node = world.another_node_with(safe).await;
        let clients = node.provider.clients();
        clients.put(web().backchannel_logout_uri("https://rp.example.com/out")).await.unwrap();
        for uri in ["https://127.0.0.1/out", "https://169.254.169.254/out", "https://localhost/out",
            "https://[::ffff:10.0.0.1]/out", "https://0x7f.1/out", "https://redis/out", "http://rp.example.com/out",
            "ftp://rp.example.com/out", "https://user:secret@rp.example.com/out", "/out", "https://rp.example.com/#out"]
        {
            let refused = clients.put(web().backchannel_logout_uri(uri)).await;
            let Err(ClientError::Invalid(error)) = refused else { panic!("{uri}: {refused:?}") };
            assert!(error.to_string().contains("backchannel_logout_uri"), "{error}");
        }
        clients.put(web().backchannel_logout_uri("https://rp.example.com/out")).await.unwrap();
        world.provider.clients().put(web_told_at(&server, "/out")).await.unwrap();
        assert_eq!(node.provider.worker().run_once().await.unwrap().failed, 1);
        assert_eq!(server.received().len(), 0);
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(deliver(&world).await.delivered, 1);
        assert_eq!(server.logout_tokens().len(), 1);
    }

    async fn a_client_that_wants_to_be_told_needs_somebody_to_tell_it(setup: Setup) {
        let world = World::start(setup).await;
        let told = web().backchannel_logout_uri("https://rp.example.com/out").scope("openid");
        let refused = world.provider.clients().put(told.clone()).await.unwrap_err();
        assert!(refused.to_string().contains(".http_client("), "{refused}");
        let error = world.another_builder().client(told.clone()).build().await.unwrap_err();
        assert!(error.to_string().contains(".http_client("), "{error}");
        let http = SafeHttpClient::new().unwrap();
        world.another_builder().client(told).http_client(http).build().await.unwrap();
    }

    async fn a_184_the_registration_counts_as_it_is_when_the_session_ends(setup: Setup) {
        let (world, server) = told(setup).await;
        let clients = world.provider.clients();
        let browser = Browser::new();
        at(&world, &browser, "other", &server.url("/cb")).await;
        let tokens = at(&world, &browser, "web", WEB_CALLBACK).await;
        clients.put(web_told_at(&server, "/moved")).await.unwrap();
        clients.disable(&"other".into()).await.unwrap();
        sign_out(&world, &browser, &tokens).await;
        assert_eq!(deliver(&world).await.delivered, 1);
        let received = server.received();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].uri.path(), "/moved");

        // Between the logout and the delivery.
        let browser = Browser::new();
        let tokens = at(&world, &browser, "web", WEB_CALLBACK).await;
        sign_out(&world, &browser, &tokens).await;
        clients.put(web()).await.unwrap();
        assert_eq!(deliver(&world).await.delivered, 1, "there is nobody to tell any more");
        assert_eq!(server.received().len(), 0);
    }

    async fn a_184_a_client_that_takes_over_an_identifier_is_told_nothing(setup: Setup) {
        let (world, server) = told(setup).await;
        let browser = Browser::new();
        let other = at(&world, &browser, "other", &server.url("/cb")).await;
        let clients = world.provider.clients();
        clients.delete(&"other".into()).await.unwrap();
        while world.provider.jobs().run_once().await.unwrap().done == 0 {
            world.clock.advance(Duration::from_secs(61));
        }
        clients.put(server.client("other", "/other/out")).await.unwrap();
        world.clock.advance(Duration::from_secs(6));
        let url = logout_url(&world, &[("id_token_hint", &other.id)]);
        assert_page(&open(&world, &browser, &url).await.page(), 200);
        deliver(&world).await;
        assert_eq!(server.received().len(), 0);
        // Who goes there again is its own.
        let other = at(&world, &browser, "other", &server.url("/cb")).await;
        sign_out(&world, &browser, &other).await;
        deliver(&world).await;
        assert_eq!(server.logout_tokens().len(), 1);
    }

    async fn o_07_a_session_that_nobody_ends_ends_by_itself(setup: Setup) {
        let (world, server) = told(setup).await;
        let browser = Browser::new();
        let tokens = at(&world, &browser, "web", WEB_CALLBACK).await;
        let day = Duration::from_secs(86_400);
        world.clock.advance(day / 2);
        assert_eq!(deliver(&world).await.delivered, 0);
        // Others prolong it, and no message is added for that.
        let again = request("web").set("prompt", "login");
        for _ in 0..3 {
            authorize(&world, &browser, &ALICE, &again).await.callback().code();
        }
        let due = world.store.due(Queue::Outbox, Timestamp::MAX, 0..DUE_SHARDS, 10).await.unwrap();
        assert_eq!(due.len(), 1);
        world.clock.advance(day / 2 + Duration::from_secs(1));
        deliver(&world).await;
        assert_eq!(server.received().len(), 0, "it goes on");
        world.clock.advance(day / 2);
        // One message finds that it is over, the next one tells the client.
        deliver(&world).await;
        deliver(&world).await;
        let told = server.logout_tokens();
        assert_eq!(told.len(), 1);
        assert_eq!(claims(&told[0])["sid"], claims(&tokens.id)["sid"]);
        world.clock.advance(day);
        deliver(&world).await;
        assert_eq!(server.received().len(), 0);
    }

    async fn o_07_who_signs_in_in_place_of_another_ends_their_session(setup: Setup) {
        let (world, server) = told(setup).await;
        let browser = Browser::new();
        let tokens = at(&world, &browser, "web", WEB_CALLBACK).await;
        let other = request("web").set("prompt", "login");
        authorize(&world, &browser, &BOB, &other).await.callback().code();
        assert_eq!(deliver(&world).await.delivered, 1);
        let told = server.logout_tokens();
        assert_eq!(told.len(), 1);
        let said = verified(&world, &told[0], "web").await;
        assert_eq!(said["sid"], claims(&tokens.id)["sid"]);
        assert_eq!(said["sub"], Subject::from("u-alice").as_str());
    }

    async fn o_07_whichever_process_is_there_tells_the_client(setup: Setup) {
        let (world, server) = told(setup).await;
        let node = world.another_node_with(|builder| builder.http_client(outgoing())).await;
        // One without an HTTP client fails, and says what it lacks.
        let silent = world.another_node().await;
        let browser = Browser::new();
        let tokens = at(&world, &browser, "web", WEB_CALLBACK).await;
        sign_out(&world, &browser, &tokens).await;
        let left = silent.provider.worker().run_once().await.unwrap();
        assert_eq!((left.delivered, left.failed), (0, 1));
        world.clock.advance(Duration::from_secs(60));
        let both = [node.provider.worker().run_once(), world.provider.worker().run_once()];
        let worked = futures_util::future::join_all(both).await;
        let delivered: u32 = worked.into_iter().map(|worked| worked.unwrap().delivered).sum();
        assert_eq!((delivered, server.logout_tokens().len()), (1, 1));
    }
}
