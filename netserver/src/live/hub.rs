//! Where handlers and loops of a process leave things for each other: one desk for each loop.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::history::History;
use super::status;
use crate::clock;
use crate::context::ConnId;
use crate::gauges::Gauges;
use crate::reply::Ticket;

/// Viewers at a time, over all loops. One more is answered 503.
pub const VIEWERS_MAX: usize = 16;

/// What one update of the page has at most. Lists are shortened until it fits, and in the end it goes
/// without what loops show of themselves.
pub const FRAME_BYTES_MAX: usize = 48 * 1024;

/// Connections to be closed that a loop has not come to yet. One more is answered 503.
pub(super) const ORDERS_MAX: usize = 256;

/// What leads from a handler to the live page of its process.
#[derive(Clone)]
pub struct LiveLink {
    pub(super) gauges: Gauges,
    /// Which loop it is on.
    pub(super) index: usize,
}

impl LiveLink {
    pub(crate) fn new(gauges: Gauges, index: usize) -> Self {
        Self { gauges, index }
    }

    pub(super) fn hub(&self) -> &Hub {
        self.gauges.hub()
    }

    /// The desk of its own loop.
    pub(super) fn desk(&self) -> &Desk {
        &self.hub().desks[self.index]
    }
}

/// What all loops share.
pub(crate) struct Hub {
    pub(super) viewers: AtomicUsize,
    pub(super) history: History,
    pub(super) desks: Box<[Desk]>,
}

/// What lies there for one loop, and what it has put out.
#[derive(Default)]
pub(super) struct Desk {
    /// There is something new in `papers` for the loop.
    attention: AtomicBool,
    papers: Mutex<Papers>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
pub(super) struct Papers {
    /// Connections to be closed.
    pub(super) closes: Vec<ConnId>,
    /// Viewers that have come.
    pub(super) arrivals: Vec<Ticket>,
    /// Servers to be made and dropped.
    pub(super) trial: Option<u32>,
    /// What the loop saw last.
    pub(super) view: Option<Value>,
    /// What its viewers are to see.
    pub(super) frame: Frame,
}

/// One update of the page.
#[derive(Clone, Default)]
pub(super) struct Frame {
    pub(super) number: u64,
    pub(super) bytes: Arc<[u8]>,
    /// There will be no more.
    pub(super) last: bool,
}

impl Hub {
    pub(crate) fn new(loops: usize) -> Self {
        Self {
            viewers: AtomicUsize::new(0),
            history: History::new(clock::now()),
            desks: (0..loops).map(|_| Desk::default()).collect(),
        }
    }

    /// A loop has published its figures.
    pub(crate) fn published(&self, gauges: &Gauges, now: Instant) {
        self.history.record(now, || gauges.total());
    }

    /// How a loop is woken that sleeps when something is put on its desk.
    pub(crate) fn set_wake(&self, index: usize, wake: impl Fn() + Send + Sync + 'static) {
        // Set once, where the loop is made.
        let _ = self.desks[index].wake.set(Box::new(wake));
    }

    /// Calls the attention of all loops: somebody has come to look.
    pub(super) fn call_all(&self) {
        self.desks.iter().for_each(Desk::call);
    }

