//! [`Footprint`]: what a server takes besides CPU time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::call;
use crate::caller::{Caller, Site};
use crate::keys::Keys;
use crate::operation::Operation;
use crate::peer;
use crate::scene::Failure;
use crate::scene::folder::Folder;
use crate::served::cpu::median;

/// How often a server is started; the median counts.
const STARTS: usize = 7;
/// How long it is left alone before it is idle.
const REST: Duration = Duration::from_secs(2);
/// What loads it: so many times somebody signs in and consents, and so many times comes back.
const FLOWS: usize = 320;
const WITH_SESSION: usize = 3_200;
/// Callers at once: they are one person, whose sign-ins and consents stand in each other's way if they are more.
const CALLERS: usize = 4;

/// Of one server, as its users start it.
pub(crate) struct Footprint {
    pub(crate) name: String,
    /// From nothing, with the sources there, and the program that comes of it; of what is compiled.
    pub(crate) built: Option<Built>,
    /// From its start to the first answer.
    pub(crate) start: Duration,
    /// Resident memory, in bytes, once it has started.
    pub(crate) idle: u64,
    /// The most that there was while it was loaded.
    pub(crate) loaded: u64,
}

pub(crate) struct Built {
    pub(crate) took: Duration,
    /// In bytes.
    pub(crate) size: u64,
}

/// Of the quickstart, and of the peer; nothing if no quickstart is named.
pub(crate) fn both(keys: &Keys) -> Result<Vec<Footprint>, Failure> {
    let Some(program) = std::env::var_os("AUTH_BENCH_QUICKSTART").map(PathBuf::from) else {
        eprintln!("AUTH_BENCH_QUICKSTART is not set, `cargo xtask bench` sets it: no footprints");
        return Ok(Vec::new());
    };
    let took: f64 = std::env::var("AUTH_BENCH_QUICKSTART_BUILD")?.parse()?;
    let built =
        Built { took: Duration::from_secs_f64(took), size: std::fs::metadata(&program)?.len() };
    let folder = Folder::new("bench-quickstart")?;
    let quickstart = |address: SocketAddr| {
        let mut command = Command::new(&program);
        command.current_dir(folder.file("")).env("PORT", address.port().to_string());
        let callback = format!("http://{address}/callback");
        Ok((command, Site::ours([address; 3], "demo", callback)))
    };
    let ours = measure("quickstart".to_owned(), Some(built), quickstart)?;
    let name = format!("oidc-provider {}", peer::version()?);
    let peer =
        measure(name, None, |address| Ok((peer::command(keys, address)?, peer::site(address))));
    Ok(vec![ours, peer?])
}

fn measure(
    name: String,
    built: Option<Built>,
    server: impl Fn(SocketAddr) -> Result<(Command, Site), Failure>,
) -> Result<Footprint, Failure> {
    let mut starts = Vec::new();
    // The first one makes its database and its keys.
    for _ in 0..STARTS {
        starts.push(Running::start(&server)?.took.as_secs_f64());
    }
    let start = Duration::from_secs_f64(median(starts.into_iter()));
    let running = Running::start(&server)?;
    std::thread::sleep(REST);
    let idle = running.memory("VmRSS")?;
    let mut callers: Vec<Caller> =
        (0..CALLERS).map(|_| Caller::connected(&running.site)).collect::<Result<_, _>>()?;
    call(Operation::Flow, &mut callers, FLOWS)?;
    call(Operation::FlowWithSession, &mut callers, WITH_SESSION)?;
    let loaded = running.memory("VmHWM")?;
    let footprint = Footprint { name, built, start, idle, loaded };
    eprintln!("{footprint}");
    Ok(footprint)
}

/// A server of its own process, which ends with the value.
struct Running {
    process: Child,
    site: Site,
    /// Until it answered.
    took: Duration,
}

impl Running {
    fn start(
        server: impl Fn(SocketAddr) -> Result<(Command, Site), Failure>,
    ) -> Result<Self, Failure> {
        let address = testbed::free_address()?;
        let (mut command, site) = server(address)?;
        let begun = Instant::now();
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut running = Self { process, site, took: Duration::ZERO };
        while answer(address).is_err() {
            if let Some(status) = running.process.try_wait()? {
                return Err(format!("a server that was started ended with {status}").into());
            }
            if begun.elapsed() > Duration::from_secs(30) {
                return Err("a server that was started does not answer".into());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        running.took = begun.elapsed();
        Ok(running)
    }

    /// A line of what the kernel says of the process, in bytes.
    fn memory(&self, name: &str) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.ok_or("the kernel says nothing of the memory")?.parse::<u64>()? << 10)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// That it answers where its metadata are.
fn answer(address: SocketAddr) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let path = "/.well-known/openid-configuration";
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    match &line {
        b"HTTP/1.1 200" => Ok(()),
        _ => Err("a server answers by something else than its metadata".into()),
    }
}
