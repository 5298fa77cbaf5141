//! Whether those who come have spoken by then.
//!
//! A read that finds nothing is a system call for nothing, and the poll will tell anyway. Where
//! connections come with their request, as on a busy server, reading at once saves an event instead.

/// Of those who come after one that had not spoken yet, so many are not read from at once.
const NOT_ASKED: u8 = 15;

/// What those who came last have shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrivals {
    /// Who comes next is not asked, so many times more.
    not_asked: u8,
}

impl Arrivals {
    /// Whether to read from one who has just come.
    pub(super) fn asks(&mut self) -> bool {
        let asks = self.not_asked == 0;
        self.not_asked = self.not_asked.saturating_sub(1);
        asks
    }

    /// One who was asked had spoken, or not.
    pub(super) fn note(&mut self, had_spoken: bool) {
        self.not_asked = if had_spoken { 0 } else { NOT_ASKED };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_silent_spares_those_who_follow_being_asked() {
        let mut arrivals = Arrivals::default();
        for _ in 0..3 {
            assert!(arrivals.asks());
            arrivals.note(true);
        }
        for _ in 0..2 {
            assert!(arrivals.asks());
            arrivals.note(false);
            for _ in 0..NOT_ASKED {
                assert!(!arrivals.asks());
            }
        }
    }
}
