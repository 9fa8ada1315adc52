//! The discovery document (OpenID Connect Discovery §3, RFC 8414 §2).

use auth_core::challenge::Display;
use auth_core::decision::Unavailable;
use auth_core::http::Response;
use auth_core::keys::{ContentEncryption, KeyManagement, SigningAlgorithm};
use bytes::Bytes;
use serde::Serialize;

use crate::authorize::ResponseMode;
use crate::client::{GrantType, ResponseType, SubjectType, TokenEndpointAuthMethod};
use crate::endpoint::answer::unavailable;
use crate::endpoint::jwks::public;
use crate::endpoint::path;
use crate::provider::Provider;

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    pushed_authorization_request_endpoint: String,
    require_pushed_authorization_requests: bool,
    token_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    end_session_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    check_session_iframe: Option<String>,
    scopes_supported: Vec<&'a str>,
    claims_supported: Vec<&'a str>,
    response_types_supported: Vec<&'static str>,
    response_modes_supported: [&'static str; 3],
    grant_types_supported: Vec<&'static str>,
    subject_types_supported: Vec<&'static str>,
    id_token_signing_alg_values_supported: Vec<&'static str>,
    userinfo_signing_alg_values_supported: Vec<&'static str>,
    introspection_signing_alg_values_supported: Vec<&'static str>,
    #[serde(flatten)]
    encryption: Option<EncryptionMetadata>,
    token_endpoint_auth_methods_supported: [&'static str; 5],
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 5],
    introspection_endpoint_auth_methods_supported: [&'static str; 4],
    introspection_endpoint_auth_signing_alg_values_supported: [&'static str; 5],
    revocation_endpoint_auth_methods_supported: [&'static str; 5],
    revocation_endpoint_auth_signing_alg_values_supported: [&'static str; 5],
    code_challenge_methods_supported: [&'static str; 1],
    prompt_values_supported: Vec<&'static str>,
    display_values_supported: [&'static str; 3],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ui_locales_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    acr_values_supported: Vec<&'a str>,
    authorization_response_iss_parameter_supported: bool,
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_object_signing_alg_values_supported: [&'static str; 4],
    require_signed_request_object: bool,
    request_uri_parameter_supported: bool,
    require_request_uri_registration: bool,
    backchannel_logout_supported: bool,
    backchannel_logout_session_supported: bool,
    frontchannel_logout_supported: bool,
    frontchannel_logout_session_supported: bool,
}

/// What a provider says that encrypts.
#[derive(Serialize)]
struct EncryptionMetadata {
    id_token_encryption_alg_values_supported: [&'static str; 2],
    id_token_encryption_enc_values_supported: [&'static str; 4],
    userinfo_encryption_alg_values_supported: [&'static str; 2],
    userinfo_encryption_enc_values_supported: [&'static str; 4],
    introspection_encryption_alg_values_supported: [&'static str; 2],
    introspection_encryption_enc_values_supported: [&'static str; 4],
    request_object_encryption_alg_values_supported: [&'static str; 2],
    request_object_encryption_enc_values_supported: [&'static str; 4],
}

impl EncryptionMetadata {
    fn new() -> Self {
        let alg = KeyManagement::ALL.map(KeyManagement::name);
        let enc = ContentEncryption::ALL.map(ContentEncryption::name);
        Self {
            id_token_encryption_alg_values_supported: alg,
            id_token_encryption_enc_values_supported: enc,
            userinfo_encryption_alg_values_supported: alg,
            userinfo_encryption_enc_values_supported: enc,
            introspection_encryption_alg_values_supported: alg,
            introspection_encryption_enc_values_supported: enc,
            request_object_encryption_alg_values_supported: alg,
            request_object_encryption_enc_values_supported: enc,
        }
    }
}

pub(super) async fn answer(provider: &Provider) -> Response {
    // It takes no decision, and is refused all the same when its tenant is gone; the keys are the first to
    // know.
    if let Err(cause @ Unavailable::TenantDeleted(_)) = provider.policy().await {
        return unavailable(&cause);
    }
    public(provider.metadata(|| written(provider)))
}

/// Nothing in it changes while the provider lives.
fn written(provider: &Provider) -> Bytes {
    let issuer = &provider.tenant().issuer;
    let config = provider.config();
    let known = config.known_scopes();
    let ours: Vec<&str> = provider.algorithms().iter().map(|algorithm| algorithm.name()).collect();
    let policy = config.response_types;
    let mut permitted = ResponseType::ALL.to_vec();
    permitted.retain(|known| policy.permits(*known));
    let implicit = permitted.iter().any(|known| *known != ResponseType::Code);
    let grant_types =
        GrantType::ALL.into_iter().filter(|grant| implicit || *grant != GrantType::Implicit);
    let algorithms = SigningAlgorithm::ALL.map(SigningAlgorithm::name);
    let [es256, eddsa, rs256, ps256] = algorithms;
    let assertions = [es256, eddsa, rs256, ps256, "HS256"];
    let [none, basic, post, secret_jwt, key_jwt] = [
        TokenEndpointAuthMethod::None,
        TokenEndpointAuthMethod::ClientSecretBasic,
        TokenEndpointAuthMethod::ClientSecretPost,
        TokenEndpointAuthMethod::ClientSecretJwt,
        TokenEndpointAuthMethod::PrivateKeyJwt,
    ]
    .map(TokenEndpointAuthMethod::as_str);
    let subject_types = [SubjectType::Public, SubjectType::Pairwise]
        .into_iter()
        .filter(|it| *it == SubjectType::Public || config.pairwise_subjects.is_some());
    let mut prompts = vec!["none", "login", "consent", "select_account"];
    if config.registration {
        prompts.push("create");
    }
    let metadata = Metadata {
        issuer: issuer.as_str(),
        authorization_endpoint: issuer.url(path::AUTHORIZATION),
        pushed_authorization_request_endpoint: issuer.url(path::PUSHED_AUTHORIZATION),
        require_pushed_authorization_requests: config.require_pushed_authorization_requests,
        token_endpoint: issuer.url(path::TOKEN),
        userinfo_endpoint: issuer.url(path::USERINFO),
        jwks_uri: issuer.url(path::JWKS),
        introspection_endpoint: issuer.url(path::INTROSPECTION),
        revocation_endpoint: issuer.url(path::REVOCATION),
        end_session_endpoint: issuer.url(path::END_SESSION),
        check_session_iframe: config.session_management.then(|| issuer.url(path::CHECK_SESSION)),
        scopes_supported: known.iter().collect(),
        claims_supported: config.known_claims(),
        response_types_supported: permitted.iter().map(|known| known.as_str()).collect(),
        response_modes_supported: ResponseMode::ALL.map(ResponseMode::as_str),
        grant_types_supported: grant_types.map(GrantType::as_str).collect(),
        subject_types_supported: subject_types.map(SubjectType::as_str).collect(),
        id_token_signing_alg_values_supported: ours.clone(),
        userinfo_signing_alg_values_supported: ours.clone(),
        introspection_signing_alg_values_supported: ours,
        encryption: config.encryption.then(EncryptionMetadata::new),
        token_endpoint_auth_methods_supported: [basic, post, secret_jwt, key_jwt, none],
        token_endpoint_auth_signing_alg_values_supported: assertions,
        introspection_endpoint_auth_methods_supported: [basic, post, secret_jwt, key_jwt],
        introspection_endpoint_auth_signing_alg_values_supported: assertions,
        revocation_endpoint_auth_methods_supported: [basic, post, secret_jwt, key_jwt, none],
        revocation_endpoint_auth_signing_alg_values_supported: assertions,
        code_challenge_methods_supported: ["S256"],
        prompt_values_supported: prompts,
        display_values_supported: Display::ALL.map(Display::as_str),
        ui_locales_supported: provider.pages().locales(),
        acr_values_supported: config.acr_values.iter().map(String::as_str).collect(),
        authorization_response_iss_parameter_supported: true,
        claims_parameter_supported: true,
        request_parameter_supported: true,
        request_object_signing_alg_values_supported: algorithms,
        require_signed_request_object: config.require_signed_request_object,
        request_uri_parameter_supported: provider.can_send(),
        require_request_uri_registration: true,
        backchannel_logout_supported: provider.can_send(),
        backchannel_logout_session_supported: provider.can_send(),
        frontchannel_logout_supported: true,
        frontchannel_logout_session_supported: true,
    };
    // It is made of texts, for which serialisation cannot fail.
    serde_json::to_vec(&metadata).unwrap_or_default().into()
}
