//! Candles in revisions: bulk import, coverage, and a cache of whole series in columns.

mod cache;
mod import;
mod resample;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    decimals::Decimals,
    market::{Candle, Symbol, Timeframe},
    simulation::{Candles, Warning},
};
use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::{Row, types::ToSql};

use self::cache::{Cached, SeriesCache};
use crate::postgres::database::{Database, DatabaseError};

pub use self::import::Imported;

/// The stored candles and a cache of whole series; clones share it.
#[derive(Clone)]
pub struct CandleStore {
    database: Database,
    cache: SeriesCache,
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
    /// Of the revision.
    pub decimals: Decimals,
    /// What was found in the files that it was imported from: runs on it warn of that.
    pub warnings: Arc<[Warning]>,
}

impl CandleStore {
    /// The store in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database, cache: SeriesCache::new() }
    }

    /// Returns the closed candles of a whole series at a revision, which defaults to the published one. A timeframe that is
    /// not stored is resampled from the coarsest finer one. `None` if there are no candles.
    ///
    /// # Errors
    /// The database.
    pub async fn series(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        revision: Option<i64>,
    ) -> Result<Option<Series>, DatabaseError> {
        let stored = match revision {
            None => self.published(symbol, timeframe).await?,
            Some(revision) => self.timeframe_of(symbol, revision).await?.map(|of| (of, revision)),
        };
        let Some((stored, revision)) = stored.filter(|(stored, _)| *stored <= timeframe) else {
            return Ok(None);
        };
        let key = (symbol.clone(), timeframe, revision);
        let load = async {
            let mut candles = self.load(symbol, stored, revision).await?;
            let decimals = self.decimals(symbol, revision).await?;
            if stored != timeframe {
                candles = resample::resample(&candles, stored, timeframe, decimals.volume);
            }
            let warnings = self.warnings(symbol, revision).await?.into();
            Ok(Cached { candles: Arc::new(candles), decimals, warnings })
        };
        let Cached { candles, decimals, warnings } = self.cache.get(key, load).await?;
        Ok((!candles.is_empty()).then_some(Series { revision, candles, decimals, warnings }))
    }

    /// Returns timeframe and published revision of the finest stored series of a symbol, if it is finer than `timeframe`.
    ///
    /// # Errors
    /// The database.
    pub async fn finest(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
    ) -> Result<Option<(Timeframe, i64)>, DatabaseError> {
        let all = self.revisions(symbol).await?.into_iter();
        Ok(all.filter(|(stored, _)| *stored < timeframe).min())
    }

    /// Lists what is stored, by symbol and timeframe.
    ///
    /// # Errors
    /// The database.
    pub async fn coverage(&self) -> Result<Vec<Coverage>, DatabaseError> {
        let connection = self.database.get().await?;
        let sql = "SELECT DISTINCT ON (symbol, timeframe)
                          symbol, timeframe, revision, rows, first_time, last_time
                   FROM candle_revisions WHERE published_at IS NOT NULL
                   ORDER BY symbol, timeframe, revision DESC";
        let rows = connection.query(sql, &[]).await?;
        let mut coverage: Vec<Coverage> = rows.iter().map(coverage_of).collect::<Result<_, _>>()?;
        coverage.sort_by(|a, b| (&a.symbol, a.timeframe).cmp(&(&b.symbol, b.timeframe)));
        Ok(coverage)
    }

    /// Returns the timeframe that serves this one (itself, or the coarsest finer one) and its published revision.
    async fn published(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
    ) -> Result<Option<(Timeframe, i64)>, DatabaseError> {
        let all = self.revisions(symbol).await?.into_iter();
        Ok(all.filter(|(stored, _)| *stored <= timeframe).max())
    }

    /// Returns the published revision of each stored timeframe.
    async fn revisions(&self, symbol: &Symbol) -> Result<Vec<(Timeframe, i64)>, DatabaseError> {
        let connection = self.database.get().await?;
        let statement = connection
            .prepare_cached(
                "SELECT timeframe, max(revision) AS revision FROM candle_revisions
                 WHERE symbol = $1 AND published_at IS NOT NULL GROUP BY timeframe",
            )
            .await?;
        let rows = connection.query(&statement, &[&symbol.as_str()]).await?;
        rows.iter().map(|row| Ok((timeframe_of(row)?, row.try_get("revision")?))).collect()
    }

    async fn timeframe_of(
        &self,
        symbol: &Symbol,
        revision: i64,
    ) -> Result<Option<Timeframe>, DatabaseError> {
        let connection = self.database.get().await?;
        let sql = "SELECT timeframe FROM candle_revisions
                   WHERE revision = $1 AND symbol = $2 AND published_at IS NOT NULL";
        let statement = connection.prepare_cached(sql).await?;
        let row = connection.query_opt(&statement, &[&revision, &symbol.as_str()]).await?;
        row.as_ref().map(timeframe_of).transpose()
    }

    /// Returns what was found in the files that a series at a revision was imported from.
    async fn warnings(
        &self,
        symbol: &Symbol,
        revision: i64,
    ) -> Result<Vec<Warning>, DatabaseError> {
        let connection = self.database.get().await?;
        let sql =
            "SELECT warning->>'code', string_agg(warning->>'message', '; ' ORDER BY r.revision)
                   FROM candle_revisions pinned
                   JOIN candle_revisions r USING (symbol, timeframe)
                   CROSS JOIN jsonb_array_elements(r.warnings) warning
                   WHERE pinned.revision = $1 AND pinned.symbol = $2
                     AND r.revision <= $1 AND r.published_at IS NOT NULL
                   GROUP BY 1 ORDER BY 1";
        let statement = connection.prepare_cached(sql).await?;
        let rows = connection.query(&statement, &[&revision, &symbol.as_str()]).await?;
        let warning = |row: &Row| Ok(Warning { code: row.try_get(0)?, message: row.try_get(1)? });
        rows.iter().map(warning).collect()
    }

    /// Returns the decimals of a revision; an older binary leaves them to the market.
    async fn decimals(&self, symbol: &Symbol, revision: i64) -> Result<Decimals, DatabaseError> {
        let connection = self.database.get().await?;
        let sql = "SELECT COALESCE(r.price_decimals, m.price_decimals),
                          COALESCE(r.volume_decimals, m.volume_decimals)
                   FROM candle_revisions r JOIN markets m USING (symbol)
                   WHERE r.revision = $1 AND r.symbol = $2";
        let statement = connection.prepare_cached(sql).await?;
        let row = connection.query_one(&statement, &[&revision, &symbol.as_str()]).await?;
        let decimals = |column: usize| row.try_get::<_, i32>(column).map(i32::unsigned_abs);
        Ok(Decimals { price: decimals(0)?, volume: decimals(1)? })
    }

    /// Loads the closed candles of a stored series: for each opening time the newest row up to the revision.
    async fn load(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        revision: i64,
    ) -> Result<Candles, DatabaseError> {
        let rows = self.stored(symbol, timeframe, revision, i64::MIN, i64::MAX).await?;
        Ok(rows.into_iter().filter(|row| !row.is_open).map(|row| row.candle).collect())
    }

    /// Loads the rows of a stored series whose opening times lie in the range, both ends included, as of the revision.
    async fn stored(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        revision: i64,
        first: i64,
        last: i64,
    ) -> Result<Vec<StoredCandle>, DatabaseError> {
        let connection = self.database.get().await?;
        // Rows of a revision that was never published are not part of any series.
        let sql =
            "SELECT DISTINCT ON (open_time) open_time, open, high, low, close, volume, is_open
                   FROM candles
                   WHERE series = (SELECT id FROM candle_series WHERE symbol = $1 AND timeframe = $2)
                     AND open_time BETWEEN $4 AND $5
                     AND revision = ANY(ARRAY(
                         SELECT revision FROM candle_revisions
                         WHERE symbol = $1 AND timeframe = $2 AND revision <= $3
                           AND published_at IS NOT NULL))
                   ORDER BY open_time, revision DESC";
        let (symbol, timeframe) = (symbol.as_str(), timeframe.as_str());
        let parameters: [&(dyn ToSql + Sync); 5] = [&symbol, &timeframe, &revision, &first, &last];
        let statement = connection.prepare_cached(sql).await?;
        let rows = connection.query_raw(&statement, parameters).await?;
        pin_mut!(rows);
        let mut stored = Vec::new();
        while let Some(row) = rows.try_next().await? {
            stored.push(stored_candle(&row)?);
        }
        Ok(stored)
    }
}

