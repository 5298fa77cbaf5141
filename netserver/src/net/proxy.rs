//! The header that a proxy in front sends first, to say whose connection it passes on: the PROXY
//! protocol of haproxy, versions 1 and 2 (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).
//!
//! Where a header ends is found here, strictly; what it says is read by the crate `ppp`, which is
//! given whole headers only: its verdicts on partial ones differ with where they are cut.

use std::net::SocketAddr;

/// Whose connection it is.
#[cfg_attr(not(feature = "proxy-protocol"), expect(dead_code, reason = "nobody says so then"))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The proxy's own, a health check for instance; or it does not know.
    Proxy,
    /// A client with an IP address.
    Client(SocketAddr),
    /// A client without one.
    Unnamed,
}

/// What arrived first is not a proxy's header, or one that is too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

#[cfg(feature = "proxy-protocol")]
pub(crate) use expected::ProxyHeader;

/// Without the feature no listener expects one.
#[cfg(not(feature = "proxy-protocol"))]
#[derive(Debug)]
pub(crate) enum ProxyHeader {}

#[cfg(not(feature = "proxy-protocol"))]
impl ProxyHeader {
    pub(crate) fn take(
        &mut self,
        _: &[u8],
        _: usize,
    ) -> Result<Option<(usize, Origin)>, Malformed> {
        match *self {}
    }
}

#[cfg(feature = "proxy-protocol")]
mod expected {
    use std::net::SocketAddr;

    use ppp::{HeaderResult, v1, v2};

    use super::{Malformed, Origin};

    /// A header that is to come, with what of it has.
    #[derive(Debug, Default)]
    pub(crate) struct ProxyHeader {
        bytes: Vec<u8>,
    }

    const V1_PREFIX: &[u8] = b"PROXY ";

    /// With the CRLF: what the protocol says is the worst case.
    const V1_BYTES_MAX: usize = 107;

    const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    /// Signature, version and command, family, and two bytes of length.
    const V2_FIXED: usize = 16;

    impl ProxyHeader {
        /// Takes what has arrived, which may be more than the header. Once that is complete: how
        /// many of these bytes belong to it, and what it says. Keeps at most `limit` bytes.
        pub(crate) fn take(
            &mut self,
            bytes: &[u8],
            limit: usize,
        ) -> Result<Option<(usize, Origin)>, Malformed> {
            let before = self.bytes.len();
            let room = limit.saturating_sub(before);
            self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
            match length(&self.bytes)? {
                Some(length) if length > limit => Err(Malformed),
                Some(length) if length <= self.bytes.len() => {
                    Ok(Some((length - before, origin(&self.bytes[..length])?)))
                }
                _ => Ok(None),
            }
        }
    }

