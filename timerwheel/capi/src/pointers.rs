//! From the caller's pointers to references, and the wall that panics do not get over.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Timerwheel;

/// What `call` answers; `otherwise` if it panics. The wheel is consistent after a panic.
pub(crate) fn contained<R>(otherwise: R, call: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(otherwise)
}

/// Reads a wheel; `None` if it is null, or the call panics.
///
/// # Safety
///
/// The pointer is null, or one to a wheel that nobody changes during the call.
pub(crate) unsafe fn on_wheel<R>(
    wheel: *const Timerwheel,
    call: impl FnOnce(&Timerwheel) -> R,
) -> Option<R> {
    // SAFETY: so says the caller.
    let wheel = unsafe { wheel.as_ref() }?;
    contained(None, || Some(call(wheel)))
}

/// Changes a wheel; `None` if it is null, or the call panics.
///
/// # Safety
///
/// The pointer is null, or one to a wheel that nobody else uses during the call.
pub(crate) unsafe fn on_wheel_mut<R>(
    wheel: *mut Timerwheel,
    call: impl FnOnce(&mut Timerwheel) -> R,
) -> Option<R> {
    // SAFETY: so says the caller.
    let wheel = unsafe { wheel.as_mut() }?;
    contained(None, || Some(call(wheel)))
}

/// Writes an answer to where the caller wants it, unless that is null; whether there is one.
///
/// # Safety
///
/// The pointer is null, or one to a place for a `T`, which may be uninitialised.
pub(crate) unsafe fn write_to<T>(place: *mut T, answer: Option<T>) -> bool {
    let Some(answer) = answer else { return false };
    if !place.is_null() {
        // SAFETY: so says the caller.
        unsafe { place.write(answer) };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{timerwheel_free, timerwheel_len, timerwheel_new};

    #[test]
    fn a_panic_is_answered_as_a_null_wheel_is_and_the_wheel_can_be_used_on() {
        let wheel = timerwheel_new(0);
        // SAFETY: the wheel is there, and is freed once.
        unsafe {
            let answer: Option<u64> = on_wheel_mut(wheel, |_| panic!("as the test asked"));
            assert_eq!(answer, None);
            let answer: Option<u64> = on_wheel(wheel, |_| panic!("as the test asked"));
            assert_eq!(answer, None);
            assert_eq!(timerwheel_len(wheel), 0);
            timerwheel_free(wheel);
        }
    }
}
