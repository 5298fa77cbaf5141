//! Whatever clients do: each connection is in exactly the classes of its phase, the head of a class
//! is its earliest, the check's timer is armed for what it has to be; and after a drain nothing is
//! left.

mod common;

use std::sync::Once;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use common::{Client, State, World, secs};
use netserver::track::Class;
use netserver::{ConnectionCheck, ConnectionInfo, OverLimit, Phase, Reply, Response, Status};

/// Something that happens to one of the clients, or to all.
#[derive(Clone, Copy, Debug)]
enum Event {
    Connect,
    Send(usize, &'static str),
    Read(usize),
    ShutDown(usize),
    Reset(usize),
    /// The oldest request that waits is answered, or the oldest exchange woken.
    Wake,
    /// The one who has the oldest socket that was given away closes it.
    Return,
    /// The server closes this one, those that are idle, or all.
    Close(usize),
    CloseIdle,
    CloseAll,
    Pass(u64),
    Headers(u64),
}

const PIECES: [&str; 19] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HT",
    "TP/1.1\r\nHost: a\r\n\r\n",
    "\r\n",
    "GET /later HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
    "PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
    "PUT /hold HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "PUT /both HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc",
    "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    "GET /events HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /drop HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "abc",
    "0\r\n\r\n",
];

fn event() -> impl Strategy<Value = Event> {
    let piece = prop::sample::select(&PIECES[..]);
    prop_oneof![
        3 => Just(Event::Connect),
        8 => (0_usize..8, piece).prop_map(|(client, piece)| Event::Send(client, piece)),
        1 => (0_usize..8).prop_map(Event::Read),
        1 => (0_usize..8).prop_map(Event::ShutDown),
        1 => (0_usize..8).prop_map(Event::Reset),
        2 => Just(Event::Wake),
        1 => Just(Event::Return),
        1 => (0_usize..8).prop_map(Event::Close),
        1 => prop_oneof![3 => Just(Event::CloseIdle), 1 => Just(Event::CloseAll)],
        4 => (1_u64..40).prop_map(Event::Pass),
        1 => (0_u64..100).prop_map(Event::Headers),
    ]
}

struct Clients {
    world: World,
    open: Vec<Client>,
    /// Those that send no more.
    half_closed: Vec<Client>,
}

impl Clients {
    fn happen(&mut self, event: Event) {
        match event {
            Event::Connect => {
                let client = self.world.client();
                self.open.push(client);
            }
            Event::Send(client, piece) => {
                // One that has been told of the end sends no more.
                if let Some(client) = self.open_one(client) {
                    client.send_some(piece.as_bytes());
                }
            }
            Event::Read(client) => _ = self.chosen(client).map(Client::state),
            Event::ShutDown(client) => {
                if self.open_one(client).is_some() {
                    let mut client = self.open.swap_remove(client % self.open.len());
                    client.shut_down_writing();
                    self.half_closed.push(client);
                }
            }
            Event::Reset(client) if !self.open.is_empty() => {
                let client = client % self.open.len();
                self.open.swap_remove(client).reset();
            }
            Event::Reset(_) => {}
            Event::Wake => {
                let World { server, seen, now, .. } = &mut self.world;
                let ok = |_: &mut _, reply: Reply<'_>| reply.send(Response::new(Status::OK));
                if let Some(ticket) = seen.next_ticket()
                    && !server.answer(ticket, *now, ok)
                {
                    server.wake(ticket, *now);
                }
            }
            Event::Return => drop(self.world.seen.next_upgraded()),
            Event::Close(connection) => {
                let World { server, now, .. } = &mut self.world;
                let ids: Vec<_> = server.iter(*now).map(|connection| connection.id).collect();
                if let Some(id) = ids.get(connection) {
                    assert!(server.close_connection(*id, *now));
                }
            }
            Event::CloseIdle => self.world.server.close_idle(self.world.now),
            Event::CloseAll => self.world.server.close_all(self.world.now),
            Event::Pass(seconds) => self.world.pass(secs(seconds)),
            Event::Headers(seconds) => {
                let mut timeouts = self.world.server.settings().timeouts.clone();
                timeouts.headers = secs(seconds);
                self.world.server.set_timeouts(timeouts).expect("within the rules");
            }
        }
        self.world.settle();
    }

    fn chosen(&mut self, client: usize) -> Option<&mut Client> {
        let count = self.open.len().max(1);
        self.open.get_mut(client % count)
    }

    /// The same, unless it has been told of the end.
    fn open_one(&mut self, client: usize) -> Option<&mut Client> {
        self.chosen(client).and_then(|it| (it.state() == State::Open).then_some(it))
    }

    /// What must hold whenever the loop rests.
    fn check(&mut self) {
        let now = self.world.now;
        let (sleeps, timers) = (self.world.timers.timeout(now), self.world.timers.len());
        let World { server, .. } = &self.world;
        let mut in_lists = [0; Class::ALL.len()];
        for connection in server.iter(now) {
            let classes: Vec<_> =
                server.tracker().classes_of(connection.id.index()).iter().collect();
            let timed = !server.settings().timeouts.handler.is_zero();
            assert!(fits(&connection, &classes, timed), "{connection:?} is in {classes:?}");
            for class in classes {
                in_lists[class as usize] += 1;
            }
        }
        for class in Class::ALL {
            self.check_list(class);
            let listed = server.tracker().len(class);
            assert_eq!(listed, in_lists[class as usize], "{class:?} has whom it does not know");
        }
        assert_eq!(timers, server.timer_entries(), "one timer at most");
        let timeouts = &server.settings().timeouts;
        match (timeouts.check, self.next_deadline()) {
            (ConnectionCheck::Interval(_), _) => assert_eq!(server.timer_entries(), 1),
            (ConnectionCheck::Exact, None) => {}
            (ConnectionCheck::Exact, Some(next)) => {
                let left = next.saturating_duration_since(now) + Duration::from_millis(2);
                assert!(sleeps.is_some_and(|sleeps| sleeps <= left), "{sleeps:?}, {left:?} left");
            }
        }
    }

