//! What makes a read model: its table, the events that it cares about, its fold.

use deadpool_postgres::Transaction;
use domain::event::RecordedEvent;
use futures_util::future::BoxFuture;
use infra::postgres::DatabaseError;

use crate::error::Poison;

/// One read model, as the runner sees it.
#[derive(Debug)]
pub(crate) struct ReadModel {
    /// Its permanent name.
    pub(crate) name: &'static str,
    /// The name with the version of the rows: `backtests_v1`. Another shape or fold is another version.
    pub(crate) table: &'static str,
    /// The aggregates whose events it folds; those of one id are always folded together and in order.
    pub(crate) aggregates: &'static [&'static str],
    /// Whether it folds only the events that begin streams.
    pub(crate) first_events_only: bool,
    /// Returns the statements that make its table, and the indexes, under the given name.
    pub(crate) create: fn(&str) -> String,
    /// Turns events into changes of the table; pure.
    pub(crate) fold: fn(&[&RecordedEvent]) -> Folded,
}

/// The changes, or why an event cannot be folded.
pub(crate) type Folded = Result<Box<dyn Changes>, Poison>;

/// What a batch of events changes.
pub(crate) trait Changes: Send + Sync {
    /// Returns whether the table stays as it is.
    fn is_empty(&self) -> bool;

    /// Writes the changes to the table, in the transaction that moves the checkpoint.
    fn write<'a>(
        self: Box<Self>,
        transaction: &'a Transaction<'a>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<(), DatabaseError>>;
}

/// The id of the event's aggregate, which is a UUID in all of our streams.
pub(crate) fn aggregate_id(event: &RecordedEvent) -> Result<uuid::Uuid, Poison> {
    uuid::Uuid::parse_str(&event.aggregate_id)
        .map_err(|_| Poison::Unfit(format!("`{}` is not a UUID", event.aggregate_id)))
}

/// The error for an aggregate type that the read model did not ask for.
pub(crate) fn unexpected(event: &RecordedEvent) -> Poison {
    Poison::Unfit(format!("no events of `{}` are expected here", event.aggregate_type))
}
