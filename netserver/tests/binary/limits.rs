//! The flags that limit what clients may do.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Binary, LIMIT, field};

const GET: &str = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";

/// The status of the answer to this, by a binary with this flag, on a connection of its own.
fn status(flag: [&str; 2], request: &str) -> String {
    let binary = Binary::start(&flag);
    let mut client = binary.client();
    client.send(request);
    let head = client.head();
    head["HTTP/1.1 ".len()..][..3].to_owned()
}

#[test]
fn each_limit_of_a_message_is_kept_and_what_is_within_it_is_served() {
    let with_fields = |fields: &str| format!("GET /plaintext HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let with_body = |length: usize| {
        let body = "x".repeat(length);
        format!("GET /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let long_field = with_fields(&format!("X: {}\r\n", "y".repeat(256)));
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(256));
    let cases = [
        (["--max-header-size", "256"], long_field.clone(), "431"),
        (["--max-header-size", "256"], long_target, "414"),
        (["--max-header-size", "1KiB"], long_field, "200"),
        (["--max-headers-count", "2"], with_fields("X: 1\r\nX: 2\r\n"), "431"),
        (["--max-headers-count", "3"], with_fields("X: 1\r\nX: 2\r\n"), "200"),
        (["--max-body-size", "4B"], with_body(5), "413"),
        (["--max-body-size", "4B"], with_body(4), "200"),
        (["--max-body-size", "0"], with_body(1), "413"),
        (["--max-body-size", "0"], with_body(0), "200"),
    ];
    for (flag, request, expected) in cases {
        assert_eq!(status(flag, &request), expected, "{flag:?} {request}");
    }
}

#[test]
fn the_last_request_of_a_socket_is_told_so_and_is_the_last() {
    let binary = Binary::start(&["--max-requests-per-socket", "2"]);
    let mut client = binary.client();
    client.send(GET.repeat(3));
    let heads = [client.response().0, client.response().0];
    let said = heads.each_ref().map(|head| field(head, "Connection"));
    assert_eq!(said, [Some("keep-alive"), Some("close")]);
    assert_eq!(client.rest(), "", "the third is not run");
}

#[test]
fn a_connection_too_many_is_closed_and_counted_and_there_is_room_when_another_goes() {
    let binary = Binary::start(&["--max-connections", "1", "--threads", "2"]);
    let mut first = binary.client();
    first.send(GET);
    assert_eq!(first.response().1, b"Hello, World!");
    let mut second = binary.client();
    assert_eq!(second.rest(), "");
    // Loops publish what they count a moment later.
    until(|| {
        first.send("GET /status.json HTTP/1.1\r\nHost: a\r\n\r\n");
        let status: serde_json::Value = serde_json::from_slice(&first.response().1).expect("JSON");
        status["connections"]["closed"]["over_limit"] == 1 && status["connections"]["refused"] == 1
    });
    drop(first);
    until(|| {
        let mut client = binary.client();
        // One that is turned away finds an end, or a reset if it was quick to send.
        let mut answer = String::new();
        let asked =
            client.stream.write_all(GET.replace("Host", "Connection: close\r\nHost").as_bytes());
        let _ = asked.and_then(|()| client.stream.read_to_string(&mut answer));
        answer.starts_with("HTTP/1.1 200 OK\r\n")
    });
}

fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LIMIT, "it does not come to be");
        thread::sleep(Duration::from_millis(2));
    }
}
