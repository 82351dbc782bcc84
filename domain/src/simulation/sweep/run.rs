//! The rows of a sweep on all cores: each thread takes the next row, and the result is the same with one as with many.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rust_decimal::Decimal;

use super::{
    Family, Figures, Row, RowResult,
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
pub struct Ground<'a> {
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
    /// The metric by which rows are ranked: its family is among their numbers.
    pub objective: &'a str,
}

/// What a sweep tells while it runs, and when it should stop; shared with other threads.
#[derive(Debug, Default)]
pub struct Signals {
    /// Looked at between rows and every few thousand candles within one.
    pub is_cancelled: AtomicBool,
    /// Rows that are done.
    pub done: AtomicUsize,
}

/// A sweep was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sweep was cancelled")]
pub struct Cancelled;

/// What is known of all rows before one of them runs.
#[derive(Debug)]
pub struct Prepared<'a> {
    family: &'a Family<'a>,
    combinations: &'a [Parameters],
    uses: Uses,
    /// The largest first defined index of all rows: so many candles, and one, warm all of them up.
    pub first_defined: usize,
    /// The smallest one.
    pub least_first_defined: usize,
}

impl<'a> Prepared<'a> {
    /// Binds every combination once.
    ///
    /// # Errors
    /// Those that the strategy does not take: a few of them, by number, below `field`.
    pub fn try_new(
        family: &'a Family<'a>,
        combinations: &'a [Parameters],
        field: &str,
    ) -> Result<Self, Vec<FieldError>> {
        /// Further combinations that are wrong are not named.
        const NAMED_MAX: usize = 10;
        let mut errors = Vec::new();
        let (mut uses, mut first_defined) = (Uses::default(), 0);
        let mut least_first_defined = usize::MAX;
        for (row, combination) in combinations.iter().enumerate() {
            match family.bind(field, combination) {
                Ok(strategy) => {
                    first_defined = first_defined.max(strategy.first_defined());
                    least_first_defined = least_first_defined.min(strategy.first_defined());
                    uses.note(row, &strategy);
                }
                Err(found) => errors.extend(found.into_iter().map(|error| {
                    let shown: Vec<String> = combination
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
        if errors.is_empty() {
            return Ok(Self { family, combinations, uses, first_defined, least_first_defined });
        }
        errors.truncate(NAMED_MAX);
        Err(errors)
    }

    /// Candles before a window that warm every row up, where the settings say that they come from there.
    pub(super) fn warmup(&self, ground: &Ground<'_>) -> usize {
        match ground.settings.warmup {
            Warmup::BeforeStart => self.first_defined.saturating_add(1),
            Warmup::InRange => 0,
        }
    }

    /// The rules of a combination that [`Self::try_new`] found good.
    pub(super) fn bind(&self, combination: &Parameters) -> Result<BoundStrategy, SimulationError> {
        // Nothing of a family changes after its combinations were bound once.
        let bound = self.family.bind("parameters", combination);
        bound.map_err(|errors| SimulationError::Unsupported(invalid(&errors).message))
    }

    /// Runs every row on `threads` threads.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn run(
        &self,
        ground: &Ground<'_>,
        threads: usize,
        signals: &Signals,
    ) -> Result<Vec<Row>, Cancelled> {
        let columns = SharedColumns::new(ground.candles, &self.uses, self.combinations.len());
        let next = AtomicUsize::new(0);
        let work = || {
            let mut scratch = Scratch::default();
            let mut rows = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(index) = columns.row_at(place) else { return Ok(rows) };
                let combination = &self.combinations[index];
                let result =
                    self.row(place, combination, ground, &columns, &mut scratch, signals)?;
                let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
                rows.push(Row { number, parameters: combination.clone(), result });
                signals.done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let threads = threads.clamp(1, self.combinations.len().max(1));
        let done: Vec<Result<Vec<Row>, Cancelled>> = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = vec![work()];
            for other in others {
                done.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        let mut rows = Vec::with_capacity(self.combinations.len());
        for some in done {
            rows.extend(some?);
        }
        rows.sort_unstable_by_key(|row| row.number);
        Ok(rows)
    }

    fn row(
        &self,
        place: usize,
        combination: &Parameters,
        ground: &Ground<'_>,
        columns: &SharedColumns<'_>,
        scratch: &mut Scratch,
        signals: &Signals,
    ) -> Result<RowResult, Cancelled> {
        let bound = self.family.bind("parameters", combination);
        let strategy = match bound {
            Ok(strategy) => strategy,
            Err(errors) => return Ok(RowResult::Error(invalid(&errors))),
        };
        let mut observer = Watch(&signals.is_cancelled);
        let result =
            figures(&strategy, ground, &mut observer, scratch, |call| columns.get(place, call));
        match result {
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
    ground: &Ground<'_>,
    observer: &mut Watch<'_>,
    scratch: &mut Scratch,
    mut columns: impl FnMut(&IndicatorCall) -> Arc<Columns>,
) -> Result<Figures, SimulationError> {
    let input = Input {
        strategy,
        candles: ground.candles,
        range_start: ground.range_start,
        fine: None,
        initial_balance: ground.initial_balance,
        lot: ground.lot,
        timeframe: ground.timeframe,
        settings: ground.settings,
    };
    let Opening { first_defined, first_evaluated } = Opening::of(&input)?;
    let rules = RuleSignals::evaluate(strategy, ground.candles, |call| {
        if observer.0.load(Ordering::Relaxed) {
            return Err(SimulationError::Stopped);
        }
        Ok(columns(call))
    })?;
    let rules = rules.without_reasons();
    if let Some(conflict) = ground.settings.conflicts(&strategy.config).pop() {
        return Err(SimulationError::Unsupported(conflict.message));
    }
    let tie = IntrabarPriority::of(ground.settings.intrabar);
    let mut engine = Engine::try_new(input, &rules, observer, tie)?.within(scratch);
    engine.walk(first_evaluated)?;
    engine.figures(first_defined, ground.objective, scratch)
}

fn invalid(errors: &[FieldError]) -> RowError {
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    RowError { code: "invalid_strategy".to_owned(), message: messages.join("; ") }
}
