//! Mixed load for as long as one likes (`SOAK_TIME`, in seconds), with churn, errors and drains;
//! and whether memory, descriptors or timers grow with the time.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::alone;
use crate::process::{Binary, LIMIT};
use crate::vitals::Vitals;

const FLAGS: [&str; 12] = [
    "--threads",
    "2",
    "--headers-timeout",
    "1s",
    "--request-timeout",
    "2s",
    // Clients of this process may be kept from their work for seconds.
    "--keep-alive-timeout",
    "20s",
    "--write-timeout",
    "1s",
    "--connections-checking-interval",
    "100ms",
];

type Value = fn(&Vitals) -> u64;

/// What the load has come to.
#[derive(Default)]
struct Done {
    requests: AtomicU64,
    errors: AtomicU64,
    drains: AtomicU64,
}

#[test]
fn soak() {
    let _alone = alone();
    let time = std::env::var("SOAK_TIME").ok().map_or(10, |time| time.parse().expect("seconds"));
    let time = Duration::from_secs(time);
    let mut binary = Binary::start(&FLAGS);
    let before = Vitals::of(&binary);
    let (over, done) = (AtomicBool::new(false), Done::default());
    let samples = thread::scope(|scope| {
        let address = binary.address;
        let goes_on = || !over.load(Ordering::Relaxed);
        let done = &done;
        for _ in 0..2 {
            scope.spawn(move || repeat(goes_on, || keep_alive(address, done)));
        }
        scope.spawn(move || repeat(goes_on, || churn(address, done)));
        scope.spawn(move || repeat(goes_on, || errors(address, done)));
        scope.spawn(move || repeat(goes_on, || dawdle(address, done)));
        scope.spawn(move || repeat(goes_on, || drain(done)));
        let samples = sample(&binary, time);
        over.store(true, Ordering::Relaxed);
        samples
    });
    let after = before.wait_for(&binary);
    let Done { requests, errors, drains } = done;
    println!(
        "soak of {time:?}: {} requests, {} errors asked for, {} drains",
        requests.into_inner(),
        errors.into_inner(),
        drains.into_inner()
    );
    println!("before {before:?}\nafter  {after:?}");
    // While it warms up, buffers are made; what counts is what comes after.
    let steady = &samples[samples.len() / 3..];
    let values: [(&str, Value); 3] = [
        ("resident KiB", |it| it.resident_kib),
        ("descriptors", |it| it.descriptors),
        ("timers armed", |it| it.timers),
    ];
    for (name, value) in values {
        let points = steady.iter().map(|(at, vitals)| (at.as_secs_f64() / 60.0, value(vitals)));
        let (slope, least, most) = slope(&points.collect::<Vec<_>>());
        println!("{name}: {least} to {most}, slope {slope:+.3} a minute");
    }
    binary.signal("TERM");
    assert_eq!(binary.ended().code(), Some(0));
}

fn repeat(goes_on: impl Fn() -> bool, run: impl Fn()) {
    while goes_on() {
        run();
    }
}

fn sample(binary: &Binary, time: Duration) -> Vec<(Duration, Vitals)> {
    let started = Instant::now();
    let every = (time / 120).max(Duration::from_millis(200));
    let mut samples = Vec::new();
    while started.elapsed() < time {
        thread::sleep(every);
        samples.push((started.elapsed(), Vitals::of(binary)));
    }
    samples
}

/// Of the straight line that fits best, and the least and the most.
#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn slope(points: &[(f64, u64)]) -> (f64, u64, u64) {
    let count = points.len() as f64;
    let values = || points.iter().map(|(_, value)| *value);
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = values().sum::<u64>() as f64 / count;
    let products = points.iter().map(|(x, y)| (x - mean_x) * (*y as f64 - mean_y)).sum::<f64>();
    let squares = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    (products / squares, values().min().unwrap_or(0), values().max().unwrap_or(0))
}

// The load.

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("not zero");
    stream.set_write_timeout(Some(LIMIT)).expect("not zero");
    stream
}

fn send(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).expect("the server reads");
}

