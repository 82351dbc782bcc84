//! A running sum of amounts of money.

use rust_decimal::Decimal;

use super::{SCALE, fixed, power, small};

/// Exact as far as a decimal holds the digits of what has more than 8 of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    /// Of what has at most 8 decimals and fits into 64 bits, as nearly every amount does: units of the last of them.
    units: i128,
    /// Of all others.
    rest: Decimal,
    is_beyond: bool,
}

impl Sum {
    pub(crate) fn add(&mut self, amount: Decimal) {
        let units = small(amount).and_then(|(mantissa, scale)| {
            let unit = power(SCALE.checked_sub(scale)?)?;
            self.units.checked_add(i128::from(mantissa) * i128::from(unit))
        });
        match (units, units.is_none().then(|| self.rest.checked_add(amount)).flatten()) {
            (Some(units), _) => self.units = units,
            (None, Some(rest)) => self.rest = rest,
            (None, None) => self.is_beyond = true,
        }
    }

    /// `None` beyond what a decimal holds.
    pub(crate) fn value(&self) -> Option<Decimal> {
        let sum = fixed::fit(self.units, SCALE)?.checked_add(self.rest)?;
        (!self.is_beyond).then(|| sum.normalize())
    }

    /// The largest decimal where the sum is beyond all of them.
    pub(crate) fn saturated(&self) -> Decimal {
        let is_negative = self.units < 0 || self.rest.is_sign_negative();
        self.value().unwrap_or(if is_negative { Decimal::MIN } else { Decimal::MAX })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sum_is_that_of_the_decimals(parts in proptest::collection::vec((-1_000_000_000_000..1_000_000_000_000_i64, 0..13_u32), 0..40)) {
            let amounts = parts.iter().map(|(mantissa, scale)| Decimal::new(*mantissa, *scale));
            let mut sum = Sum::default();
            amounts.clone().for_each(|amount| sum.add(amount));
            prop_assert_eq!(sum.value(), Some(amounts.sum::<Decimal>().normalize()));
        }
    }

    #[test]
    fn what_no_decimal_holds_has_no_value() {
        let mut sum = Sum::default();
        sum.add(Decimal::MAX);
        sum.add(Decimal::MAX);
        assert_eq!((sum.value(), sum.saturated()), (None, Decimal::MAX));
    }
}
