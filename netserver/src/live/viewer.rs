//! A page that is open: a stream of events, each the state as of then.

use std::sync::atomic::Ordering;

use super::hub::{LiveLink, VIEWERS_MAX};
use crate::reply::{Exchange, Pull, Sink};

/// Counted while it exists.
#[derive(Debug)]
pub(super) struct Viewer {
    link: LiveLink,
    seen: u64,
}

impl Viewer {
    /// One more, if there may be.
    pub(super) fn admit(link: &LiveLink) -> Option<Self> {
        let one_more = |viewers| (viewers < VIEWERS_MAX).then_some(viewers + 1);
        let viewers = &link.hub().viewers;
        viewers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        // The frame that lies there may be from when somebody last looked.
        let seen = link.desk().papers().frame.number;
        Some(Self { link: link.clone(), seen })
    }
}

impl Exchange for Viewer {
    /// The latest frame, once. What was missed is not made up for: a viewer whose connection has
    /// not taken the last one waits for the next.
    fn pull(&mut self, sink: &mut Sink<'_>) -> Pull {
        let frame = self.link.desk().papers().frame.clone();
        if frame.last {
            return Pull::End;
        }
        if frame.number != self.seen && frame.bytes.len() <= sink.room() {
            self.seen = frame.number;
            sink.write(&frame.bytes);
        }
        Pull::Wait
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.link.hub().viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
