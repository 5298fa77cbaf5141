//! The event loop of the crate, alone, inside another loop, and several on threads.

mod asking;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use asking::{LIMIT, answer, ask, connect, localhost};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use netserver::{
    Closed, ConnectionCheck, EventLoop, Handler, Limits, LoopLinks, LoopTimer, Phase, Reply,
    Report, Request, Response, Server, ServerBuilder, Status, Ticket, Timeouts, Workers,
};

/// `/` says which loop it is on, `/thread` has another thread answer, `/soon` answers when it is told,
/// `/never` does not answer.
struct App {
    links: LoopLinks,
}

impl Handler for App {
    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        match request.path() {
            "/never" => _ = reply.later(),
            "/soon" => {
                let soon = request.deadline().and_then(|end| end.checked_sub(LIMIT / 2));
                let soon = soon.expect("a handler's timeout");
                _ = self.links.remote.arm(soon, LoopTimer::Wake(reply.later()));
            }
            "/thread" => {
                let (remote, ticket) = (self.links.remote.clone(), reply.later());
                thread::spawn(move || remote.arm(Instant::now(), LoopTimer::Wake(ticket)));
            }
            _ => reply.send(Response::new(Status::OK).body(b"here")),
        }
    }

    fn on_wake(&mut self, _: Ticket, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"woken"));
    }
}

fn app(links: LoopLinks) -> ServerBuilder<App> {
    Server::builder(App { links })
}

#[test]
fn a_loop_on_a_thread_serves_until_it_is_closed() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let running = thread::spawn(move || {
        let event_loop = EventLoop::bind(localhost(), app).expect("a free port");
        sender
            .send((event_loop.handle(), event_loop.local_addr().unwrap()))
            .expect("the test waits");
        event_loop.run().expect("the poll works")
    });
    let (handle, address) = receiver.recv_timeout(LIMIT).expect("it starts");
    let (mut plain, mut threaded) = (connect(address), connect(address));
    ask(&mut plain, "/");
    ask(&mut threaded, "/thread");
    assert!(answer(&mut plain).ends_with("here"));
    assert!(answer(&mut threaded).ends_with("woken"), "another thread wakes the loop");
    handle.close(Duration::from_secs(10));
    assert_eq!(running.join().expect("no panic"), Report::default());
    handle.close(Duration::ZERO);
    handle.stop();
    assert!(TcpStream::connect(address).is_err(), "what has ended is past caring");
}

#[test]
fn grace_is_reported_and_can_be_cut_short() {
    for cut_short in [false, true] {
        let mut event_loop = EventLoop::bind(localhost(), app).expect("a free port");
        let handle = event_loop.handle();
        let mut stuck = connect(event_loop.local_addr().unwrap());
        ask(&mut stuck, "/never");
        let started = Instant::now();
        while event_loop.server().stats().requests == 0 {
            event_loop.run_once(Some(LIMIT)).expect("the poll works");
            assert!(started.elapsed() < LIMIT);
        }
        handle.close(if cut_short { LIMIT } else { Duration::from_millis(50) });
        if cut_short {
            handle.close(Duration::ZERO);
        }
        let closing = Instant::now();
        let report = event_loop.run().expect("the poll works");
        assert_eq!(report, Report { finished: 0, forced: 1, upgraded: 0 });
        assert!(closing.elapsed() < LIMIT / 2, "after {:?}", closing.elapsed());
    }
}

#[test]
fn a_loop_that_is_stopped_drops_what_is_under_way() {
    let event_loop = EventLoop::bind(localhost(), app).expect("a free port");
    let mut stuck = connect(event_loop.local_addr().unwrap());
    ask(&mut stuck, "/never");
    event_loop.handle().stop();
    event_loop.run().expect("the poll works");
    // Before or after the request was read: an end or a reset, and no answer.
    let mut answer = Vec::new();
    let _ = stuck.read_to_end(&mut answer);
    assert!(answer.is_empty());
}

