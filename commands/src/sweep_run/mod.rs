//! A whole sweep, without database or events: from its pinned request and candles to rows and completion.

use std::sync::Arc;

use domain::{
    dataset::Dataset,
    fields::FieldError,
    simulation::{
        Candles, Warning,
        sweep::{
            CancelToken, Cancelled, ParametricStrategy, PreparedSweep, Row, RowInput,
            TooFewCandles, combinations, ranking, rows_hash,
        },
    },
    sweep::{SweepCompletion, SweepRequest},
};
use rust_decimal::Decimal;

use crate::{
    dataset::{SelectedCandles, Selection, range_not_covered},
    prepared_run::messages,
};

/// Rows that the completion event names.
const WINNERS_MAX: usize = 10;

/// A sweep with its candles and its combinations.
pub struct SweepRun {
    pub request: SweepRequest,
    /// Those of the range, and before it those that warm up the row that needs most.
    selected: SelectedCandles,
    prepared: PreparedSweep,
    /// What the rows are pinned to.
    pub dataset: Dataset,
    /// About the candles of all rows.
    warnings: Vec<Warning>,
}

/// What came of it.
pub struct SweepOutcome {
    pub rows: Vec<Row>,
    pub completion: Box<SweepCompletion>,
}

/// Why a sweep has no result.
#[derive(Debug, thiserror::Error)]
pub enum SweepRunError {
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

impl SweepRunError {
    /// The code of a failed sweep; `None` if it was stopped.
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

impl From<Vec<FieldError>> for SweepRunError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Strategy(messages(&errors))
    }
}

impl SweepRun {
    /// The candles of the range, and those before it that the longest warm-up of all rows takes, or as many as an earlier
    /// attempt pinned. Each row starts at its own warm-up within them, so its numbers are those of a single backtest.
    ///
    /// # Errors
    /// See [`SweepRunError`].
    pub fn prepare(
        request: SweepRequest,
        series: &Arc<Candles>,
        revision: i64,
        pinned_warmup_rows: Option<u64>,
    ) -> Result<Self, SweepRunError> {
        let run = &request.run;
        let strategy = ParametricStrategy::try_new(&run.definition, &run.parameters)?;
        let combinations = combinations(&request.spec, &strategy, usize::MAX - 1)?;
        let prepared = PreparedSweep::try_new(strategy, combinations, "grid")?;
        let (range, warmup) = ((run.start_time, run.end_time), run.settings.warmup);
        let first_defined = prepared.first_defined;
        let selection = Selection::new(series, range, first_defined, warmup, pinned_warmup_rows)
            .ok_or(SweepRunError::NoCandles)?;
        let selected = selection.take(series);
        let dataset = selected.dataset(revision).ok_or(SweepRunError::NoCandles)?;
        let warnings = range_not_covered(series, run.timeframe, range).into_iter().collect();
        Ok(Self { request, selected, prepared, dataset, warnings })
    }

    /// The same, with more warnings about its candles.
    #[must_use]
    pub fn warn(mut self, warnings: Vec<Warning>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// Runs in all, those of a walk-forward's windows included.
    #[must_use]
    pub fn runs_count(&self) -> usize {
        let windows = self.request.spec.walk_forward.map_or(0, |walk| walk.windows);
        self.prepared.rows_count() * (1 + usize::try_from(windows).unwrap_or_default())
    }

    /// Runs the walk-forward and every combination; the same with one thread as with many.
    ///
    /// # Errors
    /// See [`SweepRunError`].
    pub fn compute(
        self,
        threads: usize,
        cancel: &CancelToken,
    ) -> Result<SweepOutcome, SweepRunError> {
        let Self { request, selected, prepared, warnings, .. } = self;
        let SweepRequest { run, spec, .. } = request;
        let objective = &spec.objective;
        let input = RowInput {
            candles: &selected.candles,
            range_start: selected.warmup_rows,
            initial_balance: run.initial_balance,
            // Requests pin the market's where the settings name none.
            lot: run.settings.lot.unwrap_or(Decimal::new(1, 8)),
            timeframe: run.timeframe,
            settings: &run.settings,
            objective: &objective.metric,
        };
        let walk_forward = match &spec.walk_forward {
            Some(walk) => Some(walk.run(&prepared, &input, objective, threads, cancel)??),
            None => None,
        };
        let rows = prepared.run(&input, threads, cancel)?;
        let best = ranking(&rows, objective).into_iter().map(|index| rows[index].clone());
        let winners = best.filter(|row| row.objective(objective).is_some()).take(WINNERS_MAX);
        let failed = rows.iter().filter(|row| row.result.figures().is_none()).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let completion = Box::new(SweepCompletion {
            rows_count: number(rows.len()),
            failed_rows_count: number(failed),
            winners: winners.collect(),
            walk_forward,
            warnings,
            result_hash: rows_hash(&rows)?.to_string(),
        });
        Ok(SweepOutcome { rows, completion })
    }
}

#[cfg(test)]
mod tests;
