//! Where stops and targets lie, and what they fill at.

use rust_decimal::Decimal;

use crate::simulation::{SimulationError, error::overflow, exact, trade::Direction};

/// The level that far against `direction`: below a long, above a short.
pub(super) fn below(
    price: Decimal,
    distance: Option<f64>,
    direction: Direction,
) -> Result<Option<f64>, SimulationError> {
    level(price, distance.map(|distance| -sign(direction) * distance))
}

/// The level that far with `direction`: above a long, below a short.
pub(super) fn above(
    price: Decimal,
    distance: Option<f64>,
    direction: Direction,
) -> Result<Option<f64>, SimulationError> {
    level(price, distance.map(|distance| sign(direction) * distance))
}

fn level(price: Decimal, distance: Option<f64>) -> Result<Option<f64>, SimulationError> {
    let Some(distance) = distance else { return Ok(None) };
    exact::decimal(distance)
        .and_then(|part| exact::multiply(price, Decimal::ONE + part))
        .map(|level| Some(exact::to_f64(level)))
        .ok_or_else(|| overflow("a stop"))
}

/// 1 for a long, −1 for a short.
pub(super) const fn sign(direction: Direction) -> f64 {
    match direction {
        Direction::Long => 1.0,
        Direction::Short => -1.0,
    }
}

/// Whether stop `one` lies nearer to the price than `other`.
pub(super) fn is_tighter(direction: Direction, one: f64, other: f64) -> bool {
    match direction {
        Direction::Long => one > other,
        Direction::Short => one < other,
    }
}

/// Whether a candle reaches the stop of a position.
pub(super) fn is_stopped(direction: Direction, low: f64, high: f64, stop: f64) -> bool {
    match direction {
        Direction::Long => low <= stop,
        Direction::Short => high >= stop,
    }
}

/// Whether a candle reaches the target of a position.
pub(super) fn is_reached(direction: Direction, low: f64, high: f64, target: f64) -> bool {
    match direction {
        Direction::Long => high >= target,
        Direction::Short => low <= target,
    }
}

/// Whether a candle opens at the stop or beyond.
pub(super) fn is_gap(direction: Direction, open: f64, stop: f64) -> bool {
    match direction {
        Direction::Long => open <= stop,
        Direction::Short => open >= stop,
    }
}

/// What a touched stop fills at, before costs.
pub(super) fn stop_fill(direction: Direction, open: f64, stop: f64) -> f64 {
    match direction {
        Direction::Long => open.min(stop),
        Direction::Short => open.max(stop),
    }
}

/// What a reached target fills at.
pub(super) fn target_fill(direction: Direction, open: f64, target: f64) -> f64 {
    match direction {
        Direction::Long => open.max(target),
        Direction::Short => open.min(target),
    }
}
