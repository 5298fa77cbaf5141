//! Asking a server for its status: one request, bounded in time and size.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::sample::Sample;

/// Where a server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Address {
    Tcp(String),
    Unix(PathBuf),
}

/// Longer than a busy server takes, shorter than somebody waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// A status is a few kilobytes.
const ANSWER_MAX: u64 = 256 * 1024;

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(text.to_owned()))
            }
            _ => Err("it is HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080, or unix:PATH"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What the server says now. An error says what to do.
pub(super) fn status(address: &Address) -> io::Result<Sample> {
    let answer = exchange(address).map_err(|error| {
        let reason = format!(
            "no server answers at {address}: {error}; start one with `netserver`, or name another \
             address"
        );
        io::Error::new(error.kind(), reason)
    })?;
    let foreign = |what: String| {
        let reason = format!("what answers at {address} is not netserver: {what}");
        io::Error::new(io::ErrorKind::InvalidData, reason)
    };
    let body = body(&answer).map_err(foreign)?;
    Sample::read(body).map_err(foreign)
}

fn exchange(address: &Address) -> io::Result<Vec<u8>> {
    match address {
        Address::Tcp(name) => {
            let mut error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in name.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, PATIENCE) {
                    Ok(stream) => {
                        stream.set_read_timeout(Some(PATIENCE))?;
                        stream.set_write_timeout(Some(PATIENCE))?;
                        return converse(stream, name);
                    }
                    Err(other) => error = other,
                }
            }
            Err(error)
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            converse(stream, "localhost")
        }
    }
}

/// By HTTP/1.0: what comes until the end of the connection is the answer, in no chunks.
fn converse(mut stream: impl Read + Write, host: &str) -> io::Result<Vec<u8>> {
    let request = format!("GET /status.json HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// What follows the head of a response that says 200.
fn body(answer: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(answer).map_err(|_| "it answers no text".to_owned())?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Err("it answers no HTTP".to_owned());
    };
    let line = head.lines().next().unwrap_or_default();
    match line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)) {
        Some("200") => Ok(body),
        Some(code) => Err(format!("/status.json is answered {code}")),
        None => Err("it answers no HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_the_server_prints_it_or_shorter() {
        let tcp = |text: &str| Ok(Address::Tcp(text.to_owned()));
        for (text, address) in [
            ("127.0.0.1:8080", tcp("127.0.0.1:8080")),
            ("http://127.0.0.1:8080/", tcp("127.0.0.1:8080")),
            ("[::1]:80", tcp("[::1]:80")),
            ("localhost:80", tcp("localhost:80")),
            ("unix:/run/x.sock", Ok(Address::Unix("/run/x.sock".into()))),
        ] {
            assert_eq!(text.parse::<Address>(), address, "{text}");
        }
        for text in ["", "8080", ":8080", "localhost", "localhost:http", "unix:"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_200_has_a_status() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n{}"), Ok("{}"));
        let refused = |answer: &[u8]| body(answer).expect_err("no status");
        assert_eq!(refused(b"HTTP/1.1 404 Not Found\r\n\r\n"), "/status.json is answered 404");
        for other in
            [&b""[..], b"SSH-2.0-OpenSSH_9.2\r\n", b"220 hi\r\n\r\n", b"HTTP/1.1 200 OK\r\n"]
        {
            assert_eq!(refused(other), "it answers no HTTP");
        }
        assert_eq!(refused(b"\xff\xfe"), "it answers no text");
    }
}
