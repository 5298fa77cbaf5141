//! Arming and cancelling from other threads.
//!
//! ```text
//!   another thread                                    the thread of the loop
//!   Remote::arm ──► inbox (bounded) ───────────────► settle ──► wheel
//!        │              value stays in the cell ◄──── pop_expired takes it
//!        └─► earlier than the loop sleeps? wake()
//!   RemoteTimer::cancel ──► takes the value from the cell
//! ```
//!
//! The value of a remote timer stays in a cell that both sides reach, so that a cancel that races
//! the expiry has exactly one outcome: who takes the value out first, has it.

use core::error::Error;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::handle::TimerHandle;

/// Arms timers of a [`Timers`](crate::Timers) from any thread. Clones share one inbox.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use std::time::{Duration, Instant};
/// use timerwheel::Timers;
///
/// let now = Instant::now();
/// let mut timers = Timers::new(now);
/// let wakes = Arc::new(AtomicUsize::new(0));
/// let remote = timers.remote({
///     let wakes = Arc::clone(&wakes);
///     move || drop(wakes.fetch_add(1, Ordering::Relaxed))   // with mio: `waker.wake()`
/// });
///
/// assert_eq!(timers.timeout(now), None, "the loop goes to sleep with nothing armed");
/// let arm = std::thread::spawn(move || remote.arm(now + Duration::from_millis(5), "job"));
/// let timer = arm.join().unwrap().unwrap();
/// assert_eq!(wakes.load(Ordering::Relaxed), 1, "and is woken for the first timer");
/// assert!(timers.timeout(now).is_some());
/// assert_eq!(timer.cancel(), Some("job"));
/// assert_eq!(timers.timeout(now), None);
/// ```
pub struct Remote<T> {
    inbox: Sender<Command<T>>,
    cancelled: Sender<TimerHandle>,
    sleep: Arc<Sleep>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl<T> Remote<T> {
    /// Arms a one-shot. Wakes the loop if it sleeps longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// The value comes back if the inbox is full, that is if the loop has not taken up the last
    /// 1,024 commands (or as many as it was [made for](crate::Timers::set_inbox_limit)), and if
    /// the timers are gone.
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn arm(&self, deadline: Instant, value: T) -> Result<RemoteTimer<T>, ArmError<T>> {
        let cell = Arc::new(Cell::new(value));
        let command = Command::Arm {
            deadline,
            cell: Arc::clone(&cell),
            #[cfg(feature = "audit")]
            site: std::panic::Location::caller(),
        };
        if let Err(refused) = self.inbox.try_send(command) {
            return Err(refused_arm(&refused, &cell));
        }
        // The loop may have shut down between the check of the channel and now. Then either it
        // has taken the value out, or the value is still here and nobody will.
        if self.sleep.is_shut_down()
            && let Some(value) = cell.take()
        {
            return Err(ArmError { value, reason: ArmErrorReason::ShutDown });
        }
        self.wake_for(deadline);
        Ok(RemoteTimer { cell, remote: self.clone() })
    }

    fn wake_for(&self, deadline: Instant) {
        if self.sleep.shorten(deadline) {
            (self.wake)();
        }
    }
}

impl<T> Clone for Remote<T> {
    fn clone(&self) -> Self {
        Self {
            inbox: self.inbox.clone(),
            cancelled: self.cancelled.clone(),
            sleep: Arc::clone(&self.sleep),
            wake: Arc::clone(&self.wake),
        }
    }
}

impl<T> fmt::Debug for Remote<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("waiting", &self.inbox.len()).finish_non_exhaustive()
    }
}

/// A timer that was armed by a [`Remote`]. Dropping it leaves the timer armed.
pub struct RemoteTimer<T> {
    cell: Arc<Cell<T>>,
    remote: Remote<T>,
}

impl<T> RemoteTimer<T> {
    /// Takes the value back; `None` if the timer has fired. Of a cancel and an expiry that race,
    /// exactly one gets the value.
    pub fn cancel(self) -> Option<T> {
        let mut state = self.cell.lock();
        let value = state.value.take()?;
        if let Some(handle) = state.handle {
            // Fails only when the timers are gone. At most one message per timer waits there.
            let _ = self.remote.cancelled.send(handle);
        }
        Some(value)
    }

    /// Moves the timer to another deadline, and wakes the loop if that is earlier than it sleeps.
    /// If the timer has fired by the time the loop takes this up, nothing happens.
    ///
    /// # Errors
    ///
    /// [`RescheduleError`] if the inbox is full or the timers are gone; the timer is as it was.
    pub fn reschedule(&self, deadline: Instant) -> Result<(), RescheduleError> {
        let command = Command::Reschedule { deadline, cell: Arc::clone(&self.cell) };
        self.remote.inbox.try_send(command).map_err(|refused| match refused {
            TrySendError::Full(_) => RescheduleError::Full,
            TrySendError::Disconnected(_) => RescheduleError::ShutDown,
        })?;
        self.remote.wake_for(deadline);
        Ok(())
    }

