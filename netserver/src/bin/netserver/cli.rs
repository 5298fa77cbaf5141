//! The command line: flags, their defaults, and mistakes told in one line.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use netserver::live::Access;
use netserver::{ConnectionCheck, Limits, SettingError, Settings, Timeouts};

use crate::listen::Listen;
use crate::top;
use crate::units::{count, duration, memory_size, size, threads};

/// What the process is to do.
#[derive(Debug)]
pub(crate) enum Command {
    Serve(Box<Options>),
    Top(top::Options),
}

/// An HTTP/1.1 server with connection deadlines on a timer wheel.
///
/// Without a command it serves until SIGTERM or SIGINT, and then drains: what is under way is
/// answered, and told once a second. A second signal does not wait. SIGQUIT is the same; SIGUSR1
/// has it say how things are on stderr; SIGHUP, SIGUSR2 and others mean nothing, which -v tells.
#[derive(Parser, Debug)]
#[command(name = "netserver", version, styles = STYLES, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    serve: Options,
}

#[derive(Subcommand, Debug)]
enum Other {
    Top(top::Options),
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Its colours go where the others go when nobody sees them.
const EXAMPLES: &str = "\
\x1b[1;32mUnits:\x1b[0m
  500ms, 2s, 1m; 16KiB, 1MiB. 0 switches a timeout off, and a number of connections or requests.

\x1b[1;32mExamples:\x1b[0m
  \x1b[1;36mnetserver\x1b[0m
      serve on http://127.0.0.1:8080; the live page is at /
  \x1b[1;36mnetserver --listen 0.0.0.0:80 --threads 4 --max-connections 10000 -v\x1b[0m
      everywhere, on four loops, with a limit; say why each connection closed
  \x1b[1;36mnetserver --headers-timeout 400ms --connections-checking-interval 100ms\x1b[0m
      see deadlines at work: connect with nc and say nothing
  \x1b[1;36mnetserver top\x1b[0m
      look at the one that runs, from another terminal";

/// Serving.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Where to listen: IP:PORT, and port 0 is one that is free; unix:PATH; or systemd, for the
    /// sockets that a service manager passes.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", help_heading = "Where")]
    pub(crate) listen: Listen,

    /// Expect a header of the PROXY protocol (version 1 or 2) first on each connection, and take
    /// the client's address from it. Only where nobody but the proxy can connect.
    #[arg(long, help_heading = "Where")]
    pub(crate) proxy_protocol: bool,

    /// Event loops, each on a thread; with a socket of its own on IP:PORT, and otherwise sharing
    /// one.
    #[arg(
        long, help_heading = "Where",
        value_name = "N", default_value = "1", value_parser = threads
    )]
    pub(crate) threads: NonZeroUsize,

    /// From the first byte of a request until its head is complete.
    #[arg(
        long, help_heading = "Timeouts",
        value_name = "DURATION", default_value = "60s", value_parser = duration
    )]
    headers_timeout: Duration,

    /// From the first byte of a request until its body is complete.
    #[arg(
        long, help_heading = "Timeouts",
        value_name = "DURATION", default_value = "300s", value_parser = duration
    )]
    request_timeout: Duration,

    /// How long a connection may be idle between requests.
    #[arg(
        long, help_heading = "Timeouts",
        value_name = "DURATION", default_value = "5s", value_parser = duration
    )]
    keep_alive_timeout: Duration,

    /// How long a client may take nothing of what is written to it.
    #[arg(
        long, help_heading = "Timeouts",
        value_name = "DURATION", default_value = "60s", value_parser = duration
    )]
    write_timeout: Duration,

    /// How often connections are checked for the timeouts above.
    #[arg(
        long, help_heading = "Timeouts",
        value_name = "DURATION", default_value = "1s", value_parser = duration
    )]
    connections_checking_interval: Duration,

    /// Request line and fields; more is answered 431.
    #[arg(
        long, help_heading = "Limits",
        value_name = "SIZE", default_value = "16KiB", value_parser = memory_size
    )]
    max_header_size: usize,

    /// Fields of a request; more is answered 431.
    #[arg(
        long, help_heading = "Limits",
        value_name = "N", default_value = "100", value_parser = count::<usize>
    )]
    max_headers_count: usize,

    /// Requests of one connection.
    #[arg(
        long, help_heading = "Limits",
        value_name = "N", default_value = "0", value_parser = count::<u64>
    )]
    max_requests_per_socket: u64,

    /// Connections open at a time, in all event loops together; those above it are closed.
    #[arg(
        long, help_heading = "Limits",
        value_name = "N", default_value = "0", value_parser = count::<usize>
    )]
    max_connections: usize,

    /// Connections from one address that have not sent a whole head yet, in all event loops
    /// together; those above it are closed.
    #[arg(
        long, help_heading = "Limits",
        value_name = "N", default_value = "0", value_parser = count::<usize>
    )]
    max_pending_per_address: usize,

    /// The same for all addresses of one prefix.
    #[arg(
        long, help_heading = "Limits",
        value_name = "N", default_value = "0", value_parser = count::<usize>
    )]
    max_pending_per_prefix: usize,

    /// Bits of an IPv4 address that make its prefix.
    #[arg(
        long, help_heading = "Limits",
        value_name = "BITS", default_value = "24", value_parser = count::<u8>
    )]
    ipv4_prefix_length: u8,

    /// Bits of an IPv6 address that make its prefix.
    #[arg(
        long, help_heading = "Limits",
        value_name = "BITS", default_value = "64", value_parser = count::<u8>
    )]
    ipv6_prefix_length: u8,

    /// A body that is held in memory; more is answered 413, and with 0 any body is.
    #[arg(
        long, help_heading = "Limits",
        value_name = "SIZE", default_value = "1MiB", value_parser = size
    )]
    max_body_size: u64,

    /// Who may open the live page at /, which shows peers' addresses.
    #[arg(
        long,
        value_name = "WHO",
        value_enum,
        default_value = "loopback",
        help_heading = "Watching"
    )]
    pub(crate) live_page: Audience,

    /// How long requests under way may take to finish after SIGTERM or SIGINT; 0 is no time.
    #[arg(
        long, help_heading = "Timeouts",
        value_name = "DURATION", default_value = "10s", value_parser = duration
    )]
    pub(crate) grace: Duration,

    /// Say on stderr why each connection closed; -vv: its phases and expiries too; -vvv: and each
    /// timer.
    #[arg(short, long, action = ArgAction::Count, help_heading = "Watching")]
    pub(crate) verbose: u8,
}

