//! An entry: what is armed, where it is filed and of which kind it is, or a vacant place.

use core::num::NonZeroU16;

use crate::handle::Generation;
use crate::slot::Tag;

/// An armed timer, or the place for one. 32 bytes if the value is a word: where an armed one is filed is
/// never 0, so 0 in its place says vacant. Only if the value itself has something that can say that, the
/// compiler takes that, and asking both takes a branch.
#[derive(Clone, Debug)]
pub(crate) enum Entry<T> {
    Vacant { generation: Generation },
    Armed(Armed<T>),
}

impl<T> Entry<T> {
    /// Whether it is filed in the slot of that tag, swept already or not.
    #[inline]
    pub(super) fn is_in(&self, tag: Tag) -> bool {
        At::says(
            match self {
                Self::Armed(armed) => armed.at.0.get(),
                Self::Vacant { .. } => 0,
            },
            tag,
        )
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Armed<T> {
    pub(crate) deadline: u64,
    /// Counts up with each arming of the wheel: the order among equal deadlines, and the proof that
    /// what is said of this entry in the queue of what is due is about this arming of it.
    pub(crate) armed: u64,
    pub(crate) value: T,
    pub(crate) generation: Generation,
    pub(crate) at: At,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Once,
    /// Its rhythm stands in `Store::rhythms`.
    Interval,
}

/// Where an entry is filed, and of which kind it is.
///
/// In one word, where all that is not a one-shot in a slot is at the upper end, so that moving a
/// timer to a later deadline asks one question. Never 0, as no tag is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct At(NonZeroU16);

impl At {
    const INTERVAL: u16 = 1 << 15;
    /// Due. No slot has such a tag.
    const DUE: u16 = Self::INTERVAL - 1;

    /// In the slot of that tag, and nowhere else: a record of the entry in another slot, or from
    /// before the slot was last emptied, stands for nothing.
    #[inline]
    pub(crate) fn filed(kind: Kind, tag: Tag) -> Self {
        match kind {
            Kind::Once => Self(tag.0),
            Kind::Interval => Self(tag.0 | Self::INTERVAL),
        }
    }

    /// In another slot.
    #[inline]
    pub(crate) fn moved(self, tag: Tag) -> Self {
        Self(tag.0 | (self.0.get() & Self::INTERVAL))
    }

    /// Collected by `advance`, not handed out yet.
    #[inline]
    pub(crate) fn due(self) -> Self {
        Self(self.0 | Self::DUE)
    }

    #[inline]
    pub(crate) const fn is_due(self) -> bool {
        self.0.get() | Self::INTERVAL == u16::MAX
    }

    /// Whether it says that tag.
    #[inline]
    pub(crate) fn is(self, tag: Tag) -> bool {
        self.0.get() & !Self::INTERVAL == tag.0.get()
    }

    /// Whether it is filed in the slot of that tag, swept already or not.
    #[inline]
    pub(crate) fn is_in(self, tag: Tag) -> bool {
        Self::says(self.0.get(), tag)
    }

    #[inline]
    fn says(at: u16, tag: Tag) -> bool {
        (at ^ tag.0.get()) & !(Self::INTERVAL | Tag::SWEPT) == 0
    }

    /// A one-shot that is not due: its record may stay where it is when the deadline moves away.
    #[inline]
    pub(crate) const fn may_stay(self) -> bool {
        self.0.get() < Self::DUE
    }

    #[inline]
    pub(crate) const fn is_interval(self) -> bool {
        self.0.get() >= Self::INTERVAL
    }

    #[inline]
    pub(crate) const fn kind(self) -> Kind {
        if self.is_interval() { Kind::Interval } else { Kind::Once }
    }
}
