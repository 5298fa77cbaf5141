//! A proxy within the process that delays what it passes on, cuts it up, and breaks connections.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;

/// Listens until it is dropped; connections under way end by themselves.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn before(server: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        thread::spawn(move || {
            let mut rng = Rng::with_seed(seed);
            for client in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let client = client.expect("descriptors");
                let server = TcpStream::connect(server).expect("it listens");
                pass_on(&client, &server, rng.fork());
                pass_on(&server, &client, rng.fork());
            }
        });
        Self { address, over }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes it up, so that it sees.
        let _ = TcpStream::connect(self.address);
    }
}

/// Passes on in one direction, on a thread, until either has ended or it breaks both.
fn pass_on(from: &TcpStream, to: &TcpStream, mut rng: Rng) {
    let (mut from, mut to) = (from.try_clone().expect("room"), to.try_clone().expect("room"));
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let part = rng.usize(1..=buffer.len());
            let Ok(n) = from.read(&mut buffer[..part]) else { break };
            if n == 0 {
                // Half a close is passed on as half a close.
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            match rng.u32(..60) {
                0 => break,
                1 => {
                    let socket = socket2::SockRef::from(&to);
                    let _ = socket.set_linger(Some(Duration::ZERO));
                    break;
                }
                2..=9 => thread::sleep(Duration::from_millis(rng.u64(1..30))),
                _ => {}
            }
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
