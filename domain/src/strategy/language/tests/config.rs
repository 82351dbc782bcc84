//! Config: percent becomes fractions, and what is not honoured is refused by name.

use rstest::rstest;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    fields::FieldError,
    simulation::rules::{Directions, EntryOrder, PositionMode, Sizing, StrategyConfig, Trailing},
    strategy::language::config,
};

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn read(value: &Value) -> (StrategyConfig, Vec<FieldError>, Vec<FieldError>) {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let reading = config::read(value, &mut errors, &mut warnings);
    (reading.config, errors, warnings)
}

#[rstest]
#[case(json!({}), Sizing::AllIn)]
#[case(json!({"position_sizing": "all_in"}), Sizing::AllIn)]
#[case(json!({"position_sizing": "percent_of_equity", "size": 50}), Sizing::PercentOfEquity(number("0.5")))]
#[case(json!({"position_sizing": "fixed_amount", "size": "1000"}), Sizing::FixedAmount(number("1000")))]
#[case(json!({"position_sizing": "Fixed_Quantity", "size": 0.25}), Sizing::FixedQuantity(number("0.25")))]
#[case(
    json!({"position_sizing": "risk_percentage", "risk_percentage": 1, "stop_loss": 5}),
    Sizing::RiskPercentage(number("0.01"))
)]
fn sizing_is_read(#[case] value: Value, #[case] expected: Sizing) {
    let (config, errors, warnings) = read(&value);
    assert_eq!((errors, warnings), (vec![], vec![]));
    assert_eq!(config.sizing, expected);
}

/// Every percentage with one or two decimals, as a number and as a text: the digits move two places.
#[test]
fn a_percentage_keeps_its_digits() {
    for hundredths in 1..10_000_u32 {
        let expected = Decimal::new(i64::from(hundredths), 4).normalize();
        let text = Decimal::new(i64::from(hundredths), 2).to_string();
        for written in [json!(text.parse::<f64>().unwrap()), json!(text)] {
            let (config, errors, _) = read(&json!({"stop_loss": written, "break_even": written,
                "trailing_stop": written, "partial_exit_size": written, "size": written,
                "position_sizing": "percent_of_equity", "entry_order": "stop_limit", "entry_offset": written,
                "entry_limit_offset": written, "partial_take_profits": [{"at": written, "close": written}]}));
            assert_eq!(errors, []);
            let part = &config.partial_take_profits[0];
            let distances = [config.stop_loss, config.break_even, Some(part.distance)];
            assert_eq!(distances, [Some(expected); 3], "{text}");
            assert_eq!([part.portion, config.partial_exit_portion], [expected; 2], "{text}");
            assert_eq!(config.trailing_stop, Some(Trailing::Fraction(expected)));
            assert_eq!(config.sizing, Sizing::PercentOfEquity(expected));
            let (offset, limit_offset) = (Some(expected), Some(expected));
            assert_eq!(config.entry_order, EntryOrder::StopLimit { offset, limit_offset });
        }
    }
}

#[test]
fn stops_are_percent_on_the_wire_and_fractions_inside() {
    let (config, errors, warnings) =
        read(&json!({"stop_loss": 5, "take_profit": "10", "direction": "both"}));
    assert_eq!((errors, warnings), (vec![], vec![]));
    assert_eq!(config.stop_loss, Some(number("0.05")));
    assert_eq!(config.take_profit, Some(number("0.1")));
    assert_eq!(config.direction, Directions::Both);
}

