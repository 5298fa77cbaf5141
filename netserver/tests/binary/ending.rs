//! How it ends.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::process::{Binary, LIMIT, SLACK, field};

#[test]
fn sigterm_lets_a_request_under_way_finish_and_says_goodbye() {
    for signal in ["TERM", "INT"] {
        let mut binary = Binary::start(&[]);
        let (mut busy, mut silent) = (binary.client(), binary.client());
        busy.send("GET /slow?ms=400 HTTP/1.1\r\nHost: a\r\n\r\n");
        // It has been taken up once the status says so.
        while !binary.ask("GET /status.json").contains(r#""handler":1"#) {
            assert!(busy.started.elapsed() < LIMIT, "the request is not taken up");
        }
        binary.signal(signal);
        assert_eq!(silent.rest(), "", "who has asked for nothing is let go at once");
        assert!(busy.started.elapsed() < Duration::from_millis(390) + SLACK);
        let response = busy.rest();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert_eq!(field(&response, "Connection"), Some("close"));
        assert_eq!(binary.ended().code(), Some(0));
        assert!(TcpStream::connect(binary.address).is_err(), "the port is free");
    }
}

#[test]
fn grace_ends_and_a_second_signal_does_not_wait_for_it() {
    for (grace, signals) in [("100ms", 1), ("1h", 2)] {
        let mut binary = Binary::start(&["--grace", grace, "--threads", "2"]);
        let mut stuck = binary.client();
        stuck.send("GET /slow?ms=3600000 HTTP/1.1\r\nHost: a\r\n\r\n");
        while !binary.ask("GET /status.json").contains(r#""handler":1"#) {
            assert!(stuck.started.elapsed() < LIMIT, "the request is not taken up");
        }
        for _ in 0..signals {
            binary.signal("TERM");
            // Signals that come together are one.
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(binary.ended().code(), Some(0), "grace {grace}");
    }
}
