/* A hierarchical timer wheel for event loops. See timerwheel/capi/README.md.
 *
 * Of every call: a null wheel, a null place to write to and a stale handle have an answer, and
 * nothing is written where that is false; no panic comes through. A value is a number of the
 * caller's, or a pointer as uintptr_t: the wheel neither reads through it nor frees it. A wheel
 * belongs to one thread at a time.
 */

#ifndef TIMERWHEEL_H
#define TIMERWHEEL_H

/* Generated from src/ by cbindgen. A test compares; change it there. */

#include <stdbool.h>
#include <stdint.h>

// Make up for all missed ticks of an interval, one for each `timerwheel_advance`.
#define TIMERWHEEL_BURST 0

// Leave missed ticks of an interval out, and go on in phase.
#define TIMERWHEEL_SKIP 1

// Leave missed ticks of an interval out; the next one comes a whole period from now.
#define TIMERWHEEL_DELAY 2

// The most timers that a wheel takes, unless `timerwheel_set_limit` says less: above it, arming
// answers with the handle of no timer.
#define TIMERWHEEL_TIMERS_MAX 2147483648

// A wheel. Ticks are whatever the caller says they are: milliseconds, frames, steps.
//
// A wheel belongs to one thread at a time. It is made by `timerwheel_new` and ended by
// `timerwheel_free`; all that is between takes it first.
typedef struct timerwheel timerwheel;

// Names one timer of one wheel. Copy it, compare its words; all zero is no timer. One whose timer
// has fired or was cancelled is stale: using it does nothing, and never touches another timer.
typedef struct timerwheel_handle {
  // Nothing to be made use of.
  uint32_t words[3];
} timerwheel_handle;

// A timer that is due, as `timerwheel_pop_expired` hands it out.
typedef struct timerwheel_expired {
  // The value it was armed with.
  uint64_t value;
  // The tick it was armed for.
  uint64_t deadline;
  // Ticks from the deadline to the last `timerwheel_advance`.
  uint64_t late;
  // Ticks of the interval that passed since and are left out; 0 for a one-shot.
  uint64_t missed;
  // The handle it was armed under. Stale for a one-shot; an interval is armed again by it.
  struct timerwheel_handle handle;
} timerwheel_expired;

// Takes over what was still armed, as `timerwheel_drain` hands it out.
typedef void (*timerwheel_take)(uint64_t value, uint64_t deadline, void *context);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// An empty wheel that stands at tick `now`. Null only if something is badly wrong.
struct timerwheel *timerwheel_new(uint64_t now);

// Ends a wheel. Values that are still armed are forgotten: whoever owns something by them calls
// `timerwheel_drain` first. Null is allowed and does nothing.
void timerwheel_free(struct timerwheel *wheel);

// Lets a wheel take no more than so many timers. Those that are armed stay.
void timerwheel_set_limit(struct timerwheel *wheel, uint64_t limit);

// Arms a one-shot for the tick `deadline`: due at the first `timerwheel_advance` to it or past it.
// A deadline that has passed is due at the next one. O(1).
//
// Answers with the handle of no timer, all zero, if the wheel is null or full.
struct timerwheel_handle timerwheel_insert(struct timerwheel *wheel,
                                           uint64_t deadline,
                                           uint64_t value);

// Arms an interval that ticks at `first` and then every `period` ticks, without drift, under one
// handle until it is cancelled. `missed` is `TIMERWHEEL_BURST`, `TIMERWHEEL_SKIP` or
// `TIMERWHEEL_DELAY`. O(1).
//
// Answers with the handle of no timer, all zero, if the wheel is null or full, the period is 0 or
// `missed` is none of these.
struct timerwheel_handle timerwheel_insert_interval(struct timerwheel *wheel,
                                                    uint64_t first,
                                                    uint64_t period,
                                                    uint32_t missed,
                                                    uint64_t value);

// Moves a timer to another deadline under the same handle; an interval goes on from there. It
// counts as armed now: among equal deadlines it comes last. O(1). False if the handle is stale.
bool timerwheel_reschedule(struct timerwheel *wheel,
                           struct timerwheel_handle handle,
                           uint64_t deadline);

// Takes a timer out, and writes its value to `value`, which may be null. O(1). False, and nothing
// written, if the handle is stale: the timer has fired or was cancelled.
bool timerwheel_cancel(struct timerwheel *wheel, struct timerwheel_handle handle, uint64_t *value);

// Moves the time on to `now` and collects what is due. Costs what is due or moved, never the ticks
// elapsed. A `now` before the last one is taken as the last one.
//
// Only this makes timers due: what is armed while they are handed out waits for the next call.
void timerwheel_advance(struct timerwheel *wheel, uint64_t now);

// Hands out the next timer that is due: by deadline, and among equal ones in the order of arming.
// O(1). False, and nothing written, if there is none, or `expired` is null.
//
// An interval is armed again before it is handed out, and may be cancelled by its handle.
bool timerwheel_pop_expired(struct timerwheel *wheel, struct timerwheel_expired *expired);

// Takes all timers out, in the order of their deadlines, and calls `take` for each with its value,
// its deadline and `context`. Handles from before are stale. `take` may use the wheel, which is
// empty by then, but not free it; if it is null, the values are forgotten. O(n log n).
void timerwheel_drain(struct timerwheel *wheel, timerwheel_take take, void *context);

// How long a loop whose ticks are milliseconds may sleep at `now`, as `epoll_wait` and `poll` take
// it: -1 if nothing is armed, 0 if something is due, `INT_MAX` at most. O(1).
//
// Never late. Early if the earliest timer was cancelled or moved since: then nothing is due, and
// the next timeout is longer. Ask right before sleeping, with the time of then. A `now` before that
// of the last `timerwheel_advance` is taken as that one.
int timerwheel_timeout(const struct timerwheel *wheel, uint64_t now);

// Writes the tick to wake up at to `tick`: that of `timerwheel_timeout`. O(1). False if nothing is
// armed.
bool timerwheel_next_wakeup(const struct timerwheel *wheel, uint64_t *tick);

// Writes the exact earliest deadline to `tick`; it may be in the past. False if nothing is armed.
bool timerwheel_next_deadline(const struct timerwheel *wheel, uint64_t *tick);

// Writes the deadline of a timer to `tick`; of an interval, its next one. False if it is stale.
bool timerwheel_deadline_of(const struct timerwheel *wheel,
                            struct timerwheel_handle handle,
                            uint64_t *tick);

// Writes the value of a timer to `value`. False if it is stale.
bool timerwheel_get(const struct timerwheel *wheel,
                    struct timerwheel_handle handle,
                    uint64_t *value);

// Gives a timer another value. False if it is stale.
bool timerwheel_set(struct timerwheel *wheel, struct timerwheel_handle handle, uint64_t value);

// Whether a timer is armed, or due and not handed out.
bool timerwheel_contains(const struct timerwheel *wheel, struct timerwheel_handle handle);

// Timers armed, those that are due and not handed out included. 0 if the wheel is null.
uint64_t timerwheel_len(const struct timerwheel *wheel);

// The tick of the last `timerwheel_advance`. 0 if the wheel is null.
uint64_t timerwheel_now(const struct timerwheel *wheel);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TIMERWHEEL_H */
