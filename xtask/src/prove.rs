//! `cargo xtask prove`: heavy proofs, in a short form for every run and a full form for the record.
//!
//! A proof is an example program. It takes its arguments from the table below and, in the short form,
//! `--seed S`; one that runs on several backends takes `--backend NAME` and runs once for each. It prints a
//! Markdown table and ends with a status other than 0 if what it shows does not hold. Where its servers are
//! it learns from the environment, as the tests do.

use crate::component;
use crate::failure::{Failure, Outcome};
use crate::measured::{self, Program};
use crate::progress::{self, Step};
use crate::servers::{Server, Servers};
use crate::workspace::Workspace;

/// What `cargo xtask prove` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The proof to run; without it, all of them
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(PROOFS.iter().map(|proof| proof.name)))]
    name: Option<String>,
    /// Run in full, and write the result to docs/proofs/NAME.md
    #[arg(long)]
    full: bool,
    /// Fail when a server is missing, instead of leaving out what needs it
    #[arg(long)]
    require_all: bool,
    /// Use what is there; install nothing
    #[arg(long)]
    no_install: bool,
}

#[derive(Debug)]
struct Proof {
    name: &'static str,
    title: &'static str,
    package: &'static str,
    example: &'static str,
    /// Arguments of the short form, beside `--seed`, if it has one.
    short: Option<&'static [&'static str]>,
    /// Arguments of the full form.
    full: &'static [&'static str],
    /// What it is run on, one after another; without any it is run once.
    backends: &'static [Backend],
    /// Servers without which none of it can run.
    needs: &'static [Server],
}

/// A value of `--backend`.
#[derive(Debug, Clone, Copy)]
struct Backend {
    name: &'static str,
    needs: &'static [Server],
}

/// The backends of `testbed::Backend`, whose names these are.
mod backend {
    use super::{Backend, Server};

    pub(super) const MEMORY: Backend = Backend { name: "memory", needs: &[] };
    pub(super) const SQLITE: Backend = Backend { name: "sqlite", needs: &[] };
    pub(super) const POSTGRES: Backend = Backend { name: "postgres", needs: &[Server::Postgres] };
    pub(super) const REDIS: Backend = Backend { name: "redis", needs: &[Server::Redis] };
    pub(super) const REDIS_CLUSTER: Backend =
        Backend { name: "redis-cluster", needs: &[Server::RedisCluster] };
    pub(super) const TIERED: Backend =
        Backend { name: "tiered", needs: &[Server::Postgres, Server::Redis] };
    pub(super) const ALL: &[Backend] = &[MEMORY, SQLITE, POSTGRES, REDIS, REDIS_CLUSTER, TIERED];
}

const PROOFS: &[Proof] = &[
    Proof {
        name: "refresh-race",
        title: "Racing refresh requests",
        package: "auth-testkit",
        example: "prove_refresh_race",
        short: Some(&["--rounds", "100"]),
        full: &["--rounds", "1000"],
        backends: &[],
        needs: &[],
    },
    Proof {
        name: "code-race",
        title: "Racing redemptions of one authorization code",
        package: "auth-testkit",
        example: "prove_code_race",
        short: Some(&["--rounds", "100"]),
        full: &["--rounds", "1000"],
        backends: &[],
        needs: &[],
    },
    Proof {
        name: "histories",
        title: "Histories of four clients are linearizable",
        package: "auth-testkit",
        example: "prove_histories",
        short: Some(&["--rounds", "300"]),
        full: &["--rounds", "200000"],
        backends: backend::ALL,
        needs: &[],
    },
    Proof {
        name: "move",
        title: "Moving a database from SQLite to PostgreSQL and back",
        package: "auth-testkit",
        example: "prove_move",
        short: Some(&["--rounds", "5000"]),
        full: &["--rounds", "1000000"],
        backends: &[],
        needs: &[Server::Postgres],
    },
    Proof {
        name: "crash",
        title: "Killed servers and databases",
        package: "auth-testkit",
        example: "prove_crash",
        short: Some(&["--rounds", "5"]),
        full: &["--rounds", "200"],
        backends: &[],
        needs: &[Server::Postgres],
    },
    Proof {
        name: "replicas",
        title: "Replicas that are killed behind a load balancer",
        package: "auth-testkit",
        example: "prove_replicas",
        short: Some(&["--rounds", "10"]),
        full: &["--rounds", "300"],
        backends: &[],
        needs: &[Server::Postgres, Server::Redis],
    },
    Proof {
        name: "scale",
        title: "Many live grants, and a large backlog",
        package: "auth-testkit",
        example: "prove_scale",
        short: Some(&["--rounds", "20000"]),
        full: &["--rounds", "1000000"],
        backends: &[backend::SQLITE, backend::POSTGRES],
        needs: &[],
    },
    Proof {
        name: "scale-ten-million",
        title: "Ten million live grants",
        package: "auth-testkit",
        example: "prove_scale",
        // That of `scale` is enough.
        short: None,
        full: &["--rounds", "10000000"],
        // Whoever has that many has more than one process, too.
        backends: &[backend::POSTGRES],
        needs: &[],
    },
];

