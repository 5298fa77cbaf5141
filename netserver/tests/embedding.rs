//! The examples of embedding: each is run as it is, and talked to over loopback.

mod asking;

#[path = "../examples/in_calloop.rs"]
#[allow(dead_code)]
mod in_calloop;
#[path = "../examples/in_epoll.rs"]
#[allow(dead_code)]
mod in_epoll;
#[path = "../examples/in_io_uring.rs"]
#[allow(dead_code)]
mod in_io_uring;
#[path = "../examples/in_polling.rs"]
#[allow(dead_code)]
mod in_polling;
#[path = "../examples/in_tokio.rs"]
#[allow(dead_code)]
mod in_tokio;
#[path = "../examples/own_loop/main.rs"]
#[allow(dead_code)]
mod own_loop;
#[path = "../examples/workers_answer.rs"]
#[allow(dead_code)]
mod workers_answer;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use asking::{LIMIT, answer, ask, connect, localhost};
use netserver::{
    ConnectionCheck, EventLoop, Handler, LoopHandle, Reply, Request, Response, Server,
    ServerBuilder, Status, Timeouts,
};

struct Here;

impl Handler for Here {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"here"));
    }
}

/// Short for who stops in the middle of a head, and noticed at once: a loop that forgets the
/// deadline does not get past it.
fn impatient() -> Timeouts {
    let headers = Duration::from_millis(100);
    let check = ConnectionCheck::Exact;
    Timeouts { headers, first_byte: Some(LIMIT), check, ..Timeouts::default() }
}

fn here() -> ServerBuilder<Here> {
    Server::builder(Here).timeouts(impatient())
}

/// A server of a loop that runs on another thread.
struct Running {
    address: SocketAddr,
    handle: LoopHandle,
    ended: std::sync::mpsc::Receiver<()>,
}

/// Runs an example as it is. Handlers need not be `Send`, so the server is made over there.
fn start(run: impl FnOnce(EventLoop<Here>) + Send + 'static) -> Running {
    let (sender, receiver) = channel();
    let (ends, ended) = channel();
    thread::spawn(move || {
        let http = EventLoop::bind_at(localhost(), |_| here(), Instant::now()).expect("a port");
        let address = http.local_addr().expect("an address");
        sender.send((address, http.handle())).expect("the test waits");
        run(http);
        ends.send(()).expect("the test waits");
    });
    let (address, handle) = receiver.recv_timeout(LIMIT).expect("it starts");
    Running { address, handle, ended }
}

impl Running {
    /// Requests are answered, one after another and beside each other; a deadline is kept while
    /// nothing else happens; and closing it from elsewhere ends the loop.
    fn converse_and_close(self) {
        let mut streams: Vec<TcpStream> = (0..10).map(|_| connect(self.address)).collect();
        for stream in &mut streams {
            ask(stream, "/");
        }
        for mut stream in streams {
            assert!(answer(&mut stream).ends_with("\r\n\r\nhere"));
        }
        let mut slow = connect(self.address);
        slow.write_all(b"GET / HT").expect("room");
        assert!(answer(&mut slow).starts_with("HTTP/1.1 408 "), "the deadline is kept");
        // Who was told why is waited for, until it closes too.
        drop(slow);
        self.handle.close(Duration::from_secs(10));
        self.ended.recv_timeout(LIMIT).expect("the loop ends without a panic");
        assert!(TcpStream::connect(self.address).is_err(), "nobody listens any more");
    }
}

/// A socket that sends datagrams back, and the way to it.
fn echo_socket() -> (UdpSocket, SocketAddr) {
    let echo = UdpSocket::bind(localhost()).expect("a port");
    let address = echo.local_addr().expect("bound");
    (echo, address)
}

fn assert_echoes(address: SocketAddr) {
    let client = UdpSocket::bind(localhost()).expect("a port");
    client.set_read_timeout(Some(LIMIT)).expect("not zero");
    client.send_to(b"anybody?", address).expect("loopback");
    let mut datagram = [0; 64];
    let (length, _) = client.recv_from(&mut datagram).expect("an echo");
    assert_eq!(&datagram[..length], b"anybody?");
}

#[test]
fn in_epoll_beside_a_socket_of_the_loops_own() {
    let (echo, address) = echo_socket();
    let running = start(move |http| in_epoll::run(http, &echo).expect("no error"));
    assert_echoes(address);
    running.converse_and_close();
}

