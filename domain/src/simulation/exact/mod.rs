//! Exact decimal arithmetic of the ledger: money is rounded once, half to even, to 8 decimals, and a price to 8 decimals
//! or 9 significant digits, whichever is finer.

mod fixed;
mod integer;
mod sum;

use rust_decimal::Decimal;

pub(crate) use self::{
    fixed::Fixed,
    integer::{Integer, Wide},
    sum::Sum,
};

/// Decimals of every quantity, fee and cash amount, and the fewest of a price.
pub(crate) const SCALE: u32 = 8;

/// The most decimals of a price: 9 significant digits of [`PRICE_MIN`].
const PRICE_SCALE_MAX: u32 = 20;

/// The lowest price that can be traded, 1e-12.
pub(crate) const PRICE_MIN: Decimal = Decimal::from_parts(1, 0, 0, false, 12);

/// The exact value of `value` rounded to the decimals of a price of its size; `None` if it is not finite or too large.
pub(crate) fn price(value: f64) -> Option<Decimal> {
    let size = value.abs();
    round_f64(value, if size >= 1.0 { SCALE } else { significant(size).max(SCALE) })
}

/// `value` rounded to 4 decimals or 9 significant digits, whichever is finer: the nearest number to that decimal, which
/// its shortest text says. Too large a number has no decimals and stays.
pub(crate) fn equity(value: f64) -> f64 {
    round_f64(value, significant(value.abs())).map_or(value, to_f64)
}

/// The decimals that 9 significant digits of a number of that size have, at least 4 and at most 20.
fn significant(size: f64) -> u32 {
    /// Below each of them they have one more.
    const STEPS: [f64; 16] = [
        1e4, 1e3, 1e2, 1e1, 1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11,
    ];
    STEPS.iter().take_while(|step| size < **step).fold(4, |decimals, _| decimals + 1)
}

/// The exact value of `value` rounded to that many decimals, at most 20; `None` if it is not finite or too large.
pub(crate) fn round_f64(value: f64, scale: u32) -> Option<Decimal> {
    if !value.is_finite() || scale > PRICE_SCALE_MAX {
        return None;
    }
    let bits = value.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).ok()?;
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, shift) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | (1 << 52), exponent - 1075) };
    // Below 2⁸⁰ at 8 decimals, so that a shift that still fits a Decimal's 96 bits cannot overflow; at 20 below 2¹²⁰.
    let scaled = u128::from(mantissa) * i128::power_of_ten(scale)?.unsigned_abs();
    let rounded = match u32::try_from(shift) {
        Ok(left) if left <= 16 => scaled.checked_shl(left).filter(|all| all >> left == scaled)?,
        Ok(_) => return None,
        Err(_) if shift < -127 => 0,
        Err(_) => {
            let right = shift.unsigned_abs();
            let (floor, rest, half) =
                (scaled >> right, scaled & ((1 << right) - 1), 1 << (right - 1));
            let up = rest > half || (rest == half && floor & 1 == 1);
            floor + u128::from(up)
        }
    };
    let magnitude = i128::try_from(rounded).ok()?;
    fixed::fit(if value < 0.0 { -magnitude } else { magnitude }, scale)
}

/// The number that a person wrote, by its shortest decimal text (`0.001`, not its binary neighbour); `None` if it has
/// more digits than a decimal.
pub(crate) fn decimal(number: f64) -> Option<Decimal> {
    Decimal::from_str_exact(&number.to_string()).ok().map(normalized)
}

/// A candle's price as it was written; one with more digits than a decimal is rounded like a price.
pub(crate) fn written(value: f64) -> Option<Decimal> {
    /// Below it two neighbouring numbers lie less than 1e-8 apart.
    const DENSE_BELOW: f64 = 6e7;
    let rounded = price(value)?;
    let is_written = value.abs() < DENSE_BELOW && to_f64(rounded).to_bits() == value.to_bits();
    if is_written { Some(rounded) } else { decimal(value).or(Some(rounded)) }
}

/// What a percent value is as a fraction: the same digits, two places further right.
pub(crate) fn fraction(percent: Decimal) -> Option<Decimal> {
    let mut fraction = percent;
    fraction.set_scale(percent.scale() + 2).ok()?;
    Some(normalized(fraction))
}