/// The seed of every short run, so that a failure can be repeated.
const SEED: &str = "20260101";

/// Runs the proof, or all of them, and says at the end which did not hold and what was left out.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome<()> {
    let chosen: Vec<&Proof> = PROOFS
        .iter()
        .filter(|proof| match arguments.name.as_deref() {
            Some(name) => name == proof.name,
            None => arguments.full || proof.short.is_some(),
        })
        .collect();
    let servers = servers(workspace, arguments, &chosen);
    let (mut failed, mut left_out) = (Vec::new(), Vec::new());
    for proof in chosen {
        let step = Step::begin(format!("prove {}", proof.name));
        let runs = proof.runs(&servers, &mut left_out);
        if runs.is_empty() {
            step.left_out("its servers are not here");
            continue;
        }
        let result = if arguments.full {
            proof.run_in_full(workspace, &servers, &runs)
        } else {
            proof.run_briefly(workspace, &servers, &runs)
        };
        match result {
            Ok(()) => step.done(""),
            Err(failure) => {
                step.failed(&failure);
                failed.push(proof.name);
            }
        }
    }
    if !left_out.is_empty() {
        progress::heading("Left out:");
        left_out.iter().for_each(progress::warning);
    }
    if !failed.is_empty() {
        return Err(Failure::new(format!("not proven: {}", failed.join(", "))));
    }
    if arguments.require_all && !left_out.is_empty() {
        return Err(Failure::new("not everything could run, and --require-all wants it"));
    }
    Ok(())
}

/// Starts the servers that the chosen proofs need; none, where none is needed.
fn servers(workspace: &Workspace, arguments: &Arguments, chosen: &[&Proof]) -> Servers {
    let is_needed = |server: &Server| chosen.iter().any(|proof| proof.may_use(*server));
    let wanted: Vec<Server> = Server::ALL.iter().copied().filter(is_needed).collect();
    if !wanted.is_empty() {
        component::provide_servers(workspace, !arguments.no_install);
    }
    Servers::start(&wanted)
}

impl Proof {
    fn may_use(&self, server: Server) -> bool {
        let of_backends = self.backends.iter().flat_map(|backend| backend.needs);
        self.needs.iter().chain(of_backends).any(|needed| *needed == server)
    }

    /// The arguments that one run has beyond another, for each that can run here.
    fn runs(&self, servers: &Servers, left_out: &mut Vec<String>) -> Vec<Vec<String>> {
        let mut here = |what: &str, needs: &[Server]| {
            let missing = needs.iter().find(|server| !servers.has(**server));
            if let Some(server) = missing {
                left_out.push(format!("{}{what}: {} is not set", self.name, server.variable()));
            }
            missing.is_none()
        };
        if !here("", self.needs) {
            return Vec::new();
        }
        if self.backends.is_empty() {
            return vec![Vec::new()];
        }
        self.backends
            .iter()
            .filter(|backend| here(&format!(" on {}", backend.name), backend.needs))
            .map(|backend| vec!["--backend".to_owned(), backend.name.to_owned()])
            .collect()
    }

    fn run_briefly(
        &self,
        workspace: &Workspace,
        servers: &Servers,
        runs: &[Vec<String>],
    ) -> Outcome<()> {
        let short = self
            .short
            .ok_or_else(|| Failure::new(format!("{} has no short form: add --full", self.name)))?;
        let seed = ["--seed", SEED];
        runs.iter().try_for_each(|run| {
            self.program([short, &seed].concat(), run).run_like_a_test(workspace, servers)
        })
    }

    fn run_in_full(
        &self,
        workspace: &Workspace,
        servers: &Servers,
        runs: &[Vec<String>],
    ) -> Outcome<()> {
        let file = workspace.root().join("docs/proofs").join(format!("{}.md", self.name));
        let (mut commands, mut tables) = (Vec::new(), Vec::new());
        for run in runs {
            let program = self.program(self.full.to_vec(), run);
            let (command, printed) = program.run_optimised(workspace, servers, "release")?;
            print!("{printed}");
            commands.push(command);
            tables.push(printed.trim().to_owned());
            let command = match commands.as_slice() {
                [only] => only.clone(),
                _ => format!("cargo xtask prove {} --full", self.name),
            };
            // After each of them: whoever interrupts the next one has lost nothing.
            measured::keep(workspace, &file, self.title, &command, &tables.join("\n\n"))?;
        }
        Ok(())
    }

    fn program(&self, arguments: Vec<&str>, run: &[String]) -> Program<'static> {
        let arguments = arguments.into_iter().map(str::to_owned).chain(run.iter().cloned());
        Program { package: self.package, example: self.example, arguments: arguments.collect() }
    }
}
