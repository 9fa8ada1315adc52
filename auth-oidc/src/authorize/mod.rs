//! The authorization endpoint: what is asked, whether it may be, and the answer.
//!
//! ```text
//!   parameters ─▶ client? ─▶ pushed? signed? ─▶ redirect_uri? ─▶ the rules of check/ ─▶ decide
//!                   │ PageError   │ PageError      │ PageError      │ RedirectError     ├─▶ login challenge
//!                                                                                      ├─▶ consent challenge
//!                                                                                      └─▶ code, tokens
//! ```

mod answer;
pub(crate) mod check;
mod decide;
mod error;
mod interaction;
mod pushed;
mod request;
pub(crate) mod request_object;
mod response;

pub(crate) use answer::AnswerRequest;
pub(crate) use decide::{Answered, Authorize, Next, Proceed};
pub(crate) use error::{AuthorizeRefusal, PageError, RedirectError};
pub(crate) use interaction::after_login;
use interaction::{Interaction, before_login, consent_needed};
pub(crate) use pushed::{PushedRequest, Reference};
pub(crate) use request::AuthorizationRequest;
use request::Prompt;
pub(crate) use response::{AuthorizationResponse, ResponseMode, ValidatedRedirect};
