//! Where connections come from: listeners of other kinds, and streams accepted elsewhere.

mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use common::{App, Client, GET, OK, Seen, TIMEOUT, World, millis, secs};
use mio::event::Source;
use mio::{Interest, Registry, Token};
use netserver::{
    AdoptError, Cause, Endpoint, Host, Incoming, Listener, OverLimit, Ready, Server, Stream,
    Tokens, Transport,
};
use timerwheel::Timers;

fn adopting() -> World {
    World::listening_on(Listener::none(), |_, _| {})
}

/// Both ends of a pipe within the process, the server's ready to be adopted.
fn pair() -> (UnixStream, mio::net::UnixStream) {
    let (client, server) = UnixStream::pair().expect("descriptors");
    client.set_nonblocking(true).expect("nonblocking");
    server.set_nonblocking(true).expect("nonblocking");
    (client, mio::net::UnixStream::from_std(server))
}

fn text(client: &mut impl Read) -> String {
    let mut read = Vec::new();
    let end = client.read_to_end(&mut read);
    assert!(end.is_ok() || end.is_err_and(|e| e.kind() == ErrorKind::WouldBlock));
    let text = String::from_utf8(read).expect("text");
    text.lines().filter(|line| !line.starts_with("Date: ")).fold(String::new(), |all, line| {
        let date = if line.starts_with("HTTP/1.1 ") { "\r\nDate: <D>" } else { "" };
        all + line + date + "\r\n"
    })
}

