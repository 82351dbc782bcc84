//! The engine: a pure function from a bound strategy, candles and settings to an outcome.

pub mod candles;
mod engine;
pub mod equity;
pub(crate) mod exact;
pub mod hash;
pub mod indicators;
pub mod metrics;
pub mod outcome;
mod portfolio;
mod random;
pub mod rules;
pub mod settings;
pub mod sweep;
pub mod trade;
pub mod warnings;

#[cfg(test)]
mod tests;

pub use candles::Candles;
pub use outcome::{Outcome, Rejection, Warning};
pub use settings::Settings;
pub use trade::{Direction, Fill, Side, Trade};

use std::{ops::ControlFlow, sync::Arc};

use rust_decimal::Decimal;

use self::{
    engine::{Engine, Tie},
    rules::{EntryOrder, PositionMode, signals::RuleSet},
    settings::{Intrabar, Preset},
};
use crate::market::Timeframe;

/// The engine's version: part of every result hash, raised only when a golden hash changes.
pub const ENGINE_VERSION: &str = "1";

/// All that a simulation depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The strategy with every parameter bound.
    pub strategy: &'a rules::BoundStrategy,
    /// Candles of the range, with those loaded for warm-up before them.
    pub candles: &'a Candles,
    /// Index of the first candle that belongs to the range; those before serve indicators only.
    pub range_start: usize,
    /// Finer candles of the same symbol, for `intrabar: lower_timeframe`; they may have gaps.
    pub fine: Option<&'a Candles>,
    /// Quote money at the start, above 0.
    pub initial_balance: Decimal,
    /// Quantities are floored to multiples of it.
    pub lot: Decimal,
    /// The candles' timeframe.
    pub timeframe: Timeframe,
    /// Costs, fill mode, presets.
    pub settings: &'a Settings,
}

/// What the engine tells its caller while it runs.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A trade was entered (its `exit` is none yet).
    Opened(&'a Trade),
    /// A trade was closed.
    Closed(&'a Trade),
    /// A part of a trade was closed as a trade of its own; `rest` is what is left of it.
    Reduced { part: &'a Trade, rest: &'a Trade },
    /// Candles done and in all, and the equity now; at least every few thousand candles.
    Progress { done: usize, total: usize, equity: f64 },
}

/// Receives each [`Step`] and may stop the run.
pub trait Observer {
    /// Called for each step in order; `Break` stops the run with [`SimulationError::Stopped`].
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()>;
}

/// Watches nothing.
impl Observer for () {
    fn observe(&mut self, _step: Step<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Runs a strategy over candles: SIMULATION, sections 1 and 2.
///
/// # Errors
/// [`SimulationError`]: nothing to walk, stopped by the observer, or numbers beyond exactness.
pub fn run(input: &Input<'_>, observer: &mut dyn Observer) -> Result<Outcome, SimulationError> {
    let Opening { first_defined, first_evaluated } = Opening::of(input)?;
    let candles = input.candles;
    let total = candles.len() - input.range_start;
    let rules = RuleSet::evaluate(input.strategy, candles, |call| {
        let equity = exact::to_f64(input.initial_balance);
        match observer.observe(Step::Progress { done: 0, total, equity }) {
            ControlFlow::Continue(()) => Ok(Arc::new(call.compute(candles))),
            ControlFlow::Break(()) => Err(SimulationError::Stopped),
        }
    })?;
    if let Some(conflict) = input.settings.conflicts(&input.strategy.config).pop() {
        return Err(SimulationError::Unsupported(conflict.message));
    }
    let tie = Tie::of(input.settings.intrabar);
    let mut engine = Engine::try_new(*input, &rules, observer, tie)?;
    engine.walk(first_evaluated)?;
    let mut outcome = engine.outcome(first_evaluated, first_defined)?;
    if outcome.ambiguous_trades_count > 0 {
        let mut watch = Watch { observer, total };
        let mut engine = Engine::try_new(*input, &rules, &mut watch, tie.other())?;
        engine.walk(first_evaluated)?;
        let other = match tie {
            Tie::StopFirst => &mut outcome.final_balance_target_first,
            Tie::TargetFirst => &mut outcome.final_balance_stop_first,
        };
        *other = engine.final_balance()?;
    }
    Ok(outcome)
}

impl Input<'_> {
    /// Whether one trade at a time, entered at market and left by rule or at fixed levels, is all there is.
    fn is_plain(&self) -> bool {
        let config = &self.strategy.config;
        let settings = self.settings;
        settings.preset == Preset::Backtrail
            && settings.leverage.get() == 1.0
            && settings.maintenance() == 0.0
            && settings.funding_rate.get() == 0.0
            && (settings.intrabar != Intrabar::LowerTimeframe || self.fine.is_none())
            && self.strategy.partial_exit.is_none()
            && config.entry_order == EntryOrder::Market
            && config.trailing_stop.is_none()
            && config.break_even.is_none()
            && config.max_candles.is_none()
            && config.partial_take_profits.is_empty()
            && config.max_entries == 1
            && config.position_mode == PositionMode::Single
    }
}

/// Passes on that a second walk goes on, and whether to stop it; its trades are not those of the run.
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

/// Where a run begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    /// Index at which every indicator of the rules has a value.
    pub(crate) first_defined: usize,
    /// Index of the first candle on which rules are evaluated.
    pub(crate) first_evaluated: usize,
}

impl Opening {
    /// Where a run on these candles begins, if they are enough.
    fn of(input: &Input<'_>) -> Result<Self, SimulationError> {
        let available = input.candles.len();
        if input.range_start >= available {
            return Err(SimulationError::NoCandles);
        }
        let first_defined = input.strategy.first_defined();
        let first_evaluated = first_defined.saturating_add(1).max(input.range_start);
        if first_evaluated >= available {
            let needed = first_defined.saturating_add(2);
            return Err(SimulationError::NothingToEvaluate { needed, available });
        }
        Ok(Self { first_defined, first_evaluated })
    }
}

/// Why a simulation has no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// No candle lies in the range.
    #[error("there are no candles in the range")]
    NoCandles,
    /// The warm-up uses up the whole range.
    #[error(
        "no candle of the range can be evaluated: the indicators need {needed} candles, there are {available}"
    )]
    NothingToEvaluate {
        /// Candles that must come before the first evaluation, it included.
        needed: usize,
        /// Candles there are, warm-up included.
        available: usize,
    },
    /// The observer stopped it.
    #[error("the run was stopped")]
    Stopped,
    /// Settings and strategy ask for what does not go together.
    #[error("{0}")]
    Unsupported(String),
    /// A number left the exact range (prices or balances beyond what 8 decimals can hold).
    #[error("{0}")]
    Overflow(String),
}
