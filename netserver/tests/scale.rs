//! Many connections, many requests, long responses: what must not grow with them does not.
//!
//! By default in numbers that a small machine takes without a strain, and with slack for other
//! work that it does. In full, on a machine at rest (20,000 descriptors, `ulimit -n`):
//! `cargo test --release -p netserver --test scale -- --ignored --test-threads 1`.
#![cfg(feature = "cli")]

#[path = "binary/process.rs"]
#[allow(dead_code)] // this program uses its part
mod process;

mod common;

use std::fs;
use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{GET, World, millis};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use netserver::ConnectionCheck;
use process::{Binary, LIMIT, SLACK};

/// These measure times, so they do not run beside each other.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> impl Drop {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

// Silent connections.

struct Silent {
    stream: TcpStream,
    connected: Instant,
    read: Vec<u8>,
    /// How long after it began to connect all of the answer was there.
    answered: Option<Duration>,
}

/// So many connections that say nothing, each answered 408 in its window, while a healthy client
/// is never kept waiting.
fn silent_connections(many: usize, slack: Duration) {
    let _alone = alone();
    let flags = ["--headers-timeout", "500ms", "--connections-checking-interval", "100ms"];
    let binary = Binary::start(&flags);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let healthy = scope.spawn(|| slowest_answer(&binary, &over));
        let silent = hold_silent(&binary, many);
        over.store(true, Ordering::Relaxed);
        let answered = || silent.iter().filter_map(|silent| silent.answered);
        let (first, last) = (answered().min(), answered().max());
        println!("{many} silent connections: answered after {first:?} to {last:?}");
        for (number, silent) in silent.iter().enumerate() {
            let text = String::from_utf8_lossy(&silent.read);
            assert!(text.starts_with("HTTP/1.1 408 Request Timeout\r\nDate: "), "{number}: {text}");
            assert!(text.ends_with(" GMT\r\nConnection: close\r\n\r\n"), "{number}: {text}");
            let answered = silent.answered.expect("an end");
            let window = Duration::from_millis(500)..Duration::from_millis(700) + slack;
            assert!(window.contains(&answered), "{number} of {many}: {answered:?}");
        }
        let slowest = healthy.join().expect("no panic");
        println!("{many} silent connections: the slowest answer to another took {slowest:?}");
        assert!(slowest < Duration::from_millis(20) + slack, "a healthy client waited {slowest:?}");
    });
}

fn hold_silent(binary: &Binary, many: usize) -> Vec<Silent> {
    let mut poll = Poll::new().expect("a poll");
    let mut events = Events::with_capacity(1024);
    let mut silent: Vec<Silent> = Vec::with_capacity(many);
    let started = Instant::now();
    let mut left = many;
    while left > 0 {
        assert!(started.elapsed() < LIMIT, "{left} of {many} have not been answered");
        // A portion at a time, so that what comes meanwhile is seen when it comes.
        for _ in 0..(many - silent.len()).min(50) {
            // Before it is accepted, so that what seems early is early.
            let connected = Instant::now();
            let stream =
                std::net::TcpStream::connect(binary.address).expect("room for descriptors");
            stream.set_nonblocking(true).expect("a socket");
            let mut stream = TcpStream::from_std(stream);
            let token = Token(silent.len());
            poll.registry().register(&mut stream, token, Interest::READABLE).expect("room");
            silent.push(Silent { stream, connected, read: Vec::new(), answered: None });
        }
        let wait = if silent.len() < many { Duration::ZERO } else { Duration::from_millis(10) };
        poll.poll(&mut events, Some(wait)).expect("a poll");
        for event in &events {
            left -= usize::from(silent[event.token().0].take());
        }
    }
    silent
}

impl Silent {
    /// Reads what is there; true if that was the end.
    fn take(&mut self) -> bool {
        let mut buffer = [0; 512];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) if self.answered.is_none() => {
                    self.answered = Some(self.connected.elapsed());
                    return true;
                }
                Ok(0) => return false,
                Ok(n) => self.read.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("the 408 cannot be read: {error}"),
            }
        }
    }
}

fn slowest_answer(binary: &Binary, over: &AtomicBool) -> Duration {
    let mut client = binary.client();
    let mut slowest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, body) = client.response();
        assert!(head.starts_with("HTTP/1.1 200 ") && body == b"Hello, World!", "{head}");
        slowest = slowest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(2));
    }
    slowest
}

