//! The desk: opens and settles challenges, for the built-in pages and the embedder's own alike.

use async_trait::async_trait;
use auth_core::challenge::{Accept, ChallengeDesk, DeskError, Pending, RedirectTo, Reject};
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome, Unavailable, within};

use crate::challenge::seal::{Opened, read_stored};
use crate::challenge::{Challenge, Kindred, Question, Settle, Settled, open_sealed};
use crate::client::{Client, ClientRecord};
use crate::endpoint::path;
use crate::provider::Provider;

impl Provider {
    /// The challenge of a text, with the client that it is about.
    pub(crate) async fn open_challenge(
        &self,
        kindred: &[Kindred],
        text: &str,
    ) -> Result<(Challenge, Option<Client>), DeskError> {
        let challenge = match open_sealed(self.tenant(), kindred, text)? {
            Opened::Whole(challenge) => *challenge,
            Opened::Stored(key) => {
                let store = &self.driver().ports().store;
                let read = store.get(self.tenant().id, std::slice::from_ref(&key)).await;
                let record = read.map_err(Unavailable::from)?.into_iter().next().flatten();
                read_stored(&record.ok_or(DeskError::Expired)?)?
            }
        };
        let look = Look { challenge };
        let client = self.driver().run(self.tenant(), &look).await??;
        Ok((look.challenge, client))
    }

    /// Answers a challenge in one go, in time.
    async fn answer(
        &self,
        challenge: &str,
        answer: Result<Accept, Reject>,
    ) -> Result<RedirectTo, DeskError> {
        let settling = async {
            let (opened, _) = self.open_challenge(&Kindred::ALL, challenge).await?;
            self.settle(opened, answer).await
        };
        within(self.config().deadline, settling).await?
    }

    /// Stores the answer to a challenge.
    pub(crate) async fn settle(
        &self,
        challenge: Challenge,
        answer: Result<Accept, Reject>,
    ) -> Result<RedirectTo, DeskError> {
        let endpoint = match challenge.question {
            Question::Logout(_) => path::END_SESSION,
            _ => path::AUTHORIZATION,
        };
        let verifier = self.driver().run(self.tenant(), &Settle { challenge, answer }).await??;
        Ok(RedirectTo::new(format!("{}?{verifier}", self.tenant().issuer.url(endpoint))))
    }
}

/// Looks whether a challenge can still be answered, and by which client it was raised.
struct Look {
    challenge: Challenge,
}

impl Decision for Look {
    type Answer = Option<Client>;
    type Refusal = DeskError;

    fn prefetch(&self) -> Asks {
        let asks = Asks::none().read(&Settled::at(&self.challenge.id));
        match self.challenge.request() {
            Some(request) => asks.read_cached(&ClientRecord::at(&request.client_id)),
            None => asks,
        }
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Option<Client>, DeskError>, Need> {
        if cx.now >= self.challenge.expires_at {
            return Ok(Outcome::refuse(DeskError::Expired));
        }
        if facts.read(&Settled::at(&self.challenge.id))?.is_some_and(|known| known.value.used) {
            return Ok(Outcome::refuse(DeskError::Used));
        }
        let Some(request) = self.challenge.request() else { return Ok(Outcome::answer(None)) };
        let client = facts.read(&ClientRecord::at(&request.client_id))?;
        Ok(Outcome::answer(client.map(|record| record.value.client.clone())))
    }
}

#[async_trait]
impl ChallengeDesk for Provider {
    async fn open(&self, challenge: &str) -> Result<Pending, DeskError> {
        let opening = self.open_challenge(&Kindred::ALL, challenge);
        let (opened, client) = within(self.config().deadline, opening).await??;
        Ok(opened.pending(challenge.to_owned(), client.as_ref()))
    }

    async fn accept(&self, challenge: &str, accept: Accept) -> Result<RedirectTo, DeskError> {
        self.answer(challenge, Ok(accept)).await
    }

    async fn reject(&self, challenge: &str, reject: Reject) -> Result<RedirectTo, DeskError> {
        self.answer(challenge, Err(reject)).await
    }
}
