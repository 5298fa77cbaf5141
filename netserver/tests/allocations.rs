//! What a connection allocates. A program of its own, for the counter counts all threads.

mod support;

use std::alloc::System;

use netserver::{Handler, Reply, Request, Response, Status};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{Peer, Routes};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Answers without allocating, so that all that is counted is the server's.
struct Plain;

impl Handler for Plain {
    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        let fields = [("Content-Type", "text/plain")];
        let body = if request.body().is_empty() { b"Hello, World!" } else { request.body() };
        reply.send(Response::new(Status::OK).fields(&fields).body(body));
    }
}

const GET: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept-Encoding: gzip\r\nCookie: a=b\r\n\r\n";
const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn the_steady_state_allocates_nothing_and_an_idle_connection_keeps_nothing() {
    let mut peer = Peer::new(Plain);
    let pipeline = [GET, POST, GET].concat();
    peer.output.reserve(1 << 20);
    peer.receive(GET);
    let fewest = (0..3).map(|_| {
        let region = Region::new(ALLOCATOR);
        for _ in 0..100 {
            peer.receive(GET);
            peer.receive(POST);
            peer.receive(&pipeline);
            peer.conn.take_changes();
        }
        region.change()
    });
    // The thread that waits for the test may be counted while it settles down; the server would
    // allocate every time.
    let fewest = fewest.min_by_key(|change| change.allocations + change.reallocations);
    let change = fewest.expect("three of them");
    assert_eq!(change.allocations + change.reallocations, 0, "{change:?}");
    assert_eq!(peer.conn.requests(), 1501);

    // The odd paths may allocate, and give everything back.
    let mut peer = Peer::new(Routes::default());
    peer.output.reserve(1 << 20);
    peer.handler.tickets.reserve(16);
    peer.receive(GET);
    let region = Region::new(ALLOCATOR);
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    peer.receive(&GET[..20]);
    peer.receive(&GET[20..]);
    peer.receive(chunked);
    peer.receive(b"0\r\nSum: 5\r\n\r\n");
    peer.receive(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.receive(&[&b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n"[..], GET].concat());
    let ticket = peer.handler.tickets[0];
    peer.answer(ticket, Response::new(Status::OK));
    assert_eq!(peer.conn.requests(), 6);
    let change = region.change();
    assert!(change.allocations > 0, "or else nothing was counted");
    assert_eq!(change.bytes_allocated, change.bytes_deallocated, "{change:?}");
}
