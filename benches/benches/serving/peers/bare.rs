//! The least a server can do: find the ends of heads, and write a constant. No deadline, no
//! tracking, no Date, no rule of HTTP.

use std::io::{ErrorKind, Read, Write};

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

const LISTENER: Token = Token(usize::MAX);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive\r\n\
    Keep-Alive: timeout=5\r\nContent-Length: 13\r\n\r\nHello, World!";

pub(super) fn serve(announce: fn(u16)) {
    let mut poll = Poll::new().expect("a poll");
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address")).expect("bind");
    announce(listener.local_addr().expect("bound").port());
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).expect("register");
    let mut events = Events::with_capacity(1024);
    let mut connections: Slab<TcpStream> = Slab::new();
    let (mut input, mut output) = (vec![0; 64 * 1024], Vec::new());
    loop {
        poll.poll(&mut events, None).expect("poll");
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    let _ = stream.set_nodelay(true);
                    let entry = connections.vacant_entry();
                    let token = Token(entry.key());
                    let registered =
                        poll.registry().register(&mut stream, token, Interest::READABLE);
                    registered.expect("register");
                    entry.insert(stream);
                }
            } else if !answer(&mut connections[event.token().0], &mut input, &mut output) {
                connections.remove(event.token().0);
            }
        }
    }
}

/// False if the connection has ended. Requests come whole here, and answers fit the socket.
fn answer(stream: &mut TcpStream, input: &mut [u8], output: &mut Vec<u8>) -> bool {
    loop {
        let n = match stream.read(input) {
            Ok(0) => return false,
            Ok(n) => n,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        output.clear();
        for _ in memmem::find_iter(&input[..n], b"\r\n\r\n") {
            output.extend_from_slice(ANSWER);
        }
        if stream.write_all(output).is_err() {
            return false;
        }
        if n < input.len() {
            return true;
        }
    }
}
