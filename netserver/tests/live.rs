//! The live page as an embedder has it: mounted under a path, guarded, bounded.

#![cfg(feature = "live")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netserver::live::{Access, FRAME_BYTES_MAX, LivePage, VIEWERS_MAX};
use netserver::{EventLoop, Handler, LoopHandle, LoopLinks, LoopTimer, Reply, Request, Response};
use netserver::{Server, ServerBuilder, Status, Ticket};
use serde_json::Value;
use timerwheel::Remote;

/// No wait of these tests is longer, whatever breaks.
const LIMIT: Duration = Duration::from_secs(20);

/// The page is under `/debug/live/`; what is under `/put-off` is, for an hour.
struct App {
    live: LivePage,
    remote: Remote<LoopTimer>,
    waiting: Vec<timerwheel::RemoteTimer<LoopTimer>>,
}

impl App {
    fn new(links: LoopLinks, access: Access) -> Self {
        let live = LivePage::new(links.live(), access);
        Self { live, remote: links.remote, waiting: Vec::new() }
    }
}

impl Handler for App {
    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        if let Some(rest) = request.path().strip_prefix("/debug/live/") {
            return self.live.answer(rest, request, reply);
        }
        // Far apart, so that each is in a slot of its own.
        let seconds = 100 + 70 * self.waiting.len() as u64;
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let timer = self.remote.arm(deadline, LoopTimer::Wake(reply.later()));
        self.waiting.extend(timer.ok());
    }

    fn on_wake(&mut self, _: Ticket, reply: Reply<'_>) {
        reply.send(Response::new(Status::OK));
    }
}

/// A loop on a thread of its own, stopped when it is dropped.
struct Running {
    address: SocketAddr,
    handle: LoopHandle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(access: Access) -> Self {
        Self::built(move |links| Server::builder(App::new(links, access)))
    }

    fn built(build: impl FnOnce(LoopLinks) -> ServerBuilder<App> + Send + 'static) -> Self {
        let (sender, started) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let it = EventLoop::bind(([127, 0, 0, 1], 0).into(), build).expect("a free port");
            sender.send((it.local_addr().expect("TCP"), it.handle())).expect("the test waits");
            it.run().expect("it runs");
        });
        let (address, handle) = started.recv_timeout(LIMIT).expect("it starts");
        Self { address, handle, thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("not zero");
        stream
    }

    /// The whole response to a request of this line and these fields, on a connection of its own.
    fn ask(&self, line: &str, fields: &str, body: &str) -> String {
        let mut stream = self.connect();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\n{fields}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn viewer(&self) -> BufReader<TcpStream> {
        let mut stream = self.connect();
        stream
            .write_all(b"GET /debug/live/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("it reads");
        BufReader::new(stream)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the loop has panicked");
    }
}

/// The next frame of a stream of events, and how many bytes it had.
fn frame(viewer: &mut BufReader<TcpStream>) -> (Value, usize) {
    loop {
        let mut line = String::new();
        assert!(viewer.read_line(&mut line).expect("a line in time") > 0, "the stream has ended");
        if let Some(json) = line.strip_prefix("data: ") {
            return (serde_json::from_str(json).expect("JSON"), line.len() + 1);
        }
    }
}

/// Frames until one is as it should be.
fn until(viewer: &mut BufReader<TcpStream>, is: impl Fn(&Value) -> bool) -> (Value, usize) {
    let started = Instant::now();
    loop {
        let (value, bytes) = frame(viewer);
        if is(&value) {
            return (value, bytes);
        }
        assert!(started.elapsed() < LIMIT, "{value}");
    }
}

fn code(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer}"))
}

const HOST: &str = "Host: localhost\r\n";

