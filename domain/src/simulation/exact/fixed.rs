//! Decimals of any scale, exact until they are rounded once.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{PRICE_SCALE_MAX, SCALE, integer::Integer};

/// `mantissa × 10^−scale`; `None` of its operations is an overflow of `I`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixed<I> {
    mantissa: I,
    scale: u32,
}

impl<I: Integer> Fixed<I> {
    /// That many units of a decimal place.
    pub(crate) const fn new(mantissa: I, scale: u32) -> Self {
        Self { mantissa, scale }
    }

    pub(crate) fn of(decimal: Decimal) -> Self {
        Self::new(I::of(decimal.mantissa()), decimal.scale())
    }

    pub(crate) fn times(self, other: Self) -> Option<Self> {
        Some(Self::new(self.mantissa.multiply(other.mantissa)?, self.scale + other.scale))
    }

    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let (one, other, scale) = self.aligned(other)?;
        Some(Self::new(one.add(other)?, scale))
    }

    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        let (one, other, scale) = self.aligned(other)?;
        Some(Self::new(one.subtract(other)?, scale))
    }

    pub(crate) fn negated(self) -> Option<Self> {
        Some(Self::new(I::of(0).subtract(self.mantissa)?, self.scale))
    }

    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        let (one, other, _) = self.aligned(other)?;
        Some(one.cmp(&other))
    }

    pub(crate) fn is_positive(self) -> bool {
        self.mantissa > I::of(0)
    }

    /// `self ÷ divisor` in units of a decimal place, rounded down. The divisor is above 0.
    pub(crate) fn divide_down(self, divisor: Self, scale: u32) -> Option<I> {
        let (dividend, divisor) = self.fraction(divisor, scale)?;
        Some(dividend.divide(divisor)?.0)
    }

    /// `self ÷ divisor`, rounded half to even. The divisor is above 0.
    pub(crate) fn divide(self, divisor: Self, scale: u32) -> Option<Decimal> {
        let (dividend, divisor) = self.fraction(divisor, scale)?;
        fit(half_even(dividend, divisor)?.to_i128()?, scale)
    }

    /// All its digits; `None` if a decimal does not hold them.
    pub(crate) fn exact(self) -> Option<Decimal> {
        fit(self.mantissa.to_i128()?, self.scale)
    }

    /// Rounded half to even.
    pub(crate) fn round(self, scale: u32) -> Option<Decimal> {
        if self.scale <= scale {
            return self.exact();
        }
        let divisor = I::power_of_ten(self.scale - scale)?;
        fit(half_even(self.mantissa, divisor)?.to_i128()?, scale)
    }

    /// Rounded half to even to the decimals of a price of its size.
    pub(crate) fn round_price(self) -> Option<Decimal> {
        let zero = I::of(0);
        let size = if self.mantissa < zero { zero.subtract(self.mantissa)? } else { self.mantissa };
        let mut scale = SCALE;
        // One more for each power of ten below 1.
        while scale < PRICE_SCALE_MAX {
            let below = scale - SCALE;
            if self.scale < below || size >= I::power_of_ten(self.scale - below)? {
                break;
            }
            scale += 1;
        }
        self.round(scale)
    }

    /// Dividend and divisor as whole numbers whose quotient counts units of that decimal place.
    fn fraction(self, divisor: Self, scale: u32) -> Option<(I, I)> {
        let (up, down) = (divisor.scale + scale, self.scale);
        let lifted = |number: I, by: u32, than: u32| {
            if by > than { number.multiply(I::power_of_ten(by - than)?) } else { Some(number) }
        };
        Some((lifted(self.mantissa, up, down)?, lifted(divisor.mantissa, down, up)?))
    }

    fn aligned(self, other: Self) -> Option<(I, I, u32)> {
        let scale = self.scale.max(other.scale);
        let lift = |number: Self| {
            if number.scale == scale {
                return Some(number.mantissa);
            }
            number.mantissa.multiply(I::power_of_ten(scale - number.scale)?)
        };
        Some((lift(self)?, lift(other)?, scale))
    }
}

fn half_even<I: Integer>(dividend: I, divisor: I) -> Option<I> {
    let (floor, rest) = dividend.divide(divisor)?;
    let is_odd = || Some(floor.divide(I::of(2))?.1 == I::of(1));
    let is_up = match rest.add(rest)?.cmp(&divisor) {
        Ordering::Less => false,
        Ordering::Equal => is_odd()?,
        Ordering::Greater => true,
    };
    if is_up { floor.add(I::of(1)) } else { Some(floor) }
}

/// The decimal without trailing zeros; `None` if its 96 bits or 28 decimals cannot hold it.
pub(super) fn fit(mut mantissa: i128, mut scale: u32) -> Option<Decimal> {
    if let Ok(small) = i64::try_from(mantissa)
        && scale <= Decimal::MAX_SCALE
    {
        return Some(super::shortest(small, scale));
    }
    while scale > 0 && mantissa % 10 == 0 {
        (mantissa, scale) = (mantissa / 10, scale - 1);
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}
