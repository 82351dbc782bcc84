//! The settings of a simulation: a backtest's body without ids, read with every error at once.

use std::{path::Path, str::FromStr};

use chrono::{DateTime, Utc};
use domain::error_code::ErrorCode;
use domain::{
    backtest::check_balance,
    fields::FieldError,
    market::{Symbol, Timeframe},
    request_time::{self, DayEnd},
    simulation::Settings,
    strategy::parameters::{self, Parameters},
};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// Every field with its synonym.
const FIELDS: [(&str, &str); 7] = [
    ("symbol", "asset_symbol"),
    ("timeframe", "interval"),
    ("start_time", "start_date"),
    ("end_time", "end_date"),
    ("initial_balance", "initial_capital"),
    ("parameters", "parameters"),
    ("metadata", "metadata"),
];

/// A market may be called by its base, as in the service, if this is its quote.
const DEFAULT_QUOTE: &str = "USDT";

/// A backtest without ids.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct RunSettings {
    pub(in crate::cli) symbol: Option<Symbol>,
    pub(in crate::cli) timeframe: Option<Timeframe>,
    pub(in crate::cli) start_time: Option<DateTime<Utc>>,
    pub(in crate::cli) end_time: Option<DateTime<Utc>>,
    pub(in crate::cli) initial_balance: Decimal,
    pub(in crate::cli) parameters: Parameters,
    pub(in crate::cli) metadata: Settings,
}

impl RunSettings {
    /// Reads a body, defaults filled in.
    ///
    /// # Errors
    /// Every field error at once.
    pub(in crate::cli) fn parse(body: &Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader { body, errors: Vec::new() };
        reader.refuse_unknown();
        let initial_balance = reader.read("initial_balance", decimal);
        let initial_balance = initial_balance.unwrap_or(Decimal::from(10_000));
        if let Err(error) = check_balance(initial_balance) {
            reader.errors.push(error);
        }
        let start_time = reader.time("start_time", DayEnd::Start);
        let end_time = reader.time("end_time", DayEnd::End);
        if let (Some(start), Some(end)) = (start_time, end_time)
            && end < start
        {
            reader.refuse("end_time", "must not be before start_time");
        }
        let symbol = reader.read("symbol", |text| Symbol::from_str(text).ok());
        let timeframe = reader.read("timeframe", |text| Timeframe::from_str(text).ok());
        let mut errors = std::mem::take(&mut reader.errors);
        let parameters = parameters::read("parameters", body.get("parameters"), &mut errors);
        let metadata = match body.get("metadata") {
            None | Some(Value::Null) => Ok(Settings::default()),
            Some(Value::Object(metadata)) => Settings::parse(metadata),
            Some(_) => {
                Err(vec![FieldError::new("metadata", ErrorCode::Invalid, "must be an object")])
            }
        };
        match metadata {
            Ok(metadata) if errors.is_empty() => Ok(Self {
                symbol,
                timeframe,
                start_time,
                end_time,
                initial_balance,
                parameters,
                metadata,
            }),
            Ok(_) => Err(errors),
            Err(more) => {
                errors.extend(more);
                Err(errors)
            }
        }
    }

    /// Checks that market and timeframe are those that the name of a candle file says.
    ///
    /// # Errors
    /// Every contradiction at once.
    pub(in crate::cli) fn check_against(
        &self,
        candles: &Path,
        (symbol, timeframe): &(Option<Symbol>, Option<Timeframe>),
    ) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut refuse = |field: &str, given: &str, named: &str| {
            let message =
                format!("it is {given}, but the candles of {} are of {named}", candles.display());
            errors.push(FieldError::new(field, ErrorCode::Conflict, message));
        };
        if let (Some(given), Some(named)) = (&self.symbol, symbol)
            && given != named
            && format!("{given}{DEFAULT_QUOTE}") != named.as_str()
        {
            refuse("symbol", given.as_str(), named.as_str());
        }
        if let (Some(given), Some(named)) = (self.timeframe, timeframe)
            && given != *named
        {
            refuse("timeframe", given.as_str(), named.as_str());
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

struct Reader<'a> {
    body: &'a Map<String, Value>,
    errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    fn refuse(&mut self, field: &str, message: &str) {
        self.errors.push(FieldError::new(field, ErrorCode::Invalid, message));
    }

    fn refuse_unknown(&mut self) {
        let is_known =
            |name: &str| FIELDS.iter().any(|(field, other)| name == *field || name == *other);
        for name in self.body.keys().filter(|name| !is_known(name)) {
            let known = FIELDS.map(|(field, _)| field).join(", ");
            let message = format!("is not a setting of a simulation; there are {known}");
            self.errors.push(FieldError::new(name.as_str(), ErrorCode::UnknownField, message));
        }
    }

    /// The field under either of its names, as text.
    fn read<T>(&mut self, field: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.value(field)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let parsed = parse(&text);
        if parsed.is_none() {
            self.refuse(field, &format!("`{text}` cannot be understood"));
        }
        parsed
    }

    /// A time, as the API reads it.
    fn time(&mut self, field: &str, day: DayEnd) -> Option<DateTime<Utc>> {
        let read = request_time::parse(self.value(field)?, day);
        read.map_err(|message| self.refuse(field, &message)).ok()
    }

    /// The value of a field under either of its names.
    fn value(&mut self, field: &str) -> Option<&'a Value> {
        let synonym =
            FIELDS.iter().find(|(name, _)| *name == field).map_or(field, |(_, other)| other);
        let body = self.body;
        let value = |name: &str| body.get(name).filter(|value| !value.is_null());
        let (first, second) = (value(field), value(synonym));
        if let (Some(one), Some(other)) = (first, second)
            && one != other
        {
            let message = format!("`{field}` and `{synonym}` mean the same and differ");
            self.refuse(field, &message);
            return None;
        }
        first.or(second)
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: &Value) -> Result<RunSettings, Vec<FieldError>> {
        RunSettings::parse(body.as_object().unwrap())
    }

