//! The life of connections with production values, on a virtual clock over loopback sockets.

mod common;

use common::{BAD_REQUEST, Client, GET, OK, State, TIMEOUT, World, millis, secs};
use netserver::{Cause, ConnectionCheck, Phase};

/// A check comes every second, and a tick of the wheel is about a millisecond.
const CHECK: u64 = 1;

// First byte and headers.

#[test]
fn a_silent_connection_gets_408_at_the_headers_timeout() {
    let mut world = World::new();
    let mut client = world.client();
    world.pass(millis(59_900));
    assert_eq!((client.state(), client.text().as_str()), (State::Open, ""));
    world.pass(millis(100 + 1_000 * CHECK + 10));
    assert_eq!((client.state(), client.text().as_str()), (State::End, TIMEOUT));
    drop(client);
    world.pass(secs(1));
    assert_eq!(world.seen.causes(), [Cause::FirstByte]);
    world.assert_empty();
}

#[test]
fn without_a_headers_timeout_the_request_timeout_holds() {
    let mut world = World::with(|timeouts, _| timeouts.headers = secs(0));
    let mut client = world.client();
    world.pass(millis(299_900));
    assert_eq!(client.state(), State::Open);
    world.pass(secs(2));
    assert_eq!((client.state(), client.text().as_str()), (State::End, TIMEOUT));
}

#[test]
fn without_both_a_silent_connection_stays() {
    let mut world = World::with(|timeouts, _| {
        timeouts.headers = secs(0);
        timeouts.request = secs(0);
    });
    let mut client = world.client();
    world.pass(secs(3600));
    assert_eq!((client.state(), client.text().as_str()), (State::Open, ""));
}

#[test]
fn a_first_byte_timeout_can_be_silent() {
    let mut world = World::with(|timeouts, _| timeouts.first_byte_silent = true);
    let mut client = world.client();
    world.pass(secs(62));
    assert_eq!((client.state(), client.text().as_str()), (State::End, ""));
}

#[test]
fn a_trickled_head_is_not_extended() {
    let mut world = World::new();
    let mut client = world.client();
    let start = world.now;
    for byte in GET.iter().cycle().take(10_000) {
        if client.state() != State::Open {
            break;
        }
        client.send(&[if *byte == b'\r' || *byte == b'\n' { b'x' } else { *byte }]);
        world.pass(millis(400));
    }
    let lasted = world.now - start;
    assert!(lasted >= secs(60) && lasted <= millis(61_500), "{lasted:?}");
    assert_eq!(client.text(), TIMEOUT);
}

#[test]
fn empty_lines_alone_do_not_extend_the_first_byte() {
    let mut world = World::new();
    let mut client = world.client();
    for _ in 0..4 {
        client.send(b"\r\n");
        world.pass(secs(15));
    }
    world.pass(millis(1_100));
    assert_eq!((client.state(), client.text().as_str()), (State::End, TIMEOUT));
}

#[test]
fn empty_lines_before_a_request_are_no_harm() {
    let mut world = World::new();
    let mut client = world.client_sending(b"\r\n\r\n");
    client.send(GET);
    world.settle();
    assert_eq!(client.text(), OK);
}

#[test]
fn a_request_in_single_bytes_is_served() {
    let mut world = World::new();
    let mut client = world.client();
    for byte in GET {
        client.send(&[*byte]);
        world.pass(millis(100));
    }
    assert_eq!(client.text(), OK);
}

#[test]
fn a_lowered_timeout_holds_for_those_that_wait_and_the_oldest_go_first() {
    // Silence, so that they end with the expiry itself, and the order can be seen.
    let mut world = World::with(|timeouts, _| timeouts.first_byte_silent = true);
    let mut accepted = Vec::new();
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..200 {
        clients.push(world.client());
        let newest = world.server.iter(world.now).min_by_key(|connection| connection.age);
        accepted.push(newest.expect("it was accepted").id);
        world.pass(millis(10));
    }
    world.pass(secs(10));
    let mut timeouts = world.server.settings().timeouts.clone();
    timeouts.headers = secs(5);
    world.server.set_timeouts(timeouts).expect("within the rules");
    world.pass(millis(1_010));
    for client in &mut clients {
        assert_eq!((client.state(), client.text().as_str()), (State::End, ""));
    }
    assert_eq!(world.seen.ended(), accepted);
}

