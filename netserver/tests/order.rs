//! Whatever the cuts of the input, the pace of the peer and the order of the answers: the output is
//! that of the same requests made one by one.

mod support;

use std::fmt::Write as _;

use proptest::prelude::*;

use netserver::track::Class;
use netserver::{Phase, Response, Settings, Status};
use support::{Peer, Routes};

/// A request, as a client sends it.
fn request(kind: usize, size: usize) -> Vec<u8> {
    let body = "x".repeat(size);
    let mut chunks = String::new();
    for chunk in body.as_bytes().chunks(7) {
        let _ = write!(chunks, "{:x};n\r\n{}\r\n", chunk.len(), "x".repeat(chunk.len()));
    }
    let sized =
        |path| format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n{body}");
    let chunked = |path| {
        format!(
            "PUT {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        )
    };
    match kind {
        0 => format!("GET /{size} HTTP/1.1\r\nHost: a\r\n\r\n"),
        1 => format!("\r\nHEAD /{size} HTTP/1.1\r\nHost: a\r\n\r\n"),
        2 => sized("/"),
        3 => chunked("/"),
        4 => sized("/up"),
        5 => chunked("/up"),
        6 => "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        7 => "GET /trailers HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        8 => "GET /hints HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        _ => "GET /later HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
    }
    .into_bytes()
}

const KINDS: usize = 10;

/// The responses to the requests, each made on its own.
fn one_by_one(requests: &[Vec<u8>]) -> String {
    let mut later = 0;
    requests.iter().fold(String::new(), |output, request| {
        let mut peer = Peer::new(Routes::default());
        peer.receive(request);
        if let Some(&ticket) = peer.handler.tickets.first() {
            peer.answer(ticket, Response::new(Status::OK).body(later.to_string().as_bytes()));
            later += 1;
        }
        output + &peer.written()
    })
}

/// What noise is made of.
const PIECES: [&[u8]; 20] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 3\r\n",
    b"4\r\nwxyz\r\n",
    b"0\r\n",
    b"0\r\n\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"G",
    b":",
    b"\0",
    b"\xff",
    b"5",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /later HTTP/1.0\r\n\r\n",
    b"PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn output_is_that_of_the_requests_one_by_one(
        kinds in proptest::collection::vec((0..KINDS, 0_usize..200), 1..12),
        steps in proptest::collection::vec((0_u8..4, 1_usize..120), 0..200),
        pipelined in 1_usize..5,
    ) {
        let requests: Vec<_> = kinds.iter().map(|&(kind, size)| request(kind, size)).collect();
        let expected = one_by_one(&requests);
        let input = requests.concat();

        let mut settings = Settings::default();
        settings.limits.pipelined = pipelined;
        let mut peer = Peer::with_settings(Routes::default(), settings);
        peer.window = Some(0);
        let (mut sent, mut answered) = (0, Vec::new());
        // The given steps first, then whatever is needed to come to an end.
        let rest = (0..100_000).map(|n| (n % 3, 50));
        for (step, amount) in steps.into_iter().map(|(step, n)| (usize::from(step), n)).chain(rest) {
            match step {
                0 if peer.conn.wants_read() => {
                    let end = input.len().min(sent + amount);
                    peer.receive(&input[sent..end]);
                    sent = end;
                }
                1 => peer.take(amount),
                2 => {
                    let open: Vec<_> = (0..peer.handler.tickets.len())
                        .filter(|n| !answered.contains(n))
                        .collect();
                    if !open.is_empty() {
                        let number = open[amount % open.len()];
                        let ticket = peer.handler.tickets[number];
                        let body = number.to_string();
                        let response = Response::new(Status::OK).body(body.as_bytes());
                        prop_assert!(peer.answer(ticket, response));
                        prop_assert!(!peer.answer(ticket, response), "stale now");
                        answered.push(number);
                    }
                }
                _ => prop_assert_eq!(peer.end, None),
            }
            if peer.output.len() == expected.len() && sent == input.len() {
                break;
            }
        }
        prop_assert_eq!(peer.written(), expected);
        prop_assert_eq!((peer.conn.phase(), peer.classes()), (Phase::Idle, vec![Class::Idle]));
        prop_assert_eq!(peer.conn.requests(), requests.len() as u64);
        prop_assert!(peer.conn.wants_read() && !peer.conn.wants_resume());
    }

    /// Bytes that mean nothing do no harm, and mean the same however they are cut.
    #[test]
    fn noise_has_one_meaning(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..12),
        cuts in proptest::collection::vec(1_usize..40, 0..30),
        fin: bool,
    ) {
        let input = pieces.concat();
        let run = |cuts: &[usize]| {
            let mut peer = Peer::new(Routes::default());
            let mut rest = &input[..];
            for cut in cuts.iter().copied().chain([usize::MAX]) {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                rest = later;
                if peer.end.is_none() && peer.conn.wants_read() {
                    peer.receive(now);
                }
            }
            if fin && peer.end.is_none() {
                peer.eof();
            }
            (peer.written(), peer.end.map(|end| end.cause), peer.handler.calls)
        };
        prop_assert_eq!(run(&cuts), run(&[]));
    }
}
