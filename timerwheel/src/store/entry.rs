//! An entry: what is armed, where it is filed and of which kind it is, or a vacant place.

use core::num::NonZeroU32;

use crate::handle::Generation;
use crate::slot::Tag;

/// An armed timer, or the place for one. 32 bytes if the value is a word: where an armed one is filed is
/// never 0, so 0 in its place says vacant, and what is asked of one word is asked without a branch.
#[derive(Clone, Debug)]
pub(crate) enum Entry<T> {
    Vacant { generation: Generation },
    Armed(Armed<T>),
}

impl<T> Entry<T> {
    /// Where it is filed as one word, 0 for what is vacant: so it is read without a branch.
    #[inline]
    pub(super) fn at(&self) -> u32 {
        match self {
            Self::Armed(armed) => armed.at.0.get(),
            Self::Vacant { .. } => 0,
        }
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

/// Where an entry is filed, and of which kind it is: the tag of its slot in the lower half, and above it
/// what is not said of a one-shot in a slot, so that moving a timer to a later deadline asks one question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct At(NonZeroU32);

impl At {
    const ARMED: NonZeroU32 = NonZeroU32::new(1 << 16).unwrap();
    const INTERVAL: u32 = 1 << 17;
    /// Due. No slot has such a tag.
    const DUE: u32 = 1 << 18 | 0xffff;

    /// In the slot of that tag, and nowhere else: a record of the entry in another slot, or from
    /// before the slot was last emptied, stands for nothing.
    #[inline]
    pub(crate) fn filed(kind: Kind, tag: Tag) -> Self {
        match kind {
            Kind::Once => Self(Self::ARMED | u32::from(tag.0)),
            Kind::Interval => Self(Self::ARMED | Self::INTERVAL | u32::from(tag.0)),
        }
    }

    /// In another slot.
    #[inline]
    pub(crate) fn moved(self, tag: Tag) -> Self {
        Self(Self::ARMED | u32::from(tag.0) | (self.0.get() & Self::INTERVAL))
    }

    /// Collected by `advance`, not handed out yet.
    #[inline]
    pub(crate) fn due(self) -> Self {
        Self(self.0 | Self::DUE)
    }

    #[inline]
    pub(crate) const fn is_due(self) -> bool {
        self.0.get() >= 1 << 18
    }

    /// Whether it says that tag.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the tag is the lower half
    pub(crate) const fn is(self, tag: Tag) -> bool {
        self.0.get() as u16 == tag.0
    }

    /// Whether it is filed in the slot of that tag, swept already or not.
    #[inline]
    pub(crate) const fn is_in(self, tag: Tag) -> bool {
        Self::says(self.0.get(), tag)
    }

    /// The same of the word, which is 0 for what is vacant.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the tag is the lower half
    pub(super) const fn says(at: u32, tag: Tag) -> bool {
        (at as u16 ^ tag.0) & !Tag::SWEPT == 0
    }

    /// A one-shot that is not due: its record may stay where it is when the deadline moves away.
    #[inline]
    pub(crate) const fn may_stay(self) -> bool {
        self.0.get() < Self::INTERVAL
    }

    #[inline]
    pub(crate) const fn is_interval(self) -> bool {
        self.0.get() & Self::INTERVAL != 0
    }

    #[inline]
    pub(crate) const fn kind(self) -> Kind {
        if self.is_interval() { Kind::Interval } else { Kind::Once }
    }
}