    /// The head of a list is the earliest of its class, and so on from there.
    fn check_list(&self, class: Class) {
        let tracker = self.world.server.tracker();
        let since = |key| tracker.since(key, class).expect("it is in the class");
        let order: Vec<Instant> = tracker.iter(class).map(since).collect();
        assert!(order.is_sorted(), "{class:?} is not in the order of since");
        assert_eq!(tracker.first(class), tracker.iter(class).next());
        assert_eq!(order.len(), tracker.len(class));
    }

    /// The earliest deadline, looked for in full.
    fn next_deadline(&self) -> Option<Instant> {
        let server = &self.world.server;
        let deadline = |class: Class| {
            let duration = class.duration(&server.settings().timeouts);
            let tracker = server.tracker();
            let each = tracker.iter(class).filter_map(move |key| tracker.since(key, class));
            each.filter(move |_| !duration.is_zero()).map(move |since| since + duration)
        };
        Class::ALL.into_iter().flat_map(deadline).min()
    }
}

/// Whether these are the classes of what the connection is doing. Time stands still while the
/// server does not read, so those of a message may be missing together; and those of a handler
/// count, where there are any, and not the pace of the peer.
fn fits(connection: &ConnectionInfo, classes: &[Class], handler_is_timed: bool) -> bool {
    let has = |class| classes.contains(&class);
    let of_message: Vec<_> =
        classes.iter().copied().filter(|class| !BESIDE.contains(class)).collect();
    let (awaited, writes) = (has(Class::Handler), has(Class::Write));
    let expected: &[&[Class]] = match connection.phase {
        Phase::FirstByte => &[&[Class::FirstByte, Class::Receive]],
        Phase::Headers => &[&[Class::Headers, Class::Receive], &[]],
        Phase::Body if awaited => &[&[Class::Receive], &[]],
        Phase::Body => &[&[Class::Receive, Class::MinRate], &[]],
        Phase::Handler | Phase::Write => &[&[]],
        Phase::Idle => &[&[Class::Idle]],
        // Whose socket is its owner's, is the owner's to watch.
        Phase::Upgraded => &[&[Class::Upgraded], &[]],
        Phase::Linger => &[&[Class::Linger, Class::LingerTotal]],
    };
    // In the phase of writing with nothing to write is a stream that has begun, and waits.
    let write = writes || connection.phase != Phase::Write || connection.bytes_out > 0;
    let handler = match connection.phase {
        Phase::Handler => awaited == handler_is_timed,
        _ => !awaited || handler_is_timed,
    };
    expected.contains(&&of_message[..]) && handler && write
}

/// Classes that a connection is in beside those of the message it is in.
const BESIDE: [Class; 2] = [Class::Write, Class::Handler];

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn each_connection_is_in_the_classes_of_its_phase_and_in_none_when_it_is_gone(
        events in prop::collection::vec(event(), 1..60),
        exact: bool,
        handler in prop::sample::select(&[0_u64, 30][..]),
        last_request in 0_u64..4,
        limit in prop::sample::select(&[(0, OverLimit::Refuse), (3, OverLimit::EvictIdle)][..]),
        grace in 0_u64..100,
    ) {
        quiet_panics();
        let world = World::with(|timeouts, limits| {
            if exact {
                timeouts.check = ConnectionCheck::Exact;
            }
            timeouts.handler = secs(handler);
            limits.requests_per_connection = last_request;
            (limits.connections, limits.over_limit) = limit;
        });
        let before_bind = 0;
        let mut clients = Clients { world, open: Vec::new(), half_closed: Vec::new() };
        clients.check();
        for event in events {
            clients.happen(event);
            clients.check();
        }
        let world = &mut clients.world;
        world.server.close(secs(grace), world.now);
        world.settle();
        clients.check_drain();
        let world = &mut clients.world;
        // At the end of the grace period, and at the check after it, it is over in any case.
        world.pass(secs(grace + 2));
        prop_assert!(world.server.is_closed());
        world.assert_empty();
        prop_assert_eq!(world.timers.len(), before_bind);
        prop_assert_eq!(world.server.stats().open, 0);
    }
}

impl Clients {
    /// While it drains there is a timer for as long as there is a connection, and no longer.
    fn check_drain(&mut self) {
        let World { server, timers, .. } = &mut self.world;
        let entries = usize::from(server.connections() > 0);
        assert_eq!((server.timer_entries(), timers.len()), (entries, entries));
        for class in Class::ALL {
            self.check_list(class);
        }
    }
}

/// Handlers panic here on purpose, and say so often.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let wanted = info
                .payload()
                .downcast_ref::<&str>()
                .is_some_and(|it| it.contains("as the test asked"));
            if !wanted {
                hook(info);
            }
        }));
    });
}
