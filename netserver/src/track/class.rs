//! Deadline classes.

/// A class of deadlines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Class {
    FirstByte,
    Headers,
    Idle,
    Linger,
    Upgraded,
    Receive,
    LingerTotal,
    MinRate,
    Handler,
    Write,
}

/// A set of classes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Classes(u16);

impl Classes {
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

    /// The classes in the set.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        use Class::{
            FirstByte, Handler, Headers, Idle, Linger, LingerTotal, MinRate, Receive, Upgraded,
            Write,
        };
        [FirstByte, Headers, Idle, Linger, Upgraded, Receive, LingerTotal, MinRate, Handler, Write]
            .into_iter()
            .filter(move |&class| self.contains(class))
    }
}
