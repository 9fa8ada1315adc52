//! The discovery document and the key set, as every plan looks at them first.

use std::collections::BTreeSet;

use auth_testkit::Browser;
use http::header;
use serde_json::Value;

use super::certified;
use crate::world::World;

/// The members that the suite knows: a private one is a warning there. Those of RFC 8414, OpenID Connect Discovery,
/// the logout specifications, RFC 9126, RFC 9101, RFC 9207, RFC 9701 and what else is ours.
const KNOWN: &[&str] = &[
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "registration_endpoint",
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "acr_values_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "userinfo_signing_alg_values_supported",
    "request_object_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "claims_supported",
    "display_values_supported",
    "ui_locales_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_request_uri_registration",
    "revocation_endpoint",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "introspection_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "prompt_values_supported",
    "authorization_response_iss_parameter_supported",
    "pushed_authorization_request_endpoint",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "end_session_endpoint",
    "check_session_iframe",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
    "frontchannel_logout_supported",
    "frontchannel_logout_session_supported",
];

/// The document, after all that `oidcc-discovery-endpoint-verification` demands of it.
pub(super) async fn verified(world: &World) -> Value {
    let url = world.url("/.well-known/openid-configuration");
    let reply = Browser::new().get(&url).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header(header::CONTENT_TYPE.as_str()), "application/json");
    let document = reply.json();
    assert_eq!(document["issuer"], url.strip_suffix("/.well-known/openid-configuration").unwrap());
    for (name, value) in document.as_object().unwrap() {
        assert!(KNOWN.contains(&name.as_str()), "{name} is of nobody's");
        let fits = match name.as_str() {
            // Below the issuer, which is https wherever it is not on loopback.
            "issuer" => value.is_string(),
            _ if name.ends_with("_endpoint")
                || name.ends_with("_uri")
                || name.ends_with("_iframe") =>
            {
                value.as_str().is_some_and(|url| url.starts_with(&format!("{}/", world.issuer)))
            }
            _ if value.is_array() => {
                let texts: Option<BTreeSet<&str>> =
                    value.as_array().unwrap().iter().map(Value::as_str).collect();
                texts.is_some_and(|texts| {
                    !texts.is_empty() && texts.len() == value.as_array().unwrap().len()
                })
            }
            _ => value.is_boolean(),
        };
        assert!(fits, "{name}: {value}");
    }
    let has = |name: &str, wanted: &str| {
        let values = document[name].as_array().unwrap_or_else(|| panic!("{name} is missing"));
        assert!(values.iter().any(|value| value == wanted), "{name}: {values:?} without {wanted}");
    };
    has("response_types_supported", "code");
    has("grant_types_supported", "authorization_code");
    has("subject_types_supported", "public");
    has("id_token_signing_alg_values_supported", "RS256");
    has("request_object_signing_alg_values_supported", "RS256");
    has("scopes_supported", "openid");
    has("claims_supported", "sub");
    has("code_challenge_methods_supported", "S256");
    has("token_endpoint_auth_methods_supported", "client_secret_basic");
    assert!(document["userinfo_endpoint"].is_string());
    for algorithms in
        ["id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"]
    {
        assert!(!document[algorithms].as_array().unwrap().iter().any(|one| one == "none"));
    }
    for locale in document["ui_locales_supported"].as_array().unwrap() {
        let text = locale.as_str().unwrap();
        assert!(
            text.bytes().all(|b| b.is_ascii_lowercase()) && (2..=3).contains(&text.len()),
            "{text}"
        );
    }
    keys(document["jwks_uri"].as_str().unwrap()).await;
    document
}

/// A set of public keys that each relying party can read, each under a name of its own.
async fn keys(jwks_uri: &str) {
    let jwks = Browser::new().get(jwks_uri).await.unwrap().json();
    let mut names = BTreeSet::new();
    for key in jwks["keys"].as_array().unwrap() {
        let members: BTreeSet<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        let wanted: BTreeSet<&str> = match key["kty"].as_str().unwrap() {
            "RSA" => ["alg", "e", "kid", "kty", "n", "use"].into(),
            "EC" => ["alg", "crv", "kid", "kty", "use", "x", "y"].into(),
            "OKP" => ["alg", "crv", "kid", "kty", "use", "x"].into(),
            other => panic!("a key of the kind {other}"),
        };
        assert_eq!(members, wanted, "nothing private, and nothing unknown");
        assert!(names.insert(key["kid"].as_str().unwrap().to_owned()));
        assert_eq!(key["use"], "sig");
    }
    assert!(!names.is_empty());
}

blackbox! {
    /// Of the plans config, RP-initiated, back-channel, front-channel and session management.
    async fn oidcc_discovery_endpoint_verification(setup: Setup) {
        let (world, _suite) = certified(setup).await;
        let document = verified(&world).await;
        assert!(document["end_session_endpoint"].is_string());
        assert!(document["check_session_iframe"].is_string());
        for supported in [
            "backchannel_logout_supported",
            "backchannel_logout_session_supported",
            "frontchannel_logout_supported",
            "frontchannel_logout_session_supported",
        ] {
            assert_eq!(document[supported], true, "{supported}");
        }
    }
}
