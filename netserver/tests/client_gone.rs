//! A client that has ended its side, and who is told.

mod common;

use common::{State, World};
use netserver::Cause;

const LATER: &str = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST: &str = "GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn the_handler_is_told_that_the_client_of_a_request_put_off_is_gone() {
    let mut world = World::new();
    let mut client = world.client_sending(LATER.repeat(2).as_bytes());
    let (first, second) = (world.seen.ticket(), world.seen.ticket());
    assert_eq!(world.seen.gone(), []);
    client.shut_down_writing();
    world.settle();
    assert_eq!(world.seen.gone(), [first, second]);
    // It may read still.
    world.answer(first);
    world.answer(second);
    assert_eq!((client.state(), client.answers()), (State::End, 2));
    assert_eq!(world.seen.gone(), [], "told once");
}

#[test]
fn it_is_told_too_after_the_last_request_of_a_connection() {
    let mut world = World::new();
    let mut client = world.client_sending(LAST.as_bytes());
    let ticket = world.seen.ticket();
    client.shut_down_writing();
    world.settle();
    assert_eq!(world.seen.gone(), [ticket]);
    world.answer(ticket);
    assert_eq!((client.state(), client.answers()), (State::End, 1));
}

#[test]
fn a_reset_after_the_last_request_ends_the_connection() {
    let mut world = World::new();
    let client = world.client_sending(LAST.as_bytes());
    client.reset();
    world.settle();
    assert_eq!(world.seen.causes(), [Cause::PeerReset]);
    world.assert_empty();
}

#[test]
fn what_is_sent_after_the_last_request_is_dropped_up_to_the_budget() {
    let mut world = World::with(|_, limits| limits.linger_bytes = 64 * 1024);
    let mut client = world.client_sending(LAST.as_bytes());
    let ticket = world.seen.ticket();
    let noise = vec![b'x'; 32 * 1024];
    for _ in 0..64 {
        client.send_some(&noise);
        world.settle();
    }
    let info = world.server.iter(world.now).next().expect("still open");
    assert!(info.bytes_in < 256 * 1024, "the rest is left with the peer: {}", info.bytes_in);
    world.answer(ticket);
    assert_eq!((client.state(), client.answers()), (State::End, 1), "and it is answered");
}

#[test]
fn a_stream_is_told_and_may_end() {
    for connection in ["keep-alive", "close"] {
        let mut world = World::new();
        let request =
            format!("GET /events HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
        let mut client = world.client_sending(request.as_bytes());
        assert!(client.text().ends_with("\r\n\r\n"), "{}", client.text());
        client.shut_down_writing();
        world.settle();
        assert!(client.text().ends_with("3\r\nbye\r\n0\r\n\r\n"), "{}", client.text());
        assert_eq!(client.state(), State::End);
        world.assert_empty();
    }
}
