//! The classes of deadlines, and sets of them.

use std::time::Duration;

use crate::settings::Timeouts;

/// What a connection is waited for, and for how long since when. All connections of a class have
/// the same duration, so the one that entered first expires first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Class {
    /// For the first byte of a first request, since the accept.
    FirstByte,
    /// For the end of a head, since its first byte.
    Headers,
    /// For another request, since the end of the last response.
    Idle,
    /// After the last response, for the peer to close, since it last sent.
    Linger,
    /// For traffic of an upgraded connection, since the last.
    Upgraded,
    /// For the end of a message, since its first byte.
    Receive,
    /// After the last response, for the peer to close, since the response.
    LingerTotal,
    /// For so many bytes of a body, since the last so many.
    MinRate,
    /// For the handler's response, since the end of the message.
    Handler,
    /// For the peer to take output, since it last did.
    Write,
}

/// Of each group a connection is in one class at most.
pub(crate) const GROUPS: usize = 4;

impl Class {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FirstByte,
        Self::Headers,
        Self::Idle,
        Self::Linger,
        Self::Upgraded,
        Self::Receive,
        Self::LingerTotal,
        Self::MinRate,
        Self::Handler,
        Self::Write,
    ];

    /// As it stands in reports: `first_byte`, `min_rate`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstByte => "first_byte",
            Self::Headers => "headers",
            Self::Idle => "idle",
            Self::Linger => "linger",
            Self::Upgraded => "upgraded",
            Self::Receive => "receive",
            Self::LingerTotal => "linger_total",
            Self::MinRate => "min_rate",
            Self::Handler => "handler",
            Self::Write => "write",
        }
    }

    /// Which of the four links of a connection the class uses.
    pub(crate) const fn group(self) -> usize {
        match self {
            Self::FirstByte | Self::Headers | Self::Idle | Self::Linger | Self::Upgraded => 0,
            Self::Receive | Self::LingerTotal => 1,
            Self::MinRate | Self::Handler => 2,
            Self::Write => 3,
        }
    }

    /// How long a connection may be in the class; zero is for ever.
    pub fn duration(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::FirstByte => timeouts.first_byte.unwrap_or(timeouts.headers),
            Self::Headers => timeouts.headers,
            // Off is off: a buffer beside nothing would be a timeout of its own.
            Self::Idle if timeouts.keep_alive.is_zero() => Duration::ZERO,
            Self::Idle => timeouts.keep_alive.saturating_add(timeouts.keep_alive_buffer),
            Self::Linger => timeouts.linger,
            Self::Upgraded => timeouts.upgraded,
            Self::Receive => timeouts.request,
            Self::LingerTotal => timeouts.linger_total,
            Self::MinRate => timeouts.min_rate,
            Self::Handler => timeouts.handler,
            Self::Write => timeouts.write,
        }
    }
}

/// A set of classes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Classes(u16);

impl Classes {
    /// None.
    pub(crate) const EMPTY: Self = Self(0);

    /// Adds a class.
    pub fn insert(&mut self, class: Class) {
        self.0 |= 1 << class as u8;
    }

    /// Removes a class.
    pub fn remove(&mut self, class: Class) {
        self.0 &= !(1 << class as u8);
    }

    /// Whether the class is in the set.
    pub fn contains(self, class: Class) -> bool {
        self.0 & 1 << class as u8 != 0
    }

    /// The classes of the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let class = Class::ALL.get(left.trailing_zeros() as usize).copied();
            // Takes the lowest bit away, if there is one.
            left &= left.saturating_sub(1);
            class
        })
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in one of the sets or in both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_its_place_among_all() {
        for (number, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, number);
            assert!(class.group() < GROUPS);
        }
    }

    #[test]
    fn an_idle_timeout_that_is_off_has_no_buffer_either() {
        let mut timeouts = Timeouts::default();
        assert_eq!(Class::Idle.duration(&timeouts), Duration::from_secs(6));
        timeouts.keep_alive = Duration::ZERO;
        assert_eq!(Class::Idle.duration(&timeouts), Duration::ZERO);
    }

    #[test]
    fn a_set_is_what_was_put_in() {
        let mut set = Classes::default();
        set.insert(Class::Receive);
        set.insert(Class::FirstByte);
        assert!(set.iter().eq([Class::FirstByte, Class::Receive]));
        set.remove(Class::FirstByte);
        assert!(set.contains(Class::Receive) && !set.contains(Class::FirstByte));
        assert!(set.difference(set).is_empty() && set.union(Classes::default()) == set);
    }
}