// Bodies.

#[test]
fn a_body_that_stops_gets_408_at_the_request_timeout() {
    let mut world = World::with(|timeouts, limits| {
        limits.min_body_rate = 0;
        timeouts.min_rate = secs(0);
    });
    for head in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{head}");
        let mut client = world.client_sending(request.as_bytes());
        world.pass(millis(299_900));
        assert_eq!(client.state(), State::Open, "{head}");
        world.pass(millis(1_200));
        assert_eq!((client.state(), client.text().as_str()), (State::End, TIMEOUT), "{head}");
        drop(client);
        world.pass(secs(1));
        assert_eq!(world.seen.causes(), [Cause::Body]);
    }
    world.assert_empty();
}

#[test]
fn a_body_below_the_least_rate_is_ended_and_one_above_is_not() {
    let mut world = World::new();
    let head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    let mut slow = world.client_sending(head);
    let mut steady = world.client_sending(head);
    let mut seconds = 0;
    while slow.state() == State::Open {
        slow.send(&[b'x'; 100]);
        steady.send(&[b'x'; 300]);
        world.pass(secs(1));
        seconds += 1;
    }
    assert!((5..=7).contains(&seconds), "after the first span: {seconds} s");
    assert_eq!(slow.text(), TIMEOUT);
    drop(slow);
    world.settle();
    assert_eq!(world.seen.causes(), [Cause::MinRate]);
    for _ in 0..20 {
        steady.send(&[b'x'; 300]);
        world.pass(millis(1_000));
    }
    assert_eq!(steady.state(), State::Open);
}

#[test]
fn time_in_which_the_server_did_not_read_is_not_the_clients() {
    let mut world = World::with(|_, limits| limits.min_body_rate = 0);
    let head = b"PUT /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    let mut client = world.client_sending(head);
    let ticket = world.seen.ticket();
    world.pass(secs(100));
    // A third of its time is used when the handler pushes back, for much longer than all of it.
    client.send(b"x");
    world.pass(secs(1000));
    assert_eq!(client.state(), State::Open, "it is not the client that is late");
    assert!(world.server.wake(ticket, world.now));
    world.pass(secs(199));
    assert_eq!(client.state(), State::Open, "two thirds are left");
    world.pass(secs(3));
    assert_eq!((client.state(), client.text().as_str()), (State::End, TIMEOUT));
}

#[test]
fn pushing_back_again_and_again_does_not_renew_the_time_of_a_message() {
    let mut world = World::with(|_, limits| limits.min_body_rate = 0);
    let head = b"PUT /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
    let mut client = world.client_sending(head);
    let ticket = world.seen.ticket();
    // A byte every two seconds, of which one is spent waiting for the handler: 300 bytes in all.
    let mut bytes = 0;
    while client.state() == State::Open {
        assert!(bytes < 302, "the request timeout does not hold");
        world.pass(secs(1));
        if client.send_some(b"x") == 0 || client.state() != State::Open {
            break;
        }
        bytes += 1;
        world.pass(secs(1));
        world.server.wake(ticket, world.now);
    }
    assert!(bytes >= 298, "{bytes}");
    assert_eq!(client.text(), TIMEOUT);
}

#[test]
fn a_refused_upload_reads_the_whole_413_and_a_fin() {
    let mut world = World::new();
    let head = b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n";
    let mut client = world.client_sending(head);
    let chunk = vec![b'x'; 32 * 1024];
    // The client goes on sending for a while, as clients do, and then notices.
    for _ in 0..4 {
        client.send_some(&chunk);
        world.settle();
    }
    assert_eq!(client.state(), State::End, "a FIN and no reset");
    assert!(client.text().starts_with("HTTP/1.1 413 Content Too Large\r\n"), "{}", client.text());
    assert!(client.text().ends_with("too large"));
    client.shut_down_writing();
    world.settle();
    world.assert_empty();
}

