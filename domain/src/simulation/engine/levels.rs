//! Where stops, limits and targets lie, which candle reaches them and what they fill at; no other file prices a level.

use rust_decimal::Decimal;

use crate::simulation::{
    Candles, SimulationError,
    error::overflow,
    exact,
    rules::Trailing,
    trade::{Direction, Side},
};

/// The prices of a candle, or of a finer one within it.
#[derive(Debug, Clone, Copy)]
pub(super) struct CandlePrices {
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
}

impl CandlePrices {
    pub(super) fn of(candles: &Candles, index: usize) -> Self {
        Self { open: candles.open[index], high: candles.high[index], low: candles.low[index] }
    }

    /// The candle at its first moment.
    pub(super) fn at_open(self) -> Self {
        Self { high: self.open, low: self.open, ..self }
    }
}

/// Which of a trade's stop and target a candle reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BarrierHit {
    Neither,
    /// The stop; also if the candle opens at or beyond it and reaches the target later.
    Stop,
    /// The target; also if the candle opens at or beyond it and reaches the stop later.
    Target,
    /// Both, and the candle does not tell which came first.
    Ambiguous,
}

impl BarrierHit {
    pub(super) fn of(
        direction: Direction,
        candle: CandlePrices,
        stop: Option<f64>,
        target: Option<f64>,
    ) -> Self {
        let side = direction.exit_side();
        let stop = stop.filter(|stop| is_stop_hit(side, candle, *stop));
        let target = target.filter(|target| is_limit_hit(side, candle, *target));
        match (stop, target) {
            (None, None) => Self::Neither,
            (None, Some(_)) => Self::Target,
            (Some(_), None) => Self::Stop,
            // What the open has passed was passed before anything else could be.
            (Some(stop), Some(_)) if is_stop_passed(side, candle.open, stop) => Self::Stop,
            (Some(_), Some(target)) if is_limit_met(side, candle.open, target) => Self::Target,
            (Some(_), Some(_)) => Self::Ambiguous,
        }
    }
}

/// Whether a candle triggers a stop order.
pub(super) fn is_stop_hit(side: Side, candle: CandlePrices, stop: f64) -> bool {
    match side {
        Side::Buy => is_stop_passed(side, candle.high, stop),
        Side::Sell => is_stop_passed(side, candle.low, stop),
    }
}

/// Whether a price lies at a stop or beyond it.
pub(super) fn is_stop_passed(side: Side, price: f64, stop: f64) -> bool {
    match side {
        Side::Buy => price >= stop,
        Side::Sell => price <= stop,
    }
}

/// Whether a candle fills a limit order.
pub(super) fn is_limit_hit(side: Side, candle: CandlePrices, limit: f64) -> bool {
    match side {
        Side::Buy => is_limit_met(side, candle.low, limit),
        Side::Sell => is_limit_met(side, candle.high, limit),
    }
}

/// Whether a price is as good as a limit or better.
pub(super) fn is_limit_met(side: Side, price: f64, limit: f64) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// What a triggered stop order fills at, before costs: a gap fills at the open.
pub(super) fn stop_fill(side: Side, open: f64, stop: f64) -> f64 {
    match side {
        Side::Buy => open.max(stop),
        Side::Sell => open.min(stop),
    }
}

/// What a limit order fills at: a gap fills at the better open.
pub(super) fn limit_fill(side: Side, open: f64, limit: f64) -> f64 {
    match side {
        Side::Buy => open.min(limit),
        Side::Sell => open.max(limit),
    }
}

/// What a stop-limit order fills at on the candle that triggers its stop; `None` if it waits as a limit order.
pub(super) fn stop_limit_fill(
    side: Side,
    candle: CandlePrices,
    stop: f64,
    limit: f64,
) -> Option<f64> {
    let triggered = stop_fill(side, candle.open, stop);
    if is_limit_met(side, triggered, limit) {
        return Some(triggered);
    }
    // The limit lies behind the trigger: it counts when the candle opened there, so that it came after.
    let came_after = is_stop_passed(side, candle.open, stop) && is_limit_hit(side, candle, limit);
    came_after.then_some(limit)
}

/// The level that far against `direction`: below a long, above a short.
pub(super) fn below(
    price: Decimal,
    distance: Option<Decimal>,
    direction: Direction,
) -> Result<Option<Decimal>, SimulationError> {
    let level = |distance| offset(price, distance, direction.opposite());
    distance.map(|distance| level(distance).ok_or_else(|| overflow("a stop"))).transpose()
}

/// The level that far with `direction`: above a long, below a short.
pub(super) fn above(
    price: Decimal,
    distance: Option<Decimal>,
    direction: Direction,
) -> Result<Option<Decimal>, SimulationError> {
    let level = |distance| offset(price, distance, direction);
    distance.map(|distance| level(distance).ok_or_else(|| overflow("a target"))).transpose()
}

/// The level that far from `price`, above it for a long and below it for a short, rounded once; `None` on overflow.
pub(super) fn offset(price: Decimal, distance: Decimal, direction: Direction) -> Option<Decimal> {
    let signed = match direction {
        Direction::Long => distance,
        Direction::Short => -distance,
    };
    exact::level(price, exact::add(Decimal::ONE, signed)?)
}

/// As [`below`], in `f64`: the stops of backtesting.py.
pub(super) fn below_real(price: f64, distance: Decimal, direction: Direction) -> f64 {
    price * (1.0 - sign(direction) * exact::to_f64(distance))
}

/// As [`above`], in `f64`: the targets of backtesting.py.
pub(super) fn above_real(price: f64, distance: Decimal, direction: Direction) -> f64 {
    price * (1.0 + sign(direction) * exact::to_f64(distance))
}

/// As the level of a stop that trails `price`, in `f64`; `range` is the average true range there.
pub(super) fn trail_real(
    trailing: Trailing,
    price: f64,
    direction: Direction,
    range: Option<f64>,
) -> Option<f64> {
    match trailing {
        Trailing::Fraction(fraction) => Some(below_real(price, fraction, direction)),
        Trailing::Ranges(multiple) => {
            range.map(|range| trail_by_range(price, multiple, range, direction))
        }
    }
}

/// The level `multiple` average true ranges behind `price`, before it is rounded.
pub(super) fn trail_by_range(price: f64, multiple: f64, range: f64, direction: Direction) -> f64 {
    price - sign(direction) * multiple * range
}

/// 1 for a long, −1 for a short.
pub(super) const fn sign(direction: Direction) -> f64 {
    match direction {
        Direction::Long => 1.0,
        Direction::Short => -1.0,
    }
}

/// Whether stop `one` of a position lies nearer to the price than `other`.
pub(super) fn is_tighter(direction: Direction, one: f64, other: f64) -> bool {
    match direction {
        Direction::Long => one > other,
        Direction::Short => one < other,
    }
}
