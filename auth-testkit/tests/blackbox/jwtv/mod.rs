//! JWTs under attack, at every place where one enters: client assertions, `id_token_hint`, access tokens, request
//! objects.

mod claims;
mod forms;
mod header;
mod keys;

use std::sync::atomic::{AtomicU32, Ordering};

use auth_core::keys::{SigningAlgorithm, SigningKey};
use auth_core::{Clock, Secret};
use auth_oidc::client::{AccessTokenFormat, Client, GrantType};
use auth_testkit::Browser;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::authz::settled_browser;
use crate::caut::{CREDENTIALS_GRANT, without_limits};
use crate::flow::{self, *};
use crate::rp::outgoing;
use crate::world::{RSA_KEY, Setup, WEB_CALLBACK, World, web};

/// Where a JWT comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// At the token endpoint, by `private_key_jwt`.
    Assertion,
    /// At the authorization endpoint, by `id_token_hint`.
    Hint,
    /// At introspection and userinfo.
    Access,
    /// At the authorization endpoint, by `request`.
    Request,
}

/// An entry with a JWT that it admits, and the key that signs it: forgeries differ from it in one thing.
struct Door {
    entry: Entry,
    key: SigningKey,
    header: Value,
    claims: Value,
}

/// A provider with all of its doors.
struct House {
    world: World,
    browser: Browser,
    doors: [Door; 4],
    numbers: AtomicU32,
}

impl House {
    /// What the provider signs is signed by a key that is known here, too.
    async fn open(setup: Setup) -> Self {
        let client_key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let request_key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let verified_by = JwkSet { keys: vec![request_key.jwk().clone()] };
        let keyed =
            Client::private_key_jwt("keyed", JwkSet { keys: vec![client_key.jwk().clone()] })
                .redirect_uri(WEB_CALLBACK)
                .scope("openid orders:read")
                .grant_type(GrantType::ClientCredentials);
        let world = World::with(setup, |builder| {
            builder
                .rate_limiter(without_limits())
                // Who could fetch what a header names, if anybody did.
                .http_client(outgoing())
                .tokens(|tokens| {
                    tokens.access_token_format = AccessTokenFormat::Jwt;
                    tokens.signing_algorithm = SigningAlgorithm::Rs256;
                })
                .client(web().jwks(verified_by))
                .client(keyed)
        })
        .await;
        let browser = settled_browser(&world, "web").await;
        let code = open(&world, &browser, &request("web").url(&world)).await.callback().code();
        let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
        let ours =
            || SigningKey::from_pem(SigningAlgorithm::Rs256, &Secret::from(RSA_KEY)).unwrap();
        let now = world.clock.now().as_secs();
        let assertion = json!({
            "iss": "keyed", "sub": "keyed", "aud": world.issuer, "iat": now, "exp": now + 300,
        });
        let doors = [
            Door {
                entry: Entry::Assertion,
                header: json!({"alg": "ES256", "kid": client_key.kid().as_str()}),
                key: client_key,
                claims: assertion,
            },
            Door {
                entry: Entry::Hint,
                key: ours(),
                header: header_of(&tokens.id),
                claims: flow::claims(&tokens.id),
            },
            Door {
                entry: Entry::Access,
                key: ours(),
                header: header_of(&tokens.access),
                claims: flow::claims(&tokens.access),
            },
            Door {
                entry: Entry::Request,
                header: json!({"alg": "ES256", "typ": "oauth-authz-req+jwt", "kid": request_key.kid().as_str()}),
                key: request_key,
                claims: json!({
                    "iss": "web", "aud": world.issuer, "iat": now, "exp": now + 300, "client_id": "web",
                    "redirect_uri": WEB_CALLBACK, "response_type": "code", "scope": "openid", "prompt": "none",
                    "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256",
                }),
            },
        ];
        let house = Self { world, browser, doors, numbers: AtomicU32::new(0) };
        for door in &house.doors {
            house.assert_admitted(door, &house.good(door)).await;
        }
        house
    }

    /// The claims of another good JWT: an assertion is good once.
    fn claims(&self, door: &Door) -> Value {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        match door.entry {
            Entry::Assertion => with(&door.claims, "jti", json!(format!("j-{number}"))),
            _ => door.claims.clone(),
        }
    }

