//! What is looked at before a server is used.

use std::collections::HashMap;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use crate::address::Address;
use crate::cluster::Cluster;
use crate::connect::Connecting;
use crate::error::OpenError;
use crate::failure::{ConnectError, Failure};
use crate::link::Link;
use crate::names::Names;
use crate::options::{Durability, RedisOptions};
use crate::reply;
use crate::server::Server;
use crate::store::RedisStore;
use crate::tls;

/// The layout that this version reads and writes. A version that keeps data otherwise counts it up.
const LAYOUT: &str = "1";

pub(crate) async fn open(options: RedisOptions) -> Result<RedisStore, OpenError> {
    let names = Names::new(&options.namespace)
        .ok_or_else(|| OpenError::InvalidNamespace { name: options.namespace.clone() })?;
    let connecting = Connecting {
        connect_timeout: options.connect_timeout,
        response_timeout: options.response_timeout,
        tls: tls::connector(options.root_certificates.as_deref())?,
        insecure_plaintext: options.insecure_plaintext,
    };
    let (link, facts) = first(&options.addresses, &connecting).await?;
    let server = if facts.is("redis_mode", "cluster") {
        Server::Cluster(open_cluster(&options, connecting).await?)
    } else if options.addresses.len() > 1 {
        return Err(OpenError::NotACluster { address: link.address().to_string() });
    } else {
        check(&link, &facts, options.durability).await?;
        Server::Single(link)
    };
    check_layout(&server, &names, &options.addresses[0]).await?;
    Ok(RedisStore::new(server, names, options.durability))
}

