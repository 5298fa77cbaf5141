//! Every way to take more than one's share that is known by a name: what a healthy client notices of
//! it, and what memory each attacker gets.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::alone;
use crate::crowd::{Attack, attack, healthy};
use crate::process::Binary;
use crate::vitals::{Vitals, resident_kib};

fn attacks() -> Vec<Attack> {
    let every = Duration::from_secs(1);
    let attack = |name, first: Vec<u8>, drip: &[u8], reads| Attack {
        name,
        first,
        drip: drip.to_vec(),
        every,
        reads,
    };
    let head = &b"GET /plaintext HTTP/1.1\r\nHost: a\r\n"[..];
    let fields = |field: &dyn Fn(usize) -> String| {
        let fields: String = (0..98).map(field).collect();
        [head, fields.as_bytes(), b"\r\n"].concat()
    };
    let ranges: String = (1..1000).flat_map(|n| [",5-".to_owned(), n.to_string()]).collect();
    let chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = [b"1;", &[b'x'; 10_000][..], b"\r\na\r\n"].concat();
    let get = [head, b"\r\n"].concat();
    vec![
        attack("connections, and nothing else", vec![], b"", true),
        attack("slow heads", head.to_vec(), b"X-a: b\r\n", true),
        attack(
            "slow bodies",
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n".to_vec(),
            b"x",
            true,
        ),
        attack("large heads", fields(&|n| format!("X-{n}: {}\r\n", "x".repeat(150))), b"", true),
        // All names of one length, of one letter in all its spellings: what a hash would meet.
        attack("names that collide", fields(&|n| format!("{:b}: x\r\n", 1024 + n)), b"", true),
        attack(
            "ranges",
            [head, b"Range: bytes=0-", ranges.as_bytes(), b"\r\n\r\n"].concat(),
            b"",
            true,
        ),
        attack("chunk extensions", [&chunked[..], &extension].concat(), &extension, true),
        attack("pipelines", get.repeat(100), &get.repeat(20), true),
        attack("pipelines, never read", get.repeat(2000), b"", false),
        attack(
            "streams, never read",
            b"GET /stream?chunks=1000000&size=1000 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            b"",
            false,
        ),
        attack("garbage, again and again", vec![0x16; 100], b"", true),
    ]
}

/// What a client may wait on a machine that does other things, too: for ever it must not.
const BUSY: Duration = Duration::from_secs(10);

/// What an attack has come to.
struct Row {
    name: String,
    held: u64,
    p50: Duration,
    p99: Duration,
    slowest: Duration,
    kib_each: f64,
}

fn heading() {
    println!(
        "{:30} {:>6} {:>9} {:>9} {:>9} {:>10}",
        "attack", "held", "p50", "p99", "max", "KiB each"
    );
}

impl Row {
    fn print(&self) {
        let Self { name, held, p50, p99, slowest, kib_each } = self;
        let millis = |time: &Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
        let (p50, p99, slowest) = (millis(p50), millis(p99), millis(slowest));
        println!("{name:30} {held:>6} {p50:>9} {p99:>9} {slowest:>9} {kib_each:>10.1}");
    }
}

