//! [`Operation`]: what is measured, request by request.

use auth_core::http::{Listener, Request, dispatch};
use bytes::Bytes;
use http::Response;

use crate::scene::{
    Failure, Scene, Session, authorization, client_credentials, code_of, introspection, redemption,
    refresh,
};
use crate::served::callers::{Callers, Encoded, encode};
use crate::served::recorded::{Recorder, Step};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Introspection,
    ClientCredentials,
    Refresh,
    CodeFlow,
}

impl Operation {
    pub(crate) const ALL: [Self; 4] =
        [Self::Introspection, Self::ClientCredentials, Self::Refresh, Self::CodeFlow];

    /// By which a command line chooses it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Introspection => "introspection",
            Self::ClientCredentials => "client-credentials",
            Self::Refresh => "refresh",
            Self::CodeFlow => "code",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Introspection => "introspection",
            Self::ClientCredentials => "client_credentials, opaque",
            Self::Refresh => "refresh",
            Self::CodeFlow => "authorize with a session, redeem",
        }
    }

    /// The first requests of so many operations, in the browser of somebody who is signed in.
    pub(crate) async fn prepare(
        self,
        scene: &Scene,
        session: &Session,
        calls: usize,
    ) -> Result<Vec<Request>, Failure> {
        let mut prepared = Vec::new();
        let live = scene.grant(session).await?;
        for _ in 0..calls {
            prepared.push(match self {
                Self::Introspection => introspection(&live.access)?,
                Self::ClientCredentials => client_credentials()?,
                Self::Refresh => refresh(&scene.grant(session).await?.refresh)?,
                Self::CodeFlow => authorization(session)?,
            });
        }
        Ok(prepared)
    }

    /// Does them, as many at once as there are callers.
    pub(crate) fn call(self, callers: &mut Callers, prepared: &[Encoded]) -> Result<(), Failure> {
        for at_once in prepared.chunks(callers.count()) {
            let answers = callers.exchange(at_once)?;
            if self == Self::CodeFlow {
                let redeem = |answer: &Response<Bytes>| {
                    Ok(encode(&redemption(&code_of(answer.headers())?)?))
                };
                let next: Vec<_> = answers.iter().map(redeem).collect::<Result<_, Failure>>()?;
                callers.exchange(&next)?;
            }
        }
        Ok(())
    }

    /// Watches one of them, with the caches as they are in between others.
    pub(crate) async fn record(
        self,
        scene: &Scene,
        session: &Session,
        recorder: &Recorder,
    ) -> Result<Vec<Step>, Failure> {
        let engine = scene.provider.engine();
        let mut prepared = self.prepare(scene, session, 2).await?.into_iter();
        let (Some(first), Some(second)) = (prepared.next(), prepared.next()) else {
            return Err("nothing was prepared".into());
        };
        let send = async |request| {
            let response = dispatch(&*engine, Listener::Public, request).await;
            let status = response.status();
            match status.is_success() || status.is_redirection() {
                true => Ok(response),
                false => Err(Failure::from(format!("a request was refused: {status}"))),
            }
        };
        let answer = send(first).await?;
        if self == Self::CodeFlow {
            send(redemption(&code_of(answer.headers())?)?).await?;
        }
        let step = async |request: Request| {
            Ok::<_, Failure>(Step::watch(&*engine, recorder, request).await?.0)
        };
        let mut steps = vec![step(second).await?];
        if self == Self::CodeFlow {
            let code = code_of(steps[0].response.headers())?;
            steps.push(step(redemption(&code)?).await?);
        }
        Ok(steps)
    }
}
