//! The peers by name, for programs that go through all of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::model::{self, Findings};
use super::peer::{Ability, Peer};
use super::peers;
use super::workload::{Outcome, Workload};

/// A peer with its type forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) ability: Ability,
    run: fn(Workload, usize) -> Outcome,
    check: fn() -> Findings,
}

impl Contender {
    pub(crate) const fn of<P: Peer>() -> Self {
        Self {
            name: P::NAME,
            ability: P::ABILITY,
            run: |workload, size| workload.run::<P>(size),
            check: model::check::<P>,
        }
    }

    pub(crate) fn can(&self, workload: Workload) -> bool {
        let needs = workload.needs();
        (self.ability.virtual_time || !needs.virtual_time)
            && (self.ability.next_deadline || !needs.next_deadline)
            && (self.ability.stale_handles || !needs.stale_handles)
            && (self.ability.jumps || !needs.jumps)
            && self.ability.delay_max >= needs.delay_max
            && (self.ability.any_delay || !needs.any_delay)
    }

    /// `None` if it panicked.
    pub(crate) fn run(&self, workload: Workload, size: usize) -> Option<Outcome> {
        catch_unwind(AssertUnwindSafe(|| (self.run)(workload, size))).ok()
    }

    /// Its faults, found by the model.
    pub(crate) fn check(&self) -> Findings {
        (self.check)()
    }
}

/// How many of them are ours.
pub(crate) const OURS: usize = 2;

/// Ours first, then the exact ones, then the rest.
pub(crate) const ALL: &[Contender] = &[
    Contender::of::<peers::wheel::Ours>(),
    Contender::of::<peers::same_delay::Queue>(),
    Contender::of::<peers::btree_map::Map>(),
    Contender::of::<peers::binary_heap::LazyHeap>(),
    Contender::of::<peers::orx::IndexedHeap>(),
    Contender::of::<peers::tm_wheel::TmWheel>(),
    Contender::of::<peers::nexus::Unbounded>(),
    Contender::of::<peers::nexus::Bounded>(),
    Contender::of::<peers::bitwheel::BitWheel>(),
    Contender::of::<peers::hashed_wheel::HashedWheel>(),
    Contender::of::<peers::tokio_queue::TokioQueue>(),
    Contender::of::<peers::tokio_sleep::TokioSleep>(),
    Contender::of::<peers::mio_extras::MioExtras>(),
];

/// The sorted map: dull, and right.
pub(crate) const REFERENCE: &Contender = &ALL[OURS];

/// Does nothing: what the harness itself costs.
pub(crate) const NOTHING: Contender = Contender::of::<peers::nothing::Nothing>();
