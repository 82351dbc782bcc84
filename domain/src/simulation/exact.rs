//! Exact decimal arithmetic of the ledger: one rounding, half to even, at 8 decimals.

use rust_decimal::Decimal;

/// Decimals of every price, quantity, fee and cash amount.
pub(crate) const SCALE: u32 = 8;

/// The exact value of `value` rounded to 8 decimals; none when it is not finite or too large.
pub(crate) fn round_f64(value: f64) -> Option<Decimal> {
    if !value.is_finite() {
        return None;
    }
    let bits = value.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).ok()?;
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, shift) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | (1 << 52), exponent - 1075) };
    // Below 2⁸⁰, so that a shift that still fits a Decimal's 96 bits cannot overflow.
    let scaled = u128::from(mantissa) * 100_000_000;
    let rounded = match u32::try_from(shift) {
        Ok(left) if left <= 16 => scaled << left,
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
    let signed = if value < 0.0 { -magnitude } else { magnitude };
    if let Ok(small) = i64::try_from(signed) {
        return Some(shortest(small, SCALE));
    }
    Decimal::try_from_i128_with_scale(signed, SCALE).ok().map(|decimal| decimal.normalize())
}

/// The number that a person wrote, by its shortest decimal text (`0.001`, not its binary neighbour).
pub(crate) fn decimal(number: f64) -> Option<Decimal> {
    number.to_string().parse::<Decimal>().ok().map(|decimal| decimal.normalize())
}

/// The nearest `f64`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "the nearest f64 is what is asked for")]
pub(crate) fn to_f64(decimal: Decimal) -> f64 {
    const POWERS: [f64; 29] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28,
    ];
    let mantissa = match small(decimal) {
        Some((mantissa, _)) => mantissa as f64,
        None => decimal.mantissa() as f64,
    };
    mantissa / POWERS[decimal.scale() as usize]
}

/// `a × b`, rounded; none on overflow.
pub(crate) fn multiply(a: Decimal, b: Decimal) -> Option<Decimal> {
    if let (Some((a, a_scale)), Some((b, b_scale))) = (small(a), small(b))
        && let Some(product) = a.checked_mul(b)
        && a_scale + b_scale <= SMALL_SCALE_MAX
    {
        return Some(round_small(product, a_scale + b_scale));
    }
    round(a.mantissa().checked_mul(b.mantissa())?, a.scale() + b.scale())
}

/// `a × b + c`, rounded once; none on overflow.
pub(crate) fn multiply_add(a: Decimal, b: Decimal, c: Decimal) -> Option<Decimal> {
    if c.is_zero() {
        return multiply(a, b);
    }
    let product = a.mantissa().checked_mul(b.mantissa())?;
    let product_scale = a.scale() + b.scale();
    let scale = product_scale.max(c.scale());
    let lift = |mantissa: i128, from: u32| mantissa.checked_mul(10_i128.checked_pow(scale - from)?);
    round(lift(product, product_scale)?.checked_add(lift(c.mantissa(), c.scale())?)?, scale)
}

/// `a + b` of two amounts; none on overflow.
pub(crate) fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    if let Some(sum) = add_small(a, b) {
        return Some(sum);
    }
    a.checked_add(b).map(normalized)
}

fn add_small(a: Decimal, b: Decimal) -> Option<Decimal> {
    let ((a, a_scale), (b, b_scale)) = (small(a)?, small(b)?);
    let scale = a_scale.max(b_scale);
    let lift = |mantissa: i64, from: u32| mantissa.checked_mul(power(scale - from)?);
    Some(shortest(lift(a, a_scale)?.checked_add(lift(b, b_scale)?)?, scale))
}

/// `dividend ÷ divisor`, neither below 0 and the divisor above it, cut to `scale` decimals; none on overflow.
pub(crate) fn divide_down(dividend: Decimal, divisor: Decimal, scale: u32) -> Option<Decimal> {
    if let Some(quotient) = divide_down_small(dividend, divisor, scale) {
        return Some(quotient);
    }
    Some(normalized(dividend.checked_div(divisor)?.trunc_with_scale(scale)))
}

/// The same in 64 bits: the quotient's 28 digits are never rounded up to a whole one, so that it is their cut, too.
fn divide_down_small(dividend: Decimal, divisor: Decimal, scale: u32) -> Option<Decimal> {
    let ((dividend, from), (divisor, by)) = (small(dividend)?, small(divisor)?);
    let lifted = dividend.checked_mul(power((scale + by).checked_sub(from)?)?)?;
    (scale <= SCALE && dividend >= 0 && divisor > 0).then(|| shortest(lifted / divisor, scale))
}

