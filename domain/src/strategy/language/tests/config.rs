//! Config: percent becomes fractions, and what is not honoured is refused by name.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    fields::FieldError,
    simulation::rules::{Directions, Sizing, StrategyConfig},
    strategy::language::config,
};

fn read(value: &Value) -> (StrategyConfig, Vec<FieldError>, Vec<FieldError>) {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let reading = config::read(value, &mut errors, &mut warnings);
    (reading.config, errors, warnings)
}

#[rstest]
#[case(json!({}), Sizing::AllIn)]
#[case(json!({"position_sizing": "all_in"}), Sizing::AllIn)]
#[case(json!({"position_sizing": "percent_of_equity", "size": 50}), Sizing::PercentOfEquity(0.5))]
#[case(json!({"position_sizing": "fixed_amount", "size": "1000"}), Sizing::FixedAmount(1000.0))]
#[case(json!({"position_sizing": "Fixed_Quantity", "size": 0.25}), Sizing::FixedQuantity(0.25))]
#[case(
    json!({"position_sizing": "risk_percentage", "risk_percentage": 1, "stop_loss": 5}),
    Sizing::RiskPercentage(0.01)
)]
fn sizing_is_read(#[case] value: Value, #[case] expected: Sizing) {
    let (config, errors, warnings) = read(&value);
    assert_eq!((errors, warnings), (vec![], vec![]));
    assert_eq!(config.sizing, expected);
}

#[test]
fn stops_are_percent_on_the_wire_and_fractions_inside() {
    let (config, errors, warnings) =
        read(&json!({"stop_loss": 5, "take_profit": "10", "direction": "both"}));
    assert_eq!((errors, warnings), (vec![], vec![]));
    assert_eq!(config.stop_loss, Some(0.05));
    assert_eq!(config.take_profit, Some(0.1));
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
#[case(json!({"take_profit": 0.009}), "config.take_profit", "suspicious_unit")]
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