/// Runs attackers against a server of their own, and a healthy client beside them.
fn run(
    name: &str,
    time: Duration,
    attackers: impl FnOnce(&Binary, &AtomicBool, &AtomicU64) + Send,
) -> Row {
    let binary = Binary::start(&["--threads", "2"]);
    let before = Vitals::of(&binary);
    let (over, held) = (AtomicBool::new(false), AtomicU64::new(0));
    let (waits, most, resident) = thread::scope(|scope| {
        scope.spawn(|| attackers(&binary, &over, &held));
        let client = scope.spawn(|| healthy(&binary, &over));
        let started = Instant::now();
        let (mut most, mut resident) = (0, 0);
        while started.elapsed() < time {
            thread::sleep(Duration::from_millis(50));
            most = most.max(held.load(Ordering::Relaxed));
            resident = resident.max(resident_kib(&binary));
        }
        over.store(true, Ordering::Relaxed);
        (client.join().expect("it is served"), most, resident)
    });
    let at = |share: usize| waits[(waits.len() * share / 1000).min(waits.len() - 1)];
    Row {
        name: name.to_owned(),
        held: most,
        p50: at(500),
        p99: at(990),
        slowest: at(1000),
        kib_each: ratio(resident.saturating_sub(before.resident_kib), most.max(1)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn ratio(all: u64, of: u64) -> f64 {
    all as f64 / of as f64
}

/// A head, a body, and what is written and not read: the most that the defaults let one have, with
/// the doubling of buffers.
const KIB_EACH_MAX: f64 = 2.0 * (16.0 + 1024.0 + 64.0 + 64.0);

fn abuse(many: usize, time: Duration, p99: Duration) {
    let _alone = alone();
    heading();
    let only = std::env::var("ABUSE").unwrap_or_default();
    let chosen = attacks().into_iter().filter(|it| it.name.contains(&only));
    let rows = chosen.map(|it| {
        run(it.name, time, |binary, over, held| attack(&it, binary.address, many, over, held))
    });
    check(rows, p99);
}

fn check(rows: impl Iterator<Item = Row>, p99: Duration) {
    // The whole table first.
    let rows: Vec<_> = rows.inspect(Row::print).collect();
    assert!(!rows.is_empty(), "no attack has that in its name");
    for row in rows {
        assert!(row.held > 0, "{}: nobody came", row.name);
        assert!(row.kib_each <= KIB_EACH_MAX, "{}: {} KiB each", row.name, row.kib_each);
        assert!(row.p99 <= p99, "{}: a healthy client waits {:?}", row.name, row.p99);
    }
}

#[test]
fn abuse_by_a_hundred_is_hardly_noticed() {
    abuse(100, Duration::from_millis(600), BUSY);
}

#[test]
#[ignore = "takes 5,000 descriptors and a machine at rest"]
fn in_full_abuse_by_5000_is_hardly_noticed() {
    abuse(5000, Duration::from_secs(10), Duration::from_millis(20));
}

/// The tool's own modes. Without it this says so and passes.
fn slowhttptest(many: usize, time: Duration, p99: Duration) {
    let _alone = alone();
    if Command::new("slowhttptest").arg("-h").stdout(Stdio::null()).status().is_err() {
        return println!("no slowhttptest here: not run");
    }
    heading();
    let modes = [("slow headers", "-H"), ("slow body", "-B"), ("range", "-R"), ("slow read", "-X")];
    let rows = modes.into_iter().map(|(name, mode)| {
        run(
            &format!("slowhttptest {mode}: {name}"),
            time + Duration::from_secs(2),
            |binary, _, held| {
                let url = format!("http://{}/stream?chunks=10000&size=1000", binary.address);
                let (many, time) = (many.to_string(), time.as_secs().max(1).to_string());
                let flags = [mode, "-c", &many, "-r", &many, "-l", &time, "-i", "1", "-u", &url];
                held.store(many.parse().expect("a number"), Ordering::Relaxed);
                let run = Command::new("slowhttptest").args(flags).stdout(Stdio::null()).status();
                // 255 is what it says when the probe found nothing wrong; a signal would be trouble.
                assert!(run.expect("it runs").code().is_some(), "slowhttptest {mode}");
            },
        )
    });
    check(rows, p99);
}

#[test]
fn slowhttptest_in_small_is_hardly_noticed() {
    slowhttptest(100, Duration::from_secs(1), BUSY);
}

#[test]
#[ignore = "takes 5,000 descriptors and a machine at rest"]
fn in_full_abuse_by_slowhttptest_is_hardly_noticed() {
    slowhttptest(5000, Duration::from_secs(20), Duration::from_millis(20));
}
