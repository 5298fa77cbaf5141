//! `SameDelay` does what the wheel does with timers of one delay: the wheel is its model.

mod common;

use common::Random;
use timerwheel::{SameDelay, TimerHandle, TimerWheel};

#[test]
fn the_queue_agrees_with_the_wheel() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let delay = [0, 1, 7, 1 << 40, u64::MAX][usize::try_from(seed % 5).unwrap()];
        let start = random.below(1000);
        let (mut queue, mut wheel) = (SameDelay::new(delay, start), TimerWheel::new(start));
        let mut handles: Vec<(TimerHandle, TimerHandle)> = Vec::new();
        for step in 0..200_u64 {
            let pick = random.below(1 + handles.len() as u64);
            let picked = handles.get(usize::try_from(pick).unwrap()).copied();
            let deadline = wheel.now().saturating_add(delay);
            match (random.below(10), picked) {
                (0..3, _) => handles.push((queue.insert(step), wheel.insert(deadline, step))),
                (3 | 4, Some((a, b))) => {
                    assert_eq!(queue.refresh(a), wheel.reschedule(b, deadline));
                }
                (5, Some((a, b))) => assert_eq!(queue.cancel(a), wheel.cancel(b)),
                (6, _) => {
                    let now = wheel.now() + random.below(5);
                    queue.advance(now);
                    wheel.advance(now);
                }
                (7, _) => {
                    queue.advance(0);
                    wheel.advance(0);
                }
                _ => {
                    let popped = queue.pop_expired().map(|(_, value)| value);
                    assert_eq!(popped, wheel.pop_expired().map(|expired| expired.value));
                }
            }
            assert_eq!((queue.len(), queue.now()), (wheel.len(), wheel.now()));
            assert_eq!(queue.is_empty(), wheel.is_empty());
            assert_eq!(queue.next_deadline(), wheel.next_deadline());
            for (a, b) in &handles {
                assert_eq!(queue.contains(*a), wheel.contains(*b));
                assert_eq!(queue.deadline_of(*a), wheel.deadline_of(*b));
                assert!(!queue.contains(*b) && !wheel.contains(*a), "strangers' handles");
            }
        }
    }
}
