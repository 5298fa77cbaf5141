//! What the binary answers: one table of routes, a file for each that does more than say a text.

mod echo;
mod slow;
mod stream;

use netserver::http::{Form, Head, Response, Status};
use netserver::live::{self, Access, LivePage};
use netserver::{Closed, Gauges, Handler, LoopLinks, Reply, Request, Ticket, metrics};

use echo::Echo;
use slow::Sleepers;
use stream::Stream;

/// The binary's handler.
#[derive(Debug)]
pub(crate) struct Routes {
    gauges: Gauges,
    /// `None` when it is off.
    live: Option<LivePage>,
    sleepers: Sleepers,
}

/// A path that is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route {
    Home,
    Plaintext,
    Json,
    Echo,
    Stream,
    Slow,
    Status,
    Metrics,
    /// A part of the live page.
    Live(&'static str),
}

impl Routes {
    pub(crate) fn new(links: LoopLinks, live: Option<Access>) -> Self {
        let live = live.map(|access| LivePage::new(links.live(), access));
        Self { gauges: links.gauges, live, sleepers: Sleepers::new(links.remote) }
    }
}

impl Handler for Routes {
    fn on_head(&mut self, head: &Head<'_>, reply: Reply<'_>) {
        match check(head) {
            Ok(Route::Echo) => Echo::take(head, reply),
            // Who asks whether to send a body is told at once that it is of no use.
            Err(refusal) if head.field("expect").is_some() => refusal.send(reply),
            // Small ones are taken in, so that the connection can go on; large ones are refused.
            _ => reply.buffer_body(),
        }
    }

    fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
        match check(request.head()) {
            Ok(Route::Plaintext) => reply.send(text(Status::OK, "Hello, World!")),
            Ok(Route::Json) => reply.send(json(br#"{"message":"Hello, World!"}"#)),
            Ok(Route::Home) => self.home(request, reply),
            Ok(Route::Stream) => Stream::begin(request, reply),
            Ok(Route::Slow) => self.sleepers.put_off(request, reply),
            Ok(Route::Status) => send_fresh("application/json", &live::status(&self.gauges), reply),
            Ok(Route::Metrics) => {
                send_fresh(metrics::CONTENT_TYPE, &metrics::text(&self.gauges), reply);
            }
            Ok(Route::Live(part)) => match &self.live {
                Some(live) => live.answer(part, request, reply),
                None => Refusal::NotFound.send(reply),
            },
            // Without a body: one with is streamed from the head on.
            Ok(Route::Echo) => Echo::nothing(request, reply),
            Err(refusal) => refusal.send(reply),
        }
    }

    fn on_wake(&mut self, ticket: Ticket, reply: Reply<'_>) {
        self.sleepers.wake(ticket, reply);
    }

    fn on_close(&mut self, closed: &Closed) {
        self.sleepers.forget(closed.id);
    }
}

impl Routes {
    /// The live page for who can show it; in plain words for who asks by `curl`.
    fn home(&self, request: &Request<'_>, reply: Reply<'_>) {
        let accepts = request.field_str("accept").unwrap_or_default();
        match &self.live {
            Some(live) if accepts.contains("text/html") => live.answer("", request, reply),
            _ => {
                let fields = [TEXT, ("Vary", "Accept")];
                reply.send(Response::new(Status::OK).fields(&fields).body(HOME.as_bytes()));
            }
        }
    }
}

/// What there is, for who reads it in a terminal.
const HOME: &str = include_str!("home.txt");

impl Route {
    fn find(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Home,
            "/plaintext" => Self::Plaintext,
            "/json" => Self::Json,
            "/echo" => Self::Echo,
            "/stream" => Self::Stream,
            "/slow" => Self::Slow,
            "/status.json" => Self::Status,
            "/metrics" => Self::Metrics,
            "/events" => Self::Live("events"),
            "/history" => Self::Live("history"),
            "/close" => Self::Live("close"),
            "/servers" => Self::Live("servers"),
            _ => return None,
        })
    }

    /// The methods it takes.
    fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Echo => &["POST", "PUT"],
            Self::Live("close" | "servers") => &["POST"],
            _ => &["GET", "HEAD"],
        }
    }
}

