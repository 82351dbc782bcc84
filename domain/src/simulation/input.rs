//! What a simulation depends on, where it begins, and what it tells its caller while it runs.

use std::ops::ControlFlow;

use rust_decimal::Decimal;

use super::{Candles, Settings, SimulationError, Trade, rules::BoundStrategy};
use crate::market::{MarketKind, Timeframe};

/// All that a simulation depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The strategy with every parameter bound.
    pub strategy: &'a BoundStrategy,
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
    /// The kind of market, which tells gaps from closures. By default the candles' own hours tell it.
    pub market_kind: Option<MarketKind>,
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
    /// A part of a trade was closed as a separate trade; `rest` is the remaining trade.
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
    pub(super) fn of(input: &Input<'_>) -> Result<Self, SimulationError> {
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