/// The nearest `f64`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, and asked for where it is whole")]
pub(crate) fn to_f64(decimal: Decimal) -> f64 {
    /// Exact, so that one division rounds once.
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    if let Some((mantissa, scale)) = small(decimal)
        && mantissa.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS
        && let Some(power) = POWERS.get(scale as usize)
    {
        return mantissa as f64 / power;
    }
    if decimal.scale() == 0 {
        return decimal.mantissa() as f64;
    }
    // Every text of a decimal is a number.
    decimal.to_string().parse().unwrap_or_default()
}

/// `a × b`, rounded; `None` on overflow.
pub(crate) fn multiply(a: Decimal, b: Decimal) -> Option<Decimal> {
    if let (Some((a, a_scale)), Some((b, b_scale))) = (small(a), small(b))
        && let Some(product) = a.checked_mul(b)
        && a_scale + b_scale <= SMALL_SCALE_MAX
    {
        return Some(round_small(product, a_scale + b_scale));
    }
    product_in::<i128>(a, b).or_else(|| product_in::<Wide>(a, b))
}

fn product_in<I: Integer>(a: Decimal, b: Decimal) -> Option<Decimal> {
    Fixed::<I>::of(a).times(Fixed::of(b))?.round(SCALE)
}

/// `a × b` with all its digits; `None` if a decimal does not hold them.
pub(crate) fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    if let (Some((a, a_scale)), Some((b, b_scale))) = (small(a), small(b))
        && let Some(product) = a.checked_mul(b)
        && a_scale + b_scale <= Decimal::MAX_SCALE
    {
        return Some(shortest(product, a_scale + b_scale));
    }
    fixed::fit(a.mantissa().checked_mul(b.mantissa())?, a.scale() + b.scale())
}

/// `a × b + c`, rounded once; `None` on overflow.
pub(crate) fn multiply_add(a: Decimal, b: Decimal, c: Decimal) -> Option<Decimal> {
    if c.is_zero() {
        return multiply(a, b);
    }
    sum_in::<i128>(a, b, c).or_else(|| sum_in::<Wide>(a, b, c))
}

fn sum_in<I: Integer>(a: Decimal, b: Decimal, c: Decimal) -> Option<Decimal> {
    Fixed::<I>::of(a).times(Fixed::of(b))?.plus(Fixed::of(c))?.round(SCALE)
}

/// The level at `price × factor`, rounded like a price; `None` on overflow.
pub(crate) fn level(price: Decimal, factor: Decimal) -> Option<Decimal> {
    level_in::<i128>(price, factor).or_else(|| level_in::<Wide>(price, factor))
}

fn level_in<I: Integer>(price: Decimal, factor: Decimal) -> Option<Decimal> {
    Fixed::<I>::of(price).times(Fixed::of(factor))?.round_price()
}

/// `a + b` with all its digits; `None` if a decimal does not hold them.
pub(crate) fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    if let Some(sum) = add_small(a, b) {
        return Some(sum);
    }
    let sum = Fixed::<i128>::of(a).plus(Fixed::of(b))?;
    sum.exact()
}

fn add_small(a: Decimal, b: Decimal) -> Option<Decimal> {
    let ((a, a_scale), (b, b_scale)) = (small(a)?, small(b)?);
    let scale = a_scale.max(b_scale);
    let lift = |mantissa: i64, from: u32| mantissa.checked_mul(power(scale - from)?);
    Some(shortest(lift(a, a_scale)?.checked_add(lift(b, b_scale)?)?, scale))
}

/// `dividend ÷ divisor`, the divisor above 0, cut to `scale` decimals; `None` below 0 and where 64 bits are too few.
pub(crate) fn divide_down_small(
    dividend: Decimal,
    divisor: Decimal,
    scale: u32,
) -> Option<Decimal> {
    let ((dividend, from), (divisor, by)) = (small(dividend)?, small(divisor)?);
    let lifted = dividend.checked_mul(power((scale + by).checked_sub(from)?)?)?;
    (dividend >= 0).then(|| shortest(lifted / divisor, scale))
}

/// `amount × part ÷ whole`, rounded once; `None` on overflow. `whole` is above 0.
pub(crate) fn share(amount: Decimal, part: Decimal, whole: Decimal) -> Option<Decimal> {
    share_in::<i128>(amount, part, whole).or_else(|| share_in::<Wide>(amount, part, whole))
}

fn share_in<I: Integer>(amount: Decimal, part: Decimal, whole: Decimal) -> Option<Decimal> {
    Fixed::<I>::of(amount).times(Fixed::of(part))?.divide(Fixed::of(whole), SCALE)
}