#[test]
fn in_calloop_beside_a_timer_of_its_own() {
    let (sender, ticks) = channel();
    let running = start(move |http| {
        let mut app = in_calloop::App { http, ticks: 0 };
        in_calloop::run(&mut app).expect("no error");
        sender.send(app.ticks).expect("the test waits");
    });
    running.converse_and_close();
    assert!(ticks.recv_timeout(LIMIT).expect("it has ended") >= 2, "100 ms have passed");
}

#[test]
fn in_polling() {
    start(|http| in_polling::run(http).expect("no error")).converse_and_close();
}

#[test]
fn in_tokio_beside_a_task_of_its_own() {
    let (echo, address) = echo_socket();
    let running = start(move |http| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("descriptors").block_on(async {
            echo.set_nonblocking(true).expect("nonblocking");
            let echo = tokio::net::UdpSocket::from_std(echo).expect("registered");
            tokio::spawn(in_tokio::echo(echo));
            in_tokio::run(http).await.expect("no error");
        });
    });
    assert_echoes(address);
    running.converse_and_close();
}

#[test]
fn in_io_uring_where_the_kernel_lets_us() {
    if in_io_uring::ring().expect("no other error").is_none() {
        return eprintln!("skipped: this kernel refuses io_uring, or is older than 5.11");
    }
    let running = start(|http| {
        let ring = in_io_uring::ring().expect("no other error").expect("as before");
        in_io_uring::run(http, ring).expect("no error");
    });
    running.converse_and_close();
}

#[test]
fn own_loop_serves_two_protocols_and_ends_when_it_is_woken() {
    let (sender, receiver) = channel();
    let (ends, ended) = channel();
    thread::spawn(move || {
        let shout = own_loop::shout(localhost(), Duration::from_secs(2)).expect("a port");
        let own = own_loop::OwnLoop::bind(here(), localhost(), shout).expect("a port");
        let (http, shout) = (own.http_addr().expect("bound"), own.shout_addr().expect("bound"));
        sender.send((http, shout, own.waker())).expect("the test waits");
        ends.send(own.run().expect("no error")).expect("the test waits");
    });
    let (http, shout, waker) = receiver.recv_timeout(LIMIT).expect("it starts");

    let mut loud = connect(shout);
    loud.write_all(b"hello\nhow are").expect("room");
    let mut line = [0; 6];
    loud.read_exact(&mut line).expect("shouted back");
    assert_eq!(&line, b"HELLO\n");
    loud.write_all(b" you?\n").expect("room");
    let mut client = connect(http);
    ask(&mut client, "/");
    assert!(answer(&mut client).ends_with("here"));
    assert_eq!(answer(&mut loud), "HOW ARE YOU?\nBYE\n", "and cut off when it is idle");
    let mut slow = connect(http);
    slow.write_all(b"GET / HT").expect("room");
    assert!(answer(&mut slow).starts_with("HTTP/1.1 408 "), "the deadline is kept");
    drop(slow);

    waker.wake().expect("the poll is there");
    let report = ended.recv_timeout(LIMIT).expect("the loop ends without a panic");
    assert_eq!(report.forced, 0);
}

#[test]
fn workers_answer_or_are_given_up() {
    let (sender, receiver) = channel();
    let (ends, ended) = channel();
    let patience = Duration::from_secs(3);
    thread::spawn(move || {
        let build = |links| workers_answer::app(&links, patience);
        let event_loop = EventLoop::bind(localhost(), build).expect("a port");
        let address = event_loop.local_addr().expect("an address");
        sender.send((address, event_loop.handle())).expect("the test waits");
        ends.send(event_loop.run().expect("no error")).expect("the test waits");
    });
    let (address, handle) = receiver.recv_timeout(LIMIT).expect("it starts");

    let mut patient = connect(address);
    ask(&mut patient, "/primes?below=4000000000");
    let mut quick: Vec<TcpStream> = (0..10).map(|_| connect(address)).collect();
    for stream in &mut quick {
        ask(stream, "/primes?below=100");
    }
    for mut stream in quick {
        let answer = answer(&mut stream);
        assert!(answer.ends_with("25 primes\n"), "beside one that takes for ever: {answer}");
    }
    assert!(answer(&mut patient).starts_with("HTTP/1.1 504 "), "given up");
    // Who goes away is forgotten, and the loop ends with nobody waiting.
    let mut gone = connect(address);
    ask(&mut gone, "/primes?below=4000000000");
    drop(gone);
    handle.close(LIMIT);
    ended.recv_timeout(LIMIT).expect("the loop ends without a panic");
}