#[test]
fn beyond_the_budget_of_lingering_the_peer_is_held_back_and_not_reset() {
    // A FIN is seen behind what still fits into the kernel's buffers.
    for (chunks, leaves) in [(4, true), (32, false)] {
        let mut world = World::with(|_, limits| limits.linger_bytes = 64 * 1024);
        let head = b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n";
        let mut client = world.client_sending(head);
        let chunk = vec![b'x'; 32 * 1024];
        for _ in 0..chunks {
            client.send_some(&chunk);
            world.settle();
        }
        assert_eq!(client.state(), State::End, "a FIN and no reset");
        assert!(client.text().ends_with("too large"));
        let info = world.server.iter(world.now).next().expect("it lingers");
        assert!(info.bytes_in <= 128 * 1024, "{} bytes", info.bytes_in);
        if leaves {
            drop(client);
            world.settle();
            assert_eq!(world.seen.causes(), [Cause::Handler], "noticed at once");
        } else {
            world.pass(secs(7));
            assert_eq!(world.seen.causes(), [Cause::Linger]);
        }
        world.assert_empty();
    }
}

#[test]
fn a_body_that_was_there_is_served_however_late_the_handler_reads_it() {
    let mut world = World::with(|_, limits| limits.min_body_rate = 0);
    let head = b"PUT /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n";
    let mut client = world.client_sending(head);
    let ticket = world.seen.ticket();
    let mut left = vec![b'x'; 4_000_000];
    for _ in 0..1000 {
        let sent = client.send_some(&left);
        left.drain(..sent);
        // The handler takes a piece every ten seconds, for much longer than the request timeout.
        world.pass(secs(10));
        world.server.wake(ticket, world.now);
        world.settle();
        if client.answers() == 1 {
            break;
        }
    }
    assert_eq!(client.answers(), 1, "{} bytes are left with the client", left.len());
    assert!(world.elapsed() > secs(600), "{:?}", world.elapsed());
}

#[test]
fn a_response_that_streams_while_the_body_stalls_is_cut_without_a_408() {
    let mut world = World::with(|_, limits| limits.min_body_rate = 0);
    let head = b"PUT /both HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf";
    let mut client = world.client_sending(head);
    assert!(client.text().contains("Transfer-Encoding: chunked\r\n"), "{}", client.text());
    world.pass(secs(299));
    assert_eq!(client.state(), State::Open);
    world.pass(secs(3));
    assert_eq!(client.state(), State::End);
    let text = client.text();
    assert!(!text.contains("408") && !text.ends_with("0\r\n\r\n"), "{text}");
    client.shut_down_writing();
    world.settle();
    assert_eq!(world.seen.causes(), [Cause::Body]);
}

#[test]
fn who_is_answered_early_and_never_ends_the_body_reads_one_response_and_the_end() {
    let mut world = World::new();
    let head = b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf";
    let mut client = world.client_sending(head);
    let answer = client.text();
    assert!(answer.ends_with("too large"), "{answer}");
    world.pass(secs(400));
    assert_eq!((client.state(), client.text()), (State::End, answer), "and nothing after it");
    world.assert_empty();
}

