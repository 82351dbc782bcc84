//! The equity of runs, day by day: read from the end of their ledgers, with what is held marked over the pinned candles.

use std::{iter, sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDate};
use domain::{
    backtest::BacktestEvent,
    dataset::Dataset,
    event::RecordedEvent,
    ids::BacktestId,
    ledger::LedgerEvent,
    simulation::{Candles, Exposures, MarkError},
};
use infra::postgres::{DatabaseError, EventStore, market_data::CandleStore};
use moka::future::Cache;
use rust_decimal::prelude::ToPrimitive;
use tokio::{
    sync::{Semaphore, mpsc},
    task, time,
};

use crate::{
    error::QueryError,
    models::backtests::BacktestRow,
    recorded_equity::{LEDGER, PAGE_OF_END, RecordedEquity},
};

const DAY_MS: i64 = 86_400_000;
/// Entries of a ledger that are read at a time to be marked.
const PAGE: i64 = 1_000;
/// Longer ledgers are not marked.
const MARKED_ENTRIES_MAX: i64 = 1_000_000;
/// Ledgers that are marked at the same time.
const MARKING_MAX: usize = 2;
/// How long a request waits for its turn to mark.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of marks to keep: a ledger that is closed never changes.
const CACHE_BYTES: u64 = 16 << 20;

/// Reads equity from the log; clones share what was marked.
#[derive(Clone)]
pub struct EquityCurves {
    store: EventStore,
    candles: CandleStore,
    /// Of the recorded days of a run, by the run and its ledger's last entry.
    marks: Cache<(BacktestId, i64), Arc<[Mark]>>,
    turns: Arc<Semaphore>,
}

/// The end of a UTC day of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EquityDay {
    pub day: NaiveDate,
    /// Quote money.
    pub equity: f64,
    /// How far equity lies below its peak so far, the initial balance included, as a fraction of the peak.
    pub drawdown: f64,
    /// Share of equity in positions, longs and shorts added; `None` if equity is not above 0, if the ledger is too long to be
    /// marked, or if this version cannot mark it.
    pub exposure: Option<f64>,
    /// The initial balance, from the close of the first evaluable candle on held in the market; `None` if this version
    /// refuses the run's strategy.
    pub buy_and_hold: Option<f64>,
}

/// The equity of a ledger's end.
#[derive(Default)]
struct Recorded {
    days: Vec<(NaiveDate, f64)>,
    /// Sequence of the ledger's last entry.
    sequence: i64,
}

/// What the candles and the whole ledger say of the end of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Mark {
    /// Worth of what is held, longs and shorts added.
    held: Option<f64>,
    /// What one unit of money has become that was held in the market.
    growth: Option<f64>,
}

/// A run's candles within their series.
struct RunCandles {
    series: Arc<Candles>,
    /// The last candle of each recorded day; `None` if the day has none.
    places: Vec<Option<usize>>,
    /// The first candle at which all rules have a value; `None` if this version refuses the strategy.
    evaluable: Option<usize>,
}

impl EquityCurves {
    /// The equity in `store` of runs over `candles`.
    #[must_use]
    pub fn new(store: EventStore, candles: CandleStore) -> Self {
        let weigher = |_: &_, marks: &Arc<[Mark]>| {
            u32::try_from(size_of_val(&**marks)).unwrap_or(u32::MAX).saturating_add(64)
        };
        let marks = Cache::builder().max_capacity(CACHE_BYTES).weigher(weigher).build();
        Self { store, candles, marks, turns: Arc::new(Semaphore::new(MARKING_MAX)) }
    }

    /// The days of a run in order; none before it has recorded its equity, which it does at its end.
    ///
    /// # Errors
    /// [`QueryError::Busy`] if too many ledgers are marked, or the database.
    pub async fn of(&self, backtest: &BacktestRow) -> Result<Vec<EquityDay>, QueryError> {
        let recorded = self.recorded(backtest.id).await?;
        let Some(dataset) = backtest.dataset.as_ref().filter(|_| !recorded.days.is_empty()) else {
            return Ok(days(backtest, &recorded, &[]));
        };
        let load = async {
            let turn = time::timeout(PATIENCE, self.turns.acquire()).await;
            let Ok(Ok(_turn)) = turn else { return Err(QueryError::Busy) };
            self.mark(backtest, dataset, &recorded).await
        };
        let marks = self.marks.try_get_with((backtest.id, recorded.sequence), load).await;
        // Several may wait for one load, so its error comes shared; what it means must not be lost.
        let marks = marks.map_err(|error| match &*error {
            QueryError::Busy => QueryError::Busy,
            QueryError::Database(error) if error.is_unavailable() => {
                DatabaseError::Unavailable(format!("marking a ledger: {error}")).into()
            }
            error @ (QueryError::BadCursor | QueryError::Behind(_) | QueryError::Database(_)) => {
                DatabaseError::Corrupt(format!("marking a ledger: {error}")).into()
            }
        })?;
        Ok(days(backtest, &recorded, &marks))
    }

    /// Reads a ledger back to where its equity begins.
    async fn recorded(&self, id: BacktestId) -> Result<Recorded, DatabaseError> {
        let id = id.to_string();
        let mut recorded = RecordedEquity::new();
        loop {
            let before = recorded.before;
            let page = self.store.read_stream_back(LEDGER, &id, before, PAGE_OF_END).await?;
            if !recorded.take(&page, |event| self.store.decode(event))? {
                return Ok(Recorded { days: recorded.days(), sequence: recorded.sequence });
            }
        }
    }

