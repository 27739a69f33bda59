//! How many sessions one address may have (`maxSessionsPerAddress`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::sync::{Mutex, lock};

/// The sessions of each address that has any, so never more entries than sessions.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<IpAddr, usize>>);

/// A session's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Seats {
    /// A place for a session of `address`, unless it has `most` already; 0 is no limit.
    pub(super) fn take(
        self: &Arc<Self>,
        address: IpAddr,
        most: usize,
    ) -> Result<Option<Seat>, Full> {
        if most == 0 {
            return Ok(None);
        }
        let address = address.to_canonical();
        let mut seats = lock(&self.0);
        let taken = seats.entry(address).or_insert(0);
        if *taken >= most {
            return Err(Full);
        }
        *taken += 1;
        drop(seats);
        Ok(Some(Seat { seats: Arc::clone(self), address }))
    }
}

/// The address has as many sessions as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = lock(&self.seats.0);
        if let Some(taken) = seats.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_places_and_gives_them_back() {
        let seats = Arc::<Seats>::default();
        let take = |address: &str| seats.take(address.parse().unwrap(), 2);
        let first = take("192.0.2.1");
        let second = take("::ffff:192.0.2.1");
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(take("192.0.2.1").unwrap_err(), Full);
        assert!(take("192.0.2.2").is_ok());
        drop(first);
        assert!(take("192.0.2.1").is_ok());
        drop(second);
        assert!(lock(&seats.0).is_empty());
        assert!(matches!(seats.take([192, 0, 2, 1].into(), 0), Ok(None)));
    }
}