#[test]
fn it_is_mounted_under_any_path_and_fetches_nothing_beside_it() {
    let it = Running::start(Access::Loopback);
    let page = it.ask("GET /debug/live/", HOST, "");
    assert!(page.contains("\r\nContent-Security-Policy: default-src 'none'; "), "{page}");
    // What it asks for is relative, and answered under the same path.
    for part in ["history", "status.json"] {
        assert!(page.contains(&format!("\"{part}\"")), "{part}");
        let answer = it.ask(&format!("GET /debug/live/{part}"), HOST, "");
        assert!(code(&answer) == "200" && answer.contains("application/json"), "{answer}");
    }
    #[cfg(feature = "metrics")]
    assert!(it.ask("GET /debug/live/metrics", HOST, "").contains("netserver_requests_total"));
    for (line, expected, allow) in [
        ("GET /debug/live/nothing", "404", ""),
        ("POST /debug/live/", "405", "Allow: GET, HEAD"),
        ("POST /debug/live/events", "405", "Allow: GET, HEAD"),
        ("GET /debug/live/close", "405", "Allow: POST"),
        ("GET /debug/live/servers", "405", "Allow: POST"),
    ] {
        let answer = it.ask(line, HOST, "");
        assert!(code(&answer) == expected && answer.contains(allow), "{line}: {answer}");
    }
    let (first, _) = frame(&mut it.viewer());
    assert_eq!((&first["viewers"], &first["status"]["loops"]), (&1.into(), &1.into()));
    let wheel = &first["loops"][0]["wheel"];
    assert_eq!(
        (&wheel["orphans"], &wheel["owners"]["live page"]),
        (&0.into(), &1.into()),
        "{wheel}"
    );
    let listed = wheel["listed"].as_array().expect("a list").iter();
    let sites = listed.flat_map(|it| it["entries"].as_array().into_iter().flatten());
    assert!(sites.clone().any(|it| it["by"].as_str().is_some_and(|by| by.contains("beat.rs:"))));
}

