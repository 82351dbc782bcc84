//! Imports candles: writes only what differs, under a revision that a single row publishes at the end.

use std::pin::pin;

use domain::{
    decimals::Decimals,
    market::{Symbol, Timeframe},
    simulation::{Candles, Warning},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio_postgres::{
    Client,
    binary_copy::BinaryCopyInWriter,
    types::{Json, ToSql, Type},
};

use super::{CandleStore, StoredCandle};
use crate::postgres::database::{Database, DatabaseError};

/// Rows per COPY; each is a short transaction.
const ROWS_PER_COPY: usize = 100_000;
/// Each has a process of the server.
const COPIES_AT_A_TIME: usize = 2;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// The published revision, a new one if anything differed.
    pub revision: i64,
    /// New rows.
    pub inserted: u64,
    /// Rows that differ from the stored ones.
    pub corrected: u64,
    /// Rows that were already stored.
    pub unchanged: u64,
}

impl CandleStore {
    /// Stores candles (ascending, no duplicates) and publishes them under the next revision; a second import of the same
    /// candles writes nothing. Candles from `open_from` on had not closed yet: they are stored, but no run uses them.
    /// `progress` is called with the number of rows done.
    ///
    /// # Errors
    /// The database; the symbol must be a known market.
    pub async fn import(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        candles: &Candles,
        open_from: Option<i64>,
        progress: impl FnMut(usize),
    ) -> Result<Imported, DatabaseError> {
        self.import_file(symbol, timeframe, candles, open_from, &[], progress).await
    }

    /// Imports candles as [`Self::import`] does, with what was found in their file: runs on this revision and on later ones
    /// warn of it.
    ///
    /// # Errors
    /// The database; the symbol must be a known market.
    pub async fn import_file(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        candles: &Candles,
        open_from: Option<i64>,
        warnings: &[Warning],
        mut progress: impl FnMut(usize),
    ) -> Result<Imported, DatabaseError> {
        // The lock is the session's: no long transaction, and a dead importer holds nothing. The connection leaves the
        // pool, so that it ends with the import, however that ends.
        let client = deadpool_postgres::Object::take(self.database.get().await?);
        let series = format!("candles {symbol} {timeframe}");
        client.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", &[&series]).await?;
        self.remove_leftovers(&client, symbol, timeframe).await?;
        let base = self.latest(&client, symbol, timeframe).await?;
        let stored = match (base.as_ref(), candles.open_time.first(), candles.open_time.last()) {
            (Some(base), Some(first), Some(last)) => {
                self.stored(symbol, timeframe, base.revision, *first, *last).await?
            }
            _ => Vec::new(),
        };
        let difference = difference(candles, open_from, &stored);
        let mut imported = Imported {
            revision: base.as_ref().map_or(0, |base| base.revision),
            inserted: difference.inserted,
            corrected: difference.changed.len() as u64 - difference.inserted,
            unchanged: (candles.len() - difference.changed.len()) as u64,
        };
        if !difference.changed.is_empty() {
            imported.revision = self
                .write(
                    &client,
                    symbol,
                    timeframe,
                    candles,
                    open_from,
                    &difference.changed,
                    &mut progress,
                )
                .await?;
            publish(&client, imported, base, candles, warnings).await?;
        }
        progress(candles.len());
        Ok(imported)
    }

    /// Removes what a dead importer left behind; the lock guarantees that there is no other.
    async fn remove_leftovers(
        &self,
        client: &Client,
        symbol: &Symbol,
        timeframe: Timeframe,
    ) -> Result<(), DatabaseError> {
        let sql = "DELETE FROM candle_revisions
                   WHERE symbol = $1 AND timeframe = $2 AND published_at IS NULL RETURNING revision";
        let parameters: [&(dyn ToSql + Sync); 2] = [&symbol.as_str(), &timeframe.as_str()];
        for row in client.query(sql, &parameters).await? {
            let revision: i64 = row.try_get(0)?;
            let sql = "DELETE FROM candles WHERE revision = $3 AND series =
                           (SELECT id FROM candle_series WHERE symbol = $1 AND timeframe = $2)";
            client.execute(sql, &[parameters[0], parameters[1], &revision]).await?;
        }
        Ok(())
    }

    async fn latest(
        &self,
        client: &Client,
        symbol: &Symbol,
        timeframe: Timeframe,
    ) -> Result<Option<Base>, DatabaseError> {
        let sql = "SELECT revision, rows, first_time, last_time, price_decimals, volume_decimals
                   FROM candle_revisions
                   WHERE symbol = $1 AND timeframe = $2 AND published_at IS NOT NULL
                   ORDER BY revision DESC LIMIT 1";
        let row = client.query_opt(sql, &[&symbol.as_str(), &timeframe.as_str()]).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Base {
            revision: row.try_get(0)?,
            rows: row.try_get(1)?,
            first_time: row.try_get(2)?,
            last_time: row.try_get(3)?,
            decimals: decimals(row.try_get(4)?, row.try_get(5)?),
        }))
    }

    #[expect(clippy::too_many_arguments, reason = "one caller, and each is named there")]
    async fn write(
        &self,
        client: &Client,
        symbol: &Symbol,
        timeframe: Timeframe,
        candles: &Candles,
        open_from: Option<i64>,
        changed: &[usize],
        progress: &mut impl FnMut(usize),
    ) -> Result<i64, DatabaseError> {
        let parameters: [&(dyn ToSql + Sync); 2] = [&symbol.as_str(), &timeframe.as_str()];
        let sql =
            "INSERT INTO candle_series (symbol, timeframe) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        client.execute(sql, &parameters).await?;
        let sql =
            "INSERT INTO candle_revisions (symbol, timeframe) VALUES ($1, $2) RETURNING revision,
                       (SELECT id FROM candle_series WHERE symbol = $1 AND timeframe = $2)";
        let row = client.query_one(sql, &parameters).await?;
        let (revision, series): (i64, i32) = (row.try_get(0)?, row.try_get(1)?);
        let rows = Rows { revision, series, candles, open_from };
        let mut copies = Vec::new();
        for chunk in changed.chunks(ROWS_PER_COPY) {
            copies.push(rows.copy(&self.database, chunk));
        }
        let mut copies = stream::iter(copies).buffered(COPIES_AT_A_TIME);
        while let Some(done) = copies.try_next().await? {
            progress(done);
        }
        Ok(revision)
    }
}

