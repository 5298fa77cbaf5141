//! How connections end, over sockets: nobody who means well is cut off, and nobody who is gone is
//! waited for.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use common::{Client, GET, OK, State, World, millis, secs};
use netserver::{Cause, EventLoop, Handler, OverLimit, Reply, Request, Response, Server, Status};

/// More than sockets take of what is not read.
const LARGE: usize = 12 << 20;

/// A client that has been sent part of a large response, of which it has read nothing.
fn client_of_a_large_response(world: &mut World) -> Client {
    let mut client = world.client();
    let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n");
    let request = [head.as_bytes(), &vec![b'x'; LARGE]].concat();
    let mut sent = 0;
    while sent < request.len() {
        sent += client.send_some(&request[sent..]);
        world.settle();
    }
    let info = world.server.iter(world.now).next().expect("it is open");
    assert!(info.bytes_out < LARGE as u64, "the response is not under way any more");
    client
}

/// Reads to the end, as the server goes on writing.
fn read_to_the_end(world: &mut World, client: &mut Client) -> (State, usize) {
    for _ in 0..100_000 {
        let state = client.state();
        if state != State::Open {
            return (state, client.read.len());
        }
        world.settle();
    }
    panic!("it does not end");
}

fn with_large_bodies(requests: u64) -> World {
    World::with(|_, limits| {
        limits.body_size = LARGE as u64;
        limits.requests_per_connection = requests;
    })
}

#[test]
fn a_request_that_comes_during_the_last_response_does_not_destroy_it() {
    let mut world = with_large_bodies(1);
    let mut client = client_of_a_large_response(&mut world);
    client.send(GET);
    world.settle();
    let (state, read) = read_to_the_end(&mut world, &mut client);
    assert_eq!(state, State::End);
    assert!(read > LARGE, "{read} bytes of {LARGE} and a head");
    drop(client);
    world.settle();
    assert_eq!(world.seen.causes(), [Cause::MaxRequests]);
}

#[test]
fn a_request_that_comes_during_the_last_response_of_a_drain_does_not_destroy_it() {
    let mut world = with_large_bodies(0);
    let mut client = client_of_a_large_response(&mut world);
    world.server.close(secs(60), world.now);
    world.settle();
    client.send(GET);
    world.settle();
    let (state, read) = read_to_the_end(&mut world, &mut client);
    assert_eq!(state, State::End);
    assert!(read > LARGE, "{read} bytes of {LARGE} and a head");
    drop(client);
    world.settle();
    assert_eq!(world.seen.causes(), [Cause::Drain]);
}

/// It was told that the connection stays, and cannot know better before it has read to the end.
#[test]
fn who_was_not_told_of_a_drain_may_send_until_it_has_read_that() {
    let mut world = with_large_bodies(0);
    let mut client = client_of_a_large_response(&mut world);
    world.server.close(secs(60), world.now);
    // The kernel has all of it, and nothing has come.
    while world.server.iter(world.now).any(|info| info.bytes_out < LARGE as u64) {
        client.state();
        world.settle();
    }
    world.settle();
    client.send(GET);
    world.settle();
    assert_eq!(read_to_the_end(&mut world, &mut client).0, State::End);
    // And who never ends its side is not waited for.
    world.pass(secs(31));
    assert_eq!(world.seen.causes(), [Cause::Linger]);
}

#[test]
fn a_reset_is_noticed_while_reading_is_held_back() {
    let mut world = World::with(|_, limits| limits.pipelined = 4);
    let mut client = world.client();
    client.send(&b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5));
    world.settle();
    assert_eq!(world.server.connections(), 1);
    client.reset();
    world.settle();
    assert_eq!((world.server.connections(), world.seen.causes()), (0, vec![Cause::PeerReset]));
}

/// And an end in order is not taken for a reset: it may still read.
#[test]
fn a_client_that_only_ends_its_side_is_answered_though_reading_is_held_back() {
    let mut world = World::with(|_, limits| limits.pipelined = 4);
    let mut client = world.client();
    client.send(&b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5));
    client.shut_down_writing();
    world.settle();
    while let Some(ticket) = world.seen.next_ticket() {
        world.answer(ticket);
    }
    assert_eq!((client.state(), client.answers()), (State::End, 5));
}

