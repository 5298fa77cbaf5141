//! `GET /stream?chunks=N&size=M`: N chunks of M bytes, made when the peer can take them.

use netserver::http::{Response, Status};
use netserver::{Exchange, Pull, Reply, Request, Sink};

use super::{TEXT, number, text};

/// What is left of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    chunks: u64,
    chunk: &'static [u8],
}

/// What chunks are cut from.
static FILLING: [u8; 1 << 20] = [b'.'; 1 << 20];

impl Stream {
    pub(super) fn begin(request: &Request<'_>, reply: Reply<'_>) {
        let query = request.query();
        let chunks = number(query, "chunks", 10, u64::MAX);
        let size = number(query, "size", 1000, FILLING.len() as u64);
        match (chunks, size) {
            (Ok(chunks), Ok(size)) => {
                let size = usize::try_from(size).unwrap_or(FILLING.len());
                // A chunk of no bytes would say that the body ends.
                let chunks = if size == 0 { 0 } else { chunks };
                let stream = Self { chunks, chunk: &FILLING[..size] };
                reply.stream(Response::new(Status::OK).fields(&[TEXT]), Box::new(stream));
            }
            (Err(error), _) | (_, Err(error)) => reply.send(text(Status::BAD_REQUEST, &error)),
        }
    }
}

impl Exchange for Stream {
    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        // Small chunks fill the room together; a large one goes alone.
        while self.chunks > 0 && sink.room() > 0 {
            sink.write(self.chunk);
            self.chunks -= 1;
        }
        if self.chunks == 0 { Pull::End } else { Pull::More }
    }
}
