//! Candles in revisions: bulk import, coverage, columns of a range, a cache of series.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    market::{Symbol, Timeframe},
    simulation::Candles,
};

use super::database::{Database, DatabaseError};

/// The stored candles and a cache of whole series.
#[derive(Clone)]
pub struct CandleStore {
    database: Database,
}

/// What is stored of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    pub symbol: Symbol,
    pub timeframe: Timeframe,
    pub revision: i64,
    pub rows: i64,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
}

/// A series at one revision; the columns are shared.
#[derive(Debug, Clone)]
pub struct Series {
    pub revision: i64,
    pub candles: Arc<Candles>,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub revision: i64,
    /// Rows that were new.
    pub inserted: u64,
    /// Rows that differ from what was stored, corrected under the new revision.
    pub corrected: u64,
    /// Rows that were there already.
    pub unchanged: u64,
}

impl CandleStore {
    /// The store in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Stores candles (ascending, no duplicates) under the next revision and publishes it; idempotent.
    ///
    /// # Errors
    /// The database.
    pub async fn import(
        &self,
        _symbol: &Symbol,
        _timeframe: Timeframe,
        _candles: &Candles,
        _open_last: bool,
    ) -> Result<Imported, DatabaseError> {
        let _ = &self.database;
        todo!()
    }

    /// The whole series at a revision (the published one for none), coarser timeframes resampled from finer ones
    /// where they are not stored; none when there is nothing.
    ///
    /// # Errors
    /// The database.
    pub async fn series(
        &self,
        _symbol: &Symbol,
        _timeframe: Timeframe,
        _revision: Option<i64>,
    ) -> Result<Option<Series>, DatabaseError> {
        todo!()
    }

    /// What there is.
    ///
    /// # Errors
    /// The database.
    pub async fn coverage(&self) -> Result<Vec<Coverage>, DatabaseError> {
        todo!()
    }
}