    /// What the viewers of a loop are to see, as an event of a stream (HTML standard, section
    /// 9.2.5).
    pub(super) fn frame(&self, gauges: &Gauges) -> Vec<u8> {
        let status = status(gauges);
        let (status, viewers) = (status.trim_end(), self.viewers.load(Ordering::Relaxed));
        let event = |loops: &[String], more: &str| {
            let loops = loops.join(",");
            format!(r#"data: {{"status":{status},"viewers":{viewers},"loops":[{loops}]{more}}}"#)
                + "\n\n"
        };
        // Written where they lie: a copy costs more than the text.
        let text = |view: &Option<Value>| {
            view.as_ref().map_or_else(|| "null".to_owned(), Value::to_string)
        };
        let whole: Vec<_> = self.desks.iter().map(|desk| text(&desk.papers().view)).collect();
        let mut frame = event(&whole, "");
        if frame.len() > FRAME_BYTES_MAX {
            let mut views: Vec<_> =
                self.desks.iter().map(|desk| desk.papers().view.clone()).collect();
            let shortened = LISTS.into_iter().map(|rows| {
                views.iter_mut().flatten().for_each(|view| shorten(view, rows));
                event(&views.iter().map(text).collect::<Vec<_>>(), "")
            });
            let fitting = shortened.into_iter().find(|frame| frame.len() <= FRAME_BYTES_MAX);
            frame = fitting.unwrap_or_else(|| event(&[], r#","omitted":true"#));
        }
        frame.into_bytes()
    }
}

/// Rows that lists are shortened to, one after the other, until a frame fits.
const LISTS: [usize; 4] = [50, 20, 5, 0];

fn shorten(view: &mut Value, rows: usize) {
    for list in ["/connections", "/wheel/listed"] {
        if let Some(list) = view.pointer_mut(list).and_then(Value::as_array_mut) {
            list.truncate(rows);
        }
    }
}

impl Desk {
    /// Puts something there, and wakes the loop for it.
    pub(super) fn put(&self, change: impl FnOnce(&mut Papers)) {
        change(&mut self.papers());
        self.call();
    }

    /// Whether there is something for the loop; only once.
    pub(super) fn take_attention(&self) -> bool {
        // Most turns: one load.
        self.attention.load(Ordering::Relaxed) && self.attention.swap(false, Ordering::Acquire)
    }

    pub(super) fn papers(&self) -> MutexGuard<'_, Papers> {
        // What is written under the lock is whole at every step.
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self) {
        self.attention.store(true, Ordering::Release);
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }
}

impl fmt::Debug for LiveLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveLink").field("loop", &self.index).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn frame_of(rows: usize, slots: usize) -> (Value, usize) {
        let gauges = Gauges::new(1);
        let row = json!({ "peer": "p".repeat(200) });
        let view = json!({
            "connections": vec![row.clone(); rows],
            "wheel": { "levels": [vec![100; 2 * slots]], "listed": vec![row; rows] },
        });
        gauges.hub().desks[0].papers().view = Some(view);
        let event = gauges.hub().frame(&gauges);
        let text = std::str::from_utf8(&event).expect("text");
        let json = text.strip_prefix("data: ").and_then(|it| it.strip_suffix("\n\n"));
        (serde_json::from_str(json.expect("an event")).expect("JSON"), event.len())
    }

    /// Lists are shortened only as far as is needed, and before anything is left out.
    #[test]
    fn a_frame_fits_whatever_there_is_to_show() {
        for (rows, slots, left) in [
            (50, 100, 50),
            (100, 100, 100),
            (120, 100, 50),
            (120, 4_000, 20),
            (120, 5_500, 5),
            (120, 5_700, 0),
        ] {
            let (frame, bytes) = frame_of(rows, slots);
            assert!(bytes <= FRAME_BYTES_MAX, "{rows} rows, {slots} slots: {bytes} bytes");
            let view = &frame["loops"][0];
            let of = |list: &Value| list.as_array().map(Vec::len);
            assert_eq!(of(&view["connections"]), Some(left), "{rows} rows, {slots} slots");
            assert_eq!(of(&view["wheel"]["listed"]), Some(left), "{rows} rows, {slots} slots");
            assert_eq!(of(&view["wheel"]["levels"][0]), Some(2 * slots));
        }
        let (frame, bytes) = frame_of(1, 10_000);
        assert!(bytes <= FRAME_BYTES_MAX, "{bytes}");
        assert_eq!((&frame["omitted"], &frame["loops"]), (&true.into(), &json!([])));
        assert_eq!(frame["status"]["loops"], 1, "figures are there in any case");
    }
}
