//! The `netserver` binary from outside: its routes, its deadlines in real time, how it ends, and
//! how it refuses to start.

#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// No wait of these tests is longer, whatever breaks.
const LIMIT: Duration = Duration::from_secs(20);

/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_millis(500);

/// A running binary; killed if it has not ended by itself.
struct Binary {
    child: Child,
    address: SocketAddr,
}

impl Binary {
    fn start(flags: &[&str]) -> Self {
        let mut child = command(&[&["--listen", "127.0.0.1:0"], flags].concat())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://").expect(&line);
        Self { address: address.parse().expect(address), child }
    }

    fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("not zero");
        stream.set_write_timeout(Some(LIMIT)).expect("not zero");
        Client { stream, started: Instant::now() }
    }

    /// The response to one request on a connection of its own.
    fn ask(&self, request: &str) -> String {
        let mut client = self.client();
        client.send(format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        client.rest()
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status().expect("kill");
        assert!(status.success());
    }

    fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of this process") {
                return status;
            }
            assert!(started.elapsed() < LIMIT, "the binary does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // Fails if it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client {
    stream: TcpStream,
    started: Instant,
}

impl Client {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// All that comes until the server ends its side. A reset fails the test.
    fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).expect("an end, and no reset");
        String::from_utf8(bytes).expect("text")
    }

    /// One response with a `Content-Length`: head and body.
    fn response(&mut self) -> (String, Vec<u8>) {
        let head = self.head();
        let length = field(&head, "Content-Length").expect(&head).parse().expect("a number");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("the body");
        (head, body)
    }

    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("a whole head");
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("text")
    }

    /// The content of a chunked body.
    fn chunks(&mut self) -> Vec<Vec<u8>> {
        let mut reader = BufReader::new(&mut self.stream);
        let mut chunks = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a chunk's size");
            let size = usize::from_str_radix(line.trim_end(), 16).expect(&line);
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).expect("a chunk");
            assert!(chunk.ends_with(b"\r\n"));
            chunk.truncate(size);
            if size == 0 {
                return chunks;
            }
            chunks.push(chunk);
        }
    }
}

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netserver"));
    command.args(flags).stdin(Stdio::null());
    command
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn assert_is_408(response: &str) {
    let date = field(response, "Date").expect(response);
    assert_eq!(date.len(), "Sun, 06 Nov 1994 08:49:37 GMT".len());
    assert_eq!(
        response,
        format!("HTTP/1.1 408 Request Timeout\r\nDate: {date}\r\nConnection: close\r\n\r\n")
    );
}

