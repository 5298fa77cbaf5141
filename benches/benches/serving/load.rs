//! The client: one thread, as many connections as wanted, every answer counted by its bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

pub(crate) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// This long.
    Elapsed(Duration),
    /// So many answers, or a few more.
    Answers(u64),
}

impl Until {
    fn goes_on(self, start: Instant, answers: u64) -> bool {
        match self {
            Self::Elapsed(time) => start.elapsed() < time,
            Self::Answers(most) => answers < most,
        }
    }
}

/// The length of the answer, which is the same every time.
pub(crate) fn answer_length(address: SocketAddr) -> usize {
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.write_all(REQUEST).expect("room");
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    while !text.ends_with(b"Hello, World!") {
        let n = stream.read(&mut buffer).expect("an answer");
        assert!(n > 0, "the peer closes instead of answering");
        text.extend_from_slice(&buffer[..n]);
    }
    assert!(text.starts_with(b"HTTP/1.1 200 OK\r\n"));
    text.len()
}

/// What a connection sends at once.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    depth: usize,
}

impl Batch {
    /// The same request, so many times.
    pub(crate) fn alike(depth: usize) -> Self {
        Self { bytes: REQUEST.repeat(depth), depth }
    }

    /// Requests of which none begins or ends as the one before: for servers that compare them.
    pub(crate) fn unalike(depth: usize) -> Self {
        let request =
            |n| format!("GET /?{n} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nCookie: {n}\r\n\r\n");
        Self { bytes: (0..depth).map(request).collect::<String>().into_bytes(), depth }
    }
}

/// Keep-alive: `connections` with a batch of requests under way on each. Answers.
pub(crate) fn keep_alive(
    address: SocketAddr,
    connections: usize,
    batch: &Batch,
    until: Until,
) -> u64 {
    let answer = answer_length(address);
    let depth = batch.depth;
    let mut poll = Poll::new().expect("a poll");
    let mut streams: Vec<(TcpStream, usize)> = (0..connections)
        .map(|at| {
            let mut stream = TcpStream::connect(address).expect("it listens");
            poll.registry().register(&mut stream, Token(at), Interest::READABLE).expect("register");
            (stream, 0)
        })
        .collect();
    // Connected by now: loopback and a backlog that is long enough.
    for (stream, _) in &mut streams {
        write_all(stream, &batch.bytes);
    }
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 256 * 1024]);
    let (start, mut answers) = (Instant::now(), 0);
    while until.goes_on(start, answers) {
        poll.poll(&mut events, Some(Duration::from_secs(5))).expect("poll");
        assert!(!events.is_empty(), "no answer for five seconds");
        for event in &events {
            let (stream, got) = &mut streams[event.token().0];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => panic!("the peer has closed a connection under load"),
                    Ok(n) => *got += n,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("a connection is broken: {error}"),
                }
            }
            if *got >= answer * depth {
                *got -= answer * depth;
                answers += depth as u64;
                write_all(stream, &batch.bytes);
            }
        }
    }
    answers
}

/// A connection for each request, one after the other, with a `pause` before each step: without
/// one, the server sees several steps at once. Connections.
pub(crate) fn one_each(address: SocketAddr, pause: Option<Duration>, until: Until) -> u64 {
    let wait = || pause.map_or((), std::thread::sleep);
    let answer = answer_length(address);
    let (start, mut connections) = (Instant::now(), 0);
    let mut buffer = [0; 1024];
    while until.goes_on(start, connections) {
        let mut stream = std::net::TcpStream::connect(address).expect("it listens");
        wait();
        stream.write_all(REQUEST).expect("room");
        let mut got = 0;
        while got < answer {
            let n = stream.read(&mut buffer).expect("an answer");
            assert!(n > 0, "the peer closes instead of answering");
            got += n;
        }
        connections += 1;
        wait();
        drop(stream);
        wait();
    }
    connections
}

/// A connection for each request, `batch` of them at a time: their steps are seen together, however
/// busy the machine is. Connections.
pub(crate) fn one_each_in_batches(address: SocketAddr, batch: usize, until: Until) -> u64 {
    let mut answer = vec![0; answer_length(address)];
    let (start, mut connections) = (Instant::now(), 0);
    while until.goes_on(start, connections) {
        let connect = |_| {
            let mut stream = std::net::TcpStream::connect(address).expect("it listens");
            stream.write_all(REQUEST).expect("room");
            stream
        };
        let mut streams: Vec<_> = (0..batch).map(connect).collect();
        for stream in &mut streams {
            stream.read_exact(&mut answer).expect("an answer");
        }
        connections += batch as u64;
    }
    connections
}

/// Connections that have sent this, and have read an answer if one is due; idle from then on.
pub(crate) fn idle(
    address: SocketAddr,
    connections: usize,
    sent: &[u8],
) -> Vec<std::net::TcpStream> {
    let answer = answer_length(address);
    let complete = sent.ends_with(b"\r\n\r\n");
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut stream = std::net::TcpStream::connect(address).expect("it listens");
        stream.write_all(sent).expect("room");
        if complete {
            let mut buffer = vec![0; answer];
            stream.read_exact(&mut buffer).expect("an answer");
        }
        streams.push(stream);
    }
    streams
}

fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) {
    // The socket's buffer takes a batch of small requests at once but for the very first moment.
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
            {
                std::thread::yield_now();
            }
            Err(error) => panic!("a connection is broken: {error}"),
        }
    }
}
