//! Who may connect: `maxClientCnxns` of one address, and `maxCnxns` in all (protocol §2.14).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections that are open, counted from their acceptance until their task ends.
#[derive(Debug)]
pub(super) struct Admission {
    /// In all. 0: no limit.
    most: u32,
    /// From one address. 0: no limit.
    most_of_one: u32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    by_address: BTreeMap<IpAddr, u32>,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    admission: Arc<Admission>,
    address: IpAddr,
}

/// Why a connection is not admitted; it is closed without a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("maxCnxns={0} is reached")]
    Full(u32),
    #[error("maxClientCnxns={0} is reached for its address")]
    AddressFull(u32),
}

impl Admission {
    pub(super) fn new(most: u32, most_of_one: u32) -> Arc<Self> {
        Arc::new(Admission { most, most_of_one, counts: Mutex::default() })
    }

    /// Takes a place for a connection from `address`.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Slot, Refusal> {
        let mut counts = self.lock();
        if self.most > 0 && counts.all >= self.most {
            return Err(Refusal::Full(self.most));
        }
        let of_one = counts.by_address.get(&address).copied().unwrap_or(0);
        if self.most_of_one > 0 && of_one >= self.most_of_one {
            return Err(Refusal::AddressFull(self.most_of_one));
        }
        counts.all += 1;
        counts.by_address.insert(address, of_one + 1);
        Ok(Slot { admission: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.all -= 1;
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn limits_count_what_is_open_and_forget_what_is_not() {
        let admission = Admission::new(3, 2);
        let one = admission.admit(address(1)).unwrap();
        let other = admission.admit(address(1)).unwrap();
        assert_eq!(admission.admit(address(1)).unwrap_err(), Refusal::AddressFull(2));
        let second = admission.admit(address(2)).unwrap();
        assert_eq!(admission.admit(address(3)).unwrap_err(), Refusal::Full(3));
        drop(one);
        let again = admission.admit(address(1)).unwrap();
        drop((other, second, again));
        let counts = admission.lock();
        assert_eq!((counts.all, counts.by_address.len()), (0, 0));
    }

    #[test]
    fn zero_is_no_limit() {
        let admission = Admission::new(0, 0);
        let slots: Vec<Slot> = (0..1000).map(|_| admission.admit(address(1)).unwrap()).collect();
        assert_eq!(slots.len(), 1000);
    }
}
