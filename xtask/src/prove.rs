//! `cargo xtask prove`: heavy proofs, in a short form for every run and a full form for the record.
//!
//! A proof is an example program. It takes `--rounds N` and, in the short form, `--seed S`; prints a
//! Markdown table; and ends with a status other than 0 if what it shows does not hold.

use crate::failure::{Failure, Outcome};
use crate::measured::{self, Program};
use crate::progress::Step;
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
}

#[derive(Debug)]
struct Proof {
    name: &'static str,
    title: &'static str,
    package: &'static str,
    example: &'static str,
    short_rounds: u32,
    full_rounds: u32,
}

const PROOFS: &[Proof] = &[
    Proof {
        name: "refresh-race",
        title: "Racing refresh requests",
        package: "auth-testkit",
        example: "prove_refresh_race",
        short_rounds: 100,
        full_rounds: 1_000,
    },
    Proof {
        name: "code-race",
        title: "Racing redemptions of one authorization code",
        package: "auth-testkit",
        example: "prove_code_race",
        short_rounds: 100,
        full_rounds: 1_000,
    },
];

/// The seed of every short run, so that a failure can be repeated.
const SEED: u32 = 20_260_101;

/// Runs the proof, or all of them, and says at the end which did not hold.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome<()> {
    let mut failed = Vec::new();
    for proof in PROOFS {
        if arguments.name.as_deref().is_some_and(|name| name != proof.name) {
            continue;
        }
        let step = Step::begin(format!("prove {}", proof.name));
        let result = if arguments.full {
            proof.run_in_full(workspace)
        } else {
            proof.run_briefly(workspace)
        };
        match result {
            Ok(()) => step.done(""),
            Err(failure) => {
                step.failed(&failure);
                failed.push(proof.name);
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("not proven: {}", failed.join(", "))))
    }
}

impl Proof {
    fn run_briefly(&self, workspace: &Workspace) -> Outcome<()> {
        let arguments = ["--rounds", &self.short_rounds.to_string(), "--seed", &SEED.to_string()]
            .map(str::to_owned)
            .to_vec();
        self.program(arguments).run_like_a_test(workspace)
    }

    fn run_in_full(&self, workspace: &Workspace) -> Outcome<()> {
        let arguments = vec!["--rounds".to_owned(), self.full_rounds.to_string()];
        let (command, printed) = self.program(arguments).run_released(workspace)?;
        print!("{printed}");
        let file = workspace.root().join("docs/proofs").join(format!("{}.md", self.name));
        measured::keep(workspace, &file, self.title, &command, &printed)
    }

    fn program(&self, arguments: Vec<String>) -> Program<'static> {
        Program { package: self.package, example: self.example, arguments }
    }
}
