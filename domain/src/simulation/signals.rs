//! Rules as bit columns: where they hold, and in whose words.

use super::{
    bits::Bits,
    candles::Candles,
    rules::{Comparator, Comparison, Condition, Test},
    series::{Indicators, Series},
};

/// A condition evaluated on every candle.
#[derive(Debug)]
pub(crate) struct Signal<'a> {
    /// Set where the condition holds.
    pub(crate) bits: Bits,
    parts: Parts<'a>,
}

#[derive(Debug)]
enum Parts<'a> {
    Text(&'a str),
    Groups(Vec<Signal<'a>>),
}

impl<'a> Signal<'a> {
    /// Evaluates `condition`; its indicators have been computed.
    pub(crate) fn evaluate(
        condition: &'a Condition,
        indicators: &Indicators<'_>,
        candles: &Candles,
    ) -> Self {
        let inner = |conditions: &'a [Condition]| -> Vec<Self> {
            conditions.iter().map(|inner| Self::evaluate(inner, indicators, candles)).collect()
        };
        match condition {
            Condition::Compare(comparison) => Self {
                bits: compare(comparison, indicators, candles),
                parts: Parts::Text(&comparison.text),
            },
            Condition::All(conditions) => {
                let parts = inner(conditions);
                // A group is never empty; if it were, it would not hold.
                let mut bits = Bits::filled(candles.len(), !parts.is_empty());
                parts.iter().for_each(|part| bits.and(&part.bits));
                Self { bits, parts: Parts::Groups(parts) }
            }
            Condition::Any(conditions) => {
                let parts = inner(conditions);
                let mut bits = Bits::filled(candles.len(), false);
                parts.iter().for_each(|part| bits.or(&part.bits));
                Self { bits, parts: Parts::Groups(parts) }
            }
        }
    }

    /// The texts of the comparisons that made the condition true at `index`, joined by `and`.
    pub(crate) fn reason(&self, index: usize) -> String {
        let mut texts = Vec::new();
        self.collect(index, &mut texts);
        texts.join(" and ")
    }

    fn collect(&self, index: usize, texts: &mut Vec<&'a str>) {
        match &self.parts {
            Parts::Text(text) => texts.push(text),
            Parts::Groups(parts) => parts
                .iter()
                .filter(|part| part.bits.get(index))
                .for_each(|part| part.collect(index, texts)),
        }
    }
}

fn compare(comparison: &Comparison, indicators: &Indicators<'_>, candles: &Candles) -> Bits {
    let left = indicators.series(&comparison.left, candles);
    let len = candles.len();
    match &comparison.test {
        Test::Is(comparator, right) => {
            let right = indicators.series(right, candles);
            let test = |test: fn(f64, f64) -> bool| pack(&left, &right, len, test);
            match comparator {
                Comparator::Greater => pack(&left, &right, len, |a, b| a > b),
                Comparator::GreaterOrEqual => test(|a, b| a >= b),
                Comparator::Less => pack(&left, &right, len, |a, b| a < b),
                Comparator::LessOrEqual => test(|a, b| a <= b),
                Comparator::Equal => test(|a, b| a == b),
                // `!=` alone holds for what is undefined.
                Comparator::NotEqual => test(|a, b| a != b && !a.is_nan() && !b.is_nan()),
                Comparator::CrossesAbove => crosses(&left, &right, len),
                Comparator::CrossesBelow => crosses(&right, &left, len),
            }
        }
        Test::Between(low, high) => {
            let (low, high) = (indicators.series(low, candles), indicators.series(high, candles));
            let mut bits = pack(&left, &low, len, |a, b| a >= b);
            bits.and(&pack(&left, &high, len, |a, b| a <= b));
            bits
        }
    }
}

/// Below on the candle before and above on this one, both strictly.
fn crosses(left: &Series<'_>, right: &Series<'_>, len: usize) -> Bits {
    let mut bits = pack(left, right, len, |a, b| a < b).moved_by_one();
    bits.and(&pack(left, right, len, |a, b| a > b));
    bits
}

fn pack(
    left: &Series<'_>,
    right: &Series<'_>,
    len: usize,
    test: impl Fn(f64, f64) -> bool,
) -> Bits {
    let (first_defined, mut bits) = match (left, right) {
        (Series::Constant(left), Series::Constant(right)) => {
            (0, Bits::filled(len, test(*left, *right)))
        }
        (Series::Column { first_defined, values }, Series::Constant(right)) => {
            (*first_defined, Bits::of(values, |left| test(left, *right)))
        }
        (Series::Constant(left), Series::Column { first_defined, values }) => {
            (*first_defined, Bits::of(values, |right| test(*left, right)))
        }
        (
            Series::Column { first_defined: left_first, values: left },
            Series::Column { first_defined: right_first, values: right },
        ) => (*left_first.max(right_first), Bits::of_pairs(left, right, test)),
    };
    bits.clear_before(first_defined);
    bits
}
