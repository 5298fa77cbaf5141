//! What an embedder can see of connections, and end.

mod common;

use common::{GET, State, World, millis, secs};
use netserver::{Cause, ConnId, Limits, OverLimit, Phase, track::Class};

#[test]
fn each_connection_tells_who_it_is_what_it_does_and_how_long_it_may() {
    let mut world = World::new();
    let idle = world.client_sending(GET);
    world.pass(secs(2));
    let head = world.client_sending(b"GET / HTTP/1.1\r\nHo");
    let body =
        world.client_sending(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
    let late = world.client_sending(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    world.pass(secs(1));
    let mut seen: Vec<_> = world.server.iter(world.now).collect();
    seen.sort_by_key(|connection| std::cmp::Reverse(connection.age));
    let phases: Vec<_> = seen.iter().map(|connection| connection.phase).collect();
    assert_eq!(phases, [Phase::Idle, Phase::Headers, Phase::Body, Phase::Handler]);
    assert_eq!(seen[0].requests, 1);
    assert_eq!(seen[0].bytes_in, GET.len() as u64);
    assert!(seen[0].bytes_out > 0 && seen[0].age >= secs(3));
    assert_eq!(
        seen[0].deadline.map(|(class, left)| (class, left <= secs(3))),
        Some((Class::Idle, true))
    );
    assert_eq!(seen[1].deadline.map(|(class, _)| class), Some(Class::Headers));
    assert_eq!(seen[2].deadline.map(|(class, _)| class), Some(Class::MinRate));
    assert_eq!(seen[3].deadline, None, "the handler has no deadline by default");
    let phases = world.server.stats().phases;
    assert_eq!((phases.idle, phases.headers, phases.body, phases.handler), (1, 1, 1, 1));
    assert_eq!(world.server.connection(seen[0].id, world.now).map(|c| c.peer), Some(seen[0].peer));
    drop((idle, head, body, late));
}

#[test]
fn the_age_in_a_phase_counts_from_when_it_was_entered() {
    let mut world = World::new();
    let mut client = world.client();
    let seen = |world: &World| {
        let one = world.server.iter(world.now).next().expect("a connection");
        (one.phase, one.phase_age.as_secs(), one.age.as_secs())
    };
    world.pass(secs(2));
    assert_eq!(seen(&world), (Phase::FirstByte, 2, 2));
    client.send(GET);
    world.settle();
    assert_eq!(seen(&world), (Phase::Idle, 0, 2));
    world.pass(secs(3));
    assert_eq!(seen(&world), (Phase::Idle, 3, 5));
    // Answered in the turn it came in: idle before, idle after, and idle anew.
    client.send(GET);
    world.settle();
    assert_eq!(seen(&world), (Phase::Idle, 0, 5));
    world.pass(secs(1));
    client.send(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    world.settle();
    world.pass(secs(4));
    assert_eq!(seen(&world), (Phase::Handler, 4, 10));
    // Another one behind it changes nothing about what is waited for.
    client.send(GET);
    world.settle();
    assert_eq!(seen(&world), (Phase::Handler, 4, 10));
}

#[test]
fn one_connection_can_be_closed_by_its_name_which_is_never_anothers() {
    let mut world = World::new();
    let mut first = world.client_sending(GET);
    let mut second = world.client_sending(GET);
    let ids: Vec<ConnId> = world.server.iter(world.now).map(|connection| connection.id).collect();
    assert!(world.server.close_connection(ids[0], world.now));
    let ends = [first.state() != State::Open, second.state() != State::Open];
    assert_eq!(ends.iter().filter(|ended| **ended).count(), 1);
    assert_eq!(world.seen.causes(), [Cause::Handler]);

    // Its slot is taken again; its name is not.
    let mut third = world.client_sending(GET);
    assert!(!world.server.close_connection(ids[0], world.now));
    assert!(world.server.connection(ids[0], world.now).is_none());
    assert_eq!(third.state(), State::Open);
}

#[test]
fn every_close_is_counted_under_its_cause_and_told_to_the_handler() {
    let mut world = World::new();
    let mut done = world.client_sending(GET);
    // What is not read would make its close a reset.
    assert_eq!(done.answers(), 1);
    drop(done);
    world.settle();
    let mut bad = world.client_sending(b"nonsense\r\n\r\n");
    assert_eq!(bad.state(), State::End);
    drop(bad);
    world.settle();
    let mut idle = world.client_sending(GET);
    assert_eq!(idle.answers(), 1);
    world.pass(millis(7_100));
    drop(idle);
    world.settle();
    let causes = [Cause::PeerFin, Cause::ParseError, Cause::Idle];
    assert_eq!(world.seen.causes(), causes);
    let closed = world.server.stats().closed;
    for cause in causes {
        assert_eq!(closed.count(cause), 1, "{cause:?}");
    }
    assert_eq!((closed.total(), world.server.stats().open), (3, 0));
}

/// A server on which a connection has ended for this reason, or, `None`, cannot.
fn with_an_end_by(cause: Cause) -> Option<World> {
    let limited = |set: fn(&mut Limits)| World::with(|_, limits| set(limits));
    // So long after the request the client closes, unless it was closed before.
    let end = |mut world: World, request: &[u8], wait| {
        let mut client = world.client_sending(request);
        world.pass(secs(wait));
        // What is not read would make its close a reset.
        client.state();
        drop(client);
        world.settle();
        Some(world)
    };
    let plain = |request, wait| end(World::new(), request, wait);
    match cause {
        Cause::FirstByte => plain(b"", 62),
        Cause::Headers => plain(b"GET / HT", 62),
        Cause::Body => end(limited(|limits| limits.min_body_rate = 0), HALF_A_BODY, 302),
        Cause::MinRate => plain(HALF_A_BODY, 8),
        Cause::WriteStall => plain(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", 62),
        Cause::Idle => plain(GET, 8),
        Cause::MaxRequests => {
            let mut world = limited(|limits| limits.requests_per_connection = 1);
            let _client = world.client_sending(GET);
            Some(world)
        }
        Cause::Drain => {
            let mut world = World::new();
            let _client = world.client_sending(GET);
            world.server.close(secs(1), world.now);
            Some(world)
        }
        Cause::PeerFin => plain(GET, 1),
        Cause::PeerReset => {
            let mut world = World::new();
            world.client_sending(HALF_A_BODY).reset();
            world.settle();
            Some(world)
        }
        Cause::ParseError => plain(b"\0", 1),
        #[cfg(feature = "proxy-protocol")]
        Cause::ProxyHeader => {
            let listener = common::listener();
            let mut world = World::built_by(listener, |_, _| (), |it| it.proxy_protocol(true));
            let _client = world.client_sending(GET);
            Some(world)
        }
        #[cfg(not(feature = "proxy-protocol"))]
        Cause::ProxyHeader => None,
        Cause::Handler => plain(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n", 1),
        Cause::Evicted | Cause::OverLimit => {
            let mut world = limited(|limits| limits.connections = 1);
            if cause == Cause::Evicted {
                world = limited(|limits| {
                    limits.connections = 1;
                    limits.over_limit = OverLimit::EvictIdle;
                });
            }
            let _first = world.client_sending(GET);
            let _second = world.client();
            Some(world)
        }
        Cause::Linger => plain(b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", 8),
    }
}

const HALF_A_BODY: &[u8] = b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";

#[test]
fn there_is_no_cause_that_is_never_the_cause() {
    for cause in Cause::ALL {
        let Some(world) = with_an_end_by(cause) else { continue };
        let closed = world.server.stats().closed;
        assert_eq!((closed.count(cause), closed.total()), (1, 1), "{cause:?}: {closed:?}");
        // The hook is told of connections; one that was turned away has never been one.
        let told: &[_] = if cause == Cause::OverLimit { &[] } else { &[cause] };
        assert_eq!(world.seen.causes(), told);
    }
}

#[test]
fn a_reset_by_who_was_told_why_it_ends_does_not_change_why() {
    let mut world = World::new();
    let client = world.client_sending(b"GET / HT");
    world.pass(secs(62));
    // With the 408 unread, its close is a reset.
    drop(client);
    world.settle();
    assert_eq!(world.seen.causes(), [Cause::Headers]);
}

#[test]
fn idle_connections_can_be_closed_alone_and_all_of_them_together() {
    let mut world = World::new();
    let mut idle = world.client_sending(GET);
    let mut busy = world.client_sending(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    world.server.close_idle(world.now);
    assert_eq!((idle.state(), busy.state()), (State::End, State::Open));
    world.server.close_all(world.now);
    assert_ne!(busy.state(), State::Open);
    world.assert_empty();
    assert_eq!(world.server.timer_entries(), 1, "it listens still");
    assert_eq!(world.client_sending(GET).answers(), 1);
}
