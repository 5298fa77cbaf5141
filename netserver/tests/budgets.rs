//! What concerns all connections at once is done a portion a turn, and the others are served in
//! between.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use common::{GET, World, secs};
use netserver::{ConnectionCheck, Listener};

const MANY: usize = 400;

/// As many as others may always be kept waiting by.
const FEW: usize = 3;

/// A server with so many connections through pipes, each of which has sent this.
fn world_with(many: usize, sent: &[u8]) -> (World, Vec<UnixStream>) {
    world_checked(ConnectionCheck::Interval(secs(30)), many, sent)
}

fn world_checked(check: ConnectionCheck, many: usize, sent: &[u8]) -> (World, Vec<UnixStream>) {
    let mut world = World::listening_on(Listener::none(), |timeouts, _| timeouts.check = check);
    let clients = (0..many).map(|_| adopt(&mut world, sent)).collect();
    world.settle();
    (world, clients)
}

fn adopt(world: &mut World, sent: &[u8]) -> UnixStream {
    let (mut client, ours) = UnixStream::pair().expect("descriptors");
    client.set_nonblocking(true).expect("nonblocking");
    ours.set_nonblocking(true).expect("nonblocking");
    client.write_all(sent).expect("room");
    world.server.adopt(mio::net::UnixStream::from_std(ours), None, world.now).expect("room");
    client
}

fn has_answer(client: &mut UnixStream) -> bool {
    client.read(&mut [0; 1024]).is_ok_and(|n| n > 0)
}

#[test]
fn a_close_tells_a_portion_of_the_connections_in_each_turn() {
    let (mut world, mut clients) = world_with(MANY, GET);
    assert!(clients.iter_mut().all(has_answer), "all are idle now");
    let last = clients.last_mut().expect("many");
    world.server.close(secs(10), world.now);
    let left = world.server.connections();
    assert!((1..MANY).contains(&left), "{left} of {MANY} after the first portion");
    assert!(world.server.wants_turn());

    // One that has not been told yet is served in between, and is told by that.
    last.write_all(GET).expect("room");
    world.turn();
    let mut answer = [0; 1024];
    let answer = last.read(&mut answer).map(|n| String::from_utf8_lossy(&answer[..n]));
    let answer = answer.expect("served while others are told");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    world.settle();
    assert_eq!((world.server.connections(), world.timers.len()), (0, 0));
    assert_eq!(world.server.report().expect("it closes").finished, MANY as u64);
}

#[test]
fn without_grace_all_are_cut_off_a_portion_a_turn() {
    let (mut world, clients) = world_with(MANY, b"GET / HT");
    world.server.close(secs(0), world.now);
    let left = world.server.connections();
    assert!((1..=MANY).contains(&left), "{left} of {MANY} after the first portion");
    world.settle();
    assert_eq!((world.server.connections(), world.timers.len()), (0, 0));
    assert_eq!(world.server.report().expect("it closes").forced, clients.len() as u64);
}

#[test]
fn what_expires_together_is_answered_a_few_a_turn() {
    let (mut world, mut clients) = world_with(MANY, b"GET / HT");
    let mut told = || clients.iter_mut().filter_map(|it| has_answer(it).then_some(())).count();
    // All heads are too late at the same check.
    world.now += secs(61);
    world.timers.advance(world.now);
    let expiry = world.timers.pop_expired().expect("the check");
    assert!(world.server.on_timer(expiry.handle, world.now));
    assert!(world.server.wants_turn());
    world.server.turn(&mut world.timers, world.now);
    let at_first = told();
    assert!((1..=FEW).contains(&at_first), "{at_first} in the turn of the check");

    let mut healthy = adopt(&mut world, GET);
    assert!(has_answer(&mut healthy), "served while others expire");
    world.turn();
    let in_a_turn = told();
    assert!((1..=FEW).contains(&in_a_turn), "{in_a_turn} in a turn");

    // Beside those who ask for much it is more, or it would take for ever.
    let mut greedy: Vec<_> = (0..8).map(|_| Greedy::adopted_by(&mut world)).collect();
    world.turn();
    let beside = told();
    assert!((FEW + 1..MANY / 4).contains(&beside), "{beside} beside others");
    world.settle();
    assert_eq!(at_first + in_a_turn + beside + told(), MANY, "every one reads its 408");
    assert!(greedy.iter_mut().all(|it| it.read() > 0));
}

/// Exact, it came in every turn, and before those who had more to do.
#[test]
fn an_exact_check_has_its_part_beside_those_who_ask_for_much() {
    let (mut world, mut clients) = world_checked(ConnectionCheck::Exact, MANY, b"GET / HT");
    let mut told = || clients.iter_mut().filter_map(|it| has_answer(it).then_some(())).count();
    world.now += secs(61);
    world.turn();
    let alone = told();
    assert!((1..=FEW).contains(&alone), "{alone} in the turn of the check");
    let greedy: Vec<_> = (0..20).map(|_| Greedy::adopted_by(&mut world)).collect();
    world.turn();
    told();
    // They have had their portion by now, and stand in line for more, and so it is turn after turn.
    for _ in 0..5 {
        world.turn();
        let beside = told();
        assert!((FEW + 1..MANY / 4).contains(&beside), "{beside} beside others");
    }
    drop(greedy);
    let checks = world.server.stats().checks;
    world.settle();
    assert_eq!(world.server.stats().checks, checks, "one check is enough for all of them");
}

