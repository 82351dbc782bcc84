//! A whole sweep, without database or events: from its pinned request and candles to rows and completion.

use std::sync::Arc;

use chrono::DateTime;
use domain::{
    dataset::Dataset,
    fields::FieldError,
    simulation::{
        Candles,
        hash::dataset_sha256,
        sweep::{
            Cancelled, Family, Ground, Prepared, Row, Signals, TooFewCandles, combinations,
            ranking, rows_hash,
        },
    },
    strategy::parameters::Parameters,
    sweep::{SweepCompletion, SweepRequest},
};
use rust_decimal::Decimal;

use crate::dataset::Selection;

/// Rows that the completion event names.
const WINNERS_MAX: usize = 10;

/// A sweep with its candles.
pub struct SweepWork {
    pub request: SweepRequest,
    /// Those of the range, and before it those that warm every row up.
    candles: Arc<Candles>,
    selection: Selection,
    combinations: Vec<Parameters>,
    /// What the rows are pinned to.
    pub dataset: Dataset,
}

/// What came of it.
pub struct SweepOutcome {
    pub rows: Vec<Row>,
    pub completion: Box<SweepCompletion>,
}

/// Why a sweep has no result.
#[derive(Debug, thiserror::Error)]
pub enum SweepExecutionError {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    #[error("the strategy cannot be bound: {0}")]
    Strategy(String),
    #[error("there are no candles in the range")]
    NoCandles,
    #[error(transparent)]
    TooFewCandles(#[from] TooFewCandles),
    #[error("the rows cannot be hashed: {0}")]
    Canonical(#[from] domain::simulation::hash::CanonicalError),
}

impl SweepExecutionError {
    /// The word that a failed sweep says; none where it was stopped.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Cancelled(_) => None,
            Self::Strategy(_) => Some("invalid_strategy"),
            Self::NoCandles => Some("no_candles"),
            Self::TooFewCandles(_) => Some("not_enough_candles"),
            Self::Canonical(_) => Some("out_of_range"),
        }
    }
}

impl From<Vec<FieldError>> for SweepExecutionError {
    fn from(errors: Vec<FieldError>) -> Self {
        let messages: Vec<_> =
            errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
        Self::Strategy(messages.join("; "))
    }
}

impl SweepWork {
    /// The candles of the range and those before it that the longest warm-up needs.
    ///
    /// # Errors
    /// See [`SweepExecutionError`].
    pub fn prepare(
        request: SweepRequest,
        series: &Arc<Candles>,
        revision: i64,
    ) -> Result<Self, SweepExecutionError> {
        let family = Family::try_new(&request.run.definition, &request.run.parameters)?;
        let combinations = combinations(&request.spec, &family, usize::MAX - 1)?;
        let first_defined = Prepared::try_new(&family, &combinations, "grid")?.first_defined;
        let (start, end) = (request.run.start_time, request.run.end_time);
        let warmup = request.run.settings.warmup;
        let selection = Selection::new(series, start, end, first_defined, warmup)
            .ok_or(SweepExecutionError::NoCandles)?;
        let candles = selection.candles(series);
        let time = |index: Option<&i64>| {
            index
                .and_then(|ms| DateTime::from_timestamp_millis(*ms))
                .ok_or(SweepExecutionError::NoCandles)
        };
        let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        let dataset = Dataset {
            revision,
            rows: count(candles.len()),
            first: time(candles.open_time.first())?,
            last: time(candles.open_time.last())?,
            warmup_rows: count(selection.warmup_rows),
            sha256: dataset_sha256(&candles).to_string(),
            fine: None,
        };
        Ok(Self { request, candles, selection, combinations, dataset })
    }

    /// Runs in all, those of a walk-forward's windows included.
    #[must_use]
    pub fn runs_count(&self) -> usize {
        let windows = self.request.spec.walk_forward.map_or(0, |walk| walk.windows);
        self.combinations.len() * (1 + usize::try_from(windows).unwrap_or_default())
    }

    /// Runs every combination, then the walk-forward; the same with one thread as with many.
    ///
    /// # Errors
    /// See [`SweepExecutionError`].
    pub fn compute(
        &self,
        threads: usize,
        signals: &Signals,
    ) -> Result<SweepOutcome, SweepExecutionError> {
        let request = &self.request;
        let objective = &request.spec.objective;
        let family = Family::try_new(&request.run.definition, &request.run.parameters)?;
        let prepared = Prepared::try_new(&family, &self.combinations, "grid")?;
        let ground = Ground {
            candles: &self.candles,
            range_start: self.selection.warmup_rows,
            initial_balance: request.run.initial_balance,
            // Requests pin the market's where the settings name none.
            lot: request.run.settings.lot.unwrap_or(Decimal::new(1, 8)),
            timeframe: request.run.timeframe,
            settings: &request.run.settings,
            objective: &objective.metric,
        };
        let rows = prepared.run(&ground, threads, signals)?;
        let walk_forward = match &request.spec.walk_forward {
            Some(walk) => Some(walk.run(&prepared, &ground, objective, threads, signals)??),
            None => None,
        };
        let best = ranking(&rows, objective).into_iter().map(|index| rows[index].clone());
        let winners = best.filter(|row| row.objective(objective).is_some()).take(WINNERS_MAX);
        let failed = rows.iter().filter(|row| row.result.figures().is_none()).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let completion = Box::new(SweepCompletion {
            rows_count: number(rows.len()),
            failed_rows_count: number(failed),
            winners: winners.collect(),
            walk_forward,
            result_hash: rows_hash(&rows)?.to_string(),
        });
        Ok(SweepOutcome { rows, completion })
    }
}