/// `amount × part ÷ whole`, rounded; none on overflow. `whole` is not 0.
pub(crate) fn share(amount: Decimal, part: Decimal, whole: Decimal) -> Option<Decimal> {
    let share = amount.checked_mul(part.checked_div(whole)?)?;
    Some(share.round_dp(SCALE).normalize())
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

fn round(mantissa: i128, scale: u32) -> Option<Decimal> {
    if let Ok(small) = i64::try_from(mantissa)
        && scale <= SMALL_SCALE_MAX
    {
        return Some(round_small(small, scale));
    }
    let (mantissa, scale) = if scale <= SCALE {
        (mantissa, scale)
    } else {
        let divisor = 10_i128.checked_pow(scale - SCALE)?;
        let quotient = mantissa.div_euclid(divisor);
        let rest = mantissa - quotient * divisor;
        let half = divisor / 2;
        let up = rest > half || (rest == half && quotient & 1 == 1);
        (quotient + i128::from(up), SCALE)
    };
    Decimal::try_from_i128_with_scale(mantissa, scale).ok().map(|decimal| decimal.normalize())
}

/// The same in 64 bits.
fn round_small(mantissa: i64, scale: u32) -> Decimal {
    if scale <= SCALE {
        return shortest(mantissa, scale);
    }
    let divisor = 10_i64.pow(scale - SCALE);
    let quotient = mantissa.div_euclid(divisor);
    let rest = mantissa - quotient * divisor;
    let half = divisor / 2;
    let up = rest > half || (rest == half && quotient & 1 == 1);
    shortest(quotient + i64::from(up), SCALE)
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

    // Expected: Python's Decimal(x).quantize(Decimal("1e-8"), ROUND_HALF_EVEN) on the exact f64.
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
        assert_eq!(text(round_f64(value)), expected);
    }

    #[test]
    fn what_no_decimal_holds_is_none() {
        for value in [f64::NAN, f64::INFINITY, 1e30, -1e300] {
            assert_eq!(round_f64(value), None);
        }
        assert_eq!(multiply(Decimal::MAX, Decimal::TWO), None);
    }

    #[test]
    fn a_product_and_its_sum_are_rounded_once() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(text(multiply(d("0.00000003"), d("0.5"))), "0.00000002");
        assert_eq!(text(multiply(d("0.00000005"), d("0.5"))), "0.00000002");
        assert_eq!(text(multiply(d("-0.00000003"), d("0.5"))), "-0.00000002");
        assert_eq!(text(multiply_add(d("0.00000001"), d("0.5"), d("0.00000001"))), "0.00000002");
        assert_eq!(text(multiply_add(d("9990.00999"), d("0.001"), d("5"))), "14.99000999");
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
            let text: f64 = a.to_string().parse().unwrap();
            if a.mantissa().unsigned_abs() < 1 << 53 {
                proptest::prop_assert_eq!(to_f64(a).to_bits(), (text + 0.0).to_bits());
            }
        }
    }

    proptest::proptest! {
        /// Budgets around a whole number of lots, where a quotient's last digit could be rounded up to the next one.
        #[test]
        fn sums_and_cut_quotients_are_those_of_the_decimal_type(
            lots in 0_i64..1 << 20, price in 1_i64..1 << 40, change in -2_i64..3, c in 0_u32..9, d in 0_u32..9,
        ) {
            let (budget, unit) = (Decimal::new((lots * price + change).max(0), c), Decimal::new(price, d));
            let quotient = budget.checked_div(unit).map(|quotient| normalized(quotient.trunc_with_scale(SCALE)));
            proptest::prop_assert_eq!(divide_down(budget, unit, SCALE).map(|found| found.serialize()), quotient.map(|one| one.serialize()));
            let difference = budget.checked_sub(unit).map(|sum| sum.normalize().serialize());
            proptest::prop_assert_eq!(add(budget, -unit).map(|found| found.serialize()), difference);
        }
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(text(decimal(0.001)), "0.001");
        assert_eq!(text(decimal(30.0)), "30");
        assert_eq!(to_f64("94.905".parse().unwrap()).to_bits(), 94.905_f64.to_bits());
    }
}
