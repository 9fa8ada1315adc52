//! Who signs in at the demo, and for which application.

use auth_core::decision::Unavailable;
use auth_core::{Identity, MemoryDirectory, PasswordHasher, Secret};
use auth_oidc::client::Client;

use crate::DEMO_SECRET;

/// Alice, whose password is `wonderland`.
///
/// # Errors
/// If her password cannot be hashed.
pub async fn demo_people() -> Result<MemoryDirectory, Unavailable> {
    let people = MemoryDirectory::new(PasswordHasher::default());
    let alice = Identity::new("u-1", "Alice Anders")
        .claim("name", "Alice Anders")
        .claim("email", "alice@example.com")
        .claim("email_verified", true);
    people.insert("alice", &Secret::from("wonderland"), alice).await?;
    Ok(people)
}

/// The demo application, at the issuer's own address.
#[must_use]
pub fn demo_client(issuer: &str) -> Client {
    Client::confidential("demo", DEMO_SECRET)
        .name("Demo application")
        .redirect_uri(format!("{issuer}/callback"))
        .post_logout_redirect_uri(format!("{issuer}/"))
        .scope("openid profile email offline_access")
        .optional_scope("email")
}