#[test]
fn every_route_answers_as_the_table_says() {
    let binary = Binary::start(&[]);
    let cases = [
        ("GET /plaintext", "200 OK", "text/plain", "Hello, World!"),
        ("GET /json", "200 OK", "application/json", r#"{"message":"Hello, World!"}"#),
        ("GET /slow?ms=1", "200 OK", "text/plain", ""),
        ("GET /status.json", "200 OK", "application/json", r#""requests":"#),
        ("GET /", "200 OK", "text/html; charset=utf-8", "/status.json"),
        ("GET /stream?chunks=2&size=3", "200 OK", "text/plain", "3\r\n...\r\n3\r\n...\r\n0\r\n"),
        ("GET /stream?chunks=many", "400 Bad Request", "text/plain", "chunks"),
        ("GET /slow?ms=-1", "400 Bad Request", "text/plain", "ms"),
        ("GET /nowhere", "404 Not Found", "text/plain", ""),
        ("BREW /plaintext", "501 Not Implemented", "text/plain", ""),
    ];
    for (request, status, content_type, body) in cases {
        let response = binary.ask(request);
        assert!(response.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {response}");
        assert_eq!(field(&response, "Content-Type"), Some(content_type), "{request}");
        assert!(response.contains(body), "{request}: {response}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let binary = Binary::start(&[]);
    for path in ["/", "/plaintext", "/json", "/stream", "/slow?ms=1", "/status.json", "/nowhere"] {
        let (get, head) = (binary.ask(&format!("GET {path}")), binary.ask(&format!("HEAD {path}")));
        let (get, body) = get.split_once("\r\n\r\n").expect(path);
        assert!(!body.is_empty() && head.ends_with("\r\n\r\n"), "{path}: {head}");
        let head = head.trim_end();
        for name in ["Content-Type", "Content-Length", "Transfer-Encoding", "Connection"] {
            // What the status says has grown by a request.
            if (path, name) != ("/status.json", "Content-Length") {
                assert_eq!(field(head, name), field(get, name), "{path}");
            }
        }
        assert_eq!(head.lines().next(), get.lines().next(), "{path}");
    }
}

#[test]
fn another_method_on_a_known_path_is_told_what_is_allowed() {
    let binary = Binary::start(&[]);
    let cases = [
        ("DELETE /plaintext", "GET, HEAD"),
        ("OPTIONS /json", "GET, HEAD"),
        ("GET /echo", "POST, PUT"),
    ];
    for (request, allow) in cases {
        let response = binary.ask(request);
        assert!(response.starts_with("HTTP/1.1 405 "), "{request}: {response}");
        assert_eq!(field(&response, "Allow"), Some(allow));
    }
}

#[test]
fn echo_gives_back_what_comes_in_chunks_with_its_type() {
    let binary = Binary::start(&[]);
    let mut client = binary.client();
    let body: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_be_bytes).collect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: image/x\r\n");
    client.send("Transfer-Encoding: chunked\r\n\r\n");
    let mut sender = Client { stream: client.stream.try_clone().expect("a clone"), ..client };
    let sending = thread::spawn({
        let body = body.clone();
        move || {
            for chunk in body.chunks(10_000) {
                sender.send(format!("{:x}\r\n", chunk.len()));
                sender.send(chunk);
                sender.send("\r\n");
            }
            sender.send("0\r\n\r\n");
        }
    });
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(field(&head, "Content-Type"), Some("image/x"));
    assert_eq!(field(&head, "Transfer-Encoding"), Some("chunked"));
    assert!(client.chunks().concat() == body, "the body comes back");
    sending.join().expect("all was sent");
    // A small one is answered whole, on the same connection.
    client.send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nsmall");
    let (head, body) = client.response();
    assert_eq!(field(&head, "Content-Type"), Some("application/octet-stream"));
    assert_eq!(body, b"small");
}

#[test]
fn a_stream_has_as_many_chunks_as_asked_for() {
    let binary = Binary::start(&[]);
    let mut client = binary.client();
    client.send("GET /stream?chunks=1000&size=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(field(&client.head(), "Transfer-Encoding"), Some("chunked"));
    let chunks = client.chunks();
    assert_eq!(chunks.len(), 1000);
    assert!(chunks.iter().all(|chunk| chunk.len() == 1000));
}

#[test]
fn pipelined_requests_are_answered_in_order_and_the_connection_is_kept() {
    let binary = Binary::start(&[]);
    let mut client = binary.client();
    client.send("GET /slow?ms=80 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send("GET /slow?ms=1 HTTP/1.1\r\nHost: a\r\n\r\nGET /json HTTP/1.1\r\nHost: a\r\n\r\n");
    let started = client.started;
    let bodies = [client.response().1, client.response().1, client.response().1];
    assert!(started.elapsed() >= Duration::from_millis(80));
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[2], br#"{"message":"Hello, World!"}"#);
    for _ in 0..100 {
        client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, body) = client.response();
        assert_eq!(field(&head, "Keep-Alive"), Some("timeout=5"));
        assert_eq!(body, b"Hello, World!");
    }
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

#[test]
fn several_loops_share_an_address_and_are_counted_together() {
    let binary = Binary::start(&["--threads", "3"]);
    for _ in 0..30 {
        assert!(binary.ask("GET /plaintext").ends_with("Hello, World!"));
    }
    // A loop publishes its counts after the turn in which it answered.
    let started = Instant::now();
    loop {
        let status = binary.ask("GET /status.json");
        let (_, json) = status.split_once("\r\n\r\n").expect("a body");
        let status: serde_json::Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(status["loops"], 3);
        assert!(status["timers"]["armed"].as_u64() <= Some(3), "one check for each: {status}");
        if status["connections"]["accepted"].as_u64() >= Some(31)
            && status["requests"].as_u64() >= Some(30)
            && status["connections"]["closed"].as_object().is_some()
        {
            return;
        }
        assert!(started.elapsed() < LIMIT, "{status}");
    }
}

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

/// Runs a command line that must not start; the line it gives as the reason.
fn refusal(flags: &[&str]) -> String {
    let Output { status, stdout, stderr } = command(flags).output().expect("it runs");
    let stderr = String::from_utf8(stderr).expect("text");
    assert!(status.code().is_some_and(|code| code != 0), "{flags:?}: {status}");
    assert!(stdout.is_empty(), "{flags:?}");
    assert_eq!(stderr.lines().count(), 1, "{flags:?}: {stderr}");
    assert!(stderr.starts_with("netserver: "), "{flags:?}: {stderr}");
    stderr
}

#[test]
fn a_mistake_is_one_line_on_stderr_and_a_failure() {
    let cases: [(&[&str], &str); 9] = [
        (&["--frobnicate"], "--frobnicate"),
        (&["--headers-timeout", "soon"], "soon"),
        (&["--headers-timeout"], "--headers-timeout"),
        (&["--grace", "5"], "5"),
        (&["--max-header-size", "16kb"], "16kb"),
        (&["--listen", "nowhere"], "nowhere"),
        (&["--threads", "0"], "0"),
        (&["--headers-timeout", "10s", "--request-timeout", "5s"], "--headers-timeout is 10s"),
        (&["--connections-checking-interval", "0"], "--connections-checking-interval is 0s"),
    ];
    for (flags, names) in cases {
        let line = refusal(flags);
        assert!(line.contains(names), "{flags:?}: {line}");
    }
}

#[test]
fn a_taken_port_is_one_line_on_stderr_and_a_failure() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let sharing = Binary::start(&["--threads", "2"]);
    let shared = sharing.address.to_string();
    for (address, threads) in [(&address, "1"), (&address, "2"), (&shared, "1"), (&shared, "2")] {
        let line = refusal(&["--listen", address, "--threads", threads]);
        assert!(line.contains(address.as_str()), "{line}");
    }
}
