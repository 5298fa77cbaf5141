//! The handler's side of the live page: the page itself, its stream of events, its buttons.

use super::access::{Access, Refusal, may_act};
use super::hub::{LiveLink, ORDERS_MAX};
use super::status::status;
use super::viewer::Viewer;
use crate::context::ConnId;
use crate::handler::Request;
use crate::http::{Response, Status};
use crate::reply::Reply;

/// Answers for the live page, under any path that its handler gives it.
///
/// ```
/// use netserver::live::{Access, LivePage};
/// use netserver::{Handler, LoopLinks, Reply, Request, Response, Status};
///
/// struct App {
///     live: LivePage,
/// }
///
/// impl App {
///     fn new(links: &LoopLinks) -> Self {
///         App { live: LivePage::new(links.live(), Access::Loopback) }
///     }
/// }
///
/// impl Handler for App {
///     fn on_request(&mut self, request: &Request<'_>, reply: Reply<'_>) {
///         match request.path().strip_prefix("/debug/live/") {
///             Some(rest) => self.live.answer(rest, request, reply),
///             None => reply.send(Response::new(Status::NOT_FOUND)),
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct LivePage {
    link: LiveLink,
    access: Access,
}

/// In one piece: nothing is fetched from anywhere.
const PAGE: &str = concat!(
    include_str!("page.html"),
    "<style>\n",
    include_str!("page.css"),
    "</style>\n<script>\n",
    include_str!("page.js"),
    "</script>\n</body>\n</html>\n"
);

/// And nothing could be (Content Security Policy, level 3).
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Servers that the button makes and drops.
const TRIAL_SERVERS: u32 = 10_000;

const TEXT: (&str, &str) = ("Content-Type", "text/plain; charset=utf-8");
const NO_STORE: (&str, &str) = ("Cache-Control", "no-store");

impl LivePage {
    /// The page of the process that the link is of.
    pub fn new(link: LiveLink, access: Access) -> Self {
        Self { link, access }
    }

    /// Answers a request under the page's path, which has to end in a slash; `rest` is what
    /// follows it:
    ///
    /// | | |
    /// |---|---|
    /// | `GET` nothing | the page |
    /// | `GET events` | a stream of server-sent events, each the state as of then in JSON |
    /// | `GET history` | the last minutes, a point a second: milliseconds ago, requests, connections |
    /// | `GET status.json` | what [`status`](super::status) says |
    /// | `GET metrics` | what `netserver::metrics` says, with that feature |
    /// | `POST close` | closes a connection; the body is `LOOP CONNECTION`, as in `0 3v1` |
    /// | `POST servers` | makes and drops 10,000 servers |
    ///
    /// 403 says why, 404 and 405 are as everywhere.
    pub fn answer(&self, rest: &str, request: &Request<'_>, reply: Reply<'_>) {
        let reads = matches!(request.method(), "GET" | "HEAD");
        let acts = request.method() == "POST";
        match rest {
            "" if reads => self.show(request, reply),
            "events" if reads => self.stream(request, reply),
            "history" if reads => {
                let history = self.link.hub().history.describe(request.now());
                self.tell("application/json", &history.to_string(), request, reply);
            }
            "status.json" if reads => {
                self.tell("application/json", &status(&self.link.gauges), request, reply);
            }
            #[cfg(feature = "metrics")]
            "metrics" if reads => {
                let text = crate::metrics::text(&self.link.gauges);
                self.tell(crate::metrics::CONTENT_TYPE, &text, request, reply);
            }
            "close" if acts => self.close(request, reply),
            "servers" if acts => self.try_servers(request, reply),
            "" | "events" | "history" | "status.json" => refuse_method("GET, HEAD", reply),
            "close" | "servers" => refuse_method("POST", reply),
            _ => say(Status::NOT_FOUND, "The live page has no such part.\n", reply),
        }
    }