    /// Whether the timer has neither fired nor been cancelled.
    pub fn is_armed(&self) -> bool {
        self.cell.lock().value.is_some()
    }
}

impl<T> fmt::Debug for RemoteTimer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteTimer").field("armed", &self.is_armed()).finish_non_exhaustive()
    }
}

/// Why a [`Remote`] could not arm a timer, with the value that was to be armed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArmError<T> {
    /// The value, handed back.
    pub value: T,
    /// What was wrong.
    pub reason: ArmErrorReason,
}

/// Why a [`Remote`] could not arm a timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArmErrorReason {
    /// The loop has not taken up earlier commands: try again later, or give the work up.
    Full,
    /// The timers were shut down or dropped.
    ShutDown,
}

impl<T> fmt::Display for ArmError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            ArmErrorReason::Full => RescheduleError::Full.text(),
            ArmErrorReason::ShutDown => RescheduleError::ShutDown.text(),
        })
    }
}

impl<T: fmt::Debug> Error for ArmError<T> {}

/// Why a [`RemoteTimer`] could not be moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RescheduleError {
    /// The loop has not taken up earlier commands: try again later.
    Full,
    /// The timers were shut down or dropped.
    ShutDown,
}

impl RescheduleError {
    fn text(self) -> &'static str {
        match self {
            Self::Full => "the inbox of the timers is full",
            Self::ShutDown => "the timers are shut down",
        }
    }
}

impl fmt::Display for RescheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Error for RescheduleError {}

pub(crate) enum Command<T> {
    Arm {
        deadline: Instant,
        cell: Arc<Cell<T>>,
        #[cfg(feature = "audit")]
        site: &'static std::panic::Location<'static>,
    },
    Reschedule {
        deadline: Instant,
        cell: Arc<Cell<T>>,
    },
}

/// Where both sides find the value of a remote timer.
pub(crate) struct Cell<T> {
    state: Mutex<CellState<T>>,
}

pub(crate) struct CellState<T> {
    /// `None` once somebody has taken it.
    pub(crate) value: Option<T>,
    /// Known once the loop has armed it.
    pub(crate) handle: Option<TimerHandle>,
}

impl<T> Cell<T> {
    fn new(value: T) -> Self {
        Self { state: Mutex::new(CellState { value: Some(value), handle: None }) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, CellState<T>> {
        // No code of the caller runs under this lock, so a poisoned one is as good as new.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.lock().value.take()
    }
}

/// The loop's end of the inbox.
pub(crate) struct Inbox<T> {
    commands: Receiver<Command<T>>,
    sender: Sender<Command<T>>,
}

impl<T> Inbox<T> {
    pub(crate) fn new(limit: usize) -> Self {
        let (sender, commands) = bounded(limit);
        Self { commands, sender }
    }

    pub(crate) fn remote(
        &self,
        cancelled: Sender<TimerHandle>,
        sleep: Arc<Sleep>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Remote<T> {
        Remote { inbox: self.sender.clone(), cancelled, sleep, wake }
    }

    pub(crate) fn next(&self) -> Option<Command<T>> {
        self.commands.try_recv().ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }
}

/// Until when the loop sleeps, for all threads to see.
#[derive(Debug)]
pub(crate) struct Sleep {
    base: Instant,
    /// Nanoseconds from the base; 0 while the loop is awake and will ask for its timeout anyway.
    until: AtomicU64,
    shut_down: AtomicBool,
}

impl Sleep {
    pub(crate) fn new(base: Instant) -> Self {
        Self { base, until: AtomicU64::new(AWAKE), shut_down: AtomicBool::new(false) }
    }

    /// The loop goes to sleep. It must look at its inbox once more afterwards: of a loop that
    /// stores here and then looks, and a thread that sends and then loads, one sees the other.
    pub(crate) fn begin(&self, until: Option<Instant>) {
        self.until.store(until.map_or(u64::MAX, |until| self.nanos(until)), Ordering::SeqCst);
    }

    pub(crate) fn end(&self) {
        self.until.store(AWAKE, Ordering::SeqCst);
    }

    /// Whether the loop would sleep past `deadline`. Only the first one to ask is told so.
    fn shorten(&self, deadline: Instant) -> bool {
        let deadline = self.nanos(deadline);
        self.until.fetch_min(deadline, Ordering::SeqCst) > deadline
    }

    pub(crate) fn shut_down(&self) {
        self.shut_down.store(true, Ordering::SeqCst);
    }

    fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::SeqCst)
    }

    fn nanos(&self, time: Instant) -> u64 {
        let nanos = time.saturating_duration_since(self.base).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).max(AWAKE + 1)
    }
}

const AWAKE: u64 = 0;

fn refused_arm<T>(refused: &TrySendError<Command<T>>, cell: &Cell<T>) -> ArmError<T> {
    let reason = match refused {
        TrySendError::Full(_) => ArmErrorReason::Full,
        TrySendError::Disconnected(_) => ArmErrorReason::ShutDown,
    };
    let value = cell.take().expect("a command that was not sent has been seen by nobody");
    ArmError { value, reason }
}
