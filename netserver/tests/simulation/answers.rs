//! Reads responses strictly, as they are written: what is not exactly one response after the other
//! is noted as a fault.

use std::time::Instant;

/// A final response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The request that it says it is for.
    pub(crate) id: Option<usize>,
    /// It says that the connection closes.
    pub(crate) close: bool,
    /// Where it ends in the stream.
    pub(crate) end: u64,
    /// What had arrived, and had been read, when its end was written, and when that was.
    pub(crate) arrived: u64,
    pub(crate) read: u64,
    pub(crate) at: Instant,
}

#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) list: Vec<Answer>,
    /// What is wrong with the stream.
    pub(crate) fault: Option<String>,
    /// 101 was sent: what follows is another protocol.
    pub(crate) tunnel: Option<Instant>,
    buffer: Vec<u8>,
    /// Bytes before the buffer.
    offset: u64,
}

/// A response that has begun.
struct Begun {
    status: u16,
    id: Option<usize>,
    close: bool,
    framing: Framing,
}

enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Answers {
    pub(crate) fn feed(
        &mut self,
        bytes: impl Iterator<Item = u8>,
        arrived: u64,
        read: u64,
        at: Instant,
    ) {
        let before = self.buffer.len();
        self.buffer.extend(bytes);
        if self.buffer.len() == before || self.fault.is_some() {
            return;
        }
        while self.tunnel.is_none() && !self.buffer.is_empty() {
            match self.parse() {
                Ok(None) => return,
                Ok(Some((begun, used))) => {
                    self.buffer.drain(..used);
                    self.offset += used as u64;
                    let Begun { status, id, close, .. } = begun;
                    if status == 101 {
                        self.tunnel = Some(at);
                    } else if status >= 200 {
                        if self.list.last().is_some_and(|last| last.close) {
                            self.fault = Some(format!("{status} after the last response"));
                        }
                        let end = self.offset;
                        self.list.push(Answer { status, id, close, end, arrived, read, at });
                    }
                }
                Err(fault) => {
                    let shown = self.buffer[..self.buffer.len().min(300)].escape_ascii();
                    self.fault = Some(format!("{fault} in {shown}"));
                    return;
                }
            }
        }
        if self.tunnel.is_some() {
            self.offset += self.buffer.len() as u64;
            self.buffer.clear();
        }
    }

    /// The response at the front, if it is complete, and its length.
    fn parse(&self) -> Result<Option<(Begun, usize)>, String> {
        let bytes = &self.buffer[..];
        if !b"HTTP/1.1 ".starts_with(&bytes[..bytes.len().min(9)]) {
            return Err("no status line".into());
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head is no text")?;
        let begun = begin(head)?;
        let body = &bytes[end + 4..];
        let length = match begun.framing {
            Framing::Length(length) if body.len() < length => return Ok(None),
            Framing::Length(length) => length,
            Framing::Chunked => match chunked(body)? {
                None => return Ok(None),
                Some(length) => length,
            },
            Framing::UntilClose => return Err("a response without an end".into()),
        };
        Ok(Some((begun, end + 4 + length)))
    }
}

fn begin(head: &str) -> Result<Begun, String> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
    let status = status.ok_or("no status")?;
    let (mut id, mut close) = (None, false);
    let mut framing = Framing::UntilClose;
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or("no field")?;
        match name {
            "Id" => id = Some(value.parse().map_err(|_| "no id")?),
            "Connection" => close = value == "close",
            "Content-Length" => {
                framing = Framing::Length(value.parse().map_err(|_| "no length")?);
            }
            "Transfer-Encoding" if value == "chunked" => framing = Framing::Chunked,
            _ => {}
        }
    }
    // Refusals have neither body nor length: they end with the connection.
    if (100..200).contains(&status) || close && matches!(framing, Framing::UntilClose) {
        framing = Framing::Length(0);
    }
    Ok(Begun { status, id, close, framing })
}

/// The length of a chunked body, if it is complete.
fn chunked(body: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    loop {
        let rest = &body[at..];
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&rest[..line]).map_err(|_| "a size is no text")?;
        let size = usize::from_str_radix(size, 16).map_err(|_| format!("size {size:?}"))?;
        at += line + 2 + size + 2;
        let Some(end) = body.get(at - 2..at) else { return Ok(None) };
        if end != b"\r\n" {
            return Err("a chunk has no end".into());
        }
        if size == 0 {
            return Ok(Some(at));
        }
    }
}
