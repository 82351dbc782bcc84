//! Whole numbers of 128 bits and, where those overflow, of 512.

use std::cmp::Ordering;

/// What exact arithmetic needs of a whole number; `None` is an overflow.
pub(crate) trait Integer: Copy + Ord {
    fn of(number: i128) -> Self;
    fn to_i128(self) -> Option<i128>;
    fn add(self, other: Self) -> Option<Self>;
    fn subtract(self, other: Self) -> Option<Self>;
    fn multiply(self, other: Self) -> Option<Self>;
    /// The quotient rounded down and the rest, which is never below 0. The divisor is above 0.
    fn divide(self, divisor: Self) -> Option<(Self, Self)>;

    /// 10 to that power.
    fn power_of_ten(exponent: u32) -> Option<Self> {
        if let Some(power) = POWERS.get(exponent as usize) {
            return Some(Self::of(*power));
        }
        let half = Self::power_of_ten(exponent / 2)?;
        half.multiply(half)?.multiply(Self::of(POWERS[(exponent % 2) as usize]))
    }
}

/// The powers of ten that 128 bits hold.
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < 39 {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

impl Integer for i128 {
    fn of(number: i128) -> Self {
        number
    }

    fn to_i128(self) -> Option<i128> {
        Some(self)
    }

    fn add(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }

    fn subtract(self, other: Self) -> Option<Self> {
        self.checked_sub(other)
    }

    fn multiply(self, other: Self) -> Option<Self> {
        // Nearly every amount fits into 64 bits, whose product needs one instruction.
        if let (Ok(one), Ok(two)) = (i64::try_from(self), i64::try_from(other)) {
            return Some(Self::from(one) * Self::from(two));
        }
        self.checked_mul(other)
    }

    fn divide(self, divisor: Self) -> Option<(Self, Self)> {
        if let (Ok(dividend), Ok(divisor)) = (u64::try_from(self), u64::try_from(divisor)) {
            let quotient = dividend.checked_div(divisor)?;
            return Some((quotient.into(), (dividend % divisor).into()));
        }
        Some((self.checked_div_euclid(divisor)?, self.checked_rem_euclid(divisor)?))
    }
}

const LIMBS: usize = 8;

/// Sign and magnitude; the least significant limb comes first. Zero is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wide {
    is_negative: bool,
    limbs: [u64; LIMBS],
}

impl Wide {
    fn new(is_negative: bool, limbs: [u64; LIMBS]) -> Self {
        Self { is_negative: is_negative && limbs != [0; LIMBS], limbs }
    }
}

impl Ord for Wide {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => compare(&self.limbs, &other.limbs),
            (true, true) => compare(&other.limbs, &self.limbs),
        }
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Integer for Wide {
    fn of(number: i128) -> Self {
        let mut limbs = [0; LIMBS];
        (limbs[0], limbs[1]) = halves(number.unsigned_abs());
        Self::new(number < 0, limbs)
    }

    fn to_i128(self) -> Option<i128> {
        if self.limbs[2..].iter().any(|limb| *limb != 0) {
            return None;
        }
        let magnitude = u128::from(self.limbs[1]) << 64 | u128::from(self.limbs[0]);
        let magnitude = i128::try_from(magnitude).ok()?;
        Some(if self.is_negative { -magnitude } else { magnitude })
    }

    fn add(self, other: Self) -> Option<Self> {
        if self.is_negative == other.is_negative {
            return Some(Self::new(self.is_negative, sum(&self.limbs, &other.limbs)?));
        }
        let (larger, smaller) = match compare(&self.limbs, &other.limbs) {
            Ordering::Less => (other, self),
            Ordering::Equal | Ordering::Greater => (self, other),
        };
        Some(Self::new(larger.is_negative, difference(&larger.limbs, &smaller.limbs)))
    }

    fn subtract(self, other: Self) -> Option<Self> {
        self.add(Self::new(!other.is_negative, other.limbs))
    }

    fn multiply(self, other: Self) -> Option<Self> {
        let mut limbs = [0; LIMBS];
        for (place, limb) in self.limbs.iter().enumerate().filter(|(_, limb)| **limb != 0) {
            let mut carry = 0;
            for (offset, factor) in other.limbs.iter().enumerate() {
                let product = u128::from(*limb) * u128::from(*factor) + u128::from(carry);
                let Some(at) = limbs.get_mut(place + offset) else {
                    if product != 0 {
                        return None;
                    }
                    continue;
                };
                (*at, carry) = halves(product + u128::from(*at));
            }
            if carry != 0 {
                return None;
            }
        }
        Some(Self::new(self.is_negative != other.is_negative, limbs))
    }

    fn divide(self, divisor: Self) -> Option<(Self, Self)> {
        if divisor <= Self::of(0) {
            return None;
        }
        let (quotient, rest) = long_division(&self.limbs, &divisor.limbs)?;
        let (quotient, rest) = (Self::new(self.is_negative, quotient), Self::new(false, rest));
        if !self.is_negative || rest == Self::of(0) {
            return Some((quotient, rest));
        }
        Some((quotient.subtract(Self::of(1))?, divisor.subtract(rest)?))
    }
}