#[rstest]
#[case(json!([]), "config", "invalid")]
#[case(json!({"pyramiding": true}), "config.pyramiding", "unsupported_setting")]
#[case(json!({"stoploss": 5}), "config.stoploss", "unsupported_setting")]
#[case(json!({"stop_loss": 0}), "config.stop_loss", "out_of_range")]
#[case(json!({"stop_loss": -5}), "config.stop_loss", "out_of_range")]
#[case(json!({"stop_loss": "NaN"}), "config.stop_loss", "invalid")]
#[case(json!({"stop_loss": "inf"}), "config.stop_loss", "invalid")]
#[case(json!({"stop_loss": true}), "config.stop_loss", "invalid")]
#[case(json!({"stop_loss": 1e-27}), "config.stop_loss", "out_of_range")]
#[case(json!({"take_profit": "1e29"}), "config.take_profit", "out_of_range")]
#[case(json!({"stop_loss": 100}), "config.stop_loss", "out_of_range")]
#[case(json!({"take_profit": 100, "direction": "short"}), "config.take_profit", "out_of_range")]
#[case(json!({"direction": "up"}), "config.direction", "invalid")]
#[case(json!({"direction": 1}), "config.direction", "invalid")]
#[case(json!({"position_sizing": "half"}), "config.position_sizing", "invalid")]
#[case(json!({"position_sizing": "percent_of_equity"}), "config.size", "required")]
#[case(json!({"position_sizing": "percent_of_equity", "size": 101}), "config.size", "out_of_range")]
#[case(json!({"position_sizing": "fixed_amount", "size": 0}), "config.size", "out_of_range")]
#[case(
    json!({"position_sizing": "risk_percentage", "risk_percentage": 1}),
    "config.stop_loss",
    "required"
)]
#[case(
    json!({"position_sizing": "risk_percentage", "stop_loss": 5}),
    "config.risk_percentage",
    "required"
)]
fn a_wrong_config_is_refused(#[case] value: Value, #[case] field: &str, #[case] code: &str) {
    let (_, errors, _) = read(&value);
    let found: Vec<_> =
        errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
    assert_eq!(found, [(field, code)]);
}

#[rstest]
#[case(json!({"stop_loss": 0.005}), "config.stop_loss", "suspicious_unit")]
#[case(json!({"stop_loss": 0.05}), "config.stop_loss", "suspicious_unit")]
#[case(json!({"take_profit": 0.1}), "config.take_profit", "suspicious_unit")]
#[case(json!({"trailing_stop": 0.08}), "config.trailing_stop", "suspicious_unit")]
#[case(json!({"break_even": 0.02}), "config.break_even", "suspicious_unit")]
#[case(
    json!({"position_sizing": "risk_percentage", "risk_percentage": 0.02, "stop_loss": 5}),
    "config.risk_percentage",
    "suspicious_unit"
)]
#[case(
    json!({"position_sizing": "percent_of_equity", "size": 0.5}),
    "config.size",
    "suspicious_unit"
)]
#[case(
    json!({"partial_take_profits": [{"at": 4, "close": 0.5}]}),
    "config.partial_take_profits[0].close",
    "suspicious_unit"
)]
#[case(
    json!({"partial_take_profits": [{"at": 0.04, "close": 50}]}),
    "config.partial_take_profits[0].at",
    "suspicious_unit"
)]
#[case(
    json!({"partial_exit_size": 0.25,
           "partial_exit_rules": {"indicator": "rsi", "comparator": ">", "value": 80}}),
    "config.partial_exit_size",
    "suspicious_unit"
)]
#[case(json!({"size": 50}), "config.size", "unused_setting")]
#[case(json!({"risk_percentage": 1}), "config.risk_percentage", "unused_setting")]
fn what_is_probably_not_meant_is_a_warning(
    #[case] value: Value,
    #[case] field: &str,
    #[case] code: &str,
) {
    let (_, errors, warnings) = read(&value);
    assert_eq!(errors, []);
    let found: Vec<_> =
        warnings.iter().map(|warning| (warning.field.as_str(), warning.code.as_str())).collect();
    assert_eq!(found, [(field, code)]);
}

