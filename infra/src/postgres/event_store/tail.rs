//! The end of the log in memory: read once for all who follow it in this process.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::event::RecordedEvent;
use tokio::sync::{Mutex, watch};

use super::store::EventStore;
use crate::postgres::database::DatabaseError;

/// Events that are kept at most, and their bytes.
const EVENTS_MAX: usize = 10_000;
const BYTES_MAX: usize = 64 << 20;
/// Events in one read.
const READ_MAX: i64 = 5_000;
/// How long the log is taken to end where it did unless something is known to have been appended: wake-ups are only hints.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// The last events of the log, shared by reference.
pub struct Tail {
    store: EventStore,
    known: watch::Receiver<u64>,
    events: Mutex<Events>,
}

/// Some events of the tail.
#[derive(Debug, Clone, PartialEq)]
pub struct TailRange {
    /// In order of position; of every aggregate.
    pub events: Vec<Arc<RecordedEvent>>,
    /// Every event up to this position is among them or came before.
    pub end: i64,
    /// The tail goes on after [`Self::end`].
    pub has_more: bool,
}

/// Those after one position up to another.
#[derive(Default)]
struct Events {
    after: i64,
    end: i64,
    events: VecDeque<Arc<RecordedEvent>>,
    bytes: usize,
    looked_at: Option<Instant>,
}

impl Tail {
    /// An empty tail; it begins where the first event is asked for.
    #[must_use]
    pub fn new(store: EventStore) -> Self {
        let known = store.wakeups();
        Self { store, known, events: Mutex::default() }
    }

    /// Up to `limit` events after `position`, which are read if they are not here yet; `None` if they begin before the tail.
    ///
    /// # Errors
    /// The database.
    pub async fn after(
        &self,
        position: i64,
        limit: usize,
    ) -> Result<Option<TailRange>, DatabaseError> {
        let mut tail = self.events.lock().await;
        if tail.looked_at.is_none() {
            // The tail is at the end of the log, where all followers are sooner or later.
            tail.begin_at(self.store.head().await?);
        }
        if position > tail.end {
            tail.begin_at(position);
        }
        if position < tail.after {
            return Ok(None);
        }
        if position == tail.end && self.may_have_grown(&tail) {
            let looked_at = Instant::now();
            let events = self.store.read_after(tail.end, READ_MAX).await?;
            tail.extend(events);
            tail.looked_at = Some(looked_at);
        }
        Ok(Some(tail.range(position, limit)))
    }

    fn may_have_grown(&self, tail: &Events) -> bool {
        let is_known = *self.known.borrow() > tail.end.unsigned_abs();
        is_known || tail.looked_at.is_none_or(|looked| looked.elapsed() >= LOOK_INTERVAL)
    }
}

impl Events {
    fn begin_at(&mut self, position: i64) {
        let looked_at = Some(Instant::now());
        *self = Self { after: position, end: position, looked_at, ..Self::default() };
    }

    fn extend(&mut self, events: Vec<RecordedEvent>) {
        for event in events {
            self.end = event.position;
            self.bytes += size(&event);
            self.events.push_back(Arc::new(event));
        }
        while self.events.len() > EVENTS_MAX || (self.bytes > BYTES_MAX && self.events.len() > 1) {
            let Some(first) = self.events.pop_front() else { break };
            self.after = first.position;
            self.bytes -= size(&first);
        }
    }

    /// The position is in the tail.
    fn range(&self, position: i64, limit: usize) -> TailRange {
        let start = self.events.partition_point(|event| event.position <= position);
        let events: Vec<_> = self.events.range(start..).take(limit).cloned().collect();
        let is_cut = start + events.len() < self.events.len();
        let last = events.last().map_or(position, |event| event.position);
        let end = if is_cut { last } else { self.end };
        TailRange { events, end, has_more: is_cut }
    }
}

/// With about as much for the decoded event as for its payload.
fn size(event: &RecordedEvent) -> usize {
    size_of::<RecordedEvent>() + 2 * event.payload.len() + event.metadata.len()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::event::Decoded;

    use super::*;

    fn event(position: i64, bytes: usize) -> RecordedEvent {
        RecordedEvent {
            position,
            event_id: 0_u128.into(),
            aggregate_type: "backtest".to_owned(),
            aggregate_id: String::new(),
            sequence: 1,
            event_type: String::new(),
            event_version: String::new(),
            payload: " ".repeat(bytes),
            metadata: String::new(),
            recorded_at: DateTime::UNIX_EPOCH,
            decoded: Decoded::default(),
        }
    }

    fn positions(range: &TailRange) -> Vec<i64> {
        range.events.iter().map(|event| event.position).collect()
    }

    #[test]
    fn a_range_ends_at_its_limit_or_with_the_tail() {
        let mut tail = Events::default();
        tail.begin_at(10);
        tail.extend((11..=20).map(|position| event(position, 0)).collect());
        let range = tail.range(10, 4);
        assert_eq!(positions(&range), [11, 12, 13, 14]);
        assert_eq!((range.end, range.has_more), (14, true));
        let range = tail.range(14, 6);
        assert_eq!((positions(&range).len(), range.end, range.has_more), (6, 20, false));
        let range = tail.range(20, 6);
        assert_eq!((positions(&range), range.end, range.has_more), (vec![], 20, false));
    }

    #[test]
    fn what_is_beyond_its_bounds_leaves_the_tail() {
        let mut tail = Events::default();
        tail.extend((1..=12_000).map(|position| event(position, 0)).collect());
        assert_eq!((tail.after, tail.end, tail.events.len()), (2_000, 12_000, EVENTS_MAX));
        tail.extend((12_001..=12_003).map(|position| event(position, 15 << 20)).collect());
        assert_eq!((tail.after, tail.events.len()), (12_001, 2));
        tail.extend(vec![event(12_004, 100 << 20)]);
        assert_eq!((tail.after, tail.end, tail.events.len()), (12_003, 12_004, 1));
        assert_eq!(tail.bytes, size(&tail.events[0]));
    }
}