    /// How long the header that begins like this is, as soon as that can be told.
    fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        if begins_like(bytes, V2_SIGNATURE) {
            let Some(fixed) = bytes.first_chunk::<V2_FIXED>() else { return Ok(None) };
            let rest = u16::from_be_bytes([fixed[14], fixed[15]]);
            return Ok(Some(V2_FIXED + usize::from(rest)));
        }
        if !begins_like(bytes, V1_PREFIX) {
            return Err(Malformed);
        }
        let line = &bytes[..bytes.len().min(V1_BYTES_MAX)];
        match line.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => Ok(Some(end + 2)),
            None if bytes.len() >= V1_BYTES_MAX => Err(Malformed),
            None => Ok(None),
        }
    }

    fn begins_like(bytes: &[u8], prefix: &[u8]) -> bool {
        let known = bytes.len().min(prefix.len());
        bytes[..known] == prefix[..known]
    }

    fn origin(header: &[u8]) -> Result<Origin, Malformed> {
        match HeaderResult::parse(header) {
            HeaderResult::V1(Ok(header)) => Ok(match header.addresses {
                v1::Addresses::Unknown => Origin::Proxy,
                v1::Addresses::Tcp4(ip) => {
                    Origin::Client(SocketAddr::from((ip.source_address, ip.source_port)))
                }
                v1::Addresses::Tcp6(ip) => {
                    Origin::Client(SocketAddr::from((ip.source_address, ip.source_port)))
                }
            }),
            HeaderResult::V2(Ok(header)) => match (header.command, header.protocol) {
                // Addresses are to be ignored then.
                (v2::Command::Local, _) => Ok(Origin::Proxy),
                (_, v2::Protocol::Datagram) => Err(Malformed),
                _ => Ok(match header.addresses {
                    v2::Addresses::Unspecified => Origin::Proxy,
                    v2::Addresses::IPv4(ip) => {
                        Origin::Client(SocketAddr::from((ip.source_address, ip.source_port)))
                    }
                    v2::Addresses::IPv6(ip) => {
                        Origin::Client(SocketAddr::from((ip.source_address, ip.source_port)))
                    }
                    v2::Addresses::Unix(_) => Origin::Unnamed,
                }),
            },
            HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => Err(Malformed),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const LIMIT: usize = 1024;

        fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
            let length = u16::try_from(payload.len()).expect("short");
            [V2_SIGNATURE, &[command, family], &length.to_be_bytes(), payload].concat()
        }

        fn client(text: &str) -> Origin {
            Origin::Client(text.parse().expect(text))
        }

        /// Whole, byte by byte and at every cut: the same outcome.
        fn take(header: &[u8]) -> Result<Origin, Malformed> {
            let stream = [header, b"GET / HTTP/1.1\r\n"].concat();
            let outcome = match ProxyHeader::default().take(&stream, LIMIT) {
                Ok(Some((used, origin))) => {
                    assert_eq!(used, header.len(), "it ends where it ends");
                    Ok(origin)
                }
                Ok(None) => panic!("a whole header is not enough"),
                Err(error) => Err(error),
            };
            for cut in 1..stream.len() {
                assert_eq!(outcome, in_parts(&stream, &[cut]), "cut at {cut}");
            }
            assert_eq!(outcome, in_parts(&stream, &(1..stream.len()).collect::<Vec<_>>()));
            outcome
        }

        fn in_parts(stream: &[u8], cuts: &[usize]) -> Result<Origin, Malformed> {
            let mut header = ProxyHeader::default();
            let mut from = 0;
            for to in cuts.iter().copied().chain([stream.len()]) {
                if let Some((_, origin)) = header.take(&stream[from..to], LIMIT)? {
                    return Ok(origin);
                }
                from = to;
            }
            panic!("a whole header is not enough")
        }

        #[test]
        fn version_1_names_the_client() {
            let ok = |line: &[u8]| take(line).expect("well-formed");
            assert_eq!(ok(b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n"), client("192.0.2.1:4000"));
            let longest = b"PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 \
                            2001:0db8:0000:0000:0000:0000:0000:0002 65535 65535\r\n";
            assert_eq!(ok(longest), client("[2001:db8::1]:65535"));
            assert_eq!(ok(b"PROXY UNKNOWN\r\n"), Origin::Proxy);
            assert_eq!(ok(b"PROXY UNKNOWN ::1 ::1 1 2\r\n"), Origin::Proxy);
        }

        #[test]
        fn version_2_names_the_client() {
            let ok = |bytes: Vec<u8>| take(&bytes).expect("well-formed");
            let ipv4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x0f, 0xa0, 0, 80];
            assert_eq!(ok(v2(0x21, 0x11, &ipv4)), client("192.0.2.1:4000"));
            let with_more = [&ipv4[..], &[0x04, 0, 2, b'x', b'y']].concat();
            assert_eq!(ok(v2(0x21, 0x11, &with_more)), client("192.0.2.1:4000"));
            let mut ipv6 = [0; 36];
            (ipv6[15], ipv6[33]) = (1, 9);
            assert_eq!(ok(v2(0x21, 0x21, &ipv6)), client("[::1]:9"));
            assert_eq!(ok(v2(0x21, 0x31, &[b'/'; 216])), Origin::Unnamed);
            assert_eq!(ok(v2(0x21, 0x00, &[])), Origin::Proxy);
            assert_eq!(ok(v2(0x20, 0x11, &ipv4)), Origin::Proxy, "a health check");
        }

        #[test]
        fn what_is_no_header_is_refused_as_soon_as_that_is_clear() {
            let cases: [&[u8]; 9] = [
                b"GET / HTTP/1.1\r\n",
                b"\r\nPROXY UNKNOWN\r\n",
                b"proxy UNKNOWN\r\n",
                b"PROXY TCP4 192.0.2.1 192.0.2.2 4000\r\n",
                b"PROXY TCP4 192.0.2.256 192.0.2.2 4000 80\r\n",
                b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n",
                b"PROXY TCP4 ::1 ::1 1 2\r\n",
                b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\n\r\n",
                b"PROXY UDP4 192.0.2.1 192.0.2.2 4000 80\r\n",
            ];
            for case in cases {
                assert_eq!(take(case), Err(Malformed), "{}", case.escape_ascii());
            }
            assert_eq!(ProxyHeader::default().take(b"G", LIMIT), Err(Malformed));
            let endless = [V1_PREFIX, &[b'x'; V1_BYTES_MAX]].concat();
            assert_eq!(ProxyHeader::default().take(&endless, LIMIT), Err(Malformed));
        }

        #[test]
        fn a_version_2_header_is_judged_when_it_is_whole() {
            let ipv4 = [0; 12];
            let cases = [
                v2(0x11, 0x11, &ipv4),      // another version
                v2(0x22, 0x11, &ipv4),      // another command
                v2(0x21, 0x41, &ipv4),      // another family
                v2(0x21, 0x12, &ipv4),      // datagrams
                v2(0x21, 0x11, &ipv4[..8]), // too short for its family
            ];
            for case in cases {
                assert_eq!(take(&case), Err(Malformed), "{}", case.escape_ascii());
            }
        }

        #[test]
        fn a_header_over_the_limit_is_refused_before_it_is_kept() {
            let header = v2(0x21, 0x00, &[0; 2000]);
            let mut kept = ProxyHeader::default();
            assert_eq!(kept.take(&header[..V2_FIXED], LIMIT), Err(Malformed));
            let mut kept = ProxyHeader::default();
            let whole = v2(0x21, 0x00, &[0; LIMIT - V2_FIXED]);
            assert_eq!(kept.take(&whole, LIMIT), Ok(Some((LIMIT, Origin::Proxy))));
        }
    }
}
