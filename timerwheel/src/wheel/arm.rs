//! Arming: the usual way, which calls nothing, and what lies beside it.

use super::TimerWheel;
use crate::handle::TimerHandle;
use crate::store::{Armed, At, Entry, Kind, Vacancy};

impl<T, const BITS: u32> TimerWheel<T, BITS> {
    /// Arms a one-shot where nothing has to grow; all else is left to a call in tail position, so
    /// that the usual way neither calls nor saves anything.
    #[inline(always)]
    #[allow(clippy::inline_always)] // a call would pass what it hands over through memory, and save registers
    pub(super) fn arm_once(&mut self, deadline: u64, value: T) -> TimerHandle {
        if let Some(Vacancy { index, entry }) = self.store.vacancy()
            && let Entry::Vacant { generation, .. } = *entry
            && let Some(tag) = self.filing.file_in_place(self.now, deadline, index)
        {
            let (armed, at) = (self.armings, At::filed(Kind::Once, tag));
            *entry = Entry::Armed(Armed { deadline, armed, value, generation, at });
            self.armings += 1;
            self.store.filled();
            return self.id.handle(index, generation);
        }
        self.arm(deadline, value, Kind::Once)
    }

    /// Arms, and lets grow what has to.
    #[inline(never)]
    pub(super) fn arm(&mut self, deadline: u64, value: T, kind: Kind) -> TimerHandle {
        self.store.make_room();
        let Some(Vacancy { index, entry }) = self.store.vacancy() else {
            unreachable!("room has been made")
        };
        let Entry::Vacant { generation, .. } = *entry else {
            unreachable!("a free number has no armed entry")
        };
        let at = At::filed(kind, self.filing.file_anyhow(self.now, deadline, index));
        *entry = Entry::Armed(Armed { deadline, armed: self.armings, value, generation, at });
        self.armings += 1;
        self.store.filled();
        self.id.handle(index, generation)
    }

    /// Files an armed entry for another deadline, as of now. False if there is none.
    #[inline(never)]
    pub(super) fn refile(&mut self, handle: TimerHandle, deadline: u64) -> bool {
        let index = handle.index();
        let entry = self.store.armed_mut(self.id.index_of(handle));
        let Some(entry) = entry.filter(|entry| entry.generation == handle.generation) else {
            return false;
        };
        entry.deadline = deadline;
        entry.armed = self.armings;
        self.armings += 1;
        let before = entry.at;
        entry.at = At::filed(before.kind(), self.filing.file(self.now, deadline, index));
        if before.kind() == Kind::Interval
            && let Some(rhythm) = self.store.rhythm_mut(index)
        {
            rhythm.restart(0);
        }
        if before.is_due() {
            self.left_the_queue();
        } else if self.spend_credit() {
            self.look_at_the_balance();
        }
        true
    }

    #[cold]
    #[inline(never)]
    pub(super) fn cancel_after_upkeep(&mut self, handle: TimerHandle) -> Option<T> {
        self.make_upkeep();
        self.cancel(handle)
    }

    /// Makes room for a number that becomes free, and sweeps if there is too much garbage.
    #[cold]
    #[inline(never)]
    pub(super) fn make_upkeep(&mut self) {
        self.store.reserve_free();
        if self.sweep_is_due() {
            self.look_at_the_balance();
        }
    }

    /// Cancels what is due and not handed out; nothing, if the handle is stale.
    #[cold]
    #[inline(never)]
    pub(super) fn cancel_due(&mut self, handle: TimerHandle) -> Option<T> {
        let is_meant = |entry: &Armed<T>| entry.generation == handle.generation;
        let entry = self.store.remove_if(self.id.index_of(handle), is_meant)?;
        self.left_the_queue();
        Some(entry.value)
    }
}
