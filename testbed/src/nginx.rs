//! [`Nginx`]: a load balancer in front of replicas.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use crate::account::Account;
use crate::error::{Doing, StartError};
use crate::folder::Folder;
use crate::launch::Launch;
use crate::port;
use crate::program::Program;
use crate::service::Service;

/// An nginx that hands requests to its upstreams in turn.
///
/// It keeps connections to them open, passes `Host` on, and sets `X-Forwarded-For`, `-Host`, `-Port` and
/// `-Proto`. A request goes to one upstream and is not repeated behind the caller's back: when that one is
/// away the answer is 502.
#[derive(Debug)]
pub struct Nginx {
    service: Service,
    setup: NginxSetup,
    address: SocketAddr,
    url: String,
    folder: Folder,
}

/// What an [`Nginx`] is started with.
#[derive(Debug, Clone, Default)]
pub struct NginxSetup {
    retrying: bool,
}

impl Nginx {
    /// Starts one in front of `upstreams`.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(upstreams: &[SocketAddr]) -> Result<Self, StartError> {
        Self::setup().start(upstreams)
    }

    /// The same, to be changed before it starts.
    #[must_use]
    pub fn setup() -> NginxSetup {
        NginxSetup::default()
    }

    /// Where it is reached: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same as an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of its configuration and log (`log`).
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The upstream of each request so far, in order. A request that is under way is not among them yet.
    ///
    /// # Errors
    /// If the log of requests cannot be read.
    pub fn turns(&self) -> Result<Vec<SocketAddr>, StartError> {
        let log = std::fs::read_to_string(self.folder.file("access"));
        let log = log.doing("reading which upstream was asked")?;
        Ok(log.lines().filter_map(|line| line.split([' ', ',']).next()?.parse().ok()).collect())
    }

    /// Stands in front of other upstreams from now on, as at a rolling update: requests under way are
    /// finished where they are. New ones go to the new upstreams a moment after this returns.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn reload(&self, upstreams: &[SocketAddr]) -> Result<(), StartError> {
        self.setup.write(&self.folder, self.address, upstreams)?;
        self.service.signal("HUP")
    }

    /// Kills it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn kill(&mut self) -> Result<(), StartError> {
        self.service.kill()
    }

    /// Starts it at the same address; nothing if it runs.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start_again(&mut self) -> Result<(), StartError> {
        self.service.start_again()
    }
}

impl NginxSetup {
    /// Tries the next upstream when one cannot be reached, if the request is one that may be repeated (GET
    /// and the like, never POST), and passes over an upstream for a second after it failed.
    #[must_use]
    pub fn retrying(mut self) -> Self {
        self.retrying = true;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(self, upstreams: &[SocketAddr]) -> Result<Nginx, StartError> {
        Service::start_somewhere(|| self.start_once(upstreams))
    }

    fn start_once(&self, upstreams: &[SocketAddr]) -> Result<Nginx, StartError> {
        let program = Program::NGINX.find()?;
        let account = Account::instead_of_root("nobody")?;
        let folder = Folder::new()?;
        if let Some(account) = account {
            account.take(folder.path())?;
        }
        let address = port::free()?;
        self.write(&folder, address, upstreams)?;
        let service = Service::start(Launch {
            server: "nginx",
            program,
            arguments: vec![
                "-e".into(),
                "stderr".into(),
                "-p".into(),
                folder.path().into(),
                "-c".into(),
                folder.file(CONFIGURATION).into(),
            ],
            account,
            log: folder.file("log"),
            ready: "start worker processes",
            end: "TERM",
        })?;
        Ok(Nginx {
            service,
            setup: self.clone(),
            address,
            url: format!("http://{address}"),
            folder,
        })
    }

    fn write(
        &self,
        folder: &Folder,
        address: SocketAddr,
        upstreams: &[SocketAddr],
    ) -> Result<(), StartError> {
        std::fs::write(folder.file(CONFIGURATION), self.configuration(address, upstreams))
            .doing("writing the configuration of nginx")
    }

    /// One worker, so that the turns are exact. An idle connection is dropped before an upstream would
    /// (actix-web waits 5 s), or a request might be sent into a connection that is being closed.
    fn configuration(&self, address: SocketAddr, upstreams: &[SocketAddr]) -> String {
        let (fails, next) = if self.retrying {
            ("max_fails=1 fail_timeout=1s", "error timeout")
        } else {
            ("max_fails=0", "off")
        };
        let mut servers = String::new();
        for upstream in upstreams {
            let _ = writeln!(servers, "    server {upstream} {fails};");
        }
        format!(
            "\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events {{ worker_connections 4096; }}
http {{
  log_format turns '$upstream_addr $status $request_method $uri';
  access_log access turns;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  # The limit of the routes behind it. An upstream that refuses a body before it has read it closes the
  # connection, which nginx answers with 502: it must know the limit itself.
  client_max_body_size 64k;
  large_client_header_buffers 8 128k;
  merge_slashes off;
  upstream replicas {{
{servers}    keepalive 64;
    keepalive_timeout 2s;
  }}
  server {{
    listen {address} backlog=1024;
    location / {{
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_redirect off;
      proxy_next_upstream {next};
      proxy_set_header Connection \"\";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"
        )
    }
}

const CONFIGURATION: &str = "nginx.conf";
