//! Clients: the model, its validation, their registry, and how they authenticate.

pub mod authenticate;
mod claim_mapper;
mod model;
mod record;
mod redirect_uri;
mod registry;
mod response_type;
mod validate;

pub use claim_mapper::{ClaimMapper, ClaimSource, ClaimTarget};
pub use model::{AccessTokenFormat, Client, GrantType, TokenEndpointAuthMethod};
pub(crate) use record::ClientRecord;
pub use record::generate_client_secret;
pub use redirect_uri::{InvalidRedirectUri, RedirectUri};
pub use registry::{ClientError, Clients};
pub use response_type::ResponseType;
pub use validate::InvalidClient;
