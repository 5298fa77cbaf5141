//! How many are in, and how many of one address have yet to say what they want. Counted here and
//! not by each server, so that a limit can hold over all loops of a process.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::settings::Limits;

/// Counts open connections for one server, or for several that are to keep to
/// [`Limits::connections`] and to the limits of what is pending together. Clones count as one.
///
/// Costs an atomic operation at the beginning and at the end of a connection, and a short lock there
/// if what is pending is limited; nothing for a request.
///
/// ```
/// use netserver::{Admission, Handler, Reply, Request, Response, Server, Status};
///
/// struct Hello;
/// impl Handler for Hello {
///     fn on_request(&mut self, _: &Request<'_>, reply: Reply<'_>) {
///         reply.send(Response::new(Status::OK));
///     }
/// }
///
/// let together = Admission::new();
/// let public = Server::builder(Hello).admission(&together);
/// let internal = Server::builder(Hello).admission(&together);
/// # let _ = (public, internal);
/// assert_eq!(together.open(), 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Admission(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    pending: Mutex<PendingCounts>,
}

/// Only what is above zero is in here, so there are never more entries than connections.
#[derive(Debug, Default)]
struct PendingCounts {
    addresses: HashMap<IpAddr, usize>,
    prefixes: HashMap<IpAddr, usize>,
}

impl Admission {
    /// Nobody is in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Connections that are in.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// One more, unless that were more than `limit`; 0 is no limit.
    pub(super) fn enter(&self, limit: usize) -> Option<Seat> {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let more = |open: usize| (open < limit).then_some(open + 1);
        let entered = self.0.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.is_ok().then(|| Seat(Arc::clone(&self.0)))
    }

    /// Counts a connection without a head under its address and prefix. `Err` if one of them has
    /// as many as it may; `Ok(None)` if nothing is limited.
    pub(super) fn pend(
        &self,
        peer: IpAddr,
        limits: &Limits,
    ) -> Result<Option<Box<Pending>>, Crowded> {
        // A dual-stack socket shows IPv4 peers as IPv6 ones, all of them in one prefix.
        let address = peer.to_canonical();
        let (per_address, per_prefix) = (limits.pending_per_address, limits.pending_per_prefix);
        if per_address == 0 && per_prefix == 0 {
            return Ok(None);
        }
        let prefix = prefix(address, limits);
        let mut counts = self.0.pending();
        let is_full =
            |count: Option<&usize>, limit| limit != 0 && count.is_some_and(|n| *n >= limit);
        if is_full(counts.addresses.get(&address), per_address)
            || is_full(counts.prefixes.get(&prefix), per_prefix)
        {
            return Err(Crowded);
        }
        *counts.addresses.entry(address).or_default() += 1;
        *counts.prefixes.entry(prefix).or_default() += 1;
        drop(counts);
        Ok(Some(Box::new(Pending { counts: Arc::clone(&self.0), address, prefix })))
    }
}

impl Counts {
    fn pending(&self) -> MutexGuard<'_, PendingCounts> {
        // Nothing panics while it is held; were it so, the counts are still numbers.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counted as open until it is dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Counts>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counted under its address and prefix until it is dropped.
#[derive(Debug)]
pub(super) struct Pending {
    counts: Arc<Counts>,
    address: IpAddr,
    prefix: IpAddr,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut counts = self.counts.pending();
        take_one(&mut counts.addresses, &self.address);
        take_one(&mut counts.prefixes, &self.prefix);
    }
}

/// The address, or its prefix, has as many pending connections as it may.
#[derive(Debug)]
pub(super) struct Crowded;

fn take_one<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
    // What a flood has taken is given back; the rest is kept, so that a few do not allocate each.
    if counts.capacity() > SPARE && counts.len() < counts.capacity() / 8 {
        counts.shrink_to(counts.len() * 2);
    }
}

/// Entries that a map keeps room for.
const SPARE: usize = 128;

fn prefix(address: IpAddr, limits: &Limits) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let host_bits = u32::BITS - u32::from(limits.ipv4_prefix_length);
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let host_bits = u128::BITS - u32::from(limits.ipv6_prefix_length);
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn limits(per_address: usize, per_prefix: usize) -> Limits {
        Limits {
            pending_per_address: per_address,
            pending_per_prefix: per_prefix,
            ..Limits::default()
        }
    }

    #[test]
    fn addresses_share_a_prefix_by_its_length() {
        let mut limits = Limits::default();
        assert_eq!(prefix(ip("10.1.2.3"), &limits), ip("10.1.2.0"));
        assert_eq!(prefix(ip("2001:db8:1:2:3:4:5:6"), &limits), ip("2001:db8:1:2::"));
        (limits.ipv4_prefix_length, limits.ipv6_prefix_length) = (32, 128);
        assert_eq!(prefix(ip("10.1.2.3"), &limits), ip("10.1.2.3"));
        assert_eq!(prefix(ip("2001:db8::1"), &limits), ip("2001:db8::1"));
        (limits.ipv4_prefix_length, limits.ipv6_prefix_length) = (0, 0);
        assert_eq!(prefix(ip("10.1.2.3"), &limits), ip("0.0.0.0"));
        assert_eq!(prefix(ip("2001:db8::1"), &limits), ip("::"));
    }

    #[test]
    fn an_address_and_a_prefix_each_have_their_limit() {
        let (admission, limits) = (Admission::new(), limits(2, 3));
        let pend =
            |text| admission.pend(ip(text), &limits).map(|pending| pending.expect("limited"));
        let first = pend("10.0.0.1").expect("room");
        let _second = pend("10.0.0.1").expect("room");
        assert!(pend("10.0.0.1").is_err(), "the address is full");
        assert!(pend("::ffff:10.0.0.1").is_err(), "which is the same one");
        let _third = pend("10.0.0.2").expect("room for another address");
        assert!(pend("10.0.0.3").is_err(), "the prefix is full");
        let _other = pend("10.0.1.1").expect("room in another prefix");
        drop(first);
        pend("10.0.0.1").expect("room again");
    }

    #[test]
    fn counts_of_zero_take_no_memory() {
        let (admission, limits) = (Admission::new(), limits(1, 0));
        let flood = |n: u32| Ipv4Addr::from_bits(n << 8).into();
        let pending: Vec<_> = (0..10_000).map(|n| admission.pend(flood(n), &limits)).collect();
        assert_eq!(admission.0.pending().addresses.len(), 10_000);
        drop(pending);
        let counts = admission.0.pending();
        assert_eq!((counts.addresses.len(), counts.prefixes.len()), (0, 0));
        assert!(counts.addresses.capacity() <= 2 * SPARE, "{}", counts.addresses.capacity());
    }

    #[test]
    fn a_limit_holds_for_all_who_share_it() {
        let (one, other) = (Admission::new(), Admission::new());
        let shared = one.clone();
        let seat = one.enter(1).expect("room");
        assert!(shared.enter(1).is_none());
        assert!(shared.enter(2).is_some() && other.enter(1).is_some());
        drop(seat);
        assert_eq!(shared.open(), 0);
    }
}
