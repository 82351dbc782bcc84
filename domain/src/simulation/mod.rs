//! The engine: a pure function from a bound strategy, candles and settings to an outcome.

mod calendar;
pub mod candles;
mod canonical;
mod engine;
pub mod equity;
mod error;
pub(crate) mod exact;
pub(crate) mod excursion;
mod fill_reason;
pub mod hash;
pub mod indicators;
mod input;
pub mod metrics;
pub mod outcome;
mod portfolio;
mod random;
pub mod rules;
pub mod settings;
pub mod source;
pub mod sweep;
pub(crate) mod time;
pub mod trade;
pub mod trading_hours;
mod warning;
pub mod warnings;

#[cfg(test)]
mod tests;

pub use candles::Candles;
pub use error::SimulationError;
pub use excursion::Excursion;
pub use fill_reason::FillReason;
pub(crate) use input::Opening;
pub use input::{Input, Observer, Step};
pub use outcome::{OrderKind, Outcome, UnfilledOrder};
pub use portfolio::{
    exposure::Exposures,
    mark::{MarkError, Marks, TradeMarks, mark},
};
pub use settings::Settings;
pub use trade::{Direction, Fill, Side, Trade};
pub use warning::Warning;

use std::ops::ControlFlow;

use self::{
    engine::{Engine, IntrabarPriority},
    rules::signals::RuleSignals,
};
/// The engine's version, which runs are compared by: raised whenever a byte of a result changes.
pub const ENGINE_VERSION: &str = "2";

/// Runs a strategy over candles: SIMULATION, sections 1 and 2.
///
/// # Errors
/// [`SimulationError`]: nothing to walk, stopped by the observer, or numbers beyond exactness.
pub fn run(input: &Input<'_>, observer: &mut dyn Observer) -> Result<Outcome, SimulationError> {
    let Opening { first_defined, first_evaluated } = Opening::of(input)?;
    let candles = input.candles;
    let total = candles.len() - input.range_start;
    let mut rules = RuleSignals::evaluate_alone(input.strategy, candles, || {
        let equity = exact::to_f64(input.initial_balance);
        match observer.observe(Step::Progress { done: 0, total, equity }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SimulationError::Stopped),
        }
    })?;
    if let Some(conflict) = input.settings.conflicts(&input.strategy.config).pop() {
        return Err(SimulationError::Unsupported(conflict.message));
    }
    let priority = IntrabarPriority::of(input.settings.intrabar);
    let memory = rules.take_spare();
    let mut engine = Engine::try_new(*input, &rules, observer, priority)?.within_memory(memory);
    engine.walk(first_evaluated)?;
    let mut outcome = engine.outcome(first_evaluated, first_defined)?;
    if outcome.ambiguous_trades_count > 0 {
        let mut watch = Watch { observer, total };
        let mut engine = Engine::try_new(*input, &rules, &mut watch, priority.other())?;
        engine.walk(first_evaluated)?;
        let other = match priority {
            IntrabarPriority::StopFirst => &mut outcome.final_balance_target_first,
            IntrabarPriority::TargetFirst => &mut outcome.final_balance_stop_first,
        };
        *other = engine.final_balance()?;
    }
    Ok(outcome)
}

/// Reports the progress of a second walk, and whether to stop it; its trades are not part of the run.
struct Watch<'a> {
    observer: &'a mut dyn Observer,
    total: usize,
}

impl Observer for Watch<'_> {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        match step {
            Step::Opened(_) | Step::Closed(_) | Step::Reduced { .. } => ControlFlow::Continue(()),
            Step::Progress { equity, .. } => {
                let total = self.total;
                self.observer.observe(Step::Progress { done: total, total, equity })
            }
        }
    }
}
