//! Reads the settings out of a backtest's `metadata`: defaults filled in, every error at once.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::settings::{FillMode, Finalize, Intrabar, Preset, Settings, Warmup};
use crate::{fields::FieldError, number::Number};

/// Every name that is read.
const KNOWN: [&str; 11] = [
    "leverage",
    "commission",
    "commission_fixed",
    "slippage_bps",
    "spread_bps",
    "fill",
    "intrabar",
    "finalize",
    "warmup",
    "lot",
    "seed",
];

impl Default for Settings {
    /// The service's: 0.1 % commission, no slippage, no leverage, fills at the next open.
    fn default() -> Self {
        Self {
            leverage: Number::ONE,
            commission: Number::THOUSANDTH,
            commission_fixed: Number::ZERO,
            slippage_bps: Number::ZERO,
            spread_bps: Number::ZERO,
            fill: FillMode::NextOpen,
            intrabar: Intrabar::StopFirst,
            finalize: Finalize::Close,
            warmup: Warmup::BeforeStart,
            lot: None,
            seed: 0,
            preset: Preset::Backtrail,
        }
    }
}

impl Settings {
    /// Reads `metadata`, as a backtest's body has it, over the defaults.
    ///
    /// # Errors
    /// Every field error at once, as `metadata.<name>`; `unsupported_setting` for what the engine does not honour.
    pub fn parse(metadata: &Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        Self::parse_over(Self::default(), metadata)
    }

    /// Reads `metadata` over the settings of a preset.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_over(
        defaults: Self,
        metadata: &Map<String, Value>,
    ) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader { metadata, errors: Vec::new() };
        reader.refuse_unknown();
        let settings = Self {
            leverage: reader.leverage(defaults.leverage),
            commission: reader.number("commission", 1.0, defaults.commission),
            commission_fixed: reader.number("commission_fixed", 1e12, defaults.commission_fixed),
            slippage_bps: reader.number("slippage_bps", 9_999.0, defaults.slippage_bps),
            spread_bps: reader.number("spread_bps", 9_999.0, defaults.spread_bps),
            fill: reader.word("fill", "next_open, close", &[], defaults.fill),
            intrabar: reader.word(
                "intrabar",
                "stop_first, target_first",
                &["lower_timeframe"],
                defaults.intrabar,
            ),
            finalize: reader.word("finalize", "close, open, leave_open", &[], defaults.finalize),
            warmup: reader.word("warmup", "before_start, in_range", &[], defaults.warmup),
            lot: reader.lot().or(defaults.lot),
            seed: reader.seed().unwrap_or(defaults.seed),
            preset: defaults.preset,
        };
        if reader.errors.is_empty() { Ok(settings) } else { Err(reader.errors) }
    }
}

struct Reader<'a> {
    metadata: &'a Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    fn error(&mut self, name: &str, code: &str, message: String) {
        self.errors.push(FieldError::new(format!("metadata.{name}"), code, message));
    }

    fn refuse_unknown(&mut self) {
        let unknown = self.metadata.keys().filter(|name| !KNOWN.contains(&name.as_str()));
        for name in unknown.cloned().collect::<Vec<_>>() {
            let shown: String = name.chars().take(60).collect();
            let message =
                format!("The setting `{shown}` is not supported; there are {}.", KNOWN.join(", "));
            self.error(&shown, "unsupported_setting", message);
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.metadata.get(name).filter(|value| !value.is_null())
    }

    /// A finite number from 0 to `maximum`.
    fn number(&mut self, name: &str, maximum: f64, default: Number) -> Number {
        match self.get(name).map(read_number) {
            None => default,
            Some(Some(number)) if (0.0..=maximum).contains(&number.get()) => number,
            Some(Some(_)) => {
                let message = format!("`{name}` must lie between 0 and {maximum}.");
                self.error(name, "out_of_range", message);
                default
            }
            Some(None) => {
                self.error(name, "invalid", format!("`{name}` must be a finite number."));
                default
            }
        }
    }

    fn leverage(&mut self, default: Number) -> Number {
        let errors_before = self.errors.len();
        let leverage = self.number("leverage", 1_000.0, default);
        if self.errors.len() > errors_before {
            return default;
        }
        if leverage.get() < 1.0 {
            self.error("leverage", "out_of_range", "`leverage` must be at least 1.".to_owned());
        } else if leverage.get() > 1.0 {
            let message = "A `leverage` above 1 is not supported yet.".to_owned();
            self.error("leverage", "unsupported_setting", message);
        }
        leverage
    }

    fn word<T: DeserializeOwned>(
        &mut self,
        name: &str,
        words: &str,
        unsupported: &[&str],
        default: T,
    ) -> T {
        let Some(value) = self.get(name).cloned() else { return default };
        if let Some(word) = value.as_str().filter(|word| unsupported.contains(word)) {
            let message = format!("`{name}` = `{word}` is not supported yet.");
            self.error(name, "unsupported_setting", message);
            return default;
        }
        match serde_json::from_value(value) {
            Ok(word) => word,
            Err(_) => {
                self.error(name, "invalid", format!("`{name}` must be one of {words}."));
                default
            }
        }
    }

    fn lot(&mut self) -> Option<Decimal> {
        let text = match self.get("lot")? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let lot = Decimal::from_str(&text).or_else(|_| Decimal::from_scientific(&text));
        match lot {
            Ok(lot) if lot > Decimal::ZERO && lot.normalize().scale() <= 8 => Some(lot.normalize()),
            _ => {
                let message = "`lot` must be a decimal above 0 with at most 8 places.".to_owned();
                self.error("lot", "out_of_range", message);
                None
            }
        }
    }

    fn seed(&mut self) -> Option<u64> {
        let seed = self.get("seed")?.as_u64();
        if seed.is_none() {
            let message = "`seed` must be a whole number from 0.".to_owned();
            self.error("seed", "invalid", message);
        }
        seed
    }
}

fn read_number(value: &Value) -> Option<Number> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.and_then(Number::try_new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors(metadata: Value) -> Vec<(String, String)> {
        let metadata = metadata.as_object().cloned().unwrap();
        let errors = Settings::parse(&metadata).unwrap_err();
        errors.into_iter().map(|error| (error.field, error.code)).collect()
    }

    #[test]
    fn settings_are_read_over_the_defaults() {
        let metadata = json!({"commission": "0.002", "fill": "close", "lot": 1, "seed": 7});
        let settings = Settings::parse(metadata.as_object().unwrap()).unwrap();
        let expected = Settings {
            commission: Number::try_new(0.002).unwrap(),
            fill: FillMode::Close,
            lot: Some(Decimal::ONE),
            seed: 7,
            ..Settings::default()
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn every_error_comes_at_once_with_its_field() {
        let found =
            errors(json!({"leverage": 0.5, "commission": -1, "fill": "later", "gearing": 2}));
        let expected = [
            ("metadata.gearing", "unsupported_setting"),
            ("metadata.leverage", "out_of_range"),
            ("metadata.commission", "out_of_range"),
            ("metadata.fill", "invalid"),
        ];
        assert_eq!(found, expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
    }

    #[test]
    fn what_comes_later_is_refused_by_name() {
        let found = errors(json!({"leverage": 2, "intrabar": "lower_timeframe"}));
        let code = "unsupported_setting".to_owned();
        let fields = ["metadata.leverage", "metadata.intrabar"];
        assert_eq!(found, fields.map(|field| (field.to_owned(), code.clone())));
    }

    #[test]
    fn infinite_numbers_are_refused() {
        let found = errors(json!({"commission": "NaN", "slippage_bps": "inf"}));
        assert_eq!(found.len(), 2);
    }
}
