//! A server that says what it is told to, byte by byte.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]
#![allow(dead_code, reason = "each test program uses some of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// What is answered.
#[derive(Clone)]
pub(crate) enum Says {
    /// This, at once.
    Text(String),
    /// This after a while.
    Later(Duration, String),
    /// A head, and then a byte of the body now and then, for ever.
    Drips(Duration),
    /// A head, and then a body without end.
    Floods,
    /// Nothing.
    Silence,
}

/// Of a body.
pub(crate) fn ok(body: &str) -> Says {
    Says::Text(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

/// A server, and what reached it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    at_once: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            at_once: Arc::default(),
            most: Arc::default(),
            requests: Arc::default(),
        };
        let here = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (here, says) = (here.clone(), says.clone());
                here.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move { here.serve(stream, says).await });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/here", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, says: Says) {
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let mut bytes = vec![0; 64 * 1024];
        let read = stream.read(&mut bytes).await.unwrap_or_default();
        self.requests.lock().unwrap().push(String::from_utf8_lossy(&bytes[..read]).into_owned());
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
        match says {
            Says::Text(text) => drop(stream.write_all(text.as_bytes()).await),
            Says::Later(pause, text) => {
                tokio::time::sleep(pause).await;
                drop(stream.write_all(text.as_bytes()).await);
            }
            Says::Drips(pause) => {
                let _ = stream.write_all(head).await;
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
            }
            Says::Floods => {
                let _ = stream.write_all(head).await;
                while stream.write_all(&[b'x'; 65536]).await.is_ok() {}
            }
            Says::Silence => tokio::time::sleep(Duration::from_secs(3600)).await,
        }
        self.at_once.fetch_sub(1, Ordering::SeqCst);
    }
}