    fn show(&self, request: &Request<'_>, reply: Reply<'_>) {
        if let Err(refusal) = self.access.may_look(request) {
            return forbid(refusal, reply);
        }
        let fields = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Vary", "Accept"),
            NO_STORE,
        ];
        reply.send(Response::new(Status::OK).fields(&fields).body(PAGE.as_bytes()));
    }

    /// To who may look: what is true for a moment.
    fn tell(&self, content_type: &str, text: &str, request: &Request<'_>, reply: Reply<'_>) {
        if let Err(refusal) = self.access.may_look(request) {
            return forbid(refusal, reply);
        }
        let fields = [("Content-Type", content_type), NO_STORE];
        reply.send(Response::new(Status::OK).fields(&fields).body(text.as_bytes()));
    }

    fn stream(&self, request: &Request<'_>, reply: Reply<'_>) {
        if let Err(refusal) = self.access.may_look(request) {
            return forbid(refusal, reply);
        }
        let Some(viewer) = Viewer::admit(&self.link) else {
            let most = "As many people as may are looking at the live page already.\n";
            return say(Status::SERVICE_UNAVAILABLE, most, reply);
        };
        let ticket = reply.ticket();
        let fields = [("Content-Type", "text/event-stream"), NO_STORE];
        reply.stream(Response::new(Status::OK).fields(&fields), Box::new(viewer));
        self.link.desk().put(|papers| papers.arrivals.push(ticket));
        self.link.hub().call_all();
    }

    fn close(&self, request: &Request<'_>, reply: Reply<'_>) {
        if let Err(refusal) = may_act(request) {
            return forbid(refusal, reply);
        }
        let Some((index, id)) = connection_named(request.body()) else {
            let form = "Which connection? As `LOOP CONNECTION`, for instance `0 3v1`.\n";
            return say(Status::BAD_REQUEST, form, reply);
        };
        let Some(desk) = self.link.hub().desks.get(index) else {
            return say(Status::BAD_REQUEST, "There is no such loop.\n", reply);
        };
        let mut taken = false;
        desk.put(|papers| {
            taken = papers.closes.len() < ORDERS_MAX;
            if taken {
                papers.closes.push(id);
            }
        });
        if taken {
            say(Status::ACCEPTED, "It is being closed.\n", reply);
        } else {
            say(Status::SERVICE_UNAVAILABLE, "The loop is busy; try again.\n", reply);
        }
    }

    fn try_servers(&self, request: &Request<'_>, reply: Reply<'_>) {
        if let Err(refusal) = may_act(request) {
            return forbid(refusal, reply);
        }
        self.link.desk().put(|papers| papers.trial = Some(TRIAL_SERVERS));
        say(Status::ACCEPTED, "They are being made, and dropped.\n", reply);
    }
}

/// `LOOP CONNECTION`, where a connection is written as it is shown: `3v1`.
fn connection_named(body: &[u8]) -> Option<(usize, ConnId)> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let (index, connection) = text.split_once(' ')?;
    let (slot, generation) = connection.split_once('v')?;
    Some((index.parse().ok()?, ConnId::new(slot.parse().ok()?, generation.parse().ok()?)))
}

fn forbid(refusal: Refusal, reply: Reply<'_>) {
    say(Status::FORBIDDEN, refusal, reply);
}

fn refuse_method(allow: &str, reply: Reply<'_>) {
    let body = b"This page does not take that method.\n";
    let fields = [("Allow", allow), TEXT];
    reply.send(Response::new(Status::METHOD_NOT_ALLOWED).fields(&fields).body(body));
}

fn say(status: Status, text: &str, reply: Reply<'_>) {
    reply.send(Response::new(status).fields(&[TEXT, NO_STORE]).body(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_named_by_its_loop_and_by_how_it_is_shown() {
        assert_eq!(connection_named(b"2 30v7\n"), Some((2, ConnId::new(30, 7))));
        for bad in ["", "0", "0 3", "x 3v1", "0 v1", "0 3v", "0 3v1 4", "-1 3v1"] {
            assert_eq!(connection_named(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_page_fetches_nothing_from_elsewhere() {
        for word in ["http://", "https://", "@import", "src=", "url("] {
            let used: Vec<_> = PAGE
                .lines()
                .filter(|line| line.contains(word) && !line.contains("xmlns"))
                .filter(|line| {
                    !line.contains("nodejs/node/issues") && !line.contains("w3.org/2000")
                })
                .collect();
            assert!(used.is_empty(), "{word}: {used:?}");
        }
    }
}
