//! The rows of a sweep on all cores: each thread takes the next row, and the result is the same for any number of threads.

use std::{
    borrow::Borrow,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rust_decimal::Decimal;

use super::{
    Figures, ParametricStrategy, Row, RowResult,
    columns::{SharedColumns, Uses},
    row::RowError,
};
use crate::{
    fields::FieldError,
    market::Timeframe,
    simulation::{
        Candles, Input, Observer, Opening, Settings, SimulationError, Step,
        engine::{Engine, IntrabarPriority, Scratch},
        indicators::{Columns, IndicatorCall},
        rules::BoundStrategy,
        rules::signals::RuleSignals,
        settings::Warmup,
    },
    strategy::parameters::Parameters,
};

/// What all rows run on.
#[derive(Debug, Clone, Copy)]
pub struct RowInput<'a> {
    /// Of the range, with those for the longest warm-up of all rows before them.
    pub candles: &'a Candles,
    /// Index of the first candle that belongs to the range.
    pub range_start: usize,
    /// Quote money at the start, above 0.
    pub initial_balance: Decimal,
    /// Quantities are floored to multiples of it.
    pub lot: Decimal,
    pub timeframe: Timeframe,
    pub settings: &'a Settings,
    /// The metric that ranks the rows; the metrics of its family are computed, too.
    pub objective: &'a str,
}

impl<'a> RowInput<'a> {
    /// The run of a strategy on it.
    pub(crate) fn of(&self, strategy: &'a BoundStrategy) -> Input<'a> {
        Input {
            strategy,
            candles: self.candles,
            range_start: self.range_start,
            fine: None,
            initial_balance: self.initial_balance,
            lot: self.lot,
            timeframe: self.timeframe,
            settings: self.settings,
        }
    }
}

/// Cancels a sweep from another thread, and counts its rows meanwhile.
#[derive(Debug, Default)]
pub struct CancelToken {
    /// Checked between rows and every few thousand candles within one.
    pub is_cancelled: AtomicBool,
    /// Rows that are done.
    pub done: AtomicUsize,
}

/// A sweep was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sweep was cancelled")]
pub struct Cancelled;

/// Every combination with its parameters bound, before the first of them runs.
#[derive(Debug)]
pub struct PreparedSweep {
    #[expect(clippy::vec_box, reason = "each is freed when its row is done")]
    combinations: Vec<Box<Combination>>,
    uses: Uses,
    /// The largest first defined index of all rows: so many candles, and one, warm all of them up.
    pub first_defined: usize,
    /// The smallest one.
    pub least_first_defined: usize,
}

#[derive(Debug)]
struct Combination {
    /// Those that are swept.
    parameters: Parameters,
    strategy: BoundStrategy,
}

impl PreparedSweep {
    /// Binds every combination, once for all runs of it.
    ///
    /// # Errors
    /// Those that the strategy does not take: a few of them, by number, below `field`.
    pub fn try_new(
        strategy: &ParametricStrategy,
        combinations: Vec<Parameters>,
        field: &str,
    ) -> Result<Self, Vec<FieldError>> {
        /// Further combinations that are wrong are not named.
        const NAMED_MAX: usize = 10;
        let mut errors = Vec::new();
        let mut prepared = Self {
            combinations: Vec::with_capacity(combinations.len()),
            uses: Uses::default(),
            first_defined: 0,
            least_first_defined: usize::MAX,
        };
        for parameters in combinations {
            match strategy.bind(field, &parameters) {
                Ok(strategy) => prepared.add(Combination { parameters, strategy }),
                Err(found) => errors.extend(found.into_iter().map(|error| {
                    let shown: Vec<String> = parameters
                        .iter()
                        .map(|(name, value)| format!("{name} = {}", value.get()))
                        .collect();
                    FieldError {
                        message: format!("with {}: {}", shown.join(", "), error.message),
                        ..error
                    }
                })),
            }
            if errors.len() >= NAMED_MAX {
                break;
            }
        }
        errors.truncate(NAMED_MAX);
        if errors.is_empty() { Ok(prepared) } else { Err(errors) }
    }

    fn add(&mut self, combination: Combination) {
        let first_defined = combination.strategy.first_defined();
        self.first_defined = self.first_defined.max(first_defined);
        self.least_first_defined = self.least_first_defined.min(first_defined);
        self.uses.note(self.combinations.len(), &combination.strategy);
        self.combinations.push(Box::new(combination));
    }

    /// How many combinations there are.
    #[must_use]
    pub fn rows_count(&self) -> usize {
        self.combinations.len()
    }

    /// The rules of the row of that number, from 1; `None` if there is no such row.
    #[must_use]
    pub fn strategy(&self, number: u32) -> Option<&BoundStrategy> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.combinations.get(index).map(|combination| &combination.strategy)
    }