#[test]
fn another_loop_can_carry_it_by_its_descriptor() {
    let mut inner = EventLoop::bind(localhost(), app).expect("a free port");
    let mut outer = Poll::new().expect("a poll");
    let descriptor = inner.as_raw_fd();
    let mut source = SourceFd(&descriptor);
    outer.registry().register(&mut source, Token(7), Interest::READABLE).expect("pollable");
    let mut client = connect(inner.local_addr().unwrap());
    ask(&mut client, "/");
    let (mut events, started) = (Events::with_capacity(8), Instant::now());
    while inner.server().stats().closed.total() == 0 {
        assert!(started.elapsed() < LIMIT);
        outer.poll(&mut events, inner.timeout(Instant::now())).expect("poll");
        inner.turn(Instant::now()).expect("the poll works");
    }
    assert!(answer(&mut client).ends_with("here"));
}

#[test]
fn a_carried_loop_lives_on_the_time_of_its_carrier() {
    let mut now = Instant::now();
    let mut http = EventLoop::bind_at(localhost(), app, now).expect("a free port");
    let mut silent = connect(http.local_addr().unwrap());
    let started = Instant::now();
    while http.server().connections() == 0 {
        assert!(started.elapsed() < LIMIT);
        http.turn(now).expect("the poll works");
    }
    // A minute of headers timeout, from timer to timer, in no time at all.
    let until = now + Duration::from_secs(59);
    while now < until {
        now += http.timeout(now).expect("the connection check is armed");
        http.turn(now).expect("the poll works");
    }
    assert_eq!(http.server().connections(), 1, "it has a second left");
    for _ in 0..3 {
        now += Duration::from_secs(1);
        http.turn(now).expect("the poll works");
    }
    let mut told = [0; 12];
    silent.read_exact(&mut told).expect("a response");
    assert_eq!(&told, b"HTTP/1.1 408");
}

#[test]
fn a_deadline_that_began_in_a_long_turn_counts_from_its_end() {
    let mut now = Instant::now();
    let exact = Timeouts { check: ConnectionCheck::Exact, ..Timeouts::default() };
    let headers = exact.headers;
    let build = |links| app(links).timeouts(exact);
    let mut http = EventLoop::bind_at(localhost(), build, now).expect("a free port");
    let mut slow = connect(http.local_addr().unwrap());
    slow.write_all(b"GET / HT").expect("room");
    let started = Instant::now();
    while !http.server().iter(now).any(|it| it.phase == Phase::Headers) {
        assert!(started.elapsed() < LIMIT);
        http.turn(now).expect("the poll works");
    }
    // Who asked for something that takes the handler long was in that turn, too.
    now += Duration::from_millis(700);
    let due = now + headers;
    let almost = now + headers.saturating_sub(Duration::from_nanos(1));
    while now < almost {
        let sleep = http.timeout(now).expect("armed for it");
        now += sleep.min(almost - now);
        http.turn(now).expect("the poll works");
    }
    assert_eq!(http.server().connections(), 1, "it is early by as much as the turn took");
    now += http.timeout(now).expect("armed for it");
    http.turn(now).expect("the poll works");
    assert!(now < due + Duration::from_millis(2), "late by {:?}", now - due);
    let mut told = [0; 12];
    slow.read_exact(&mut told).expect("a response");
    assert_eq!(&told, b"HTTP/1.1 408");
}

