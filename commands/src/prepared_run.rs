//! A run with its rules and its candles, ready to be computed without I/O. Executors, the CLI and tests share it: the same
//! run has the same ledger and the same hashes everywhere.

use std::{ops::ControlFlow, sync::Arc};

use domain::{
    backtest::commands::Completion,
    dataset::{Dataset, FineDataset},
    fields::FieldError,
    ids::BacktestId,
    ledger::{
        LedgerEvent,
        entries::{Ending, EntryError, LedgerWriter},
    },
    market::{MarketKind, Timeframe},
    run_spec::RunSpec,
    simulation::{
        self, Candles, Excursion, Input, Observer, Outcome, SimulationError, Step, Trade, Warning,
        hash::{CanonicalError, Digest, dataset_sha256, result_hash, with_fine},
        rules::BoundStrategy,
        settings::Intrabar,
    },
};
use rust_decimal::Decimal;

use crate::dataset::{SelectedCandles, Selection, finer_within, range_not_covered};

/// A run that depends on nothing else.
pub struct PreparedRun {
    spec: RunSpec,
    strategy: BoundStrategy,
    selected: SelectedCandles,
    /// Finer candles with their hash.
    finer: Option<(Candles, Digest)>,
    lot: Decimal,
    market_kind: Option<MarketKind>,
    /// What is known of its candles before it runs; its outcome begins with them.
    warnings: Vec<Warning>,
}

/// What a run results in, with its hashes.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    pub outcome: Outcome,
    /// The entries that end the ledger; the recorder has got those before.
    pub last_entries: Vec<LedgerEvent>,
    /// Of its candles, and of the finer ones if there are some.
    pub dataset_sha256: Digest,
    pub ledger_hash: Digest,
    pub result_hash: Digest,
}

/// Follows a run and gets its ledger, entry by entry, but for the last ones.
pub trait Recorder: Observer {
    /// Called for each entry in order; `Break` stops the run with [`SimulationError::Stopped`].
    fn record(&mut self, entry: LedgerEvent) -> ControlFlow<()>;
}

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Parameters that the strategy cannot be bound with.
    #[error("{}", messages(.0))]
    Strategy(Vec<FieldError>),
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    #[error(transparent)]
    Entry(#[from] EntryError),
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl RunError {
    /// The code of the failed run; `None` if the run was stopped.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Strategy(_) => Some("invalid_strategy"),
            Self::Simulation(SimulationError::Stopped) => None,
            Self::Simulation(SimulationError::NoCandles) => Some("no_candles"),
            Self::Simulation(SimulationError::NothingToEvaluate { .. }) => {
                Some("not_enough_candles")
            }
            Self::Simulation(SimulationError::Unsupported(_)) => Some("unsupported_setting"),
            Self::Simulation(SimulationError::Overflow(_))
            | Self::Entry(_)
            | Self::Canonical(_) => Some("out_of_range"),
        }
    }
}

/// Field errors in one line.
pub(crate) fn messages(errors: &[FieldError]) -> String {
    let messages: Vec<_> =
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
    messages.join("; ")
}

impl PreparedRun {
    /// Binds the strategy and takes from `series` the candles of the range and those before it that warm it up: as many as
    /// are pinned (by an earlier attempt, or by the row of a sweep that it repeats), else as the settings say.
    ///
    /// # Errors
    /// Parameters that cannot be bound, a range without candles.
    pub fn try_new(
        spec: RunSpec,
        lot: Decimal,
        series: &Arc<Candles>,
        pinned_warmup_rows: Option<u64>,
    ) -> Result<Self, RunError> {
        let strategy = spec.definition.bind(&spec.parameters).map_err(RunError::Strategy)?;
        let (range, warmup) = ((spec.start_time, spec.end_time), spec.settings.warmup);
        let first_defined = strategy.first_defined();
        let selection = Selection::new(series, range, first_defined, warmup, pinned_warmup_rows)
            .ok_or(SimulationError::NoCandles)?;
        let warnings = range_not_covered(series, spec.timeframe, range).into_iter().collect();
        let selected = selection.take(series);
        Ok(Self { spec, strategy, selected, finer: None, lot, market_kind: None, warnings })
    }

    /// The same with finer candles of the market, if the settings ask for them.
    #[must_use]
    pub fn with_finer(mut self, finer: &Candles) -> Self {
        if self.spec.settings.intrabar == Intrabar::LowerTimeframe {
            let finer = finer_within(finer, &self.selected.candles, self.spec.timeframe);
            let sha256 = dataset_sha256(&finer);
            self.finer = Some((finer, sha256));
        }
        self
    }

    /// The same, knowing what kind of market it runs on: by default the candles' hours tell it.
    #[must_use]
    pub fn on(mut self, market_kind: MarketKind) -> Self {
        self.market_kind = Some(market_kind);
        self
    }

