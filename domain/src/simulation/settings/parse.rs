//! Parses settings from a backtest's `metadata`, reporting every error at once.

use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{FillMode, Finalize, Intrabar, OPEN_NEEDS_PRESET, Preset, Settings, Warmup};
use crate::{
    error_code::ErrorCode, fields::FieldError, number::Number, simulation::exact,
    strategy::language::suggest::nearest,
};

const KNOWN: &[&str] = &[
    "leverage",
    "maintenance_margin",
    "funding_rate",
    "funding_interval_hours",
    "commission",
    "commission_maker",
    "commission_fixed",
    "slippage_bps",
    "slippage_range_percentage",
    "spread_bps",
    "fill",
    "intrabar",
    "finalize",
    "warmup",
    "lot",
    "seed",
    "preset",
];

/// Meant by the design, not honoured yet.
const LATER: &[&str] = &["alternative_entry", "alternative_exit"];

/// Part of a strategy's `config`.
const OF_CONFIG: &[&str] = &["trailing_stop", "stop_loss", "take_profit", "position_mode"];

/// What backtesting.py has no counterpart of.
const NOT_IN_PRESET: &[&str] = &[
    "maintenance_margin",
    "funding_rate",
    "funding_interval_hours",
    "commission_maker",
    "slippage_range_percentage",
];

impl Settings {
    /// The settings that `metadata` names over its preset's. Null is the same as not given; numbers may be strings.
    ///
    /// # Errors
    /// Every field error at once, at `metadata.<name>`: `unsupported_setting` for what is not honoured, with the
    /// nearest that is, `out_of_range`, `invalid`.
    pub fn parse(metadata: &Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        Self::parse_over(Self::default(), metadata)
    }

    /// As [`Self::parse`], over `default` where the metadata names no preset.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_over(
        default: Self,
        metadata: &Map<String, Value>,
    ) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader { metadata, errors: Vec::new() };
        reader.check_names();
        let preset = reader.choice("preset", &["backtrail", "backtesting_py"]);
        let default = preset.map_or(default, Self::of_preset);
        reader.check_preset(default.preset);
        let leverage = reader.leverage().unwrap_or(default.leverage);
        let settings = Self {
            leverage,
            maintenance_margin: reader.maintenance_margin(leverage).or(default.maintenance_margin),
            funding_rate: reader.funding_rate().unwrap_or(default.funding_rate),
            funding_interval_hours: reader
                .funding_interval()
                .unwrap_or(default.funding_interval_hours),
            commission: reader.commission(default.preset).unwrap_or(default.commission),
            commission_maker: reader.maker().or(default.commission_maker),
            commission_fixed: reader
                .number("commission_fixed", "0 or more", |fixed| fixed >= 0.0)
                .unwrap_or(default.commission_fixed),
            slippage_bps: reader.basis_points("slippage_bps").unwrap_or(default.slippage_bps),
            slippage_range_percentage: reader
                .number("slippage_range_percentage", "from 0 to 100", |percent| {
                    (0.0..=100.0).contains(&percent)
                })
                .unwrap_or(default.slippage_range_percentage),
            spread_bps: reader.basis_points("spread_bps").unwrap_or(default.spread_bps),
            fill: reader.fill().unwrap_or(default.fill),
            intrabar: reader.intrabar().unwrap_or(default.intrabar),
            finalize: reader.finalize().unwrap_or(default.finalize),
            warmup: reader.warmup().unwrap_or(default.warmup),
            lot: reader.lot().or(default.lot),
            seed: reader.seed().unwrap_or(default.seed),
            preset: default.preset,
        };
        if settings.finalize == Finalize::Open && settings.preset.is_backtrail() {
            reader.unsupported("finalize", OPEN_NEEDS_PRESET.to_owned());
        }
        if reader.errors.is_empty() { Ok(settings) } else { Err(reader.errors) }
    }
}

