//! A fixed-step simulation on virtual time: the pure wheel, where a tick is a step and there is
//! no clock at all.
//!
//! `cargo run -p timerwheel --example simulation`
//!
//! A bakery: customers come at random intervals, each loaf takes 40 steps to bake in one of two
//! ovens, and an oven is cleaned every 500 steps. The same seed tells the same story, however large
//! the steps are in which the world is moved on.

use std::collections::VecDeque;

use timerwheel::{Interval, MissedTicks, TimerWheel};

fn main() {
    let bakery = run(42, 10_000, 1);
    println!(
        "after 10,000 steps: {} customers, {} loaves, {} cleanings, at most {} waiting",
        bakery.customers, bakery.loaves, bakery.cleanings, bakery.longest_queue
    );
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Happening {
    CustomerComes,
    LoafIsDone,
    CleanOvens,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bakery {
    pub(crate) customers: u64,
    pub(crate) loaves: u64,
    pub(crate) cleanings: u64,
    pub(crate) longest_queue: usize,
    waiting: VecDeque<u64>,
    baking: u64,
}

const OVENS: u64 = 2;
const BAKING_STEPS: u64 = 40;

/// Runs the bakery for so many steps, moving the world on `stride` steps at a time.
pub(crate) fn run(seed: u64, steps: u64, stride: u64) -> Bakery {
    let mut bakery = Bakery::default();
    let mut wheel = TimerWheel::new(0);
    let mut random = seed;
    let cleaning = Interval::new(500, 500).expect("a period").missed(MissedTicks::Burst);
    wheel.insert_interval(cleaning, Happening::CleanOvens);
    wheel.insert(1, Happening::CustomerComes);

    let mut target = 0;
    while target < steps {
        target = (target + stride).min(steps);
        // From deadline to deadline, so that what happens in between is not late for its causes.
        while let Some(next) = wheel.next_deadline().filter(|next| *next <= target) {
            wheel.advance(next);
            while let Some(expired) = wheel.pop_expired() {
                bakery.happens(expired.value, expired.deadline, &mut random, &mut wheel);
            }
        }
        wheel.advance(target);
    }
    bakery
}

impl Bakery {
    fn happens(
        &mut self,
        what: Happening,
        step: u64,
        random: &mut u64,
        wheel: &mut TimerWheel<Happening>,
    ) {
        match what {
            Happening::CustomerComes => {
                self.customers += 1;
                self.waiting.push_back(step);
                self.longest_queue = self.longest_queue.max(self.waiting.len());
                // xorshift: the world is the same for the same seed.
                *random ^= *random << 13;
                *random ^= *random >> 7;
                *random ^= *random << 17;
                wheel.insert(step + 1 + *random % 45, Happening::CustomerComes);
            }
            Happening::LoafIsDone => {
                self.baking -= 1;
                self.loaves += 1;
            }
            Happening::CleanOvens => self.cleanings += 1,
        }
        while self.baking < OVENS && self.waiting.pop_front().is_some() {
            self.baking += 1;
            wheel.insert(step + BAKING_STEPS, Happening::LoafIsDone);
        }
    }
}
