//! Ours, with all its timeouts on.

use netserver::{EventLoop, Handler, Reply, Request, Response, Server, Status};

struct Hello;

impl Handler for Hello {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        let fields = [("Content-Type", "text/plain")];
        reply.send(Response::new(Status::OK).fields(&fields).body(super::BODY.as_bytes()));
    }
}

pub(super) fn serve(announce: fn(u16)) {
    let address = "127.0.0.1:0".parse().expect("an address");
    let event_loop = EventLoop::bind(address, |_| Server::builder(Hello)).expect("bind");
    announce(event_loop.local_addr().expect("a TCP listener").port());
    event_loop.run().expect("the loop");
}