/// Why a request has no route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    NotFound,
    /// The path is known and the method is not for it (RFC 9110 section 15.5.6).
    NotAllowed(Route),
    /// The method is not one of those that everybody knows (RFC 9110 section 15.6.2).
    NotImplemented,
    /// `OPTIONS *` asks what the server can do in general (RFC 9110 section 9.3.7).
    Options,
}

/// The route of a request, if there is one for its path and method.
fn check(head: &Head<'_>) -> Result<Route, Refusal> {
    // CONNECT is for proxies.
    if head.form() == Form::Authority {
        return Err(Refusal::NotImplemented);
    }
    let path = head.path();
    if path == "*" {
        return Err(Refusal::Options);
    }
    let route = Route::find(path).ok_or(Refusal::NotFound)?;
    let method = head.method();
    if route.methods().contains(&method) {
        return Ok(route);
    }
    let known = matches!(
        method,
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "TRACE" | "PATCH" | "CONNECT"
    );
    Err(if known { Refusal::NotAllowed(route) } else { Refusal::NotImplemented })
}

impl Refusal {
    fn send(self, reply: Reply<'_>) {
        match self {
            Self::NotFound => reply.send(text(Status::NOT_FOUND, "No such page; / lists them.\n")),
            Self::NotAllowed(route) => reply.send(
                Response::new(Status::METHOD_NOT_ALLOWED)
                    .fields(&[("Allow", &route.methods().join(", ")), TEXT])
                    .body(b"This page does not take that method.\n"),
            ),
            Self::NotImplemented => {
                reply.send(text(Status::NOT_IMPLEMENTED, "This method is not known here.\n"));
            }
            Self::Options => reply.send(
                Response::new(Status::NO_CONTENT).fields(&[("Allow", "GET, HEAD, POST, PUT")]),
            ),
        }
    }
}

const TEXT: (&str, &str) = ("Content-Type", "text/plain");

fn text(status: Status, body: &str) -> Response<'_> {
    Response::new(status).fields(&[TEXT]).body(body.as_bytes())
}

fn json(body: &[u8]) -> Response<'_> {
    Response::new(Status::OK).fields(&[("Content-Type", "application/json")]).body(body)
}

/// What is true for a moment only.
fn send_fresh(content_type: &str, body: &str, reply: Reply<'_>) {
    let fields = [("Content-Type", content_type), ("Cache-Control", "no-store")];
    reply.send(Response::new(Status::OK).fields(&fields).body(body.as_bytes()));
}

/// The number that the query gives for a name; `default` if it does not name it, and an error that
/// can be shown if it is not a number, or more than `most`.
fn number(query: Option<&str>, name: &str, default: u64, most: u64) -> Result<u64, String> {
    let pairs = query.unwrap_or_default().split('&');
    let given = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
    let Some((_, value)) = given else { return Ok(default) };
    match value.parse() {
        Ok(number) if number <= most => Ok(number),
        _ => Err(format!("{name} is a whole number up to {most}.\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_the_query() {
        let query = Some("chunks=10&size=5&ms=-1&x");
        assert_eq!(number(query, "chunks", 1, 100), Ok(10));
        assert_eq!(number(query, "other", 7, 100), Ok(7));
        assert_eq!(number(None, "chunks", 7, 100), Ok(7));
        for (name, most) in [("chunks", 9), ("ms", 100)] {
            let error = number(query, name, 1, most).expect_err(name);
            assert_eq!(error, format!("{name} is a whole number up to {most}.\n"));
        }
    }

    #[test]
    fn the_text_names_every_route_it_can() {
        let page = HOME;
        for path in ["/plaintext", "/json", "/echo", "/stream", "/slow", "/status.json", "/metrics"]
        {
            assert!(Route::find(path).is_some(), "{path}");
            assert!(page.contains(path), "{path}");
        }
    }
}