struct Reader<'a> {
    metadata: &'a Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    fn check_names(&mut self) {
        for name in self.metadata.keys() {
            if KNOWN.contains(&name.as_str()) {
                continue;
            }
            let shown: String = name.chars().take(60).collect();
            let hint = match nearest(name, KNOWN.iter().copied()) {
                _ if LATER.contains(&name.as_str()) => "it is not supported yet".to_owned(),
                _ if OF_CONFIG.contains(&name.as_str()) => {
                    "it belongs to the strategy's `config`".to_owned()
                }
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("there are {}", KNOWN.join(", ")),
            };
            let message = format!("`{shown}` is not a setting; {hint}");
            self.unsupported(&shown, message);
        }
    }

    fn check_preset(&mut self, preset: Preset) {
        if preset.is_backtrail() {
            return;
        }
        for name in NOT_IN_PRESET {
            if self.given(name).is_some() {
                let message = format!("the preset backtesting_py has no `{name}`");
                self.unsupported(name, message);
            }
        }
        if self.metadata.get("intrabar").and_then(Value::as_str) == Some("lower_timeframe") {
            let message = "the preset backtesting_py looks at no finer candles".to_owned();
            self.unsupported("intrabar", message);
        }
    }

    fn maintenance_margin(&mut self, leverage: Number) -> Option<Number> {
        let initial = 1.0 / leverage.get();
        let expected = format!("a fraction of what is held, from 0 to below {initial}");
        self.number("maintenance_margin", &expected, |margin| (0.0..initial).contains(&margin))
    }

    fn funding_rate(&mut self) -> Option<Number> {
        let expected = "a fraction of what is held, between -0.1 and 0.1";
        self.number("funding_rate", expected, |rate| rate.abs() < 0.1)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    fn funding_interval(&mut self) -> Option<u32> {
        let is_allowed = |hours: f64| hours.fract() == 0.0 && (1.0..=168.0).contains(&hours);
        let hours =
            self.number("funding_interval_hours", "a whole number from 1 to 168", is_allowed)?;
        Some(hours.get() as u32)
    }

    fn maker(&mut self) -> Option<Number> {
        let expected = "a fraction of notional a side, above -0.1 and below 1";
        self.number("commission_maker", expected, |rate| rate > -0.1 && rate < 1.0)
    }

    fn leverage(&mut self) -> Option<Number> {
        self.number("leverage", "from 1 to 1000", |leverage| (1.0..=1_000.0).contains(&leverage))
    }

    fn commission(&mut self, preset: Preset) -> Option<Number> {
        match preset {
            Preset::Backtrail => self.number(
                "commission",
                "a fraction of notional a side, from 0 to below 1",
                |commission| (0.0..1.0).contains(&commission),
            ),
            // Below 0 it is a rebate, as there.
            Preset::BacktestingPy => {
                self.number("commission", "from -0.1 to below 0.1", |commission| {
                    (-0.1..0.1).contains(&commission)
                })
            }
        }
    }

    fn basis_points(&mut self, name: &str) -> Option<Number> {
        self.number(name, "from 0 to below 5000 basis points", |points| {
            (0.0..5_000.0).contains(&points)
        })
    }

    fn fill(&mut self) -> Option<FillMode> {
        self.choice("fill", &["next_open", "close"])
    }

    fn intrabar(&mut self) -> Option<Intrabar> {
        self.choice("intrabar", &["stop_first", "target_first", "lower_timeframe"])
    }

    fn finalize(&mut self) -> Option<Finalize> {
        self.choice("finalize", &["close", "open", "leave_open"])
    }

    fn warmup(&mut self) -> Option<Warmup> {
        self.choice("warmup", &["before_start", "in_range"])
    }

    fn lot(&mut self) -> Option<Decimal> {
        let text = match self.given("lot")? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
        };
        let lot = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
        match lot.map(|lot| lot.normalize()) {
            Ok(lot) if lot > Decimal::ZERO && lot.scale() <= 8 => Some(lot),
            _ => self.refuse(
                "lot",
                ErrorCode::OutOfRange,
                "a number above 0 with at most 8 decimals",
            ),
        }
    }

    fn seed(&mut self) -> Option<u64> {
        let value = self.given("seed")?;
        let seed = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        match seed {
            Some(seed) => Some(seed),
            None => self.refuse(
                "seed",
                ErrorCode::Invalid,
                "a whole number from 0 to 18446744073709551615",
            ),
        }
    }

    fn number(
        &mut self,
        name: &str,
        expected: &str,
        is_allowed: impl Fn(f64) -> bool,
    ) -> Option<Number> {
        let value = self.given(name)?;
        let value = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        match value.and_then(Number::try_new) {
            Some(number) if !is_allowed(number.get()) => {
                self.refuse(name, ErrorCode::OutOfRange, expected)
            }
            Some(number) if exact::decimal(number.get()).is_none() => self.refuse(
                name,
                ErrorCode::OutOfRange,
                "a number of at most 28 digits and 28 decimals",
            ),
            Some(number) => Some(number),
            None => self.refuse(name, ErrorCode::Invalid, "a finite number"),
        }
    }

    fn choice<T: DeserializeOwned>(&mut self, name: &str, choices: &[&str]) -> Option<T> {
        let value = self.given(name)?;
        match serde_json::from_value(value.clone()) {
            Ok(choice) => Some(choice),
            Err(_) => {
                self.refuse(name, ErrorCode::Invalid, &format!("one of {}", choices.join(", ")))
            }
        }
    }

    fn given(&self, name: &str) -> Option<&Value> {
        self.metadata.get(name).filter(|value| !value.is_null())
    }

    fn refuse<T>(&mut self, name: &str, code: ErrorCode, expected: &str) -> Option<T> {
        let message = format!("`{name}` must be {expected}");
        self.errors.push(FieldError::new(format!("metadata.{name}"), code, message));
        None
    }

    fn unsupported(&mut self, name: &str, message: String) {
        let field = format!("metadata.{name}");
        self.errors.push(FieldError::new(field, ErrorCode::UnsupportedSetting, message));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::simulation::rules::StrategyConfig;

    #[expect(clippy::needless_pass_by_value, reason = "a literal at each call")]
    fn parse(metadata: Value) -> Result<Settings, Vec<FieldError>> {
        Settings::parse(metadata.as_object().unwrap())
    }

    fn codes(metadata: Value) -> Vec<(String, String)> {
        let errors = parse(metadata).unwrap_err();
        errors.into_iter().map(|error| (error.field, error.code.to_string())).collect()
    }

    #[test]
    fn nothing_given_is_the_default() {
        let settings = parse(json!({})).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.commission.get().to_bits(), 0.001_f64.to_bits());
        assert_eq!(parse(json!({"leverage": null, "lot": null})).unwrap(), Settings::default());
    }

    #[test]
    fn what_is_given_overrides_the_preset() {
        let given =
            json!({"preset": "backtesting_py", "finalize": "leave_open", "commission": "0.002"});
        let settings = parse(given).unwrap();
        assert_eq!((settings.preset, settings.warmup), (Preset::BacktestingPy, Warmup::InRange));
        assert_eq!(settings.finalize, Finalize::LeaveOpen);
        assert_eq!(settings.commission.get().to_bits(), 0.002_f64.to_bits());
    }

    #[test]
    fn all_errors_come_at_once_with_their_fields() {
        let errors = codes(json!({
            "leverage": 0.5, "comission": 0.1, "commission": "NaN", "slippage_bps": -1, "fill": "open",
            "lot": 1e-9, "seed": -1, "finalize": 3, "warmup": true, "spread_bps": "inf",
        }));
        let expected = [
            ("metadata.comission", "unsupported_setting"),
            ("metadata.leverage", "out_of_range"),
            ("metadata.commission", "invalid"),
            ("metadata.slippage_bps", "out_of_range"),
            ("metadata.spread_bps", "invalid"),
            ("metadata.fill", "invalid"),
            ("metadata.finalize", "invalid"),
            ("metadata.warmup", "invalid"),
            ("metadata.lot", "out_of_range"),
            ("metadata.seed", "invalid"),
        ];
        let expected = expected.map(|(field, code)| (field.to_owned(), code.to_owned()));
        assert_eq!(errors, expected);
    }

    #[test]
    fn an_unknown_setting_names_the_nearest() {
        let errors = parse(json!({"comission": 0.1})).unwrap_err();
        assert!(errors[0].message.contains("did you mean `commission`?"), "{}", errors[0].message);
    }

    #[test]
    fn what_comes_later_or_belongs_elsewhere_is_refused_by_name() {
        let errors = parse(json!({"alternative_exit": 1, "trailing_stop": 5})).unwrap_err();
        let said: Vec<_> =
            errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
        let expected = [
            ("metadata.alternative_exit", "unsupported_setting"),
            ("metadata.trailing_stop", "unsupported_setting"),
        ];
        assert_eq!(said, expected);
        assert!(errors[1].message.contains("belongs to the strategy's `config`"));
    }

    #[test]
    fn margin_funding_and_maker_commission_are_read() {
        let given = json!({"leverage": 5, "maintenance_margin": "0.05", "funding_rate": -0.0001,
            "funding_interval_hours": 4, "commission_maker": -0.0002, "slippage_range_percentage": 10,
            "intrabar": "lower_timeframe"});
        let settings = parse(given).unwrap();
        assert_eq!((settings.maintenance(), settings.funding_interval_hours), (0.05, 4));
        assert_eq!(settings.funding_rate.get(), -0.000_1);
        assert_eq!(settings.commission_maker.unwrap().get(), -0.000_2);
        assert_eq!(settings.slippage_range_percentage.get(), 10.0);
        assert_eq!(settings.intrabar, Intrabar::LowerTimeframe);
        let half = parse(json!({"leverage": 5})).unwrap();
        assert_eq!((half.maintenance(), Settings::default().maintenance()), (0.1, 0.0));
    }

    #[test]
    fn absurd_settings_say_what_they_may_be() {
        let absurd = json!({"leverage": 1e9, "maintenance_margin": 1, "funding_rate": 1,
            "funding_interval_hours": 0.5, "commission_maker": 1, "slippage_range_percentage": 101});
        let errors = codes(absurd);
        assert!(errors.iter().all(|(_, code)| code == "out_of_range"), "{errors:?}");
        assert_eq!(errors.len(), 6);
        let tight = codes(json!({"leverage": 10, "maintenance_margin": 0.1}));
        assert_eq!(tight[0].0, "metadata.maintenance_margin");
    }

    #[test]
    fn what_backtesting_py_does_not_have_is_refused_with_its_preset() {
        let given = json!({"preset": "backtesting_py", "funding_rate": 0, "commission_maker": 0,
            "intrabar": "lower_timeframe", "leverage": 2});
        let errors = codes(given);
        assert!(errors.iter().all(|(_, code)| code == "unsupported_setting"), "{errors:?}");
        assert_eq!(errors.len(), 3);
    }

    #[test]
    fn the_last_open_belongs_to_the_preset() {
        for given in
            [json!({"finalize": "open"}), json!({"finalize": "open", "preset": "backtrail"})]
        {
            let expected = ("metadata.finalize".to_owned(), "unsupported_setting".to_owned());
            assert_eq!(codes(given), [expected]);
        }
        let given = json!({"finalize": "open", "preset": "backtesting_py"});
        assert_eq!(parse(given).unwrap().finalize, Finalize::Open);
        // A run that was asked for before it was refused.
        let stored = Settings { finalize: Finalize::Open, ..Settings::default() };
        let conflicts = stored.conflicts(&StrategyConfig::DEFAULT);
        assert_eq!(conflicts[0].field, "metadata.finalize");
    }

    #[test]
    fn digits_beyond_a_decimal_are_refused() {
        let errors = codes(json!({"commission": 1e-30, "commission_fixed": 1e30}));
        assert!(errors.iter().all(|(_, code)| code == "out_of_range"), "{errors:?}");
        assert_eq!(errors.len(), 2);
    }

    #[test]
    fn numbers_may_be_strings() {
        let given = json!({"slippage_bps": "2.5", "lot": "0.001", "seed": "7", "leverage": "1"});
        let settings = parse(given).unwrap();
        assert_eq!(settings.slippage_bps.get().to_bits(), 2.5_f64.to_bits());
        assert_eq!((settings.lot, settings.seed), (Some(Decimal::new(1, 3)), 7));
    }
}
