//! Deadlines in real time.

use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Binary, SLACK, field};

fn assert_is_408(response: &str) {
    let date = field(response, "Date").expect(response);
    assert_eq!(date.len(), "Sun, 06 Nov 1994 08:49:37 GMT".len());
    assert_eq!(
        response,
        format!("HTTP/1.1 408 Request Timeout\r\nDate: {date}\r\nConnection: close\r\n\r\n")
    );
}

#[test]
fn who_is_silent_and_who_trickles_is_told_408_within_the_check_interval() {
    let flags = ["--headers-timeout", "400ms", "--connections-checking-interval", "100ms"];
    let binary = Binary::start(&flags);
    let mut silent = binary.client();
    let mut trickling = binary.client();
    let mut writer = trickling.stream.try_clone().expect("a clone");
    let trickle = thread::spawn(move || {
        // Until the server has had enough; at most some 20 s.
        for byte in b"GET /plaintext HTTP/1.1\r\nX-Field: ".iter().chain(&[b'x'; 400]) {
            thread::sleep(Duration::from_millis(50));
            if writer.write_all(&[*byte]).is_err() {
                return;
            }
        }
    });
    for client in [&mut silent, &mut trickling] {
        assert_is_408(&client.rest());
        let after = client.started.elapsed();
        let (earliest, latest) = (Duration::from_millis(400), Duration::from_millis(500) + SLACK);
        assert!((earliest..latest).contains(&after), "408 after {after:?}");
    }
    trickling.stream.shutdown(Shutdown::Both).expect("a connected socket");
    trickle.join().expect("the writer ends");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let flags = ["--keep-alive-timeout", "100ms", "--connections-checking-interval", "50ms"];
    let binary = Binary::start(&flags);
    let mut client = binary.client();
    client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
    let (head, _) = client.response();
    assert_eq!(field(&head, "Connection"), Some("keep-alive"));
    assert_eq!(field(&head, "Keep-Alive"), None, "less than a second cannot be said");
    let idle = Instant::now();
    assert_eq!(client.rest(), "");
    // A second longer than said, so that a client that sends at the last moment is served.
    let after = idle.elapsed();
    assert!((Duration::from_millis(1_090)..Duration::from_millis(1_150) + SLACK).contains(&after));
}

#[test]
fn an_upload_that_is_refused_can_read_why() {
    let binary = Binary::start(&["--max-body-size", "1KiB"]);
    let mut client = binary.client();
    client.send("PUT /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n");
    let mut writer = client.stream.try_clone().expect("a clone");
    let upload = thread::spawn(move || {
        for _ in 0..4000 {
            if writer.write_all(&[0; 10_000]).is_err() {
                return;
            }
        }
    });
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 413 ") && head.contains("Connection: close"), "{head}");
    assert_eq!(client.rest(), "", "and then FIN");
    upload.join().expect("the upload ends");
}
