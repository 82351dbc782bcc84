//! What an unknown name of an indicator or a source probably means: `rsi(14)` for `RSI14`.

use super::suggest::nearest;
use crate::simulation::indicators::{self, IndicatorSpec, ParameterKind};

/// What is called otherwise elsewhere.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["price", "last"], "close"),
    (&["vol"], "volume"),
    (&["average", "moving_average"], "sma"),
    (&["bb", "bollinger", "bollinger_bands"], "bbands"),
    (&["stochastic"], "stoch"),
    (&["stochastic_rsi", "stoch_rsi"], "stochrsi"),
    (&["williams", "williams_r"], "willr"),
    (&["momentum"], "mom"),
    (&["psar", "parabolic_sar"], "sar"),
    (&["std", "standard_deviation"], "stddev"),
    (&["tr", "true_range"], "trange"),
    (&["di_plus"], "plus_di"),
    (&["di_minus"], "minus_di"),
    (&["money_flow"], "mfi"),
];

/// The expression that is probably meant by a name that is not among the `known` ones.
pub(super) fn indicator(name: &str, known: &[&'static str]) -> Option<String> {
    let near = |name: &str| nearest(name, known.iter().copied());
    elsewhere(name)
        .map(str::to_owned)
        .or_else(|| with_period(name, spec))
        .or_else(|| with_output(name))
        .or_else(|| near(name).map(str::to_owned))
        .or_else(|| with_period(name, |stem| near(stem).and_then(indicators::find)))
}

fn elsewhere(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    ELSEWHERE.iter().find(|(words, _)| words.contains(&lower.as_str())).map(|(_, here)| *here)
}

fn spec(name: &str) -> Option<&'static IndicatorSpec> {
    indicators::find(elsewhere(name).unwrap_or(name))
}

/// `rsi(14)` for `RSI14` and `rsi_14`.
fn with_period(
    name: &str,
    find: impl Fn(&str) -> Option<&'static IndicatorSpec>,
) -> Option<String> {
    let stem = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let digits = name.get(stem.len()..).filter(|digits| !digits.is_empty())?;
    let spec = find(stem.trim_end_matches('_'))?;
    Some(match spec.parameters.first().map(|first| &first.kind) {
        None => spec.name.to_owned(),
        Some(ParameterKind::Source { default }) => {
            format!("{}({}, {digits})", spec.name, default.as_str())
        }
        Some(ParameterKind::Integer { .. } | ParameterKind::Number { .. }) => {
            format!("{}({digits})", spec.name)
        }
    })
}

/// `macd.signal` for `macd_signal`.
fn with_output(name: &str) -> Option<String> {
    let (base, output) = name.rsplit_once('_')?;
    let output = output.to_ascii_lowercase();
    let spec = spec(base)?;
    let found = spec.outputs.iter().find(|known| known.starts_with(&output))?;
    (!output.is_empty()).then(|| format!("{}.{found}", spec.name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn meant(name: &str) -> Option<String> {
        let names = indicators::ALL.iter().map(|spec| spec.name);
        indicator(name, &names.chain(["close", "hl2", "hlc3"]).collect::<Vec<_>>())
    }

    #[rstest]
    #[case("RSI14", "rsi(14)")]
    #[case("sma_200", "sma(200)")]
    #[case("Ema9", "ema(9)")]
    #[case("smma20", "sma(20)")]
    #[case("highest20", "highest(high, 20)")]
    #[case("obv10", "obv")]
    #[case("bb20", "bbands(20)")]
    #[case("macd_signal", "macd.signal")]
    #[case("MACD_hist", "macd.histogram")]
    #[case("bollinger_upper", "bbands.upper")]
    #[case("price", "close")]
    #[case("Stochastic", "stoch")]
    #[case("hlc4", "hlc3")]
    #[case("smaa", "sma")]
    fn a_name_that_is_not_known_means(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(meant(name).as_deref(), Some(expected));
    }

    #[rstest]
    #[case("foo")]
    #[case("foo14")]
    #[case("_14")]
    #[case("14")]
    #[case("sma_")]
    fn what_means_nothing_suggests_nothing(#[case] name: &str) {
        let meant = meant(name);
        assert!(meant.as_deref().is_none_or(|meant| meant == "sma"), "{meant:?}");
    }

    #[test]
    fn what_is_suggested_can_be_read() {
        for spec in indicators::ALL {
            let meant = meant(&format!("{}14", spec.name)).unwrap();
            assert!(super::super::parse(&meant).is_ok(), "{meant}");
        }
    }
}