/// The whole multiples of `unit` in `amount × part`, neither below 0; `None` on overflow.
pub(crate) fn whole_units(amount: Decimal, part: Decimal, unit: Decimal) -> Option<Decimal> {
    units_in::<i128>(amount, part, unit).or_else(|| units_in::<Wide>(amount, part, unit))
}

fn units_in<I: Integer>(amount: Decimal, part: Decimal, unit: Decimal) -> Option<Decimal> {
    let units = Fixed::<I>::of(amount).times(Fixed::of(part))?.divide_down(Fixed::of(unit), 0)?;
    Fixed::new(units, 0).times(Fixed::of(unit))?.exact()
}

/// Scales up to which 64 bits hold the power of ten that rounds to 8 decimals.
const SMALL_SCALE_MAX: u32 = SCALE + 18;

/// Mantissa and scale where 64 bits hold the mantissa, which they do of nearly every amount.
fn small(decimal: Decimal) -> Option<(i64, u32)> {
    let parts = decimal.unpack();
    if parts.hi != 0 {
        return None;
    }
    let magnitude = i64::try_from(u64::from(parts.mid) << 32 | u64::from(parts.lo)).ok()?;
    Some((if parts.negative { -magnitude } else { magnitude }, parts.scale))
}

/// Returns 10 to that power; `None` if it does not fit into 64 bits.
fn power(exponent: u32) -> Option<i64> {
    const POWERS: [i64; 19] = {
        let mut powers = [1; 19];
        let mut exponent = 1;
        while exponent < 19 {
            powers[exponent] = powers[exponent - 1] * 10;
            exponent += 1;
        }
        powers
    };
    POWERS.get(exponent as usize).copied()
}

/// The nearest with 8 decimals, half to even.
fn round_small(mantissa: i64, scale: u32) -> Decimal {
    if scale <= SCALE {
        return shortest(mantissa, scale);
    }
    // A division by a constant is a product; these are the digits that prices and rates have beyond 8.
    let rounded = match scale - SCALE {
        1 => quotient(mantissa, 10),
        2 => quotient(mantissa, 100),
        3 => quotient(mantissa, 1_000),
        4 => quotient(mantissa, 10_000),
        8 => quotient(mantissa, 100_000_000),
        beyond => quotient(mantissa, 10_i64.pow(beyond)),
    };
    shortest(rounded, SCALE)
}

/// The quotient, rounded half to even.
#[inline(always)]
fn quotient(mantissa: i64, divisor: i64) -> i64 {
    let quotient = mantissa.div_euclid(divisor);
    let rest = mantissa - quotient * divisor;
    let half = divisor / 2;
    let up = rest > half || (rest == half && quotient & 1 == 1);
    quotient + i64::from(up)
}

/// The same number without trailing zeros.
pub(crate) fn normalized(decimal: Decimal) -> Decimal {
    match small(decimal) {
        Some((mantissa, scale)) => shortest(mantissa, scale),
        None => decimal.normalize(),
    }
}

