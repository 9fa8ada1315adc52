//! [`Launch`]: how a server is started, and how one knows that it is ready.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::error::{Doing, StartError};

/// Long enough for the recovery of a killed database on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A server's command line.
#[derive(Debug)]
pub(crate) struct Launch {
    /// What people call it.
    pub(crate) server: &'static str,
    /// Its path.
    pub(crate) program: PathBuf,
    /// Its arguments; it must stay in the foreground.
    pub(crate) arguments: Vec<OsString>,
    /// Whom it runs as, if not as this process.
    pub(crate) account: Option<Account>,
    /// What it prints goes here.
    pub(crate) log: PathBuf,
    /// What it prints when it takes connections.
    pub(crate) ready: &'static str,
    /// The signal at which it ends at once and takes its own processes with it.
    pub(crate) end: &'static str,
}

impl Launch {
    /// Starts the server and waits until it is ready.
    pub(crate) fn start(&self) -> Result<Child, StartError> {
        let doing = || format!("starting {}", self.server);
        let log = File::options().create(true).append(true).open(&self.log).doing(doing())?;
        let from = log.metadata().doing(doing())?.len();
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(log.try_clone().doing(doing())?).stderr(log);
        let mut child = spawn(command).doing(doing())?;
        let begun = Instant::now();
        loop {
            if self.printed(from).contains(self.ready) {
                return Ok(child);
            }
            let what = match child.try_wait().doing(doing())? {
                Some(status) => format!("ended with {status}"),
                None if begun.elapsed() > LIMIT => {
                    format!("was not ready after {} s", LIMIT.as_secs())
                }
                None => {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                }
            };
            let _ = child.kill();
            let _ = child.wait();
            let printed = self.printed(from);
            let lines: Vec<&str> = printed.lines().collect();
            let end = lines[lines.len().saturating_sub(20)..].join("\n");
            return Err(StartError::NotReady {
                server: self.server,
                what,
                log: self.log.clone(),
                end,
            });
        }
    }

    /// With the signal for the end of this process, so that a killed process leaves no server behind.
    fn command(&self) -> Command {
        let setpriv = Path::new("/usr/bin/setpriv");
        let mut command = if setpriv.is_file() {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", self.end, "--"]).arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command.args(&self.arguments).current_dir("/");
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    fn printed(&self, from: u64) -> String {
        let read = || {
            let mut log = File::open(&self.log)?;
            log.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            log.read_to_end(&mut bytes)?;
            std::io::Result::Ok(bytes)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }
}

type Started = std::io::Result<Child>;

/// Starts a process on a thread that lives as long as this process: the signal of `--pdeathsig` comes at the
/// end of the *thread* that started it, and the thread of a test ends with the test.
fn spawn(command: Command) -> Started {
    static SPAWNER: OnceLock<Sender<(Command, Sender<Started>)>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, receiver) = channel::<(Command, Sender<Started>)>();
        std::thread::spawn(move || {
            for (mut command, answer) in receiver {
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let (answer, started) = channel();
    let gone = || std::io::Error::other("the thread that starts servers is gone");
    spawner.send((command, answer)).map_err(|_| gone())?;
    started.recv().map_err(|_| gone())?
}
