//! Calculates an indicator by name over candles, for callers outside a strategy.

use serde_json::{Map, Value};

use super::{Arguments, IndicatorSpec, ParameterKind, ParameterSpec, find};
use crate::{
    error_code::ErrorCode,
    fields::FieldError,
    simulation::{Candles, source::Source},
};

/// One output of an indicator: a value a candle, none before the first one.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// As the catalogue names it; `value` for a single one.
    pub name: &'static str,
    pub values: Vec<Option<f64>>,
}

/// All outputs of the indicator of that name or alias (in any case) over `data`, in the order of the catalogue.
/// `params` are numbers (or their text) and a `source` by name; what is left out takes its default.
///
/// # Errors
/// An unknown indicator (field `indicator`); every unknown, malformed or out-of-range parameter (`params.<name>`).
pub fn calculate(
    indicator: &str,
    data: &Candles,
    params: &Map<String, Value>,
) -> Result<Vec<Output>, Vec<FieldError>> {
    let Some(spec) = find(indicator) else {
        let shown: String = indicator.chars().take(60).collect();
        let message = format!("there is no indicator `{shown}`");
        return Err(vec![FieldError::new("indicator", ErrorCode::UnknownIndicator, message)]);
    };
    let arguments = arguments(spec, params)?;
    let columns = (spec.compute)(data, &arguments);
    let outputs = spec.outputs.iter().zip(columns).map(|(name, column)| {
        let values = (0..data.len()).map(|index| column.get(index)).collect();
        Output { name, values }
    });
    Ok(outputs.collect())
}

fn arguments(
    spec: &IndicatorSpec,
    params: &Map<String, Value>,
) -> Result<Arguments, Vec<FieldError>> {
    let mut errors: Vec<FieldError> = params
        .keys()
        .filter(|name| !spec.parameters.iter().any(|known| known.name == **name))
        .map(|name| {
            let shown: String = name.chars().take(60).collect();
            let message = format!("`{}` has no parameter `{shown}`", spec.name);
            FieldError::new(format!("params.{shown}"), ErrorCode::UnknownArgument, message)
        })
        .collect();
    let mut arguments = Arguments { numbers: Vec::new(), source: Source::Close };
    for parameter in spec.parameters {
        if let Err((code, message)) = take(parameter, params.get(parameter.name), &mut arguments) {
            errors.push(FieldError::new(format!("params.{}", parameter.name), code, message));
        }
    }
    if errors.is_empty() { Ok(arguments) } else { Err(errors) }
}

/// Puts one parameter among the arguments; code and message when it cannot be.
fn take(
    parameter: &ParameterSpec,
    given: Option<&Value>,
    arguments: &mut Arguments,
) -> Result<(), (ErrorCode, String)> {
    let number = |default: f64| match given {
        None => Some(default),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    match parameter.kind {
        ParameterKind::Integer { minimum, maximum, default } => {
            let fits = |value: &f64| {
                value.fract() == 0.0 && (f64::from(minimum)..=f64::from(maximum)).contains(value)
            };
            let value = number(f64::from(default)).filter(fits).ok_or_else(|| {
                let message = format!("must be a whole number from {minimum} to {maximum}");
                (ErrorCode::InvalidPeriod, message)
            })?;
            arguments.numbers.push(value);
        }
        ParameterKind::Number { minimum, maximum, default } => {
            let fits = |value: &f64| (minimum..=maximum).contains(value);
            let value = number(default).filter(fits).ok_or_else(|| {
                (ErrorCode::OutOfRange, format!("must be a number from {minimum} to {maximum}"))
            })?;
            arguments.numbers.push(value);
        }
        ParameterKind::Source { default } => {
            let source = match given {
                None => Some(default),
                Some(name) => name.as_str().and_then(Source::parse),
            };
            let message =
                || "must be open, high, low, close, volume, hl2, hlc3 or ohlc4".to_owned();
            arguments.source = source.ok_or_else(|| (ErrorCode::UnknownSource, message()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::market::Candle;

    fn data() -> Candles {
        let candle = |index: i32| {
            let close = f64::from(index);
            Candle {
                open_time: i64::from(index),
                open: 0.0,
                high: close,
                low: 0.0,
                close,
                volume: 1.0,
            }
        };
        (1..=4).map(candle).collect()
    }

    #[expect(clippy::needless_pass_by_value, reason = "a literal at each call")]
    fn run(name: &str, params: Value) -> Result<Vec<Output>, Vec<FieldError>> {
        calculate(name, &data(), params.as_object().unwrap())
    }

    #[test]
    fn an_indicator_is_calculated_by_name_with_defaults_for_the_rest() {
        let outputs = run("SMA", json!({"period": "2"})).unwrap();
        let values = vec![None, Some(1.5), Some(2.5), Some(3.5)];
        assert_eq!(outputs, [Output { name: "value", values }]);
        let values =
            run("lowest", json!({"period": 2, "source": "Close"})).unwrap().remove(0).values;
        assert_eq!(values, [None, Some(1.0), Some(2.0), Some(3.0)]);
        let bands = run("bbands", json!({"period": 3, "deviations": 0.5})).unwrap();
        assert_eq!(
            bands.iter().map(|band| band.name).collect::<Vec<_>>(),
            ["upper", "middle", "lower"]
        );
        assert_eq!(bands[1].values[3], Some(3.0));
        assert_eq!(run("ema", json!({})).unwrap()[0].values, [None; 4]);
    }

    #[test]
    fn every_wrong_parameter_is_named_at_once() {
        let errors =
            run("sma", json!({"period": 0, "source": "typical", "length": 3})).unwrap_err();
        let named: Vec<(&str, &str)> =
            errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
        assert_eq!(
            named,
            [
                ("params.length", "unknown_argument"),
                ("params.period", "invalid_period"),
                ("params.source", "unknown_source"),
            ]
        );
        for period in [json!(1.5), json!("NaN"), json!(null), json!(1e9), json!(-1)] {
            assert!(run("sma", json!({ "period": period })).is_err());
        }
        assert!(run("bbands", json!({"deviations": "inf"})).is_err());
        assert_eq!(run("sam", json!({})).unwrap_err()[0].field, "indicator");
    }
}
