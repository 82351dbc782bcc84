//! The built-ins: found by every spelling, sound, and written down with stable ids.

use rstest::rstest;

use super::*;
use crate::{simulation::rules::Condition, strategy::StrategyDefinition};

#[rstest]
#[case("core.strategies.GoldenCross", "golden_cross")]
#[case("awesome_cli.strategies.GoldenCross", "golden_cross")]
#[case("GoldenCross", "golden_cross")]
#[case("golden_cross", "golden_cross")]
#[case("golden-cross", "golden_cross")]
#[case(" goldencross ", "golden_cross")]
#[case("core.strategies.RSIMeanReversion", "rsi_mean_reversion")]
#[case("core.strategies.rsi_mean_reversion", "rsi_mean_reversion")]
#[case("MACDCross", "macd_cross")]
#[case("awesome_cli.strategies.BollingerBreakout", "bollinger_breakout")]
#[case("buy-and-hold", "buy_and_hold")]
fn a_code_ref_has_many_spellings(#[case] code_ref: &str, #[case] name: &str) {
    assert_eq!(find(code_ref).unwrap().name, name);
}

#[rstest]
#[case(
    "",
    "there are golden_cross, rsi_mean_reversion, macd_cross, bollinger_breakout, buy_and_hold"
)]
#[case("core.strategies.GoldenCros", "did you mean `golden_cross`?")]
#[case("golden_crss", "did you mean `golden_cross`?")]
#[case("os.system", "there are golden_cross")]
#[case("other.strategies.GoldenCross", "there are golden_cross")]
fn an_unknown_code_ref_is_explained(#[case] code_ref: &str, #[case] part: &str) {
    assert!(find(code_ref).is_none());
    let error = unknown(code_ref);
    assert_eq!((error.field.as_str(), error.code.as_str()), ("code_ref", "unknown_code_ref"));
    assert!(error.message.contains(part), "{}", error.message);
}

#[test]
fn every_built_in_is_sound_with_its_defaults() {
    for builtin in ALL {
        let definition = StrategyDefinition::of_builtin(builtin);
        assert_eq!(definition.default_parameters.len(), builtin.parameters.len());
        let bound = definition.bind(&definition.default_parameters).unwrap();
        assert_eq!(bound.exit.is_none(), builtin.name == "buy_and_hold");
        assert_eq!(builtin.slug, crate::strategy::slug(builtin.title));
        assert_eq!(find(builtin.class_name).unwrap().name, builtin.name);
        assert_eq!(find_by_id(builtin.id()).unwrap().name, builtin.name);
        assert_eq!(find_by_slug(builtin.slug).unwrap().name, builtin.name);
    }
}

#[test]
fn every_default_is_in_range_and_every_name_means_one_parameter() {
    for builtin in ALL {
        let mut names = Vec::new();
        for parameter in builtin.parameters {
            assert!((parameter.minimum..=parameter.maximum).contains(&parameter.default));
            names.push(parameter.name);
            names.extend(parameter.aliases);
        }
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{}: {names:?}", builtin.name);
    }
}

/// Python's `uuid.uuid5(uuid.NAMESPACE_URL, "backtrail:strategy:" + slug)`: clients may keep these.
#[rstest]
#[case("golden-cross", "adfd1549-4208-5557-8e9c-8eaf72ea1d1d")]
#[case("rsi-mean-reversion", "a841208a-be4c-5c18-9e4f-5884089503c8")]
#[case("macd-cross", "1227a04a-7c2b-5657-a1fd-2fa519dde0c6")]
#[case("bollinger-breakout", "e25b27d9-bee6-5387-bdd4-215ccea13363")]
#[case("buy-and-hold", "93914897-ece2-5867-8ba3-1ab12e8d662c")]
fn the_ids_are_permanent(#[case] slug: &str, #[case] id: &str) {
    assert_eq!(find_by_slug(slug).unwrap().id().to_string(), id);
}

/// The rules of `testdata/backtesting_py/strategies.py`, with which the engine is compared run by run.
#[rstest]
#[case("golden_cross", "sma(50) crosses_above sma(200)", Some("sma(50) crosses_below sma(200)"))]
#[case("rsi_mean_reversion", "rsi(14) < 30", Some("rsi(14) > 70"))]
#[case(
    "macd_cross",
    "macd(12, 26, 9).macd crosses_above macd(12, 26, 9).signal",
    Some("macd(12, 26, 9).macd crosses_below macd(12, 26, 9).signal")
)]
#[case("bollinger_breakout", "close > bbands(20, 2).upper", Some("close < bbands(20, 2).middle"))]
#[case("buy_and_hold", "close > 0", None)]
fn a_built_in_says_what_it_does(
    #[case] name: &str,
    #[case] entry: &str,
    #[case] exit: Option<&str>,
) {
    let definition = StrategyDefinition::of_builtin(find(name).unwrap());
    let bound = definition.bind(&definition.default_parameters).unwrap();
    let text = |condition: Condition| match condition {
        Condition::All(mut inner) => match inner.remove(0) {
            Condition::Compare(comparison) => comparison.text,
            other @ (Condition::All(_) | Condition::Any(_)) => panic!("{other:?}"),
        },
        other @ (Condition::Compare(_) | Condition::Any(_)) => panic!("{other:?}"),
    };
    assert_eq!(text(bound.entry), entry);
    assert_eq!(bound.exit.map(text).as_deref(), exit);
}
