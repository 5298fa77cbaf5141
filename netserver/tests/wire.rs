//! Bytes in, bytes out: the cases of `tests/wire/*.txt`.
//!
//! Each is run whole, byte by byte, and in two parts at every place where it can be cut. All must
//! give the same bytes and the same end.

mod support;

use std::fmt::Write as _;
use std::path::Path;

use support::{DATE, Peer, Routes};

/// A case as its file tells it.
#[derive(Default)]
struct Case {
    name: String,
    place: String,
    why: String,
    input: Vec<u8>,
    fin: bool,
    expected: Vec<u8>,
    end: String,
}

#[test]
fn every_case_holds_at_every_split() {
    support::quiet_panics();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let (mut cases, mut failures) = (0, String::new());
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|f| f.unwrap()).collect();
    files.sort_by_key(std::fs::DirEntry::path);
    for file in files {
        let text = std::fs::read_to_string(file.path()).unwrap();
        for case in parse(&text, &file.file_name().to_string_lossy()) {
            cases += 1;
            if let Err(failure) = check(&case) {
                let _ = writeln!(failures, "{}: {}\n{failure}\n", case.place, case.name);
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(cases > 300, "only {cases} cases were found");
}

fn check(case: &Case) -> Result<(), String> {
    let length = case.input.len();
    let mut ways =
        vec![("whole".to_owned(), vec![length]), ("by bytes".to_owned(), vec![1; length])];
    // Long inputs are long to reach a limit; the splits that matter are near it.
    let splits = (1..length).filter(|&n| length < 4096 || n > length - 64 || n < 64);
    ways.extend(splits.map(|n| (format!("split at {n}"), vec![n, length - n])));
    for (way, parts) in ways {
        let (output, end) = run(case, &parts);
        let (shown, expected) = (show(&output), show(&case.expected));
        if shown != expected {
            return Err(format!("{way}:\n  wanted {expected}\n  found  {shown}"));
        }
        if end != case.end {
            return Err(format!("{way}: wanted end {:?}, found {end:?}", case.end));
        }
    }
    Ok(())
}

fn run(case: &Case, parts: &[usize]) -> (Vec<u8>, String) {
    let mut peer = Peer::new(Routes::default());
    let mut rest = &case.input[..];
    for &part in parts {
        let (now, later) = rest.split_at(part);
        rest = later;
        if peer.end.is_none() && peer.conn.wants_read() {
            peer.receive(now);
        }
    }
    if case.fin && peer.end.is_none() {
        peer.eof();
    }
    // Whether a body has begun to arrive decides whether 100 is sent; that depends on the split.
    let output = replace(&peer.output, b"HTTP/1.1 100 Continue\r\n\r\n");
    (output, peer.end.map_or("open".to_owned(), |end| format!("{:?}", end.cause)))
}

fn replace(bytes: &[u8], what: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while let Some(at) = bytes.windows(what.len()).position(|window| window == what) {
        bytes.drain(at..at + what.len());
    }
    bytes
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Reads the cases of one file; the format is described at the top of `tests/wire/basic.txt`.
fn parse(text: &str, file: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "case" {
            let place = format!("{file}:{}", number + 1);
            cases.push(Case {
                name: rest.to_owned(),
                place,
                end: "open".to_owned(),
                ..Case::default()
            });
        }
        let Some(case) = cases.last_mut() else { continue };
        match word {
            "" | "#" | "case" => {}
            "why" => rest.clone_into(&mut case.why),
            ">" => {
                case.input.extend(unescape(rest));
                case.input.extend_from_slice(b"\r\n");
            }
            ">>" => case.input.extend(unescape(rest)),
            "fin" => case.fin = true,
            "<" => case.expected.extend(response(rest)),
            "<<" => case.expected.extend(unescape(rest)),
            "end" => rest.clone_into(&mut case.end),
            _ => panic!("{file}:{}: what is {word:?}?", number + 1),
        }
    }
    assert!(cases.iter().all(|case| !case.why.is_empty()), "{file}: a case without why");
    cases
}

/// `200 text`, `200 close text`, `400!`: a whole response in the server's shape.
fn response(short: &str) -> Vec<u8> {
    let (status, body) = short.split_once(' ').unwrap_or((short, ""));
    let reason = |code: &str| {
        let status = netserver::http::Status::new(code.parse().unwrap()).unwrap();
        format!("HTTP/1.1 {status}\r\n")
    };
    if let Some(code) = status.strip_suffix('!') {
        return format!("{}Date: {DATE}\r\nConnection: close\r\n\r\n", reason(code)).into_bytes();
    }
    let (connection, body) = match body.strip_prefix("close") {
        Some(body) => ("Connection: close\r\n", body.trim_start()),
        None => ("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", body),
    };
    let (head, length) = (reason(status), body.len());
    format!("{head}Date: {DATE}\r\n{connection}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// `\r \n \t \0 \\ \xNN` are bytes, `{date}` the date, `{a*100}` a hundred times `a`.
fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let (taken, tail) = match first {
            '\\' => {
                let (byte, used) = match rest.as_bytes()[1] {
                    b'r' => (b'\r', 2),
                    b'n' => (b'\n', 2),
                    b't' => (b'\t', 2),
                    b'0' => (0, 2),
                    b'x' => (u8::from_str_radix(&rest[2..4], 16).unwrap(), 4),
                    other => (other, 2),
                };
                (vec![byte], &rest[used..])
            }
            '{' => {
                let (inner, tail) = rest[1..].split_once('}').expect("a closing brace");
                let taken = match inner.split_once('*') {
                    Some((what, times)) => unescape(what).repeat(times.parse().unwrap()),
                    None => DATE.as_bytes().to_vec(),
                };
                (taken, tail)
            }
            _ => {
                let length = first.len_utf8();
                (rest.as_bytes()[..length].to_vec(), &rest[length..])
            }
        };
        bytes.extend(taken);
        rest = tail;
    }
    bytes
}
