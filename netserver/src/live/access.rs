//! Who may look, and who may press buttons.

use std::net::{IpAddr, SocketAddr};

use crate::handler::Request;

/// Who may see the live page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Access {
    /// Peers on the machine itself, asking for it by an address or as `localhost`. Behind a proxy
    /// on the same machine everybody is such a peer.
    #[default]
    Loopback,
    /// Everybody. The buttons remain for loopback.
    Any,
}

/// Why a request is not answered with what it asked for. To be shown.
pub(super) type Refusal = &'static str;

impl Access {
    /// Whether the peer may look.
    pub(super) fn may_look(self, request: &Request<'_>) -> Result<(), Refusal> {
        if self == Self::Any {
            return Ok(());
        }
        is_near(request.peer())?;
        is_no_rebinding(request.host())
    }
}

/// Whether the peer may change something: only from this machine, and only from the page itself.
/// Browsers say where a POST comes from (Fetch standard, section 3.2); who says nothing is no
/// browser, and needs no page to do harm.
pub(super) fn may_act(request: &Request<'_>) -> Result<(), Refusal> {
    is_near(request.peer())?;
    is_no_rebinding(request.host())?;
    let origin = request.field_str("origin");
    let own = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority == Some(request.host())
    };
    if origin.is_some_and(|origin| !own(origin)) {
        return Err("This can be done from the live page itself only.\n");
    }
    match request.field_str("sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err("This can be done from the live page itself only.\n"),
    }
}

fn is_near(peer: Option<SocketAddr>) -> Result<(), Refusal> {
    match peer.map(|peer| peer.ip().to_canonical()) {
        Some(ip) if ip.is_loopback() => Ok(()),
        _ => Err("The live page shows peers' addresses, and is for this machine only: open it \
                  from here, or start the server with --live-page any.\n"),
    }
}

/// A page of somebody else's, whose name is made to lead here after it was loaded, asks under its
/// own name: only what cannot be such a name is answered.
fn is_no_rebinding(host: &str) -> Result<(), Refusal> {
    let name = without_port(host);
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let local =
        name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    if local || literal.parse::<IpAddr>().is_ok() {
        Ok(())
    } else {
        Err("The live page is reached as localhost or by an address, not by another name: a page \
             from elsewhere could have given its own name to this machine.\n")
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_names_that_cannot_be_rebound() {
        for host in
            ["localhost", "localhost:8080", "LocalHost:1", "a.localhost", "127.0.0.1", "[::1]:8080"]
        {
            assert_eq!(is_no_rebinding(host), Ok(()), "{host}");
        }
        for host in ["evil.example", "evil.example:8080", "localhost.evil.example", "", "[::1"] {
            assert!(is_no_rebinding(host).is_err(), "{host}");
        }
    }

    #[test]
    fn only_loopback_is_near() {
        for peer in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(is_near(peer.parse().ok()), Ok(()), "{peer}");
        }
        for peer in [Some("10.0.0.1:1"), Some("[fe80::1]:1"), Some("[::ffff:10.0.0.1]:1"), None] {
            assert!(is_near(peer.and_then(|peer| peer.parse().ok())).is_err(), "{peer:?}");
        }
    }
}
