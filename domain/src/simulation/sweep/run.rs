//! The rows of a sweep on all cores: each thread takes the next row, and the result is the same for any number of threads.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    ops::{ControlFlow, Range},
    sync::{
        Arc,
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
    },
    strategy::parameters::Parameters,
};

/// What all rows run on; each of them begins with its own warm-up ([`Warmup::rows`]).
///
/// [`Warmup::rows`]: crate::simulation::settings::Warmup::rows
#[derive(Debug, Clone, Copy)]
pub struct RowInput<'a> {
    /// Of the range, and before it at least those for the longest warm-up of all rows, where so many are stored.
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
    /// The run of a strategy on all of it.
    pub(crate) fn of(&self, strategy: &'a BoundStrategy) -> Input<'a> {
        Input {
            strategy,
            candles: self.candles,
            range_start: self.range_start,
            fine: None,
            initial_balance: self.initial_balance,
            lot: self.lot,
            timeframe: self.timeframe,
            market_kind: None,
            settings: self.settings,
        }
    }
}

/// The candles of some rows: those of a range, with the warm-up of these rows before them.
pub(super) struct Excerpt<'a> {
    candles: Cow<'a, Candles>,
    range_start: usize,
}

impl<'a> Excerpt<'a> {
    /// The candles of `range`, and before them those that rules of this first defined index load.
    pub(super) fn new(input: &RowInput<'a>, range: Range<usize>, first_defined: usize) -> Self {
        let range_start = input.settings.warmup.rows(first_defined, range.start);
        let rows = range.start - range_start..range.end;
        let candles = if rows == (0..input.candles.len()) {
            Cow::Borrowed(input.candles)
        } else {
            Cow::Owned(input.candles.rows(rows))
        };
        Self { candles, range_start }
    }

    /// Candles of the range.
    pub(super) fn range_len(&self) -> usize {
        self.candles.len() - self.range_start
    }

    /// The same input on these candles.
    pub(super) fn input<'e>(&'e self, input: &RowInput<'e>) -> RowInput<'e> {
        RowInput { candles: &self.candles, range_start: self.range_start, ..*input }
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

/// Every combination, known to be good before the first of them runs.
///
/// A combination is bound here once, to check it, and once by the thread that runs it: held, ten thousand of them took 14 MB
/// more, and a sixth more time, than they save.
#[derive(Debug)]
pub struct PreparedSweep {
    strategy: ParametricStrategy,
    combinations: Vec<Parameters>,
    uses: Uses,
    /// The first defined index of each row's rules.
    first_defined_of: Vec<usize>,
    /// The largest one: what warms up its row warms up all of them.
    pub first_defined: usize,
    /// The smallest one.
    pub least_first_defined: usize,
}

impl PreparedSweep {
    /// Checks every combination, once for all runs of it.
    ///
    /// # Errors
    /// Those that the strategy does not take: a few of them, by number, below `field`.
    pub fn try_new(
        strategy: ParametricStrategy,
        combinations: Vec<Parameters>,
        field: &str,
    ) -> Result<Self, Vec<FieldError>> {
        /// Further combinations that are wrong are not named.
        const NAMED_MAX: usize = 10;
        let mut errors = Vec::new();
        let mut uses = Uses::default();
        let mut first_defined_of = Vec::with_capacity(combinations.len());
        for (index, parameters) in combinations.iter().enumerate() {
            match strategy.bind(field, parameters) {
                Ok(bound) => {
                    first_defined_of.push(bound.first_defined());
                    uses.note(index, &bound);
                }
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
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            first_defined: first_defined_of.iter().copied().max().unwrap_or(0),
            least_first_defined: first_defined_of.iter().copied().min().unwrap_or(0),
            strategy,
            combinations,
            uses,
            first_defined_of,
        })
    }

    /// How many combinations there are.
    #[must_use]
    pub fn rows_count(&self) -> usize {
        self.combinations.len()
    }

    /// The rules of the row of that number, from 1; `None` if there is no such row.
    #[must_use]
    pub fn strategy(&self, number: u32) -> Option<BoundStrategy> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.strategy.bind("parameters", self.combinations.get(index)?).ok()
    }

    /// Runs every row on `threads` threads. Rows whose warm-up is as long share their columns; those of one length are run
    /// after those of another, so that the candles are there once more at most.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn run(
        &self,
        input: &RowInput<'_>,
        threads: usize,
        cancel: &CancelToken,
    ) -> Result<Vec<Row>, Cancelled> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, first_defined) in self.first_defined_of.iter().enumerate() {
            let warmup = input.settings.warmup.rows(*first_defined, input.range_start);
            groups.entry(warmup).or_default().push(index);
        }
        let mut rows = Vec::with_capacity(self.rows_count());
        for group in groups.values() {
            let first_defined = group.first().map_or(0, |index| self.first_defined_of[*index]);
            let range = input.range_start..input.candles.len();
            let excerpt = Excerpt::new(input, range, first_defined);
            rows.extend(self.run_group(group, &excerpt.input(input), threads, cancel)?);
        }
        rows.sort_unstable_by_key(|row| row.number);
        Ok(rows)
    }

    /// Runs some of the rows, in any order.
    fn run_group(
        &self,
        group: &[usize],
        input: &RowInput<'_>,
        threads: usize,
        cancel: &CancelToken,
    ) -> Result<Vec<Row>, Cancelled> {
        let columns = SharedColumns::new(input.candles, self.uses.of(group), group.len());
        let next = AtomicUsize::new(0);
        let work = || {
            let mut scratch = Scratch::default();
            let mut rows = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(in_group) = columns.order().get(place) else { return Ok(rows) };
                let index = group[*in_group];
                let columns = |call: &IndicatorCall| columns.get(place, call);
                let result = self.row(index, input, columns, &mut scratch, cancel)?;
                let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
                rows.push(Row { number, parameters: self.combinations[index].clone(), result });
                cancel.done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let threads = threads.clamp(1, group.len().max(1));
        let done: Vec<Result<Vec<Row>, Cancelled>> = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = vec![work()];
            for other in others {
                done.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        let mut rows = Vec::with_capacity(group.len());
        for some in done {
            rows.extend(some?);
        }
        Ok(rows)
    }

    fn row(
        &self,
        index: usize,
        input: &RowInput<'_>,
        columns: impl FnMut(&IndicatorCall) -> Arc<Columns>,
        scratch: &mut Scratch,
        cancel: &CancelToken,
    ) -> Result<RowResult, Cancelled> {
        let strategy = match self.strategy.bind("parameters", &self.combinations[index]) {
            Ok(strategy) => strategy,
            Err(errors) => return Ok(RowResult::Error(RowError::unbound(&errors))),
        };
        let mut observer = Watch(&cancel.is_cancelled);
        match figures(&strategy, input, &mut observer, scratch, columns) {
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
