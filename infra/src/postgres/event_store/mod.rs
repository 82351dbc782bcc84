//! The event store: one log, appended to by `append_events` through one queue per process, and read by position.

mod append;
mod call;
mod decoding;
mod queue;
mod range;
mod reading;
mod rows;
mod store;
mod tail;
mod wakeups;

pub use append::{
    Append, CommandKey, NewEvent, Outcome, Priority, Reservation, ReservationAction, StreamAppend,
    new_event,
};
pub use range::EventRange;
pub use reading::{Direction, EventFilter, STREAMS_TABLE, read_stream_back};
pub use store::{EventStore, Loaded};
pub use tail::{Tail, TailRange};
pub(super) use wakeups::JOBS_CHANNEL;
