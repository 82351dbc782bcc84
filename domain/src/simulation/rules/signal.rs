//! Rules as bit columns: where they hold, and their texts.

use super::{
    Comparator, Comparison, Condition, Operand, Test,
    bits::Bits,
    series::{Indicators, Series},
};
use crate::simulation::{candles::Candles, fill_reason::FillReason};

/// A condition evaluated on every candle.
#[derive(Debug)]
pub(crate) struct Signal<'a> {
    /// Set where the condition holds.
    pub(crate) bits: Bits,
    parts: Parts<'a>,
}

#[derive(Debug)]
enum Parts<'a> {
    Text(&'a str, FillReason),
    Groups(Vec<Signal<'a>>),
}

impl<'a> Signal<'a> {
    /// Evaluates `condition`; its indicators have been computed.
    pub(crate) fn evaluate(
        condition: &'a Condition,
        indicators: &Indicators<'_>,
        candles: &Candles,
        crossings: &mut Crossings<'a>,
    ) -> Self {
        let mut inner = |conditions: &'a [Condition]| -> Vec<Self> {
            let all = conditions.iter();
            all.map(|inner| Self::evaluate(inner, indicators, candles, crossings)).collect()
        };
        match condition {
            Condition::Compare(comparison) => Self {
                bits: compare(comparison, indicators, candles, crossings),
                parts: Parts::Text(&comparison.text, comparison.text.as_str().into()),
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
    pub(crate) fn reason(&self, index: usize) -> FillReason {
        if let Parts::Text(_, reason) = &self.parts {
            return reason.clone();
        }
        let mut texts = Vec::new();
        self.collect(index, &mut texts);
        texts.join(" and ").into()
    }

    fn collect(&self, index: usize, texts: &mut Vec<&'a str>) {
        match &self.parts {
            Parts::Text(text, _) => texts.push(text),
            Parts::Groups(parts) => parts
                .iter()
                .filter(|part| part.bits.get(index))
                .for_each(|part| part.collect(index, texts)),
        }
    }
}

/// Where one operand is below another and where above: entries and exits often ask for the same two.
#[derive(Debug, Default)]
pub(crate) struct Crossings<'a>(Vec<Crossing<'a>>);

#[derive(Debug)]
struct Crossing<'a> {
    left: &'a Operand,
    right: &'a Operand,
    less: Bits,
    greater: Bits,
}

impl<'a> Crossings<'a> {
    /// Notes where `left` is below `right`, and where above.
    pub(super) fn insert(
        &mut self,
        (left, right): (&'a Operand, &'a Operand),
        less: Bits,
        greater: Bits,
    ) {
        self.0.push(Crossing { left, right, less, greater });
    }

    /// Whether a comparison follows from two operands that are known.
    pub(super) fn has(&self, comparison: &Comparison) -> bool {
        let Test::Is(comparator, right) = &comparison.test else { return false };
        let is_strict = comparator.is_crossing()
            || matches!(comparator, Comparator::Greater | Comparator::Less);
        is_strict && self.known(&comparison.left, right).is_some()
    }

    fn known(&self, left: &Operand, right: &Operand) -> Option<&Crossing<'a>> {
        self.0.iter().find(|known| known.left == left && known.right == right)
    }

    /// Where `left` crosses above `right`, or below it: on the other side on the candle before, both strictly.
    fn find(
        &mut self,
        (left, right): (&'a Operand, &'a Operand),
        is_above: bool,
        indicators: &Indicators<'_>,
        candles: &Candles,
    ) -> Bits {
        let known = self.0.iter().position(|known| known.left == left && known.right == right);
        let index = known.unwrap_or_else(|| {
            let series = [left, right].map(|operand| indicators.series(operand, candles));
            let (less, greater) = less_and_greater(&series[0], &series[1], candles.len());
            self.insert((left, right), less, greater);
            self.0.len() - 1
        });
        let Crossing { less, greater, .. } = &self.0[index];
        let (before, now) = if is_above { (less, greater) } else { (greater, less) };
        let mut bits = before.clone().moved_by_one();
        bits.and(now);
        bits
    }
}

fn compare<'a>(
    comparison: &'a Comparison,
    indicators: &Indicators<'_>,
    candles: &Candles,
    crossings: &mut Crossings<'a>,
) -> Bits {
    let len = candles.len();
    let series = |operand| indicators.series(operand, candles);
    let left = &comparison.left;
    match &comparison.test {
        Test::Is(comparator, right) => {
            let test = |test: fn(f64, f64) -> bool| pack(&series(left), &series(right), len, test);
            match comparator {
                Comparator::Greater if let Some(known) = crossings.known(left, right) => {
                    known.greater.clone()
                }
                Comparator::Less if let Some(known) = crossings.known(left, right) => {
                    known.less.clone()
                }
                Comparator::Greater => pack(&series(left), &series(right), len, |a, b| a > b),
                Comparator::GreaterOrEqual => test(|a, b| a >= b),
                Comparator::Less => pack(&series(left), &series(right), len, |a, b| a < b),
                Comparator::LessOrEqual => test(|a, b| a <= b),
                Comparator::Equal => test(|a, b| a == b),
                // `!=` alone holds for what is undefined.
                Comparator::NotEqual => test(|a, b| a != b && !a.is_nan() && !b.is_nan()),
                Comparator::CrossesAbove => {
                    crossings.find((left, right), true, indicators, candles)
                }
                Comparator::CrossesBelow => {
                    crossings.find((left, right), false, indicators, candles)
                }
            }
        }
        Test::Between(low, high) => {
            let left = series(left);
            let mut bits = pack(&left, &series(low), len, |a, b| a >= b);
            bits.and(&pack(&left, &series(high), len, |a, b| a <= b));
            bits
        }
    }
}

fn less_and_greater(left: &Series<'_>, right: &Series<'_>, len: usize) -> (Bits, Bits) {
    let (
        Series::Column { first_defined: left_first, values: left },
        Series::Column { first_defined: right_first, values: right },
    ) = (left, right)
    else {
        let less = pack(left, right, len, |a, b| a < b);
        return (less, pack(left, right, len, |a, b| a > b));
    };
    let (mut less, mut greater) = Bits::less_and_greater(left, right);
    let first_defined = *left_first.max(right_first);
    less.clear_before(first_defined);
    greater.clear_before(first_defined);
    (less, greater)
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
