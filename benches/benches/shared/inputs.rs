//! Inputs of the workloads: the same for every peer, made before the clock starts.

use fastrand::Rng;

/// Ticks of a minute in milliseconds: the usual range of timeouts.
pub(crate) const MINUTE: u64 = 60_000;

pub(crate) fn rng() -> Rng {
    // Any seed; one and the same, so that runs can be compared.
    Rng::with_seed(0x5eed_71c4)
}

/// `n` delays, uniform in `1..=max`.
pub(crate) fn uniform(rng: &mut Rng, n: usize, max: u64) -> Vec<u64> {
    (0..n).map(|_| rng.u64(1..=max)).collect()
}

/// A delay in `1..2^bits` whose number of bits is uniform.
pub(crate) fn log_uniform(rng: &mut Rng, bits: u32) -> u64 {
    let top = 1 << rng.u32(0..bits);
    top | rng.u64(0..top)
}

/// Gathers what fired, in its order: two peers that did the same have the same digest.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Digest(u64);

impl Digest {
    #[inline]
    pub(crate) fn add(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
