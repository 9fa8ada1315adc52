//! What the suite needs beside Rust. A [`Component`] is a value: how to find it, how to install it, and
//! the environment variable through which a test learns that it is there.

mod browser;
mod debian;
mod fonts;
mod node;
mod peer;
mod previous;
mod python;
mod server;
mod stamp;

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::progress::Step;
use crate::workspace::Workspace;

/// Something that some tests need.
#[derive(Debug)]
pub(crate) struct Component {
    /// What people call it.
    pub(crate) name: &'static str,
    /// Where tests look for its path; a component that no test starts by itself has none.
    pub(crate) variable: Option<&'static str>,
    /// Its path, or why it cannot be used.
    pub(crate) find: fn(&Workspace) -> Result<PathBuf, String>,
    /// Gets it, if this machine permits that.
    pub(crate) install: fn(&Workspace) -> Outcome<()>,
    /// How a person gets it.
    pub(crate) by_hand: &'static str,
}

/// All of them, in the order in which they are looked for.
pub(crate) const ALL: &[Component] = &[
    browser::CHROMIUM,
    browser::CHROMEDRIVER,
    fonts::CJK,
    node::NODE,
    python::PYTHON,
    server::POSTGRES,
    server::REDIS,
    server::NGINX,
    server::PGBOUNCER,
    previous::VERSIONS,
];

/// Looks for the provider that benchmarks compare with, and gets it: the variable that tells where it is.
pub(crate) fn provide_peer(workspace: &Workspace) -> Outcome<(&'static str, PathBuf)> {
    let component = &peer::PEER;
    match (component.provide(workspace, true), component.variable) {
        (Presence::Found(path), Some(variable)) => Ok((variable, path)),
        (Presence::Missing(reason), _) => {
            Err(Failure::new(format!("{reason}: {}", component.by_hand)))
        }
        (Presence::Found(_), None) => Err(Failure::new("the peer has no variable")),
    }
}

/// Looks for those that proofs and benchmarks run beside, and gets them.
pub(crate) fn provide_servers(workspace: &Workspace, may_install: bool) {
    for component in [server::POSTGRES, server::REDIS, server::NGINX] {
        component.provide(workspace, may_install);
    }
}

/// What became of a component.
#[derive(Debug)]
pub(crate) enum Presence {
    /// It is here.
    Found(PathBuf),
    /// It is not, and this is why.
    Missing(String),
}

impl Component {
    /// Looks for it and, where `may_install`, gets it when it is not there.
    pub(crate) fn provide(&self, workspace: &Workspace, may_install: bool) -> Presence {
        let step = Step::begin(self.name);
        let presence = self.look_and_get(workspace, may_install);
        match &presence {
            Presence::Found(path) => step.done(workspace.shown(path)),
            Presence::Missing(reason) => step.left_out(reason),
        }
        presence
    }

    fn look_and_get(&self, workspace: &Workspace, may_install: bool) -> Presence {
        let missing = match self.look(workspace) {
            Ok(path) => return Presence::Found(path),
            Err(reason) => reason,
        };
        if !may_install {
            return Presence::Missing(missing);
        }
        if let Err(failure) = (self.install)(workspace) {
            return Presence::Missing(format!("{missing}; {failure}"));
        }
        match self.look(workspace) {
            Ok(path) => Presence::Found(path),
            Err(reason) => Presence::Missing(format!("installed, but {reason}")),
        }
    }

    /// A path that is set already counts, if there is something at it.
    fn look(&self, workspace: &Workspace) -> Result<PathBuf, String> {
        let given = self.variable.and_then(std::env::var_os).map(PathBuf::from);
        match (given, self.variable) {
            (Some(path), _) if path.exists() => Ok(path),
            (Some(path), Some(variable)) => {
                Err(format!("{variable} is {}, where nothing is", path.display()))
            }
            _ => (self.find)(workspace),
        }
    }
}
