//! `Timers` held against its model under random operations. Failures shrink to the shortest story.

#![cfg(feature = "std")]

mod common;
mod nanos;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use timerwheel::{MissedTicks, Resolution};

use nanos::{Op, Pair};

fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        1..2_u64,
        0..5_000_000_u64,
        // About whole ticks and milliseconds.
        (0..300_u64, 0..3_u64).prop_map(|(n, off)| (n << 20).saturating_add(off).saturating_sub(1)),
        (0..300_u64, 0..3_u64).prop_map(|(n, off)| (n * 1_000_000 + off).saturating_sub(1)),
        0..1_u64 << 50,
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let timer = || 0..12_usize;
    let missed =
        prop_oneof![Just(MissedTicks::Burst), Just(MissedTicks::Skip), Just(MissedTicks::Delay)];
    prop_oneof![
        3 => delay().prop_map(|delay| Op::Insert { delay }),
        1 => delay().prop_map(|delay| Op::InsertAfter { delay }),
        2 => (delay(), delay(), any::<bool>())
            .prop_map(|(delay, slack, keeps_alive)| Op::InsertWith { delay, slack, keeps_alive }),
        3 => (delay(), delay(), missed)
            .prop_map(|(delay, period, missed)| Op::Interval { delay, period: period.max(1), missed }),
        3 => (timer(), delay()).prop_map(|(timer, delay)| Op::Reschedule { timer, delay }),
        1 => (timer(), any::<bool>())
            .prop_map(|(timer, keeps_alive)| Op::SetRef { timer, keeps_alive }),
        2 => timer().prop_map(|timer| Op::Cancel { timer }),
        1 => timer().prop_map(|timer| Op::DropGuard { timer }),
        2 => (delay(), prop::bool::weighted(0.2))
            .prop_map(|(delay, cancel_at_once)| Op::RemoteArm { delay, cancel_at_once }),
        1 => (timer(), delay()).prop_map(|(timer, delay)| Op::RemoteReschedule { timer, delay }),
        1 => timer().prop_map(|timer| Op::RemoteCancel { timer }),
        8 => (delay(), prop::bool::weighted(0.1)).prop_map(|(by, back)| Op::Advance { by, back }),
        6 => (0..4_usize).prop_map(|at_most| Op::Pop { at_most: at_most * 3 }),
        1 => Just(Op::Clear),
    ]
}

proptest! {
    #![proptest_config(Config {
        cases: 10_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(48_604),
        ..Config::default()
    })]

    #[test]
    fn real_time_agrees_with_a_model_in_nanoseconds(
        tick in prop_oneof![Just(1 << 20), Just(1 << 10), Just(1), 1..1_u64 << 33],
        slack in any::<bool>(),
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let mut pair = Pair::new(Resolution::at_most(Duration::from_nanos(tick)));
        for op in ops {
            match op {
                Op::InsertWith { delay, .. } if !slack => pair.apply(Op::Insert { delay }),
                op => pair.apply(op),
            }
            pair.compare();
        }
        pair.finish();
    }
}
