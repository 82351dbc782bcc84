//! Levels meet prices to the last digit: at every percentage, whatever the price, a candle that touches a level fills
//! there, and one that ends a step before it does not.
//!
//! Expected levels come from `rust_decimal`: the digits of the price times those of 1 ± the percentage, rounded half to
//! even to 8 decimals or 9 significant digits.

use proptest::prelude::*;

use super::{
    fills::{body, free},
    *,
};

/// A market's price and a percentage in hundredths.
#[derive(Debug, Clone, Copy)]
struct Quote {
    price: Decimal,
    hundredths: i64,
}

fn any_quote(hundredths: std::ops::Range<i64>) -> impl Strategy<Value = Quote> {
    // From 1e-9 to 1e7, with up to nine digits.
    let price = (1_u32..10, 100_000_000_i64..1_000_000_000).prop_flat_map(|(digits, mantissa)| {
        let mantissa = mantissa / 10_i64.pow(9 - digits);
        (digits + 9 - 7..digits + 9).prop_map(move |scale| Decimal::new(mantissa, scale))
    });
    let dear =
        (1_i64..10_000_000, 0_u32..3).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale));
    (prop_oneof![price, dear], hundredths)
        .prop_map(|(price, hundredths)| Quote { price, hundredths })
}

impl Quote {
    fn percent(self) -> f64 {
        real(Decimal::new(self.hundredths, 2))
    }

    /// The level that far above (1) or below (−1) the price, as a number.
    fn level(self, sign: i64) -> f64 {
        let exactly = self.price * Decimal::new(10_000 + sign * self.hundredths, 4);
        real(if exactly < Decimal::ONE {
            exactly.round_sf(9).unwrap()
        } else {
            exactly.round_dp(8)
        })
    }
}

fn real(decimal: Decimal) -> f64 {
    decimal.to_string().parse().unwrap()
}

fn flat(price: f64, volume: f64) -> [f64; 5] {
    [price, price, price, price, volume]
}

/// Placed at the close of day 1 at `price`; then the given days and a quiet one.
fn run_days(config: Value, price: f64, days: &[[f64; 5]]) -> Outcome {
    let before = [flat(price, 0.0), flat(price, 1.0)];
    let last = flat(days.last().unwrap()[3], 0.0);
    let candles = candles(before.into_iter().chain(days.iter().copied()).chain([last]));
    simulate(&body(config), &candles, &free(json!({}))).unwrap()
}

/// Why and at what price the first trade was left.
fn exit(outcome: &Outcome) -> (&str, f64) {
    let exit = outcome.trades[0].exit.as_ref().unwrap();
    (exit.reason.as_str(), real(exit.price))
}

/// A day that goes from `price` to `extreme` and back.
fn day(price: f64, extreme: f64) -> [f64; 5] {
    [price, price.max(extreme), price.min(extreme), price, 0.0]
}

/// One step of `level` towards `price`.
fn short_of(level: f64, price: f64) -> f64 {
    if level < price { level.next_up() } else { level.next_down() }
}