#[test]
fn only_who_is_near_may_look_and_only_the_page_itself_may_act() {
    let it = Running::start(Access::Loopback);
    for (line, fields, expected) in [
        ("GET /debug/live/", "Host: 127.0.0.1\r\n", "200"),
        ("GET /debug/live/", "Host: evil.example\r\n", "403"),
        ("GET /debug/live/events", "Host: evil.example\r\n", "403"),
        ("GET /debug/live/history", "Host: evil.example\r\n", "403"),
        ("GET /debug/live/status.json", "Host: evil.example\r\n", "403"),
        ("POST /debug/live/servers", "Host: evil.example\r\n", "403"),
        ("POST /debug/live/close", "Host: localhost\r\nOrigin: http://evil.example\r\n", "403"),
        ("POST /debug/live/close", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", "403"),
        ("POST /debug/live/close", "Host: localhost\r\nSec-Fetch-Site: same-site\r\n", "403"),
        ("POST /debug/live/close", "Host: localhost\r\nOrigin: http://localhost\r\n", "400"),
        ("POST /debug/live/close", "Host: localhost\r\nSec-Fetch-Site: same-origin\r\n", "400"),
    ] {
        let answer = it.ask(line, fields, "");
        assert_eq!(code(&answer), expected, "{line} {fields}: {answer}");
    }
    let open = Running::start(Access::Any);
    assert_eq!(code(&open.ask("GET /debug/live/", "Host: a.example\r\n", "")), "200");
    let act = open.ask("POST /debug/live/servers", "Host: a.example\r\n", "");
    assert_eq!(code(&act), "403", "buttons remain for loopback");
}

/// A peer elsewhere, as a proxy names it.
#[test]
#[cfg(feature = "proxy-protocol")]
fn a_peer_elsewhere_sees_nothing_unless_it_is_opened_and_never_acts() {
    for (access, looks) in [(Access::Loopback, "403"), (Access::Any, "200")] {
        let it = Running::built(move |links| {
            Server::builder(App::new(links, access)).proxy_protocol(true)
        });
        let ask = |line: &str| {
            let mut stream = it.connect();
            let request = format!(
                "PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n{line} HTTP/1.1\r\nHost: localhost\r\n\
                 Connection: close\r\nContent-Length: 0\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        };
        assert_eq!(code(&ask("GET /debug/live/")), looks, "{access:?}");
        assert_eq!(code(&ask("GET /debug/live/history")), looks, "{access:?}");
        for button in ["close", "servers"] {
            assert_eq!(code(&ask(&format!("POST /debug/live/{button}"))), "403", "{access:?}");
        }
    }
}

#[test]
fn above_the_limit_of_viewers_one_is_turned_away_until_another_has_gone() {
    let it = Running::start(Access::Loopback);
    let mut viewers: Vec<_> = (0..VIEWERS_MAX).map(|_| it.viewer()).collect();
    for viewer in &mut viewers {
        frame(viewer);
    }
    let refused = it.ask("GET /debug/live/events", HOST, "");
    assert!(code(&refused) == "503" && refused.contains("looking at the live page already"));
    drop(viewers.pop());
    let started = Instant::now();
    loop {
        let mut viewer = it.viewer();
        let mut line = String::new();
        viewer.read_line(&mut line).expect("an answer");
        if line.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert!(started.elapsed() < LIMIT, "{line}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn without_viewers_nothing_is_armed() {
    let it = Running::start(Access::Loopback);
    let armed = || {
        let status = it.ask("GET /debug/live/status.json", HOST, "");
        let (_, json) = status.split_once("\r\n\r\n").expect("a response");
        serde_json::from_str::<Value>(json).expect("JSON")["timers"]["armed"].clone()
    };
    let mut viewer = it.viewer();
    until(&mut viewer, |it| it["status"]["timers"]["armed"] == 2);
    drop(viewer);
    let started = Instant::now();
    while armed() != 1 {
        assert!(started.elapsed() < LIMIT, "the beat goes on");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_connection_is_closed_by_its_name_and_of_many_orders_some_are_put_off() {
    let it = Running::start(Access::Loopback);
    let mut victim = it.connect();
    victim.write_all(b"GET /put-off HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    let peer = victim.local_addr().expect("connected").to_string();
    let of_peer = |frame: &Value| {
        let rows = frame["loops"][0]["connections"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row[1] == peer.as_str() && row[2] == "handler")
    };
    let mut viewer = it.viewer();
    let (seen, _) = until(&mut viewer, |frame| of_peer(frame).is_some());
    let name = of_peer(&seen).expect("just seen")[0].as_str().expect("a name").to_owned();
    let answer = it.ask("POST /debug/live/close", HOST, &format!("0 {name}"));
    assert_eq!(code(&answer), "202", "{answer}");
    assert_eq!(victim.read(&mut [0; 10]).expect("an end"), 0, "closed without a word");
    assert_eq!(code(&it.ask("POST /debug/live/close", HOST, "7 0v0")), "400", "no such loop");

    // More than lie on the desk of a loop, in one turn of it; all are of connections long gone.
    let one =
        b"POST /debug/live/close HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n0 99v99";
    let mut stream = it.connect();
    stream.write_all(&one.repeat(400)).expect("it reads");
    stream.shutdown(std::net::Shutdown::Write).expect("connected");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("answers");
    let of = |code: &str| answers.matches(&format!("HTTP/1.1 {code} ")).count();
    assert_eq!(of("202") + of("503"), 400, "each is answered, by yes or by try again");
    assert!(of("202") >= 256, "{}", of("202"));
}

#[test]
fn ten_thousand_servers_leave_nothing_while_others_are_served() {
    let it = Running::start(Access::Loopback);
    let mut viewer = it.viewer();
    frame(&mut viewer);
    assert_eq!(code(&it.ask("POST /debug/live/servers", HOST, "")), "202");
    let trial = |frame: &Value| frame["loops"][0]["trial"].clone();
    let done = |frame: &Value| trial(frame)["running"] == false;
    let (seen, _) = until(&mut viewer, done);
    let trial = trial(&seen);
    for (field, value) in
        [("made", 10_000), ("bound", 200), ("alive", 0), ("timers_left", 0), ("timers_most", 2)]
    {
        assert_eq!(trial[field], value, "{field}: {trial}");
    }
    assert_eq!(seen["loops"][0]["wheel"]["orphans"], 0);
}

/// As many connections and timers as are listed, and more.
#[test]
fn a_frame_is_bounded_however_many_there_are_and_all_slots_are_drawn() {
    let it = Running::start(Access::Loopback);
    let crowd = |size: usize, bytes: &[u8]| -> Vec<TcpStream> {
        let connect = |_| {
            let mut stream = it.connect();
            stream.write_all(bytes).expect("it reads");
            stream
        };
        (0..size).map(connect).collect()
    };
    let half_sent = crowd(150, b"GET / HTTP/1.1\r\nHo");
    let put_off = crowd(8, &b"GET /put-off HTTP/1.1\r\nHost: a\r\n\r\n".repeat(30));
    let mut viewer = it.viewer();
    let (seen, bytes) = until(&mut viewer, |frame| {
        frame["loops"][0]["wheel"]["armed"] == 242 && frame["status"]["connections"]["open"] == 159
    });
    assert!(bytes <= FRAME_BYTES_MAX, "{bytes}");
    let view = &seen["loops"][0];
    let connections = view["connections"].as_array().expect("a list").len();
    assert!((20..=100).contains(&connections), "{connections}");
    let in_slots: u64 = view["wheel"]["levels"]
        .as_array()
        .expect("levels")
        .iter()
        .flat_map(|level| level.as_array().expect("pairs").chunks(2))
        .map(|pair| pair[1].as_u64().expect("a count"))
        .sum();
    assert_eq!(in_slots + view["wheel"]["due"].as_u64().expect("a count"), 242, "all are drawn");
    drop((half_sent, put_off));
}