#[test]
fn answers_that_were_put_off_to_one_moment_are_given_some_in_each_turn() {
    const CLIENTS: usize = 40;
    const REQUESTS: usize = 25;
    let mut now = Instant::now();
    let timeouts = Timeouts { handler: LIMIT, ..Timeouts::default() };
    let build = |links| app(links).timeouts(timeouts);
    let mut http = EventLoop::bind_at(localhost(), build, now).expect("a free port");
    let address = http.local_addr().unwrap();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| connect(address)).collect();
    for client in &mut clients {
        client.write_all(&b"GET /soon HTTP/1.1\r\nHost: a\r\n\r\n".repeat(REQUESTS)).expect("room");
    }
    let started = Instant::now();
    while http.server().stats().requests < (CLIENTS * REQUESTS) as u64 {
        assert!(started.elapsed() < LIMIT);
        http.turn(now).expect("the poll works");
    }
    // Half of the handler's time later all of them are due.
    now += LIMIT / 2 + Duration::from_millis(2);
    let (mut written, mut turns) = (http.server().stats().bytes_out, 0);
    while http.server().stats().phases.handler > 0 {
        http.turn(now).expect("the poll works");
        let before = std::mem::replace(&mut written, http.server().stats().bytes_out);
        let answers = (written - before) / 100;
        assert!(answers < (CLIENTS * REQUESTS / 3) as u64, "{answers} in one turn");
        if http.server().stats().phases.handler > 0 {
            assert_eq!(http.timeout(now), Some(Duration::ZERO), "it sleeps with {answers} given");
        }
        turns += 1;
        assert!(turns < CLIENTS * REQUESTS, "it does not get on");
    }
    for client in &mut clients {
        let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
        while text.windows(5).filter(|it| it == b"woken").count() < REQUESTS {
            let n = client.read(&mut buffer).expect("in time");
            assert!(n > 0, "all are answered");
            text.extend_from_slice(&buffer[..n]);
        }
    }
}

/// A poll that is told of edges, as all of mio's are, of a loop in it.
fn carrier_of(http: &EventLoop<App>) -> Poll {
    let outer = Poll::new().expect("a poll");
    let descriptor = http.as_raw_fd();
    let mut source = SourceFd(&descriptor);
    outer.registry().register(&mut source, Token(7), Interest::READABLE).expect("pollable");
    outer
}

/// Who comes alone is accepted, and the poll left to tell if there is somebody else.
#[test]
fn those_who_come_together_after_one_who_came_alone_are_heard_of() {
    let now = Instant::now();
    let mut http = EventLoop::bind_at(localhost(), app, now).expect("a free port");
    let mut outer = carrier_of(&http);
    let mut events = Events::with_capacity(8);
    let mut clients: Vec<TcpStream> = Vec::new();
    for came in [1, 1, 1, 50, 1, 2, 1, 1, 4] {
        clients.extend((0..came).map(|_| connect(http.local_addr().unwrap())));
        let mut turns = 0;
        while http.server().connections() < clients.len() {
            // The loop that carries it sleeps, and is told of edges.
            let timeout = http.timeout(now).filter(Duration::is_zero).unwrap_or(LIMIT);
            outer.poll(&mut events, Some(timeout)).expect("poll");
            assert!(!events.is_empty() || timeout.is_zero(), "nobody told it: {:?}", http.server());
            http.turn(now).expect("the poll works");
            turns += 1;
        }
        assert!(turns <= 4, "the last of {came} waited for {turns} turns");
    }
}

#[test]
fn a_carrier_that_is_told_of_edges_hears_of_what_did_not_fit_into_a_turn() {
    const CLIENTS: usize = 1500;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).expect("up to the most");
    if limit.maximum.is_some_and(|most| most < 2 * CLIENTS as u64 + 100) {
        return eprintln!("skipped: no more than {:?} descriptors", limit.maximum);
    }
    let now = Instant::now();
    let mut http = EventLoop::bind_at(localhost(), app, now).expect("a free port");
    let mut outer = carrier_of(&http);
    let mut clients = Vec::new();
    let started = Instant::now();
    while http.server().connections() < CLIENTS {
        assert!(started.elapsed() < LIMIT, "{:?}", http.server());
        if clients.len() < CLIENTS {
            clients.extend((0..100).map(|_| connect(http.local_addr().unwrap())));
        }
        http.turn(now).expect("the poll works");
    }
    // One edge for all of them: they come while nobody waits.
    for client in &mut clients {
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("room");
    }
    let mut events = Events::with_capacity(8);
    let mut requests = 0;
    while requests < CLIENTS as u64 {
        let timeout = http.timeout(now).expect("the connection check is armed");
        outer.poll(&mut events, Some(timeout)).expect("poll");
        let told = !events.is_empty() || timeout.is_zero();
        assert!(told, "{requests} of {CLIENTS}: it slept while there was more");
        http.turn(now).expect("the poll works");
        requests = http.server().stats().requests;
    }
}

/// Panics where no connection is left to be ended for it.
struct Clumsy;

