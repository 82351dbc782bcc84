//! What a fill costs: slippage and spread in its price, commission in its fee.

use rust_decimal::Decimal;

use super::{
    SimulationError, exact,
    settings::{Preset, Settings},
    trade::{Direction, Side},
};

/// The costs of a run, ready to use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    /// Fraction of the price, against you on entries.
    entry_rate: f64,
    /// Fraction of the price, against you on exits at market or by a stop.
    exit_rate: f64,
    /// Fraction of notional a side.
    pub(crate) commission: Decimal,
    /// Quote money a fill.
    pub(crate) commission_fixed: Decimal,
}

impl Costs {
    /// The costs that `settings` name.
    pub(crate) fn try_new(settings: &Settings) -> Result<Self, SimulationError> {
        let written = |number: f64| exact::decimal(number).ok_or_else(|| overflow("a cost"));
        let (slippage, spread) = (settings.slippage_bps.get(), settings.spread_bps.get());
        let exit_bps = match settings.preset {
            Preset::Backtrail => slippage + spread,
            // Its spread is paid on entries alone.
            Preset::BacktestingPy => slippage,
        };
        Ok(Self {
            entry_rate: (slippage + spread) / 1e4,
            exit_rate: exit_bps / 1e4,
            commission: written(settings.commission.get())?,
            commission_fixed: written(settings.commission_fixed.get())?,
        })
    }

    /// What entering at `price` really pays or receives a unit.
    pub(crate) fn entry_price(&self, price: f64, direction: Direction) -> f64 {
        worse(price, self.entry_rate, direction.entry_side())
    }

    /// What leaving at `price`, at market or by a stop, really pays or receives a unit.
    pub(crate) fn exit_price(&self, price: f64, direction: Direction) -> f64 {
        worse(price, self.exit_rate, direction.exit_side())
    }

    /// Quote money for a fill of that notional.
    pub(crate) fn fee(&self, notional: Decimal) -> Result<Decimal, SimulationError> {
        exact::multiply_add(notional, self.commission, self.commission_fixed)
            .ok_or_else(|| overflow("a fee"))
    }
}

/// That `what` does not fit into the exact numbers of the ledger.
pub(crate) fn overflow(what: &str) -> SimulationError {
    SimulationError::Overflow(format!("{what} is too large to be counted exactly"))
}

fn worse(price: f64, rate: f64, side: Side) -> f64 {
    match side {
        Side::Buy => price * (1.0 + rate),
        Side::Sell => price * (1.0 - rate),
    }
}
