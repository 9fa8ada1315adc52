//! Challenges: the questions of the provider, from their being sealed to their being answered.
//!
//! A question is sealed into its challenge, bound to the browser that it is put to, and nothing is
//! stored before somebody answers it. The answer is stored under the challenge's id; the browser comes
//! back with a verifier, a short proof that we sent it there.

mod browser;
mod deflate;
mod desk;
mod question;
mod resume_consent;
mod resume_login;
mod seal;
mod settle;

pub(crate) use browser::Browser;
pub(crate) use question::{
    Answer, Challenge, ConsentQuestion, LoginQuestion, LogoutQuestion, Question,
};
pub(crate) use resume_consent::ResumeConsent;
pub(crate) use resume_login::ResumeLogin;
pub(crate) use seal::{Kindred, StoredChallenge, open_sealed, pose, reserve_storage};
pub(crate) use settle::{Settle, Settled, Verifier};