impl Handler for Clumsy {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK).body(b"here"));
    }

    fn on_close(&mut self, closed: &Closed) {
        panic!("as the test asked, about {}", closed.id);
    }
}

#[test]
fn a_handler_that_panics_at_a_close_does_not_take_the_loop_along() {
    let mut event_loop =
        EventLoop::bind(localhost(), |_| Server::builder(Clumsy)).expect("a free port");
    for closed in 1..=2 {
        let (mut client, started) = (connect(event_loop.local_addr().unwrap()), Instant::now());
        ask(&mut client, "/");
        while event_loop.server().stats().closed.total() < closed {
            assert!(started.elapsed() < LIMIT);
            event_loop.run_once(Some(LIMIT)).expect("the poll works");
        }
        assert!(answer(&mut client).ends_with("here"));
    }
}

#[test]
fn a_loop_that_cannot_start_says_why_in_the_terms_of_io() {
    let taken = TcpListener::bind(localhost()).expect("a free port");
    let address = taken.local_addr().expect("bound");
    let error = EventLoop::bind(address, app).expect_err("the port is taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    let zero = ConnectionCheck::Interval(Duration::ZERO);
    let zero = Timeouts { check: zero, ..Timeouts::default() };
    let error = EventLoop::bind(localhost(), |links| app(links).timeouts(zero)).expect_err("0");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("check_interval"), "{error}");
}

#[test]
fn a_loop_has_one_timer_and_none_once_it_is_closed() {
    let mut event_loop = EventLoop::bind(localhost(), app).expect("a free port");
    assert_eq!(event_loop.timers_mut().len(), 1);
    event_loop.handle().close(LIMIT);
    event_loop.run_once(Some(LIMIT)).expect("the poll works");
    assert!(event_loop.is_done());
    assert_eq!(event_loop.timers_mut().len(), 0);
    assert_eq!(event_loop.timeout(Instant::now()), None, "nothing to wake up for");
}

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

#[test]
fn workers_serve_one_address_and_are_counted_together() {
    let ended = Arc::new(AtomicUsize::new(0));
    let on_end = Arc::clone(&ended);
    let workers = Workers::start(localhost(), TWO, app, move || {
        on_end.fetch_add(1, Ordering::Relaxed);
    })
    .expect("a free port");
    for _ in 0..20 {
        let mut client = connect(workers.local_addr().expect("an address"));
        ask(&mut client, "/");
        assert!(answer(&mut client).ends_with("here"));
    }
    let started = Instant::now();
    while workers.gauges().total().server.requests < 20 {
        assert!(started.elapsed() < LIMIT, "{:?}", workers.gauges());
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!((workers.running(), workers.gauges().iter().count()), (2, 2));
    workers.close(LIMIT);
    assert_eq!(workers.join().expect("no error"), Report::default());
    assert_eq!(ended.load(Ordering::Relaxed), 2);
}

#[test]
fn workers_do_not_share_a_port_that_somebody_has() {
    let first = Workers::start(localhost(), TWO, app, || ()).expect("a free port");
    let error = Workers::start(first.local_addr().expect("an address"), TWO, app, || ())
        .expect_err("it is taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    let address = first.local_addr().expect("an address");
    drop(first);
    drop(Workers::start(address, TWO, app, || ()).expect("it is free again"));
}

#[test]
fn the_limit_of_connections_holds_for_all_workers_together() {
    let two = NonZeroUsize::new(2).expect("two");
    let build = |links| {
        let limits = Limits { connections: 3, ..Limits::default() };
        app(links).limits(limits)
    };
    let workers = Workers::start(localhost(), two, build, || ()).expect("a free port");
    let address = workers.local_addr().expect("an address");
    // Each loop has room of its own for three; which one a connection comes to is the kernel's.
    let mut served = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(address);
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut first = [0; 1];
        if asked.is_ok() && stream.read(&mut first).is_ok_and(|n| n == 1) {
            served.push(stream);
        }
    }
    assert_eq!(served.len(), 3);
    workers.close(Duration::ZERO);
    let _ = workers.join().expect("no loop failed");
}