#[test]
fn a_unix_socket_serves_as_tcp_does() {
    let directory = std::env::temp_dir().join(format!("netserver-sources-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("socket");
    let listener = Listener::bind_unix(&path, 16).expect("a free path");
    let taken = Listener::bind_unix(&path, 16).expect_err("the path is taken");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    assert_eq!(listener.endpoint().to_string(), format!("unix:{}", path.display()));

    let mut world = World::listening_on(listener, |_, _| {});
    assert_eq!(*world.server.endpoint(), Endpoint::Unix(Some(path.clone())));
    let error = world.server.local_addr().expect_err("it has no address");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("unix:"), "{error}");

    let mut client = UnixStream::connect(&path).expect("the server listens");
    client.set_nonblocking(true).expect("nonblocking");
    client.write_all(GET).expect("room");
    world.settle();
    assert_eq!(text(&mut client), OK.to_owned() + "\r\n");
    let info = world.server.iter(world.now).next().expect("one connection");
    assert_eq!(info.peer, None);
    world.server.close(secs(0), world.now);
    world.settle();
    std::fs::remove_dir_all(&directory).expect("it is there");
}

#[test]
fn an_inherited_listener_serves_and_is_let_go_by_close() {
    let inherited = TcpListener::bind("127.0.0.1:0").expect("a free port");
    inherited.set_nonblocking(true).expect("nonblocking");
    let ours = mio::net::TcpListener::from_std(inherited.try_clone().expect("descriptors"));
    let mut world = World::listening_on(ours.try_into().expect("an address"), |_, _| {});
    assert_eq!(world.client_sending(GET).text(), OK);
    world.server.close(secs(1), world.now);
    world.settle();
    // The supervisor still listens; who comes now is its business and wakes nobody here.
    let _waiting = Client::connect(inherited.local_addr().expect("bound"));
    assert!(!world.turn(), "an event for a listener that was let go");
}

#[test]
fn an_inherited_listener_is_let_go_by_drop_too() {
    let inherited = TcpListener::bind("127.0.0.1:0").expect("a free port");
    inherited.set_nonblocking(true).expect("nonblocking");
    let ours = mio::net::TcpListener::from_std(inherited.try_clone().expect("descriptors"));
    let mut poll = mio::Poll::new().expect("a poll");
    let now = std::time::Instant::now();
    let host = Host {
        registry: &Arc::new(poll.registry().try_clone().expect("a descriptor")),
        tokens: Tokens::new(0..10),
        timers: &mut Timers::new(now),
        timer: (),
        now,
    };
    let builder = Server::builder(App(Seen::default()));
    drop(builder.listen_on(ours.try_into().expect("an address"), host).expect("it is there"));
    let _waiting = Client::connect(inherited.local_addr().expect("bound"));
    let mut events = mio::Events::with_capacity(1);
    poll.poll(&mut events, Some(secs(0))).expect("poll");
    assert!(events.is_empty(), "an event for a server that is gone");
}

#[test]
fn an_adopted_stream_is_a_connection_like_all_others() {
    let mut world = adopting();
    assert_eq!(world.server.timer_entries(), 1);
    let (mut client, ours) = pair();
    let id = world.server.adopt(ours, None, world.now).expect("there is room");
    client.write_all(GET).expect("room");
    world.settle();
    assert_eq!(text(&mut client), OK.to_owned() + "\r\n");
    assert_eq!(world.server.connection(id, world.now).map(|it| it.requests), Some(1));

    let (mut silent, ours) = pair();
    silent.write_all(b"GET /").expect("room");
    world.server.adopt(ours, None, world.now).expect("there is room");
    world.pass(secs(120));
    assert_eq!(text(&mut silent), TIMEOUT.to_owned());
    assert_eq!(world.server.connections(), 0, "the first one was idle for too long");
}

#[test]
fn adopting_keeps_to_the_limit_and_ends_with_close() {
    let mut world = World::listening_on(Listener::none(), |_, limits| {
        limits.connections = 1;
        limits.over_limit = OverLimit::Refuse;
    });
    let (_client, ours) = pair();
    world.server.adopt(ours, None, world.now).expect("there is room");
    let (mut second, ours) = pair();
    let error = world.server.adopt(ours, None, world.now).expect_err("one too many");
    assert!(matches!(error, AdoptError::Full), "{error}");
    assert_eq!((text(&mut second).as_str(), world.server.stats().refused), ("", 1));

    world.server.close(secs(1), world.now);
    let (mut third, ours) = pair();
    let error = world.server.adopt(ours, None, world.now).expect_err("it is closing");
    assert!(matches!(error, AdoptError::Closing), "{error}");
    assert_eq!(third.read(&mut [0; 1]).expect("closed"), 0);
}

/// A pipe in memory, with nothing for a poll: the test says when it is ready.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Pipe>>);

#[derive(Default)]
struct Pipe {
    input: VecDeque<u8>,
    /// What a read brings at most; 0 is all.
    piece: usize,
    output: Vec<u8>,
    shut: u32,
    registered: i32,
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut pipe = self.0.lock().unwrap();
        let most = if pipe.piece == 0 { buffer.len() } else { pipe.piece.min(buffer.len()) };
        match pipe.input.read(&mut buffer[..most])? {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Memory {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        self.0.lock().unwrap().registered += 1;
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        unreachable!("a stream is registered once")
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        self.0.lock().unwrap().registered -= 1;
        Ok(())
    }
}

impl Transport for Memory {
    fn shut_down_writing(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().shut += 1;
        Ok(())
    }
}

#[test]
fn a_stream_of_its_own_kind_is_told_of_by_hand() {
    let mut world = adopting();
    let pipe = Memory::default();
    let id = world.server.adopt(Stream::new(pipe.clone()), None, world.now).expect("room");
    pipe.0.lock().unwrap().input.extend(GET);
    world.settle();
    assert!(pipe.0.lock().unwrap().output.is_empty(), "nobody has told it");
    assert!(world.server.on_ready(id, Ready::READABLE, world.now));
    assert_eq!(text(&mut &pipe.0.lock().unwrap().output[..]), OK.to_owned() + "\r\n");
    assert_eq!(pipe.0.lock().unwrap().registered, 1);

    assert!(world.server.close_connection(id, world.now));
    assert_eq!(pipe.0.lock().unwrap().registered, 0);
    assert!(!world.server.on_ready(id, Ready::READABLE, world.now), "it has ended");
    assert_eq!(world.seen.causes(), [Cause::Handler]);
}

/// TLS says goodbye then, and a peer takes a response for cut short if it does not.
#[test]
fn a_stream_of_its_own_kind_is_told_once_that_it_ends_however_it_does() {
    let mut world = adopting();
    let adopt = |world: &mut World, request: &[u8]| {
        let pipe = Memory::default();
        let id = world.server.adopt(Stream::new(pipe.clone()), None, world.now).expect("room");
        pipe.0.lock().unwrap().input.extend(request);
        world.server.on_ready(id, Ready::READABLE, world.now);
        world.settle();
        (pipe, id)
    };
    let shut = |pipe: &Memory| pipe.0.lock().unwrap().shut;
    let last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (answered, _) = adopt(&mut world, last);
    let (refused, _) = adopt(&mut world, b"nonsense\r\n\r\n");
    let (idle, _) = adopt(&mut world, GET);
    let (aborted, id) = adopt(&mut world, GET);
    assert_eq!((shut(&idle), shut(&aborted)), (0, 0), "they stay");
    world.server.close_connection(id, world.now);
    world.pass(secs(60));
    assert_eq!(world.server.connections(), 0);
    for (pipe, how) in
        [(answered, "answered"), (refused, "refused"), (idle, "idle"), (aborted, "aborted")]
    {
        assert_eq!(shut(&pipe), 1, "{how}");
    }
}

/// A listener that says what it is told to say.
struct Scripted(RefCell<VecDeque<io::Result<Stream>>>);

impl Source for Scripted {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

impl Incoming for Scripted {
    fn accept(&mut self) -> io::Result<(Stream, Option<SocketAddr>)> {
        let next = self.0.get_mut().pop_front();
        next.unwrap_or_else(|| Err(ErrorKind::WouldBlock.into())).map(|stream| (stream, None))
    }
}

#[test]
fn what_has_arrived_is_read_before_a_deadline_however_small_its_pieces() {
    let mut world = adopting();
    let pipe = Memory::default();
    let id = world.server.adopt(Stream::new(pipe.clone()), None, world.now).expect("room");
    let body = 1 << 20;
    let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {body}\r\n\r\n");
    pipe.0.lock().unwrap().input.extend(head.as_bytes());
    world.server.on_ready(id, Ready::READABLE, world.now);
    world.settle();
    // All of it comes while the loop is held up, and nobody has told it.
    pipe.0.lock().unwrap().input.extend(std::iter::repeat_n(b'x', body));
    pipe.0.lock().unwrap().piece = 4096;
    world.block(secs(301));
    world.settle();
    let answer = text(&mut &pipe.0.lock().unwrap().output[..]);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(world.server.stats().rescued, 1);
}

/// accept(2) of Linux passes on what has befallen a connection before it was accepted.
#[cfg(target_os = "linux")]
#[test]
fn an_error_of_a_connection_does_not_pause_accepting() {
    let (protocol, unsupported, host_down) = (71, 95, 112);
    let errors = [protocol, unsupported, host_down].map(io::Error::from_raw_os_error);
    let script = errors.into_iter().map(Err).chain([Ok(Stream::new(Memory::default()))]);
    let listener = Listener::new(Scripted(RefCell::new(script.collect())));
    let mut world = World::listening_on(listener, |_, _| {});
    world.server.on_event(Token(common::TOKENS.start), Ready::READABLE, world.now);
    assert_eq!((world.server.connections(), world.server.stats().accept_pauses), (1, 0));
}

/// EMFILE on Linux; its kind has no stable name.
fn out_of_descriptors() -> io::Error {
    io::Error::from_raw_os_error(24)
}

#[test]
fn out_of_descriptors_it_waits_for_the_check_and_goes_on() {
    let script = [
        Err(ErrorKind::ConnectionAborted.into()),
        Ok(Stream::new(Memory::default())),
        Err(out_of_descriptors()),
        Ok(Stream::new(Memory::default())),
    ];
    let listener = Listener::new(Scripted(RefCell::new(script.into())));
    let mut world = World::listening_on(listener, |timeouts, _| {
        timeouts.check = netserver::ConnectionCheck::Interval(millis(100));
    });
    world.server.on_event(Token(common::TOKENS.start), Ready::READABLE, world.now);
    world.settle();
    assert_eq!((world.server.connections(), world.server.stats().accept_pauses), (1, 1));
    assert!(!world.server.wants_turn(), "waiting is no reason to spin");
    world.pass(millis(101));
    assert_eq!(world.server.connections(), 2);
}
