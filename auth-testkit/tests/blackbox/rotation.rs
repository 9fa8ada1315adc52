//! Signing keys change while people sign in, refresh and sign out.

use std::time::{Duration, SystemTime};

use auth_core::Clock;
use auth_core::http::Request;
use auth_core::keys::SigningAlgorithm;
use auth_oidc::Provider;
use auth_oidc::client::AccessTokenFormat;
use auth_testkit::Browser;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{ClientId, IssuerUrl, Nonce};
use serde_json::Value;

use crate::flow::*;
use crate::scenarios::{DAY, HOUR, MINUTE};
use crate::world::{World, web};

const SECOND: Duration = Duration::from_secs(1);

pub fn kid(jwt: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

pub async fn key_set(world: &World) -> Value {
    let reply = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
    reply.json()
}

/// The names of the ES256 keys of a set.
pub fn kids(set: &Value) -> Vec<String> {
    let keys = set["keys"].as_array().unwrap().iter().filter(|key| key["alg"] == "ES256");
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// What a verifier that is not ours says of an id token, by a key set that it fetched before.
fn verify(world: &World, set: &Value, id_token: &str) -> Result<(), String> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(world.clock.now().as_millis());
    let keys: CoreJsonWebKeySet = serde_json::from_value(set.clone()).unwrap();
    let issuer = IssuerUrl::new(world.issuer.clone()).unwrap();
    let verifier =
        CoreIdTokenVerifier::new_public_client(ClientId::new("web".to_owned()), issuer, keys)
            .set_allowed_algs([CoreJwsSigningAlgorithm::EcdsaP256Sha256])
            .set_time_fn(move || now.into());
    let token: CoreIdToken = id_token.parse().unwrap();
    let claims = token.claims(&verifier, |_: Option<&Nonce>| Ok(()));
    claims.map(drop).map_err(|error| error.to_string())
}

/// Everything that a client does still works, with tokens of before and of now.
async fn nothing_fails(world: &World, before: &Tokens) -> Tokens {
    let set = key_set(world).await;
    let now = tokens(world).await;
    let refreshed = Tokens::of(&refresh(world, WEB, &now.refresh).await);
    for token in [&before.access, &now.access, &refreshed.access] {
        assert!(is_active(world, token).await);
        assert_eq!(userinfo(world, token).await.status, StatusCode::OK);
    }
    for token in [&before.id, &now.id, &refreshed.id] {
        assert_eq!(verify(world, &set, token), Ok(()));
    }
    now
}

blackbox! {
    async fn o_05_a_new_key_is_published_before_it_signs(setup: Setup) {
        let client = web().access_token_format(AccessTokenFormat::Jwt);
        let world = World::with(setup, |builder| builder.client(client)).await;
        let first = tokens(&world).await;
        let old = kid(&first.id);
        assert_eq!(kids(&key_set(&world).await), std::slice::from_ref(&old));

        world.provider.rotate_key(SigningAlgorithm::Es256).await.unwrap();
        let published = key_set(&world).await;
        let new = kids(&published).into_iter().find(|kid| *kid != old).unwrap();
        // While one waits, asking again makes no other.
        world.provider.rotate_key(SigningAlgorithm::Es256).await.unwrap();
        assert_eq!(key_set(&world).await, published);
        assert_eq!(kids(&published).len(), 2);

        world.clock.advance(HOUR - SECOND);
        let before = tokens(&world).await;
        assert_eq!([kid(&before.id), kid(&before.access)], [old.clone(), old.clone()]);
        nothing_fails(&world, &before).await;

        world.clock.advance(SECOND);
        let after = nothing_fails(&world, &before).await;
        assert_eq!([kid(&after.id), kid(&after.access)], [new.clone(), new.clone()]);
        // A verifier that fetched the set when the key was published, and not since.
        assert_eq!(verify(&world, &published, &after.id), Ok(()));
        // A token of the old key still says who is signed in.
        let hint = request("web").set("id_token_hint", &before.id);
        authorize(&world, &Browser::new(), &ALICE, &hint).await.callback().code();
    }

    async fn o_05_a_replaced_key_leaves_after_its_tokens(setup: Setup) {
        let world = World::start(setup).await;
        world.provider.rotate_key(SigningAlgorithm::Es256).await.unwrap();
        world.clock.advance(HOUR - SECOND);
        let last = tokens(&world).await;
        let old = kid(&last.id);
        world.clock.advance(SECOND);
        nothing_fails(&world, &last).await;

        world.clock.advance(HOUR - 2 * SECOND);
        let set = key_set(&world).await;
        assert_eq!(verify(&world, &set, &last.id), Ok(()));
        world.clock.advance(SECOND);
        let expired = verify(&world, &set, &last.id).unwrap_err();
        assert!(expired.contains("expired"), "{expired}");

        world.clock.advance(31 * DAY - 2 * HOUR);
        assert!(kids(&key_set(&world).await).contains(&old));
        world.clock.advance(HOUR + MINUTE);
        assert!(!kids(&key_set(&world).await).contains(&old));
        nothing_fails(&world, &tokens(&world).await).await;
    }

    async fn o_05_keys_rotate_by_themselves(setup: Setup) {
        let world = World::start(setup).await;
        let old = kid(&tokens(&world).await.id);
        world.clock.advance(90 * DAY - HOUR - MINUTE);
        assert_eq!(kids(&key_set(&world).await), std::slice::from_ref(&old));
        world.clock.advance(MINUTE);
        assert_eq!(kids(&key_set(&world).await).len(), 2);
        assert_eq!(kid(&tokens(&world).await.id), old);
        world.clock.advance(HOUR);
        assert_ne!(kid(&tokens(&world).await.id), old);
    }

    async fn o_05_caches_and_replicas_know_a_key_before_it_signs(setup: Setup) {
        let world = World::start(setup).await;
        let replica = Provider::builder(&world.issuer)
            .development()
            .shared_store(world.faults.clone())
            .pages(auth_ui::DefaultPages::new())
            .directory(world.people.clone())
            .clock(world.clock.clone())
            .signing_keys(|keys| keys.algorithms = vec![SigningAlgorithm::Es256])
            .build()
            .await
            .unwrap();
        world.provider.rotate_key(SigningAlgorithm::Es256).await.unwrap();
        let reply = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap();
        let fresh_for = reply.header("cache-control").split_once("max-age=").unwrap().1;
        let fresh_for = Duration::from_secs(fresh_for.parse().unwrap());

        // The worst case: a verifier asks the replica just before that looks at the store again.
        world.clock.advance(MINUTE);
        assert!(MINUTE + fresh_for < HOUR);
        let answer = replica.engine().call("jwks", Request::default()).await;
        let set: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(kids(&set), kids(&reply.json()));
        assert_eq!(kids(&set).len(), 2);
    }
}
