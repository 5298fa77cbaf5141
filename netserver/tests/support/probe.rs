//! An exchange that tells what happens to it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use netserver::http::Fields;
use netserver::{
    Cause, Exchange, Flow, Handler, Head, Pull, Reply, Request, Response, Sink, Status, Ticket,
};

/// What happened to an exchange.
pub type Log = Rc<RefCell<Vec<String>>>;

/// Streams so many pieces of a kilobyte; pauses its request body until it is woken.
pub struct Probe {
    log: Log,
    pieces: usize,
    ticket: Rc<Cell<Option<Ticket>>>,
}

impl Exchange for Probe {
    fn on_data(&mut self, data: &[u8], flow: &mut Flow<'_>) {
        self.log.borrow_mut().push(format!("data {}", data.len()));
        self.ticket.set(Some(flow.ticket()));
        flow.pause();
    }

    fn on_end(&mut self, _: Fields<'_>, flow: &mut Flow<'_>) {
        self.log.borrow_mut().push("end".to_owned());
        flow.stream(Response::new(Status::OK));
    }

    fn on_drain(&mut self, _: &mut Flow<'_>) {
        self.log.borrow_mut().push("drain".to_owned());
    }

    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        assert!(sink.room() > 0);
        if self.pieces == 0 {
            return Pull::End;
        }
        self.pieces -= 1;
        sink.write(&[b'x'; 1000]);
        Pull::More
    }

    fn aborted(&mut self, cause: Cause) {
        self.log.borrow_mut().push(format!("aborted {cause:?}"));
    }
}

#[derive(Default)]
pub struct Probes {
    pub log: Log,
    pub pieces: usize,
    pub ticket: Rc<Cell<Option<Ticket>>>,
}

impl Probes {
    fn probe(&self) -> Probe {
        Probe { log: Rc::clone(&self.log), pieces: self.pieces, ticket: Rc::clone(&self.ticket) }
    }

    pub fn seen(&self) -> Vec<String> {
        self.log.take()
    }
}

impl Handler for Probes {
    fn on_head(&mut self, _: &Head<'_>, reply: Reply<'_>) {
        reply.stream_body(Box::new(self.probe()));
    }

    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        match request.path() {
            "/later" => self.ticket.set(Some(reply.later())),
            "/upgrade" => reply.upgrade(&[("Upgrade", "probe")], Box::new(self.probe())),
            _ => reply.stream(Response::new(Status::OK), Box::new(self.probe())),
        }
    }
}