#[test]
fn orders_and_exits_are_read() {
    let (config, errors, warnings) = read(&json!({
        "direction": "both", "entry_order": "stop_limit", "entry_price": "highest(high, 20)",
        "entry_limit_offset": -0.5, "short_entry_price": "lowest(low, 20)", "entry_valid_candles": 3,
        "trailing_stop_atr": 2.5, "trailing_stop_atr_period": 10, "break_even": 3, "max_candles": "40",
        "partial_take_profits": [{"at": 8, "close": 25}, {"at": "4", "close": 50}],
        "partial_exit_rules": {"indicator": "rsi(14)", "comparator": ">", "value": 80},
        "partial_exit_size": 25, "max_entries": 3, "position_mode": "netting",
    }));
    assert_eq!((errors, warnings), (vec![], vec![]));
    let stop_limit = EntryOrder::StopLimit { offset: None, limit_offset: Some(number("-0.005")) };
    assert_eq!((config.entry_order, config.entry_valid_candles), (stop_limit, 3));
    assert_eq!(config.trailing_stop, Some(Trailing::Ranges(2.5)));
    assert_eq!((config.break_even, config.max_candles), (Some(number("0.03")), Some(40)));
    let targets = config.partial_take_profits;
    let distances: Vec<_> = targets.iter().map(|target| target.distance).collect();
    assert_eq!(distances, [number("0.04"), number("0.08")]);
    assert_eq!((config.partial_exit_portion, config.max_entries), (number("0.25"), 3));
    assert_eq!(config.position_mode, PositionMode::Netting);
}

#[rstest]
#[case(json!({"entry_order": "iceberg"}), "config.entry_order", "invalid")]
#[case(json!({"entry_order": "limit"}), "config.entry_offset", "required")]
#[case(json!({"entry_order": "limit", "entry_offset": 100}), "config.entry_offset", "out_of_range")]
#[case(json!({"entry_order": "limit", "entry_offset": 1, "entry_price": "close"}), "config.entry_price", "conflict")]
#[case(json!({"entry_order": "stop", "entry_price": "smaa(3)"}), "config.entry_price", "unknown_indicator")]
#[case(json!({"entry_order": "stop_limit", "entry_offset": 1}), "config.entry_limit_offset", "required")]
#[case(json!({"entry_order": "stop", "entry_price": "close", "short_entry_price": "close"}), "config.short_entry_price", "invalid")]
#[case(json!({"entry_order": "stop", "entry_offset": 1, "entry_valid_candles": 0}), "config.entry_valid_candles", "out_of_range")]
#[case(json!({"trailing_stop": 100}), "config.trailing_stop", "out_of_range")]
#[case(json!({"trailing_stop": 5, "trailing_stop_atr": 2}), "config.trailing_stop_atr", "conflict")]
#[case(json!({"break_even": -1}), "config.break_even", "out_of_range")]
#[case(json!({"max_candles": 2.5}), "config.max_candles", "out_of_range")]
#[case(json!({"max_entries": 101}), "config.max_entries", "out_of_range")]
#[case(json!({"position_mode": "both"}), "config.position_mode", "invalid")]
#[case(json!({"partial_take_profits": {}}), "config.partial_take_profits", "invalid")]
#[case(json!({"partial_take_profits": [{"at": 5}]}), "config.partial_take_profits[0].close", "required")]
#[case(json!({"partial_take_profits": [{"at": 5, "close": 60}, {"at": 6, "close": 50}]}), "config.partial_take_profits", "out_of_range")]
#[case(json!({"partial_exit_rules": []}), "config.partial_exit_rules", "invalid")]
#[case(
    json!({"partial_exit_rules": {"indicator": "rsi", "comparator": "above", "value": 1}}),
    "config.partial_exit_rules.comparator",
    "unknown_comparator"
)]
fn a_wrong_order_or_exit_is_refused_at_its_field(
    #[case] value: Value,
    #[case] field: &str,
    #[case] code: &str,
) {
    let (_, errors, _) = read(&value);
    let found: Vec<_> =
        errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
    assert_eq!(found, [(field, code)]);
}
