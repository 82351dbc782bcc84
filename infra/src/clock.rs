//! The clock and fresh ids: the only source of time and randomness for the layers above.

use chrono::{DateTime, Utc};
use ulid::Ulid;
use uuid::Uuid;

/// The time of day.
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A fresh UUIDv7.
#[must_use]
pub fn new_uuid() -> Uuid {
    Uuid::now_v7()
}

/// A fresh ULID.
#[must_use]
pub fn new_ulid() -> Ulid {
    Ulid::generate()
}
