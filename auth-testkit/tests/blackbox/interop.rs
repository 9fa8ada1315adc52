//! Relying parties that are not ours walk the whole way: discovery, code with PKCE, userinfo, refresh,
//! introspection, revocation, logout.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use auth_core::keys::{ContentEncryption, KeyManagement, SigningAlgorithm};
use auth_oidc::client::{Client, PairwiseSubjects, ResponseType, TokenEndpointAuthMethod};
use auth_oidc::provider::ResponseTypePolicy;
use auth_testkit::Browser;
use http::StatusCode;
use openidconnect::core::{
    CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, IntrospectionUrl, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, Scope,
    TokenIntrospectionResponse as _, TokenResponse as _,
};
use serde_json::{Value, json};

use crate::flow::*;
use crate::rp::outgoing;
use crate::world::{PASSWORD, SECRET, SPA_CALLBACK, WEB_BYE, WEB_CALLBACK, World, web};

const SCOPE: &str = "openid profile email offline_access";

async fn send(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    // A relying party that follows redirects can be sent anywhere.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let answer = client.execute(request.try_into()?).await?;
    let mut response = HttpResponse::default();
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.to_vec();
    Ok(response)
}

/// What a script of `interop` saw. `None`, with a note of it, if `variable` names no program to run it.
async fn script(
    test: &str,
    variable: &str,
    script: &str,
    world: &World,
    client: Value,
) -> Option<Value> {
    let Some(program) = std::env::var_os(variable) else {
        skip(test, &format!("{variable} is not set; `cargo xtask test` sets it"));
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop").join(script);
    let mut told = json!({
        "issuer": world.issuer,
        "scope": SCOPE,
        "username": "alice",
        "password": PASSWORD,
    });
    told.as_object_mut().unwrap().extend(client.as_object().unwrap().clone());
    let run = move || Command::new(program).arg(script).arg(told.to_string()).output();
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn skip(test: &str, reason: &str) {
    println!("skipped {test}: {reason}");
    if let Some(list) = std::env::var_os("AUTH_TEST_SKIPPED") {
        let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        // One write, so that tests which skip themselves at the same time do not mix their lines.
        list.write_all(format!("{test}: {reason}\n").as_bytes()).unwrap();
    }
}

/// A client with a secret, and one without.
async fn scripted(test: &str, variable: &str, name: &str, world: &World) {
    let confidential = json!({
        "client_id": "web",
        "client_secret": SECRET,
        "redirect_uri": WEB_CALLBACK,
        "post_logout_redirect_uri": WEB_BYE,
    });
    let Some(seen) = script(test, variable, name, world, confidential).await else { return };
    assert_seen(&seen, world);
    assert_eq!(
        seen["steps"],
        json!([
            "discovery",
            "login",
            "consent",
            "authorization",
            "code",
            "userinfo",
            "refresh",
            "introspection",
            "revocation",
            "inactive",
            "logout",
        ])
    );
    assert_eq!(seen["introspection"]["sub"], "u-alice");
    assert_eq!(seen["introspection"]["client_id"], "web");

    let public = json!({"client_id": "spa", "redirect_uri": SPA_CALLBACK});
    let Some(seen) = script(test, variable, name, world, public).await else { return };
    assert_seen(&seen, world);
    assert_eq!(
        seen["steps"],
        json!([
            "discovery",
            "login",
            "consent",
            "authorization",
            "code",
            "userinfo",
            "refresh",
            "revocation",
        ])
    );
}

fn assert_seen(seen: &Value, world: &World) {
    assert_eq!(seen["issuer"], world.issuer);
    assert_eq!(seen["sub"], "u-alice");
    assert_eq!(seen["scope"], SCOPE);
    assert_eq!(seen["at_hash_present"], true);
    assert_eq!(seen["refresh_token_rotated"], true);
    assert_eq!(seen["id_token"]["sub"], "u-alice");
    assert_eq!(seen["userinfo"]["email"], "alice@example.com");
    assert_eq!(seen["userinfo"]["name"], "Alice Anders");
}

blackbox! {
    async fn relying_party_openid_client_js(setup: Setup) {
        let world = World::start(setup).await;
        let test = "interop::relying_party_openid_client_js";
        scripted(test, "AUTH_TEST_NODE", "node/relying_party.mjs", &world).await;
    }

    async fn front_channel_openid_client_js(setup: Setup) {
        let world = World::with(setup, |builder| {
            let client = [ResponseType::CodeIdToken, ResponseType::IdToken]
                .into_iter()
                .fold(web().id_token_alg(SigningAlgorithm::Rs256), Client::response_type);
            builder.response_types(ResponseTypePolicy::IdTokens).client(client)
        })
        .await;
        let test = "interop::front_channel_openid_client_js";
        let client = json!({
            "client_id": "web",
            "client_secret": SECRET,
            "redirect_uri": WEB_CALLBACK,
            "scope": "openid email",
        });
        let seen = script(test, "AUTH_TEST_NODE", "node/front_channel.mjs", &world, client).await;
        let Some(seen) = seen else { return };
        assert_eq!(seen["steps"], json!(["discovery", "hybrid", "discovery", "implicit"]));
        assert_eq!(seen["hybrid"], "u-alice");
        assert_eq!(seen["userinfo"]["email"], "alice@example.com");
        assert_eq!(seen["implicit"]["sub"], "u-alice");
        assert_eq!(seen["implicit"]["email"], "alice@example.com");
    }

    async fn pushed_request_openid_client_js(setup: Setup) {
        let world = World::with(setup, |builder| {
            builder.client(web().require_pushed_authorization_requests())
        })
        .await;
        let test = "interop::pushed_request_openid_client_js";
        let client = json!({"client_id": "web", "client_secret": SECRET, "redirect_uri": WEB_CALLBACK});
        let seen = script(test, "AUTH_TEST_NODE", "node/pushed_request.mjs", &world, client).await;
        let Some(seen) = seen else { return };
        assert_eq!(seen["steps"], json!(["discovery", "pushed", "code"]));
        assert_eq!(seen["sub"], "u-alice");
    }

    async fn client_secret_jwt_openid_client_js(setup: Setup) {
        let client = web().auth_method(TokenEndpointAuthMethod::ClientSecretJwt);
        let world = World::with(setup, |builder| builder.client(client)).await;
        let test = "interop::client_secret_jwt_openid_client_js";
        let client = json!({
            "client_id": "web",
            "client_secret": SECRET,
            "token_endpoint_auth_method": "client_secret_jwt",
            "redirect_uri": WEB_CALLBACK,
        });
        let seen = script(test, "AUTH_TEST_NODE", "node/pushed_request.mjs", &world, client).await;
        let Some(seen) = seen else { return };
        // At the endpoint for pushed requests and at the one for tokens.
        assert_eq!(seen["steps"], json!(["discovery", "pushed", "code"]));
        assert_eq!(seen["sub"], "u-alice");
    }

    async fn own_server_openid_client_js(setup: Setup) {
        use ContentEncryption::{A128CbcHs256, A256Gcm};
        for (alg, enc) in [(KeyManagement::RsaOaep256, A256Gcm), (KeyManagement::EcdhEs, A128CbcHs256)] {
            // Free a moment ago, and nobody else's on this machine.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
            let client = Client::private_key_jwt("web", at("/keys"))
                .redirect_uri(WEB_CALLBACK)
                .scope(SCOPE)
                .request_uri(at("/request.jwt"))
                .require_signed_request_object()
                .userinfo_alg(SigningAlgorithm::Es256)
                .encrypted_id_token(alg, enc)
                .encrypted_userinfo(alg, enc)
                .encrypted_introspection(alg, enc)
                .pairwise();
            let world = World::with(setup, |builder| {
                let pairwise = PairwiseSubjects::new(&"0123456789abcdef0123456789abcdef".into()).unwrap();
                builder.encryption().pairwise_subjects(pairwise).http_client(outgoing()).client(client)
            })
            .await;
            let test = "interop::own_server_openid_client_js";
            let client = json!({
                "client_id": "web", "redirect_uri": WEB_CALLBACK, "port": port, "alg": alg, "enc": enc,
            });
            let seen = script(test, "AUTH_TEST_NODE", "node/own_server.mjs", &world, client).await;
            let Some(seen) = seen else { return };
            assert_eq!(seen["steps"], json!(["discovery", "request", "code", "userinfo", "introspection"]));
            let sub = seen["sub"].as_str().unwrap();
            assert!(!sub.contains("alice"), "{sub}");
            assert_eq!(seen["userinfo"]["sub"], sub);
            assert_eq!(seen["userinfo"]["email"], "alice@example.com");
            assert_eq!(seen["introspection"]["active"], true);
            assert_eq!(seen["introspection"]["sub"], sub);
            let mut asked: Vec<&str> = seen["asked"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            asked.sort_unstable();
            asked.dedup();
            assert_eq!(asked, ["/keys", "/request.jwt"]);
        }
    }

    async fn relying_party_authlib_py(setup: Setup) {
        let world = World::start(setup).await;
        let test = "interop::relying_party_authlib_py";
        scripted(test, "AUTH_TEST_PYTHON", "python/relying_party.py", &world).await;
    }

    async fn relying_party_openidconnect_rs(setup: Setup) {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
            let client = web().id_token_alg(algorithm);
            let world = World::with(setup, |builder| builder.client(client)).await;
            walk(&world, algorithm).await;
        }
    }
}

blackbox! {
    async fn a_service_uses_the_oauth2_crate(setup: Setup) {
        let world = World::start(setup).await;
        let token_url = oauth2::TokenUrl::new(world.url("/oauth2/token")).unwrap();
        let introspection_url = IntrospectionUrl::new(world.url("/oauth2/introspect")).unwrap();
        let client = oauth2::basic::BasicClient::new(ClientId::new("svc".to_owned()))
            .set_client_secret(ClientSecret::new(SECRET.to_owned()))
            .set_token_uri(token_url)
            .set_introspection_url(introspection_url);
        let scope = Scope::new("orders:read".to_owned());
        let request = client.exchange_client_credentials().add_scope(scope);
        let token = request.request_async(&send).await.unwrap();
        assert!(token.refresh_token().is_none());
        let seen = client.introspect(token.access_token()).request_async(&send).await.unwrap();
        assert!(seen.active());
        assert_eq!(seen.sub(), Some("svc"));

        let admin = Scope::new("admin".to_owned());
        let refused = client.exchange_client_credentials().add_scope(admin).request_async(&send).await;
        let refused = refused.unwrap_err();
        assert!(format!("{refused:?}").contains("invalid_scope"), "{refused:?}");
    }
}

async fn walk(world: &World, algorithm: SigningAlgorithm) {
    let issuer = IssuerUrl::new(world.issuer.clone()).unwrap();
    let metadata = ProviderMetadataWithLogout::discover_async(issuer, &send).await.unwrap();
    let end_session = metadata.additional_metadata().end_session_endpoint.clone().unwrap();
    let discovery = Browser::new().get(&world.url("/.well-known/openid-configuration")).await;
    let discovery = discovery.unwrap().json();
    let introspection = discovery["introspection_endpoint"].as_str().unwrap().to_owned();
    let client = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new("web".to_owned()),
        Some(ClientSecret::new(SECRET.to_owned())),
    )
    .set_redirect_uri(RedirectUrl::new(WEB_CALLBACK.to_owned()).unwrap())
    .set_introspection_url(IntrospectionUrl::new(introspection).unwrap());

    // Authorization code with PKCE, state and nonce.
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "email", "offline_access"].map(|s| Scope::new(s.to_owned())))
        .add_prompt(CoreAuthPrompt::Consent)
        .set_pkce_challenge(challenge)
        .url();
    let browser = Browser::new();
    let end = open(world, &browser, url.as_str()).await;
    let callback = answer(world, &browser, &ALICE, end).await.callback();
    assert_eq!(callback.get("state"), state.secret());
    assert_eq!(callback.get("iss"), world.issuer);
    let code = client.exchange_code(AuthorizationCode::new(callback.code())).unwrap();
    let tokens = code.set_pkce_verifier(verifier).request_async(&send).await.unwrap();

    let id_token = tokens.id_token().unwrap();
    let verifier = client.id_token_verifier();
    let claims = id_token.claims(&verifier, &nonce).unwrap();
    assert_eq!(claims.subject().as_str(), "u-alice");
    let used = id_token.signing_alg().unwrap();
    assert_eq!(serde_json::to_value(used).unwrap(), algorithm.name());
    let key = id_token.signing_key(&verifier).unwrap();
    let hash = AccessTokenHash::from_token(tokens.access_token(), used, key).unwrap();
    assert_eq!(claims.access_token_hash(), Some(&hash));
    assert!(id_token.claims(&verifier, &Nonce::new("another".to_owned())).is_err());

    let subject = Some(claims.subject().clone());
    let request = client.user_info(tokens.access_token().clone(), subject).unwrap();
    let person: CoreUserInfoClaims = request.request_async(&send).await.unwrap();
    assert_eq!(person.email().unwrap().as_str(), "alice@example.com");
    assert_eq!(person.gender(), Some(&CoreGenderClaim::new("female".to_owned())));

    let refreshed = client.exchange_refresh_token(tokens.refresh_token().unwrap()).unwrap();
    let refreshed = refreshed.request_async(&send).await.unwrap();
    let renewed = refreshed.id_token().unwrap();
    let renewed = renewed.claims(&verifier, |_: Option<&Nonce>| Ok(())).unwrap();
    assert_eq!(renewed.subject(), claims.subject());
    assert_ne!(
        refreshed.refresh_token().unwrap().secret(),
        tokens.refresh_token().unwrap().secret()
    );

    let introspected = client.introspect(refreshed.access_token()).request_async(&send).await;
    let introspected = introspected.unwrap();
    assert!(introspected.active());
    assert_eq!(introspected.sub(), Some("u-alice"));
    assert_eq!(introspected.client_id().unwrap().as_str(), "web");
    assert!(introspected.scopes().unwrap().iter().any(|scope| scope.as_str() == "email"));

    // This library revokes over https only, so that the request is made by hand here.
    let form = [("token", refreshed.refresh_token().unwrap().secret().as_str())];
    let revoked = post_as(world, "/oauth2/revoke", WEB, &form).await;
    assert_eq!(revoked.status, StatusCode::OK);
    let introspected = client.introspect(refreshed.access_token()).request_async(&send).await;
    assert!(!introspected.unwrap().active());

    let state = CsrfToken::new_random();
    let url = LogoutRequest::from(end_session)
        .set_id_token_hint(id_token)
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(WEB_BYE.to_owned()).unwrap())
        .set_state(state.clone())
        .http_get_url();
    let callback = open(world, &browser, url.as_str()).await.callback();
    assert!(callback.url.as_str().starts_with(WEB_BYE), "{}", callback.url);
    assert_eq!(callback.get("state"), state.secret());
}
