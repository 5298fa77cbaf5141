//! The `netserver` binary: flags, event loops on threads, and signals that end them in good order.

#![forbid(unsafe_code)]

mod cli;
mod drain;
mod listen;
mod log;
mod routes;
mod signals;
mod top;
mod units;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use netserver::{Endpoint, Server, Settings};
use signal_hook_mio::v1_0::Signals;

use cli::{Command, Options};
use drain::Drain;
use routes::Routes;
use signals::Meaning;

fn main() -> ExitCode {
    match cli::read().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn run(command: Command) -> Result<(), ExitCode> {
    let outcome = match command {
        Command::Top(options) => top::run(&options),
        Command::Serve(options) => {
            let settings = options.settings()?;
            log::start(options.verbose);
            serve(&options, &settings)
        }
    };
    outcome.map_err(|error| {
        // Nobody may be reading, which is no reason to panic.
        let _ = writeln!(io::stderr(), "netserver: {error}");
        ExitCode::FAILURE
    })
}

const SIGNAL: Token = Token(0);
const ENDED: Token = Token(1);

/// Serves until it is told to end, and has.
fn serve(options: &Options, settings: &Settings) -> io::Result<()> {
    let mut poll = Poll::new()?;
    // Before anything listens, so that no signal finds the default at work.
    let mut signals = Signals::new(signals::ALL)?;
    poll.registry().register(&mut signals, SIGNAL, Interest::READABLE)?;
    // Kept here too: a waker that is closed takes its wake-up along.
    let ended = Arc::new(Waker::new(poll.registry(), ENDED)?);
    let on_end = Arc::clone(&ended);

    let settings = settings.clone();
    let proxied = options.proxy_protocol;
    let live = options.live_page.access();
    let build = move |links| {
        Server::builder(Routes::new(links, live)).settings(settings.clone()).proxy_protocol(proxied)
    };
    let (workers, mut socket_file) =
        options.listen.start(options.threads, build, move || drop(on_end.wake()))?;
    announce(workers.endpoints());

    let mut events = Events::with_capacity(8);
    let mut grace = options.grace;
    let mut drain: Option<Drain> = None;
    while workers.running() > 0 {
        let timeout = drain.as_mut().and_then(|drain| drain.timeout(Instant::now()));
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        let now = Instant::now();
        let mut signalled = 0;
        for signal in signals.pending() {
            match signals::meaning(signal) {
                Meaning::End => signalled += 1,
                Meaning::Report => tell(&signals::report(&workers.gauges().total().server)),
                Meaning::Nothing => tracing::info!(signal, "means nothing here"),
            }
        }
        // A loop that ends unasked has failed, and takes the others with it.
        let failed = drain.is_none() && workers.running() < workers.loops();
        for _ in 0..signalled.max(usize::from(failed)) {
            // Before it stops to listen, so that nobody finds a name without a server.
            socket_file = None;
            workers.close(grace);
            match &mut drain {
                Some(drain) => drain.hurry(grace, now),
                None => drain = Some(Drain::begin(grace, now)),
            }
            if signalled > 0 {
                // A second signal does not wait.
                grace = Duration::ZERO;
            }
        }
        if let Some(progress) = drain.as_mut().and_then(|it| it.progress(workers.gauges(), now)) {
            tell(&progress);
        }
    }
    drop(socket_file);
    tell(&drain::outcome(&workers.join()?));
    Ok(())
}

/// On stderr, where nobody may be reading, which is no reason to fail.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "netserver: {line}");
}

fn announce(endpoints: &[Endpoint]) {
    let mut out = io::stdout().lock();
    // Nobody may be reading, which is no reason not to serve.
    let _ = endpoints.iter().try_for_each(|endpoint| match endpoint {
        Endpoint::Ip(address) => {
            writeln!(out, "listening on http://{address}")?;
            writeln!(out, "try: curl -i http://{address}/plaintext, or open http://{address}/")
        }
        Endpoint::Unix(Some(path)) => {
            let path = path.display();
            writeln!(out, "listening on unix:{path}")?;
            writeln!(out, "try: curl -i --unix-socket {path} http://localhost/plaintext")
        }
        endpoint => writeln!(out, "listening on {endpoint}"),
    });
    let _ = out.flush();
}
