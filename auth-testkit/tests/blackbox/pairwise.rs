//! Identifiers of people that clients cannot compare (OpenID Connect Core §8).

use auth_fetch::SafeHttpClient;
use auth_oidc::client::{
    AccessTokenFormat, ClaimMapper, Client, ClientError, PairwiseSubjects, SubjectType,
};
use auth_testkit::Browser;
use serde_json::{Value, json};

use crate::back_channel::{at, deliver, sign_out};
use crate::flow::*;
use crate::logout::logout_url;
use crate::rp::{Answers, RelyingParty, outgoing};
use crate::world::{SECRET, Setup, WEB_CALLBACK, World, web};

const ONE: &str = "https://one.example/cb";
const SAME: &str = "https://one.example/other/cb";
const TWO: &str = "https://two.example/cb";

fn subjects() -> PairwiseSubjects {
    PairwiseSubjects::new(&"a-secret-for-tests-of-32-bytes-or-more".into()).unwrap()
}

fn pairwise(id: &str, callback: &str) -> Client {
    Client::confidential(id, SECRET)
        .redirect_uri(callback)
        .scope("openid profile offline_access")
        .skip_consent()
        .pairwise()
}

/// A world with the clients `one` and `same`, which share a host, and `two`.
async fn start(setup: Setup) -> World {
    World::with(setup, |builder| {
        builder
            .pairwise_subjects(subjects())
            .http_client(outgoing())
            .client(pairwise("one", ONE))
            .client(pairwise("same", SAME))
            .client(pairwise("two", TWO))
    })
    .await
}

fn sub(tokens: &Tokens) -> String {
    claims(&tokens.id)["sub"].as_str().unwrap().to_owned()
}

/// The tokens of Bob at the client `one`.
async fn bob(world: &World) -> Tokens {
    let request = request("one").set("redirect_uri", ONE).set("scope", "openid");
    let code = authorize(world, &Browser::new(), &BOB, &request).await.callback().code();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", ONE),
        ("code_verifier", VERIFIER),
    ];
    Tokens::of(&token(world, By::Basic("one", SECRET), &form).await)
}

async fn introspected_by(world: &World, by: By<'_>, token: &str) -> Value {
    post_as(world, "/oauth2/introspect", by, &[("token", token)]).await.json()["sub"].clone()
}

