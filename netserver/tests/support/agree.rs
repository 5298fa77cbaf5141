//! What a connection answers does not depend on how its bytes were cut into reads. For any bytes:
//! the fuzzer's, and those that it has found worth keeping.

use netserver::{Handler, Reply, Request, Response, Status};

use super::Peer;

/// Answers with all that was understood of a request.
struct Echo;

impl Handler for Echo {
    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        let head = request.head();
        let mut said = format!("{} {} {}\n", head.method(), head.target(), head.host());
        for (name, value) in head.fields().iter().chain(request.trailers().iter()) {
            said.extend([name, "=", &value.escape_ascii().to_string(), "\n"]);
        }
        said += &request.body().escape_ascii().to_string();
        reply.send(Response::new(Status::OK).body(said.as_bytes()));
    }
}

/// The first four bytes say how the others are cut.
///
/// # Panics
///
/// If the answer, or the cause of the end, is another one.
pub fn whole_and_split_agree(bytes: &[u8]) {
    let Some((cuts, input)) = bytes.split_first_chunk() else { return };
    let mut state = u64::from(u32::from_le_bytes(*cuts)) | 1;
    let longest = 1 + usize::from(cuts[0]);
    let parts = std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (state >> 33) as usize % longest
    });
    let whole = run(input, std::iter::once(input.len()));
    let split = run(input, parts);
    assert_eq!(whole, split, "cut into parts of at most {longest}: {}", input.escape_ascii());
}

fn run(input: &[u8], parts: impl Iterator<Item = usize>) -> (String, String) {
    let mut peer = Peer::new(Echo);
    let mut rest = input;
    for part in parts {
        if rest.is_empty() || peer.end.is_some() || !peer.conn.wants_read() {
            break;
        }
        let (now, later) = rest.split_at(part.min(rest.len()));
        rest = later;
        peer.receive(now);
    }
    if peer.end.is_none() {
        peer.eof();
    }
    // Whether a body has begun to arrive decides whether 100 is sent; that depends on the cut.
    let output = String::from_utf8_lossy(&peer.output).replace("HTTP/1.1 100 Continue\r\n\r\n", "");
    (output, peer.end.map_or("open".to_owned(), |end| format!("{:?}", end.cause)))
}
