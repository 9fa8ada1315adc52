//! [`Callers`]: clients that keep a server busy at little cost.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use auth_core::http::Request;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::scene::Failure;

/// A request as it is sent.
pub(crate) type Encoded = Vec<u8>;

/// Clients in one thread, each with a connection that stays open.
pub(crate) struct Callers(Vec<BufReader<TcpStream>>);

impl Callers {
    pub(crate) fn connect(address: SocketAddr, count: usize) -> Result<Self, Failure> {
        let connect = |_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(BufReader::new(stream))
        };
        Ok(Self((0..count).map(connect).collect::<Result<_, Failure>>()?))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Sends requests, one for each client, and then reads the answers.
    pub(crate) fn exchange(
        &mut self,
        requests: &[Encoded],
    ) -> Result<Vec<Response<Bytes>>, Failure> {
        self.send(requests)?;
        self.receive(requests.len())
    }

    /// Sends requests, one for each client.
    pub(crate) fn send(&mut self, requests: &[Encoded]) -> Result<(), Failure> {
        for (connection, request) in self.0.iter_mut().zip(requests) {
            connection.get_mut().write_all(request)?;
        }
        Ok(())
    }

    /// Reads as many answers, one for each client. It waits for the last one first: to be woken by each of them
    /// would cost the server some 10 microseconds an answer, if it is slow enough for the clients to sleep.
    pub(crate) fn receive(&mut self, count: usize) -> Result<Vec<Response<Bytes>>, Failure> {
        let answers = self.0.iter_mut().take(count).rev().map(read).collect::<Result<Vec<_>, _>>();
        answers.map(|answers| answers.into_iter().rev().collect())
    }
}

/// As HTTP/1.1 has it on the wire (RFC 9112 §2.1).
pub(crate) fn encode(request: &Request) -> Encoded {
    let mut text =
        format!("{} {} HTTP/1.1\r\nhost: 127.0.0.1\r\n", request.method(), request.uri())
            .into_bytes();
    let mut add = |name: &str, value: &[u8]| {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    };
    request.headers().iter().for_each(|(name, value)| add(name.as_str(), value.as_bytes()));
    add("content-length", request.body().len().to_string().as_bytes());
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(request.body());
    text
}

fn read(connection: &mut BufReader<TcpStream>) -> Result<Response<Bytes>, Failure> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let status = line.split(' ').nth(1).ok_or("no status line")?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_bytes(status.as_bytes())?;
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        let name = HeaderName::from_bytes(name.as_bytes())?;
        response.headers_mut().append(name, HeaderValue::from_str(value)?);
    }
    let length =
        response.headers().get(header::CONTENT_LENGTH).ok_or("an answer without length")?;
    let mut body = vec![0; length.to_str()?.parse()?];
    connection.read_exact(&mut body)?;
    if !response.status().is_success() && !response.status().is_redirection() {
        return Err(format!("{}: {}", response.status(), String::from_utf8_lossy(&body)).into());
    }
    *response.body_mut() = body.into();
    Ok(response)
}