    fn good(&self, door: &Door) -> String {
        door.sign(&door.header, &self.claims(door))
    }

    async fn admits(&self, door: &Door, jwt: &str) -> bool {
        match door.entry {
            Entry::Assertion => {
                let proof = [
                    ("client_assertion", jwt),
                    (
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    ),
                ];
                let form = [&CREDENTIALS_GRANT[..], &proof].concat();
                let reply = token(&self.world, By::Nothing, &form).await;
                let good = reply.status == 200;
                assert!(
                    good || matches!(reply.status.as_u16(), 400 | 401 | 413),
                    "{}",
                    reply.text()
                );
                good
            }
            Entry::Hint => {
                let asked = request("web").set("prompt", "none").set("id_token_hint", jwt);
                let reply = self.browser.get(&asked.url(&self.world)).await.unwrap();
                let Some(location) = reply.location() else {
                    assert!(reply.status.is_client_error(), "{}", reply.text());
                    return false;
                };
                let callback = Callback::of(location);
                match callback.get("error") {
                    "" => !callback.code().is_empty(),
                    error => {
                        assert!(["invalid_request", "login_required"].contains(&error), "{error}");
                        false
                    }
                }
            }
            Entry::Request => {
                let asked =
                    AuthorizationRequest::bare().set("client_id", "web").set("request", jwt);
                let reply = self.browser.get(&asked.url(&self.world)).await.unwrap();
                let Some(location) = reply.location() else {
                    assert!(reply.status.is_client_error(), "{}", reply.text());
                    return false;
                };
                !Callback::of(location).code().is_empty()
            }
            Entry::Access => {
                let active = is_active(&self.world, jwt).await;
                if jwt.contains('\n') {
                    // No header holds it.
                    return active;
                }
                let reply = userinfo(&self.world, jwt).await;
                assert_eq!(reply.status == 200, active, "{}", reply.text());
                assert!(active || reply.status.is_client_error(), "{}", reply.text());
                active
            }
        }
    }

    async fn assert_admitted(&self, door: &Door, jwt: &str) {
        assert!(self.admits(door, jwt).await, "{:?} refuses {jwt}", door.entry);
    }

    /// Nothing is written for it, and a good one is admitted still.
    async fn assert_refused(&self, door: &Door, jwt: &str) {
        let before = self.world.store.snapshot();
        assert!(!self.admits(door, jwt).await, "{:?} admits {jwt}", door.entry);
        assert_eq!(self.world.store.since(before).commits, 0, "{:?} {jwt}", door.entry);
    }

    /// Each of these at each door is refused, and a good one admitted afterwards.
    async fn refuses(&self, forge: impl Fn(&Door, &Value) -> Vec<String>) {
        for door in &self.doors {
            for forged in forge(door, &self.claims(door)) {
                self.assert_refused(door, &forged).await;
            }
            self.assert_admitted(door, &self.good(door)).await;
        }
    }
}

impl Door {
    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    fn sign_text(&self, header: &str, claims: &str) -> String {
        sign_with(&self.key, header, claims)
    }

    /// The same JWT with another header, rightly signed.
    fn headed(&self, name: &str, value: Value, claims: &Value) -> String {
        self.sign(&with(&self.header, name, value), claims)
    }

    /// The same JWT with another claim, rightly signed.
    fn claiming(&self, name: &str, value: Value, claims: &Value) -> String {
        self.sign(&self.header, &with(claims, name, value))
    }

    /// The first two segments.
    fn input(&self, claims: &Value) -> String {
        input(&self.header.to_string(), &claims.to_string())
    }
}

fn input(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn sign_with(key: &SigningKey, header: &str, claims: &str) -> String {
    let input = input(header, claims);
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header_of(jwt: &str) -> Value {
    let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&header).unwrap()
}

/// A changed object; `null` leaves the member out.
fn with(value: &Value, name: &str, member: Value) -> Value {
    let mut value = value.clone();
    match member {
        Value::Null => value.as_object_mut().unwrap().remove(name),
        member => value.as_object_mut().unwrap().insert(name.to_owned(), member),
    };
    value
}
