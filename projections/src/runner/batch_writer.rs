//! Writes the rows of one table, batch by batch: rows and checkpoint in one transaction, exactly once.

use std::{
    collections::VecDeque,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use deadpool_postgres::Transaction;
use domain::{aggregates::EventAhead, event::RecordedEvent};
use infra::postgres::{DatabaseError, EventStore, event_store::Tail};
use tokio::task::JoinHandle;

use crate::{
    error::Poison,
    handle::{OnPoison, ReadModels},
    read_model::{Changes, ReadModel},
    runner::{
        checkpoints, dead_letters,
        write::{poison_of, write_all, write_one},
    },
};

/// Events in a batch at most.
const BATCH_SIZE: usize = 5_000;
/// Positions that may go by without a change before the checkpoint follows, and how long.
const UNSETTLED_MAX: i64 = 100_000;
pub(crate) const UNSETTLED_FOR: Duration = Duration::from_millis(50);
/// Batches that are read and folded while another is written.
const READ_AHEAD: usize = 2;
/// Batches below it are not worth another thread.
const SLICED_FROM: usize = 256;

/// Writes one table.
pub(crate) struct BatchWriter {
    store: EventStore,
    /// Where events come from that are near the end of the log.
    tail: Option<Arc<Tail>>,
    pub(crate) model: &'static ReadModel,
    pub(crate) table: String,
    on_poison: OnPoison,
    /// Everything up to here is in the table.
    position: i64,
    /// Where its checkpoint is, as far as is known: behind `position` while nothing changes the table, for most events change
    /// few read models, and a transaction for each of the others would be the larger part of the work.
    settled: i64,
    /// Since when it is behind.
    unsettled_since: Option<Instant>,
    /// Read, and folded, while batches before them are written.
    next: VecDeque<Batch>,
}

/// The outcome of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The rows of `events` events are written; `has_more` if more are known to wait.
    Advanced { events: usize, has_more: bool },
    /// There was nothing to do.
    AtEnd,
    /// Another process was faster, or the projection is stopped: the checkpoint must be read again.
    Elsewhere,
    /// A poison event stopped the projection.
    Stopped { position: i64 },
    /// The next event is newer than this binary; everything before it is in, and the checkpoint says so.
    Ahead(EventAhead),
}

struct Batch {
    from: i64,
    end: i64,
    has_more: bool,
    events: Arc<Vec<Arc<RecordedEvent>>>,
    /// The event after `end`, if this binary is too old for it.
    ahead: Option<EventAhead>,
    folding: JoinHandle<Result<Folded, DatabaseError>>,
}

type Folded = Result<Vec<Box<dyn Changes>>, Poison>;

enum Written {
    All,
    /// There was nothing to write.
    Nothing,
    NotOurs,
    UpTo(i64),
}

impl BatchWriter {
    /// A writer of that table with what is configured for the read model.
    pub(crate) fn new(
        read_models: &ReadModels,
        store: &EventStore,
        model: &'static ReadModel,
        table: String,
    ) -> Self {
        Self {
            store: store.clone(),
            tail: None,
            model,
            table,
            on_poison: read_models.on_poison.get(model.name).copied().unwrap_or_default(),
            position: 0,
            settled: 0,
            unsettled_since: None,
            next: VecDeque::new(),
        }
    }

    /// The same, reading from `tail` where that reaches.
    pub(crate) fn with_tail(self, tail: Arc<Tail>) -> Self {
        Self { tail: Some(tail), ..self }
    }

    pub(crate) const fn position(&self) -> i64 {
        self.position
    }

    /// Continues from `position`, whatever was read ahead.
    pub(crate) fn seek(&mut self, position: i64) {
        self.settle_at(position);
        self.next.clear();
    }

    /// Since when the checkpoint is behind; `None` if it is not.
    pub(crate) const fn unsettled_since(&self) -> Option<Instant> {
        self.unsettled_since
    }