fn shortest(mut mantissa: i64, mut scale: u32) -> Decimal {
    if mantissa == 0 {
        return Decimal::ZERO;
    }
    while scale >= 4 && mantissa % 10_000 == 0 {
        (mantissa, scale) = (mantissa / 10_000, scale - 4);
    }
    while scale > 0 && mantissa % 10 == 0 {
        (mantissa, scale) = (mantissa / 10, scale - 1);
    }
    Decimal::new(mantissa, scale)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn text(decimal: Option<Decimal>) -> String {
        decimal.unwrap().to_string()
    }

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    // Expected: Python's Decimal(x).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN) on the exact f64.
    #[rstest]
    #[case(100.05, "100.05")]
    #[case(0.1, "0.1")]
    #[case(0.000_000_005, "0.00000001")] // the f64 lies above the tie
    #[case(0.001_953_125, "0.00195312")] // 2⁻⁹: an exact tie, to even
    #[case(0.005_859_375, "0.00585938")] // 3 × 2⁻⁹: an exact tie, to even
    #[case(-14_378.99, "-14378.99")]
    #[case(1e-300, "0")]
    #[case(0.0, "0")]
    #[case(123_456_789.123_456_78, "123456789.12345678")]
    fn an_f64_is_rounded_half_even_to_8_decimals(#[case] value: f64, #[case] expected: &str) {
        assert_eq!(text(round_f64(value, 8)), expected);
    }

    // Expected: the same with the decimals of 9 significant digits, at least 8 and at most 20.
    #[rstest]
    #[case(100.05, "100.05")]
    #[case(33_333_333.333_333_332, "33333333.33333333")]
    #[case(0.5000000005, "0.500000001")]
    #[case(0.123456789123, "0.123456789")]
    #[case(0.0123456785, "0.0123456785")]
    #[case(9.99999999999e-5, "0.0001")]
    #[case(-1.234567891e-5, "-0.0000123456789")]
    #[case(2.9e-8, "0.000000029")]
    #[case(1.45e-8, "0.0000000145")]
    #[case(2e-9, "0.000000002")]
    #[case(1.23456789012e-12, "0.00000000000123456789")]
    #[case(1e-12, "0.000000000001")]
    #[case(4.5e-21, "0")]
    fn a_price_keeps_8_decimals_and_9_significant_digits(
        #[case] value: f64,
        #[case] expected: &str,
    ) {
        assert_eq!(text(price(value)), expected);
    }

    // Expected: the same with the decimals of 9 significant digits, at least 4, and float() of that.
    #[rstest]
    #[case(10_000.0, 10_000.0)]
    #[case(9_990.001_48, 9_990.001_48)]
    #[case(9_990.001_485_5, 9_990.001_49)]
    #[case(10_351.481_479_48, 10_351.481_5)]
    #[case(10_000.031_25, 10_000.031_2)] // an exact tie, to even
    #[case(10_000.093_75, 10_000.093_8)] // an exact tie, to even
    #[case(10_000.000_05, 10_000.000_1)] // the f64 lies above the tie
    #[case(9_999.999_996, 10_000.0)]
    #[case(0.123_456_789_123, 0.123_456_789)]
    #[case(1.234_567_891_2e-9, 1.234_567_89e-9)]
    #[case(-0.000_012_345_678_917, -0.000_012_345_678_9)]
    #[case(4.5e-21, 0.0)]
    #[case(1_099_511_627_776.000_2, 1_099_511_627_776.000_2)]
    #[case(1.234_567_890_123_45e30, 1.234_567_890_123_45e30)]
    fn equity_keeps_4_decimals_or_9_significant_digits(#[case] value: f64, #[case] expected: f64) {
        assert_eq!(equity(value).to_bits(), expected.to_bits());
    }

    #[test]
    fn what_no_decimal_holds_is_none() {
        for value in [f64::NAN, f64::INFINITY, 1e30, -1e300] {
            assert_eq!((price(value), written(value)), (None, None));
        }
        assert_eq!(multiply(Decimal::MAX, Decimal::TWO), None);
        assert_eq!(add(Decimal::MAX, d("0.1")), None);
        assert_eq!(add(Decimal::MAX, Decimal::ONE), None);
        assert_eq!((decimal(1e-29), decimal(1e29)), (None, None));
        assert_eq!(fraction(d("0.000000000000000000000000001")), None);
    }

    #[test]
    fn a_product_and_its_sum_are_rounded_once() {
        assert_eq!(text(multiply(d("0.00000003"), d("0.5"))), "0.00000002");
        assert_eq!(text(multiply(d("0.00000005"), d("0.5"))), "0.00000002");
        assert_eq!(text(multiply(d("-0.00000003"), d("0.5"))), "-0.00000002");
        assert_eq!(text(multiply_add(d("0.00000001"), d("0.5"), d("0.00000001"))), "0.00000002");
        assert_eq!(text(multiply_add(d("9990.00999"), d("0.001"), d("5"))), "14.99000999");
    }

    // Expected: Python's fractions.Fraction, rounded half to even.
    #[test]
    fn a_share_is_rounded_once() {
        // 1 ÷ 6 has no end: rounded before it is multiplied, half a unit would look like more.
        assert_eq!(text(share(d("0.00000003"), d("1"), d("6"))), "0");
        assert_eq!(text(share(d("0.00000009"), d("1"), d("6"))), "0.00000002");
        assert_eq!(text(share(d("-0.00000009"), d("1"), d("6"))), "-0.00000002");
        let amount = d("79228162514.26433759");
        let (part, whole) = (d("777777777777777777.77777777"), d("999999999999999999.99999999"));
        assert_eq!(text(share(amount, part, whole)), "61621904177.76115146");
    }

    #[test]
    fn what_128_bits_do_not_hold_is_made_in_more() {
        // Both of about 89 bits at 8 decimals; times 1e-20 the product fits again.
        let (quantity, price) = (d("7000000000000000000.12345678"), d("0.00000000000123456789"));
        assert_eq!(text(multiply(quantity, price)), "8641975.23");
        let rate = d("0.0001234567890123456789012345");
        assert_eq!(text(multiply(quantity, rate)), "864197523086419.75232388");
        assert_eq!(text(multiply_add(quantity, rate, d("0.5"))), "864197523086420.25232388");
        assert_eq!(text(whole_units(quantity, rate, d("0.3"))), "864197523086419.5");
    }

    proptest::proptest! {
        /// `Decimal` itself, which rounds half to even too.
        #[test]
        fn products_and_numbers_are_those_of_the_decimal_type(
            a in -(1_i64 << 53)..1_i64 << 53, b in -(1_i64 << 40)..1_i64 << 40, c in 0_u32..9, d in 0_u32..9,
        ) {
            let (a, b) = (Decimal::new(a, c), Decimal::new(b, d));
            let product = a.checked_mul(b).map(|product| product.round_dp(SCALE).normalize());
            proptest::prop_assert_eq!(multiply(a, b).map(|found| found.serialize()), product.map(|one| one.serialize()));
            proptest::prop_assert_eq!(normalized(a).serialize(), a.normalize().serialize());
            let difference = a.checked_sub(b).map(|sum| sum.normalize().serialize());
            proptest::prop_assert_eq!(add(a, -b).map(|found| found.serialize()), difference);
        }

        /// Budgets around a whole number of units.
        #[test]
        fn a_cut_quotient_is_that_of_more_bits(
            units in 0_i64..1 << 20, price in 1_i64..1 << 40, change in -2_i64..3, c in 0_u32..9, d in 0_u32..9,
        ) {
            let (budget, unit) = (Decimal::new((units * price + change).max(0), c), Decimal::new(price, d));
            let quotient = Fixed::<Wide>::of(budget).divide_down(Fixed::of(unit), SCALE).unwrap();
            let expected = Fixed::new(quotient, SCALE).exact().unwrap();
            if let Some(found) = divide_down_small(budget, unit, SCALE) {
                proptest::prop_assert_eq!(found.serialize(), expected.serialize());
            }
            if let Some(found) = product(budget, unit) {
                proptest::prop_assert_eq!(found, budget * unit);
            }
        }

        #[test]
        fn a_decimal_becomes_the_nearest_number(low: u32, middle: u32, high: u32, scale in 0_u32..29) {
            let decimal = Decimal::from_parts(low, middle, high, false, scale);
            let nearest: f64 = decimal.to_string().parse().unwrap();
            proptest::prop_assert_eq!(to_f64(decimal).to_bits(), nearest.to_bits());
        }

        /// What is written with up to 17 digits is read back with them.
        #[test]
        fn a_price_is_read_as_it_was_written(mantissa in 1_i64..1 << 53, scale in 0_u32..26) {
            let text = Decimal::new(mantissa, scale);
            let value: f64 = text.to_string().parse().unwrap();
            proptest::prop_assume!(value > 1e-12);
            let shortest: Decimal = value.to_string().parse().unwrap();
            proptest::prop_assert_eq!(written(value), Some(shortest));
        }

        #[test]
        fn levels_and_units_are_those_of_the_decimal_type(
            mantissa in 1_i64..1_000_000_000, scale in 0_u32..18, factor in 1_i64..30_000,
        ) {
            let (from, factor) = (Decimal::new(mantissa, scale), Decimal::new(factor, 4));
            let exactly = from * factor;
            let expected = if exactly < Decimal::ONE { exactly.round_sf(9).unwrap() } else { exactly.round_dp(8) };
            proptest::prop_assume!(exactly > PRICE_MIN);
            proptest::prop_assert_eq!(level(from, factor), Some(expected));
            let unit = Decimal::new(3, 2);
            let units = (exactly / unit).floor() * unit;
            proptest::prop_assert_eq!(whole_units(from, factor, unit), Some(units));
        }
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(text(decimal(0.001)), "0.001");
        assert_eq!(text(decimal(30.0)), "30");
        assert_eq!(to_f64("94.905".parse().unwrap()).to_bits(), 94.905_f64.to_bits());
    }
}