#[test]
fn silent_connections_are_answered_in_their_window_while_others_are_served() {
    silent_connections(400, SLACK);
}

#[test]
#[ignore = "takes 5,000 descriptors and a machine at rest"]
fn in_full_5000_silent_connections_are_answered_in_their_window() {
    silent_connections(5000, Duration::ZERO);
}

// Requests.

/// What the wheel had to do for so many requests in each of a hundred rounds on each of a hundred
/// connections, in one second of virtual time.
fn wheel_operations(check: ConnectionCheck, each: usize) -> [u64; 6] {
    const CONNECTIONS: usize = 100;
    const ROUNDS: usize = 100;
    let mut world = World::with(|timeouts, _| timeouts.check = check);
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| world.client()).collect();
    let requests = GET.repeat(each);
    for _ in 0..ROUNDS {
        for client in &mut clients {
            client.send(&requests);
        }
        world.settle();
        for client in &mut clients {
            assert_eq!(client.answers(), each);
            client.read.clear();
        }
        world.pass(millis(10));
    }
    assert_eq!(world.server.stats().requests, (CONNECTIONS * ROUNDS * each) as u64);
    assert_eq!(world.server.connections(), CONNECTIONS, "all of them are kept");
    let counters = world.timers.counters();
    [
        counters.armed,
        counters.cancelled,
        counters.fired,
        counters.rescheduled_earlier,
        counters.rescheduled_later,
        counters.cascaded,
    ]
}

fn requests_cost_the_wheel_nothing(each: usize) {
    let _alone = alone();
    for check in [ConnectionCheck::Interval(millis(100)), ConnectionCheck::Exact] {
        let few = wheel_operations(check, 1);
        let many = wheel_operations(check, each);
        assert_eq!(few, many, "{check:?}: 10,000 requests, and {} of them", 10_000 * each);
        println!("{check:?}: {many:?} operations for {} requests", 10_000 * each);
        assert!(many.iter().sum::<u64>() < 200, "a second of checks on 100 connections: {many:?}");
    }
}

#[test]
fn the_wheel_does_not_work_for_requests() {
    requests_cost_the_wheel_nothing(10);
}

#[test]
#[ignore = "takes a while"]
fn in_full_1000000_requests_cost_the_wheel_what_10000_do() {
    requests_cost_the_wheel_nothing(100);
}

// A response of 100 MB.

/// What of the process is in memory, in bytes.
fn resident(binary: &Binary) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", binary.child.id())).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
    let kib: u64 = line.trim().strip_suffix(" kB").expect(line).parse().expect(line);
    kib * 1024
}

fn write_stalls(binary: &Binary) -> u64 {
    let answer = binary.ask("GET /status.json");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let status: serde_json::Value = serde_json::from_str(body).expect("JSON");
    status["connections"]["closed"]["write_stall"].as_u64().expect("a number")
}

#[test]
#[cfg(target_os = "linux")]
fn a_reader_that_stalls_costs_the_process_no_memory_and_ends_by_the_write_timeout() {
    let _alone = alone();
    let flags = ["--write-timeout", "2s", "--connections-checking-interval", "100ms"];
    let binary = Binary::start(&flags);
    // What is allocated once is there before it is measured.
    let whole = binary.ask("GET /stream?chunks=1000&size=1000");
    assert!(whole.len() > 1_000_000);
    assert_eq!(write_stalls(&binary), 0);
    let before = resident(&binary);

    let mut client = binary.client();
    client.send("GET /stream?chunks=100000&size=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
    let stalled = Instant::now();
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let mut most = before;
    while write_stalls(&binary) == 0 {
        most = most.max(resident(&binary));
        assert!(stalled.elapsed() < LIMIT, "it is not closed");
        thread::sleep(Duration::from_millis(20));
    }
    println!("a stalled reader of 100 MB: {} KiB more in memory", (most - before) / 1024);
    assert!(most - before < 1 << 20, "{} bytes more in memory", most - before);
    assert!(stalled.elapsed() >= Duration::from_secs(2), "{:?}", stalled.elapsed());
    // What the kernel had is read still, and it is not all.
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert!(rest.len() < 100_000_000 && !rest.ends_with(b"0\r\n\r\n"), "{} bytes", rest.len());
}