    /// Moves the checkpoint to where the table is. Returns false if another process was faster.
    pub(crate) async fn settle(&mut self) -> Result<bool, DatabaseError> {
        if self.settled == self.position {
            return Ok(true);
        }
        let client = self.store.database().get().await?;
        let is_ours =
            checkpoints::advance(&client, &self.table, self.settled, self.position).await?;
        if is_ours {
            self.settle_at(self.position);
        }
        Ok(is_ours)
    }

    fn settle_at(&mut self, position: i64) {
        self.position = position;
        self.settled = position;
        self.unsettled_since = None;
    }

    /// Writes the next batch, and meanwhile reads those after it.
    pub(crate) async fn step(&mut self) -> Result<Step, DatabaseError> {
        let batch = match self.next.pop_front() {
            Some(batch) => batch,
            None => self.read(self.position).await?,
        };
        let Batch { end, has_more, .. } = batch;
        if end == batch.from {
            let Some(ahead) = batch.ahead else { return Ok(Step::AtEnd) };
            let is_settled = self.settle().await?;
            return Ok(if is_settled { Step::Ahead(ahead) } else { Step::Elsewhere });
        }
        let events = batch.events.len();
        let read_on = match self.next.back() {
            Some(last) => (last.end, last.has_more),
            None => (end, has_more),
        };
        let (written, next) = tokio::join!(self.write(batch), self.read_ahead(read_on));
        self.next.extend(next);
        Ok(match written? {
            Written::All => {
                self.settle_at(end);
                Step::Advanced { events, has_more }
            }
            Written::Nothing => {
                self.position = end;
                self.unsettled_since.get_or_insert_with(Instant::now);
                if end - self.settled >= UNSETTLED_MAX && !self.settle().await? {
                    return Ok(Step::Elsewhere);
                }
                Step::Advanced { events, has_more }
            }
            Written::NotOurs => Step::Elsewhere,
            Written::UpTo(position) => {
                self.settle_at(position);
                Step::Stopped { position }
            }
        })
    }

    /// Reads the batches that are still missing behind those that were read. What cannot be read now is read, and reported, by the
    /// step that needs it.
    async fn read_ahead(&self, (mut from, mut has_more): (i64, bool)) -> Vec<Batch> {
        let mut batches = Vec::new();
        while has_more && self.next.len() + batches.len() < READ_AHEAD {
            let Ok(batch) = self.read(from).await else { break };
            (from, has_more) = (batch.end, batch.has_more);
            batches.push(batch);
        }
        batches
    }

    async fn read(&self, from: i64) -> Result<Batch, DatabaseError> {
        let (mut events, mut end, mut has_more) = self.range(from).await?;
        let ahead = events.iter().find_map(|event| event.ahead());
        if let Some(ahead) = &ahead {
            // What lies before it is written; the next step meets it first.
            end = ahead.position - 1;
            events.retain(|event| event.position <= end);
            has_more = end > from;
        }
        let events = Arc::new(events);
        let folding = tokio::spawn(fold(self.model, Arc::clone(&events)));
        Ok(Batch { from, end, has_more, events, ahead, folding })
    }

    /// The events of a batch that the read model folds, how far they reach, and whether the log goes on.
    async fn range(
        &self,
        from: i64,
    ) -> Result<(Vec<Arc<RecordedEvent>>, i64, bool), DatabaseError> {
        let ReadModel { aggregates, first_events_only, .. } = *self.model;
        if let Some(tail) = &self.tail
            && let Some(mut range) = tail.after(from, BATCH_SIZE).await?
        {
            range.events.retain(|event| {
                aggregates.contains(&event.aggregate_type.as_str())
                    && (event.sequence <= 1 || !first_events_only)
            });
            return Ok((range.events, range.end, range.has_more));
        }
        let limit = i64::try_from(BATCH_SIZE).unwrap_or(i64::MAX);
        let range = self.store.read_types_after(from, aggregates, first_events_only, limit).await?;
        Ok((range.events.into_iter().map(Arc::new).collect(), range.end, range.has_more))
    }

