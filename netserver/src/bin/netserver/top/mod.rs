//! `netserver top`: what a running server tells in `/status.json`, in a terminal.
//!
//! ```text
//!  ask (HTTP over TCP or a Unix socket) ─► sample (numbers) ─► history ─► screen, every second
//!                                                                └──────► report, with --once
//! ```

mod ask;
mod history;
mod report;
mod sample;
mod screen;

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::units::duration;
use ask::Address;
use history::History;

/// Show what a running server does: connections by phase, closes by cause, requests, timers.
///
/// It asks for /status.json again and again. Keys: q ends, space holds the picture, + and - change
/// how often.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The server: HOST:PORT, or unix:PATH.
    #[arg(default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    address: Address,

    /// How often to ask; at least 100ms.
    #[arg(short, long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    interval: Duration,

    /// Ask twice, an interval apart, print what there is to say as plain lines, and end: for
    /// scripts.
    #[arg(long)]
    once: bool,
}

const EXAMPLES: &str = "\
\x1b[1;32mExamples:\x1b[0m
  \x1b[1;36mnetserver top\x1b[0m
      the server at 127.0.0.1:8080
  \x1b[1;36mnetserver top --interval 200ms [::1]:9000\x1b[0m
      another one, more often
  \x1b[1;36mnetserver top --once unix:/run/netserver.sock | grep closed\x1b[0m
      one report, as lines";

const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(60);

/// Until it is ended by a key, or by what goes wrong at the beginning.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let interval = options.interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
    let mut history = History::new(options.address.to_string());
    // Who is not there is told in one line, not on a screen.
    history.note(ask::status(&options.address)?, Instant::now());
    if options.once {
        std::thread::sleep(interval);
        history.note(ask::status(&options.address)?, Instant::now());
        // A pipe that is closed early has what it wants.
        let _ = io::stdout().write_all(report::lines(&history).as_bytes());
        return Ok(());
    }
    if !io::stdout().is_terminal() {
        let reason = "top draws on a terminal, and this is none; --once prints plain lines";
        return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
    }
    let mut terminal = ratatui::try_init()?;
    let outcome = watch(&mut terminal, &options.address, history, interval);
    ratatui::restore();
    outcome
}

fn watch(
    terminal: &mut DefaultTerminal,
    address: &Address,
    mut history: History,
    mut interval: Duration,
) -> io::Result<()> {
    let mut asked = Instant::now();
    let mut held = false;
    loop {
        terminal.draw(|frame| screen::draw(frame, &history, interval, held))?;
        let wait = (asked + interval).saturating_duration_since(Instant::now());
        if event::poll(wait)? {
            match pressed(&event::read()?) {
                Some(Key::End) => return Ok(()),
                Some(Key::Hold) => held = !held,
                Some(Key::Faster) => interval = (interval / 2).max(INTERVAL_MIN),
                Some(Key::Slower) => interval = (interval * 2).min(INTERVAL_MAX),
                // Another size of the terminal is seen to by drawing.
                None => {}
            }
            continue;
        }
        asked = Instant::now();
        if !held {
            match ask::status(address) {
                Ok(sample) => history.note(sample, asked),
                Err(error) => history.miss(error.to_string()),
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Key {
    End,
    Hold,
    Faster,
    Slower,
}

fn pressed(event: &Event) -> Option<Key> {
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::End),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::End),
        KeyCode::Char(' ') => Some(Key::Hold),
        KeyCode::Char('+' | '=') => Some(Key::Faster),
        KeyCode::Char('-') => Some(Key::Slower),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::crossterm::event::KeyEvent;

    #[test]
    fn keys_do_what_the_help_says() {
        let key = |code, modifiers| pressed(&Event::Key(KeyEvent::new(code, modifiers)));
        let plain = |code| key(code, KeyModifiers::NONE);
        assert_eq!(plain(KeyCode::Char('q')), Some(Key::End));
        assert_eq!(plain(KeyCode::Esc), Some(Key::End));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::End));
        assert_eq!(plain(KeyCode::Char('c')), None);
        assert_eq!(plain(KeyCode::Char(' ')), Some(Key::Hold));
        assert_eq!(plain(KeyCode::Char('+')), Some(Key::Faster));
        assert_eq!(plain(KeyCode::Char('-')), Some(Key::Slower));
        assert_eq!(pressed(&Event::Resize(80, 24)), None);
    }
}
