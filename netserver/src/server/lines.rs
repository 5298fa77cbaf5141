//! Connections that have work and wait for their turn.
//!
//! Two lines, first in and first out. A connection stands in one of them at most and once, and can
//! leave from the middle when it ends: both lines together are never longer than there are
//! connections. All is O(1), and nothing is allocated once there have been as many connections before.

/// Which line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// Those the poll has told of, for whom their turn had nothing left.
    News,
    /// Those who had their portion, and have more to do.
    Rest,
}

/// Both lines, linked through one array of links by connection number.
#[derive(Debug)]
pub(super) struct Lines {
    links: Vec<Link>,
    ends: [Ends; 2],
}

#[derive(Clone, Copy, Debug)]
struct Link {
    line: Option<Line>,
    previous: u32,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

/// No connection.
const NIL: u32 = u32::MAX;

impl Link {
    const ALONE: Self = Self { line: None, previous: NIL, next: NIL };
}

impl Lines {
    /// Nobody waits.
    pub(super) const fn new() -> Self {
        Self { links: Vec::new(), ends: [Ends { first: NIL, last: NIL }; 2] }
    }

    /// Puts a connection last in the line. Who stands in one keeps that place.
    pub(super) fn push(&mut self, key: u32, line: Line) {
        if self.links.len() <= key as usize {
            self.links.resize(key as usize + 1, Link::ALONE);
        }
        if self.links[key as usize].line.is_some() {
            return;
        }
        let previous = std::mem::replace(&mut self.ends[line as usize].last, key);
        *self.next_of(previous, line) = key;
        self.links[key as usize] = Link { line: Some(line), previous, next: NIL };
    }

    /// Takes out who stands first.
    pub(super) fn pop(&mut self, line: Line) -> Option<u32> {
        let first = self.ends[line as usize].first;
        (first != NIL).then(|| {
            self.remove(first);
            first
        })
    }

    /// Takes a connection out, if it stands in a line.
    pub(super) fn remove(&mut self, key: u32) {
        let Some(place) = self.links.get_mut(key as usize) else { return };
        let Link { line, previous, next } = std::mem::replace(place, Link::ALONE);
        let Some(line) = line else { return };
        *self.next_of(previous, line) = next;
        if next == NIL {
            self.ends[line as usize].last = previous;
        } else {
            self.links[next as usize].previous = previous;
        }
    }

    /// Gives back the memory of connections numbered from `keys` on, all of which are gone.
    pub(super) fn shrink(&mut self, keys: usize) {
        debug_assert!(self.links.iter().skip(keys).all(|link| link.line.is_none()));
        self.links.truncate(keys);
        self.links.shrink_to_fit();
    }

    /// Whether a connection stands in a line.
    pub(super) fn contains(&self, key: u32) -> bool {
        self.links.get(key as usize).is_some_and(|link| link.line.is_some())
    }

    /// Whether nobody stands in it.
    pub(super) fn is_empty(&self, line: Line) -> bool {
        self.ends[line as usize].first == NIL
    }

    /// What names the one behind this one, or the first of all.
    fn next_of(&mut self, key: u32, line: Line) -> &mut u32 {
        if key == NIL {
            &mut self.ends[line as usize].first
        } else {
            &mut self.links[key as usize].next
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(u32, bool),
        Pop(bool),
        Remove(u32),
    }

    fn line(rest: bool) -> Line {
        if rest { Line::Rest } else { Line::News }
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0_u32..8, any::<bool>()).prop_map(|(key, rest)| Step::Push(key, rest)),
            2 => any::<bool>().prop_map(Step::Pop),
            1 => (0_u32..9).prop_map(Step::Remove),
        ];
        prop::collection::vec(step, 1..100)
    }

    proptest! {
        #[test]
        fn they_agree_with_two_queues(steps in steps()) {
            let (mut lines, mut model) = (Lines::new(), [VecDeque::new(), VecDeque::new()]);
            for step in steps {
                match step {
                    Step::Push(key, rest) => {
                        lines.push(key, line(rest));
                        if !model.iter().flatten().any(|other| *other == key) {
                            model[usize::from(rest)].push_back(key);
                        }
                    }
                    Step::Pop(rest) => {
                        prop_assert_eq!(lines.pop(line(rest)), model[usize::from(rest)].pop_front());
                    }
                    Step::Remove(key) => {
                        lines.remove(key);
                        for line in &mut model {
                            line.retain(|other| *other != key);
                        }
                    }
                }
                for key in 0..9 {
                    let waits = model.iter().flatten().any(|other| *other == key);
                    prop_assert_eq!(lines.contains(key), waits);
                }
                prop_assert_eq!(lines.is_empty(Line::News), model[0].is_empty());
                prop_assert_eq!(lines.is_empty(Line::Rest), model[1].is_empty());
            }
            for (rest, mut line_of) in [false, true].into_iter().zip(model) {
                while let Some(key) = line_of.pop_front() {
                    prop_assert_eq!(lines.pop(line(rest)), Some(key));
                }
                prop_assert_eq!(lines.pop(line(rest)), None);
            }
            lines.shrink(0);
        }
    }
}