/// How many answers there are to read: of all they say, `HTTP` alone has that letter.
fn answers(client: &mut UnixStream) -> usize {
    let (mut answers, mut buffer) = (0, [0; 16 << 10]);
    while let Ok(n @ 1..) = client.read(&mut buffer) {
        answers += memchr::memchr_iter(b'P', &buffer[..n]).count();
    }
    answers
}

/// A client with far more requests than it gets answered in one go, which is told how far it got.
struct Greedy {
    stream: UnixStream,
    answers: usize,
}

/// What one of them asks for at once.
const REQUESTS: usize = 1500;

impl Greedy {
    fn adopted_by(world: &mut World) -> Self {
        Self { stream: adopt(world, &GET.repeat(REQUESTS)), answers: 0 }
    }

    /// Reads what there is, so that it is not its own pace that holds it up.
    fn read(&mut self) -> usize {
        self.answers += answers(&mut self.stream);
        self.answers
    }
}

/// More than a turn may serve, whoever asks.
const TOO_MANY: u64 = 5000;

/// Turns until nobody waits, in each of which `each` is done first; how many there were.
fn turns(world: &mut World, mut each: impl FnMut(&mut World)) -> usize {
    let mut turns = 0;
    while world.server.wants_turn() {
        each(world);
        let before = world.server.stats().requests;
        world.turn();
        let requests = world.server.stats().requests - before;
        assert!(requests < TOO_MANY, "{requests} in one turn");
        turns += 1;
        assert!(turns < 100_000, "somebody waits for ever");
    }
    turns
}

#[test]
fn who_asks_for_little_waits_for_one_turn_beside_many_who_ask_for_much() {
    let (mut world, _) = world_with(0, b"");
    let mut greedy: Vec<_> = (0..MANY).map(|_| Greedy::adopted_by(&mut world)).collect();
    let mut healthy = adopt(&mut world, GET);
    assert!(has_answer(&mut healthy));
    let turns = turns(&mut world, |world| {
        healthy.write_all(GET).expect("room");
        let before = world.server.stats().requests;
        world.turn();
        assert!(has_answer(&mut healthy), "it is not served in the turn that hears of it");
        let beside = world.server.stats().requests - before;
        assert!((1..TOO_MANY).contains(&beside), "{beside} are served in that turn");
        for it in &mut greedy {
            it.read();
        }
    });
    assert!(turns > 100, "{turns} turns: there was nothing to wait for");
    assert!(greedy.iter_mut().all(|it| it.read() == REQUESTS), "each of them got all");
}

#[test]
fn those_who_ask_for_much_have_their_share_in_turn_whatever_is_new() {
    let (mut world, _) = world_with(0, b"");
    let mut chatty: Vec<_> = (0..MANY).map(|_| adopt(&mut world, b"")).collect();
    let mut greedy: Vec<_> = (0..20).map(|_| Greedy::adopted_by(&mut world)).collect();
    let (mut asked, mut answered) = (0, 0);
    turns(&mut world, |world| {
        // More news than a turn can serve.
        for client in &mut chatty {
            client.write_all(GET).expect("room");
            asked += 1;
        }
        let before: usize = greedy.iter_mut().map(Greedy::read).sum();
        world.turn();
        let got: Vec<_> = greedy.iter_mut().map(Greedy::read).collect();
        let (least, most) = (got.iter().min().expect("some"), got.iter().max().expect("some"));
        assert!(got.iter().sum::<usize>() > before || *least == REQUESTS, "they starve: {got:?}");
        assert!(most - least <= 128, "one is {} ahead of another", most - least);
        // Of those with news nobody waits for longer than the others take once.
        for _ in 0..8 {
            world.turn();
            answered += chatty.iter_mut().map(answers).sum::<usize>();
        }
        assert_eq!(answered, asked, "some wait longer than others");
    });
    assert!(greedy.iter_mut().all(|it| it.read() == REQUESTS), "each of them got all");
}

#[test]
fn who_has_ended_stands_in_line_no_more() {
    let (mut world, _) = world_with(0, b"");
    for _ in 0..3 {
        let greedy: Vec<_> = (0..MANY).map(|_| Greedy::adopted_by(&mut world)).collect();
        assert!(world.server.wants_turn(), "all of them have more to do");
        world.server.close_all(world.now);
        assert!(!world.server.wants_turn(), "nobody is left, and somebody waits");
        drop(greedy);
    }
    // Those who come into the same slots wait for nothing.
    let mut healthy = adopt(&mut world, GET);
    assert!(has_answer(&mut healthy));
    assert!(!world.server.wants_turn());
}
