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

/// Timers listed, and of one slot.
const LISTED_MAX: usize = 120;
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
        let row = |row: ConnectionInfo| {
            let deadline = row.deadline.map(|(class, left)| {
                json!({
                    "class": class.name(),
                    "left_ms": millis(left),
                    "of_ms": millis(class.duration(timeouts)),
                })
            });
            json!({
                "id": row.id.to_string(),
                "peer": row.peer.map(|peer| peer.to_string()),
                "phase": row.phase.name(),
                "phase_ms": millis(row.phase_age),
                "age_ms": millis(row.age),
                "deadline": deadline,
                "requests": row.requests,
                "bytes_in": row.bytes_in,
                "bytes_out": row.bytes_out,
            })
        };
        json!({ "servers": u8::from(!self.server.is_closed()), "wheel": wheel, "connections": rows.into_iter().map(row).collect::<Vec<_>>() })
    }

    fn wheel(&mut self) -> Value {
        let armed = self.timers.len();
        let tick = self.timers.tick();
        let mut slots: BTreeMap<SlotPlace, Slot> = BTreeMap::new();
        let (mut due, mut orphans, mut listed) = (0_u64, 0_u64, 0);
        let mut next: Option<u64> = None;
        let most = LISTED_MAX / self.loops;
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
            if slot.listed.len() < LISTED_PER_SLOT && listed < most {
                listed += 1;
                slot.listed.push(self.entry(handle, deadline, purpose, owned));
            }
        }
        let slots = slots.into_iter().map(|(place, slot)| {
            json!({ "level": place.level, "slot": place.slot, "count": slot.count, "entries": slot.listed })
        });
        let counters = self.timers.counters();
        json!({
            "tick": tick,
            "tick_ns": u64::try_from(self.timers.resolution().as_nanos()).unwrap_or(u64::MAX),
            "armed": armed,
            "partial": armed > TIMERS_MAX,
            "due": due,
            "next_tick": next,
            "slots": slots.collect::<Vec<_>>(),
            "owners": owners,
            "orphans": orphans,
            "server_timers": self.server.timer_entries(),
            "fired": counters.fired,
            "cascaded": counters.cascaded,
        })
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