/// Reads until so many responses that end so have come.
fn expect(stream: &mut TcpStream, ending: &[u8], mut times: usize) {
    let (mut read, mut buffer) = (Vec::new(), [0; 16 << 10]);
    while times > 0 {
        let n = stream.read(&mut buffer).expect("no reset");
        assert!(n > 0, "an end after {} bytes", read.len());
        read.extend_from_slice(&buffer[..n]);
        while let Some(at) = read.windows(ending.len()).position(|window| window == ending) {
            read.drain(..at + ending.len());
            times -= 1;
        }
    }
    assert!(read.is_empty(), "more than was asked for");
}

fn keep_alive(address: SocketAddr, done: &Done) {
    let mut stream = connect(address);
    for _ in 0..50 {
        send(&mut stream, b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5));
        expect(&mut stream, b"\r\n\r\nHello, World!", 5);
        let body = "b".repeat(5000) + "<end>";
        let length = body.len();
        send(
            &mut stream,
            format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"),
        );
        expect(&mut stream, b"<end>", 1);
        send(&mut stream, "GET /stream?chunks=50&size=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
        expect(&mut stream, b"\r\n0\r\n\r\n", 1);
        done.requests.fetch_add(7, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(1));
    }
}

/// A connection for each request, and some left to run out of time.
fn churn(address: SocketAddr, done: &Done) {
    let left: Vec<_> = (0..20).map(|_| connect(address)).collect();
    for _ in 0..50 {
        let mut stream = connect(address);
        send(&mut stream, "GET /json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("no reset");
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        done.requests.fetch_add(1, Ordering::Relaxed);
    }
    thread::sleep(Duration::from_millis(100));
    drop(left);
}

fn errors(address: SocketAddr, done: &Done) {
    let wrong: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart of it",
        b"GET /slow?ms=50 HTTP/1.1\r\nHost: a\r\n\r\nGET /part",
    ];
    for (number, wrong) in wrong.iter().cycle().take(20).enumerate() {
        let mut stream = connect(address);
        send(&mut stream, wrong);
        if number % 3 == 0 {
            // Gone without a word, in the middle of whatever it is.
            let socket = socket2::SockRef::from(&stream);
            socket.set_linger(Some(Duration::ZERO)).expect("a socket");
        } else {
            stream.shutdown(Shutdown::Write).expect("a socket");
            let _ = stream.read_to_end(&mut Vec::new());
        }
        done.errors.fetch_add(1, Ordering::Relaxed);
    }
    thread::sleep(Duration::from_millis(20));
}

/// Slow in all ways at once, until all have run out of time.
fn dawdle(address: SocketAddr, done: &Done) {
    let first: [&[u8]; 4] = [
        b"",
        b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n",
        b"GET /stream?chunks=10000&size=1000 HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    let mut slow: Vec<_> = first
        .iter()
        .cycle()
        .take(40)
        .map(|first| {
            let mut stream = connect(address);
            send(&mut stream, first);
            stream
        })
        .collect();
    thread::sleep(Duration::from_millis(2_500));
    for stream in &mut slow {
        // Some are reset for what they have not read, as they should be.
        let _ = stream.read_to_end(&mut Vec::new());
        done.errors.fetch_add(1, Ordering::Relaxed);
    }
}

/// Another one, which is told to end while it has something to do.
fn drain(done: &Done) {
    let mut binary = Binary::start(&FLAGS);
    let mut busy: Vec<_> = (0..10).map(|_| binary.client()).collect();
    for client in &mut busy {
        client.send("GET /slow?ms=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    // All have been taken up; on a machine that is too busy for that, another time.
    while crate::vitals::status(&binary)["connections"]["phases"]["handler"] != 10 {
        if busy[0].started.elapsed() > Duration::from_millis(900) {
            return;
        }
    }
    binary.signal("TERM");
    for client in &mut busy {
        let answer = client.rest();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    assert_eq!(binary.ended().code(), Some(0));
    done.drains.fetch_add(1, Ordering::Relaxed);
    thread::sleep(Duration::from_millis(500));
}