/// The rows of a new revision.
#[derive(Clone, Copy)]
struct Rows<'a> {
    revision: i64,
    series: i32,
    candles: &'a Candles,
    open_from: Option<i64>,
}

impl Rows<'_> {
    /// Writes these rows over a separate connection, which holds the revision meanwhile: if the importer dies and loses its lock, whoever
    /// removes the leftovers waits for these rows. Returns the number of candles up to the last of them.
    async fn copy(self, database: &Database, indices: &[usize]) -> Result<usize, DatabaseError> {
        let Self { revision, series, candles, open_from } = self;
        let mut client = database.get().await?;
        let transaction = client.transaction().await?;
        let hold = "SELECT FROM candle_revisions WHERE revision = $1 AND published_at IS NULL FOR KEY SHARE";
        transaction.query_one(hold, &[&revision]).await?;
        let sql =
            "COPY candles (open_time, revision, open, high, low, close, volume, series, is_open)
                   FROM STDIN (FORMAT binary)";
        let mut writer = pin!(BinaryCopyInWriter::new(transaction.copy_in(sql).await?, &COLUMNS));
        for &i in indices {
            let is_open = open_from.is_some_and(|from| candles.open_time[i] >= from);
            writer
                .as_mut()
                .write(&[
                    &candles.open_time[i],
                    &revision,
                    &candles.open[i],
                    &candles.high[i],
                    &candles.low[i],
                    &candles.close[i],
                    &candles.volume[i],
                    &series,
                    &is_open,
                ])
                .await?;
        }
        writer.finish().await?;
        transaction.commit().await?;
        Ok(indices.last().map_or(0, |last| last + 1))
    }
}

const COLUMNS: [Type; 9] = [
    Type::INT8,
    Type::INT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::INT4,
    Type::BOOL,
];

/// The revision that an import starts from.
struct Base {
    revision: i64,
    rows: i64,
    first_time: i64,
    last_time: i64,
    /// None if an older binary imported it.
    decimals: Option<Decimals>,
}

fn decimals(price: Option<i32>, volume: Option<i32>) -> Option<Decimals> {
    let (price, volume) = price.zip(volume)?;
    Some(Decimals { price: price.unsigned_abs(), volume: volume.unsigned_abs() })
}

/// Makes the revision visible in one statement, completely or not at all.
async fn publish(
    client: &Client,
    imported: Imported,
    base: Option<Base>,
    candles: &Candles,
    warnings: &[Warning],
) -> Result<(), DatabaseError> {
    let base = base.unwrap_or(Base {
        revision: 0,
        rows: 0,
        first_time: i64::MAX,
        last_time: i64::MIN,
        decimals: None,
    });
    // A correction of a few candles must not take digits from the others.
    let own = Decimals::of(candles);
    let Decimals { price, volume } = base.decimals.map_or(own, |base| base.max(own));
    let (price, volume) = (price.cast_signed(), volume.cast_signed());
    let first = candles.open_time.first().copied().unwrap_or(i64::MAX).min(base.first_time);
    let last = candles.open_time.last().copied().unwrap_or(i64::MIN).max(base.last_time);
    let rows = base.rows + imported.inserted.cast_signed();
    let sql = "UPDATE candle_revisions
               SET published_at = now(), rows = $2, first_time = $3, last_time = $4,
                   price_decimals = $5, volume_decimals = $6, warnings = $7
               WHERE revision = $1";
    let warnings = Json(warnings);
    let parameters: [&(dyn ToSql + Sync); 7] =
        [&imported.revision, &rows, &first, &last, &price, &volume, &warnings];
    client.execute(sql, &parameters).await?;
    Ok(())
}

/// The candles that differ from the stored ones.
struct Difference {
    /// Their indices.
    changed: Vec<usize>,
    /// How many of them have an opening time that is not stored at all.
    inserted: u64,
}

fn difference(candles: &Candles, open_from: Option<i64>, stored: &[StoredCandle]) -> Difference {
    let mut difference = Difference { changed: Vec::new(), inserted: 0 };
    let mut rest = stored.iter().peekable();
    for (i, &time) in candles.open_time.iter().enumerate() {
        while rest.next_if(|row| row.candle.open_time < time).is_some() {}
        let is_open = open_from.is_some_and(|from| time >= from);
        match rest.next_if(|row| row.candle.open_time == time) {
            Some(row) if Some(row.candle) == candles.get(i) && row.is_open == is_open => {}
            Some(_) => difference.changed.push(i),
            None => {
                difference.changed.push(i);
                difference.inserted += 1;
            }
        }
    }
    difference
}
