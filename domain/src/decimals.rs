//! How many digits after the point the prices and volumes of a series have.

use crate::simulation::Candles;

/// The most digits after the point that are stored.
const DECIMALS_MAX: u32 = 18;
/// Digits that a price has at most, counted from its first one; further ones are noise of the arithmetic that made it.
const SIGNIFICANT_MAX: i32 = 9;
/// Exchanges trade in lots of up to eight places: such a volume is no noise, whatever its size, and sums must stay exact.
const LOT_DECIMALS: u32 = 8;
/// Values of which one may need more digits.
const VALUES_PER_OUTLIER: usize = 1_000;

/// Digits after the point of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimals {
    pub price: u32,
    pub volume: u32,
}

impl Decimals {
    /// The decimals that hold 99.9 % of the values, trailing zeros dropped, and at most those that nine significant digits of
    /// the median need. Volumes keep eight places even so.
    #[must_use]
    pub fn of(candles: &Candles) -> Self {
        let Candles { open, high, low, close, volume, .. } = candles;
        Self {
            price: needed_by_most(&[open, high, low, close]).min(of_median(close)),
            volume: needed_by_most(&[volume]).min(of_median(volume).max(LOT_DECIMALS)),
        }
    }

    /// The decimals that hold the values of both.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { price: self.price.max(other.price), volume: self.volume.max(other.volume) }
    }
}

/// The decimals with which all but one in a thousand values can be written.
fn needed_by_most(columns: &[&Vec<f64>]) -> u32 {
    let mut counts = [0_usize; DECIMALS_MAX as usize + 1];
    for value in columns.iter().copied().flatten() {
        counts[needed(*value) as usize] += 1;
    }
    let mut outliers = counts.iter().sum::<usize>() / VALUES_PER_OUTLIER;
    let from_the_end = (0..=DECIMALS_MAX).rev();
    let needed = from_the_end.skip_while(|decimals| {
        let count = counts[*decimals as usize];
        let is_rare = count <= outliers;
        outliers = outliers.saturating_sub(count);
        is_rare && *decimals > 0
    });
    needed.into_iter().next().unwrap_or(0)
}

/// The decimals of the shortest text that is read as this value, at most 18.
fn needed(value: f64) -> u32 {
    if value.fract() == 0.0 {
        return 0;
    }
    let mut scale = 1.0;
    for decimals in 1..=DECIMALS_MAX {
        scale *= 10.0;
        let digits = (value * scale).round();
        // Beyond 2^53 digits are not whole numbers any more.
        if digits.abs() > 9_007_199_254_740_992.0 {
            break;
        }
        if digits / scale == value {
            return decimals;
        }
    }
    let text = value.to_string();
    let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    u32::try_from(digits).unwrap_or(DECIMALS_MAX).min(DECIMALS_MAX)
}

/// The decimals that nine significant digits of the median have; of all values above 0.
#[expect(clippy::cast_possible_truncation, reason = "an exponent of ten")]
fn of_median(values: &[f64]) -> u32 {
    let mut above_zero: Vec<f64> = values.iter().copied().filter(|value| *value > 0.0).collect();
    if above_zero.is_empty() {
        return DECIMALS_MAX;
    }
    let middle = above_zero.len() / 2;
    let median = *above_zero.select_nth_unstable_by(middle, f64::total_cmp).1;
    let exponent = libm::floor(libm::log10(median)) as i32;
    u32::try_from(SIGNIFICANT_MAX - 1 - exponent).unwrap_or(0).min(DECIMALS_MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::market::Candle;

    fn series(rows: impl IntoIterator<Item = (f64, f64)>) -> Candles {
        let candle = |(i, (price, volume)): (i64, (f64, f64))| Candle {
            open_time: i,
            open: price,
            high: price,
            low: price,
            close: price,
            volume,
        };
        (0..).zip(rows).map(candle).collect()
    }

    #[rstest]
    #[case(100.0, 0)]
    #[case(90_802.44, 2)]
    #[case(1.07219, 5)]
    #[case(1.45e-8, 10)]
    #[case(2e-9, 9)]
    #[case(0.1 + 0.2, 17)]
    #[case(1e-12, 12)]
    #[case(5e-324, 18)]
    #[case(123_456_789.123_456, 6)]
    #[case(1e22, 0)]
    fn a_value_needs_the_decimals_of_its_shortest_text(#[case] value: f64, #[case] expected: u32) {
        assert_eq!(needed(value), expected);
    }

    #[rstest]
    // Bitcoin has cents; noise of an adjusted price ends with the ninth significant digit.
    #[case(30_000.25, 2)]
    #[case(30_000.250_000_000_004, 4)]
    #[case(72.538_505_554_199, 7)]
    #[case(0.000_014_53, 8)]
    #[case(0.000_000_012_345_678_912, 16)]
    #[case(1e-12, 12)]
    fn prices_have_at_most_nine_significant_digits(#[case] price: f64, #[case] expected: u32) {
        assert_eq!(Decimals::of(&series([(price, 1.0)])).price, expected);
    }

    #[rstest]
    #[case(12_345.678_9, 4)]
    #[case(40_123.123_456, 6)]
    #[case(40_123.123_456_78, 8)]
    #[case(12_599.999_899_999_999, 8)]
    #[case(0.0, 0)]
    #[case(0.000_000_000_012, 12)]
    fn volumes_keep_the_places_of_lots(#[case] volume: f64, #[case] expected: u32) {
        assert_eq!(Decimals::of(&series([(1.0, volume)])).volume, expected);
    }

    #[test]
    fn one_value_in_a_thousand_may_need_more() {
        let prices = |rare: usize, all: usize| {
            let of = |i| if i < rare { (1.2345, 1.0) } else { (1.5, 1.0) };
            Decimals::of(&series((0..all).map(of))).price
        };
        assert_eq!((prices(1, 1_000), prices(1, 999), prices(2, 1_000)), (1, 4, 4));
        assert_eq!(prices(2, 2_000), 1);
    }

    #[test]
    fn nothing_needs_no_decimals() {
        assert_eq!(Decimals::of(&Candles::default()), Decimals { price: 0, volume: 0 });
    }
}