    #[test]
    fn a_body_without_fields_is_the_default() {
        let settings = parse(&json!({})).unwrap();
        assert_eq!(settings.initial_balance, Decimal::from(10_000));
        assert_eq!(settings.metadata, Settings::default());
    }

    #[test]
    fn both_names_and_every_form_of_time_are_read() {
        let body = json!({"asset_symbol": "btcusdt", "interval": "1d", "start_date": "2020-01-01",
            "end_date": "2020-01-31", "initial_capital": 500, "parameters": {"short": 20}});
        let settings = parse(&body).unwrap();
        assert_eq!(settings.symbol.unwrap().as_str(), "BTCUSDT");
        assert_eq!(settings.start_time.unwrap().timestamp_millis(), 1_577_836_800_000);
        assert_eq!(settings.end_time.unwrap().timestamp_millis(), 1_580_515_199_999);
        assert_eq!(settings.initial_balance, Decimal::from(500));
        let basic = json!({"start_time": 1_577_836_800_000_i64, "end_time": "20200131"});
        let same = parse(&basic).unwrap();
        assert_eq!((same.start_time, same.end_time), (settings.start_time, settings.end_time));
    }

    #[test]
    fn a_market_or_timeframe_of_another_file_is_refused() {
        let named = |symbol: &str| (Some(symbol.parse().unwrap()), Some(Timeframe::OneDay));
        let check = |body: Value, symbol: &str| -> Vec<String> {
            let settings = parse(&body).unwrap();
            let checked = settings.check_against(Path::new("file.csv"), &named(symbol));
            checked.err().into_iter().flatten().map(|error| error.field).collect()
        };
        let other = json!({"symbol": "ETHUSDT", "timeframe": "1h"});
        assert_eq!(check(other, "BTCUSDT"), ["symbol", "timeframe"]);
        assert_eq!(check(json!({"symbol": "btcusdt", "interval": "1d"}), "BTCUSDT"), [""; 0]);
        assert_eq!(check(json!({"asset_symbol": "BTC"}), "BTCUSDT"), [""; 0], "by its base");
        assert_eq!(check(json!({"asset_symbol": "BTC"}), "BTCEUR"), ["symbol"]);
        let unnamed = parse(&json!({"symbol": "ETHUSDT", "timeframe": "1h"})).unwrap();
        assert_eq!(unnamed.check_against(Path::new("days.csv"), &(None, None)), Ok(()));
    }

    #[test]
    fn numbers_that_are_no_epoch_milliseconds_are_refused() {
        for number in [json!(1_672_531_200), json!(20_230_101), json!(-1), json!("1672531200")] {
            let errors =
                parse(&json!({"start_time": number, "end_time": "2023-12-31"})).unwrap_err();
            assert_eq!(errors[0].field, "start_time", "{number}");
            assert!(errors[0].message.contains("epoch milliseconds"), "{}", errors[0].message);
        }
    }

    #[test]
    fn every_error_is_told_at_once() {
        let body = json!({"symbol": "?!", "timeframe": "2d", "initial_balance": -1, "strategy_id": "x",
            "start_time": "2021-01-01", "end_time": "2020-01-01", "metadata": {"commission": "much"}});
        let errors = parse(&body).unwrap_err();
        let mut fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        fields.sort_unstable();
        let expected = [
            "end_time",
            "initial_balance",
            "metadata.commission",
            "strategy_id",
            "symbol",
            "timeframe",
        ];
        assert_eq!(fields, expected);
        for balance in ["1e-30", "0.000000001", "1e300"] {
            let errors = parse(&json!({"initial_balance": balance})).unwrap_err();
            assert_eq!(errors[0].field, "initial_balance", "{balance}");
        }
        let differing = parse(&json!({"symbol": "A", "asset_symbol": "B"})).unwrap_err();
        assert_eq!(differing[0].field, "symbol");
    }
}