#[test]
fn a_body_that_is_cut_off_halfway_ends_its_connection_only_however_that_comes() {
    let half = b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf";
    let pipelined = [b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n", &half[..]].concat();
    let cut_off = |request: &[u8], cut: fn(&mut World, Client) -> Option<Client>| {
        let mut world = World::new();
        let mut other = world.client_sending(GET);
        let client = world.client_sending(request);
        let before = world.server.stats().requests;
        let client = cut(&mut world, client);
        world.settle();
        assert_eq!(world.server.stats().requests, before, "what was asked stays asked");
        assert_eq!(world.server.stats().latency.count(), 1, "and was not answered");
        // Whoever is left is served, or has been told to go.
        other.send(GET);
        world.settle();
        drop((client, other));
        world.settle();
    };
    for request in [&half[..], &pipelined[..]] {
        cut_off(request, |world, client| {
            client.reset();
            world.settle();
            assert_eq!(world.seen.causes(), [Cause::PeerReset]);
            None
        });
        cut_off(request, |world, client| {
            let youngest =
                world.server.iter(world.now).min_by_key(|it| it.requests == 1 && it.bytes_out > 0);
            assert!(world.server.close_connection(youngest.expect("two").id, world.now));
            assert_eq!(world.seen.causes(), [Cause::Handler]);
            Some(client)
        });
        cut_off(request, |world, client| {
            world.server.close_all(world.now);
            assert_eq!(world.seen.causes(), [Cause::Drain; 2]);
            Some(client)
        });
        cut_off(request, |world, client| {
            world.server.close(secs(1), world.now);
            world.pass(secs(3));
            assert_eq!(world.server.report().expect("it was closed").forced, 1);
            Some(client)
        });
    }
}

// Responses.

#[test]
fn pipelined_responses_come_in_order_whatever_the_handlers_order() {
    let mut world = World::new();
    let later = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3);
    let mut client = world.client_sending(later.as_bytes());
    let tickets: Vec<_> = (0..3).map(|_| world.seen.ticket()).collect();
    for (ticket, body) in tickets.iter().zip(["1", "2", "3"]).rev() {
        let response = netserver::Response::new(netserver::Status::OK).body(body.as_bytes());
        assert!(world.server.answer(*ticket, world.now, |_, reply| reply.send(response)));
    }
    world.settle();
    let bodies: Vec<_> =
        client.text().split("\r\n\r\n").skip(1).map(|s| s[..1].to_owned()).collect();
    assert_eq!(bodies, ["1", "2", "3"]);
    assert!(!world.server.wake(tickets[0], world.now), "a ticket is good for one answer");
}

#[test]
fn an_error_does_not_overtake_the_response_before_it() {
    for second in ["GET /x HTTP/1.1\r\nBad Field: x\r\n\r\n", "GET /x HT"] {
        let mut world = World::new();
        let request = format!("GET /later HTTP/1.1\r\nHost: a\r\n\r\n{second}");
        let mut client = world.client_sending(request.as_bytes());
        if second.ends_with("HT") {
            world.pass(secs(62));
        }
        assert_eq!(client.text(), "", "response 1 is owed first");
        let ticket = world.seen.ticket();
        let answer = netserver::Response::new(netserver::Status::OK).body(b"ok");
        assert!(world.server.answer(ticket, world.now, |_, reply| reply.send(answer)));
        world.settle();
        let text = client.text();
        let (first, rest) = text.split_at(text.find("\r\n\r\nok").expect("response 1") + 6);
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        let error = if second.ends_with("HT") { TIMEOUT } else { BAD_REQUEST };
        assert_eq!(rest, error, "and then the error to {second:?}");
        assert_eq!(client.state(), State::End);
    }
}