    async fn write(&self, batch: Batch) -> Result<Written, DatabaseError> {
        let Batch { end, events, folding, .. } = batch;
        let changes =
            folding.await.map_err(|error| DatabaseError::Corrupt(error.to_string()))??;
        let from = self.settled;
        if changes.as_ref().is_ok_and(|changes| changes.iter().all(|changes| changes.is_empty())) {
            return Ok(Written::Nothing);
        }
        let mut client = self.store.database().get().await?;
        let error = match changes {
            Err(poison) => poison.to_string(),
            Ok(changes) => {
                let transaction = client.transaction().await?;
                if !checkpoints::advance(&transaction, &self.table, from, end).await? {
                    transaction.rollback().await?;
                    return Ok(Written::NotOurs);
                }
                match write_all(changes, &transaction, &self.table).await {
                    Ok(()) => {
                        transaction.commit().await?;
                        return Ok(Written::All);
                    }
                    Err(error) => {
                        transaction.rollback().await?;
                        poison_of(error)?
                    }
                }
            }
        };
        tracing::warn!(table = self.table, from, end, error, "a batch is repeated event by event");
        let transaction = client.transaction().await?;
        self.write_one_by_one(transaction, from, end, &events).await
    }

    async fn write_one_by_one(
        &self,
        mut transaction: Transaction<'_>,
        from: i64,
        end: i64,
        events: &[Arc<RecordedEvent>],
    ) -> Result<Written, DatabaseError> {
        if !checkpoints::advance(&transaction, &self.table, from, end).await? {
            transaction.rollback().await?;
            return Ok(Written::NotOurs);
        }
        for event in events {
            let poison = write_one(&mut transaction, self.model, &self.table, event).await?;
            let Some(error) = poison else { continue };
            let position = event.position;
            if dead_letters::is_discarded(&transaction, self.model.table, position).await? {
                continue;
            }
            dead_letters::record(&transaction, &self.table, event, &error).await?;
            if self.on_poison == OnPoison::Stop {
                checkpoints::stop(&transaction, &self.table, position - 1).await?;
                transaction.commit().await?;
                tracing::error!(table = self.table, position, error, "the projection has STOPPED");
                return Ok(Written::UpTo(position - 1));
            }
            tracing::error!(table = self.table, position, error, "an event was left out");
        }
        transaction.commit().await?;
        Ok(Written::All)
    }
}

/// Folds in slices by aggregate id, in parallel if the batch is large enough.
async fn fold(
    model: &'static ReadModel,
    events: Arc<Vec<Arc<RecordedEvent>>>,
) -> Result<Folded, DatabaseError> {
    let slices = thread::available_parallelism().map_or(1, usize::from);
    if slices == 1 || events.len() < SLICED_FROM {
        let all: Vec<&RecordedEvent> = events.iter().map(AsRef::as_ref).collect();
        return Ok((model.fold)(&all).map(|changes| vec![changes]));
    }
    let fold_slice = |slice: usize| {
        let events = Arc::clone(&events);
        tokio::task::spawn_blocking(move || {
            let is_in_slice =
                |event: &&RecordedEvent| slice_of(&event.aggregate_id, slices) == slice;
            let all = events.iter().map(AsRef::as_ref);
            let own: Vec<&RecordedEvent> = all.filter(is_in_slice).collect();
            (model.fold)(&own)
        })
    };
    let running: Vec<_> = (0..slices).map(fold_slice).collect();
    let mut folded = Vec::with_capacity(slices);
    for slice in running {
        let changes = slice.await.map_err(|error| DatabaseError::Corrupt(error.to_string()))?;
        match changes {
            Ok(changes) => folded.push(changes),
            Err(poison) => return Ok(Err(poison)),
        }
    }
    Ok(Ok(folded))
}

fn slice_of(aggregate_id: &str, slices: usize) -> usize {
    // The last bytes of a UUIDv7 are its random ones.
    let tail = aggregate_id.bytes().rev().take(4);
    tail.fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte))) % slices
}
