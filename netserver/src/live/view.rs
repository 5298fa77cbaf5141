//! What one loop shows of itself: its wheel, its connections, and who owns which timer.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::time::Instant;

use serde_json::{Value, json};
use timerwheel::{SlotPlace, TimerHandle, Timers};

use super::beat::Purpose;
use super::status::millis;
use crate::handler::Handler;
use crate::server::{ConnectionInfo, Server};

/// Timers looked at. With more of them the picture is of these.
const TIMERS_MAX: usize = 20_000;

/// Slots of which one timer is listed, further timers listed, and how many of one slot.
const SLOTS_LISTED_MAX: usize = 120;
const MORE_LISTED_MAX: usize = 60;
const LISTED_PER_SLOT: usize = 8;

/// Connections listed.
const ROWS_MAX: usize = 100;

/// Characters of a value as it is shown.
const LABEL_CHARS: usize = 48;

/// What is looked at.
pub(super) struct Subject<'a, H, T> {
    pub(super) server: &'a Server<H, T>,
    pub(super) timers: &'a mut Timers<T>,
    /// The page's own timer.
    pub(super) beat: Option<TimerHandle>,
    pub(super) purpose: fn(&T) -> Purpose,
    /// Loops that share the space of a frame.
    pub(super) loops: usize,
    pub(super) now: Instant,
}

#[derive(Default)]
struct Slot {
    count: usize,
    listed: Vec<Value>,
}

impl<H: Handler, T: Copy + Debug> Subject<'_, H, T> {
    pub(super) fn look(&mut self) -> Value {
        let wheel = self.wheel();
        let rows = self.server.oldest((ROWS_MAX / self.loops).max(1), self.now);
        let timeouts = &self.server.settings().timeouts;
        // In the order in which the page names them: a name for each value would be most of a frame.
        let row = |row: ConnectionInfo| {
            let (class, left, of) = row.deadline.map_or((None, None, None), |(class, left)| {
                (Some(class.name()), Some(millis(left)), Some(millis(class.duration(timeouts))))
            });
            Value::Array(vec![
                row.id.to_string().into(),
                row.peer.map(|peer| peer.to_string()).into(),
                row.phase.name().into(),
                millis(row.phase_age).into(),
                millis(row.age).into(),
                class.into(),
                left.into(),
                of.into(),
                row.requests.into(),
                row.bytes_in.into(),
                row.bytes_out.into(),
            ])
        };
        let rows = rows.into_iter().map(row).collect();
        moved([
            ("servers", u8::from(!self.server.is_closed()).into()),
            ("wheel", wheel),
            ("connections", Value::Array(rows)),
        ])
    }

    fn wheel(&mut self) -> Value {
        let armed = self.timers.len();
        let tick = self.timers.tick();
        let mut slots: BTreeMap<SlotPlace, Slot> = BTreeMap::new();
        let (mut due, mut orphans) = (0_u64, 0_u64);
        let mut first_ones = SLOTS_LISTED_MAX / self.loops;
        let mut more = MORE_LISTED_MAX / self.loops;
        let mut next: Option<u64> = None;
        let mut owners: HashMap<&str, u64> = HashMap::new();
        for (handle, _) in self.timers.iter().take(TIMERS_MAX) {
            let Some(deadline) = self.timers.tick_of(handle) else { continue };
            let purpose = self.timers.inspect(handle, self.purpose).unwrap_or(Purpose::Other);
            let owned = self.is_owned(handle, purpose);
            orphans += u64::from(!owned);
            *owners.entry(purpose.name()).or_default() += 1;
            next = Some(next.map_or(deadline, |next| next.min(deadline)));
            let Some(place) = SlotPlace::of(tick, deadline) else {
                due += 1;
                continue;
            };
            let slot = slots.entry(place).or_default();
            slot.count += 1;
            // A full slot must not take the places of all others.
            let budget = if slot.listed.is_empty() { &mut first_ones } else { &mut more };
            if slot.listed.len() < LISTED_PER_SLOT && *budget > 0 {
                *budget -= 1;
                slot.listed.push(self.entry(handle, deadline, purpose, owned));
            }
        }
        let mut levels: Vec<Vec<usize>> = Vec::new();
        let mut listed = Vec::new();
        for (place, slot) in slots {
            let level = place.level as usize;
            levels.resize(levels.len().max(level + 1), Vec::new());
            levels[level].extend([place.slot as usize, slot.count]);
            if !slot.listed.is_empty() {
                listed.push(moved([
                    ("level", place.level.into()),
                    ("slot", place.slot.into()),
                    ("entries", Value::Array(slot.listed)),
                ]));
            }
        }
        let counters = self.timers.counters();
        let tick_ns = u64::try_from(self.timers.resolution().as_nanos()).unwrap_or(u64::MAX);
        moved([
            ("tick", tick.into()),
            ("tick_ns", tick_ns.into()),
            ("armed", armed.into()),
            ("partial", (armed > TIMERS_MAX).into()),
            ("due", due.into()),
            ("next_tick", next.into()),
            ("levels", json!(levels)),
            ("listed", Value::Array(listed)),
            ("owners", json!(owners)),
            ("orphans", orphans.into()),
            ("server_timers", self.server.timer_entries().into()),
            ("fired", counters.fired.into()),
            ("cascaded", counters.cascaded.into()),
        ])
    }

    /// Whether the one that a timer is for is still there.
    fn is_owned(&self, handle: TimerHandle, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Check => self.server.timer() == Some(handle),
            Purpose::Page => self.beat == Some(handle),
            Purpose::Request(ticket) => self.server.awaits(ticket),
            Purpose::Other => true,
        }
    }

    fn entry(&self, handle: TimerHandle, deadline: u64, purpose: Purpose, owned: bool) -> Value {
        let value = self.timers.inspect(handle, |value| format!("{value:?}")).unwrap_or_default();
        let record = self.timers.record_of(handle);
        let age = record.map(|it| self.now.saturating_duration_since(it.armed_at));
        json!({
            "for": purpose.name(),
            "value": value.chars().take(LABEL_CHARS).collect::<String>(),
            "by": record.map(|record| format!("{}:{}", record.site.file(), record.site.line())),
            "tick": deadline,
            "armed_ms": age.map(millis),
            "fired": record.map(|record| record.fired),
            "owned": owned,
        })
    }
}

/// An object of values that are moved into it; `json!` would copy them, and what is in them.
fn moved<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