#[track_caller]
fn is_left_exactly_at(config: &Value, quote: Quote, sign: i64, name: &str) {
    let (price, level) = (real(quote.price), quote.level(sign));
    if level == price || level == 0.0 {
        return;
    }
    let touched = run_days(config.clone(), price, &[flat(price, 0.0), day(price, level)]);
    assert_eq!(exit(&touched), (name, level), "{quote:?}");
    let nearly = day(price, short_of(level, price));
    let missed = run_days(config.clone(), price, &[flat(price, 0.0), nearly]);
    assert_eq!(exit(&missed), ("end_of_data", price), "{quote:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stops_and_targets_are_met_exactly(quote in any_quote(1..10_000)) {
        let percent = quote.percent();
        let size = |mut config: Value| {
            config["position_sizing"] = json!("fixed_quantity");
            config["size"] = json!(1e-8);
            config
        };
        for (direction, sign) in [("long", 1), ("short", -1)] {
            let stop = size(json!({"stop_loss": percent, "direction": direction}));
            is_left_exactly_at(&stop, quote, -sign, "stop_loss");
            let target = size(json!({"take_profit": percent, "direction": direction}));
            is_left_exactly_at(&target, quote, sign, "take_profit");
            let trailing = size(json!({"trailing_stop": percent, "direction": direction}));
            is_left_exactly_at(&trailing, quote, -sign, "trailing_stop");
        }
    }

    #[test]
    fn a_stop_that_moved_is_met_exactly(quote in any_quote(1..10_000)) {
        // It trails the close of day 2, half of the price above the entry.
        let high = Quote { price: (quote.price * Decimal::new(15, 1)).round_sf(9).unwrap(), ..quote };
        let (entry, price, level) = (real(quote.price), real(high.price), high.level(-1));
        prop_assume!(entry < price && level < price);
        let config = json!({"trailing_stop": quote.percent()});
        let up = [entry, price, entry, price, 0.0];
        let touched = run_days(config.clone(), entry, &[up, day(price, level)]);
        prop_assert_eq!(exit(&touched), ("trailing_stop", level));
        let missed = run_days(config, entry, &[up, day(price, level.next_up())]);
        prop_assert_eq!(exit(&missed).0, "end_of_data");
    }

    #[test]
    fn a_gain_that_is_met_exactly_moves_the_stop_to_the_entry(quote in any_quote(1..10_000)) {
        let (entry, gain) = (real(quote.price), quote.level(1));
        prop_assume!(entry < gain);
        let config = json!({"break_even": quote.percent()});
        let closing_at = |close: f64| [entry, close, entry, close, 0.0];
        let back = |from: f64| day(from, entry);
        let met = run_days(config.clone(), entry, &[closing_at(gain), back(gain)]);
        prop_assert_eq!(exit(&met), ("break_even", entry));
        let less = gain.next_down();
        prop_assume!(entry < less);
        let missed = run_days(config, entry, &[closing_at(less), back(less)]);
        prop_assert_eq!(exit(&missed).0, "end_of_data");
    }

    #[test]
    fn an_entry_waits_exactly_at_its_offset(quote in any_quote(1..10_000)) {
        let price = real(quote.price);
        for (order, direction, sign) in
            [("limit", "long", -1), ("limit", "short", 1), ("stop", "long", 1), ("stop", "short", -1)]
        {
            let level = quote.level(sign);
            if level == price {
                continue;
            }
            let config = json!({"entry_order": order, "entry_offset": quote.percent(), "direction": direction});
            let touched = run_days(config.clone(), price, &[day(price, level)]);
            prop_assert_eq!(real(touched.trades[0].entry.price), level, "{} {}", order, direction);
            let missed = run_days(config, price, &[day(price, short_of(level, price))]);
            prop_assert!(missed.trades.is_empty(), "{} {}", order, direction);
        }
    }

    #[test]
    fn parts_are_sold_exactly(hundredths in 1_i64..10_000) {
        // Of 10,000 whole lots so many.
        let percent = real(Decimal::new(hundredths, 2));
        let sized = json!({"position_sizing": "fixed_quantity", "size": 10_000});
        let settings = free(json!({"lot": 1}));
        let candles = candles([flat(1.0, 0.0), flat(1.0, 1.0), flat(1.0, 0.0), flat(2.0, 3.0), flat(2.0, 0.0), flat(2.0, 0.0)]);
        let by_target = json!({"partial_take_profits": [{"at": 50, "close": percent}]});
        let by_rule = json!({"partial_exit_rules": when("volume", "==", 3), "partial_exit_size": percent});
        for part in [by_target, by_rule] {
            let mut config = sized.clone();
            config.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            let outcome = simulate(&body(config), &candles, &settings).unwrap();
            prop_assert_eq!(outcome.trades[1].entry.quantity, Decimal::from(hundredths));
        }
    }
}

/// So many percent of 10,000 at a price of as many hundredths are a hundred whole lots.
#[test]
fn every_percentage_buys_what_it_says() {
    let settings = free(json!({"lot": 1}));
    for hundredths in 1..10_000_i64 {
        let price = real(Decimal::new(hundredths, 2));
        let candles = candles([flat(price, 0.0), flat(price, 1.0), flat(price, 0.0)]);
        let config = json!({"position_sizing": "percent_of_equity", "size": price});
        let outcome = simulate(&body(config), &candles, &settings).unwrap();
        assert_eq!(outcome.trades[0].entry.quantity, Decimal::from(100), "{price}");
    }
}

/// Stops that trail are set at new highs only, and by ranges wherever they tighten.
#[test]
fn a_stop_by_ranges_is_rounded_like_a_price() {
    // Ranges of 2 ÷ 3 behind a close of 1: no decimal holds the level, which is booked with 9 digits.
    let price = 1.0;
    let wide = [price, price + 1.0 / 3.0, price - 1.0 / 3.0, price, 1.0];
    let days = [wide, wide, wide, wide, [price, price, 0.3, price, 0.0], flat(price, 0.0)];
    let config = json!({"trailing_stop_atr": 1, "trailing_stop_atr_period": 1});
    let outcome = simulate(&body(config), &candles(days), &free(json!({}))).unwrap();
    assert_eq!(exit(&outcome), ("trailing_stop", 0.333333333));
}