blackbox! {
    async fn a_175_clients_of_different_hosts_cannot_compare_people(setup: Setup) {
        let world = start(setup).await;
        let browser = Browser::new();
        let public = at(&world, &browser, "web", WEB_CALLBACK).await;
        assert_eq!(sub(&public), "u-alice");
        let one = at(&world, &browser, "one", ONE).await;
        let same = at(&world, &browser, "same", SAME).await;
        let two = at(&world, &browser, "two", TWO).await;
        assert_eq!(sub(&one), sub(&same));
        assert_ne!(sub(&one), sub(&two));
        for tokens in [&one, &two] {
            assert!(!sub(tokens).contains("alice"), "{}", sub(tokens));
        }
        // What else they are told is no name of a person or a session, either.
        let (mine, others) = (claims(&one.id), claims(&two.id));
        for (name, value) in mine.as_object().unwrap() {
            let shared = ["iss", "iat", "exp", "auth_time", "amr", "acr", "nonce"].contains(&name.as_str());
            assert!(shared || *value != others[name], "{name}: {value}");
        }
        assert_ne!(mine["sid"], claims(&public.id)["sid"]);
        assert_eq!(mine["sid"], claims(&same.id)["sid"]);
        // Of another person, and of the same one another time.
        assert_ne!(sub(&bob(&world).await), sub(&one));
        let again = at(&world, &Browser::new(), "one", ONE).await;
        assert_eq!(sub(&again), sub(&one));
        let document = browser.get(&world.url("/.well-known/openid-configuration")).await.unwrap().json();
        assert_eq!(document["subject_types_supported"], json!(["public", "pairwise"]));
    }

    async fn a_client_is_told_its_own_identifier_everywhere(setup: Setup) {
        let world = start(setup).await;
        let browser = Browser::new();
        let form = request("one").set("redirect_uri", ONE).set("scope", "openid profile offline_access");
        let code = authorize(&world, &browser, &ALICE, &form).await.callback().code();
        let by = By::Basic("one", SECRET);
        let exchange = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", ONE), ("code_verifier", VERIFIER)];
        let tokens = Tokens::of(&token(&world, by, &exchange).await);
        let seen = sub(&tokens);
        assert_eq!(userinfo(&world, &tokens.access).await.json()["sub"], seen);
        assert_eq!(introspected_by(&world, by, &tokens.access).await, seen);
        assert_eq!(introspected_by(&world, RS, &tokens.access).await, "u-alice", "a resource server knows people");
        let refresh_token = tokens.refresh.clone();
        let refreshed = Tokens::of(&refresh(&world, by, &refresh_token).await);
        assert_eq!(sub(&refreshed), seen);
        assert_eq!(introspected_by(&world, by, &refreshed.refresh).await, seen);
        assert!(!tokens.answer.to_string().contains("u-alice"));
    }

    async fn a_hint_names_whom_the_client_knows(setup: Setup) {
        let world = start(setup).await;
        let browser = Browser::new();
        let one = at(&world, &browser, "one", ONE).await;
        let quiet = request("one").set("redirect_uri", ONE).set("scope", "openid").set("prompt", "none");
        let claims_of = |sub: &str| json!({"id_token": {"sub": {"value": sub}}}).to_string();
        let answered = async |request: &AuthorizationRequest| {
            open(&world, &browser, &request.url(&world)).await.callback()
        };
        answered(&quiet.clone().set("id_token_hint", &one.id)).await.code();
        answered(&quiet.clone().set("claims", &claims_of(&sub(&one)))).await.code();
        // Neither the directory's identifier nor that of another sector means anything to it.
        let two = at(&world, &browser, "two", TWO).await;
        for wrong in [claims_of("u-alice"), claims_of(&sub(&two))] {
            assert_eq!(answered(&quiet.clone().set("claims", &wrong)).await.get("error"), "login_required");
        }
        let bob = bob(&world).await;
        let hinted = answered(&quiet.clone().set("id_token_hint", &bob.id)).await;
        assert_eq!(hinted.get("error"), "login_required");
        let url = logout_url(&world, &[("id_token_hint", &one.id)]);
        assert_page(&open(&world, &browser, &url).await.page(), 200);
        assert_eq!(answered(&quiet).await.get("error"), "login_required");
    }

    async fn a_logout_names_whom_the_client_knows(setup: Setup) {
        let (world, server) = (start(setup).await, RelyingParty::start().await);
        let clients = world.provider.clients();
        clients.put(pairwise("one", ONE).backchannel_logout_uri(server.url("/out"))).await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(6));
        let browser = Browser::new();
        let one = at(&world, &browser, "one", ONE).await;
        sign_out(&world, &browser, &one).await;
        assert_eq!(deliver(&world).await.delivered, 1);
        let [told] = server.logout_tokens().try_into().unwrap();
        assert_eq!(claims(&told)["sub"], sub(&one));
        assert_eq!(claims(&told)["sid"], claims(&one.id)["sid"]);
    }

    async fn an_audience_is_told_its_own_identifier(setup: Setup) {
        let world = start(setup).await;
        let clients = world.provider.clients();
        // Whose tokens are for another client, by its identifier.
        let mut two = pairwise("two", TWO);
        two.claim_mappers = vec![ClaimMapper::audience("one")];
        clients.put(two).await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(6));
        let browser = Browser::new();
        let one = at(&world, &browser, "one", ONE).await;
        let two = at(&world, &browser, "two", TWO).await;
        assert_eq!(introspected_by(&world, By::Basic("one", SECRET), &two.access).await, sub(&one));
    }

    async fn whoever_gets_other_identifiers_begins_anew(setup: Setup) {
        let world = start(setup).await;
        let clients = world.provider.clients();
        let browser = Browser::new();
        let one = at(&world, &browser, "one", ONE).await;
        clients.put(pairwise("one", ONE).name("One")).await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(6));
        assert!(is_active(&world, &one.access).await, "a name changes nothing");
        clients.put(pairwise("one", TWO)).await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(6));
        assert!(!is_active(&world, &one.access).await);
        let moved = at(&world, &browser, "one", TWO).await;
        assert!(is_active(&world, &moved.access).await);
        assert_ne!(sub(&moved), sub(&one));
    }

    async fn access_tokens_are_opaque(setup: Setup) {
        let world = World::with(setup, |builder| {
            builder.pairwise_subjects(subjects()).tokens(|tokens| tokens.access_token_format = AccessTokenFormat::Jwt).client(pairwise("one", ONE))
        })
        .await;
        let browser = Browser::new();
        let public = at(&world, &browser, "web", WEB_CALLBACK).await;
        assert_eq!(public.access.split('.').count(), 3);
        let one = at(&world, &browser, "one", ONE).await;
        assert_eq!(one.access.split('.').count(), 1, "{}", one.access);
        assert!(is_active(&world, &one.access).await);
    }

    async fn a_sector_is_what_its_document_says(setup: Setup) {
        let (world, server) = (start(setup).await, RelyingParty::start().await);
        let clients = world.provider.clients();
        let uri = server.url("/sector.json");
        let client = || pairwise("wide", ONE).redirect_uri(TWO);
        let refused = async |client: Client| match clients.put(client).await {
            Err(ClientError::Invalid(error)) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(refused(client()).await.contains("sector_identifier_uri"), "it has two hosts");
        for document in ["[]", "{}", "", &json!([ONE]).to_string()] {
            server.publish("/sector.json", "", document);
            assert!(refused(client().sector_identifier_uri(&uri)).await.contains("redirect URIs"), "{document}");
            world.clock.advance(std::time::Duration::from_secs(11));
        }
        world.clock.advance(std::time::Duration::from_secs(61));
        server.publish("/sector.json", "", json!([TWO, ONE, SAME]).to_string());
        server.answers([Answers::Status(500)]);
        assert!(refused(client().sector_identifier_uri(&uri)).await.contains("cannot be read"));
        world.clock.advance(std::time::Duration::from_secs(11));
        server.asked();
        clients.put(client().sector_identifier_uri(&uri)).await.unwrap();
        clients.put(pairwise("narrow", SAME).sector_identifier_uri(&uri)).await.unwrap();
        assert_eq!(server.asked(), 1);
        // The same again is asked for nothing, also while its server is away.
        world.clock.advance(std::time::Duration::from_secs(3600));
        server.answers([Answers::Status(500)]);
        clients.put(client().sector_identifier_uri(&uri).name("Wide")).await.unwrap();
        assert_eq!(server.asked(), 0);
        let browser = Browser::new();
        let wide = at(&world, &browser, "wide", TWO).await;
        let narrow = at(&world, &browser, "narrow", SAME).await;
        let one = at(&world, &browser, "one", ONE).await;
        assert_eq!(sub(&wide), sub(&narrow));
        assert_ne!(sub(&wide), sub(&one), "its sector is a host, and this is another");
    }

    async fn a_130_a_sector_inside_of_the_network_is_not_registered(setup: Setup) {
        let world = World::with(setup, |builder| builder.pairwise_subjects(subjects()).http_client(SafeHttpClient::new().unwrap())).await;
        let clients = world.provider.clients();
        clients.put(pairwise("one", ONE)).await.unwrap();
        for uri in ["https://127.0.0.1/s", "https://[::1]/s", "http://one.example/s", "file:///etc/passwd", "/s", "https://one.example/#s"] {
            let refused = clients.put(pairwise("one", ONE).sector_identifier_uri(uri)).await.unwrap_err();
            assert!(refused.to_string().contains("sector_identifier_uri"), "{refused}");
        }
    }

    async fn who_wants_identifiers_of_its_own_needs_somebody_to_make_them(setup: Setup) {
        let world = World::start(setup).await;
        let clients = world.provider.clients();
        let refused = clients.put(pairwise("one", ONE)).await.unwrap_err();
        assert!(refused.to_string().contains(".pairwise_subjects("), "{refused}");
        let error = world.another_builder().client(pairwise("one", ONE)).build().await.unwrap_err();
        assert!(error.to_string().contains(".pairwise_subjects("), "{error}");
        let jwt = pairwise("one", ONE).access_token_format(AccessTokenFormat::Jwt);
        assert!(clients.put(jwt).await.unwrap_err().to_string().contains("access_token_format"));
        // At a process that is built without them nobody is called by the wrong name.
        let node = world.another_node_with(|builder| builder.pairwise_subjects(subjects())).await;
        node.provider.clients().put(pairwise("one", ONE)).await.unwrap();
        assert_eq!(node.provider.clients().get(&"one".into()).await.unwrap().unwrap().subject_type, SubjectType::Pairwise);
        let browser = Browser::new();
        at(&world, &browser, "web", WEB_CALLBACK).await;
        let request = request("one").set("redirect_uri", ONE).set("scope", "openid");
        let reply = browser.get(&request.url(&world)).await.unwrap();
        assert_eq!(reply.status, 500, "{}", reply.text());
        assert!(!reply.text().contains("u-alice"));
        clients.put(web()).await.unwrap();
    }
}
