//! The values that an expression can have at all, by the bounds of what it is made of.

use std::fmt;

use crate::simulation::{
    indicators::IndicatorCall,
    rules::{Arithmetic, Comparator, Operand},
};

/// From the smallest to the largest value, inclusive; an infinite end means that there is no bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    const ALL: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };
    /// Prices, volumes, and what is an average, an extreme or a distance of them.
    const NOT_NEGATIVE: Self = Self { low: 0.0, high: f64::INFINITY };

    const fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    /// The only value that it has, if there is only one.
    pub(super) fn constant(self) -> Option<f64> {
        (self.low == self.high).then_some(self.low)
    }

    /// Returns the values of an expression.
    pub(super) fn of(operand: &Operand) -> Self {
        match operand {
            Operand::Number(number) => Self::new(*number, *number),
            Operand::Source(_) => Self::NOT_NEGATIVE,
            Operand::Indicator(call) => of_indicator(call),
            Operand::Lag(inner, _) => Self::of(inner),
            Operand::Negate(inner) => Self::of(inner).negated(),
            Operand::Arithmetic(Arithmetic::Subtract, left, right) if left == right => {
                Self::new(0.0, 0.0)
            }
            Operand::Arithmetic(operation, left, right) => {
                Self::of(left).calculate(*operation, Self::of(right))
            }
            Operand::Min(list) => fold(list, f64::min),
            Operand::Max(list) => fold(list, f64::max),
            Operand::Abs(inner) => Self::of(inner).absolute(),
        }
    }

    fn negated(self) -> Self {
        Self::new(-self.high, -self.low)
    }

    fn absolute(self) -> Self {
        let low = if self.low <= 0.0 && self.high >= 0.0 {
            0.0
        } else {
            self.low.abs().min(self.high.abs())
        };
        Self::new(low, self.low.abs().max(self.high.abs()))
    }

    fn calculate(self, operation: Arithmetic, other: Self) -> Self {
        match operation {
            Arithmetic::Add => Self::new(self.low + other.low, self.high + other.high),
            Arithmetic::Subtract => self.calculate(Arithmetic::Add, other.negated()),
            Arithmetic::Multiply => self.times(other),
            // Next to zero a quotient is anything.
            Arithmetic::Divide if other.low <= 0.0 && other.high >= 0.0 => Self::ALL,
            Arithmetic::Divide => self.times(Self::new(1.0 / other.high, 1.0 / other.low)),
        }
    }

    fn times(self, other: Self) -> Self {
        // Zero times an infinite end is zero: each value in the range is finite.
        let product = |one: f64, other: f64| match one == 0.0 || other == 0.0 {
            true => 0.0,
            false => one * other,
        };
        let ends = [self.low, self.high].map(|end| {
            let (one, two) = (product(end, other.low), product(end, other.high));
            Self::new(one.min(two), one.max(two))
        });
        Self::new(ends[0].low.min(ends[1].low), ends[0].high.max(ends[1].high))
    }

    /// Whether a comparison holds whatever the two values are; `None` if that depends on them.
    pub(super) fn verdict(self, comparator: Comparator, other: Self) -> Option<bool> {
        let always_or_never = |always: bool, never: bool| match (always, never) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        };
        match comparator {
            Comparator::Greater => always_or_never(self.low > other.high, self.high <= other.low),
            Comparator::GreaterOrEqual => {
                always_or_never(self.low >= other.high, self.high < other.low)
            }
            Comparator::Less => other.verdict(Comparator::Greater, self),
            Comparator::LessOrEqual => other.verdict(Comparator::GreaterOrEqual, self),
            Comparator::Equal => {
                let is_one = self.constant().is_some() && self == other;
                always_or_never(is_one, self.high < other.low || self.low > other.high)
            }
            Comparator::NotEqual => self.verdict(Comparator::Equal, other).map(|holds| !holds),
            // It must be able to be below and above.
            Comparator::CrossesAbove | Comparator::CrossesBelow => {
                let can_cross = self.low < other.high && self.high > other.low;
                (!can_cross).then_some(false)
            }
        }
    }
}

