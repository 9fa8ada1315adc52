//! Clients: the model, its validation, their registry, and how they authenticate.

mod auth_method;
pub mod authenticate;
mod build;
mod claim_mapper;
pub(crate) mod encryption;
mod grant_type;
pub(crate) mod keys;
mod model;
mod record;
pub(crate) mod redirect_uri;
mod registry;
mod response_type;
mod subject_type;
mod validate;

pub use auth_method::TokenEndpointAuthMethod;
pub use claim_mapper::{ClaimMapper, ClaimSource, ClaimTarget};
pub use grant_type::GrantType;
pub use keys::ClientKeys;
pub use model::{AccessTokenFormat, Client};
pub(crate) use record::ClientRecord;
pub use record::generate_client_secret;
pub use redirect_uri::{InvalidRedirectUri, RedirectUri};
pub use registry::{ClientError, Clients};
pub use response_type::ResponseType;
pub use subject_type::{PairwiseSubjects, ShortSecret, SubjectType};
pub use validate::InvalidClient;
