//! [`Grant`]: the record of one grant, kept outside of the server, and what must follow from it.

use std::time::Instant;

use super::Failure;
use super::client::{Answer, App, Tokens};
use super::known::Known;

/// What a client knows of a code and of everything that came of it.
#[derive(Debug)]
pub(crate) struct Grant {
    begun: Instant,
    code: String,
    /// Whether the code was redeemed, by this client or by whom it is refused for.
    used: Known,
    /// Whether everything was revoked, by its refresh token or because the code came again.
    dead: Known,
    /// Access tokens, in the order in which they were acknowledged, and whether each was revoked.
    access: Vec<(String, Known)>,
    /// The newest refresh token that was acknowledged.
    refresh: Option<String>,
    /// Whether the newest refresh token was used without an answer: it is used again before its grace ends.
    refreshing: Known,
    story: Vec<(Instant, String)>,
}

impl Grant {
    /// Of a code that came just now.
    pub(crate) fn new(code: String) -> Self {
        let begun = Instant::now();
        Self {
            begun,
            code,
            used: Known::No,
            dead: Known::No,
            access: Vec::new(),
            refresh: None,
            refreshing: Known::No,
            story: vec![(begun, "the code was issued".to_owned())],
        }
    }

    /// Whether it has tokens that may be used.
    pub(crate) fn is_alive(&self) -> bool {
        self.refresh.is_some() && self.dead != Known::Yes
    }

    /// Whether a refresh waits to be tried again.
    pub(crate) fn is_refreshing(&self) -> bool {
        self.refreshing != Known::No && self.dead != Known::Yes
    }

    /// Offers the code, by as many as that at the same moment.
    pub(crate) async fn offer(&mut self, app: &App, racers: u8) -> Result<(), Failure> {
        let sent = self.tell(format!("the code is offered by {racers}"));
        let answers = if racers == 2 {
            app.tally.races.add(1);
            let (first, second) = tokio::join!(app.redeem(&self.code), app.redeem(&self.code));
            vec![first?, second?]
        } else {
            vec![app.redeem(&self.code).await?]
        };
        let mut won: Vec<Tokens> = Vec::new();
        let (mut refused, mut open) = (false, false);
        for answer in answers {
            self.answered(sent, "a redemption", &answer);
            match answer {
                Answer::Yes(tokens) => won.push(tokens),
                Answer::No => refused = true,
                Answer::Open => open = true,
            }
        }
        if won.len() > 1 || (!won.is_empty() && self.used == Known::Yes) {
            return self.violated("a code was redeemed twice");
        }
        if won.is_empty() && refused && !open && self.used == Known::No {
            return self.violated("a code that nobody had redeemed was refused");
        }
        if let Some(tokens) = won.pop() {
            self.used.settle(false, &app.tally);
            self.hold(tokens);
        }
        // A code that comes again is in the wrong hands: it takes the grant with it.
        if self.refresh.is_some() && refused {
            self.dead.settle(true, &app.tally);
        } else if self.refresh.is_some() && open {
            self.dead.ask();
        }
        if self.refresh.is_some() {
            self.used = Known::Yes;
        } else if refused {
            self.used.settle(true, &app.tally);
        } else {
            self.used.ask();
        }
        Ok(())
    }

    /// Uses the newest refresh token, by as many as that at the same moment.
    pub(crate) async fn refresh(&mut self, app: &App, racers: u8) -> Result<(), Failure> {
        let Some(token) = self.refresh.clone() else { return Ok(()) };
        let sent = self.tell(format!("the refresh token is used by {racers}"));
        let answers = if racers == 2 {
            let (first, second) = tokio::join!(app.refresh(&token), app.refresh(&token));
            vec![first?, second?]
        } else {
            vec![app.refresh(&token).await?]
        };
        let mut successor: Option<String> = None;
        for answer in answers {
            self.answered(sent, "a refresh", &answer);
            match answer {
                Answer::Yes(tokens) => {
                    if self.dead == Known::Yes {
                        return self.violated("a revoked grant was refreshed");
                    }
                    self.dead.settle(false, &app.tally);
                    if successor.as_ref().is_some_and(|other| *other != tokens.refresh) {
                        return self.violated("a refresh token has two successors");
                    }
                    successor = Some(tokens.refresh.clone());
                    self.hold(tokens);
                }
                Answer::No if self.dead == Known::No => {
                    return self.violated("an acknowledged grant is lost: its refresh was refused");
                }
                Answer::No => self.dead.settle(true, &app.tally),
                Answer::Open if successor.is_none() => self.refreshing.ask(),
                Answer::Open => {}
            }
        }
        Ok(())
    }

    /// Revokes one of the access tokens.
    pub(crate) async fn revoke_access(&mut self, app: &App, at: usize) -> Result<(), Failure> {
        let Some((token, _)) = self.access.get(at).cloned() else { return Ok(()) };
        let sent = self.tell(format!("access token {at} is to be revoked"));
        let answer = app.revoke(&token).await?;
        self.answered(sent, "the revocation", &answer);
        if let Some((_, revoked)) = self.access.get_mut(at) {
            match answer {
                Answer::Yes(()) => *revoked = Known::Yes,
                _ => revoked.ask(),
            }
        }
        Ok(())
    }