fn halves(number: u128) -> (u64, u64) {
    #[expect(clippy::cast_possible_truncation, reason = "its two halves")]
    (number as u64, (number >> 64) as u64)
}

fn compare(one: &[u64; LIMBS], other: &[u64; LIMBS]) -> Ordering {
    one.iter().rev().cmp(other.iter().rev())
}

fn sum(one: &[u64; LIMBS], other: &[u64; LIMBS]) -> Option<[u64; LIMBS]> {
    let mut limbs = [0; LIMBS];
    let mut carry = 0;
    for (limb, (one, other)) in limbs.iter_mut().zip(one.iter().zip(other)) {
        (*limb, carry) = halves(u128::from(*one) + u128::from(*other) + u128::from(carry));
    }
    (carry == 0).then_some(limbs)
}

/// `larger − smaller`.
fn difference(larger: &[u64; LIMBS], smaller: &[u64; LIMBS]) -> [u64; LIMBS] {
    let mut limbs = [0; LIMBS];
    let mut borrow = false;
    for (limb, (one, other)) in limbs.iter_mut().zip(larger.iter().zip(smaller)) {
        let (without, below) = one.overflowing_sub(*other);
        let (left, below_again) = without.overflowing_sub(borrow.into());
        (*limb, borrow) = (left, below || below_again);
    }
    limbs
}

/// Bit by bit from the highest one: this wide it happens rarely.
fn long_division(
    dividend: &[u64; LIMBS],
    divisor: &[u64; LIMBS],
) -> Option<([u64; LIMBS], [u64; LIMBS])> {
    let (mut quotient, mut rest) = ([0; LIMBS], [0; LIMBS]);
    let limbs = dividend.iter().enumerate().rev().skip_while(|(_, limb)| **limb == 0);
    for (place, limb) in limbs {
        for bit in (0..64).rev() {
            rest = sum(&rest, &rest)?;
            rest[0] |= limb >> bit & 1;
            if compare(&rest, divisor) != Ordering::Less {
                rest = difference(&rest, divisor);
                quotient[place] |= 1 << bit;
            }
        }
    }
    Some((quotient, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wide(number: i128) -> Wide {
        Wide::of(number)
    }

    proptest! {
        #[test]
        fn both_widths_agree(a in any::<i128>(), b in any::<i128>(), shift in 0_u32..127) {
            let (a, b) = (a >> shift, b >> (127 - shift));
            prop_assert_eq!(wide(a).add(wide(b)).unwrap().to_i128(), Integer::add(a, b));
            prop_assert_eq!(wide(a).subtract(wide(b)).unwrap().to_i128(), a.subtract(b));
            prop_assert_eq!(wide(a).multiply(wide(b)).unwrap().to_i128(), a.multiply(b));
            prop_assert_eq!(wide(a).cmp(&wide(b)), a.cmp(&b));
            if b > 0 {
                let (quotient, rest) = wide(a).divide(wide(b)).unwrap();
                prop_assert_eq!((quotient.to_i128(), rest.to_i128()), (Some(a.div_euclid(b)), Some(a.rem_euclid(b))));
            }
        }

        #[test]
        fn a_product_is_divided_back(a in any::<i128>(), b in 1..i128::MAX, c in any::<u64>()) {
            let c = i128::from(c);
            let product = wide(a).multiply(wide(b)).unwrap().multiply(wide(b)).unwrap();
            let rest = wide(c).subtract(wide(0)).unwrap();
            prop_assume!(c < b);
            let (quotient, left) = product.add(rest).unwrap().divide(wide(b)).unwrap();
            prop_assert_eq!(quotient, wide(a).multiply(wide(b)).unwrap());
            prop_assert_eq!(left, rest);
        }
    }

    #[test]
    fn what_is_too_large_is_an_overflow() {
        let large = Wide::power_of_ten(150).unwrap();
        assert_eq!(large.divide(Wide::power_of_ten(140).unwrap()).unwrap().0, wide(10_000_000_000));
        assert_eq!(Wide::power_of_ten(155), None);
        assert_eq!(large.multiply(large), None);
        assert_eq!(large.to_i128(), None);
        assert_eq!(wide(1).divide(wide(0)), None);
        assert_eq!(<i128 as Integer>::power_of_ten(39), None);
    }
}