#[test]
fn who_waits_to_be_accepted_when_the_server_closes_is_answered_and_told() {
    let mut world = World::new();
    let mut clients = [(); 50].map(|()| Client::connect(world.address()));
    for client in &mut clients {
        client.send(GET);
    }
    world.server.close(secs(10), world.now);
    world.settle();
    for client in &mut clients {
        // Or the rest of a pipeline would be lost, and the client not know that it was.
        let told = client.text().contains("\r\nConnection: close\r\n");
        assert_eq!((client.state(), client.answers(), told), (State::End, 1, true));
    }
    assert_eq!(world.server.report().map(|report| report.finished), Some(50));
}

/// And that is as much of a turn as any: what waits beyond the limit is not let in by a close.
#[test]
fn a_close_lets_nobody_in_above_the_limit() {
    let mut world = World::with(|_, limits| {
        limits.connections = 1;
        limits.over_limit = OverLimit::Pause;
    });
    let mut first = world.client_sending(GET);
    let mut second = Client::connect(world.address());
    second.send(GET);
    world.server.close(secs(10), world.now);
    world.settle();
    assert_eq!((first.answers(), second.state()), (1, State::Reset));
}

#[test]
fn an_exchange_that_panics_when_it_is_dropped_ends_nobody_else() {
    let mut world = World::new();
    let mut other = world.client();
    let mut client = world.client_sending(b"GET /fragile HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.text().ends_with("2\r\nok\r\n0\r\n\r\n"), "{}", client.text());
    other.send(GET);
    world.settle();
    assert_eq!(other.text(), OK);
}

/// An HTTP/1.0 client knows the end of such a response by the end of the connection alone.
#[test]
fn a_stream_that_fails_does_not_end_as_if_it_were_whole() {
    let mut world = World::new();
    let mut client = world.client_sending(b"GET /fail HTTP/1.0\r\n\r\n");
    assert_eq!(client.state(), State::Reset, "{}", client.text());
    assert_eq!(world.seen.causes(), [Cause::Handler]);

    let mut client = world.client_sending(b"GET /stream HTTP/1.0\r\n\r\n");
    world.server.close_all(world.now);
    assert_eq!(read_to_the_end(&mut world, &mut client).0, State::Reset, "it was cut off");
}

/// Who has been said little is spared the system call that bounds it, and is bounded all the same
/// once it is much.
#[cfg(target_os = "linux")]
#[test]
fn what_a_peer_does_not_read_is_bounded_in_the_kernel() {
    let most = |first: &[u8]| {
        let mut world = World::new();
        let mut client = world.client_sending(first);
        client.state();
        client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        for _ in 0..20 {
            world.settle();
            std::thread::sleep(millis(1)); // for the kernel to deliver what it has
        }
        let info = world.server.iter(world.now).next().expect("it is open");
        info.bytes_out
    };
    // What the client's side takes on loopback, and 128 KiB.
    for first in [&b""[..], GET] {
        let most = most(first);
        assert!(most < 1 << 20, "{most} bytes are out");
        println!("{most} bytes are out");
    }
}

/// Answers, but first its client sends something that nobody asked for.
struct Interrupted {
    client: Option<TcpStream>,
}

impl Handler for Interrupted {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        self.client.as_mut().expect("a client").write_all(b"\r\n").expect("room");
        reply.send(Response::new(Status::OK).body(b"Hello, World!"));
    }
}

/// What has arrived and is not read makes the close a reset, and what the kernel holds back until
/// then would be gone with it.
#[test]
fn the_last_response_is_not_lost_to_what_arrives_after_the_last_look() {
    let now = Instant::now();
    let any = "127.0.0.1:0".parse().expect("an address");
    let build = |_| Server::builder(Interrupted { client: None });
    let mut http = EventLoop::bind_at(any, build, now).expect("a free port");
    let mut client = TcpStream::connect(http.local_addr().expect("TCP")).expect("it listens");
    client.set_read_timeout(Some(secs(30))).expect("not zero");
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("room");
    let handle = client.try_clone().expect("a descriptor");
    http.server_mut().handler_mut().client = Some(handle);
    for _ in 0..10 {
        http.turn(now).expect("the poll works");
    }
    assert_eq!(http.server().stats().requests, 1);
    assert_eq!(http.server().connections(), 0);
    let mut head = [0; 15];
    client.read_exact(&mut head).expect("the response, and no reset before it");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
}
