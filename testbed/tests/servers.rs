//! The servers start, stop, survive and leave nothing behind. Each test needs its programs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use testbed::{Nginx, PgBouncer, Postgres, Program, Redis, RedisCluster, component};

fn psql(url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new("psql").args([url, "-X", "-At", "-c", sql]).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn postgres_keeps_what_was_committed_through_a_restart_and_a_kill() {
    if component("testbed: postgres", "AUTH_TEST_POSTGRES").is_none() {
        return;
    }
    let mut postgres = Postgres::start().unwrap();
    let url = postgres.url().to_owned();
    psql(&url, "CREATE TABLE kept AS SELECT 1 AS n").unwrap();
    postgres.restart().unwrap();
    assert_eq!(psql(&url, "SELECT n FROM kept").unwrap(), "1");
    psql(&url, "UPDATE kept SET n = 2").unwrap();
    postgres.kill().unwrap();
    assert!(psql(&url, "SELECT n FROM kept").is_err());
    postgres.start_again().unwrap();
    assert_eq!(psql(&url, "SELECT n FROM kept").unwrap(), "2");
    assert_eq!(psql(&url, "SHOW fsync").unwrap(), "on");
    assert_eq!(psql(&url, "SHOW max_connections").unwrap(), "200");

    let (pid, folder) = (postgres.pid().unwrap(), postgres.folder().to_owned());
    assert!(folder.exists());
    drop(postgres);
    assert!(is_gone(pid));
    assert!(!folder.exists());
}

#[test]
fn postgres_takes_settings_and_a_password() {
    if component("testbed: settings of postgres", "AUTH_TEST_POSTGRES").is_none() {
        return;
    }
    let postgres = Postgres::setup().fsync(false).password("secret").start().unwrap();
    assert_eq!(psql(postgres.url(), "SHOW fsync").unwrap(), "off");
    let wrong = postgres.url().replace(":secret@", ":wrong@");
    assert!(psql(&wrong, "SELECT 1").unwrap_err().contains("password authentication failed"));
}

#[test]
fn a_server_that_does_not_start_shows_its_log() {
    if component("testbed: log", "AUTH_TEST_POSTGRES").is_none() {
        return;
    }
    let refused = Postgres::setup().setting("wal_level", "nonsense").start().unwrap_err();
    assert!(refused.to_string().contains("invalid value for parameter \"wal_level\""), "{refused}");
}

#[test]
fn pgbouncer_hands_transactions_on() {
    if component("testbed: pgbouncer", "AUTH_TEST_POSTGRES").is_none()
        || component("testbed: pgbouncer", "AUTH_TEST_PGBOUNCER").is_none()
    {
        return;
    }
    let postgres = Postgres::setup().fsync(false).password("secret").start().unwrap();
    let bouncer = PgBouncer::start(postgres.url()).unwrap();
    assert_eq!(psql(bouncer.url(), "SELECT current_user").unwrap(), "postgres");
    let client = psql(bouncer.url(), "SELECT inet_server_port()").unwrap();
    assert_eq!(client, postgres.address().port().to_string());
}

#[test]
fn redis_keeps_what_was_acknowledged_through_a_kill() {
    if component("testbed: redis", "AUTH_TEST_REDIS_SERVER").is_none() {
        return;
    }
    let mut redis = Redis::start().unwrap();
    assert_eq!(redis.command("SET key value").unwrap(), "+OK");
    redis.kill().unwrap();
    redis.command("GET key").unwrap_err();
    redis.start_again().unwrap();
    assert_eq!(redis.command("GET key").unwrap(), "value");
    redis.restart().unwrap();
    assert_eq!(redis.command("GET key").unwrap(), "value");
    let pid = redis.pid().unwrap();
    drop(redis);
    assert!(is_gone(pid));
}

#[test]
fn a_cluster_shares_the_slots() {
    if component("testbed: cluster", "AUTH_TEST_REDIS_SERVER").is_none() {
        return;
    }
    let cluster = RedisCluster::start().unwrap();
    let answers: Vec<_> =
        cluster.masters().iter().map(|master| master.command("SET key value")).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert_eq!(cluster.url().split(',').count(), 3);
}

/// Answers every request with `name`, and closes.
fn upstream(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            let seen = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let host = seen.lines().find(|line| line.starts_with("x-forwarded-host: "));
            let body = format!("{name} {}", host.unwrap_or("no host"));
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    address
}

fn ask(nginx: &Nginx, method: &str) -> String {
    let mut stream = TcpStream::connect(nginx.address()).unwrap();
    let request = format!(
        "{method} / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn nginx_takes_turns_and_repeats_nothing_unless_told_to() {
    if component("testbed: nginx", "AUTH_TEST_NGINX").is_none() {
        return;
    }
    let (one, two) = (upstream("one"), upstream("two"));
    let nginx = Nginx::start(&[one, two]).unwrap();
    let answers = [ask(&nginx, "GET"), ask(&nginx, "GET"), ask(&nginx, "GET")];
    assert!(answers[0].ends_with("one x-forwarded-host: a.example"), "{answers:?}");
    assert!(answers[1].ends_with("two x-forwarded-host: a.example"), "{answers:?}");
    assert!(answers[2].contains("one "), "{answers:?}");

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nginx = Nginx::start(&[nobody, one]).unwrap();
    assert!(ask(&nginx, "GET").starts_with("HTTP/1.1 502"));
    assert!(ask(&nginx, "GET").starts_with("HTTP/1.1 200"));

    let nginx = Nginx::setup().retrying().start(&[nobody, one]).unwrap();
    assert!(ask(&nginx, "GET").starts_with("HTTP/1.1 200"));
    assert!(ask(&nginx, "GET").starts_with("HTTP/1.1 200"));

    nginx.reload(&[two]).unwrap();
    for _ in 0..100 {
        if ask(&nginx, "GET").contains("two ") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the new upstream is never asked");
}

#[test]
fn a_killed_process_leaves_no_server_behind() {
    const CHILD: &str = "AUTH_TESTBED_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let redis = Redis::start().unwrap();
        println!("pid {}", redis.pid().unwrap());
        std::thread::sleep(std::time::Duration::from_secs(60));
        return;
    }
    if component("testbed: death of the parent", "AUTH_TEST_REDIS_SERVER").is_none()
        || !Path::new("/usr/bin/setpriv").exists()
    {
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_leaves_no_server_behind", "--nocapture"])
        .env(CHILD, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let printed = std::io::BufReader::new(child.stdout.take().unwrap());
    let pid = std::io::BufRead::lines(printed)
        .find_map(|line| line.unwrap().strip_prefix("pid ").map(|pid| pid.parse::<u32>().unwrap()))
        .unwrap();
    assert!(!is_gone(pid));
    child.kill().unwrap();
    child.wait().unwrap();
    for _ in 0..100 {
        // Nobody reaps an orphan in some containers: a dead one counts as gone.
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the server outlives its process");
}

#[test]
fn a_missing_program_names_its_package() {
    let missing = Program {
        name: "no-such-server",
        package: "no-such-package",
        variable: "NO_SUCH_VARIABLE",
    };
    let refused = missing.find().unwrap_err().to_string();
    assert!(refused.contains("apt-get install no-such-package"), "{refused}");
}