/// A row of the table.
struct StoredCandle {
    candle: Candle,
    is_open: bool,
}

fn stored_candle(row: &Row) -> Result<StoredCandle, DatabaseError> {
    let candle = Candle {
        open_time: row.try_get(0)?,
        open: row.try_get(1)?,
        high: row.try_get(2)?,
        low: row.try_get(3)?,
        close: row.try_get(4)?,
        volume: row.try_get(5)?,
    };
    Ok(StoredCandle { candle, is_open: row.try_get(6)? })
}

fn coverage_of(row: &Row) -> Result<Coverage, DatabaseError> {
    Ok(Coverage {
        symbol: parsed(row.try_get("symbol")?)?,
        timeframe: timeframe_of(row)?,
        revision: row.try_get("revision")?,
        rows: row.try_get("rows")?,
        first: time(row.try_get("first_time")?)?,
        last: time(row.try_get("last_time")?)?,
    })
}

fn timeframe_of(row: &Row) -> Result<Timeframe, DatabaseError> {
    parsed(row.try_get("timeframe")?)
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, DatabaseError> {
    text.parse().map_err(|error: T::Err| DatabaseError::Corrupt(error.to_string()))
}

fn time(ms: i64) -> Result<DateTime<Utc>, DatabaseError> {
    DateTime::from_timestamp_millis(ms)
        .ok_or_else(|| DatabaseError::Corrupt(format!("{ms} is no time")))
}
