//! The rules of the authorization endpoint, one a file.

mod claims;
mod entropy;
mod max_age;
mod pkce;
mod prompt;
mod redirect_uri;
pub(crate) mod resource;
mod response_type;
mod scope;
mod unsupported;

pub(crate) use claims::claims;
pub(crate) use entropy::entropy;
pub(crate) use max_age::max_age;
pub(crate) use pkce::pkce;
pub(crate) use prompt::prompt;
pub(crate) use redirect_uri::{redirect_uri, still_registered};
pub(crate) use response_type::response_type;
pub(crate) use scope::scope;
pub(crate) use unsupported::unsupported;