    /// Candles before a window that warm every row up, where the settings say that they come from there.
    pub(super) fn warmup(&self, input: &RowInput<'_>) -> usize {
        match input.settings.warmup {
            Warmup::BeforeStart => self.first_defined.saturating_add(1),
            Warmup::InRange => 0,
        }
    }

    /// Runs every row on `threads` threads.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn run(
        &self,
        input: &RowInput<'_>,
        threads: usize,
        cancel: &CancelToken,
    ) -> Result<Vec<Row>, Cancelled> {
        let columns = SharedColumns::new(input.candles, &self.uses, self.rows_count());
        let combinations =
            columns.order().iter().map(|index| (*index, self.combinations[*index].as_ref()));
        let runner = RowRunner { input, columns: &columns, cancel };
        runner.run(combinations, threads, |combination| combination.parameters.clone())
    }

    /// The same for the last time: a combination's rules are dropped when its row is done, so that rules and rows together
    /// take no more memory than the rows alone.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn into_rows(
        self,
        input: &RowInput<'_>,
        threads: usize,
        cancel: &CancelToken,
    ) -> Result<Vec<Row>, Cancelled> {
        let columns = SharedColumns::new(input.candles, &self.uses, self.combinations.len());
        let mut left: Vec<_> = self.combinations.into_iter().map(Some).collect();
        let combinations =
            columns.order().iter().filter_map(|index| Some((*index, left[*index].take()?)));
        let runner = RowRunner { input, columns: &columns, cancel };
        runner.run(combinations, threads, |combination| combination.parameters)
    }
}

/// What all threads share.
#[derive(Clone, Copy)]
struct RowRunner<'a> {
    input: &'a RowInput<'a>,
    columns: &'a SharedColumns<'a>,
    cancel: &'a CancelToken,
}

impl RowRunner<'_> {
    /// Runs the combinations, each with its index, in this order; the rows come back by number.
    fn run<C: Borrow<Combination>>(
        self,
        combinations: impl Iterator<Item = (usize, C)> + Send,
        threads: usize,
        parameters: impl Fn(C) -> Parameters + Sync,
    ) -> Result<Vec<Row>, Cancelled> {
        let count = self.columns.order().len();
        let next = Mutex::new(combinations.enumerate());
        let work = || {
            let mut scratch = Scratch::default();
            let mut rows = Vec::new();
            loop {
                // Nothing panics under the lock, so what it guards is whole.
                let taken = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((place, (index, combination))) = taken else { return Ok(rows) };
                let result = self.row(place, &combination.borrow().strategy, &mut scratch)?;
                let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
                rows.push(Row { number, parameters: parameters(combination), result });
                self.cancel.done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let threads = threads.clamp(1, count.max(1));
        let done: Vec<Result<Vec<Row>, Cancelled>> = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = vec![work()];
            for other in others {
                done.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        let mut rows = Vec::with_capacity(count);
        for some in done {
            rows.extend(some?);
        }
        rows.sort_unstable_by_key(|row| row.number);
        Ok(rows)
    }

    fn row(
        self,
        place: usize,
        strategy: &BoundStrategy,
        scratch: &mut Scratch,
    ) -> Result<RowResult, Cancelled> {
        let mut observer = Watch(&self.cancel.is_cancelled);
        let columns = |call: &IndicatorCall| self.columns.get(place, call);
        match figures(strategy, self.input, &mut observer, scratch, columns) {
            Ok(figures) => Ok(RowResult::Figures(Box::new(figures))),
            Err(SimulationError::Stopped) => Err(Cancelled),
            Err(error) => Ok(RowResult::Error(RowError::from(&error))),
        }
    }
}

/// Stops a run when the sweep is cancelled.
struct Watch<'a>(&'a AtomicBool);

impl Observer for Watch<'_> {
    fn observe(&mut self, _step: Step<'_>) -> ControlFlow<()> {
        if self.0.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// The numbers that [`crate::simulation::run`] gives, out of columns that others share.
fn figures(
    strategy: &BoundStrategy,
    row: &RowInput<'_>,
    observer: &mut Watch<'_>,
    scratch: &mut Scratch,
    mut columns: impl FnMut(&IndicatorCall) -> Arc<Columns>,
) -> Result<Figures, SimulationError> {
    let input = row.of(strategy);
    let Opening { first_defined, first_evaluated } = Opening::of(&input)?;
    let rules = RuleSignals::evaluate(strategy, row.candles, |call| {
        if observer.0.load(Ordering::Relaxed) {
            return Err(SimulationError::Stopped);
        }
        Ok(columns(call))
    })?;
    let rules = rules.without_reasons();
    if let Some(conflict) = row.settings.conflicts(&strategy.config).pop() {
        return Err(SimulationError::Unsupported(conflict.message));
    }
    let tie = IntrabarPriority::of(row.settings.intrabar);
    let mut engine = Engine::try_new(input, &rules, observer, tie)?.within(scratch);
    engine.walk(first_evaluated)?;
    engine.figures(first_defined, row.objective, scratch)
}
