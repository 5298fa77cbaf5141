//! The live page in a real browser: Chromium, headless, by its driver. Where there is none the test
//! says so and passes; the gate installs both.

#![cfg(feature = "cli")]

mod driver;
#[path = "../binary/process.rs"]
#[allow(dead_code)] // used in part
mod process;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use driver::Browser;
use process::{Binary, Client};

/// Requests that keep coming until it is dropped.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn on(binary: &Binary) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |index: u64| {
            let (mut client, stop) = (binary.client(), Arc::clone(&stop));
            thread::spawn(move || {
                for number in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let path = if number % 40 == 0 {
                        format!("/slow?ms={}", 3 + 40 * index)
                    } else {
                        "/json".to_owned()
                    };
                    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
                    client.response();
                    thread::sleep(Duration::from_millis(1 + index));
                }
            })
        };
        let threads = (0..6).map(client).collect();
        Self { stop, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Connections in every phase that lasts, held by the test.
fn visitors(binary: &Binary) -> Vec<Client> {
    let send = |bytes: &str| {
        let mut client = binary.client();
        client.send(bytes);
        client
    };
    let mut clients = vec![
        send(""),
        send("GET /json HTTP/1.1\r\nHo"),
        send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nx"),
        send("GET /stream?chunks=1000000&size=100000 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ];
    // Requests put off: entries on the wheel, on every level that people live to see, and some that
    // share a slot.
    for ms in [9_000, 21_000, 40_000, 40_010, 50_000, 90_000, 95_000, 400_000, 1_800_000, 3_600_000]
    {
        clients.push(send(&format!("GET /slow?ms={ms} HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
    // And some that end, for one cause and another.
    for bytes in ["nonsense\r\n\r\n", "nonsense\r\n\r\n", "GET /json HTTP/1.1\r\nHost: a\r\n\r\n"] {
        drop(send(bytes));
    }
    clients
}

#[test]
fn a_browser_sees_the_wheel_turn_and_closes_a_connection() {
    let Some(browser) = Browser::start() else {
        eprintln!("skipped: there is no chromedriver (Debian: apt-get install chromium-driver)");
        return;
    };
    let binary = Binary::start(&["--keep-alive-timeout", "60s"]);
    let mut visitors = visitors(&binary);
    browser.look(1440, 900, false);
    browser.open(&format!("http://{}/", binary.address));
    browser.wait("the page is live", "return document.querySelector('#link.live') !== null");

    // Counters move under load.
    let load = Load::on(&binary);
    let text = |id: &str| format!("return document.getElementById('{id}').textContent");
    let before = browser.run(&text("requests"));
    browser.wait(
        "requests are counted",
        &format!(
            "return document.getElementById('requests').textContent !== {before} \
         && parseInt(document.getElementById('rate').textContent.replace(/,/g, '')) > 50"
        ),
    );

    // A slot tells what waits in it, and who armed it: chosen by hand, and by keyboard.
    browser.wait("slots are drawn", "return document.querySelectorAll('#wheel .dot').length > 4");
    // The hour is far enough to stay where it is.
    let far = "[...document.querySelectorAll('#wheel .dot')].find((it) => it.dataset.slot.startsWith('2.'))";
    let key = browser.wait(
        "a slot of level 2",
        &format!("return ({far} || {{dataset: {{}}}}).dataset.slot || null"),
    );
    let key = key.as_str().expect("a slot").to_owned();
    browser.run(&format!("{far}.dispatchEvent(new MouseEvent('click'))"));
    let list = browser.run(&text("slot"));
    let list = list.as_str().expect("a text");
    assert!(list.contains(&format!("slot {}", &key[2..])) && list.contains("request"), "{list}");
    assert!(list.contains("routes/slow.rs:"), "who armed it is named: {list}");
    browser.press('\u{E012}'); // left
    let chosen = browser.run("return document.activeElement.dataset.slot");
    assert_ne!(chosen.as_str(), Some(&*key), "the arrow leads to another slot");

    // The table is sorted by its headers.
    browser.click("#heads th[data-key=requests] button");
    let sorted =
        "return document.querySelector('#heads th[data-key=requests]').getAttribute('aria-sort')";
    assert_eq!(browser.run(sorted), "descending");

    // The button closes the connection, and the client sees it.
    let peer = visitors[0].stream.local_addr().expect("connected").to_string();
    let row = format!(
        "[...document.querySelectorAll('#rows tr')].find((it) => it.textContent.includes('{peer}'))"
    );
    let name = browser.wait(
        "the connection is listed",
        &format!("const row = {row}; return row ? row.dataset.connection : null"),
    );
    browser.run(&format!("{row}.scrollIntoView({{block: 'center'}})"));
    browser
        .click(&format!("#rows tr[data-connection='{}'] button", name.as_str().expect("a name")));
    assert_eq!(visitors[0].rest(), "", "closed without a word");
    browser.wait("the row goes", &format!("return {row} === undefined"));

    // Ten thousand servers leave nothing.
    browser.click("#try");
    let told = browser.wait("the servers are gone",
        "const it = document.getElementById('trial').textContent; return it.includes('remains') ? it : null");
    let told = told.as_str().expect("a text");
    assert!(
        told.starts_with("Nothing remains. 10,000 servers made and dropped, 200 of them bound."),
        "{told}"
    );
    assert_eq!(browser.run(&text("orphans")), "0");

    // Each cause has the number that the status has, whatever the order.
    drop(visitors.pop());
    let status = "const closed = frame.status.connections.closed; \
        const rows = [...document.querySelectorAll('#closes .row')].map((it) => \
            [it.children[0].textContent.replaceAll(' ', '_'), it.children[2].textContent]); \
        return rows.length > 3 && rows.every(([name, n]) => String(closed[name]) === n) \
            && rows[0][1] !== '0'";
    browser.wait("the causes are those of the status", status);

    // Who comes later sees what it was like before.
    browser.open(&format!("http://{}/", binary.address));
    browser.wait(
        "the minutes before are known",
        "return past.some((it) => it.at < performance.timeOrigin - 1000) && frame !== null",
    );

    pictures(&browser);
    drop((load, visitors));
}

/// Each width in light and dark, as an artefact; nothing is wider than the screen.
fn pictures(browser: &Browser) {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let directory = target.parent().unwrap_or(&target).join("screenshots");
    std::fs::create_dir_all(&directory).expect("a directory for pictures");
    // Some history for the chart.
    thread::sleep(Duration::from_secs(2));
    for (width, height) in [(390, 844), (1440, 900)] {
        for (dark, scheme) in [(false, "light"), (true, "dark")] {
            browser.look(width, height, dark);
            browser.run("window.scrollTo(0, 0); document.activeElement.blur()");
            thread::sleep(Duration::from_millis(900));
            let overflow = browser.run("return document.documentElement.scrollWidth - innerWidth");
            assert!(overflow.as_i64() <= Some(0), "{width} pixels: {overflow} too wide");
            browser.picture(width, &directory.join(format!("live-{width}-{scheme}.png")));
        }
    }
}