/// Who may see the live page.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum Audience {
    /// Nobody: there is none.
    Off,
    /// Peers on this machine.
    Loopback,
    /// Everybody; its buttons stay with peers on this machine.
    Any,
}

impl Audience {
    pub(crate) fn access(self) -> Option<Access> {
        match self {
            Self::Off => None,
            Self::Loopback => Some(Access::Loopback),
            Self::Any => Some(Access::Any),
        }
    }
}

/// Reads the command line. `Err` is how the process ends: after `--help`, or after a mistake,
/// which has been told on stderr.
pub(crate) fn read() -> Result<Command, ExitCode> {
    let command_line = CommandLine::try_parse().map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // Nobody is left to tell when stdout is closed.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        eprintln!("netserver: {}", in_one_line(&error));
        ExitCode::from(2)
    })?;
    Ok(match command_line.other {
        Some(Other::Top(options)) => Command::Top(options),
        None => Command::Serve(Box::new(command_line.serve)),
    })
}

impl Options {
    /// The settings that the flags ask for. `Err` is how the process ends, as above.
    pub(crate) fn settings(&self) -> Result<Settings, ExitCode> {
        let settings = self.unchecked_settings();
        match settings.check() {
            Ok(()) => Ok(settings),
            Err(error) => {
                eprintln!("netserver: {}", in_terms_of_flags(&error));
                Err(ExitCode::from(2))
            }
        }
    }

    fn unchecked_settings(&self) -> Settings {
        Settings {
            timeouts: Timeouts {
                headers: self.headers_timeout,
                request: self.request_timeout,
                keep_alive: self.keep_alive_timeout,
                write: self.write_timeout,
                check: ConnectionCheck::Interval(self.connections_checking_interval),
                ..Timeouts::default()
            },
            limits: Limits {
                header_size: self.max_header_size,
                headers_count: self.max_headers_count,
                requests_per_connection: self.max_requests_per_socket,
                connections: self.max_connections,
                pending_per_address: self.max_pending_per_address,
                pending_per_prefix: self.max_pending_per_prefix,
                ipv4_prefix_length: self.ipv4_prefix_length,
                ipv6_prefix_length: self.ipv6_prefix_length,
                body_size: self.max_body_size,
                ..Limits::default()
            },
        }
    }
}

/// What is wrong, without the usage and tips that follow: scripts log lines.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    // A value that begins with a hyphen is taken for a flag.
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if is_negative(flag) => {
            format!("{line}: a value is not negative")
        }
        _ => line.to_owned(),
    }
}

fn is_negative(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Settings and flags have the same names but for how they are written, and for one.
fn in_terms_of_flags(error: &SettingError) -> String {
    let flag = match error.setting {
        "check_interval" => "connections-checking-interval".to_owned(),
        setting => setting.replace('_', "-"),
    };
    format!("--{flag} is {}: it {}", error.value, error.rule.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        let parsed = CommandLine::try_parse_from(["netserver"].iter().chain(args));
        parsed.map(|command_line| command_line.serve)
    }

    #[test]
    fn the_flags_are_well_formed_and_their_defaults_are_those_of_the_library() {
        CommandLine::command().debug_assert();
        let options = parse(&[]).expect("no flags");
        assert_eq!(options.settings(), Ok(Settings::default()));
    }

    #[test]
    fn a_mistake_is_told_in_one_line_that_names_the_flag_and_the_value() {
        let cases = [
            (&["--headers-timeout", "soon"][..], "--headers-timeout", "soon"),
            (&["--listen", "nowhere"], "--listen", "nowhere"),
            (&["--threads", "0"], "--threads", "0"),
            (&["--threads", "99999999999"], "--threads", "at most 1024"),
            (&["--headers-timeout", "-1s"], "-1", "not negative"),
            (&["--max-connections", "-1"], "-1", "not negative"),
            (&["--max-connections", "1.5"], "--max-connections", "whole number"),
            (&["--ipv4-prefix-length", "300"], "--ipv4-prefix-length", "too large"),
            (&["--listen", "--threads", "2"], "--listen", "value is required"),
            (&["--max-body-size", "1kb"], "--max-body-size", "1kb"),
            (&["--frobnicate"], "--frobnicate", "unexpected"),
            (&["8080"], "8080", "unrecognized"),
            (&["--threads", "2", "top"], "top", "--threads"),
        ];
        for (args, flag, value) in cases {
            let line = in_one_line(&parse(args).expect_err("a mistake"));
            assert!(line.contains(flag) && line.contains(value), "{line}");
            assert!(!line.contains('\n') && !line.starts_with("error"), "{line}");
        }
    }
}