impl fmt::Display for Range {
    /// As a predicate: `is between 0 and 100`, `is at least 0`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { low, high } = self;
        match (low.is_finite(), high.is_finite()) {
            (true, true) if low == high => write!(formatter, "is {low}"),
            (true, true) => write!(formatter, "is between {low} and {high}"),
            (true, false) => write!(formatter, "is at least {low}"),
            (false, true) => write!(formatter, "is at most {high}"),
            (false, false) => formatter.write_str("can be any number"),
        }
    }
}

fn fold(list: &[Operand], pick: fn(f64, f64) -> f64) -> Range {
    let ranges = list.iter().map(Range::of);
    let picked =
        |one: Range, other: Range| Range::new(pick(one.low, other.low), pick(one.high, other.high));
    ranges.reduce(picked).unwrap_or(Range::ALL)
}

/// The bounds that the formula of an indicator has.
fn of_indicator(call: &IndicatorCall) -> Range {
    let output = call.spec.outputs.get(call.output).copied().unwrap_or_default();
    match (call.spec.name, output) {
        (
            "rsi" | "stoch" | "stochrsi" | "mfi" | "ultosc" | "aroon" | "plus_di" | "minus_di"
            | "dx" | "adx" | "adxr",
            _,
        ) => Range::new(0.0, 100.0),
        ("cmo", _) => Range::new(-100.0, 100.0),
        ("willr", _) => Range::new(-100.0, 0.0),
        ("supertrend", "direction") => Range::new(-1.0, 1.0),
        ("roc", _) => Range::new(-100.0, f64::INFINITY),
        (
            "sma" | "ema" | "wma" | "kama" | "highest" | "lowest" | "vwap" | "donchian" | "stddev"
            | "trange" | "atr" | "natr",
            _,
        )
        | ("bbands", "upper" | "middle") => Range::NOT_NEGATIVE,
        _ => Range::ALL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{
        candles::Candles,
        indicators::{ALL, Arguments, ParameterKind},
        source::Source,
    };

    /// Candles that jump, rest and fall to next to nothing.
    fn wild() -> Candles {
        let mut candles = Candles::default();
        let mut price = 100.0_f64;
        for index in 0_i32..600 {
            let step = f64::from((index * 7919) % 41 - 20) / 25.0;
            let open = price;
            price = if index % 97 < 20 { price } else { (price * step.exp()).clamp(0.001, 1e6) };
            let (high, low) = (open.max(price) * 1.01, open.min(price) * 0.99);
            candles.open_time.push(i64::from(index) * 60_000);
            candles.open.push(open);
            candles.high.push(high);
            candles.low.push(low);
            candles.close.push(price);
            candles.volume.push(f64::from(index % 13));
        }
        candles
    }

    #[test]
    fn no_indicator_leaves_the_range_that_it_is_given() {
        let candles = wild();
        for spec in ALL {
            let numbers = spec.parameters.iter().filter_map(|parameter| match parameter.kind {
                ParameterKind::Integer { default, .. } => Some(f64::from(default)),
                ParameterKind::Number { default, .. } => Some(default),
                ParameterKind::Source { .. } => None,
            });
            let arguments = Arguments { numbers: numbers.collect(), source: Source::Close };
            for (output, column) in (spec.compute)(&candles, &arguments).into_iter().enumerate() {
                let call = IndicatorCall { spec, arguments: arguments.clone(), output };
                let Range { low, high } = of_indicator(&call);
                let values = (0..candles.len()).filter_map(|index| column.get(index));
                for value in values {
                    let is_in = value >= low - 1e-6 && value <= high + 1e-6;
                    assert!(is_in, "{} {output}: {value}", spec.name);
                }
            }
        }
    }
}
