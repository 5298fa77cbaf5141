//! Why a connection ended.

/// Why a connection ended. Every close has one, and is counted under it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Cause {
    /// No byte of a first request came in time.
    FirstByte,
    /// A head was not complete in time.
    Headers,
    /// A body was not complete in time.
    Body,
    /// A body arrived too slowly.
    MinRate,
    /// The peer did not take its response.
    WriteStall,
    /// Nothing was asked for a while.
    Idle,
    /// The last request that one connection may make was answered.
    MaxRequests,
    /// The server is closing.
    Drain,
    /// The peer closed, or asked to.
    PeerFin,
    /// The peer reset the connection, or the network broke it.
    PeerReset,
    /// What the peer sent was refused.
    ParseError,
    /// The proxy in front did not say whose connection it is, or not in time.
    ProxyHeader,
    /// The handler closed, panicked or did not answer in time.
    Handler,
    /// It had been idle longest when another one came.
    Evicted,
    /// It was one too many.
    OverLimit,
    /// The peer kept sending after the last response.
    Linger,
}

impl Cause {
    /// All of them, in order.
    pub const ALL: [Self; 16] = [
        Self::FirstByte,
        Self::Headers,
        Self::Body,
        Self::MinRate,
        Self::WriteStall,
        Self::Idle,
        Self::MaxRequests,
        Self::Drain,
        Self::PeerFin,
        Self::PeerReset,
        Self::ParseError,
        Self::ProxyHeader,
        Self::Handler,
        Self::Evicted,
        Self::OverLimit,
        Self::Linger,
    ];

    /// As it stands in reports: `first_byte`, `write_stall`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstByte => "first_byte",
            Self::Headers => "headers",
            Self::Body => "body",
            Self::MinRate => "min_rate",
            Self::WriteStall => "write_stall",
            Self::Idle => "idle",
            Self::MaxRequests => "max_requests",
            Self::Drain => "drain",
            Self::PeerFin => "peer_fin",
            Self::PeerReset => "peer_reset",
            Self::ParseError => "parse_error",
            Self::ProxyHeader => "proxy_header",
            Self::Handler => "handler",
            Self::Evicted => "evicted",
            Self::OverLimit => "over_limit",
            Self::Linger => "linger",
        }
    }
}

/// How often each cause ended a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Causes([u64; Cause::ALL.len()]);

impl Causes {
    /// Closes for this cause.
    pub const fn count(&self, cause: Cause) -> u64 {
        self.0[cause as usize]
    }

    /// Closes in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) const fn counts_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }

    pub(crate) fn add(&mut self, cause: Cause) {
        self.0[cause as usize] += 1;
    }
}

impl std::ops::AddAssign for Causes {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_name_and_a_counter_of_its_own() {
        let mut causes = Causes::default();
        for (number, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, number);
            causes.add(cause);
            assert_eq!((causes.count(cause), causes.total()), (1, number as u64 + 1));
        }
        let mut names = Cause::ALL.map(Cause::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
