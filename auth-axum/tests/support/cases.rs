//! What every adapter must do. The tests of an adapter include this file beside a `serve()` that starts
//! its application, and a `serve_admin()` that starts one with the admin routes alone.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{serve, serve_admin};

fn client() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

fn request(method: Method, server: SocketAddr, path: &str) -> RequestBuilder {
    client().request(method, format!("http://{server}{path}"))
}

async fn get(path: &str, headers: &[(&str, &str)]) -> Response {
    let request = request(Method::GET, serve().await, path);
    headers.iter().fold(request, |r, (name, value)| r.header(*name, *value)).send().await.unwrap()
}

async fn post(path: &str) -> Response {
    request(Method::POST, serve().await, path).send().await.unwrap()
}

/// Sends bytes as they are and reads until the server closes.
async fn exchange(server: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn shown(target: &str) -> Value {
    let request = format!("GET {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    let answer = exchange(serve().await, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{target}: {answer}");
    let json = answer.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str(&json[json.find('{').unwrap()..=json.rfind('}').unwrap()]).unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

// --- mount

#[tokio::test]
async fn a_request_reaches_the_route_of_its_method_and_path() {
    let server = serve().await;
    for method in [Method::GET, Method::DELETE] {
        let response = request(method.clone(), server, "/show").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let shown: Value = response.json().await.unwrap();
        assert_eq!((&shown["method"], &shown["path"]), (&json!(method.as_str()), &json!("/show")));
    }
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let server = serve().await;
    for path in ["/nothing", "/show/", "/show/more", "/sh%6Fw", "//show", "/SHOW"] {
        let response = request(Method::GET, server, path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn another_method_is_405_with_those_allowed() {
    let server = serve().await;
    for method in ["POST", "PATCH", "OPTIONS", "PROPFIND"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let response = request(method.clone(), server, "/show").send().await.unwrap();
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(header(&response, "allow"), "GET, DELETE");
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let server = serve().await;
    let response = request(Method::HEAD, server, "/cookies").send().await.unwrap();
    assert_eq!(response.status(), 418);
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 3);
    let head = b"HEAD /sized HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    let answer = exchange(server, head).await.to_lowercase();
    assert_eq!(answer.matches("content-length").count(), 1, "{answer}");
    assert!(
        answer.contains("\r\ncontent-length: 5\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_path_is_literal() {
    assert_eq!(shown("/odd/{id}/:id/*").await["path"], "/odd/{id}/:id/*");
    for path in ["/odd/1/:id/*", "/odd/{id}/1/*", "/odd/{id}/:id/more", "/odd/{id}/:id/"] {
        let target = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        let answer = exchange(serve().await, target.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(!answer.contains("nothing here"), "{path} is the application's, not the engine's");
    }
}

#[tokio::test]
async fn admin_routes_are_mounted_apart() {
    let (public, admin) = (serve().await, serve_admin().await);
    let get = async |server, path| request(Method::GET, server, path).send().await.unwrap();
    assert_eq!(get(public, "/admin/health").await.status(), 404);
    assert_eq!(get(admin, "/show").await.status(), 404);
    assert_eq!(get(admin, "/admin/health").await.text().await.unwrap(), "health");
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let server = serve().await;
    let send = async |method, length| {
        let body = vec![b'x'; length];
        request(method, server, "/small").body(body).send().await.unwrap()
    };
    assert_eq!(send(Method::POST, 16).await.text().await.unwrap(), "16");
    assert_eq!(send(Method::POST, 17).await.status(), 413);
    assert_eq!(send(Method::PUT, 64).await.text().await.unwrap(), "64");
    assert_eq!(send(Method::PUT, 65).await.status(), 413);
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read_to_its_end() {
    // One chunk over the limit, and the end never comes.
    let head = "PUT /small HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    let request = format!("{head}41\r\n{}\r\n", "x".repeat(65));
    let mut stream = TcpStream::connect(serve().await).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_483_a_body_that_comes_too_slowly_is_408() {
    let server = serve().await;
    let head = |length| {
        format!("POST /slow HTTP/1.1\r\nHost: a.example\r\nContent-Length: {length}\r\n\r\n")
    };
    let good = request(Method::POST, server, "/slow").body("abc").send().await.unwrap();
    assert_eq!(good.status(), 200);
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(head(100).as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let drip = tokio::spawn(async move {
        // A byte now and then keeps it alive for whoever waits for silence.
        while writer.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(10), reader.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(read.is_ok(), "the connection is closed: {answer}");
    assert!(answer.starts_with("http/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    timeout(Duration::from_secs(10), drip).await.expect("nobody takes more").unwrap();
}

#[tokio::test]
async fn a_binary_body_stays_as_it_is() {
    let bytes: Vec<u8> = (0..=255).cycle().take(60_000).collect();
    let request = request(Method::POST, serve().await, "/mirror").body(bytes.clone());
    assert_eq!(request.send().await.unwrap().bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn a_chunked_body_arrives_whole() {
    let head = "POST /mirror HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n";
    let request =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    let answer = exchange(serve().await, request.as_bytes()).await;
    assert!(answer.ends_with("\r\n\r\nabcdefg"), "{answer}");
}

#[tokio::test]
async fn a_query_stays_as_it_is() {
    let queries = [
        "",
        "a=%2f%2F&b=+%20&c=%zz",
        "redirect_uri=https://a/?x=1",
        "a='|{}^`;,&&=&x%00",
        "%F0%9F=%",
    ];
    for query in queries {
        assert_eq!(shown(&format!("/show?{query}")).await["query"], query);
    }
    assert_eq!(shown("/show").await["query"], Value::Null);
}

#[tokio::test]
async fn headers_reach_the_engine() {
    let head =
        "GET /show HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nCookie: a=1; b=\"2\"\r\n";
    let mut request = head.as_bytes().to_vec();
    request
        .extend(b"Authorization: Basic YTpi\r\nX-Twice: 1\r\nX-TWICE: 2\r\nX-Latin1: \xe9\r\n\r\n");
    let answer = exchange(serve().await, &request).await;
    let json = &answer[answer.find('{').unwrap()..=answer.rfind('}').unwrap()];
    let headers = serde_json::from_str::<Value>(json).unwrap()["headers"].take();
    let all = |name: &str| -> Vec<Value> {
        let headers = headers.as_array().unwrap().iter();
        headers.filter(|header| header[0] == name).map(|header| header[1].clone()).collect()
    };
    assert_eq!(all("cookie"), [json!(b"a=1; b=\"2\"")]);
    assert_eq!(all("authorization"), [json!(b"Basic YTpi")]);
    assert_eq!(all("x-twice"), [json!(b"1"), json!(b"2")]);
    assert_eq!(all("x-latin1"), [json!(b"\xe9")]);
    assert_eq!(all("host"), [json!(b"a.example")]);
}

#[tokio::test]
async fn headers_of_the_engine_reach_the_client() {
    let response = get("/cookies", &[]).await;
    assert_eq!(response.status(), 418);
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Path=/; HttpOnly", "b=2; Max-Age=0", "a=3; Path=/x"]);
    assert_eq!(response.headers()["x-latin1"].as_bytes(), b"caf\xe9");
    assert!(!response.headers().contains_key("content-type"));
    assert_eq!(header(&response, "content-length"), "0");
}

#[tokio::test]
async fn the_engine_learns_the_address_of_the_peer() {
    assert_eq!(shown("/show").await["peer"], "127.0.0.1");
}

// --- extractors

const READER: (&str, &str) = ("authorization", "Bearer reader");
const ALICE: (&str, &str) = ("cookie", "s=alice");

#[tokio::test]
async fn h_08_a_bearer_token_comes_before_the_session() {
    for (headers, me) in [
        (&[READER][..], "shop by BearerToken"),
        (&[ALICE], "alice by Session"),
        (&[READER, ALICE], "shop by BearerToken"),
    ] {
        for path in ["/me", "/me/maybe"] {
            assert_eq!(get(path, headers).await.text().await.unwrap(), me, "{path}");
        }
    }
}

#[tokio::test]
async fn h_08_without_credentials_it_is_401() {
    for path in ["/me", "/token", "/session"] {
        let response = get(path, &[("cookie", "s=nobody")]).await;
        assert_eq!(response.status(), 401, "{path}");
        assert_eq!(header(&response, "www-authenticate"), "Bearer");
        assert_eq!(response.json::<Value>().await.unwrap()["error"], "unauthorized");
    }
}

#[tokio::test]
async fn without_credentials_an_option_is_none() {
    for path in ["/me/maybe", "/token/maybe", "/session/maybe"] {
        let response = get(path, &[]).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.text().await.unwrap(), "nobody");
    }
}

#[tokio::test]
async fn h_08_an_invalid_bearer_token_never_falls_back() {
    for value in
        ["Bearer revoked", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer \u{e9}"]
    {
        for path in ["/me", "/me/maybe", "/token", "/token/maybe", "/orders"] {
            let response = get(path, &[("authorization", value), ALICE]).await;
            assert_eq!(response.status(), 401, "{path} {value}");
            let challenge = header(&response, "www-authenticate");
            assert!(challenge.starts_with(r#"Bearer error="invalid_token""#), "{challenge}");
            assert_eq!(response.json::<Value>().await.unwrap()["error"], "invalid_token");
        }
    }
    let twice = [("authorization", "Bearer reader"), ("authorization", "Bearer reader"), ALICE];
    assert_eq!(get("/me/maybe", &twice).await.status(), 401);
}

#[tokio::test]
async fn h_08_a_store_that_is_away_is_503() {
    let (token, session) = (("authorization", "Bearer away"), ("cookie", "s=away"));
    for (path, credentials) in [
        ("/me", token),
        ("/me", session),
        ("/me/maybe", token),
        ("/me/maybe", session),
        ("/token", token),
        ("/token/maybe", token),
        ("/session", session),
        ("/session/maybe", session),
        ("/orders", token),
        ("/orders", session),
    ] {
        let response = get(path, &[credentials]).await;
        assert_eq!(response.status(), 503, "{path} {credentials:?}");
        assert_eq!(header(&response, "retry-after"), "1");
        assert!(!response.text().await.unwrap().contains("cable"));
    }
}

#[tokio::test]
async fn a_bearer_token_is_no_session_and_a_session_no_bearer_token() {
    assert_eq!(get("/token", &[READER]).await.text().await.unwrap(), "shop by BearerToken");
    assert_eq!(get("/token", &[ALICE]).await.status(), 401);
    assert_eq!(get("/session", &[ALICE]).await.text().await.unwrap(), "alice");
    assert_eq!(get("/session/maybe", &[ALICE]).await.text().await.unwrap(), "alice");
    assert_eq!(get("/session", &[READER]).await.status(), 401);
}

#[tokio::test]
async fn h_08_a_required_scope_must_be_in_the_token() {
    assert_eq!(get("/orders", &[READER]).await.text().await.unwrap(), "all of them");
    assert_eq!(get("/orders", &[]).await.status(), 401);
    for credentials in [("authorization", "Bearer plain"), ALICE] {
        let response = get("/orders", &[credentials]).await;
        assert_eq!(response.status(), 403, "{credentials:?}");
        let challenge = r#"Bearer error="insufficient_scope", scope="orders:read""#;
        assert_eq!(header(&response, "www-authenticate"), challenge);
        assert_eq!(response.json::<Value>().await.unwrap()["error"], "insufficient_scope");
    }
}

#[tokio::test]
async fn a_missing_layer_is_500() {
    for path in ["/bare/me", "/bare/orders", "/bare/login?login_challenge=login"] {
        let response = get(path, &[READER]).await;
        assert_eq!(response.status(), 500, "{path}");
        assert_eq!(response.text().await.unwrap(), "this application is not set up\n");
    }
}

// --- challenges

async fn redirected(path: &str) -> String {
    let response = post(path).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
    assert_eq!(header(&response, "cache-control"), "no-store");
    header(&response, "location").to_owned()
}

#[tokio::test]
async fn a_challenge_shows_its_question() {
    let page = get("/login?lang=en&login_challenge=login", &[]).await;
    assert_eq!(page.text().await.unwrap(), "The Shop");
}

#[tokio::test]
async fn a_challenge_is_accepted() {
    assert_eq!(
        redirected("/login?login_challenge=login").await,
        r#"https://op.example/accepted/login?["alice",["pwd","otp"],"aal2",true,60,{"via":"form"}]"#
    );
    assert_eq!(
        redirected("/login/continue?login_challenge=login").await,
        r#"https://op.example/accepted/login?["alice","continued"]"#
    );
    assert_eq!(
        redirected("/consent?consent_challenge=consent").await,
        r#"https://op.example/accepted/consent?["openid email",true,60,{"team":"blue"},{"plan":2}]"#
    );
    assert_eq!(
        redirected("/logout?logout_challenge=logout").await,
        "https://op.example/accepted/logout?[]"
    );
}

#[tokio::test]
async fn a_challenge_is_rejected() {
    for kind in ["login", "consent", "logout"] {
        assert_eq!(
            redirected(&format!("/{kind}/reject?{kind}_challenge={kind}")).await,
            format!(r#"https://op.example/rejected/{kind}?["access_denied","not today"]"#)
        );
    }
}

#[tokio::test]
async fn a_challenge_that_cannot_be_settled_says_why() {
    for (path, status, error) in [
        ("/login", 400, "no_challenge"),
        ("/login?login_challenge=", 400, "no_challenge"),
        ("/login?login_challenge=login&login_challenge=login", 400, "no_challenge"),
        ("/login?consent_challenge=consent", 400, "no_challenge"),
        ("/login?login_challenge=unknown", 404, "not_found"),
        ("/login?login_challenge=consent", 404, "not_found"),
        ("/login?login_challenge=other-key", 404, "unknown_key"),
        ("/consent?consent_challenge=expired", 410, "expired"),
        ("/logout?logout_challenge=used", 410, "used"),
        ("/login/mallory?login_challenge=login", 400, "unfit"),
        ("/login?login_challenge=away", 503, "temporarily_unavailable"),
    ] {
        let response = post(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "retry-after"), if status == 503 { "1" } else { "" });
        let body = response.json::<Value>().await.unwrap();
        assert_eq!(body["error"], error, "{path}");
        assert!(!body["error_description"].as_str().unwrap().contains("cable"));
    }
}
