//! What a fill costs: slippage and spread in its price, commission in its fee.

use rust_decimal::Decimal;

use crate::simulation::{
    SimulationError,
    error::overflow,
    exact,
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
    /// Fraction of the candle's range, against you before the rates.
    range_rate: f64,
    /// Fraction of notional a side, of market and stop fills.
    pub(crate) commission: Decimal,
    /// Fraction of notional a side, of limit and target fills.
    maker_commission: Decimal,
    /// Quote money a fill.
    pub(crate) commission_fixed: Decimal,
    /// 1 + commission × leverage, of a taker and of a maker.
    levered: [Decimal; 2],
}

/// Whether a fill takes what others offer (market and stop orders) or was itself on offer (limits and targets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liquidity {
    Taker,
    Maker,
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
        let maker = settings.commission_maker.unwrap_or(settings.commission);
        let (commission, maker_commission) =
            (written(settings.commission.get())?, written(maker.get())?);
        let leverage = written(settings.leverage.get())?;
        let levered = |rate: Decimal| {
            let rate = exact::product(rate, leverage);
            rate.and_then(|rate| exact::add(rate, Decimal::ONE)).ok_or_else(|| overflow("a cost"))
        };
        Ok(Self {
            entry_rate: (slippage + spread) / 1e4,
            exit_rate: exit_bps / 1e4,
            range_rate: settings.slippage_range_percentage.get() / 100.0,
            commission,
            maker_commission,
            commission_fixed: written(settings.commission_fixed.get())?,
            levered: [levered(commission)?, levered(maker_commission)?],
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

    /// Whether slippage depends on the candle's range.
    pub(crate) fn asks_for_ranges(&self) -> bool {
        self.range_rate != 0.0
    }

    /// `price` with the slippage that the candle's range asks for; never beyond its ends.
    pub(crate) fn slipped(&self, price: f64, side: Side, low: f64, high: f64) -> f64 {
        let slip = self.range_rate * (high - low);
        match side {
            Side::Buy => (price + slip).min(high.max(price)),
            Side::Sell => (price - slip).max(low.min(price)),
        }
    }

    /// Fraction of notional a side.
    pub(crate) fn rate(&self, liquidity: Liquidity) -> Decimal {
        match liquidity {
            Liquidity::Taker => self.commission,
            Liquidity::Maker => self.maker_commission,
        }
    }

    /// What a unit of quote money in a position costs of the budget, times leverage: its margin and its fee.
    pub(crate) fn levered(&self, liquidity: Liquidity) -> Decimal {
        match liquidity {
            Liquidity::Taker => self.levered[0],
            Liquidity::Maker => self.levered[1],
        }
    }

    /// Quote money for a fill of that notional.
    pub(crate) fn fee(
        &self,
        notional: Decimal,
        liquidity: Liquidity,
    ) -> Result<Decimal, SimulationError> {
        exact::multiply_add(notional, self.rate(liquidity), self.commission_fixed)
            .ok_or_else(|| overflow("a fee"))
    }
}

fn worse(price: f64, rate: f64, side: Side) -> f64 {
    match side {
        Side::Buy => price * (1.0 + rate),
        Side::Sell => price * (1.0 - rate),
    }
}
