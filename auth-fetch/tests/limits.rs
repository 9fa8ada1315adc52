//! What servers that mean ill get from the client.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod server;

use std::time::{Duration, Instant};

use auth_core::{FetchError, HttpClient};
use auth_fetch::{SafeHttpClient, SafeHttpClientBuilder};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use server::{Says, Server, ok};

/// Which may talk to this machine.
fn open() -> SafeHttpClientBuilder {
    SafeHttpClient::builder().insecure_private_networks().insecure_plaintext()
}

async fn get(client: &SafeHttpClient, url: &str) -> Result<Response<Bytes>, FetchError> {
    client.send(Request::get(url).body(Bytes::new()).unwrap()).await
}

#[tokio::test]
async fn a_request_arrives_and_its_answer_comes_back() {
    let server = Server::start(ok("{\"a\":1}")).await;
    let client = open().build().unwrap();
    let request = Request::builder()
        .method(Method::POST)
        .uri(server.url())
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Bytes::from_static(b"hello"))
        .unwrap();
    let answer = client.send(request).await.unwrap();
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, &b"{\"a\":1}"[..]));
    let request = server.requests().remove(0);
    assert!(
        request.starts_with("POST /here HTTP/1.1\r\n") && request.ends_with("\r\n\r\nhello"),
        "{request}"
    );
    assert!(request.contains("content-type: text/plain\r\n"), "{request}");
    assert!(!request.contains("cookie") && !request.contains("referer"), "{request}");
}

#[tokio::test]
async fn a_132_hosts_that_are_not_public_are_not_connected_to() {
    let server = Server::start(ok("secret")).await;
    assert!(get(&open().build().unwrap(), &server.url()).await.is_ok());
    let port = server.address.port();
    let plain = SafeHttpClient::builder().insecure_plaintext().build().unwrap();
    for host in
        ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0", "localhost."]
    {
        let answer = get(&plain, &format!("http://{host}:{port}/")).await;
        assert!(matches!(answer, Err(FetchError::Forbidden(_))), "{host}: {answer:?}");
    }
    let secure = SafeHttpClient::builder().insecure_private_networks().build().unwrap();
    let answer = get(&secure, &server.url()).await;
    assert!(matches!(answer, Err(FetchError::Forbidden(_))), "{answer:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_129_a_redirect_is_an_answer_like_any_other() {
    let inside = Server::start(ok("secret")).await;
    let outside = Server::start(Says::Text(format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        inside.url()
    )))
    .await;
    let answer = get(&open().build().unwrap(), &outside.url()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!((outside.connections(), inside.connections()), (1, 0));
}

#[tokio::test]
async fn a_134_an_answer_that_never_ends_is_given_up() {
    let client = open().time_limit(Duration::from_millis(400)).build().unwrap();
    for says in [Says::Silence, Says::Drips(Duration::from_millis(20))] {
        let server = Server::start(says).await;
        let begun = Instant::now();
        let answer = get(&client, &server.url()).await;
        assert!(matches!(answer, Err(FetchError::Late)), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
    let server = Server::start(Says::Floods).await;
    let client = open().size_limit(100_000).build().unwrap();
    let answer = get(&client, &server.url()).await;
    assert!(matches!(answer, Err(FetchError::TooLarge { limit: 100_000 })), "{answer:?}");
}

#[tokio::test]
async fn compression_is_neither_asked_for_nor_undone() {
    let bomb = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc";
    let server = Server::start(Says::Text(bomb.to_owned())).await;
    let answer = get(&open().build().unwrap(), &server.url()).await.unwrap();
    assert_eq!(&answer.body()[..], b"abc");
    assert!(!server.requests()[0].contains("accept-encoding"));
}

#[tokio::test]
async fn a_host_that_hangs_leaves_room_for_others() {
    let (hangs, answers) = (Server::start(Says::Silence).await, Server::start(ok("here")).await);
    let client = open().time_limit(Duration::from_millis(500)).at_once(3).build().unwrap();
    let client = std::sync::Arc::new(client);
    let many: Vec<_> = (0..12)
        .map(|_| {
            let (client, url) = (client.clone(), hangs.url());
            tokio::spawn(async move { get(&client, &url).await })
        })
        .collect();
    while hangs.connections() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    // By a name of its own: the same address, and another host.
    let url = answers.url().replace("127.0.0.1", "localhost");
    assert_eq!(&get(&client, &url).await.unwrap().body()[..], b"here");
    assert!(begun.elapsed() < Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(hangs.most_at_once(), 2);
    for call in many {
        assert!(matches!(call.await.unwrap(), Err(FetchError::Late)));
    }
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_permitted() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let server = Server::start(Says::Later(Duration::from_millis(50), answer.to_owned())).await;
    let client = std::sync::Arc::new(open().at_once(2).build().unwrap());
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let (client, url) = (client.clone(), server.url());
            tokio::spawn(async move { get(&client, &url).await.unwrap() })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!((server.connections(), server.most_at_once()), (6, 2));
}
