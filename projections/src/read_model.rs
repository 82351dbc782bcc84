//! What makes a read model: its table, the events that it cares about, its fold.

use deadpool_postgres::Transaction;
use domain::event::RecordedEvent;
use futures_util::future::BoxFuture;
use infra::postgres::DatabaseError;

use crate::models::{
    backtests, equity_curves, ledger, strategies, strategy_versions, sweeps, trades,
};

/// One read model, as the runner sees it.
#[derive(Debug)]
pub(crate) struct ReadModel {
    /// Its permanent name.
    pub(crate) name: &'static str,
    /// The name with the version of the rows: `backtests_v1`. Another shape or fold is another version.
    pub(crate) table: &'static str,
    /// The aggregates whose events it folds; those of one id are always folded together and in order.
    pub(crate) aggregates: &'static [&'static str],
    /// The statements that make its table, and the indexes, under the given name.
    pub(crate) create: fn(&str) -> String,
    /// Turns events into what is to be written; pure.
    pub(crate) fold: fn(&[&RecordedEvent]) -> Folded,
}

/// What is to be written, or what cannot be folded.
pub(crate) type Folded = Result<Box<dyn Changes>, Poison>;

/// Every read model that there is.
pub(crate) const READ_MODELS: [&ReadModel; 7] = [
    &strategies::READ_MODEL,
    &strategy_versions::READ_MODEL,
    &backtests::READ_MODEL,
    &ledger::READ_MODEL,
    &trades::READ_MODEL,
    &equity_curves::READ_MODEL,
    &sweeps::READ_MODEL,
];

/// What a batch of events changes.
pub(crate) trait Changes: Send + Sync {
    /// The table stays as it is.
    fn is_empty(&self) -> bool;

    /// Writes it to the table, in the transaction that moves the checkpoint.
    fn write<'a>(
        self: Box<Self>,
        transaction: &'a Transaction<'a>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<(), DatabaseError>>;
}

/// An event that cannot be folded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Poison {
    #[error("the payload is not an event of its type: {0}")]
    Undecodable(#[from] serde_json::Error),
    #[error("{0}")]
    Unfit(String),
}

/// The read model of that name.
pub(crate) fn find(name: &str) -> Option<&'static ReadModel> {
    READ_MODELS.into_iter().find(|model| model.name == name)
}

/// The id of the event's aggregate, which is a UUID in every stream of ours.
pub(crate) fn aggregate_id(event: &RecordedEvent) -> Result<uuid::Uuid, Poison> {
    uuid::Uuid::parse_str(&event.aggregate_id)
        .map_err(|_| Poison::Unfit(format!("`{}` is not a UUID", event.aggregate_id)))
}

/// An aggregate type that the read model did not ask for.
pub(crate) fn unexpected(event: &RecordedEvent) -> Poison {
    Poison::Unfit(format!("no events of `{}` are expected here", event.aggregate_type))
}