/// The first server that answers, and what it tells.
async fn first(addresses: &[Address], connecting: &Connecting) -> Result<(Link, Facts), OpenError> {
    let mut last = OpenError::NoUrl;
    for address in addresses {
        let link = Link::new(address.clone(), connecting.clone());
        match Facts::of(&link).await {
            Ok(facts) => return Ok((link, facts)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn open_cluster(
    options: &RedisOptions,
    connecting: Connecting,
) -> Result<Cluster, OpenError> {
    let seed = &options.addresses[0];
    if let Some(other) = options.addresses.iter().find(|address| address.database != 0) {
        let address = other.to_string();
        return Err(OpenError::Database { address, database: other.database });
    }
    let cluster = Cluster::new(options.addresses.clone(), connecting);
    cluster.refresh(0).await.map_err(|failure| refused(seed, "CLUSTER SLOTS", failure))?;
    let missing = cluster.missing();
    if missing > 0 {
        return Err(OpenError::ClusterIncomplete { missing, shell: seed.shell() });
    }
    for master in cluster.masters() {
        let facts = Facts::of(&master).await?;
        check(&master, &facts, options.durability).await?;
    }
    Ok(cluster)
}

/// What a server tells of itself by `INFO`.
struct Facts(HashMap<String, String>);

impl Facts {
    async fn of(link: &Link) -> Result<Self, OpenError> {
        let answer = link.send(&redis::cmd("INFO")).await;
        let text = answer
            .map_err(|failure| refused(link.address(), "INFO", failure))
            .and_then(|answer| text(link.address(), answer))?;
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        Ok(Self(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == Some(value)
    }
}

/// Whether a master keeps what is promised.
async fn check(link: &Link, facts: &Facts, durability: Durability) -> Result<(), OpenError> {
    let address = link.address().to_string();
    let version = facts.get("redis_version").unwrap_or_default();
    let major: u32 = version.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    if major < 7 {
        return Err(OpenError::TooOld { address, found: version.to_owned() });
    }
    if facts.is("loading", "1") {
        return Err(OpenError::Loading { address });
    }
    if !facts.is("role", "master") {
        return Err(OpenError::Replica { address });
    }
    let needed: &[(&str, &str)] = match durability {
        Durability::Acknowledged => &[
            ("maxmemory-policy", "noeviction"),
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("no-appendfsync-on-rewrite", "no"),
        ],
        Durability::SideOnly => &[("maxmemory-policy", "noeviction")],
        Durability::Volatile => &[],
    };
    if needed.is_empty() {
        return Ok(());
    }
    let settings = Settings::of(link, facts).await?;
    for (setting, needed) in needed {
        let address = address.clone();
        match settings.found.get(*setting) {
            Some(found) if found == needed => {}
            Some(found) => {
                return Err(OpenError::Setting {
                    address,
                    setting,
                    found: found.clone(),
                    needed,
                    remedy: format!("{} config set {setting} {needed}", link.address().shell()),
                });
            }
            None => {
                let source = settings.refused.map(Into::into);
                return Err(OpenError::SettingUnreadable { address, setting, source });
            }
        }
    }
    Ok(())
}

/// What a server is set to, as far as it tells.
struct Settings {
    found: HashMap<&'static str, String>,
    /// Why it does not tell all.
    refused: Option<RedisError>,
}

impl Settings {
    async fn of(link: &Link, facts: &Facts) -> Result<Self, OpenError> {
        let names = ["maxmemory-policy", "appendonly", "appendfsync", "no-appendfsync-on-rewrite"];
        let answer = link.send(redis::cmd("CONFIG").arg("GET").arg(&names[..])).await;
        match answer {
            Ok(answer) => {
                let told: HashMap<String, String> = redis::from_redis_value(answer)
                    .map_err(|error| failed(link.address(), error))?;
                let found = names.iter().filter_map(|name| Some((*name, told.get(*name)?.clone())));
                Ok(Self { found: found.collect(), refused: None })
            }
            // Without CONFIG the server still tells two of them.
            Err(Failure::Refused(refused)) => {
                let mut found = HashMap::new();
                if let Some(policy) = facts.get("maxmemory_policy") {
                    found.insert("maxmemory-policy", policy.to_owned());
                }
                if let Some(on) = facts.get("aof_enabled") {
                    found.insert("appendonly", if on == "1" { "yes" } else { "no" }.to_owned());
                }
                Ok(Self { found, refused: Some(refused) })
            }
            Err(failure) => Err(refused(link.address(), "CONFIG GET", failure)),
        }
    }
}

/// Whether the namespace is of this version; a new one is made so.
async fn check_layout(server: &Server, names: &Names, address: &Address) -> Result<(), OpenError> {
    let key = names.layout();
    let run = async |command: &'static str, cmd: &Cmd| {
        let answer = server.send(key.as_bytes(), cmd).await;
        answer.map_err(|failure| refused(address, command, failure))
    };
    let mut found = run("GET", redis::cmd("GET").arg(&key)).await?;
    if found == Value::Nil {
        run("SET", redis::cmd("SET").arg(&key).arg(LAYOUT).arg("NX")).await?;
        found = run("GET", redis::cmd("GET").arg(&key)).await?;
    }
    let found = text(address, found)?;
    if found == LAYOUT {
        return Ok(());
    }
    let namespace = names.namespace().to_owned();
    Err(OpenError::OtherLayout { namespace, found, known: LAYOUT })
}

fn text(address: &Address, answer: Value) -> Result<String, OpenError> {
    reply::text(answer).map_err(|damage| failed(address, damage))
}

fn failed(address: &Address, source: impl std::error::Error + Send + Sync + 'static) -> OpenError {
    OpenError::Failed { address: address.to_string(), source: Box::new(source) }
}

/// What a failure means while a store is being opened.
fn refused(at: &Address, command: &'static str, failure: Failure) -> OpenError {
    let address = at.to_string();
    let error = match failure {
        Failure::NotSent(error) => {
            return match &*error {
                ConnectError::Greeting(greeting) => answered(at, "AUTH", greeting.clone()),
                ConnectError::Plaintext => OpenError::Plaintext { address },
                ConnectError::Tls(_) => OpenError::Tls { address, source: error.into() },
                _ => OpenError::Unreachable { address, source: error.into() },
            };
        }
        Failure::Refused(error) => error,
        Failure::Cut(error) => {
            return OpenError::Unreachable { address, source: error.into() };
        }
    };
    answered(at, command, error)
}

fn answered(at: &Address, command: &'static str, error: RedisError) -> OpenError {
    let address = at.to_string();
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            OpenError::Denied { address, source: error.into() }
        }
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => OpenError::Loading { address },
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => {
            OpenError::NotPermitted { address, command, source: error.into() }
        }
        // The connection was closed during the greeting: no Redis, or one that wants TLS.
        (ErrorKind::Io | ErrorKind::Parse, _) => {
            OpenError::Unreachable { address, source: error.into() }
        }
        // What the driver makes of a SELECT that was refused.
        _ if at.database != 0 && error.to_string().contains("switch database") => {
            OpenError::Database { address, database: at.database }
        }
        _ => OpenError::Failed { address, source: error.into() },
    }
}