    /// The same, with warnings about its candles.
    #[must_use]
    pub fn warn(mut self, warnings: Vec<Warning>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// What the run is pinned to: its candles at `revision`, and the finer ones at theirs.
    ///
    /// # Errors
    /// Candles whose openings are no times.
    pub fn dataset(
        &self,
        revision: i64,
        finer: Option<(Timeframe, i64)>,
    ) -> Result<Dataset, RunError> {
        let dataset = self.selected.dataset(revision).ok_or(SimulationError::NoCandles)?;
        let fine = self.finer.as_ref().zip(finer);
        let fine = fine.map(|((candles, sha256), (timeframe, revision))| FineDataset {
            timeframe,
            revision,
            rows: u64::try_from(candles.len()).unwrap_or(u64::MAX),
            sha256: sha256.to_string(),
        });
        Ok(Dataset { fine, ..dataset })
    }

    /// Computes the run. The ids of its trades follow from `id`, which is no part of any hash.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn execute(
        &self,
        id: BacktestId,
        recorder: &mut dyn Recorder,
    ) -> Result<Execution, RunError> {
        let RunSpec { symbol, timeframe, initial_balance, .. } = &self.spec;
        let candles = &self.selected.candles;
        let (writer, opened) =
            LedgerWriter::open(id, symbol.clone(), *timeframe, *initial_balance, candles)?;
        if recorder.record(opened).is_break() {
            return Err(SimulationError::Stopped.into());
        }
        let mut writing = Writing { writer, recorder, error: None };
        let outcome = simulation::run(&self.input(), &mut writing);
        let Writing { writer, error, .. } = writing;
        if let Some(error) = error {
            return Err(error.into());
        }
        let mut outcome = outcome?;
        outcome.warnings.splice(0..0, self.warnings.iter().cloned());
        let open_time = &self.selected.candles.open_time[self.selected.warmup_rows..];
        let Ending { events, points, ledger_hash } = writer.finish(open_time, &outcome)?;
        let dataset_sha256 = match &self.finer {
            Some((_, finer)) => with_fine(self.selected.sha256, *finer),
            None => self.selected.sha256,
        };
        let metrics = &outcome.metrics;
        let (spec, strategy) = (&self.spec, &self.strategy);
        let result_hash =
            result_hash(dataset_sha256, spec, strategy, ledger_hash, metrics, &points)?;
        Ok(Execution { outcome, last_entries: events, dataset_sha256, ledger_hash, result_hash })
    }

    /// [`Self::execute`] for those who do not keep the ledger.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn execute_unrecorded(&self, observer: &mut dyn Observer) -> Result<Execution, RunError> {
        self.execute(BacktestId::default(), &mut Unrecorded(observer))
    }

    /// How far prices went against and with one of its trades.
    #[must_use]
    pub fn excursion(&self, trade: &Trade) -> Excursion {
        trade.excursion(&self.selected.candles)
    }

    fn input(&self) -> Input<'_> {
        Input {
            strategy: &self.strategy,
            candles: &self.selected.candles,
            range_start: self.selected.warmup_rows,
            fine: self.finer.as_ref().map(|(candles, _)| candles),
            initial_balance: self.spec.initial_balance,
            lot: self.lot,
            timeframe: self.spec.timeframe,
            market_kind: self.market_kind,
            settings: &self.spec.settings,
        }
    }
}

impl From<Execution> for Completion {
    fn from(execution: Execution) -> Self {
        let Execution { outcome, ledger_hash, result_hash, .. } = execution;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            final_balance: outcome.final_balance.normalize(),
            final_balance_stop_first: outcome.final_balance_stop_first.normalize(),
            final_balance_target_first: outcome.final_balance_target_first.normalize(),
            trades_count: count(outcome.trades.len()),
            metrics: Box::new(outcome.metrics),
            ambiguous_trades_count: outcome.ambiguous_trades_count,
            ledger_hash: ledger_hash.to_string(),
            result_hash: result_hash.to_string(),
            warnings: outcome.warnings,
            rejections: outcome.rejections,
            rejections_count: count(outcome.rejections_count),
            expiries: outcome.expiries,
            expiries_count: count(outcome.expiries_count),
        }
    }
}

/// Turns the engine's steps into ledger entries.
struct Writing<'a> {
    writer: LedgerWriter<'a>,
    recorder: &'a mut dyn Recorder,
    error: Option<EntryError>,
}

impl Observer for Writing<'_> {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        self.recorder.observe(step)?;
        match self.writer.step(step) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(entry)) => self.recorder.record(entry),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// Drops the ledger.
struct Unrecorded<'a>(&'a mut dyn Observer);

impl Observer for Unrecorded<'_> {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        self.0.observe(step)
    }
}

impl Recorder for Unrecorded<'_> {
    fn record(&mut self, _entry: LedgerEvent) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
