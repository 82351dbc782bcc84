//! The run queue: which backtests wait, who runs them, until when.

use std::time::Duration;

use domain::ids::{BacktestId, UserId};

use super::database::{Database, DatabaseError};

/// The queue.
#[derive(Clone)]
pub struct RunQueue {
    database: Database,
}

/// A run that this executor may work on while it keeps the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub backtest_id: BacktestId,
    pub owner_id: UserId,
    pub lease_owner: String,
    /// Counts leases of this row; names the lease together with its owner.
    pub term: i64,
}

impl RunQueue {
    /// The queue in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Puts runs in (repeats are ignored) and moves the follower's checkpoint, in one transaction.
    ///
    /// # Errors
    /// The database.
    pub async fn enqueue(
        &self,
        _runs: &[(BacktestId, UserId, i64)],
        _follower: &str,
        _from_position: i64,
        _to_position: i64,
    ) -> Result<bool, DatabaseError> {
        let _ = &self.database;
        todo!()
    }

    /// The follower's checkpoint.
    ///
    /// # Errors
    /// The database.
    pub async fn checkpoint(&self, _follower: &str) -> Result<i64, DatabaseError> {
        todo!()
    }

    /// Takes the next run: fewest running of its owner, then oldest.
    ///
    /// # Errors
    /// The database.
    pub async fn pick(
        &self,
        _executor: &str,
        _lease: Duration,
        _running_per_user_max: i64,
    ) -> Result<Option<Lease>, DatabaseError> {
        todo!()
    }

    /// Prolongs the lease; false when it was lost.
    ///
    /// # Errors
    /// The database.
    pub async fn heartbeat(
        &self,
        _lease: &Lease,
        _duration: Duration,
    ) -> Result<bool, DatabaseError> {
        todo!()
    }

    /// Gives the run back for anyone to take.
    ///
    /// # Errors
    /// The database.
    pub async fn release(&self, _lease: &Lease) -> Result<(), DatabaseError> {
        todo!()
    }

    /// Takes the run out: it is done, or refused.
    ///
    /// # Errors
    /// The database.
    pub async fn remove(&self, _lease: &Lease) -> Result<(), DatabaseError> {
        todo!()
    }
}
