//! The clock: the only source of time, and of ids that begin with it, for the layers above; tests set it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use ulid::Ulid;
use uuid::{NoContext, Timestamp, Uuid};

/// Tells the time of day and makes ids from it; clones tell the same time.
///
/// Leases do not use it: they run on the database's clock, which all processes share.
#[derive(Debug, Clone)]
pub struct Clock {
    /// `None` follows the system.
    manual: Option<watch::Receiver<DateTime<Utc>>>,
}

impl Clock {
    /// Returns the system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { manual: None }
    }

    /// Returns the time of day.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.manual.as_ref().map_or_else(Utc::now, |set| *set.borrow())
    }

    /// Returns a new UUIDv7.
    #[must_use]
    pub fn new_uuid(&self) -> Uuid {
        if self.manual.is_none() {
            // Ascending within the process, even inside one millisecond.
            return Uuid::now_v7();
        }
        let now = self.now();
        let seconds = now.timestamp().max(0).cast_unsigned();
        Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
    }

    /// Returns a new ULID.
    #[must_use]
    pub fn new_ulid(&self) -> Ulid {
        Ulid::from_datetime(self.now().into())
    }
}

/// Sets the clocks that it gave out; they stand still in between.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<DateTime<Utc>>);

impl ManualClock {
    /// Starts at `now`.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Returns a clock that this one sets.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock { manual: Some(self.0.subscribe()) }
    }

    /// Sets the time, forwards or backwards.
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.send_replace(now);
    }

    /// Moves the time forwards.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_tell_the_time_that_was_set_and_ids_begin_with_it() {
        let manual = ManualClock::new(DateTime::UNIX_EPOCH);
        let clock = manual.clock();
        manual.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now().timestamp_millis(), 1_500);
        assert_eq!(clock.new_uuid().get_timestamp().unwrap().to_unix(), (1, 500_000_000));
        assert_eq!(clock.new_ulid().timestamp_ms(), 1_500);
        let summer_time = "2026-03-29T01:00:00Z".parse().unwrap();
        manual.set(summer_time);
        assert_eq!(clock.now(), summer_time);
    }

    #[test]
    fn ids_of_the_system_s_clock_ascend_within_a_process() {
        let clock = Clock::system();
        let ids: Vec<Uuid> = (0..1_000).map(|_| clock.new_uuid()).collect();
        assert!(ids.is_sorted());
    }
}
