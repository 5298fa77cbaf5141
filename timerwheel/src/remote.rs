//! Arming and cancelling from other threads.
//!
//! ```text
//!   another thread                                    the thread of the loop
//!   Remote::arm ──► inbox (bounded) ───────────────► settle ──► wheel
//!        │              value stays in the cell ◄──── pop_expired takes it
//!        └─► earlier than the loop sleeps, or half full? wake()
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
    returns: Returns,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl<T> Remote<T> {
    /// Arms a one-shot. Wakes the loop if it sleeps longer than until `deadline`, and, whatever the
    /// deadline, once the inbox is more than half full: only a loop that is busy lets it fill up.
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
        // Timers that shut down meanwhile may have taken the value out, and hand it back there: then
        // it was armed.
        if let Err(reason) = self.send(command, deadline)
            && let Some(value) = cell.take()
        {
            return Err(ArmError { value, reason });
        }
        Ok(RemoteTimer { cell, remote: self.clone() })
    }

    /// Sends a command for this deadline. If the timers shut down meanwhile, they may have taken it
    /// up although it is refused.
    fn send(&self, command: Command<T>, deadline: Instant) -> Result<(), ArmErrorReason> {
        let sent = match self.inbox.try_send(command) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(ArmErrorReason::Full),
            Err(TrySendError::Disconnected(_)) => return Err(ArmErrorReason::ShutDown),
        };
        let sleep = &self.returns.sleep;
        // Timers that shut down say so first, and look into the inbox for the last time then: who
        // has sent, and sees them open afterwards, has been in time.
        if sleep.is_shut_down() {
            return Err(ArmErrorReason::ShutDown);
        }
        sleep.post();
        // Commands for later than the loop sleeps would fill the inbox without waking it: from half
        // full on any command wakes it, one that is refused too.
        let waiting = self.inbox.len();
        let crowded = self.inbox.capacity().is_some_and(|limit| waiting > limit / 2);
        if sleep.shorten(if crowded { AWAKE } else { sleep.nanos(deadline) }) {
            (self.wake)();
        }
        sent
    }
}

impl<T> Clone for Remote<T> {
    fn clone(&self) -> Self {
        Self {
            inbox: self.inbox.clone(),
            returns: self.returns.clone(),
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
            // At most one message per timer waits there.
            self.remote.returns.send(handle);
        }
        Some(value)
    }

    /// Moves the timer to another deadline, and wakes the loop as [`Remote::arm`] does. If the timer
    /// has fired by the time the loop takes this up, nothing happens.
    ///
    /// # Errors
    ///
    /// [`RescheduleError`] if the inbox is full or the timers are gone; the timer is as it was.
    pub fn reschedule(&self, deadline: Instant) -> Result<(), RescheduleError> {
        let command = Command::Reschedule { deadline, cell: Arc::clone(&self.cell) };
        self.remote.send(command, deadline).map_err(|reason| match reason {
            ArmErrorReason::Full => RescheduleError::Full,
            ArmErrorReason::ShutDown => RescheduleError::ShutDown,
        })
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
        // Nothing that may panic changes the state: `inspect` runs code of the caller's under this
        // lock, which only sees the value. So a poisoned one is as good as new.
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

    pub(crate) fn remote(&self, returns: Returns, wake: Arc<dyn Fn() + Send + Sync>) -> Remote<T> {
        Remote { inbox: self.sender.clone(), returns, wake }
    }

    pub(crate) fn next(&self) -> Option<Command<T>> {
        self.commands.try_recv().ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }
}

/// Takes handles of timers that nobody wants any more back to the loop.
#[derive(Clone, Debug)]
pub(crate) struct Returns {
    sender: Sender<TimerHandle>,
    sleep: Arc<Sleep>,
}

impl Returns {
    pub(crate) fn new(sender: Sender<TimerHandle>, sleep: Arc<Sleep>) -> Self {
        Self { sender, sleep }
    }

    pub(crate) fn send(&self, handle: TimerHandle) {
        // Only fails when the timers are gone, and the timer with them.
        let _ = self.sender.send(handle);
        self.sleep.post();
    }
}

/// Until when the loop sleeps, for all threads to see, and whether they have sent it anything.
#[derive(Debug)]
pub(crate) struct Sleep {
    base: Instant,
    /// Something was sent since the loop last looked: one load instead of a look into each channel.
    mail: AtomicBool,
    /// Nanoseconds from the base; 0 while the loop is awake and will ask for its timeout anyway.
    until: AtomicU64,
    shut_down: AtomicBool,
}

impl Sleep {
    pub(crate) fn new(base: Instant) -> Self {
        let (mail, shut_down) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { base, mail, until: AtomicU64::new(AWAKE), shut_down }
    }

    /// Something has been sent.
    pub(crate) fn post(&self) {
        self.mail.store(true, Ordering::SeqCst);
    }

    /// Whether something was sent that the loop has not taken up.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.mail.load(Ordering::SeqCst)
    }

    /// The loop takes up what was sent: what is sent from here on is news again.
    pub(crate) fn take_mail(&self) {
        self.mail.store(false, Ordering::SeqCst);
    }

    /// The loop goes to sleep. It must look for mail once more afterwards: of a loop that
    /// stores here and then looks, and a thread that posts and then loads, one sees the other.
    /// `until` is in nanoseconds from the base.
    pub(crate) fn begin(&self, until: u64) {
        self.until.store(until.max(AWAKE + 1), Ordering::SeqCst);
    }

    pub(crate) fn end(&self) {
        self.until.store(AWAKE, Ordering::SeqCst);
    }

    /// Whether the loop would sleep past this time, in nanoseconds from the base; past `AWAKE` it
    /// does if it sleeps at all. Only the first one to ask is told so.
    fn shorten(&self, until: u64) -> bool {
        self.until.fetch_min(until, Ordering::SeqCst) > until
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
