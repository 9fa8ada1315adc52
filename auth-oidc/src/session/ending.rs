//! The end of a session: every client that was answered in it is told.

use std::sync::Arc;

use auth_core::decision::{Asks, Cx, Facts, Need, Unavailable};
use auth_core::record::Found;
use auth_core::store::MainWrite;
use auth_core::{ClientId, Issuer, SessionId};

use crate::client::{Client, ClientRecord};
use crate::provider::Config;
use crate::session::back_channel::LogoutNotice;
use crate::session::front_channel;
use crate::session::login_session::LoginSession;

/// What ends with a session.
#[derive(Debug)]
pub(crate) struct Ending {
    /// The session's end, and what tells the clients' servers.
    pub(crate) writes: Vec<MainWrite>,
    /// Clients of which the browser is to load a page.
    in_browser: Vec<Arc<Found<ClientRecord>>>,
}

impl Ending {
    /// Those pages.
    pub(crate) fn frames(
        &self,
        sid: &SessionId,
        config: &Config,
        issuer: &Issuer,
    ) -> Result<Vec<String>, Unavailable> {
        let mut frames = Vec::new();
        for client in self.in_browser.iter().map(|record| &record.value.client) {
            if let Some(uri) = &client.frontchannel_logout_uri {
                frames.extend(front_channel::frame(uri, issuer, &config.sid_for(client, sid)?));
            }
        }
        Ok(frames)
    }
}

/// Ends a session, and with it every token that is bound to it.
pub(crate) fn end(
    session: &Found<LoginSession>,
    facts: &Facts,
    cx: &mut Cx<'_>,
) -> Result<Ending, Need> {
    let LoginSession { clients, sign_in, .. } = &session.value;
    // As they are registered now: a client that moved is told where it is.
    facts
        .require(clients.keys().fold(Asks::none(), |asks, id| asks.read(&ClientRecord::at(id))))?;
    let ended = LoginSession { ended: true, ..session.value.clone() };
    let mut ending = Ending { writes: vec![session.replace(&ended)?], in_browser: Vec::new() };
    for (id, generation) in clients {
        let Some(record) = live(id, *generation, facts)? else { continue };
        let client: &Client = &record.value.client;
        if client.backchannel_logout_uri.is_some() {
            let notice = LogoutNotice {
                client_id: id.clone(),
                generation: *generation,
                sid: sign_in.sid,
                subject: sign_in.subject.clone(),
            };
            ending.writes.push(notice.write(cx));
        }
        if client.frontchannel_logout_uri.is_some() {
            ending.in_browser.push(record);
        }
    }
    Ok(ending)
}

/// The client, unless it is gone, or another one has its identifier.
fn live(
    id: &ClientId,
    generation: u64,
    facts: &Facts,
) -> Result<Option<Arc<Found<ClientRecord>>>, Need> {
    Ok(facts.read(&ClientRecord::at(id))?.filter(|record| record.value.is_still(generation)))
}