    /// Revokes all of it.
    pub(crate) async fn revoke(&mut self, app: &App) -> Result<(), Failure> {
        let Some(token) = self.refresh.clone() else { return Ok(()) };
        let sent = self.tell("the grant is to be revoked".to_owned());
        let answer = app.revoke(&token).await?;
        self.answered(sent, "the revocation", &answer);
        match answer {
            Answer::Yes(()) => self.dead = Known::Yes,
            _ => self.dead.ask(),
        }
        Ok(())
    }

    /// Asks about one of the access tokens.
    pub(crate) async fn look_at_access(&mut self, app: &App, at: usize) -> Result<(), Failure> {
        let Some((token, revoked)) = self.access.get(at).cloned() else { return Ok(()) };
        let sent = Instant::now();
        let answer = app.is_active(&token).await?;
        self.answered(sent, &format!("access token {at}"), &answer);
        let Answer::Yes(active) = answer else { return Ok(()) };
        let revoked = self.check(active, revoked, app)?;
        if let Some((_, known)) = self.access.get_mut(at)
            && *known != revoked
        {
            known.settle(revoked == Known::Yes, &app.tally);
        }
        Ok(())
    }

    /// Asks about the newest refresh token.
    pub(crate) async fn look_at_refresh(&mut self, app: &App) -> Result<(), Failure> {
        let Some(token) = self.refresh.clone() else { return Ok(()) };
        let sent = Instant::now();
        let answer = app.is_active(&token).await?;
        self.answered(sent, "the refresh token", &answer);
        let Answer::Yes(active) = answer else { return Ok(()) };
        if self.refreshing == Known::No || active {
            self.check(active, Known::No, app)?;
            self.refreshing.settle(false, &app.tally);
        } else if self.dead == Known::No {
            // Its successor is there, and comes when it is used again.
            self.refreshing.settle(true, &app.tally);
        }
        Ok(())
    }

    /// Asks about everything.
    pub(crate) async fn look(&mut self, app: &App) -> Result<(), Failure> {
        for at in 0..self.access.len() {
            self.look_at_access(app, at).await?;
        }
        self.look_at_refresh(app).await
    }

    /// Compares what a server says of a token with the record, and learns from it what was open. Gives
    /// whether the token itself was revoked.
    fn check(&mut self, active: bool, revoked: Known, app: &App) -> Result<Known, Failure> {
        let worst = revoked.max(self.dead);
        match (active, worst) {
            (true, Known::Yes) => self.violated("a revoked token is active"),
            (false, Known::No) => self.violated("an acknowledged token is not active"),
            (true, _) => {
                self.dead.settle(false, &app.tally);
                Ok(Known::No)
            }
            (false, _) if revoked == Known::No => {
                self.dead.settle(true, &app.tally);
                Ok(Known::No)
            }
            (false, _) if self.dead == Known::No => Ok(Known::Yes),
            // One or the other.
            (false, _) => Ok(revoked),
        }
    }

    /// Compares all of the record with what the server says; what was open is settled. At the end, if it is
    /// the last look, the code is offered again, which must be refused and takes the grant with it.
    pub(crate) async fn audit(&mut self, app: &App, last: bool) -> Result<(), Failure> {
        self.tell("the record is checked".to_owned());
        if self.refresh.is_none() {
            self.offer(app, 1).await?;
        }
        self.look(app).await?;
        if self.is_alive() || last {
            self.refresh(app, 1).await?;
            self.look(app).await?;
        }
        if last {
            self.offer(app, 1).await?;
            self.look(app).await?;
            self.refresh(app, 1).await?;
        }
        app.tally.checked.add(1);
        Ok(())
    }

    /// How many access tokens there are.
    pub(crate) fn accesses(&self) -> usize {
        self.access.len()
    }

    /// Asks every replica about a grant of which something was revoked just now.
    pub(crate) async fn look_everywhere(&mut self, replicas: &[App]) -> Result<(), Failure> {
        for replica in replicas {
            self.look(replica).await?;
            if self.dead == Known::Yes {
                self.refresh(replica, 1).await?;
            }
            replica.tally.asked_directly.add(1);
        }
        Ok(())
    }

    fn hold(&mut self, tokens: Tokens) {
        self.access.push((tokens.access, Known::No));
        self.refresh = Some(tokens.refresh);
        self.refreshing = Known::No;
    }

    fn tell(&mut self, what: String) -> Instant {
        let now = Instant::now();
        self.story.push((now, what));
        now
    }

    fn answered<T>(&mut self, sent: Instant, what: &str, answer: &Answer<T>) {
        let word = match answer {
            Answer::Yes(_) => "answered",
            Answer::No => "refused",
            Answer::Open => "not answered",
        };
        let after = sent.elapsed().as_secs_f64() * 1e3;
        self.tell(format!("{what} was {word} after {after:.1} ms"));
    }

    /// A violation, with the story of the record. No token stands in it.
    pub(crate) fn violated<T>(&self, what: &str) -> Result<T, Failure> {
        let mut text = format!("violation: {what}\n  used {:?}, dead {:?}", self.used, self.dead);
        for (at, event) in &self.story {
            let at = at.duration_since(self.begun).as_secs_f64();
            text.push_str(&format!("\n  {at:9.4} s  {event}"));
        }
        Err(text.into())
    }
}
