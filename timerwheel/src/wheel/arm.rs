//! Arming: the usual way, which calls nothing, and what lies beside it.

use super::TimerWheel;
use crate::handle::TimerHandle;
use crate::level::Place;
use crate::store::{Armed, Entry, Kind};

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// Arms a one-shot where nothing has to grow; all else is left to a call in tail position, so
    /// that the usual way neither calls nor saves anything.
    #[inline]
    pub(super) fn arm_once(&mut self, deadline: u64, value: T) -> TimerHandle {
        if let Some((index, entry)) = self.store.vacancy()
            && let Entry::Vacant { generation, filed: recorded } = *entry
            && let Some(filed) = self.filing.ready_place(self.now, deadline, recorded)
        {
            self.filing.file_at(filed, deadline, index, recorded);
            let (armed, kind) = (self.armings, Kind::Once);
            *entry = Entry::Armed(Armed { deadline, armed, value, generation, filed, kind });
            self.armings += 1;
            self.store.filled();
            return TimerHandle { wheel: self.id, index, generation };
        }
        self.arm(deadline, value, Kind::Once)
    }

    /// Arms, and lets grow what has to.
    #[inline(never)]
    pub(super) fn arm(&mut self, deadline: u64, value: T, kind: Kind) -> TimerHandle {
        self.store.make_room();
        let armed = self.next_arming();
        let Some((index, entry)) = self.store.vacancy() else { unreachable!("room has been made") };
        let Entry::Vacant { generation, filed } = *entry else {
            unreachable!("a free number has no armed entry")
        };
        let filed = self.filing.file(self.now, deadline, index, filed);
        *entry = Entry::Armed(Armed { deadline, armed, value, generation, filed, kind });
        self.store.filled();
        TimerHandle { wheel: self.id, index, generation }
    }

    #[inline]
    pub(super) fn next_arming(&mut self) -> u64 {
        let armed = self.armings;
        self.armings += 1;
        armed
    }

    /// Files an armed entry for another deadline, as of now.
    #[inline(never)]
    pub(super) fn refile(&mut self, index: u32, deadline: u64) -> bool {
        let armed = self.next_arming();
        let Some(entry) = self.store.armed_mut(index) else { return false };
        entry.deadline = deadline;
        entry.armed = armed;
        let before = entry.filed;
        let interval = entry.kind == Kind::Interval;
        let filed = self.filing.file(self.now, deadline, index, before);
        entry.filed = filed;
        if interval && let Some(rhythm) = self.store.rhythm_mut(index) {
            rhythm.restart(0);
        }
        if before == Place::DUE {
            self.left_the_queue();
        } else if filed != before {
            self.left_a_record();
            self.look_at_the_balance();
        }
        true
    }

    #[inline(never)]
    pub(super) fn cancel_after_upkeep(&mut self, handle: TimerHandle) -> Option<T> {
        self.store.reserve_free();
        self.look_at_the_balance();
        self.cancel(handle)
    }
}
