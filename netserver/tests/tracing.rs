//! Spans and events (feature `tracing`), as a subscriber in memory gets them.

#![cfg(feature = "tracing")]

mod common;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::{GET, World, millis, secs};
use netserver::{
    ConnectionCheck, EventLoop, Handler, Reply, Request, Response, Server, Status, Timeouts,
};
use tracing::field::{Field, Visit};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// What was told: a line for each event, led by the spans it was in; and the spans.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    events: Vec<String>,
    begun: Vec<String>,
    ended: Vec<String>,
}

impl Told {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().expect("no test has panicked")
    }

    /// The events since the last time.
    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.log().events)
    }

    fn listen(&self, most: Level) -> DefaultGuard {
        let layer = self.clone().with_filter(tracing_subscriber::filter::LevelFilter::from(most));
        set_default(Registry::default().with(layer))
    }
}

/// Subscribers are each thread's own, but what `tracing` remembers of who wants what is not: what is
/// told for the first time while nobody listens may be missed by one who comes just then. So each
/// test is alone.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The fields as `name=value`; a port is that of the test's client, which it does not know.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    fn text(&self) -> String {
        let mut text = self.0.get("message").cloned().unwrap_or_default();
        for (name, value) in self.0.iter().filter(|(name, _)| **name != "message") {
            let value = value.strip_prefix("127.0.0.1:").map_or(&**value, |_| "127.0.0.1:*");
            let _ = write!(text, " {name}={value}");
        }
        text
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Told {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = cx.span(id).expect("a new span");
        self.log().begun.push(span.name().to_owned() + &fields.text());
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        let span = cx.span(id).expect("an open span");
        let mut extensions = span.extensions_mut();
        values.record(extensions.get_mut::<Fields>().expect("recorded"));
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut line = String::new();
        for span in cx.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<Fields>().expect("recorded");
            line = format!("{}{}: {line}", span.name(), fields.text());
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.log().events.push(line + &fields.text());
    }

    fn on_close(&self, id: span::Id, cx: Context<'_, S>) {
        let span = cx.span(&id).expect("closing");
        let name =
            span.name().to_owned() + &span.extensions().get::<Fields>().expect("recorded").text();
        self.log().ended.push(name);
    }
}

const FIRST: &str = "connection id=0v0 peer=127.0.0.1:*: ";

#[test]
fn a_connection_tells_of_its_phases_its_expiry_and_its_close() {
    let _alone = alone();
    let told = Told::default();
    let _listening = told.listen(Level::DEBUG);
    let mut world = World::new();
    assert_eq!(told.events(), ["listening endpoint=127.0.0.1:*"]);
    let mut client = world.client_sending(GET);
    assert_eq!(
        told.events(),
        [format!("{FIRST}opened"), format!("{FIRST}phase from=first_byte to=idle")]
    );
    world.pass(millis(7_100));
    assert_eq!(client.answers(), 1);
    let age = "closed age_ms=6";
    let events = told.events();
    assert_eq!(events[0], format!("{FIRST}expired class=idle rescued=false"));
    assert!(events[1].starts_with(&format!("{FIRST}{age}")), "{events:?}");
    assert!(events[1].ends_with(" bytes_in=27 bytes_out=124 cause=idle requests=1"), "{events:?}");
    assert_eq!(events.len(), 2, "{events:?}");
    let log = told.log();
    let phases = ["phase name=first_byte", "phase name=idle"];
    assert_eq!(log.begun[1..], phases, "spans of phases, in one of the connection");
    assert_eq!(log.ended[..2], phases);
    assert_eq!(log.ended[2], "connection id=0v0 peer=127.0.0.1:*");
    assert_eq!((log.begun.len(), log.ended.len()), (3, 3), "nothing is left open");
}

#[test]
fn a_rescue_and_a_drain_are_told() {
    let _alone = alone();
    let told = Told::default();
    let mut world = World::new();
    let listening = told.listen(Level::DEBUG);
    let mut late = world.client_sending(&GET[..10]);
    // The loop is held up, and the rest of the head comes meanwhile.
    late.send(&GET[10..]);
    world.block(secs(61));
    world.timers.advance(world.now);
    while let Some(expiry) = world.timers.pop_expired() {
        world.server.on_timer(expiry.handle, world.now);
    }
    world.server.turn(&mut world.timers, world.now);
    let events = told.events();
    assert!(events.contains(&format!("{FIRST}expired class=headers rescued=true")), "{events:?}");
    let _busy = world.client_sending(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    told.events();
    world.server.close(secs(3), world.now);
    world.pass(secs(4));
    let events = told.events();
    assert_eq!(events[0], "draining connections=2 grace_ms=3000");
    let closed: Vec<_> = events.iter().filter(|it| it.contains(": closed ")).collect();
    assert_eq!(closed.len(), 2, "{events:?}");
    assert!(closed.iter().all(|it| it.contains(" cause=drain ")), "{events:?}");
    drop(listening);
}

/// As of the level that is listened to: what is below costs nothing, spans included.
#[test]
fn who_asks_for_less_is_told_less() {
    let _alone = alone();
    let told = Told::default();
    let listening = told.listen(Level::INFO);
    let mut world = World::new();
    drop(world.client_sending(GET));
    world.settle();
    let events = told.events();
    assert_eq!(events.len(), 1, "the close alone: {events:?}");
    assert!(events[0].starts_with(&format!("{FIRST}closed age_ms=0 ")), "{events:?}");
    assert_eq!(told.log().begun, ["connection id=0v0"]);
    drop(listening);
    // Nobody listens.
    drop(world.client_sending(GET));
    world.settle();
    assert_eq!(told.events(), [""; 0]);
}

struct Speaker;

impl Handler for Speaker {
    fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
        tracing::info!("mine");
        reply.send(Response::new(Status::OK));
    }
}

#[test]
fn handlers_speak_inside_their_connection_and_a_loop_tells_of_its_timers() {
    let _alone = alone();
    let told = Told::default();
    let _listening = told.listen(Level::TRACE);
    let check = ConnectionCheck::Interval(millis(5));
    let build = |_| Server::builder(Speaker).timeouts(Timeouts { check, ..Timeouts::default() });
    let mut it = EventLoop::bind(([127, 0, 0, 1], 0).into(), build).expect("a free port");
    let mut client = TcpStream::connect(it.local_addr().expect("TCP")).expect("it listens");
    client.write_all(GET).expect("sent");
    let started = Instant::now();
    let (mut mine, mut timer) = (false, false);
    while !(mine && timer) {
        assert!(started.elapsed() < Duration::from_secs(20), "mine {mine}, timer {timer}");
        it.run_once(Some(millis(20))).expect("a turn");
        for event in told.events() {
            mine |= event == format!("{FIRST}mine");
            timer |= event.starts_with("timer late_us=") && event.ends_with(" value=Check");
        }
    }
}