#[test]
fn a_client_that_half_closes_is_answered() {
    let mut world = World::new();
    let mut client = world.client_sending(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    client.shut_down_writing();
    world.settle();
    assert_eq!(client.state(), State::Open);
    let ticket = world.seen.ticket();
    let answer = netserver::Response::new(netserver::Status::OK).body(b"late");
    assert!(world.server.answer(ticket, world.now, |_, reply| reply.send(answer)));
    world.settle();
    assert!(client.text().ends_with("late"));
    assert_eq!(client.state(), State::End);
    world.assert_empty();
}

#[test]
fn a_reader_that_stalls_is_cut_off_by_the_write_timeout_and_bounded_until_then() {
    let mut world = World::new();
    let client = world.client_sending(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    world.pass(secs(59));
    let sent = world.server.stats().bytes_out;
    assert!(sent < 16 << 20, "only what the sockets hold: {sent}");
    assert_eq!(world.server.connections(), 1);
    world.pass(secs(3));
    assert_eq!(world.seen.causes(), [Cause::WriteStall]);
    world.assert_empty();
    drop(client);
}

#[test]
fn ten_thousand_pipelined_requests_of_a_client_that_never_reads_are_not_read_for_ever() {
    let mut world = World::new();
    let mut client = world.client();
    let body = "x".repeat(4096);
    let request =
        format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let burst = request.repeat(10_000);
    let mut sent = 0;
    for _ in 0..1000 {
        sent += client.send_some(&burst.as_bytes()[sent..]);
        world.settle();
    }
    assert!(sent < burst.len(), "the client is held back");
    let stalled = world.server.iter(world.now).next().expect("it is there");
    // Of what was read, all but what is under way has been answered; and what is under way is
    // bounded: one read, and what may wait to be written.
    let (taken, given) = (stalled.bytes_in, stalled.bytes_out);
    assert!(taken - given < 256 * 1024, "{taken} bytes in, {given} out");
    assert_eq!(stalled.phase, Phase::Write);
    world.pass(secs(59));
    let later = world.server.iter(world.now).next().expect("it is there still");
    assert_eq!((later.bytes_in, later.bytes_out), (taken, given), "nothing is read meanwhile");
    world.pass(secs(3));
    assert_eq!(world.seen.causes(), [Cause::WriteStall]);
    world.assert_empty();
}

#[test]
fn ten_thousand_pipelined_requests_that_are_answered_as_they_come_are_all_answered() {
    let mut world = World::new();
    let mut client = world.client();
    let burst = GET.repeat(10_000);
    let (mut sent, mut answers) = (0, 0);
    while answers < 10_000 {
        sent += client.send_some(&burst[sent..]);
        let turned = world.turn();
        answers = client.answers();
        assert!(turned || answers == 10_000, "{answers} answers, and nothing to do");
    }
    assert_eq!(sent, burst.len());
}

#[test]
fn a_handler_that_does_not_answer_is_answered_for_at_the_deadline_that_it_can_see() {
    let later = b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut world = World::with(|timeouts, _| timeouts.handler = secs(20));
    let mut client = world.client_sending(later);
    assert_eq!(world.seen.deadlines(), [Some(world.now + secs(20))]);
    world.pass(millis(19_900));
    assert_eq!(client.text(), "");
    world.pass(millis(1_200));
    let said = "HTTP/1.1 503 Service Unavailable\r\nDate: <D>\r\nConnection: close\r\n\r\n";
    assert_eq!((client.state(), client.text().as_str()), (State::End, said));
    assert!(!world.server.wake(world.seen.ticket(), world.now), "its ticket is stale");

    let mut world = World::new();
    let mut client = world.client_sending(later);
    assert_eq!(world.seen.deadlines(), [None], "off by default");
    world.pass(secs(3600));
    assert_eq!((client.state(), client.text().as_str()), (State::Open, ""));
}

#[test]
fn a_panic_of_the_handler_ends_one_connection_only() {
    let mut world = World::new();
    let mut other = world.client_sending(GET);
    let mut client = world.client_sending(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.text().starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
    assert_eq!(client.state(), State::End);
    other.send(GET);
    world.settle();
    assert_eq!(other.answers(), 2);
}

#[test]
fn a_reply_that_is_dropped_is_a_500() {
    let mut world = World::new();
    let mut client = world.client_sending(b"GET /drop HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.text().starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
}

// Keep-alive.

#[test]
fn an_idle_connection_is_closed_in_silence_a_second_after_it_was_told() {
    let mut world = World::new();
    let mut client = world.client_sending(GET);
    assert_eq!(client.text(), OK);
    world.pass(millis(5_900));
    assert_eq!(client.state(), State::Open);
    world.pass(millis(1_200));
    assert_eq!((client.state(), client.text().as_str()), (State::End, OK));
    assert_eq!(world.seen.causes(), [Cause::Idle]);
    world.assert_empty();
}

#[test]
fn what_is_told_of_keep_alive_is_whole_seconds_and_kept_for_one_more() {
    let cases = [
        (0, None, None),
        (900, None, Some(1_900)),
        (1_000, Some("1"), Some(2_000)),
        (2_900, Some("2"), Some(3_900)),
    ];
    for (keep_alive, told, closed_after) in cases {
        let mut world = World::with(|timeouts, _| timeouts.keep_alive = millis(keep_alive));
        let mut client = world.client_sending(GET);
        let text = client.text();
        assert!(text.contains("\r\nConnection: keep-alive\r\n"), "{text}");
        let field = text.lines().find_map(|line| line.strip_prefix("Keep-Alive: timeout="));
        assert_eq!(field, told, "{keep_alive} ms");
        world.pass(millis(closed_after.unwrap_or(3_600_000) - 10));
        assert_eq!(client.state(), State::Open, "{keep_alive} ms");
        world.pass(millis(1_020));
        let after = if closed_after.is_some() { State::End } else { State::Open };
        assert_eq!(client.state(), after, "{keep_alive} ms");
    }
}

#[test]
fn empty_lines_do_not_keep_an_idle_connection() {
    let mut world = World::new();
    let mut client = world.client_sending(GET);
    for _ in 0..6 {
        client.send(b"\r\n");
        world.pass(secs(1));
    }
    world.pass(millis(1_100));
    assert_eq!((client.state(), client.text().as_str()), (State::End, OK));
}

#[test]
fn a_partial_second_head_gets_408_not_silence() {
    let mut world = World::new();
    let mut client = world.client_sending(GET);
    client.send(b"GET /second HTTP/1.1\r\nHos");
    world.pass(secs(10));
    assert_eq!(client.state(), State::Open, "it is not idle");
    world.pass(secs(52));
    assert_eq!(client.text(), format!("{OK}{TIMEOUT}"));
    assert_eq!(client.state(), State::End);
}

#[test]
fn what_arrived_while_the_loop_was_blocked_is_served() {
    let mut world = World::new();
    let mut idle = world.client_sending(GET);
    let mut halfway = world.client_sending(b"GET / HTTP/1.1\r\n");
    idle.send(GET);
    halfway.send(b"Host: a\r\n\r\n");
    world.block(secs(100));
    // This turn comes before the poll has told of the bytes.
    world.timers.advance(world.now);
    while let Some(expiry) = world.timers.pop_expired() {
        assert!(world.server.on_timer(expiry.handle, world.now));
    }
    world.server.turn(&mut world.timers, world.now);
    world.settle();
    assert_eq!((idle.answers(), halfway.answers()), (2, 1));
    assert_eq!(world.server.stats().rescued, 2);
}

// Draining.

#[test]
fn closing_ends_what_is_idle_and_waits_for_what_is_not() {
    let mut world = World::new();
    let mut silent = world.client();
    let mut idle = world.client_sending(GET);
    let mut busy = world.client_sending(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut half = world.client_sending(b"GET / HTTP/1.1\r\nHost:");
    let address = world.address();
    world.server.close(secs(10), world.now);
    world.settle();
    assert!(std::net::TcpListener::bind(address).is_ok(), "the port is free at once");
    assert_eq!((silent.state(), idle.state()), (State::End, State::End));
    assert_eq!((busy.state(), half.state()), (State::Open, State::Open));
    assert_eq!(world.timers.len(), 1, "deadlines stay enforced");

    half.send(b" a\r\n\r\n");
    let ticket = world.seen.ticket();
    let answer = netserver::Response::new(netserver::Status::OK).body(b"ok");
    assert!(world.server.answer(ticket, world.now, |_, reply| reply.send(answer)));
    world.settle();
    for client in [&mut busy, &mut half] {
        assert!(client.text().contains("Connection: close\r\n"), "{}", client.text());
        assert_eq!(client.state(), State::End);
    }
    assert!(world.server.is_closed());
    let report = world.server.report().expect("it was closed");
    assert_eq!((report.finished, report.forced), (4, 0));
    assert_eq!((world.timers.len(), world.server.timer_entries()), (0, 0));
    world.assert_empty();
}

#[test]
fn the_grace_period_ends_what_is_stuck() {
    let mut world = World::new();
    let mut stuck = world.client_sending(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    world.server.close(secs(10), world.now);
    world.pass(millis(9_900));
    assert!(!world.server.is_closed());
    world.pass(millis(1_200));
    assert_ne!(stuck.state(), State::Open);
    let report = world.server.report().expect("it was closed");
    assert_eq!((report.finished, report.forced), (0, 1));
    assert_eq!(world.timers.len(), 0);
    world.assert_empty();
    assert!(!world.server.wake(world.seen.ticket(), world.now), "its ticket is stale");
}

#[test]
fn deadlines_hold_while_draining() {
    let mut world = World::new();
    let mut half = world.client_sending(b"GET / HTTP/1.1\r\nHost:");
    world.server.close(secs(1000), world.now);
    world.pass(secs(62));
    assert_eq!((half.state(), half.text().as_str()), (State::End, TIMEOUT));
    drop(half);
    world.pass(secs(1));
    assert!(world.server.is_closed());
    assert_eq!(world.timers.len(), 0);
}

// The exact check.

#[test]
fn an_exact_check_comes_with_the_deadline_and_is_not_armed_without_connections() {
    let mut world = World::with(|timeouts, _| timeouts.check = ConnectionCheck::Exact);
    assert_eq!((world.timers.len(), world.server.timer_entries()), (0, 0));
    let mut silent = world.client();
    assert_eq!((world.timers.len(), world.server.timer_entries()), (1, 1));
    let mut idle = world.client_sending(GET);
    assert_eq!(world.timers.len(), 1, "one entry, however many connections");
    world.pass(millis(5_999));
    assert_eq!(idle.state(), State::Open);
    world.pass(millis(4));
    assert_eq!((idle.state(), idle.text().as_str()), (State::End, OK));
    world.pass(millis(59_999 - 6_003));
    assert_eq!(silent.state(), State::Open);
    world.pass(millis(4));
    assert_eq!((silent.state(), silent.text().as_str()), (State::End, TIMEOUT));
    drop(silent);
    world.settle();
    assert_eq!(world.timers.len(), 0, "nobody is left");
    world.assert_empty();
}

#[test]
fn an_exact_check_costs_no_timer_operation_per_request() {
    let mut world = World::with(|timeouts, _| timeouts.check = ConnectionCheck::Exact);
    let mut client = world.client_sending(GET);
    let before = world.timers.counters();
    for _ in 0..500 {
        client.send(GET);
        world.pass(millis(1));
    }
    assert_eq!(client.answers(), 501);
    let after = world.timers.counters();
    assert_eq!(
        (after.armed, after.rescheduled_earlier + after.rescheduled_later),
        (before.armed, before.rescheduled_earlier + before.rescheduled_later)
    );
}

#[test]
fn an_exact_check_ends_a_drain_on_time() {
    let mut world = World::with(|timeouts, _| timeouts.check = ConnectionCheck::Exact);
    let stuck = world.client_sending(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    world.server.close(secs(10), world.now);
    world.pass(millis(9_998));
    assert!(!world.server.is_closed());
    world.pass(millis(5));
    assert!(world.server.is_closed());
    assert_eq!((world.timers.len(), world.server.timer_entries()), (0, 0));
    drop(stuck);
}

/// Found by the simulation: the server counted its requests down, and failed.
#[test]
fn a_reset_in_the_middle_of_a_body_ends_that_connection_alone() {
    let mut world = World::new();
    let body = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart";
    let client = world.client_sending(body);
    client.reset();
    world.settle();
    assert_eq!(world.seen.causes(), [Cause::PeerReset]);
    assert_eq!((world.server.connections(), world.server.stats().requests), (0, 1));
    assert_eq!(world.client_sending(GET).text(), OK);
}