    /// The series at the run's revision; `None` if it is not stored.
    async fn run_candles(
        &self,
        backtest: &BacktestRow,
        dataset: &Dataset,
        recorded: &Recorded,
    ) -> Result<Option<RunCandles>, QueryError> {
        let (symbol, timeframe) = (&backtest.run.symbol, backtest.run.timeframe);
        let series = self.candles.series(symbol, timeframe, Some(dataset.revision)).await?;
        let Some(series) = series.map(|series| series.candles) else { return Ok(None) };
        let warmup_rows = usize::try_from(dataset.warmup_rows).unwrap_or(usize::MAX);
        let first_defined = self.first_defined(backtest.id).await?;
        let (first, last) = (dataset.first.timestamp_millis(), dataset.last.timestamp_millis());
        let times = &series.open_time;
        let start = times.partition_point(|time| *time < first);
        let end = times.partition_point(|time| *time <= last);
        let place = |(day, _): &(NaiveDate, f64)| {
            let midnight = milliseconds(*day);
            let place = times[..end].partition_point(|time| *time < midnight + DAY_MS);
            let place = place.checked_sub(1)?;
            (place >= start && times[place] >= midnight).then_some(place)
        };
        let places = recorded.days.iter().map(place).collect();
        let evaluable = first_defined.map(|first| start.saturating_add(first.max(warmup_rows)));
        Ok(Some(RunCandles { series, places, evaluable }))
    }

    /// The index, warm-up included, at which all rules of the run have a value; `None` if this version refuses its strategy.
    async fn first_defined(&self, id: BacktestId) -> Result<Option<usize>, DatabaseError> {
        let request = self.store.read_stream("backtest", &id.to_string(), 0, 1).await?;
        let request = request.first().map(|event| self.store.decode(event)).transpose()?;
        let Some(BacktestEvent::BacktestRequested { request }) = request else {
            return Err(DatabaseError::Corrupt(format!("{id} was not requested")));
        };
        let strategy = request.run.definition.bind(&request.run.parameters);
        Ok(strategy.ok().map(|strategy| strategy.first_defined()))
    }

    /// Marks each recorded day.
    async fn mark(
        &self,
        backtest: &BacktestRow,
        dataset: &Dataset,
        recorded: &Recorded,
    ) -> Result<Arc<[Mark]>, QueryError> {
        let Some(candles) = self.run_candles(backtest, dataset, recorded).await? else {
            return Ok(vec![Mark::default(); recorded.days.len()].into());
        };
        let held = match recorded.sequence <= MARKED_ENTRIES_MAX {
            true => self.held(backtest, &candles).await?,
            false => Vec::new(),
        };
        let mut held = held.into_iter();
        let RunCandles { series, places, evaluable } = candles;
        let bought = evaluable.and_then(|candle| Some((candle, *series.close.get(candle)?)));
        let marks = places.into_iter().map(|place| {
            let Some(place) = place else { return Mark::default() };
            let close = series.close[place];
            let growth = |(at, price)| if place < at { 1.0 } else { close / price };
            Mark { held: held.next(), growth: bought.map(growth) }
        });
        Ok(marks.collect())
    }

    /// What was held at each place: reads the ledger page by page, and marks it off the async threads. Empty if this version
    /// cannot mark the run, which older ones may have made otherwise.
    async fn held(
        &self,
        backtest: &BacktestRow,
        candles: &RunCandles,
    ) -> Result<Vec<f64>, QueryError> {
        let (sender, mut pages) = mpsc::channel::<Vec<RecordedEvent>>(1);
        let (store, settings) = (self.store.clone(), backtest.run.settings.clone());
        let series = Arc::clone(&candles.series);
        let places: Vec<usize> = candles.places.iter().copied().flatten().collect();
        let marking = task::spawn_blocking(move || {
            let mut exposures = Exposures::try_new(&series, &settings, &places)?;
            while let Some(page) = pages.blocking_recv() {
                for event in &page {
                    if event.event_type != LedgerEvent::EQUITY_RECORDED {
                        exposures.add(&store.decode(event)?)?;
                    }
                }
            }
            Ok::<_, Unmarked>(exposures.finish()?)
        });
        let id = backtest.id.to_string();
        let mut sequence = 0;
        loop {
            let page = self.store.read_stream(LEDGER, &id, sequence, PAGE).await?;
            let Some(last) = page.last() else { break };
            sequence = last.sequence;
            if sender.send(page).await.is_err() {
                break;
            }
        }
        drop(sender);
        match marking.await.map_err(|error| DatabaseError::Corrupt(error.to_string()))? {
            Ok(held) => Ok(held),
            Err(Unmarked::Database(error)) => Err(error.into()),
            Err(Unmarked::Ledger(error)) => {
                tracing::warn!(backtest = id, "a ledger cannot be marked: {error}");
                Ok(Vec::new())
            }
        }
    }
}

/// Why a ledger was not marked.
#[derive(Debug, thiserror::Error)]
enum Unmarked {
    #[error(transparent)]
    Ledger(#[from] MarkError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The recorded days with what follows from them, marked or not.
fn days(backtest: &BacktestRow, recorded: &Recorded, marks: &[Mark]) -> Vec<EquityDay> {
    let initial_balance = backtest.run.initial_balance.to_f64().unwrap_or_default();
    let mut peak = initial_balance;
    let marks = marks.iter().copied().chain(iter::repeat(Mark::default()));
    let day = |((day, equity), mark): (&(NaiveDate, f64), Mark)| {
        peak = peak.max(*equity);
        EquityDay {
            day: *day,
            equity: *equity,
            drawdown: if peak > 0.0 { (peak - equity) / peak } else { 0.0 },
            exposure: mark.held.filter(|_| *equity > 0.0).map(|held| held / equity),
            buy_and_hold: mark.growth.map(|growth| initial_balance * growth),
        }
    };
    recorded.days.iter().zip(marks).map(day).collect()
}

fn milliseconds(day: NaiveDate) -> i64 {
    day.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_milliseconds()
}
